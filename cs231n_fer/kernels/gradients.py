"""One pass over all gradients: L2 regularization and gathering.

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


@step(Block, INT, FLOATS, DOUBLES, DOUBLES)
def add_l2(block, index, out, strengths, squares):
    """Write dw + strength * w of one block to out.

    squares[index] becomes strength * sum(w^2).
    """
    dw = floats_at(block.dw, block.begin, block.count, out)
    w = floats_at(block.w, block.begin, block.count, out)
    total = 0.0
    out = out[block.at:block.at + block.count]
    strength = out.dtype.type(strengths[block.which])
    count = block.count
    if strength == 0:
        for i in range(count):  # out[:] = dw would compile 2.3 s longer
            out[i] = dw[i]
    else:
        for i in range(count):
            out[i] = dw[i] + strength * w[i]
            total += np.float64(w[i]) * np.float64(w[i])
    squares[index] = strengths[block.which] * total


@jit(parallel=True, doubles=("strengths", "squares"))
def gather(address, gradients, weights, blocks, out, strengths, squares):
    """Call add_l2, by its address, for every row of blocks.

    blocks   (blocks, 4) of int64: which, begin, count and at of a Block
    Returns the sum of squares.
    """
    for index in prange(len(blocks)):
        which = blocks[index, 0]
        block = Block(dw=gradients[which], w=weights[which], which=which, begin=blocks[index, 1],
                      count=blocks[index, 2], at=blocks[index, 3])
        call(address, block, index, out, strengths, squares)
    total = 0.0
    for index in range(len(blocks)):
        total += squares[index]
    return total
