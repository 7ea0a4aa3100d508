// Synthetic people to choose from, expressions that they show, and a slider for each action unit.
import { latest, levelsOf, readFace } from "./server.js";

// elements    {gallery, expressions, units}
// known       the answer of about
// show(picture, result) draws an answer; fail(error) tells of one that did not come.
// Returns {open, leave}, which show a person again, and none.
export function makeFaces(elements, known, show, fail) {
  let index = known.gallery[0].index;
  const people = known.gallery.map((person) => elements.gallery.appendChild(
    buttonOf(person.expression, () => ask({ index: person.index }), grayCanvas(person.pixels))));
  people.forEach((button, n) => button.setAttribute("aria-label",
    `Person ${n + 1}, drawn as ${known.gallery[n].expression}`));
  known.expressions.forEach((name) => elements.expressions.append(
    buttonOf(name, () => ask({ index, expression: name }))));
  const sliders = known.action_units.map((name) => elements.units.appendChild(sliderOf(name)));
  const inputs = sliders.map((label) => label.querySelector("input"));
  elements.units.addEventListener("input", () => {
    inputs.forEach(spoken);
    ask({ index, units: inputs.map((input) => Number(input.value) / 100) });
  });

  const ask = latest(async (wanted) => {
    try {
      const result = await readFace(wanted);
      index = result.index;
      if (!wanted.units) {
        inputs.forEach((input, n) => {
          input.value = 100 * result.units[n];
          spoken(input);
        });
      }
      mark(index);
      show(grayCanvas(result.pixels), { ...result, synthetic: true });
    } catch (error) {
      fail(error);
    }
  });
  function mark(shown) {
    people.forEach((button, n) => button.setAttribute(
      "aria-pressed", known.gallery[n].index === shown));
  }

  return { open: () => ask({ index }), leave: () => mark(null) };
}

function spoken(input) {
  input.setAttribute("aria-valuetext", `${Math.round(input.value)} percent`);
}

function buttonOf(text, act, picture = null) {
  const button = document.createElement("button");
  button.type = "button";
  if (picture) button.append(picture);
  button.append(text);
  button.addEventListener("click", act);
  return button;
}

function sliderOf(name) {
  const label = document.createElement("label");
  const input = document.createElement("input");
  Object.assign(input, { type: "range", min: 0, max: 100, step: 1, name });
  label.append(name.replaceAll("_", " "), input);
  return label;
}

// Returns a canvas of gray levels as the server sends them.
function grayCanvas(sent) {
  const canvas = document.createElement("canvas");
  canvas.width = sent.width;
  canvas.height = sent.height;
  const image = new ImageData(sent.width, sent.height);
  levelsOf(sent).forEach((level, n) => image.data.set([level, level, level, 255], 4 * n));
  canvas.getContext("2d").putImageData(image, 0, 0);
  return canvas;
}
