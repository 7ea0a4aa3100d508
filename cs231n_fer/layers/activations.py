"""Activations: functions of one number, applied to every number of an array.

    relu(x) = max(x, 0)             leaky_relu(x) = x if x > 0, else slope * x

The derivative is 1 where x > 0; elsewhere it is 0 for ReLU, and slope for leaky ReLU. (At 0 there
is none, and we use the derivative from the left.) The backward pass multiplies dout by the
derivative. NaN stays NaN.
"""
import numpy as np

from ..shapes import check, checked_cache, common_floats, gradient_like
from ..types import Array, Cache

__all__ = [
    "relu_forward_naive", "relu_backward_naive",
    "relu_forward", "relu_backward",
    "leaky_relu_forward_naive", "leaky_relu_backward_naive",
    "leaky_relu_forward", "leaky_relu_backward",
]


def relu_forward_naive(x: Array) -> tuple[Array, Cache]:
    """Return max(x, 0), one number at a time, for x of any shape; the cache is x."""
    (x,) = common_floats("relu", x=x)
    out = np.empty_like(x)
    for index in np.ndindex(x.shape):
        out[index] = x[index] if x[index] > 0 or np.isnan(x[index]) else 0
    return out, x


def relu_backward_naive(dout: Array, cache: Cache) -> Array:
    """Return dx: dout where x was positive, 0 elsewhere."""
    x: Array = checked_cache(cache, np.ndarray, "relu")
    dout = gradient_like(dout, x.shape, x.dtype, "relu")
    dx = np.zeros_like(x)
    for index in np.ndindex(x.shape):
        if x[index] > 0:
            dx[index] = dout[index]
    return dx


def relu_forward(x: Array) -> tuple[Array, Cache]:
    """Return max(x, 0) for x of any shape.

    The cache is out, which is positive exactly where x is; x is not kept.
    """
    (x,) = common_floats("relu", x=x)
    out = np.maximum(x, 0)
    return out, out


def relu_backward(dout: Array, cache: Cache) -> Array:
    """Return dx: dout where out was positive, 0 elsewhere."""
    out: Array = checked_cache(cache, np.ndarray, "relu")
    return gradient_like(dout, out.shape, out.dtype, "relu") * (out > 0)


def leaky_relu_forward_naive(x: Array, slope: float = 0.01) -> tuple[Array, Cache]:
    """Return x where positive, slope * x elsewhere (Maas et al. 2013), one number at a time.

    x       any shape
    slope   at least 0 and below 1
    Returns out and the cache (x, slope). Raises ValueError if slope is out of range.
    """
    (x,) = common_floats("leaky_relu", x=x)
    slope = leaky_slope(slope)
    out = np.empty_like(x)
    for index in np.ndindex(x.shape):
        out[index] = x[index] if x[index] > 0 else slope * x[index]
    return out, (x, slope)


def leaky_relu_backward_naive(dout: Array, cache: Cache) -> Array:
    """Return dx: dout where x was positive, slope * dout elsewhere."""
    x, slope = checked_cache(cache, (np.ndarray, float), "leaky_relu")
    dout = gradient_like(dout, x.shape, x.dtype, "leaky_relu")
    dx: Array = np.empty_like(x)
    for index in np.ndindex(x.shape):
        dx[index] = dout[index] if x[index] > 0 else slope * dout[index]
    return dx


def leaky_relu_forward(x: Array, slope: float = 0.01) -> tuple[Array, Cache]:
    """Return max(x, slope * x); see leaky_relu_forward_naive for the arguments and the cache."""
    (x,) = common_floats("leaky_relu", x=x)
    slope = leaky_slope(slope)
    return np.maximum(x, slope * x), (x, slope)


def leaky_relu_backward(dout: Array, cache: Cache) -> Array:
    """Return dx: dout where x was positive, slope * dout elsewhere."""
    x, slope = checked_cache(cache, (np.ndarray, float), "leaky_relu")
    dout = gradient_like(dout, x.shape, x.dtype, "leaky_relu")
    return np.where(x > 0, dout, slope * dout)


def leaky_slope(slope: float) -> float:
    """Return slope as a Python float, as a NumPy float64 would turn float32 arrays into float64.

    Raises ValueError unless slope is at least 0 and below 1.
    """
    check(0 <= slope < 1, f"slope: got {slope}, expected at least 0 and below 1")
    return float(slope)
