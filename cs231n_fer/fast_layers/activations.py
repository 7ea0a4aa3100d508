"""The compiled rung of ReLU as a layer of its own, behind a sum or an affine layer.

The contract is that of layers/activations.py. The gain is reused memory; small arrays are left to
NumPy.
"""
import numpy as np

from ..arrays import arena
from ..kernels import elementwise
from ..kernels.update import protected
from ..layers.activations import relu_backward, relu_forward
from ..shapes import checked_cache, common_floats, gradient_like
from ..types import Array

__all__ = ["relu_backward_fast", "relu_forward_fast"]

SMALL = 2 ** 15  # elements: NumPy has clipped so many before a kernel has started


def relu_forward_fast(x: Array) -> tuple[Array, Array]:
    """Return max(x, 0) and the cache, which is the output itself; x may have any shape."""
    (x,) = common_floats("relu", x=x)
    if x.size < SMALL:
        return relu_forward(x)
    out = arena.empty_like(x)
    address = elementwise.relu_block.address(out.dtype)
    elementwise.relu(address, protected(x, out), out.ravel(order="K"))
    return out, out


def relu_backward_fast(dout: Array, cache: Array) -> Array:
    """Return dx, which is dout where the output was positive and 0 elsewhere."""
    cache = checked_cache(cache, np.ndarray, "relu")
    if cache.size < SMALL:
        return relu_backward(dout, cache)
    dout = gradient_like(dout, cache.shape, cache.dtype, "relu")
    dx = arena.empty_like(cache)
    address = elementwise.relu_back_block.address(dx.dtype)
    elementwise.relu_back(address, protected(dout, dx), protected(cache, dx), dx.ravel(order="K"))
    return dx
