"""The gradients of all parameters as one flat array: L2 regularisation, and whether all numbers are finite.

An update rule wants them in one array; they get there in the pass that adds what regularisation gives, whose definition
is layers.l2_loss, and are checked on the way. Array by array, and with NumPy's check for finite numbers, it is 0.2 ms
more of a step of 12; a pass of its own for the check 0.15.
"""
from functools import cache

import numpy as np

from ..arrays.flat import Flat, check_fits
from ..kernels import gradients as kernels
from ..kernels import update
from ..kernels.update import BLOCK
from ..kernels.vectors.jit import DISABLED


def l2_gradients(params, grads, strengths):
    """Add L2 regularisation to the gradients of all parameters.

    params, grads   dicts of arrays by the same names; params of one dtype, which the gradients are rounded to
    strengths       {name: strength of regularisation, at least 0}; what has no name there has none
    Returns (0.5 * sum of strength * sum(w ** 2) as a float, dw + strength * w as a Flat); the Flat has the memory
    orders of params, and knows whether it is finite.
    Raises ValueError where names or shapes differ.
    """
    check_fits(grads, params)
    flat = Flat(params)
    compiled = flat.numbers.dtype in (np.float32, np.float64) and not DISABLED
    return (in_one_pass if compiled else one_by_one)(params, grads, strengths, flat), flat


def one_by_one(params, grads, strengths, flat):
    """Write the gradients to a Flat; returns what the loss gains."""
    loss = 0.0
    for name, w in params.items():
        strength = float(strengths.get(name, 0))
        np.copyto(flat[name], grads[name] + strength * w if strength else grads[name], casting="same_kind")
        loss += 0.5 * strength * float(np.square(w, dtype=np.float64).sum()) if strength else 0.0
    flat.finite = bool(np.isfinite(flat.numbers).all())
    return loss


def in_one_pass(params, grads, strengths, flat):
    """Do the same as one_by_one with the kernel."""
    dw = [update.as_it_lies(np.asarray(grads[name]), view) for name, view in flat.items()]
    w = [update.as_it_lies(np.asarray(params[name]), view) for name, view in flat.items()]
    blocks = blocks_of(tuple(view.size for view in w))
    strengths = np.array([strengths.get(name, 0) for name in flat], np.float64)
    squares, marks = np.empty((2, len(blocks)))
    total, mark = kernels.gather(kernels.add_l2.address(flat.numbers.dtype), addresses(dw), addresses(w), blocks,
                                 flat.numbers, strengths, squares, marks)
    flat.finite = bool(mark == 0)  # not if it is NaN
    return 0.5 * float(total)


def addresses(arrays):
    """Return where the numbers of each array begin in memory, which the caller must keep alive."""
    return np.array([array.__array_interface__["data"][0] for array in arrays], np.int64)


@cache
def blocks_of(sizes):
    """Cut arrays of some sizes into blocks: rows of which array, where in it, how many numbers, and where in all."""
    starts = np.cumsum((0, *sizes))
    rows = [(which, begin, min(BLOCK, size - begin), starts[which] + begin)
            for which, size in enumerate(sizes) for begin in range(0, size, BLOCK)]
    return np.array(rows, np.int64).reshape(-1, 4)
