"""Passes over the gradients of all parameters: gathered in a flat array with L2 regularisation, and are they finite.

The arrays lie anywhere in memory, and a tuple of them would be compiled again for each number of arrays: kernels are
handed their addresses. Blocks of BLOCK numbers at most are worked on in parallel; they don't depend on the threads.
"""
import numpy as np
from numba import prange

from .jit import jit
from .steps import DOUBLES, FLOATS, INT, call, floats_at, step
from .update import ARGUMENTS, BLOCK


@step(INT, INT, INT, INT, FLOATS, INT, DOUBLES, DOUBLES, INT)
def add_l2(dw_address, w_address, begin, count, out, at, strengths, squares, block):
    """out = dw + strength w for `count` numbers from `begin` on, which go to `at`; squares = strength sum(w^2)."""
    dw = floats_at(dw_address, begin, count, out)
    w = floats_at(w_address, begin, count, out)
    total = 0.0
    out, strength = out[at:at + count], out.dtype.type(strengths[block])
    if strength == 0:
        for i in range(count):  # out[:] = dw takes 2.3 s more to compile
            out[i] = dw[i]
    else:
        for i in range(count):
            out[i] = dw[i] + strength * w[i]
            total += np.float64(w[i]) * np.float64(w[i])
    squares[block] = strengths[block] * total


@step(*ARGUMENTS)
def mark(numbers, _, __, ___, ____, _____, ______, marks, begin, end):
    """marks[block] = NaN if one of the numbers begin...end is infinite or NaN, which times 0 is NaN; else 0.

    The arguments are those of the steps in update.py, whose driver it shares: one more would take 2 s to compile.
    """
    total = numbers.dtype.type(0)
    for i in range(begin, end):
        total += numbers[i] * numbers.dtype.type(0)
    marks[begin // BLOCK] = total


@jit(parallel=True)
def gather(address, gradients, weights, blocks, out, strengths, squares):
    """Call the step for every block (which array, where it begins in it, how many numbers, where they go)."""
    for block in prange(len(blocks)):
        which = blocks[block, 0]
        call(address, gradients[which], weights[which], blocks[block, 1], blocks[block, 2], out, blocks[block, 3],
             strengths, squares, block)
