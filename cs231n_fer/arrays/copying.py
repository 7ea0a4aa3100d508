"""Copies: an object that gives the same answers and shares nothing that either may write on.

copy.copy, copy.deepcopy and pickling into another process all give such copies. Addresses of
compiled code and the workspace of a prepared pass are never copied: a copy makes its own when it
needs them.
"""
from collections.abc import Mapping
from copy import deepcopy
from functools import lru_cache
from typing import Any, TypeAlias, TypeVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..types import Shape

__all__ = ["Independent", "Packed", "memory_order", "packed", "unpacked"]

Self = TypeVar("Self")
Packed: TypeAlias = dict[str, tuple[NDArray[Any], Shape]]  # C-contiguous arrays and axes, by name


class Independent:
    """Base class of objects whose parts are changed in place: copy.copy gives a deep copy."""

    def __copy__(self: Self) -> Self:
        """Return a copy that shares no array with the original."""
        return deepcopy(self)


@lru_cache(2 ** 12)
def memory_order(shape: Shape, strides: Shape) -> tuple[Shape, Shape]:
    """Return the shape of an array as it is stored, and the axes that transpose it back.

    shape, strides   of the array; with the results `stored`, `axes` the array is equal to
                     numbers.reshape(stored).transpose(axes)
    """
    axes = sorted(range(len(shape)), key=lambda axis: -strides[axis])
    stored = tuple(shape[axis] for axis in axes)
    return stored, tuple(axes.index(axis) for axis in range(len(shape)))


def packed(arrays: Mapping[str, ArrayLike]) -> Packed:
    """Return {name: (array, axes)} with every array C-contiguous in its memory order.

    A pickled array comes back in C order, whatever order it had, and sums over it would then be
    rounded differently; see unpacked.
    """
    found = {}
    for name, value in arrays.items():
        array = np.asarray(value)
        _, axes = memory_order(array.shape, array.strides)
        found[name] = (np.asarray(array.transpose(np.argsort(axes)), order="C"), axes)
    return found


def unpacked(arrays: Packed) -> dict[str, NDArray[Any]]:
    """Return the arrays that packed took apart, in the memory orders that they had."""
    return {name: array.transpose(axes) for name, (array, axes) in arrays.items()}
