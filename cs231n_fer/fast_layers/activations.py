"""The compiled rung of ReLU as a layer of its own, behind a sum or an affine layer; the contract of layers/.

What it gains is memory that was used before. Few numbers are left to NumPy.
"""
from ..arrays import arena
from ..kernels import elementwise
from ..kernels.update import protected
from ..layers import relu_backward, relu_forward
from ..shapes import common_floats, gradient_like

SMALL = 2 ** 15  # numbers that NumPy has clipped before a kernel has begun


def relu_forward_fast(x):
    """Return max(x, 0) and the cache: out itself."""
    (x,) = common_floats("relu", x=x)
    if x.size < SMALL:
        return relu_forward(x)
    out = arena.like(x)
    address = elementwise.relu_block.address(out.dtype)
    elementwise.relu(address, protected(x, out), out.ravel(order="K"))
    return out, out


def relu_backward_fast(dout, cache):
    """Hand dout on where out was positive; returns dx."""
    if cache.size < SMALL:
        return relu_backward(dout, cache)
    dout = gradient_like(dout, cache.shape, cache.dtype, "relu")
    dx = arena.like(cache)
    address = elementwise.relu_back_block.address(dx.dtype)
    elementwise.relu_back(address, protected(dout, dx), protected(cache, dx), dx.ravel(order="K"))
    return dx
