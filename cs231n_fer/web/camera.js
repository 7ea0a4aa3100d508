// Pictures of the camera, one after the other, each as soon as the one before is answered.

const SIZE = { width: 640, height: 480 };
const QUALITY = 0.9;      // of the JPEG files that the server gets
const CALM = 500;         // milliseconds between pictures where less motion is wanted

// Returns {start, stop, isOn}. each(blob, canvas) is awaited for every picture.
export function makeCamera(each) {
  const video = document.createElement("video");
  video.muted = true;
  video.playsInline = true;
  const calm = matchMedia("(prefers-reduced-motion: reduce)");
  let stream = null;

  async function start() {
    const media = navigator.mediaDevices;
    if (!media) throw new Error("This browser gives no access to a camera here.");
    const opened = await media.getUserMedia({ video: SIZE, audio: false });
    stream = opened;
    opened.getTracks()[0].addEventListener("ended", stop);
    video.srcObject = opened;
    await video.play();
    while (stream === opened) {
      const frame = mirrored(video);
      const shown = sleep(calm.matches ? CALM : 0);
      if (!document.hidden) {
        await each(await frame.convertToBlob({ type: "image/jpeg", quality: QUALITY }), frame);
      }
      await shown;
      if (document.hidden) await sleep(CALM);
    }
  }

  function stop() {
    if (stream) stream.getTracks().forEach((track) => track.stop());
    stream = null;
    video.srcObject = null;
  }

  return { start, stop, isOn: () => stream !== null };
}

const sleep = (milliseconds) => new Promise((done) => { setTimeout(done, milliseconds); });

// Returns the picture of a video as people know themselves, in a mirror.
function mirrored(video) {
  const frame = new OffscreenCanvas(video.videoWidth, video.videoHeight);
  const paint = frame.getContext("2d");
  paint.setTransform(-1, 0, 0, 1, frame.width, 0);
  paint.drawImage(video, 0, 0);
  return frame;
}
