"""Arrays by name that are views of one flat array: what makes an update of all parameters one pass over the memory.

Update rules work number by number, so it makes no difference to a result how the numbers are divided into arrays; one
call of a rule is then enough for all parameters.
"""
from operator import is_

import numpy as np

from . import arena
from .copying import memory_order, packed, unpacked


class Flat(dict):
    """Arrays by name, views of the flat array `numbers`, one behind the other, each in its own memory order.

    like     dict of arrays of one dtype: their names, shapes and memory orders; contents are arbitrary at first
    finite   whether all numbers were finite when they were written; None: nobody has looked

    A view may be written on. An array that takes the place of a view is not in `numbers`: then it isn't whole any more.
    A copy has numbers of its own, with the arrays that are there now.
    """

    def __init__(self, like, numbers=None):
        self.numbers = empty_for(like) if numbers is None else numbers
        begin = 0
        for name, array in like.items():
            shape, axes = memory_order(array.shape, array.strides)
            self[name] = self.numbers[begin:begin + array.size].reshape(shape).transpose(axes)
            begin += array.size
        self.views, self.finite = tuple(self.values()), None

    def __reduce__(self):
        """Numbers and views that are copied one by one would not be the same memory any more."""
        return from_packed, (packed(self),)

    def is_whole(self):
        """Whether `numbers` holds all arrays."""
        return len(self) == len(self.views) and all(map(is_, self.values(), self.views))

    def holds(self, arrays):
        """Whether a dict has exactly these views."""
        return len(self) == len(arrays) and all(arrays.get(name) is view for name, view in self.items())


def empty_for(arrays):
    """Return a flat array of their dtype that has room for all arrays of a dict."""
    dtypes = {array.dtype for array in arrays.values()}
    if len(dtypes) > 1:
        raise ValueError(f"params: have dtypes {sorted(map(str, dtypes))}, expected one; use astype")
    return arena.empty(sum(array.size for array in arrays.values()), *dtypes or [np.float64])


def flattened(arrays, like=None):
    """Return the arrays as a Flat in the order and the memory orders of `like`: themselves if they are one, or copies.

    like   dict of arrays; None: they themselves. Raises ValueError where names or shapes differ.
    """
    like = arrays if like is None else like
    if isinstance(arrays, Flat) and arrays.is_whole() and list(arrays) == list(like) and all(
            mine.strides == other.strides for mine, other in zip(arrays.values(), like.values(), strict=True)):
        return arrays
    check_fits(arrays, like)
    flat = Flat(like)
    for name, view in flat.items():
        view[...] = arrays[name]
    return flat


def from_packed(arrays):
    """Return a Flat of what packed() gave."""
    return flattened(unpacked(arrays))


def check_fits(grads, params):
    """Raise ValueError unless two dicts have the same names, and the arrays of a name the same shape."""
    if grads.keys() != params.keys():
        raise ValueError(f"grads: have the names {sorted(grads)}, expected {sorted(params)}")
    for name, w in params.items():
        if np.shape(grads[name]) != w.shape:
            raise ValueError(f"grads: {name} has shape {np.shape(grads[name])}, expected {w.shape}, "
                             "the shape of the parameter")
