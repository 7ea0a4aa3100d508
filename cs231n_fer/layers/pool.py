"""Pooling: every window of a channel becomes one number, its maximum or its mean.

    max   out[n, c, i, j] = maximum over hh, ww of x[n, c, i * stride + hh, j * stride + ww]
    mean  out[n, c, i, j] = mean over the same window

      1 3 | 2 0
      4 2 | 1 5    max, 2 x 2, stride 2    4 5
      ----+----   ---------------------->  7 9
      7 0 | 9 1
      6 5 | 3 8

For the backward pass, number the pixels of a window from 0 to HH * WW - 1 in reading order, and let
argmax be the number of the largest. A small change of this pixel changes the maximum by the same
amount; a small change of any other pixel leaves the maximum as it is. The mean changes by the
change of a pixel divided by HH * WW:

    max   out = window[argmax]                  d out / d window[k] = (k == argmax)
    mean  out = sum(window) / (HH * WW)         d out / d window[k] = 1 / (HH * WW)

So the maximum routes its gradient to one pixel, and the mean divides it among all. If several
pixels are the largest, the maximum has no derivative, and we take the first as argmax (after a
ReLU, windows full of zeros are common). NaN counts as larger than any number, as in np.argmax: the
first NaN of a window is its maximum and gets the gradient. Windows may overlap: a pixel that is the
maximum of several windows gets the sum of their gradients. Windows that don't fit entirely are left
out.

Rungs: naive, the definition; im2col, one pass over x for each of the HH * WW offsets in a window;
for the maximum also reshape, if the windows tile the image.
"""
from collections.abc import Iterator

import numpy as np

from ..shapes import (
    check,
    check_images,
    checked_cache,
    common_floats,
    conv_output_size,
    gradient_like,
    pool_window,
)
from ..types import Array, Cache, PoolParam, Shape

__all__ = [
    "max_pool_forward_naive", "max_pool_backward_naive",
    "max_pool_forward_im2col", "max_pool_backward_im2col",
    "max_pool_forward_reshape", "max_pool_backward_reshape",
    "avg_pool_forward_naive", "avg_pool_backward_naive",
    "avg_pool_forward_im2col", "avg_pool_backward_im2col",
    "global_avg_pool_forward", "global_avg_pool_backward",
]

MAX_CACHE = (tuple, np.ndarray, np.dtype, tuple)  # shape of x, argmax, dtype, (HH, WW, stride)
AVG_CACHE = (tuple, np.dtype, tuple)


def max_pool_forward_naive(x: Array, pool_param: PoolParam) -> tuple[Array, Cache]:
    """Take the maximum of every window, by the definition.

    x           (N, C, H, W)
    pool_param  {"pool_height": HH, "pool_width": WW, "stride": distance between windows}
    Returns out (N, C, Ho, Wo), Ho = 1 + (H - HH) // stride, and the cache (x, (HH, WW, stride)).
    Raises ValueError if no window fits, or if pool_param has wrong keys or values.
    """
    (x,) = common_floats("pool", x=x)
    HH, WW, stride, Ho, Wo = pool_geometry(x, pool_param)
    N, C, H, W = x.shape
    out = np.empty((N, C, Ho, Wo), dtype=x.dtype)
    for n in range(N):
        for c in range(C):
            for i in range(Ho):
                for j in range(Wo):
                    window = x[n, c, i * stride:i * stride + HH, j * stride:j * stride + WW]
                    out[n, c, i, j] = window.max()
    return out, (x, (HH, WW, stride))


def max_pool_backward_naive(dout: Array, cache: Cache) -> Array:
    """Return dx (N, C, H, W): every dout (N, C, Ho, Wo) is added to the argmax of its window."""
    x, (HH, WW, stride) = checked_cache(cache, (np.ndarray, tuple), "max_pool")
    N, C, H, W = x.shape
    Ho, Wo = pooled_size(x.shape, HH, WW, stride)
    dout = gradient_like(dout, (N, C, Ho, Wo), x.dtype, "pool")
    dx: Array = np.zeros_like(x)
    for n in range(N):
        for c in range(C):
            for i in range(Ho):
                for j in range(Wo):
                    window = x[n, c, i * stride:i * stride + HH, j * stride:j * stride + WW]
                    hh, ww = np.unravel_index(np.argmax(window), window.shape)
                    dx[n, c, i * stride + hh, j * stride + ww] += dout[n, c, i, j]
    return dx


def offsets_in_window(
        HH: int, WW: int, stride: int, Ho: int, Wo: int) -> Iterator[tuple[slice, slice]]:
    """Yield slices (rows, columns) for every offset (i, j) in a window, in reading order.

    x[:, :, rows, columns] holds pixel (i, j) of all Ho x Wo windows.
    """
    for i in range(HH):
        for j in range(WW):
            rows = slice(i, i + stride * (Ho - 1) + 1, stride)
            columns = slice(j, j + stride * (Wo - 1) + 1, stride)
            yield rows, columns


