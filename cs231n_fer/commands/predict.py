"""`cs231n-fer predict`: the emotions of the faces in photos."""
from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING

from .parsing import Subparsers, command
from .photo_options import add_photo_options, new_path, read_photos

if TYPE_CHECKING:
    from ..photos.emotions import Reading

__all__ = ["add"]

SHOWN = 3  # emotions listed for a face in the text output


def add(commands: Subparsers, name: str) -> None:
    """Add the subparser."""
    parser = command(commands, name, run, "name the emotions of the faces in photos",
                     "cs231n-fer predict photo.jpg\n"
                     "  cs231n-fer predict photos --csv --save drawn > emotions.csv")
    add_photo_options(parser)
    form = parser.add_mutually_exclusive_group()
    form.add_argument("--json", action="store_true",
                      help="print a JSON list with one record per face")
    form.add_argument("--csv", action="store_true", help="print CSV with one row per face")
    parser.add_argument("--save", metavar="DIR",
                        help="draw boxes and emotions on copies of the photos in this folder")


def run(options: argparse.Namespace) -> int:
    """Read the photos and print what was found; text is printed photo by photo."""
    from ..classifiers.pretrained import load_pretrained
    from ..photos.drawing import draw_emotions
    from ..photos.emotions import table
    net = load_pretrained(options.net)
    kept = []
    for reading in read_photos(options, net):
        kept.append(reading._replace(rgb=None if reading.rgb is None else reading.rgb[:1, :1]))
        if not (options.json or options.csv):
            print(described(reading, net.class_names), flush=True)
        if options.save and reading.rgb is not None:
            path = new_path(options.save, reading.name, "emotions")
            draw_emotions(reading.rgb, reading.faces, net.class_names).save(path)
            print(f"saved {path}", file=sys.stderr)
    found = table(kept, net.class_names)
    if options.json:
        print(found.to_json(orient="records", indent=2, force_ascii=False))
    elif options.csv:
        found.to_csv(sys.stdout, index=False)
    return 0


def described(reading: Reading, class_names: tuple[str, ...]) -> str:
    """Return a description of a picture and its faces, one line per face."""
    if reading.rgb is None:
        return f"{reading.name}: unreadable: {reading.error}"
    if not reading.faces:
        return f"{reading.name}: no face found"
    lines = [f"{reading.name}: {len(reading.faces)} face{'s' * (len(reading.faces) > 1)}"]
    for number, face in enumerate(reading.faces, start=1):
        best = face.probabilities.argsort()[::-1][:SHOWN]
        shares = ", ".join(f"{class_names[label]} {100 * face.probabilities[label]:.0f} %"
                           for label in best)
        box = face.box
        lines.append(f"  {number}  {shares}{' (unsure)' * face.is_unsure}   "
                     f"at x {box.x:.0f}, y {box.y:.0f}, {box.w:.0f} x {box.h:.0f} pixels")
    return "\n".join(lines)
