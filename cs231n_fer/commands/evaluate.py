"""`cs231n-fer evaluate`: the accuracy of a checkpoint on a split of the data."""
from __future__ import annotations

import argparse
import json
import sys
from typing import Any

from .parsing import Subparsers, command

__all__ = ["add", "evaluate"]

SPLITS = {"Training": "train", "PublicTest": "val", "PrivateTest": "test"}


def add(commands: Subparsers, name: str) -> None:
    """Add the subparser."""
    parser = command(commands, name, run, "measure the accuracy of a net on a split of FER2013",
                     "cs231n-fer evaluate runs/final/best.h5 --split PublicTest")
    add = parser.add_argument
    add("checkpoint", nargs="?", help="best.h5 of a run (default: the packaged net)")
    add("--split", choices=list(SPLITS), default="PublicTest", help="(default: %(default)s)")
    add("--data", help="data set (default: look in the usual places, see "
                       "`cs231n-fer train --help`)")
    add("--one-view", action="store_true",
        help="do not average over a face and its mirror image")
    add("--json", action="store_true", help="print JSON")


def run(options: argparse.Namespace) -> int:
    """Print the accuracy over all faces and for each emotion, with 95 % intervals."""
    from ..classifiers.pretrained import load_pretrained
    from ..data_utils import load_data
    net = load_pretrained(options.checkpoint)
    data = load_data(options.data, say=lambda line: print(line, file=sys.stderr))
    found = evaluate(net, data, options.split, mirror=not options.one_view)
    if options.json:
        print(json.dumps(found, indent=2))
        return 0
    print(f"{data['source']}, {options.split}")
    for name, row in {"all": found, **found["per_class"]}.items():
        accuracy = "-" if row["accuracy"] is None else f"{100 * row['accuracy']:.1f} %"
        low, high = row["interval"]
        print(f"{name:10} {row['faces']:6,} faces  accuracy {accuracy:>7}  "
              f"(95 %: {100 * low:.1f} to {100 * high:.1f})")
    return 0


def evaluate(net: Any, data: dict[str, Any], split: str, mirror: bool = True) -> dict[str, Any]:
    """Return the accuracy of a PretrainedNet on a split, with the other facts of a report.

    data    dict of load_data
    split   Training, PublicTest or PrivateTest
    Returns {split, source, synthetic, faces, accuracy, interval, per_class}.
    Raises ValueError if the data has no labeled faces in this split, or has other classes.
    """
    import numpy as np

    from ..data_utils import restore_pixels
    from ..shapes import check
    key = SPLITS[split]
    check(f"X_{key}" in data, f"--split: {data['source']} has no labeled faces in {split}")
    check(net.class_names == tuple(data["class_names"]),
          f"checkpoint: has the classes {', '.join(net.class_names)}, expected those of the data, "
          f"{', '.join(data['class_names'])}")
    pixels = restore_pixels(data[f"X_{key}"], data["mean_image"], data["std"])
    y = data[f"y_{key}"]
    right = net.predict(pixels, mirror=mirror).argmax(axis=1) == y
    rows = {name: _counted(right[y == label]) for label, name in enumerate(net.class_names)}
    return {"split": split, "source": data["source"], "synthetic": data["synthetic"],
            **_counted(np.asarray(right)), "per_class": rows}


def _counted(right: Any) -> dict[str, Any]:
    """Return {faces, accuracy, interval} for booleans (N,), true for right predictions."""
    from ..analysis.metrics import wilson_interval
    low, high = wilson_interval(right.sum(), len(right))
    return {"faces": len(right), "accuracy": float(right.mean()) if len(right) else None,
            "interval": [float(low), float(high)]}
