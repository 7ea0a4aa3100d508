"""The course's sandwiches, fused: what follows a convolution happens while its outputs are in the cache.

The compositions in layer_utils.py are the definition of these functions and their test oracle. A max-pool is fused
where its windows are 2 x 2 with stride 2; others follow as a layer of their own. Those with batchnorm are in
batchnorm.py.
"""
from typing import NamedTuple

import numpy as np

from ..kernels.arguments import Epilogue
from ..layers.pool import pool_geometry
from ..shapes import pool_window
from .passes import run_backward, run_forward
from .plans import ConvCache, conv_cache
from .pool import max_pool_backward_fast, max_pool_forward_fast

POOL_2X2 = {"pool_height": 2, "pool_width": 2, "stride": 2}
RELU = Epilogue(writes=True, relu=True, pools=False, sums=False)
POOL = Epilogue(writes=False, relu=True, pools=True, sums=False)


class ReluCache(NamedTuple):
    """conv - ReLU [- max-pool]: out is kept without a pool, winners with one."""
    conv: ConvCache
    out: np.ndarray | None
    winners: np.ndarray | None


def images(array):
    """View (N, H, W, C) memory as (N, C, H, W)."""
    return array.transpose(0, 3, 1, 2)


def is_2x2(pool_param):
    """Whether a pool is one that is fused; raises ValueError where pool_param is wrong."""
    return pool_window(pool_param) == (2, 2, 2)


def conv_relu_forward(x, w, b, conv_param, engine="auto"):
    """conv - ReLU; arguments and returns as layer_utils.conv_relu_forward."""
    return relu_sandwich(*conv_cache(x, w, b, conv_param, engine), pools=False)


def conv_relu_pool_forward(x, w, b, conv_param, pool_param, engine="auto"):
    """conv - ReLU - max-pool; arguments and returns as layer_utils.conv_relu_pool_forward."""
    if not is_2x2(pool_param):
        return then_pool(conv_relu_forward(x, w, b, conv_param, engine), pool_param)
    return relu_sandwich(*conv_cache(x, w, b, conv_param, engine), pools=True)


def relu_sandwich(cached, b, pools):
    """Both of the above, of checked arguments."""
    if pools:
        check_pool(cached)
    outputs = run_forward(cached, b, POOL if pools else RELU)
    if pools:
        return images(outputs.pooled), ReluCache(cached, None, outputs.winners)
    return images(outputs.out), ReluCache(cached, outputs.out, None)


def check_pool(cached):
    """Raise ValueError where the outputs of a convolution are too small for the window."""
    if min(cached.size.Ho, cached.size.Wo) < 2:
        pool_geometry(np.zeros((1, 1, cached.size.Ho, cached.size.Wo)), POOL_2X2)


def then_pool(result, pool_param):
    """Let a max-pool that isn't fused follow a sandwich."""
    out, pool_cache = max_pool_forward_fast(result[0], pool_param)
    return out, (result[1], pool_cache)


def conv_relu_backward(dout, cache, want_dx=True):
    """Return dx, dw, db of conv_relu_forward or conv_relu_pool_forward; want_dx False puts None in place of dx."""
    if not isinstance(cache, ReluCache):
        return conv_relu_backward(max_pool_backward_fast(dout, cache[1]), cache[0], want_dx)
    return run_backward(cache.conv, dout, relu=True, kept=cache.out, winners=cache.winners, want_dx=want_dx)


conv_relu_pool_backward = conv_relu_backward
