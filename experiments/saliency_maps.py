"""What a trained net reacts to: saliency maps of validation faces, or of your own pictures.

    python experiments/saliency_maps.py best.h5                  the surest right and wrong faces
    python experiments/saliency_maps.py best.h5 --rows 0 5 9     these rows of PublicTest
    python experiments/saliency_maps.py best.h5 me.jpg you.png   own pictures, the face in the middle
"""

import argparse
import sys

import numpy as np
from PIL import Image, ImageOps

from cs231n_fer.analysis.saliency import choose_examples, saliency_map
from cs231n_fer.classifiers import load_model
from cs231n_fer.data_utils import load_data, normalise, restore_pixels
from cs231n_fer.vis_utils import plot_saliency, save_figure


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("checkpoint", help="a checkpoint that train_final.py wrote, such as best.h5")
    parser.add_argument("images", nargs="*", help="picture files; default: faces of the validation split")
    parser.add_argument("--data", help="prepared data file; by default found as in training")
    parser.add_argument("--rows", type=int, nargs="+", help="rows of the validation split, from 0")
    parser.add_argument("--out", default="saliency.png", help="figure to write (default: %(default)s)")
    arguments = parser.parse_args()
    if arguments.images and arguments.rows:
        parser.error("give either picture files or --rows, not both")
    return arguments


def read_picture(path, size=48):
    """Read a picture file as (size, size) uint8 grey: turned upright, its middle square cut out, resized."""
    try:
        with Image.open(path) as picture:
            upright = ImageOps.exif_transpose(picture)
            if upright.mode.startswith("I;16"):  # convert("L") would clip 16 bits to white
                upright = Image.fromarray((np.asarray(upright) >> 8).astype(np.uint8))
            return np.asarray(ImageOps.fit(upright.convert("L"), (size, size), Image.Resampling.LANCZOS))
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise ValueError(f"{path}: not a readable picture ({error}); give a JPEG or PNG file") from error


def choose_rows(model, data, rows):
    """The wanted rows, checked, or else the surest right and wrong ones."""
    count = len(data["y_val"])
    if rows is None:
        return np.concatenate(choose_examples(model.predict(data["X_val"]), data["y_val"]))
    outside = [row for row in rows if not 0 <= row < count]
    if outside:
        raise ValueError(f"--rows: {outside} out of range, the validation split has rows 0 to {count - 1}")
    return np.array(rows)


def load_faces(model, info, arguments):
    """Pixels (N, 48, 48) uint8, labels (N,) or None where they are unknown, and a name of each face."""
    if arguments.images:
        return np.stack([read_picture(path) for path in arguments.images]), None, arguments.images
    data = load_data(arguments.data)
    rows = choose_rows(model, data, arguments.rows)
    pixels = restore_pixels(data["X_val"][rows], data["mean_image"], data["std"])
    return pixels, data["y_val"][rows], [f"row {row}" for row in rows]


def main():
    arguments = parse_arguments()
    print("settings:", ", ".join(f"{name}={value}" for name, value in vars(arguments).items()))
    model, info = load_model(arguments.checkpoint)
    missing = [key for key in ("class_names", "mean_image", "std") if info.get(key) is None]
    if missing:
        raise ValueError(f"{arguments.checkpoint}: holds no {', '.join(missing)}; use one of train_final.py")
    names = list(info["class_names"])
    pixels, labels, sources = load_faces(model, info, arguments)
    X = normalise(pixels, info["mean_image"], info["std"])
    scores = model.predict(X)
    predicted = scores.argmax(axis=1)
    for n, source in enumerate(sources):
        true = "" if labels is None else f", true {names[labels[n]]}"
        print(f"{source}: predicted {names[predicted[n]]}{true}")
    maps = saliency_map(model, X, predicted)
    print("wrote", save_figure(plot_saliency(pixels, maps, predicted, names, labels=labels), arguments.out))


if __name__ == "__main__":
    try:
        main()
    except (OSError, ValueError) as error:
        sys.exit(f"saliency_maps: {error}")
