"""One pass over all gradients: L2 regularization, gathering, and a check that they are finite.

The arrays lie anywhere in memory. A tuple of them would be compiled again for every number of
arrays, so kernels take their addresses. Blocks are processed in parallel and don't depend on the
number of threads.
"""
from typing import NamedTuple

import numpy as np
from numba import prange

from .vectors.calls import DOUBLES, FLOATS, INT, call, floats_at, step
from .vectors.jit import jit


class Block(NamedTuple):
    """A range of one parameter array that is processed in one call."""
    dw: INT     # address of the gradient
    w: INT      # address of the array
    which: INT  # index of the array
    begin: INT  # where the block begins in the array
    count: INT  # length of the block
    at: INT     # where the block begins in the output


@step(Block, INT, FLOATS, DOUBLES, DOUBLES, DOUBLES)
def add_l2(block, index, out, strengths, squares, marks):
    """Write dw + strength * w of one block to out.

    squares[index] becomes strength * sum(w^2), and marks[index] NaN if any result is infinite or
    NaN (which times 0 is NaN), else 0.
    """
    dw = floats_at(block.dw, block.begin, block.count, out)
    w = floats_at(block.w, block.begin, block.count, out)
    total = 0.0
    mark = out.dtype.type(0)
    zero = out.dtype.type(0)
    out = out[block.at:block.at + block.count]
    strength = out.dtype.type(strengths[block.which])
    count = block.count
    if strength == 0:
        for i in range(count):  # out[:] = dw would compile 2.3 s longer
            out[i] = dw[i]
            mark += dw[i] * zero
    else:
        for i in range(count):
            out[i] = dw[i] + strength * w[i]
            mark += out[i] * zero
            total += np.float64(w[i]) * np.float64(w[i])
    squares[index] = strengths[block.which] * total
    marks[index] = mark


@jit(parallel=True, doubles=("strengths", "squares", "marks"))
def gather(address, gradients, weights, blocks, out, strengths, squares, marks):
    """Call add_l2, by its address, for every row of blocks.

    blocks   (blocks, 4) of int64: which, begin, count and at of a Block
    Returns the sum of squares and the sum of marks.
    """
    for index in prange(len(blocks)):
        which = blocks[index, 0]
        block = Block(dw=gradients[which], w=weights[which], which=which, begin=blocks[index, 1],
                      count=blocks[index, 2], at=blocks[index, 3])
        call(address, block, index, out, strengths, squares, marks)
    total = 0.0
    mark = 0.0
    for index in range(len(blocks)):
        total += squares[index]
        mark += marks[index]
    return total, mark
