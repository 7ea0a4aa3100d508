"""Arrays as callers have them: with gaps, reversed, misaligned, of another dtype or class."""
import numpy as np

GAP = 3


class Subclass(np.ndarray):
    """A subclass of NumPy's arrays."""


def with_gaps(array, axis):
    """Return the same numbers, GAP positions from each other along an axis."""
    shape = list(array.shape)
    shape[axis] *= GAP
    wide = np.full(shape, 99, array.dtype)
    index = (slice(None),) * (axis % array.ndim) + (slice(None, None, GAP),)
    wide[index] = array
    return wide[index]


def cut_out(array):
    """Return the same numbers as a corner of a larger array: dense rows, with gaps between them."""
    wide = np.full([length + GAP for length in array.shape], 99, array.dtype)
    corner = tuple(slice(0, length) for length in array.shape)
    wide[corner] = array
    return wide[corner]


def misaligned(array):
    """Return the same numbers, one byte behind an aligned address."""
    memory = np.zeros(array.nbytes + 1, np.uint8)
    view = memory[1:].view(array.dtype).reshape(array.shape)
    view[...] = array
    return view


def read_only(array):
    """Return the same numbers, write-protected."""
    copy = array.copy()
    copy.setflags(write=False)
    return copy


def as_type(dtype):
    """Return the function that rounds an array to a dtype."""
    return lambda array: (np.rint(array * 3) if np.dtype(dtype).kind in "iub"
                          else array).astype(dtype)


LAYOUTS = {
    "a gap in the first axis": lambda array: with_gaps(array, 0),
    "a gap in the last axis": lambda array: with_gaps(array, -1),
    "a gap in the axis before it": lambda array: with_gaps(array, max(array.ndim - 2, 0)),
    "a corner of a larger array": cut_out,
    "a reversed first axis": lambda array: array[::-1].copy()[::-1],
    "a reversed last axis": lambda array: array[..., ::-1].copy()[..., ::-1],
    "Fortran order": np.asfortranarray,
    "one row for all": lambda array: np.broadcast_to(array[:1], array.shape),
    "one column for all": lambda array: np.broadcast_to(array[..., :1], array.shape),
    "read-only": read_only,
    "misaligned": misaligned,
    "another byte order": lambda array: array.astype(array.dtype.newbyteorder()),
    "a subclass": lambda array: array.view(Subclass),
}
DTYPES = {name: as_type(name)
          for name in ("float64", "float32", "float16", "int64", "uint8", "int8", "bool")}
REFUSED = {
    "complex128": as_type(np.complex128),
    "longdouble": as_type(np.longdouble),
    "object": as_type(object),
    "text": as_type(str),
    "masked": lambda array: np.ma.MaskedArray(array, mask=array > 0),
}
CHANGED_SHAPES = {
    "an axis less": lambda array: array[0],
    "an axis more": lambda array: array[None],
    "another axis of length 1": lambda array: array[..., None],
    "one more": lambda array: np.concatenate([array, array[:1]]),
    "one less": lambda array: array[:-1],
    "one less at the end": lambda array: array[..., :-1],
    "one row": lambda array: array[:1],
    "one column": lambda array: array[..., :1],
    "nothing": lambda array: array[:0],
    "transposed": lambda array: array.T,
}


def plain(array, dtype=None):
    """Return an array as a fresh NumPy array in C order; None stays None."""
    return None if array is None else np.array(array, dtype=dtype, order="C", subok=False)


def common(arrays):
    """Return the widest floating dtype of arrays, at least float32, or float64 for integers alone.

    the widest floating one, at least float32. Integers alone give float64.
    """
    floats = [array.dtype for array in arrays if array.dtype.kind == "f"]
    return np.result_type(np.float32, *floats) if floats else np.dtype(np.float64)
