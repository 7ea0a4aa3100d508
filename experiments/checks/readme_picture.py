"""Draw the picture at the top of README.md: synthetic faces, predictions and saliency maps.

    python experiments/checks/readme_picture.py
    python experiments/checks/readme_picture.py --faces 200 --out runs/faces.png   a quick trial

The packaged net predicts the first --faces synthetic faces of seed 0. For every emotion, the
picture shows the face with the most confident correct prediction, and its SmoothGrad map, slightly
blurred and laid over the face.
"""
import sys
from pathlib import Path

if __package__ is None:  # started as a file, not with -m
    sys.path[0] = str(Path(__file__).resolve().parents[2])

import numpy as np
from matplotlib import colormaps
from matplotlib.figure import Figure

from cs231n_fer import load_pretrained
from cs231n_fer.analysis.saliency import smooth_grad
from cs231n_fer.faces.synthetic import CLASS_NAMES, make_faces
from cs231n_fer.vis_utils import INK, save_figure
from experiments import flags
from experiments.bench.report import RESULTS

PICTURE = RESULTS / "readme_faces.png"
TITLE = "Synthetic faces, predictions, and the pixels behind them"
COPIES = 64  # noisy copies of a face in its map; with fewer the maps look grainy


def most_confident(probabilities, labels):
    """Return the row of the most confident correct prediction of each class, where there is one.

    probabilities    (N, C)
    labels           (N,) integers
    """
    predicted = probabilities.argmax(axis=1)
    confidence = np.where(predicted == labels, probabilities.max(axis=1), -1)
    rows = []
    for label in range(probabilities.shape[1]):
        row = int(np.where(labels == label, confidence, -1).argmax())
        if labels[row] == label and predicted[row] == label:
            rows.append(row)
    return rows


def saliency_of(net, pixels, labels):
    """Return the SmoothGrad maps (N, 48, 48) of uint8 faces (N, 48, 48)."""
    return smooth_grad(net.model, net.preprocess(pixels), labels, copies=COPIES, noise=0.1)


def blurred(maps):
    """Return maps (N, H, W) averaged over 3 x 3 pixels with weights 1 2 1, twice, for display."""
    for _ in range(2):
        for axis in (1, 2):
            before = np.roll(maps, 1, axis)
            after = np.roll(maps, -1, axis)
            maps = (before + 2 * maps + after) / 4
    return maps


def overlaid(pixels, maps):
    """Return RGB pictures (N, H, W, 3): dimmed faces under maps with opaque maxima."""
    top = np.percentile(maps, 99.5, axis=(1, 2), keepdims=True)
    low = np.percentile(maps, 40, axis=(1, 2), keepdims=True)
    strength = np.clip((maps - low) / (top - low), 0, 1)
    dimmed = 0.55 * pixels[..., None] / 255
    opacity = strength[..., None] ** 0.7
    return (1 - opacity) * dimmed + opacity * colormaps["inferno"](0.25 + 0.75 * strength)[..., :3]


def draw(pixels, maps, texts):
    """Return a figure 1,200 pixels wide: a column for each face, with its saliency map below it.

    pixels    (N, 48, 48) uint8
    maps      (N, 48, 48), values >= 0; each map has its own color scale
    texts     N pairs of a predicted emotion and its probability
    """
    count = len(pixels)
    figure = Figure(figsize=(8, 3.2), dpi=150)
    ax = figure.add_axes((0, 0, 1, 1))
    ax.set(xlim=(0, 8), ylim=(3.2, 0))
    ax.set_axis_off()
    step = 7.8 / count
    size = step - 0.05
    pictures = overlaid(pixels, blurred(maps))
    for column, (emotion, probability) in enumerate(texts):
        left = 0.12 + column * step
        for top, picture in ((0.93, pixels[column]), (0.98 + size, pictures[column])):
            ax.imshow(picture, cmap="gray", vmin=0, vmax=255, interpolation="bicubic",
                      extent=(left, left + size, top + size, top))
        middle = left + size / 2
        ax.text(middle, 0.62, emotion, ha="center", fontsize=13, fontweight="bold", color=INK)
        ax.text(middle, 0.83, f"{100 * probability:.0f} %", ha="center", fontsize=12, color=INK)
    ax.text(0.12, 0.3, TITLE, fontsize=14.5, fontweight="bold", color=INK)
    ax.set(xlim=(0, 8), ylim=(3.2, 0), aspect="auto")
    return figure


def main():
    parser = flags.Parser(__doc__)
    parser.add_argument("--faces", type=flags.whole(1), default=3000,
                        help="number of faces to choose from (default: %(default)s)")
    parser.add_argument("--out", type=flags.target, default=PICTURE,
                        help="picture to write (default: experiments/results/readme_faces.png)")
    args = parser.parse_args()
    net = load_pretrained()
    faces = make_faces(0, range(args.faces))
    probabilities = net.predict(faces.pixels)
    correct = np.mean(probabilities.argmax(axis=1) == faces.emotion)
    rows = most_confident(probabilities, faces.emotion)
    labels = faces.emotion[rows].astype(np.int64)
    texts = [(CLASS_NAMES[label], probabilities[row, label])
             for row, label in zip(rows, labels, strict=True)]
    maps = saliency_of(net, faces.pixels[rows], labels)
    save_figure(draw(faces.pixels[rows], maps, texts), args.out)
    print(f"{correct:.1%} of {args.faces:,} synthetic faces are predicted correctly; "
          f"wrote {args.out}")


if __name__ == "__main__":
    main()
