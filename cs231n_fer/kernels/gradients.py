"""One pass over the gradients of all parameters: gathered in a flat array with L2 regularisation, and are they finite.

The arrays lie anywhere in memory, and a tuple of them would be compiled again for each number of arrays: kernels are
handed their addresses. Blocks are worked on in parallel; they don't depend on the threads.
"""
from typing import NamedTuple

import numpy as np
from numba import prange

from .vectors.calls import DOUBLES, FLOATS, INT, call, floats_at, step
from .vectors.jit import jit


class Block(NamedTuple):
    """Some numbers of one array, which are worked on together."""
    dw: INT     # address of the array's gradient,
    w: INT      # and its own
    which: INT  # number of the array
    begin: INT  # where the block begins in it,
    count: INT  # how many numbers it has,
    at: INT     # and where they go


@step(Block, INT, FLOATS, DOUBLES, DOUBLES, DOUBLES)
def add_l2(block, index, out, strengths, squares, marks):
    """out = dw + strength w for one block, which has an index; squares[index] = strength sum(w^2).

    marks[index] = NaN if one of them is infinite or NaN, which times 0 is NaN; else 0.
    """
    dw = floats_at(block.dw, block.begin, block.count, out)
    w = floats_at(block.w, block.begin, block.count, out)
    total, mark, zero = 0.0, out.dtype.type(0), out.dtype.type(0)
    out = out[block.at:block.at + block.count]
    strength = out.dtype.type(strengths[block.which])
    count = block.count
    if strength == 0:
        for i in range(count):  # out[:] = dw takes 2.3 s more to compile
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
    """Call the step for every row of blocks: which array, begin, count and at of a Block.

    Returns the sum of squares, and that of marks.
    """
    for index in prange(len(blocks)):
        which = blocks[index, 0]
        block = Block(dw=gradients[which], w=weights[which], which=which, begin=blocks[index, 1],
                      count=blocks[index, 2], at=blocks[index, 3])
        call(address, block, index, out, strengths, squares, marks)
    total, mark = 0.0, 0.0
    for index in range(len(blocks)):
        total += squares[index]
        mark += marks[index]
    return total, mark
