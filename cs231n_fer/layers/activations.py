"""Activations: functions of one number, applied to every number.

    relu(x) = max(x, 0)                 leaky_relu(x) = x where x > 0, slope * x elsewhere

The derivative of relu is 1 where x > 0 and 0 elsewhere; at exactly 0, where it has none, we take 0. NaN stays NaN.
"""
import numpy as np

from ..shapes import check, common_floats, gradient_like


def relu_forward_naive(x):
    """Clip one number after the other at zero; x has any shape. Returns out and the cache x."""
    (x,) = common_floats("relu", x=x)
    out = np.empty_like(x)
    for index in np.ndindex(x.shape):
        out[index] = x[index] if x[index] > 0 or np.isnan(x[index]) else 0
    return out, x


def relu_backward_naive(dout, cache):
    """Hand dout on where x was positive; returns dx with the shape of x."""
    dout = gradient_like(dout, cache.shape, cache.dtype, "relu")
    dx = np.zeros_like(cache)
    for index in np.ndindex(cache.shape):
        if cache[index] > 0:
            dx[index] = dout[index]
    return dx


def relu_forward(x):
    """Return max(x, 0) and the cache: out itself, which is positive exactly where x is, so that x can be let go."""
    (x,) = common_floats("relu", x=x)
    out = np.maximum(x, 0)
    return out, out


def relu_backward(dout, cache):
    """Hand dout on where out was positive; returns dx."""
    return gradient_like(dout, cache.shape, cache.dtype, "relu") * (cache > 0)


def leaky_slope(slope):
    """Check the slope and return it as a Python float: a NumPy float64 would turn float32 arrays into float64."""
    check(0 <= slope < 1, f"slope: got {slope}, expected at least 0 and below 1")
    return float(slope)


def leaky_relu_forward_naive(x, slope=0.01):
    """Scale one number after the other by slope where it is not positive (Maas et al. 2013); cache (x, slope)."""
    (x,) = common_floats("leaky_relu", x=x)
    slope, out = leaky_slope(slope), np.empty_like(x)
    for index in np.ndindex(x.shape):
        out[index] = x[index] if x[index] > 0 else slope * x[index]
    return out, (x, slope)


def leaky_relu_backward_naive(dout, cache):
    """Hand dout on, scaled by slope where x was not positive; returns dx."""
    x, slope = cache
    dout = gradient_like(dout, x.shape, x.dtype, "leaky_relu")
    dx = np.empty_like(x)
    for index in np.ndindex(x.shape):
        dx[index] = dout[index] if x[index] > 0 else slope * dout[index]
    return dx


def leaky_relu_forward(x, slope=0.01):
    """Return x where positive, slope * x elsewhere, and the cache (x, slope); slope from 0 up to, not including, 1."""
    (x,) = common_floats("leaky_relu", x=x)
    slope = leaky_slope(slope)
    return np.maximum(x, slope * x), (x, slope)


def leaky_relu_backward(dout, cache):
    """Hand dout on, scaled by slope where x was not positive; returns dx."""
    x, slope = cache
    dout = gradient_like(dout, x.shape, x.dtype, "leaky_relu")
    return np.where(x > 0, dout, slope * dout)