def max_pool_forward_im2col(x: Array, pool_param: PoolParam) -> tuple[Array, Cache]:
    """Take the maximum over the offsets in a window, for all windows at once.

    Arguments, out and errors are those of max_pool_forward_naive. Instead of x, the cache holds the
    argmax of every window, one byte each for windows of up to 256 pixels.
    """
    (x,) = common_floats("pool", x=x)
    HH, WW, stride, Ho, Wo = pool_geometry(x, pool_param)
    offsets = list(offsets_in_window(HH, WW, stride, Ho, Wo))
    rows, columns = offsets[0]
    out = x[:, :, rows, columns].copy(order="K")
    argmax = np.zeros_like(out, dtype=np.min_scalar_type(HH * WW - 1))
    for k, (rows, columns) in enumerate(offsets[1:], start=1):
        candidate = x[:, :, rows, columns]
        # The argmax is the last k whose pixel was greater than all before it; `>` keeps the earlier
        # of equal pixels. This is argmax[candidate > out] = k, as k grows. np.maximum keeps NaN.
        np.maximum(argmax, (candidate > out) * argmax.dtype.type(k), out=argmax)
        np.maximum(out, candidate, out=out)
    if np.isnan(out).any():  # the first NaN of a window is its maximum, as for np.argmax
        for k, (rows, columns) in reversed(list(enumerate(offsets))):
            argmax[np.isnan(x[:, :, rows, columns])] = k
    return out, (x.shape, argmax, x.dtype, (HH, WW, stride))


def max_pool_backward_im2col(dout: Array, cache: Cache) -> Array:
    """Return dx (N, C, H, W): every dout is added to the argmax of its window."""
    shape, argmax, dtype, window = checked_cache(cache, MAX_CACHE, "max_pool")
    dout = gradient_like(dout, argmax.shape, dtype, "pool")
    dx: Array = np.zeros_like(argmax, dtype=dtype, shape=shape)
    for k, (rows, columns) in enumerate(offsets_in_window(*window, *dout.shape[2:])):
        dx[:, :, rows, columns] += dout * (argmax == k)
    return dx


def max_pool_forward_reshape(x: Array, pool_param: PoolParam) -> tuple[Array, Cache]:
    """Take the maximum of windows that tile the image: a reshape makes every window a row.

    Arguments and out are those of max_pool_forward_naive. Raises ValueError unless
    pool_height = pool_width = stride, and stride divides H and W.
    """
    (x,) = common_floats("pool", x=x)
    HH, WW, stride, Ho, Wo = pool_geometry(x, pool_param)
    N, C, H, W = x.shape
    check_tiles(H, W, HH, WW, stride)
    windows = x.reshape(N, C, Ho, HH, Wo, WW).transpose(0, 1, 2, 4, 3, 5)
    windows = windows.reshape(N, C, Ho, Wo, HH * WW)
    argmax = windows.argmax(axis=-1)
    out = np.take_along_axis(windows, argmax[..., None], axis=-1)[..., 0]
    return out, (x.shape, argmax, x.dtype, (HH, WW, stride))


def max_pool_backward_reshape(dout: Array, cache: Cache) -> Array:
    """Return dx (N, C, H, W): dout at the argmax of every window, 0 elsewhere."""
    (N, C, H, W), argmax, dtype, (HH, WW, stride) = checked_cache(cache, MAX_CACHE, "max_pool")
    check_tiles(H, W, HH, WW, stride)
    dout = gradient_like(dout, argmax.shape, dtype, "pool")
    Ho, Wo = dout.shape[2:]
    dwindows = np.zeros((N, C, Ho, Wo, HH * WW), dtype=dout.dtype)
    np.put_along_axis(dwindows, argmax[..., None].astype(np.intp), dout[..., None], axis=-1)
    dwindows = dwindows.reshape(N, C, Ho, Wo, HH, WW).transpose(0, 1, 2, 4, 3, 5)
    return dwindows.reshape(N, C, H, W)


def avg_pool_forward_naive(x: Array, pool_param: PoolParam) -> tuple[Array, Cache]:
    """Take the mean of every window, by the definition.

    Arguments, out and errors are those of max_pool_forward_naive. The cache is
    (x.shape, x.dtype, (HH, WW, stride)).
    """
    (x,) = common_floats("pool", x=x)
    HH, WW, stride, Ho, Wo = pool_geometry(x, pool_param)
    N, C, H, W = x.shape
    out = np.empty((N, C, Ho, Wo), dtype=x.dtype)
    for n in range(N):
        for c in range(C):
            for i in range(Ho):
                for j in range(Wo):
                    window = x[n, c, i * stride:i * stride + HH, j * stride:j * stride + WW]
                    out[n, c, i, j] = window.mean()
    return out, (x.shape, x.dtype, (HH, WW, stride))


