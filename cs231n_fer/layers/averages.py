"""Checks of running averages, which a training pass of batchnorm updates in place."""
import numpy as np

from ..shapes import check, plain_array
from ..types import Array

__all__ = ["check_apart", "check_average"]


def check_average(name: str, average: object, D: int, mode: str) -> None:
    """Raise ValueError unless a running average is a float array (D,), writable for training."""
    if not isinstance(average, np.ndarray):
        raise ValueError(f"bn_param: {name} is {type(average).__name__}, "
                         f"expected a float array ({D},), one number per feature")
    if type(average) is not np.ndarray:
        plain_array(average, f"bn_param: {name}")
    if average.shape != (D,) or average.dtype.kind != "f":
        raise ValueError(f"bn_param: {name} is {average.dtype} {average.shape}, "
                         f"expected a float array ({D},), one number per feature")
    if mode == "test":
        return
    if not average.flags.writeable:
        raise ValueError(f"bn_param: {name} is read-only, but training mode updates it in place; "
                         "give a copy")
    if average.itemsize < 4 or abs(average.strides[0]) < average.itemsize and D > 1:
        raise ValueError(f"bn_param: {name} is {average.dtype} with a stride of "
                         f"{average.strides[0]} bytes, but training mode updates it in place; give "
                         "float32 or float64, as float16 ends at 65504, and an array of its own")


def check_apart(mean: Array, var: Array, x: Array, gamma: Array, beta: Array) -> None:
    """Raise ValueError if a running average shares memory with the other one or an argument.

    Every training step calls this, so the owners of the memory are compared first: 0.2 us.
    """
    m = owner(mean)
    v = owner(var)
    o = owner(x)
    g = owner(gamma)
    b = owner(beta)
    if not (m is v or m is o or m is g or m is b or v is o or v is g or v is b):
        return
    pairs = [(mean, var), *((average, other) for average in (mean, var)
                            for other in (x, gamma, beta))]
    check(not any(np.shares_memory(*pair) for pair in pairs),
          "bn_param: running_mean or running_var shares memory with the other one or with an "
          "argument, but training mode updates both in place; give copies")


def owner(array: Array) -> object:
    """Return the object that owns the memory of an array."""
    return array if array.base is None else array.base
