"""`cs231n-fer prepare`: turn a download into the file that training reads."""
from __future__ import annotations

import argparse

from .parsing import Subparsers, command

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


def run(options: argparse.Namespace) -> int:
    """Prepare the file and print its summary."""
    from ..data_utils import prepare
    prepare(options.source, options.out, options.ferplus, options.skip_bad)
    return 0
