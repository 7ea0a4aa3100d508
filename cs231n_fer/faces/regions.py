"""Where a synthetic face shows its emotion: a ground truth to hold saliency maps against.

The masks of brows, eyes, mouth and face come with every face (synthetic.Faces), from the curves
that the face is drawn by: they follow the head as it shifts, turns and nods. Around them are the
skin that a raised brow leaves bare and the folds that it pushes up, so a region is a mask grown by
a pixel or two. Where an expression changes the picture is known exactly: the same person is drawn
again, at rest.
"""
import math

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..shapes import check, plain_array, real_numbers
from .synthetic import ACTION_UNITS, make_faces

__all__ = ["expression_change", "grow", "strongest"]


def grow(masks: ArrayLike, radius: float) -> NDArray[np.bool_]:
    """Return masks (..., H, W) bool grown by all pixels at most `radius` from a pixel inside.

    masks     (..., H, W) bool
    radius    distance between the centers of two pixels, in pixels, 0 or more
    """
    inside = plain_array(masks, "masks")
    check(inside.ndim >= 2 and inside.dtype == bool,
          f"masks: got {inside.dtype} {inside.shape}, expected bool (..., H, W)")
    check(0 <= radius < math.inf, f"radius: got {radius}, expected 0 or more pixels")
    reach = int(radius)
    height, width = inside.shape[-2:]
    padded = np.pad(inside, [(0, 0)] * (inside.ndim - 2) + [(reach, reach)] * 2)
    grown = np.zeros(inside.shape, bool)
    for dy, dx in np.ndindex(2 * reach + 1, 2 * reach + 1):
        if (dy - reach) ** 2 + (dx - reach) ** 2 <= radius ** 2:
            grown |= padded[..., dy:dy + height, dx:dx + width]
    return grown


def expression_change(seed: int, indices: ArrayLike) -> NDArray[np.float32]:
    """Return by how much each pixel differs from the same face at rest, which moves no muscle.

    seed, indices    as for make_faces; person, pose, lamp, camera and noise are the same in both

    Returns (n, 48, 48) float32 >= 0, in gray levels.
    """
    shown = make_faces(seed, indices)
    rest = make_faces(seed, indices, np.zeros((len(shown.pixels), len(ACTION_UNITS)), np.float32))
    change: NDArray[np.float32] = np.abs(shown.pixels.astype(np.float32) - rest.pixels)
    return change


def strongest(maps: ArrayLike, share: float) -> NDArray[np.bool_]:
    """Return a mask of the fewest pixels that hold a share of the sum of each map.

    maps     (n, H, W) >= 0
    share    fraction of the sum, from 0 to 1

    Returns (n, H, W) bool. Among equal pixels the first in reading order is taken; nothing is taken
    of a map that is 0 everywhere.
    """
    values = real_numbers(maps, np.float64, "maps")
    check(values.ndim == 3, f"maps: got shape {values.shape}, expected (n, H, W)")
    check(0 <= share <= 1, f"share: got {share}, expected 0 to 1")
    flat = values.reshape(len(values), -1)
    order = np.argsort(-flat, axis=1, kind="stable")
    descending = np.take_along_axis(flat, order, axis=1)
    before = np.cumsum(descending, axis=1) - descending
    chosen = np.empty(flat.shape, bool)
    np.put_along_axis(chosen, order, before < share * flat.sum(axis=1, keepdims=True), axis=1)
    return chosen.reshape(values.shape)
