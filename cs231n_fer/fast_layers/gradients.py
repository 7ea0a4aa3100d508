"""The gradients of all parameters as one flat array, with L2 regularization.

An update rule wants all gradients in one array. They are written to it in the pass that adds the
gradient of the regularization (defined by layers.l2_loss).
"""
from collections.abc import Iterable, Mapping
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..arrays.flat import Flat, check_fits
from ..kernels import gradients as kernels
from ..kernels import update
from ..kernels.parts import BLOCK
from ..kernels.vectors.jit import DISABLED
from ..shapes import real_numbers
from ..types import Arrays, Shape

__all__ = ["l2_gradients"]


def l2_gradients(params: Arrays, grads: Arrays, strengths: Mapping[str, float],
                 ) -> tuple[float, Flat]:
    """Add L2 regularization to the gradients of all parameters.

    params      dict of arrays of one dtype
    grads       dict of their gradients, by the same names; they are rounded to the dtype of params
    strengths   {name: strength of the regularization, at least 0}; 0 for names that are missing
    Returns the loss of the regularization, 0.5 * sum of strength * sum(w ** 2), as a float, and the
    gradients dw + strength * w as a Flat in the memory orders of params. Raises ValueError where
    names or shapes differ, and for arrays of anything but real numbers.
    """
    check_fits(grads, params)
    flat = Flat(params)
    compiled = flat.numbers.dtype in (np.float32, np.float64) and not DISABLED
    add = in_one_pass if compiled else one_by_one
    return add(params, grads, strengths, flat), flat


def one_by_one(params: Arrays, grads: Arrays, strengths: Mapping[str, float], flat: Flat) -> float:
    """Write the gradients to a Flat, array by array; return the loss of the regularization."""
    loss = 0.0
    for name, w in params.items():
        strength = float(strengths.get(name, 0))
        dw = real_numbers(grads[name], w.dtype, name)
        if strength:
            dw = dw + strength * w
            loss += 0.5 * strength * float(np.square(w, dtype=np.float64).sum())
        np.copyto(flat[name], dw, casting="same_kind")
    return loss


def in_one_pass(params: Arrays, grads: Arrays, strengths: Mapping[str, float], flat: Flat) -> float:
    """Do the same as one_by_one in one pass of a kernel."""
    dtype = flat.numbers.dtype
    dw = [update.as_it_lies(real_numbers(grads[name], dtype, name), view)
          for name, view in flat.items()]
    w = [update.as_it_lies(real_numbers(params[name], dtype, name), view)
         for name, view in flat.items()]
    blocks = blocks_of(tuple(view.size for view in w))
    in_order = np.array([strengths.get(name, 0) for name in flat], np.float64)
    squares = np.empty(len(blocks))
    total = kernels.gather(kernels.add_l2.address(dtype), addresses(dw), addresses(w), blocks,
                           flat.numbers, in_order, squares)
    return 0.5 * float(total)


def addresses(arrays: Iterable[NDArray[Any]]) -> NDArray[np.int64]:
    """Return the address of the first element of every array; the caller keeps them alive."""
    return np.array([array.__array_interface__["data"][0] for array in arrays], np.int64)


@cache
def blocks_of(sizes: Shape) -> NDArray[np.int64]:
    """Cut flat arrays of some sizes, which follow each other in memory, into blocks.

    A block is a row (which array, its begin in it, its size, its begin in all of them).
    """
    starts = np.cumsum((0, *sizes))
    rows = [(which, begin, min(BLOCK, size - begin), starts[which] + begin)
            for which, size in enumerate(sizes) for begin in range(0, size, BLOCK)]
    return np.array(rows, np.int64).reshape(-1, 4)
