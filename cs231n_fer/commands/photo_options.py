"""The options that commands on photos share."""
from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from .parsing import box

if TYPE_CHECKING:
    from ..classifiers.pretrained import PretrainedNet
    from ..photos.emotions import Reading

__all__ = ["add_photo_options", "new_path", "read_photos"]


def add_photo_options(parser: argparse.ArgumentParser) -> None:
    """Add the options for the photos, for where the faces are, and for the net."""
    add = parser.add_argument
    add("photo", nargs="+", help="picture, folder of pictures, or pattern such as 'photos/*.jpg'")
    where = parser.add_mutually_exclusive_group()
    where.add_argument("--box", type=box, metavar="X,Y,W,H",
                       help="box of the face in every photo, in pixels; no faces are searched for")
    where.add_argument("--whole-picture", action="store_true",
                       help="the face fills the photo; its center square is used")
    add("--net", metavar="CHECKPOINT", help="checkpoint of a net (default: the packaged net)")


def read_photos(options: argparse.Namespace, net: PretrainedNet) -> Iterator[Reading]:
    """Yield a Reading of each photo that the options name.

    Raises FileNotFoundError or ValueError if the only photo is missing or cannot be read.
    """
    from ..photos.emotions import readings
    is_alone = len(options.photo) == 1
    source = options.photo[0] if is_alone else options.photo
    for reading in readings(source, net=net, box=options.box, whole_picture=options.whole_picture):
        if reading.rgb is None and is_alone and Path(source).is_file():
            raise ValueError(f"{source}: {reading.error}")
        yield reading


def new_path(folder: str, name: str, ending: str) -> Path:
    """Return an unused path for a picture made from a photo.

    folder    created if missing
    name      of the photo, or "frame 0"
    """
    parent = Path(folder)
    parent.mkdir(parents=True, exist_ok=True)
    stem = f"{Path(name).stem}_{ending}"
    path = parent / f"{stem}.png"
    number = 2
    while path.exists():
        path = parent / f"{stem}_{number}.png"
        number += 1
    return path
