// The page: which picture is shown, and what happens when something is pressed, chosen or dropped.
import { makeCamera } from "./camera.js";
import { makeFaces } from "./faces.js";
import { makeResult } from "./result.js";
import { about, readPhoto } from "./server.js";
import { makeStage } from "./stage.js";

const at = (id) => document.getElementById(id);
const COUNTED = 10;    // answers over which their rate is taken

async function main() {
  const known = await about();
  const draw = makeStage(at("stage"), known);
  const result = makeResult({ answer: at("answer"), announcement: at("announcement"),
    bars: at("bars"), faces: at("faces") }, known.class_names, select);
  let shown = null;     // {picture, result}: what is on the stage
  let selected = 0;     // number of the face whose bars are shown
  let photo = null;     // the file that was chosen, until something else is shown
  let times = [];

  const tell = (text) => { at("status").textContent = text; };
  const fail = (error) => tell(error.message);

  function refresh() {
    if (!shown) return;
    draw(shown.picture, shown.result, { saliency: at("saliency").checked, selected });
    result(shown.result, selected);
  }

  function show(picture, answer) {
    shown = { picture, result: answer };
    selected = Math.min(selected, Math.max(answer.faces.length - 1, 0));
    refresh();
    if (!answer.synthetic) faces.leave();
    document.body.dataset.shown = Number(document.body.dataset.shown || 0) + 1;
  }

  function select(number) {
    selected = number;
    refresh();
  }

  function count() {
    times = [...times, performance.now()].slice(-COUNTED - 1);
    const seconds = (times.at(-1) - times[0]) / 1000;
    at("rate").textContent = times.length > COUNTED
      ? `${((times.length - 1) / seconds).toFixed(1)} pictures a second` : "";
  }

  const camera = makeCamera(async (blob, frame) => {
    const answer = await readPhoto(blob, at("whole").checked, true);
    if (!camera.isOn()) return;
    show(frame, answer);
    count();
  });

  async function startCamera() {
    photo = null;
    times = [];
    at("camera").setAttribute("aria-pressed", "true");
    at("camera").textContent = "Stop the camera";
    tell("");
    try {
      await camera.start();
    } catch (error) {
      tell(`The camera stopped: ${error.message}`);
    }
    if (!camera.isOn()) stopCamera();
  }

  function stopCamera() {
    camera.stop();
    at("camera").setAttribute("aria-pressed", "false");
    at("camera").textContent = "Start the camera";
    at("rate").textContent = "";
  }

  async function open(file) {
    if (!file) return;
    stopCamera();
    photo = file;
    selected = 0;
    tell("Reading the photo ...");
    try {
      const answer = await readPhoto(file, at("whole").checked, false);
      const picture = await createImageBitmap(file).catch(() => {
        throw new Error("The photo was read, but this browser can't show a file of its kind.");
      });
      if (photo !== file) return;
      show(picture, answer);
      tell(answer.faces.length ? "" : "No face was found in the photo. If one fills it, say so.");
    } catch (error) {
      fail(error);
    }
  }

  const faces = makeFaces({ gallery: at("gallery"), expressions: at("expressions"),
    units: at("units") }, known, (picture, answer) => {
    stopCamera();
    photo = null;
    tell("");
    show(picture, answer);
  }, fail);

  if (!known.can_search) {
    at("whole").checked = true;
    at("whole").disabled = true;
    at("hint").hidden = false;
    at("hint").textContent = "Faces are not searched for here: fill the picture with your face, or "
      + 'install the detector with pip install "cs231n_fer[photos]".';
  }
  at("camera").addEventListener("click", () => (camera.isOn() ? stopCamera() : startCamera()));
  at("saliency").addEventListener("change", refresh);
  at("whole").addEventListener("change", () => open(photo));
  at("file").addEventListener("change", () => open(at("file").files[0]));
  addEventListener("pagehide", stopCamera);
  letDrop(open);
  await faces.open();
  document.body.dataset.ready = "yes";
}

function letDrop(open) {
  const mark = (on) => document.body.classList.toggle("dropping", on);
  addEventListener("dragover", (event) => { event.preventDefault(); mark(true); });
  addEventListener("dragleave", () => mark(false));
  addEventListener("drop", (event) => {
    event.preventDefault();
    mark(false);
    open(event.dataTransfer.files[0]);
  });
}

main().catch((error) => { at("status").textContent = error.message; });
