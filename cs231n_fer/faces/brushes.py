"""Soft shapes on arrays of pixels: coverages from 0 to 1, bumps for shading, paint and blur.

Only + - * / sqrt, rounding and comparisons are used. IEEE 754 defines these to the last bit, so
that a picture depends neither on the machine nor on its neighbors in the batch.
"""
from typing import TypeAlias

import numpy as np

from ..types import Array

__all__ = ["between", "blob", "blur", "ellipse", "paint", "stroke", "unit"]

Number: TypeAlias = Array | float


def unit(x: Array) -> Array:
    """Return x clipped to 0..1, which turns a signed distance in pixels into coverage."""
    return np.clip(x, 0, 1)


def ellipse(x: Array, y: Array, rx: Number, ry: Number) -> Array:
    """Return the coverage of an ellipse around the origin; its edge is 1 pixel wide along rx."""
    return unit(0.5 + (1 - np.sqrt((x / rx) ** 2 + (y / ry) ** 2)) * rx)


def blob(x: Array, y: Array, rx: Number, ry: Number) -> Array:
    """Return a smooth bump for shading: 1 at the origin, 0 outside the ellipse."""
    bump: Array = np.maximum(1 - (x / rx) ** 2 - (y / ry) ** 2, 0)
    return bump ** 2


def stroke(distance: Array, half_width: Number, soft: float = 1.0) -> Array:
    """Return the coverage of a line from the distance to it; its edges are soft pixels wide."""
    return unit((half_width - np.abs(distance)) / soft + 0.5)


def between(y: Array, top: Number, bottom: Number, soft: float = 1.0) -> Array:
    """Return the coverage of top < y < bottom; its edges are soft pixels wide."""
    return unit(np.minimum(y - top, bottom - y) / soft + 0.5)


def paint(canvas: Array, cover: Array, tone: Number) -> None:
    """Lay tone over canvas where cover is 1, in place."""
    canvas += cover * (tone - canvas)


def blur(image: Array, amount: Array) -> None:
    """Smooth (n, 48, 48) in place by (amount, 1 - 2 amount, amount) along rows and columns.

    The pixels at the border are repeated beyond it.
    """
    for lines in (image, image.transpose(0, 2, 1)):
        flow = amount * (lines[:, 1:] - lines[:, :-1])
        lines[:, :-1] += flow
        lines[:, 1:] -= flow
