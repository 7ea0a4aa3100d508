"""The pictures in a file, a folder or a video, or that match a pattern, one at a time."""
from __future__ import annotations

import glob
import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import ArrayLike
from PIL import Image

from ..data_utils.fer2013 import readable
from ..data_utils.pictures import read_rgb, rgb_pixels
from ..data_utils.pixels import rgb_of
from ..shapes import check
from ..types import Pixels

__all__ = ["Picture", "Source", "is_picture", "pictures_in"]

SUFFIXES = (".png", ".jpg", ".jpeg", ".jpe", ".webp", ".bmp", ".gif", ".tif", ".tiff")

# A path, a pattern, an array, or an iterable of them.
Source: TypeAlias = "str | os.PathLike[str] | ArrayLike | Iterable[Any]"


class Picture(NamedTuple):
    """A picture, or why it could not be read."""

    name: str              # its path, or "frame 0"
    rgb: Pixels | None     # (H, W, 3)
    error: str = ""        # empty if there is a picture


def is_picture(path: Path) -> bool:
    """Return whether a path is a file with the suffix of a picture."""
    return path.suffix.lower() in SUFFIXES and path.is_file()


def pictures_in(source: Source) -> Iterator[Picture]:
    """Yield the pictures of a source; each is read when it is asked for.

    source    path of a picture; of a folder, whose pictures are taken in the order of their names;
              a pattern such as "photos/*.jpg", where ** stands for folders; an array of one
              picture; or an iterable of arrays (the frames of a video) and of any of these
    What cannot be read gives a Picture with an error. Raises FileNotFoundError if the only path
    does not exist, ValueError for a folder or an iterable without pictures.
    """
    if isinstance(source, str | os.PathLike):
        yield from _pictures_at(os.fspath(source))
    elif _is_one_picture(source):
        yield Picture("frame 0", pixels_of(source))
    elif isinstance(source, Iterable):
        yield from _frames(source)
    else:
        raise ValueError(f"source: got {type(source).__name__}, expected a path, a folder, a "
                         "pattern such as 'photos/*.jpg', a picture as an array, or an iterable "
                         "of pictures")


def _pictures_at(name: str) -> Iterator[Picture]:
    """Yield the pictures of a path or a pattern."""
    check(name != "", "source: got '', expected the path of a picture or of a folder")
    path = Path(name).expanduser()
    if path.is_dir():
        paths = sorted(file for file in path.iterdir() if is_picture(file))
        if not paths:
            raise ValueError(f"source: the folder {name} holds no pictures; to search the folders "
                             f"in it as well, give a pattern: '{name}/**/*.jpg'")
    elif path.exists():
        paths = [path]
    else:
        found = sorted(glob.glob(str(path), recursive=True))
        paths = [Path(file) for file in found if Path(file).is_file()]
        if not paths:
            raise FileNotFoundError(f"source: there is no {name}")
    for file in paths:
        yield _read(file)


def _item(name: str) -> Iterator[Picture]:
    """Yield the pictures of one path or pattern of several; an error does not end the iteration."""
    try:
        yield from _pictures_at(name)
    except (OSError, ValueError) as error:
        yield Picture(name, None, str(error))


def _read(path: Path) -> Picture:
    """Return the picture in a file."""
    try:
        return Picture(str(path), read_rgb(path))
    except (OSError, ValueError) as error:
        return Picture(str(path), None, str(error).removeprefix(f"{readable(path)}: "))


def pixels_of(image: Any) -> Pixels:
    """Return RGB, uint8 (H, W, 3), of an array or of an image of Pillow; raises ValueError."""
    return rgb_pixels(image) if isinstance(image, Image.Image) else rgb_of(image)


def _frame(number: int, image: Any) -> Picture:
    """Return a frame of a video."""
    name = f"frame {number}"
    try:
        return Picture(name, pixels_of(image))
    except ValueError as error:
        return Picture(name, None, str(error))


def _frames(items: Iterable[Any]) -> Iterator[Picture]:
    """Yield the pictures of an iterable of arrays and of paths."""
    number = -1
    for number, item in enumerate(items):
        if isinstance(item, str | os.PathLike):
            yield from _item(os.fspath(item))
        else:
            yield _frame(number, item)
    if number < 0:
        raise ValueError("source: got no pictures, expected at least one")


def _is_one_picture(source: object) -> bool:
    """Return whether something is one picture, not a stack, a list or another iterable of them."""
    if isinstance(source, Image.Image):
        return True
    if isinstance(source, list | tuple) or not hasattr(source, "__array__"):
        return False
    shape = np.asarray(source).shape
    return len(shape) < 3 or len(shape) == 3 and shape[2] in (1, 3, 4)
