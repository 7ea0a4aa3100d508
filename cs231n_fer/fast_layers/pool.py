"""The compiled rung of max-pooling and average pooling, for any window and stride.

The contract is that of layers/pool.py. Windows of more than 256 pixels, whose positions don't fit
into a byte, are left to NumPy. A 2 x 2 max-pool with stride 2 behind a convolution is fused with
it, see sandwiches.
"""
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..arrays import arena
from ..arrays.seam import channels_first, contiguous
from ..kernels import pool as kernels
from ..kernels.vectors.calls import Step, flat
from ..kernels.vectors.machine import VECTOR_BYTES, lanes_of
from ..layers.pool import (
    avg_pool_backward_im2col,
    avg_pool_forward_im2col,
    max_pool_backward_im2col,
    max_pool_forward_im2col,
    pool_geometry,
)
from ..shapes import check, common_floats, gradient_like, pool_window
from ..types import Array, Cache, PoolParam, Shape
from .copies import rebuilt

__all__ = ["PoolCache", "avg_pool_backward_fast", "avg_pool_forward_fast", "is_2x2",
           "max_pool_backward_fast", "max_pool_forward_fast"]


class PoolCache(NamedTuple):
    """What the backward pass of a pool needs."""
    shape: Shape                      # (N, H, W, C) of x
    out_shape: Shape                  # (N, C, Ho, Wo)
    dtype: np.dtype[Any]
    argmax: NDArray[np.uint8] | None  # (N, Ho, Wo, Cp), flat; None for an average pool
    numbers: NDArray[np.int64]        # flat(Windows)

    def __reduce__(self) -> tuple[Any, ...]:
        """Refuse a copy where vectors have another size."""
        return rebuilt, (VECTOR_BYTES, PoolCache, *self)


def is_2x2(pool_param: PoolParam) -> bool:
    """Return whether windows are 2 x 2 with stride 2, the pool that is fused with a convolution.

    Raises ValueError for a wrong pool_param.
    """
    return bool(pool_window(pool_param) == (2, 2, 2))


def max_pool_forward_fast(x: Array, pool_param: PoolParam) -> tuple[Array, Cache]:
    """Take the maximum of every window.

    Arguments, returns and errors are those of layers.max_pool_forward_naive. The cache keeps the
    argmax of every window: the position of the first maximum, in reading order; NaN is larger than
    any number.
    """
    return pool_forward(kernels.take_maximum, max_pool_forward_im2col, x, pool_param, is_max=True)


def max_pool_backward_fast(dout: Array, cache: Cache) -> Array:
    """Return dx (N, C, H, W): dout at the first maximum of each window."""
    return pool_backward(kernels.give_to_argmax, max_pool_backward_im2col, dout, cache,
                         is_max=True)


def avg_pool_forward_fast(x: Array, pool_param: PoolParam) -> tuple[Array, Cache]:
    """Take the mean of every window.

    Arguments, returns and errors are those of layers.avg_pool_forward_naive.
    """
    return pool_forward(kernels.take_mean, avg_pool_forward_im2col, x, pool_param, is_max=False)


def avg_pool_backward_fast(dout: Array, cache: Cache) -> Array:
    """Return dx (N, C, H, W): dout divided equally among the pixels of each window."""
    return pool_backward(kernels.spread_mean, avg_pool_backward_im2col, dout, cache, is_max=False)


def pool_forward(step: Step, below: Callable[..., tuple[Array, Cache]], x: Array,
                 pool_param: PoolParam, is_max: bool) -> tuple[Array, Cache]:
    """Run a forward step for all images; return out (N, C, Ho, Wo) and the cache.

    below   the function of the rung below, for what the kernels can't do
    """
    (x,) = common_floats("pool", x=x)
    HH, WW, stride, Ho, Wo = pool_geometry(x, pool_param)
    if not x.size or HH * WW > 256:
        return below(x, pool_param)
    x = contiguous(x, (0, 2, 3, 1))
    windows = kernels.windows_of(x.shape, HH, WW, stride, Ho, Wo, lanes_of(x.dtype))
    out = arena.empty((len(x), Ho, Wo, x.shape[3]), x.dtype)
    argmax = arena.empty(len(x) * Ho * Wo * windows.Cp, np.uint8) if is_max else None
    numbers = flat(windows)
    run(step, x, out, argmax, numbers)
    out = channels_first(out)
    return out, PoolCache(x.shape, out.shape, x.dtype, argmax, numbers)


def pool_backward(step: Step, below: Callable[..., Array], dout: Array, cache: Cache,
                  is_max: bool) -> Array:
    """Run a backward step for all images; return dx.

    below   the backward function of the rung below, for a cache that its forward function made
    Raises ValueError for the cache of another kind of pool.
    """
    if not isinstance(cache, PoolCache):
        return below(dout, cache)
    check((cache.argmax is not None) == is_max,
          "cache: is of another kind of pool, expected that of the matching forward pass")
    dout = contiguous(gradient_like(dout, cache.out_shape, cache.dtype, "pool"), (0, 2, 3, 1))
    dx = arena.empty(cache.shape, dout.dtype)
    run(step, dout, dx, cache.argmax, cache.numbers)
    return channels_first(dx)


def run(step: Step, source: Array, target: Array, argmax: NDArray[np.uint8] | None,
        numbers: NDArray[np.int64]) -> None:
    """Run a step, which reads `source` and writes `target`, for all images.

    argmax, numbers   see PoolCache
    """
    address = step.address(source.dtype)
    inputs = source.reshape(-1)
    outputs = target.reshape(-1)
    if argmax is None:
        kernels.means_over_images(address, inputs, outputs, numbers, len(source))
    else:
        kernels.over_images(address, inputs, outputs, argmax, numbers, len(source))
