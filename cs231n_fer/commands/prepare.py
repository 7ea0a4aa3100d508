"""`cs231n-fer prepare`: turn a download into the file that training reads."""
from __future__ import annotations

import argparse

from .parsing import Subparsers, command, whole

__all__ = ["add"]


def add(commands: Subparsers, name: str) -> None:
    """Add the subparser."""
    parser = command(commands, name, run, "turn a FER2013 download into one checked HDF5 file",
                     "cs231n-fer prepare fer2013.tar.gz --out data/fer2013.h5")
    add = parser.add_argument
    add("source", nargs="+", help="fer2013.csv, icml_face_data.csv, train.csv, an archive or a "
                                  "folder with them, or a folder train/<emotion>/*.png")
    add("--ferplus", metavar="CSV", help="fer2013new.csv of FER+: ten votes for each row")
    add("--out", metavar="FILE", default="data/fer2013.h5",
        help="file to write (default: %(default)s)")
    add("--skip-bad", action="store_true", help="leave bad rows out instead of stopping")
    add("--resize", action="store_true", help="resize pictures of other sizes to 48 x 48")
    add("--further", choices=("refuse", "leave-out"), default="refuse",
        help="rows of a class that FER2013 does not have, such as contempt (default: %(default)s)")
    add("--split", nargs=3, type=float, metavar=("TRAIN", "VAL", "TEST"),
        help="draw splits anew with these fractions, such as 0.8 0.1 0.1")
    add("--seed", type=whole(0), default=0, help="of that draw (default: %(default)s)")


def run(options: argparse.Namespace) -> int:
    """Prepare the file and print its summary."""
    from ..data_utils import Rules, prepare
    split = None if options.split is None else tuple(options.split)
    rules = Rules(options.resize, options.further == "leave-out", split, options.seed)
    prepare(options.source, options.out, options.ferplus, options.skip_bad, rules=rules)
    return 0