def avg_pool_backward_naive(dout: Array, cache: Cache) -> Array:
    """Return dx (N, C, H, W): every pixel of a window gets an equal share of its dout."""
    x_shape, dtype, (HH, WW, stride) = checked_cache(cache, AVG_CACHE, "avg_pool")
    Ho, Wo = pooled_size(x_shape, HH, WW, stride)
    dout = gradient_like(dout, (*x_shape[:2], Ho, Wo), dtype, "pool")
    dx = np.zeros(x_shape, dtype=dout.dtype)
    for n, c, i, j in np.ndindex(dout.shape):
        rows = slice(i * stride, i * stride + HH)
        columns = slice(j * stride, j * stride + WW)
        dx[n, c, rows, columns] += dout[n, c, i, j] / (HH * WW)
    return dx


def avg_pool_forward_im2col(x: Array, pool_param: PoolParam) -> tuple[Array, Cache]:
    """Add up the pixels at every offset, for all windows at once, and divide by HH * WW.

    Arguments, results and errors are those of avg_pool_forward_naive.
    """
    (x,) = common_floats("pool", x=x)
    HH, WW, stride, Ho, Wo = pool_geometry(x, pool_param)
    offsets = list(offsets_in_window(HH, WW, stride, Ho, Wo))
    rows, columns = offsets[0]
    out = np.zeros_like(x[:, :, rows, columns])
    for rows, columns in offsets:
        out += x[:, :, rows, columns]
    out /= HH * WW
    return out, (x.shape, x.dtype, (HH, WW, stride))


def avg_pool_backward_im2col(dout: Array, cache: Cache) -> Array:
    """Return dx (N, C, H, W): the pixels at every offset get an equal share of dout."""
    shape, dtype, (HH, WW, stride) = checked_cache(cache, AVG_CACHE, "avg_pool")
    Ho, Wo = pooled_size(shape, HH, WW, stride)
    dout = gradient_like(dout, (*shape[:2], Ho, Wo), dtype, "pool")
    share = dout / (HH * WW)
    dx: Array = np.zeros_like(share, shape=shape)
    for rows, columns in offsets_in_window(HH, WW, stride, Ho, Wo):
        dx[:, :, rows, columns] += share
    return dx


def global_avg_pool_forward(x: Array) -> tuple[Array, Cache]:
    """Return out (N, C), the mean of every channel of x (N, C, H, W) (Lin et al. 2014).

    The cache is (x.shape, x.dtype). Raises ValueError unless x has four axes, and H and W at least
    one pixel.
    """
    (x,) = common_floats("global_avg_pool", x=x)
    check_images(x, "global_avg_pool")
    check(x.shape[2] * x.shape[3] > 0,
          f"global_avg_pool: x has shape {x.shape}, expected images with pixels")
    return x.mean(axis=(2, 3)), (x.shape, x.dtype)


def global_avg_pool_backward(dout: Array, cache: Cache) -> Array:
    """Return dx (N, C, H, W): every pixel of a channel gets an equal share of its dout (N, C)."""
    shape, dtype = checked_cache(cache, (tuple, np.dtype), "global_avg_pool")
    N, C, H, W = shape
    dout = gradient_like(dout, (N, C), dtype, "global_avg_pool")
    return np.broadcast_to((dout / (H * W))[:, :, None, None], shape).copy()


def pool_geometry(x: Array, pool_param: PoolParam) -> tuple[int, int, int, int, int]:
    """Return (HH, WW, stride, Ho, Wo) for the pooling of x (N, C, H, W).

    Raises ValueError if x doesn't have four axes, pool_param has wrong keys or values, or no window
    fits.
    """
    check_images(x, "pool")
    HH, WW, stride = pool_window(pool_param)
    return HH, WW, stride, *pooled_size(x.shape, HH, WW, stride)


def check_tiles(H: int, W: int, HH: int, WW: int, stride: int) -> None:
    """Raise ValueError unless square windows without overlap cover images of H x W pixels."""
    check(HH == WW == stride and H % stride == 0 and W % stride == 0,
          f"pool_param: the reshape rung needs windows that tile the image, got {HH} x {WW}, "
          f"stride {stride} on {H} x {W}; use max_pool_forward_im2col")


def pooled_size(shape: Shape, HH: int, WW: int, stride: int) -> tuple[int, int]:
    """Return (Ho, Wo), the size that images of a shape (N, C, H, W) have after pooling."""
    Ho = conv_output_size(shape[2], HH, stride, 0)
    Wo = conv_output_size(shape[3], WW, stride, 0)
    return Ho, Wo
