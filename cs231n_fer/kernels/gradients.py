"""One pass over the gradients of all parameters: gathered in a flat array with L2 regularisation, and are they finite.

The arrays lie anywhere in memory, and a tuple of them would be compiled again for each number of arrays: kernels are
handed their addresses. Blocks are worked on in parallel; they don't depend on the threads.
"""
import numpy as np
from numba import prange

from .vectors.calls import DOUBLES, FLOATS, INT, call, floats_at, step
from .vectors.jit import jit


@step(INT, INT, INT, INT, FLOATS, INT, DOUBLES, INT, DOUBLES, DOUBLES, INT)
def add_l2(dw_address, w_address, begin, count, out, at, strengths, which, squares, marks, block):
    """out = dw + strength w for `count` numbers from `begin` on, which go to `at`; squares = strength sum(w^2).

    marks = NaN if one of them is infinite or NaN, which times 0 is NaN; else 0.
    """
    dw = floats_at(dw_address, begin, count, out)
    w = floats_at(w_address, begin, count, out)
    total, mark, zero = 0.0, out.dtype.type(0), out.dtype.type(0)
    out, strength = out[at:at + count], out.dtype.type(strengths[which])
    if strength == 0:
        for i in range(count):  # out[:] = dw takes 2.3 s more to compile
            out[i] = dw[i]
            mark += dw[i] * zero
    else:
        for i in range(count):
            out[i] = dw[i] + strength * w[i]
            mark += out[i] * zero
            total += np.float64(w[i]) * np.float64(w[i])
    squares[block], marks[block] = strengths[which] * total, mark


@jit(parallel=True, doubles=("strengths", "squares", "marks"))
def gather(address, gradients, weights, blocks, out, strengths, squares, marks):
    """Call the step for every block (which array, where it begins in it, how many numbers, where they go).

    Returns the sum of squares, and that of marks.
    """
    for block in prange(len(blocks)):
        which = blocks[block, 0]
        call(address, gradients[which], weights[which], blocks[block, 1], blocks[block, 2], out, blocks[block, 3],
             strengths, which, squares, marks, block)
    total, mark = 0.0, 0.0
    for block in range(len(blocks)):
        total += squares[block]
        mark += marks[block]
    return total, mark
