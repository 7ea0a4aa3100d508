// Pictures of the camera, one after the other, each as soon as the one before is answered.

const SIZE = { width: 640, height: 480 };
const QUALITY = 0.9;      // of the JPEG files that the server gets
const CALM = 500;         // milliseconds between pictures where less motion is wanted

// Returns {start, stop, isOn}. each(file, picture) is awaited for every picture; start ends after
// stop, or with an error, which also stops it.
export function makeCamera(each) {
  const video = document.createElement("video");
  video.muted = true;
  video.playsInline = true;
  const calm = matchMedia("(prefers-reduced-motion: reduce)");
  let run = null;    // what start began, until stop

  async function start() {
    const mine = { stream: null };
    const isOn = () => run === mine;
    run = mine;
    try {
      mine.stream = await open();
      mine.stream.getTracks()[0].addEventListener("ended", () => isOn() && stop());
      if (isOn()) await play(mine.stream, isOn);
    } finally {
      close(mine.stream);
      if (isOn()) stop();
    }
  }

  async function play(stream, isOn) {
    video.srcObject = stream;
    await video.play();
    let next = taken(video);
    while (isOn()) {
      const { file, picture } = next;
      const content = await file;
      if (!isOn()) return;
      const answered = each(content, picture);
      next = taken(video);    // its file is made while the server computes
      await answered;
      while (isOn() && (calm.matches || document.hidden)) {
        await sleep(CALM);
        if (isOn()) next = taken(video);
        if (!document.hidden) break;
      }
    }
  }

  function stop() {
    close(run?.stream);
    run = null;
    video.srcObject = null;
  }

  return { start, stop, isOn: () => run !== null };
}

function open() {
  const media = navigator.mediaDevices;
  if (!media) throw new Error("This browser gives no access to a camera here.");
  return media.getUserMedia({ video: SIZE, audio: false });
}

const close = (stream) => stream?.getTracks().forEach((track) => track.stop());
const sleep = (milliseconds) => new Promise((done) => { setTimeout(done, milliseconds); });

// Returns {picture, file} of a video as people know themselves, in a mirror; file is a promise.
function taken(video) {
  const picture = new OffscreenCanvas(video.videoWidth, video.videoHeight);
  const paint = picture.getContext("2d");
  paint.setTransform(-1, 0, 0, 1, picture.width, 0);
  paint.drawImage(video, 0, 0);
  return { picture, file: picture.convertToBlob({ type: "image/jpeg", quality: QUALITY }) };
}
