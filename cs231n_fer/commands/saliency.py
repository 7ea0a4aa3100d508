"""`cs231n-fer saliency`: which parts of a photo the net reacts to."""
from __future__ import annotations

import argparse

from .parsing import Subparsers, command
from .photo_options import add_photo_options, new_path, read_photos

__all__ = ["add"]


def add(commands: Subparsers, name: str) -> None:
    """Add the subparser."""
    parser = command(commands, name, run,
                     "draw saliency maps of the predicted emotions over the faces in photos",
                     "cs231n-fer saliency photo.jpg --save maps")
    add_photo_options(parser)
    parser.add_argument("--save", metavar="DIR", default=".",
                        help="folder for the drawn copies (default: the working directory)")


def run(options: argparse.Namespace) -> int:
    """Draw a copy of every photo with a face; raises ValueError if there is none."""
    from ..classifiers.pretrained import load_pretrained
    from ..photos.saliency import draw_saliency, face_maps
    net = load_pretrained(options.net)
    drawn = 0
    for reading in read_photos(options, net):
        if reading.rgb is None:
            print(f"{reading.name}: unreadable: {reading.error}")
        elif not reading.faces:
            print(f"{reading.name}: no face found")
        else:
            path = new_path(options.save, reading.name, "saliency")
            maps = face_maps(reading.faces, net)
            draw_saliency(reading.rgb, reading.faces, maps, net.class_names).save(path)
            print(f"{reading.name}: saved {path}", flush=True)
            drawn += 1
    if not drawn:
        raise ValueError("no face found in any photo, so nothing was drawn; give the box of the "
                         "face with --box x,y,w,h, or use --whole-picture if it fills the photo")
    return 0
