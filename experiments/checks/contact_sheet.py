"""Draw a contact sheet of synthetic faces: a row for every emotion, and one with the masks."""
import sys
from pathlib import Path

if __package__ is None:  # started as a file, not with -m
    sys.path[0] = str(Path(__file__).resolve().parents[2])


import numpy as np

from cs231n_fer.faces.synthetic import (
    ACTION_UNITS,
    CLASS_NAMES,
    MASK_NAMES,
    emotions_of,
    make_faces,
)
from cs231n_fer.vis_utils import INK, new_axes, save_figure
from experiments import flags

GAP = 2  # pixels between faces
MASK_COLOURS = np.array([[255, 170, 0], [0, 200, 255], [255, 60, 90]], np.float32)


def tile(images, columns):
    """Arrange pictures (n, 48, 48, 3) in rows of `columns` on white, GAP pixels from each other."""
    rows = len(images) // columns
    size = images.shape[1] + GAP
    sheet = np.full((rows * size - GAP, columns * size - GAP, 3), 255, np.uint8)
    for k, image in enumerate(images):
        top = k // columns * size
        left = k % columns * size
        sheet[top:top + 48, left:left + 48] = image
    return sheet


def overlay(faces):
    """Return the faces in color (n, 48, 48, 3) uint8, with half-transparent masks on top."""
    picture = np.repeat(faces.pixels[..., None], 3, axis=3).astype(np.float32)
    for part in range(3):
        inside = faces.masks[:, part]
        picture[inside] = 0.5 * picture[inside] + 0.5 * MASK_COLOURS[part]
    return picture.astype(np.uint8)


def main():
    parser = flags.Parser(__doc__)
    parser.add_argument("--seed", type=flags.whole(), default=0,
                        help="seed of the faces (default: %(default)s)")
    parser.add_argument("--columns", type=flags.whole(1), default=12,
                        help="faces per row (default: %(default)s)")
    parser.add_argument("--out", type=flags.target,
                        default=Path("experiments/results/synthetic_faces.png"),
                        help="picture to write (default: %(default)s)")
    args = parser.parse_args()
    print("contact sheet:", ", ".join(f"{name} {value}" for name, value in vars(args).items()))

    emotion = emotions_of(args.seed, range(200 * args.columns))
    chosen = np.concatenate([np.flatnonzero(emotion == e)[:args.columns] for e in range(7)])
    faces = make_faces(args.seed, chosen)
    columns = np.arange(args.columns)
    masked = make_faces(args.seed, chosen.reshape(7, -1)[columns % 7, columns])
    pictures = np.concatenate([np.repeat(faces.pixels[..., None], 3, axis=3), overlay(masked)])
    sheet = tile(pictures, args.columns)

    ax = new_axes(None, (args.columns * 0.9 + 1, 8.4 * 0.9))
    ax.imshow(sheet, interpolation="nearest")
    ax.set_yticks(24 + 50 * np.arange(8), [*CLASS_NAMES, "masks:\n" + "\n".join(MASK_NAMES)])
    ax.set_xticks([])
    ax.tick_params(length=0)
    ax.set_frame_on(False)
    ax.set_title(f"Synthetic faces of seed {args.seed}", loc="left", fontweight="bold", color=INK)
    save_figure(ax, args.out, close=True)
    print(f"wrote {args.out}")
    for e, name in enumerate(CLASS_NAMES):
        mean = faces.action_units[emotion[chosen] == e].mean(axis=0)
        print(f"{name:9}",
              ", ".join(f"{ACTION_UNITS[j]} {mean[j]:.2f}" for j in np.argsort(-mean)[:4]))


if __name__ == "__main__":
    main()
