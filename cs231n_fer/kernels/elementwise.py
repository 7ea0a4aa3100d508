"""ReLU and its backward pass: one pass over flat arrays, in parallel blocks of BLOCK numbers."""
from numba import prange

from .parts import BLOCK
from .vectors.calls import FLOATS, INT, call, step
from .vectors.jit import jit


@step(FLOATS, FLOATS, INT, INT)
def relu_block(x, out, begin, end):
    """Write max(x, 0) to out for the numbers begin...end; NaN stays NaN."""
    x = x[begin:end]
    out = out[begin:end]
    zero = x.dtype.type(0)
    for i in range(len(x)):
        out[i] = zero if x[i] < zero else x[i]


@step(FLOATS, FLOATS, FLOATS, INT, INT)
def relu_back_block(dout, kept, dx, begin, end):
    """Write dout where kept > 0, else 0, to dx for the numbers begin...end."""
    dout = dout[begin:end]
    kept = kept[begin:end]
    dx = dx[begin:end]
    zero = dout.dtype.type(0)
    for i in range(len(dout)):
        dx[i] = dout[i] if kept[i] > zero else zero


@jit(parallel=True)
def relu(address, x, out):
    """Call relu_block, by its address, for every block."""
    for block in prange(-(-len(x) // BLOCK)):
        call(address, x, out, block * BLOCK, min((block + 1) * BLOCK, len(x)))


@jit(parallel=True)
def relu_back(address, dout, kept, dx):
    """Call relu_back_block, by its address, for every block."""
    for block in prange(-(-len(dout) // BLOCK)):
        call(address, dout, kept, dx, block * BLOCK, min((block + 1) * BLOCK, len(dout)))
