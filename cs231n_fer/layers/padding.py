"""Padding: a border of one value around every image.

Convolution and im2col add their padding themselves. Max-pooling has none; after a border of -inf,
which is never the maximum, its windows can extend beyond the image, as in the first pool of ResNet
(He et al. 2016).

The border is constant, and every pixel is copied once:

    out[n, c, i + pad, j + pad] = x[n, c, i, j]
    dx[n, c, i, j] = dout[n, c, i + pad, j + pad]

Rungs: naive, the definition, and one copy of the whole array.
"""
import numpy as np

from ..shapes import check_images, checked_cache, common_floats, gradient_like, whole_number
from ..types import Array, Cache

__all__ = ["pad_forward_naive", "pad_backward_naive", "pad_forward", "pad_backward"]

CACHE = (tuple, np.dtype, int)  # shape and dtype of x, pad


def pad_forward_naive(x: Array, pad: int, value: float = 0.0) -> tuple[Array, Cache]:
    """Return x with a border, pixel by pixel; arguments, results and errors as pad_forward."""
    (x,) = common_floats("pad", x=x)
    check_images(x, "pad")
    pad = whole_number(pad, "pad", 0)
    N, C, H, W = x.shape
    out = np.empty((N, C, H + 2 * pad, W + 2 * pad), x.dtype)
    for i in range(H + 2 * pad):
        for j in range(W + 2 * pad):
            inside = pad <= i < pad + H and pad <= j < pad + W
            out[:, :, i, j] = x[:, :, i - pad, j - pad] if inside else value
    return out, (x.shape, x.dtype, pad)


def pad_backward_naive(dout: Array, cache: Cache) -> Array:
    """Return dx (N, C, H, W), copied pixel by pixel from inside the border of dout."""
    (N, C, H, W), dtype, pad = checked_cache(cache, CACHE, "pad")
    dout = gradient_like(dout, (N, C, H + 2 * pad, W + 2 * pad), dtype, "pad")
    dx = np.empty((N, C, H, W), dtype)
    for i in range(H):
        for j in range(W):
            dx[:, :, i, j] = dout[:, :, i + pad, j + pad]
    return dx


def pad_forward(x: Array, pad: int, value: float = 0.0) -> tuple[Array, Cache]:
    """Return x (N, C, H, W) with a border, (N, C, H + 2 pad, W + 2 pad), and the cache.

    pad     width of the border, 0 or more
    value   value of the border
    Raises ValueError unless x has four axes and pad is an integer of at least 0.
    """
    (x,) = common_floats("pad", x=x)
    check_images(x, "pad")
    pad = whole_number(pad, "pad", 0)
    border = (pad, pad)
    out = np.pad(x, ((0, 0), (0, 0), border, border), constant_values=value)
    return out, (x.shape, x.dtype, pad)


def pad_backward(dout: Array, cache: Cache) -> Array:
    """Return dx (N, C, H, W): dout without its border."""
    (N, C, H, W), dtype, pad = checked_cache(cache, CACHE, "pad")
    dout = gradient_like(dout, (N, C, H + 2 * pad, W + 2 * pad), dtype, "pad")
    return dout[:, :, pad:pad + H, pad:pad + W]
