"""The compiled rung of max-pool and average pool: any window and stride, the contract of
layers/pool.py.

Windows of more than 256 numbers, whose position a byte can't hold, are left to NumPy.
"""
from typing import NamedTuple

import numpy as np

from ..arrays import arena
from ..arrays.seam import contiguous
from ..kernels import pool as kernels
from ..kernels.vectors.calls import flat
from ..kernels.vectors.machine import VECTOR_BYTES, lanes_of
from ..layers import (
    avg_pool_backward_im2col,
    avg_pool_forward_im2col,
    max_pool_backward_im2col,
    max_pool_forward_im2col,
)
from ..layers.pool import pool_geometry
from ..shapes import check, common_floats, gradient_like


class PoolCache(NamedTuple):
    """What both backward passes need."""
    shape: tuple         # (N, H, W, C) of x
    out_shape: tuple     # (N, C, Ho, Wo)
    dtype: np.dtype
    argmax: np.ndarray | None  # of a max-pool
    numbers: np.ndarray  # flat(Windows)

    def __reduce__(self):
        """A copy is of use where vectors have as many lanes."""
        return moved, (VECTOR_BYTES, PoolCache, *self)


def moved(vector_bytes, make, *arguments):
    """Return make(*arguments): what a copy of a cache of a forward pass becomes in its process.

    Raises ValueError where vectors have another size than they had in the process of that forward
    pass.
    """
    check(vector_bytes == VECTOR_BYTES,
          f"cache: is of a forward pass with vectors of {vector_bytes} bytes, here they have "
          f"{VECTOR_BYTES}; run the "
          "forward pass in this process, or set CS231N_FER_SIMD to what it was there")
    return make(*arguments)


def pool_forward(step, below, x, pool_param, has_argmax):
    """Run a forward step over all images, or the rung below where the kernels can't; returns (out,
    cache)."""
    (x,) = common_floats("pool", x=x)
    HH, WW, stride, Ho, Wo = pool_geometry(x, pool_param)
    if not x.size or HH * WW > 256:
        return below(x, pool_param)
    x = contiguous(x, (0, 2, 3, 1))
    windows = kernels.windows_of(x.shape, HH, WW, stride, Ho, Wo, lanes_of(x.dtype))
    out = arena.empty((len(x), Ho, Wo, x.shape[3]), x.dtype)
    argmax = arena.empty(len(x) * Ho * Wo * windows.Cp, np.uint8) if has_argmax else None
    numbers = flat(windows)
    run(step, x, out, argmax, numbers)
    out = out.transpose(0, 3, 1, 2)
    return out, PoolCache(x.shape, out.shape, x.dtype, argmax, numbers)


def run(step, a, b, argmax, numbers):
    """Run a step, which reads a and writes b, over all images; an average pool has no argmax."""
    address = step.address(a.dtype)
    if argmax is None:
        kernels.means_over_images(address, a.reshape(-1), b.reshape(-1), numbers, len(a))
    else:
        kernels.over_images(address, a.reshape(-1), b.reshape(-1), argmax, numbers, len(a))


def pool_backward(step, below, dout, cache, has_argmax):
    """Run a backward step over all images, or the rung below where it went forward; returns dx."""
    if not isinstance(cache, PoolCache):
        return below(dout, cache)
    check((cache.argmax is not None) == has_argmax,
          "cache: is of another kind of pool, expected that of its own forward pass")
    dout = contiguous(gradient_like(dout, cache.out_shape, cache.dtype, "pool"), (0, 2, 3, 1))
    dx = arena.empty(cache.shape, dout.dtype)
    run(step, dout, dx, cache.argmax, cache.numbers)
    return dx.transpose(0, 3, 1, 2)


def max_pool_forward_fast(x, pool_param):
    """Take the maximum of every window; arguments, returns and errors as
    layers.max_pool_forward_naive."""
    return pool_forward(kernels.take_maximum, max_pool_forward_im2col, x, pool_param,
                        has_argmax=True)


def max_pool_backward_fast(dout, cache):
    """Give dout to the largest number of each window; returns dx (N, C, H, W)."""
    return pool_backward(kernels.give_to_argmax, max_pool_backward_im2col, dout, cache,
                         has_argmax=True)


def avg_pool_forward_fast(x, pool_param):
    """Take the mean of every window; arguments, returns and errors as
    layers.avg_pool_forward_naive."""
    return pool_forward(kernels.take_mean, avg_pool_forward_im2col, x, pool_param,
                        has_argmax=False)


def avg_pool_backward_fast(dout, cache):
    """Share dout among the numbers of each window; returns dx (N, C, H, W)."""
    return pool_backward(kernels.spread_mean, avg_pool_backward_im2col, dout, cache,
                         has_argmax=False)
