"""What the page is told, as dicts for JSON.

Every number comes from the functions behind the command line, so that the answers are the same.
"""
from __future__ import annotations

import base64
import io
from typing import Any

import numpy as np

from ..classifiers.pretrained import PretrainedNet
from ..data_utils.pictures import read_rgb
from ..faces.synthetic import ACTION_UNITS, CLASS_NAMES, action_units_of, make_faces
from ..photos.drawing import COLORS
from ..photos.emotions import Face, readings
from ..photos.faces import INSTALL, find_faces
from ..photos.saliency import COPIES, INFERNO, STRENGTHS, face_maps, stretched
from ..shapes import check
from ..types import Array, Pixels

__all__ = ["LIVE_COPIES", "about", "can_search", "face", "gallery", "photo"]

SEED = 0              # the population of the synthetic faces
# Two faces of each emotion: those of the first 600 whose emotion the packaged net is surest of.
GALLERY = (397, 181, 123, 224, 426, 162, 346, 485, 458, 31, 84, 240, 274, 53)
LIVE_COPIES = 4       # noisy copies of a face in its map where the next picture comes at once


def about(net: PretrainedNet) -> dict[str, Any]:
    """Return what the page needs to know before it shows anything."""
    return {"class_names": list(net.class_names), "action_units": list(ACTION_UNITS),
            "expressions": list(CLASS_NAMES), "can_search": can_search(), "install": INSTALL,
            "box_colors": COLORS, "map_strengths": STRENGTHS, "map_colors": INFERNO,
            "gallery": gallery(net)}


def can_search() -> bool:
    """Return whether there is a detector that finds faces."""
    try:
        find_faces(np.zeros((8, 8), np.uint8))
    except ImportError:
        return False
    return True


def gallery(net: PretrainedNet) -> list[dict[str, Any]]:
    """Return index, drawn expression, predicted emotion and pixels of the faces to choose from."""
    faces = make_faces(SEED, GALLERY)
    predicted = net.predict(faces.pixels).argmax(axis=1)
    return [{"index": index, "expression": CLASS_NAMES[faces.emotion[n]],
             "emotion": net.class_names[predicted[n]], "pixels": levels(faces.pixels[n])}
            for n, index in enumerate(GALLERY)]


def photo(net: PretrainedNet, content: bytes, *, whole_picture: bool = False, live: bool = False
          ) -> dict[str, Any]:
    """Return size and faces of the picture in a file, the largest face first.

    content          the bytes of the file
    whole_picture    the face fills the picture; nothing is searched
    live             fewer noisy copies in the saliency maps, for pictures of a camera
    Raises ValueError for whatever is no picture, ImportError if faces are to be searched for and
    no detector is installed.
    """
    return read(net, read_rgb(io.BytesIO(content)), whole_picture, LIVE_COPIES if live else COPIES)


def face(net: PretrainedNet, index: int, units: list[float] | None = None,
         expression: str | None = None) -> dict[str, Any]:
    """Return a synthetic face, its action units and what the net makes of it.

    index         its number, which says whose face it is
    units         15 intensities of the action units, 0 to 1; None: see expression
    expression    name of the emotion that the person shows; None: the person's own
    Raises ValueError for others.
    """
    check(expression is None or expression in CLASS_NAMES,
          f"expression: got {expression!r}, expected one of {', '.join(CLASS_NAMES)}, or none")
    label = None if expression is None else CLASS_NAMES.index(expression)
    shown = action_units_of(SEED, [index], label) if units is None else np.array([units])
    pixels = make_faces(SEED, [index], shown).pixels[0]
    found = read(net, pixels, whole_picture=True, copies=LIVE_COPIES)
    return {**found, "index": index, "pixels": levels(pixels), "units": shown[0].tolist()}


def read(net: PretrainedNet, picture: Pixels, whole_picture: bool, copies: int) -> dict[str, Any]:
    """Return size and faces of a picture (H, W) or (H, W, 3)."""
    (reading,) = readings(picture, net=net, whole_picture=whole_picture)
    maps = face_maps(reading.faces, net, copies) if reading.faces else ()
    faces = [described(found, values, net.class_names)
             for found, values in zip(reading.faces, maps, strict=True)]
    return {"width": picture.shape[1], "height": picture.shape[0], "faces": faces}


def described(found: Face, values: Array, class_names: tuple[str, ...]) -> dict[str, Any]:
    """Return a face, its probabilities, and its map as levels from 0 to 255."""
    strength = np.rint(255 * stretched(values).clip(0, 1)).astype(np.uint8)
    return {"box": list(found.box), "square": list(found.square),
            "emotion": class_names[found.probabilities.argmax()], "unsure": found.is_unsure,
            "probabilities": found.probabilities.tolist(), "saliency": levels(strength)}


def levels(pixels: Pixels) -> dict[str, Any]:
    """Return levels (H, W), uint8, as their size and their bytes in base 64."""
    return {"width": pixels.shape[1], "height": pixels.shape[0],
            "bytes": base64.b64encode(pixels.tobytes()).decode()}
