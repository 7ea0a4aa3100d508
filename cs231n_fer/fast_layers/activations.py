"""The compiled rung of ReLU as a layer of its own, behind a sum or an affine layer.

The contract is that of layers/activations.py. The gain is reused memory; small arrays are left to
NumPy.
"""
import numpy as np

from ..arrays import arena
from ..kernels import activations, update
from ..layers.activations import relu_backward, relu_forward
from ..shapes import common_floats, gradient_like
from ..types import Array

__all__ = ["relu_backward_fast", "relu_forward_fast"]

SMALL = 2 ** 15  # elements: NumPy has clipped so many before a kernel has started
NO_NUMBERS = np.empty(0)


def relu_forward_fast(x: Array) -> tuple[Array, Array]:
    """Return max(x, 0) and the cache, which is the output itself; x may have any shape."""
    (x,) = common_floats("relu", x=x)
    if x.size < SMALL:
        return relu_forward(x)
    out = arena.empty_like(x)
    update.run(activations.relu, [update.protected(x, out)], [out], NO_NUMBERS)
    return out, out


def relu_backward_fast(dout: Array, cache: Array) -> Array:
    """Return dx, which is dout where the output was positive and 0 elsewhere."""
    if cache.size < SMALL:
        return relu_backward(dout, cache)
    dout = gradient_like(dout, cache.shape, cache.dtype, "relu")
    dx = arena.empty_like(cache)
    inputs = [update.protected(dout, dx), update.protected(cache, dx)]
    update.run(activations.relu_back, inputs, [dx], NO_NUMBERS)
    return dx
