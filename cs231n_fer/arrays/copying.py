"""What a copy is: an object that gives the same answers, and shares nothing that either of the two may write on.

copy.copy and copy.deepcopy give that, and so does pickling into another process. Addresses of compiled code and memory
that is laid out for a pass are never copied: a copy finds them again when it needs them.
"""
from copy import deepcopy
from functools import lru_cache

import numpy as np


class Independent:
    """An object whose parts are changed in place: copy.copy copies them as well, as copy.deepcopy does."""

    def __copy__(self):
        """Return a copy that shares no array."""
        return deepcopy(self)


@lru_cache(2 ** 12)
def memory_order(shape, strides):
    """Return the shape of an array as it lies in memory, and the order of those axes that makes it the array again."""
    axes = sorted(range(len(shape)), key=lambda axis: -strides[axis])
    return tuple(shape[axis] for axis in axes), tuple(axes.index(axis) for axis in range(len(shape)))


def packed(arrays):
    """Return {name: (array, axes)} of a dict of arrays: each C-contiguous as it lies in memory, see unpacked.

    A pickled array comes back in C order, whatever order it had: sums over it would get other last bits.
    """
    found = {}
    for name, value in arrays.items():
        array = np.asarray(value)
        _, axes = memory_order(array.shape, array.strides)
        found[name] = np.asarray(array.transpose(np.argsort(axes)), order="C"), axes
    return found


def unpacked(arrays):
    """Return the dict of arrays that packed() took apart, in their memory orders."""
    return {name: array.transpose(axes) for name, (array, axes) in arrays.items()}
