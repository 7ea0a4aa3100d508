"""Memory layouts: the ways in which the elements of an array can be stored.

A layer must return the same results for every layout of its inputs. The functions of LAYOUTS return
copies.
"""
from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ..types import Array

__all__ = ["LAYOUTS"]


def channels_last(array: Array) -> Array:
    """Return a copy with axis 1 last in memory: (N, H, W, C) for images (N, C, H, W)."""
    order = (0, *range(2, array.ndim), 1)[:array.ndim]
    return np.array(array.transpose(order), order="C").transpose(np.argsort(order).astype(int))


def strided(array: Array) -> Array:
    """Return a copy that is every second element, along every axis, of a larger array."""
    larger = np.zeros([2 * n for n in array.shape], array.dtype)
    every_second: Any = (..., *[slice(None, None, 2)] * array.ndim)
    view: Array = larger[every_second]
    view[...] = array
    return view


LAYOUTS: dict[str, Callable[[Array], Array]] = {
    "C": lambda array: np.array(array, order="C"),
    "Fortran": lambda array: np.array(array, order="F"),
    "channels-last": channels_last,
    "strided": strided,
}
