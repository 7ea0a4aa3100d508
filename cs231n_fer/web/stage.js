// The picture with boxes, emotions and saliency maps over it.
import { levelsOf } from "./server.js";

const LONGEST = 960;     // pixels of the longer side of the stage
const SHORTEST = 480;    // a smaller picture is enlarged, so that text fits in

// known    the answer of about: colors of boxes and of maps
// Returns draw(picture, result, {saliency, selected}).
export function makeStage(canvas, known) {
  const paint = canvas.getContext("2d");
  const colors = mapColors(known.map_strengths, known.map_colors);

  return function draw(picture, result, { saliency, selected }) {
    const longer = Math.max(result.width, result.height);
    const scale = Math.min(Math.max(longer, SHORTEST), LONGEST) / longer;
    canvas.width = Math.round(scale * result.width);
    canvas.height = Math.round(scale * result.height);
    paint.drawImage(picture, 0, 0, canvas.width, canvas.height);
    const faces = result.faces.entries();
    for (const [n, face] of faces) {
      if (saliency) drawMap(paint, face, colors, scale);
      const color = known.box_colors[n % known.box_colors.length];
      if (!result.synthetic) {
        drawBox(paint, face, n + 1, `rgb(${color})`, scale, n === selected);
      }
    }
    canvas.setAttribute("aria-label", described(result, saliency));
  };
}

export const percent = (share) => `${Math.round(100 * share)} %`;

// Returns the emotion of a face and its probability in words.
export const captionOf = (face) =>
  `${face.emotion}${face.unsure ? "?" : ""} ${percent(Math.max(...face.probabilities))}`;

function described(result, saliency) {
  if (!result.faces.length) return "A picture in which no face was found";
  const kind = result.synthetic ? "A synthetic face" : "A picture";
  const faces = result.faces.map((face, n) => `face ${n + 1}: ${captionOf(face)}`);
  return `${kind}; ${faces.join("; ")}${saliency ? "; with saliency maps" : ""}`;
}

function drawBox(paint, face, number, color, scale, selected) {
  const [x, y, w, h] = face.box.map((edge) => scale * edge);
  const text = `${number}  ${captionOf(face)}`;
  paint.lineWidth = selected ? 5 : 2;
  paint.strokeStyle = color;
  paint.strokeRect(x, y, w, h);
  paint.font = "bold 18px system-ui, sans-serif";
  const width = paint.measureText(text).width + 12;
  const top = y >= 26 ? y - 26 : y;
  paint.fillStyle = "#111";
  paint.fillRect(x, top, width, 26);
  paint.fillStyle = color;
  paint.fillRect(x, top, 5, 26);
  paint.fillStyle = "#fff";
  paint.fillText(text, x + 9, top + 19);
}

function drawMap(paint, face, colors, scale) {
  const { width, height } = face.saliency;
  const small = new OffscreenCanvas(width, height);
  const image = new ImageData(width, height);
  const levels = contrasted(softened(softened(levelsOf(face.saliency), width), width));
  levels.forEach((level, n) => image.data.set(colors[level], 4 * n));
  small.getContext("2d").putImageData(image, 0, 0);
  const [left, top, side] = face.square.map((edge) => scale * edge);
  paint.imageSmoothingQuality = "high";
  paint.drawImage(small, left, top, side, side);
}

// Returns levels averaged over 3 x 3 pixels with the weights 1 2 1, which makes them less grainy.
export function softened(levels, width) {
  const mean = (from, step) => Float32Array.from(from, (level, n) => {
    const isFirst = step === 1 ? n % width === 0 : n < width;
    const isLast = step === 1 ? n % width === width - 1 : n >= from.length - width;
    return ((isFirst ? level : from[n - step]) + 2 * level + (isLast ? level : from[n + step])) / 4;
  });
  return mean(mean(levels, 1), width);
}

// Returns levels of which the lower half is 0 and the highest is 255.
export function contrasted(levels) {
  const low = levels.slice().sort()[levels.length >> 1];
  const range = Math.max(levels.reduce((a, b) => Math.max(a, b), 0) - low, 1e-6);
  return Uint8Array.from(levels, (level) => 255 * Math.max(level - low, 0) / range);
}

// Returns [red, green, blue, opacity] for each level from 0 to 255, as the command line draws them.
export function mapColors(strengths, points) {
  return Array.from({ length: 256 }, (_, level) => {
    const share = level / 255;
    let n = 1;
    while (share > strengths[n]) n += 1;
    const along = (share - strengths[n - 1]) / (strengths[n] - strengths[n - 1]);
    const mixed = points[n].map((end, c) => points[n - 1][c] + along * (end - points[n - 1][c]));
    return [...mixed, 255 * share ** 0.7].map(Math.round);
  });
}
