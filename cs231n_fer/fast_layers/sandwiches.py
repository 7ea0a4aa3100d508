"""The course's sandwiches, fused: ReLU and max-pool happen while a convolution's output is cached.

The compositions in layer_utils.py define these functions and are their test oracle. A max-pool is
fused if its windows are 2 x 2 with stride 2; any other follows as a layer of its own. Sandwiches
with batchnorm are in batchnorm.py.

Of equal numbers in the window of a max-pool the first one counts, and the gradient goes to it. They
are compared as they were computed: Winograd's algorithm, and batchnorm that is folded into the
weights, may round numbers differently that are equal on other rungs. The gradient then goes to
another of the pixels whose values are the maximum to within rounding.
"""
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..arrays.seam import channels_first
from ..kernels.arguments import Epilogue
from ..shapes import checked_cache
from ..types import Array, Cache, ConvParam, PoolParam
from .passes import Gradients, run_backward, run_forward
from .plans import ConvCache, conv_cache
from .pool import is_2x2, max_pool_backward_fast, max_pool_forward_fast

__all__ = ["POOL", "POOL_2X2", "RELU", "ReluCache", "conv_relu_backward", "conv_relu_forward",
           "conv_relu_pool_backward", "conv_relu_pool_forward", "is_2x2", "relu_sandwich"]

POOL_2X2: PoolParam = {"pool_height": 2, "pool_width": 2, "stride": 2}
RELU = Epilogue(writes=True, relu=True, pools=False, sums=False)
POOL = Epilogue(writes=False, relu=True, pools=True, sums=False)


class ReluCache(NamedTuple):
    """What the backward pass of conv - ReLU [- max-pool] needs."""
    conv: ConvCache
    out: Array | None                   # (N, Ho, Wo, F), without a fused max-pool
    argmax: NDArray[np.uint8] | None    # of every window, with one
    pool: Cache = None                  # the cache of a max-pool that isn't fused


def conv_relu_forward(x: Array, w: Array, b: Array, conv_param: ConvParam, rung: str = "auto",
                      ) -> tuple[Array, ReluCache]:
    """Compute conv - ReLU; arguments and returns as layer_utils.conv_relu_forward.

    rung   "fast", "winograd" or "auto", see plans
    The cache keeps x, w and the output.
    """
    return relu_sandwich(*conv_cache(x, w, b, conv_param, rung), pools=False)


def conv_relu_pool_forward(x: Array, w: Array, b: Array, conv_param: ConvParam,
                           pool_param: PoolParam, rung: str = "auto") -> tuple[Array, ReluCache]:
    """Compute conv - ReLU - max-pool; arguments and returns as layer_utils.conv_relu_pool_forward.

    rung   "fast", "winograd" or "auto", see plans
    The cache keeps x, w and the argmax of every window.
    """
    fused = is_2x2(pool_param)
    out, cache = relu_sandwich(*conv_cache(x, w, b, conv_param, rung), pools=fused)
    if fused:
        return out, cache
    out, pool = max_pool_forward_fast(out, pool_param)
    return out, cache._replace(pool=pool)


def relu_sandwich(cached: ConvCache, b: Array, pools: bool) -> tuple[Array, ReluCache]:
    """Compute conv - ReLU, with a fused max-pool if `pools`, of checked arguments."""
    outputs = run_forward(cached, b, POOL if pools else RELU)
    if pools:
        return channels_first(outputs.pooled), ReluCache(cached, None, outputs.argmax)
    return channels_first(outputs.out), ReluCache(cached, outputs.out, None)


def conv_relu_backward(dout: Array, cache: ReluCache, want_dx: bool = True) -> Gradients:
    """Return dx, dw, db of conv_relu_forward or conv_relu_pool_forward.

    dx is None if want_dx is False.
    """
    cache = checked_cache(cache, ReluCache, "conv_relu")
    if cache.pool is not None:
        dout = max_pool_backward_fast(dout, cache.pool)
    return run_backward(cache.conv, dout, relu=True, kept=cache.out, argmax=cache.argmax,
                        want_dx=want_dx)


conv_relu_pool_backward = conv_relu_backward
