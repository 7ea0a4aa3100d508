"""Arrays by name that are views of one flat array.

Update rules work element by element, so their results don't depend on how the elements are divided
into arrays. One call of a rule on the flat array updates all parameters in one pass over memory.
"""
from collections.abc import Mapping
from operator import is_

import numpy as np

from ..shapes import is_real, plain_array
from ..types import Array, Arrays
from . import arena
from .copying import Packed, memory_order, packed, unpacked

__all__ = ["Flat", "check_fits", "empty_for", "flattened", "from_packed"]


class Flat(dict[str, Array]):
    """A dict of arrays that are consecutive views of the flat array `numbers`.

    like      dict of arrays of one dtype: the names, shapes and memory orders of the views
    numbers   flat array of their total size; None: a new one with arbitrary contents

    Writing on a view changes `numbers`. An array that replaces a view is not part of `numbers`:
    the Flat is then no longer whole. A copy has numbers of its own and holds the current arrays.
    """

    def __init__(self, like: Mapping[str, Array], numbers: Array | None = None) -> None:
        super().__init__()
        self.numbers = empty_for(like) if numbers is None else numbers
        begin = 0
        for name, array in like.items():
            shape, axes = memory_order(array.shape, array.strides)
            end = begin + array.size
            self[name] = self.numbers[begin:end].reshape(shape).transpose(axes)
            begin = end
        self.views = tuple(self.values())

    def __reduce__(self) -> tuple[object, tuple[Packed]]:
        """Pack the arrays: numbers and views copied one by one would no longer share memory."""
        return from_packed, (packed(self),)

    @property
    def finite(self) -> bool:
        """Whether all numbers are finite now: a view can be written on at any time."""
        return bool(np.isfinite(self.numbers).all())

    def is_whole(self) -> bool:
        """Return whether `numbers` holds all arrays."""
        return len(self) == len(self.views) and all(map(is_, self.values(), self.views))

    def holds(self, arrays: Mapping[str, Array]) -> bool:
        """Return whether a dict has exactly these views."""
        return len(self) == len(arrays) and all(
            arrays.get(name) is view for name, view in self.items())


def empty_for(arrays: Mapping[str, Array]) -> Array:
    """Return a flat array with room for all arrays of a dict, in their common dtype.

    Raises ValueError where they have several dtypes. Without arrays the dtype is float64.
    """
    dtypes = {array.dtype for array in arrays.values()}
    if len(dtypes) > 1:
        raise ValueError(f"params: have dtypes {sorted(map(str, dtypes))}, expected one; "
                         "use astype")
    dtype = dtypes.pop() if dtypes else np.dtype(np.float64)
    return arena.empty(sum(array.size for array in arrays.values()), dtype)


def flattened(arrays: Arrays, like: Arrays | None = None) -> Flat:
    """Return arrays as a Flat: themselves if they are one that is laid out as `like`, or copies.

    like   dict of arrays that gives the order of the names and the memory orders; None: `arrays`
    Raises ValueError where names or shapes differ.
    """
    like = arrays if like is None else like
    if isinstance(arrays, Flat) and arrays.is_whole() and list(arrays) == list(like) and all(
            mine.strides == other.strides
            for mine, other in zip(arrays.values(), like.values(), strict=True)):
        return arrays
    check_fits(arrays, like)
    copy = Flat(like)
    for name, view in copy.items():
        view[...] = arrays[name]
    return copy


def from_packed(arrays: Packed) -> Flat:
    """Return a Flat of arrays that packed took apart."""
    return flattened(unpacked(arrays))


def check_fits(grads: Mapping[str, Array], params: Mapping[str, Array]) -> None:
    """Raise ValueError unless two dicts have the same names, with arrays of the same shapes.

    Gradients must be real numbers: the mask of a masked array and imaginary parts would be lost.
    """
    if grads.keys() != params.keys():
        raise ValueError(f"grads: have the names {sorted(grads)}, expected {sorted(params)}")
    for name, w in params.items():
        dw = plain_array(grads[name], f"grads: {name}")
        if dw.shape != w.shape:
            raise ValueError(f"grads: {name} has shape {dw.shape}, "
                             f"expected {w.shape}, the shape of the parameter")
        if not is_real(dw.dtype) and dw.dtype != w.dtype:
            raise ValueError(f"grads: {name} has dtype {dw.dtype}, expected {w.dtype}, that of the "
                             "parameter")
