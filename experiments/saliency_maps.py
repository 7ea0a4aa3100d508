"""Draw saliency maps of a trained net for validation faces, or for your own pictures.

    python experiments/saliency_maps.py best.h5                  the most certain predictions
    python experiments/saliency_maps.py best.h5 --rows 0 5 9     these rows of PublicTest
    python experiments/saliency_maps.py best.h5 me.jpg you.png   your pictures, faces centered
"""
import sys
from pathlib import Path

if __package__ is None:  # started as a file, not with -m
    sys.path[0] = str(Path(__file__).resolve().parents[1])

import argparse
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from cs231n_fer.analysis.saliency import choose_examples, saliency_map
from cs231n_fer.classifiers.pretrained import PretrainedNet, load_pretrained
from cs231n_fer.data_utils import load_data, pictures, restore_pixels
from cs231n_fer.data_utils.pixels import faces_of
from cs231n_fer.types import Labels, Pixels
from cs231n_fer.vis_utils import add_note, plot_saliency, save_figure
from experiments import flags

WIDEST = 36  # characters below a face


class Faces(NamedTuple):
    """Faces to explain: pixels (N, 48, 48), labels (N,) or None if unknown, N names to print."""

    pixels: Pixels
    labels: Labels | None
    names: Sequence[str]
    source: str    # what they are, for the figure


def parse_arguments() -> argparse.Namespace:
    """Return the parsed command line."""
    parser = flags.Parser(__doc__)
    add = parser.add_argument
    add("checkpoint", help="checkpoint of train_final.py or train_best.py, such as best.h5")
    add("images", nargs="*", help="picture files (default: faces of the validation split)")
    add("--data", help="data set of the validation faces (default: look in the usual places)")
    add("--rows", type=flags.whole(), nargs="+",
        help="rows of the validation split, from 0 (default: the most certain predictions)")
    add("--out", type=flags.target, default="saliency.png",
        help="figure to write (default: %(default)s)")
    arguments = parser.parse_args()
    if arguments.images and arguments.rows:
        parser.error("give either picture files or --rows, not both")
    return arguments


def read_picture(path: str | Path, side: int = 48) -> Pixels:
    """Return the central square of a picture file, as predict takes it: (side, side) uint8.

    Raises ValueError for a file that is not a whole picture.
    """
    return faces_of(pictures.read_picture(path), side, side)[0]


def choose_rows(net: PretrainedNet, data: Mapping[str, Any], rows: Sequence[int] | None) -> Labels:
    """Return the given rows, or by default those of the most certain right and wrong predictions.

    Raises ValueError for rows outside the validation split.
    """
    count = len(data["y_val"])
    if rows is None:
        pixels = restore_pixels(data["X_val"], data["mean_image"], data["std"])
        return np.concatenate(choose_examples(net.predict(pixels), data["y_val"]))
    outside = [row for row in rows if not 0 <= row < count]
    if outside:
        raise ValueError(f"--rows: {outside} out of range, the validation split has rows 0 to "
                         f"{count - 1}")
    return np.array(rows)


def load_faces(net: PretrainedNet, arguments: argparse.Namespace) -> Faces:
    """Return the pictures or the validation faces that the command line asks for."""
    if arguments.images:
        faces = [read_picture(path) for path in arguments.images]
        return Faces(np.stack(faces), None, [Path(path).name for path in arguments.images],
                     "picture files")
    data = load_data(arguments.data)
    rows = choose_rows(net, data, arguments.rows)
    pixels = restore_pixels(data["X_val"][rows], data["mean_image"], data["std"])
    return Faces(pixels, data["y_val"][rows], [f"row {row}" for row in rows],
                 "synthetic faces" if data["synthetic"] else Path(data["source"]).name)


def shorten(name: str) -> str:
    """Return a name that fits below a face, without its middle if it is long."""
    half = WIDEST // 2
    return name if len(name) <= WIDEST else f"{name[:half]}…{name[1 - half:]}"


def drawn_from(arguments: argparse.Namespace, faces: Faces, net: PretrainedNet) -> str:
    """Return the note below the figure: the faces, the checkpoint, the kind of net and its seed."""
    described = net.info["model"]
    seed = described["options"].get("seed")
    parts = [faces.source, Path(arguments.checkpoint).name, described["kind"],
             "" if seed is None else f"seed {seed}"]
    return ", ".join(filter(None, parts))


def main() -> None:
    """Print the predictions for the faces and write the figure of their saliency maps."""
    arguments = parse_arguments()
    settings = [f"{name}={value}" for name, value in vars(arguments).items()]
    print("settings:", ", ".join(settings))
    net = load_pretrained(arguments.checkpoint)
    names = net.class_names
    faces = load_faces(net, arguments)
    probabilities = net.predict(faces.pixels)
    predicted = probabilities.argmax(axis=1)
    for n, face in enumerate(faces.names):
        true = "" if faces.labels is None else f", true {names[faces.labels[n]]}"
        share = 100 * probabilities[n, predicted[n]]
        print(f"{face}: predicted {names[predicted[n]]} ({share:.0f} %){true}")
    maps = saliency_map(net.model, net.preprocess(faces.pixels), predicted)
    figure = plot_saliency(faces.pixels, maps, predicted, names, labels=faces.labels,
                           sources=[shorten(name) for name in faces.names])
    add_note(figure, drawn_from(arguments, faces, net))
    print("wrote", save_figure(figure, arguments.out, close=True))


if __name__ == "__main__":
    try:
        main()
    except (OSError, ValueError, MemoryError) as error:
        sys.exit(f"saliency_maps: {error}")
