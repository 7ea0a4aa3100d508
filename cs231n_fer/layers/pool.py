"""Pooling: every window of a channel becomes one number, its maximum or its mean.

    max   out[n, c, i, j] = max  over hh, ww of x[n, c, i * stride + hh, j * stride + ww]
    mean  out[n, c, i, j] = mean over the same window

      1 3 | 2 0
      4 2 | 1 5    max, 2 x 2, stride 2    4 5      The gradient of a maximum goes to the pixel that won;
      ----+----   ---------------------->  7 9      where several are equal, to the first in reading order, on
      7 0 | 9 1                                     every rung (after a ReLU, windows full of zeros are common).
      6 5 | 3 8

Windows may overlap, and a last one that does not fit is left out. Rungs: naive (the definition), im2col (one pass over
x for each of the HH * WW offsets in the window), and for max also reshape (windows that tile the image exactly).
"""
import numpy as np

from ..shapes import check, check_images, common_floats, conv_output_size, gradient_like, pool_window


def pool_geometry(x, pool_param):
    """Check x (N, C, H, W) and pool_param; return HH, WW, stride, Ho, Wo. Raises ValueError where they do not fit."""
    check_images(x, "pool")
    HH, WW, stride = pool_window(pool_param)
    return HH, WW, stride, *pooled_size(x.shape, (HH, WW, stride))


def pooled_size(shape, window):
    """Return height and width of what a window (height, width, stride) makes of images of a shape (N, C, H, W)."""
    HH, WW, stride = window
    return conv_output_size(shape[2], HH, stride, 0), conv_output_size(shape[3], WW, stride, 0)


def offsets_in_window(HH, WW, stride, Ho, Wo):
    """Yield for each offset (i, j) in reading order the two slices that pick pixel (i, j) of every window at once."""
    for i in range(HH):
        for j in range(WW):
            yield slice(i, i + stride * (Ho - 1) + 1, stride), slice(j, j + stride * (Wo - 1) + 1, stride)


def max_pool_forward_naive(x, pool_param):
    """Take the maximum of every window, by the definition.

    x           (N, C, H, W)
    pool_param  {"pool_height", "pool_width", "stride"}
    Returns out (N, C, Ho, Wo), Ho = 1 + (H - pool_height) // stride, and the cache (x, (height, width, stride)).
    """
    (x,) = common_floats("pool", x=x)
    HH, WW, stride, Ho, Wo = pool_geometry(x, pool_param)
    N, C = x.shape[:2]
    out = np.empty((N, C, Ho, Wo), dtype=x.dtype)
    for n in range(N):
        for c in range(C):
            for i in range(Ho):
                for j in range(Wo):
                    out[n, c, i, j] = x[n, c, i * stride:i * stride + HH, j * stride:j * stride + WW].max()
    return out, (x, (HH, WW, stride))


def max_pool_backward_naive(dout, cache):
    """Give each dout (N, C, Ho, Wo) to the first maximum of its window; returns dx (N, C, H, W)."""
    x, window = cache
    HH, WW, stride = window
    Ho, Wo = pooled_size(x.shape, window)
    dout = gradient_like(dout, (*x.shape[:2], Ho, Wo), x.dtype, "pool")
    dx = np.zeros_like(x)
    for n in range(x.shape[0]):
        for c in range(x.shape[1]):
            for i in range(Ho):
                for j in range(Wo):
                    window = x[n, c, i * stride:i * stride + HH, j * stride:j * stride + WW]
                    hh, ww = np.unravel_index(np.argmax(window), window.shape)
                    dx[n, c, i * stride + hh, j * stride + ww] += dout[n, c, i, j]
    return dx


def max_pool_forward_im2col(x, pool_param):
    """Take the maximum over the offsets in the window; arguments and returns as max_pool_forward_naive.

    The cache keeps for each output which offset won (one byte for windows of up to 256 pixels), not x.
    """
    (x,) = common_floats("pool", x=x)
    HH, WW, stride, Ho, Wo = pool_geometry(x, pool_param)
    offsets = list(offsets_in_window(HH, WW, stride, Ho, Wo))
    out = x[:, :, offsets[0][0], offsets[0][1]].copy(order="K")
    winner = np.zeros_like(out, dtype=np.min_scalar_type(HH * WW - 1))
    for k, (rows, columns) in enumerate(offsets[1:], start=1):
        candidate = x[:, :, rows, columns]
        # Strictly greater, so that a tie stays with the first. As k grows, the larger of the two is the later winner:
        # 3.5 times as fast as winner[candidate > out] = k. np.maximum hands a NaN on.
        np.maximum(winner, (candidate > out) * winner.dtype.type(k), out=winner)
        np.maximum(out, candidate, out=out)
    return out, (x.shape, winner, x.dtype, (HH, WW, stride))


def max_pool_backward_im2col(dout, cache):
    """Give dout to the offset that won in each window; returns dx (N, C, H, W) in channels-last memory."""
    (N, C, H, W), winner, dtype, window = cache
    dout = gradient_like(dout, winner.shape, dtype, "pool")
    offsets = offsets_in_window(*window, *dout.shape[2:])
    dx = np.zeros((N, H, W, C), dtype=dout.dtype).transpose(0, 3, 1, 2)
    for k, (rows, columns) in enumerate(offsets):
        dx[:, :, rows, columns] += dout * (winner == k)
    return dx


def max_pool_forward_reshape(x, pool_param):
    """Take the maximum of windows that tile the image, as one reshape; arguments and returns as max_pool_forward_naive.

    Raises ValueError unless pool_height = pool_width = stride divides H and W.
    """
    (x,) = common_floats("pool", x=x)
    HH, WW, stride, Ho, Wo = pool_geometry(x, pool_param)
    N, C, H, W = x.shape
    check(HH == WW == stride and H % stride == 0 and W % stride == 0,
          f"pool_param: the reshape rung needs windows that tile the image, got {HH} x {WW}, stride {stride} on "
          f"{H} x {W}; use max_pool_forward_im2col")
    windows = x.reshape(N, C, Ho, HH, Wo, WW).transpose(0, 1, 2, 4, 3, 5).reshape(N, C, Ho, Wo, HH * WW)
    winner = windows.argmax(axis=-1)[..., None]
    return np.take_along_axis(windows, winner, axis=-1)[..., 0], (x.shape, winner, x.dtype, (HH, WW, stride))


def max_pool_backward_reshape(dout, cache):
    """Give dout to the first maximum of each window; returns dx (N, C, H, W)."""
    (N, C, H, W), winner, dtype, (_, _, size) = cache
    dout = gradient_like(dout, winner.shape[:-1], dtype, "pool")
    Ho, Wo = dout.shape[2:]
    dwindows = np.zeros((N, C, Ho, Wo, size * size), dtype=dout.dtype)
    np.put_along_axis(dwindows, winner, dout[..., None], axis=-1)
    return dwindows.reshape(N, C, Ho, Wo, size, size).transpose(0, 1, 2, 4, 3, 5).reshape(N, C, H, W)


def avg_pool_forward_naive(x, pool_param):
    """Take the mean of every window, by the definition; arguments and returns as max_pool_forward_naive."""
    (x,) = common_floats("pool", x=x)
    HH, WW, stride, Ho, Wo = pool_geometry(x, pool_param)
    N, C = x.shape[:2]
    out = np.empty((N, C, Ho, Wo), dtype=x.dtype)
    for n in range(N):
        for c in range(C):
            for i in range(Ho):
                for j in range(Wo):
                    out[n, c, i, j] = x[n, c, i * stride:i * stride + HH, j * stride:j * stride + WW].mean()
    return out, (x.shape, x.dtype, (HH, WW, stride))


def avg_pool_backward_naive(dout, cache):
    """Share each dout (N, C, Ho, Wo) equally among the pixels of its window; returns dx (N, C, H, W)."""
    x_shape, dtype, (HH, WW, stride) = cache
    dout = gradient_like(dout, (*x_shape[:2], *pooled_size(x_shape, (HH, WW, stride))), dtype, "pool")
    dx = np.zeros(x_shape, dtype=dout.dtype)
    for n, c, i, j in np.ndindex(dout.shape):
        dx[n, c, i * stride:i * stride + HH, j * stride:j * stride + WW] += dout[n, c, i, j] / (HH * WW)
    return dx


def avg_pool_forward_im2col(x, pool_param):
    """Add up the offsets in the window, then divide; arguments and returns as max_pool_forward_naive."""
    (x,) = common_floats("pool", x=x)
    HH, WW, stride, Ho, Wo = pool_geometry(x, pool_param)
    rows, columns = next(offsets_in_window(HH, WW, stride, Ho, Wo))
    out = np.zeros_like(x[:, :, rows, columns])
    for rows, columns in offsets_in_window(HH, WW, stride, Ho, Wo):
        out += x[:, :, rows, columns]
    out /= HH * WW
    return out, (x.shape, x.dtype, (HH, WW, stride))


def avg_pool_backward_im2col(dout, cache):
    """Share dout (N, C, Ho, Wo) among the offsets of each window; returns dx (N, C, H, W) in channels-last memory."""
    (N, C, H, W), dtype, (HH, WW, stride) = cache
    dout = gradient_like(dout, (N, C, *pooled_size((N, C, H, W), (HH, WW, stride))), dtype, "pool")
    share = dout / (HH * WW)
    dx = np.zeros((N, H, W, C), dtype=dout.dtype).transpose(0, 3, 1, 2)
    for rows, columns in offsets_in_window(HH, WW, stride, *dout.shape[2:]):
        dx[:, :, rows, columns] += share
    return dx


def global_avg_pool_forward(x):
    """Take the mean of each channel, x (N, C, H, W) -> out (N, C) (Lin et al. 2014).

    The cache holds the shape and the dtype of x.
    """
    (x,) = common_floats("global_avg_pool", x=x)
    check_images(x, "global_avg_pool")
    check(x.shape[2] * x.shape[3] > 0, f"global_avg_pool: x has shape {x.shape}, expected images with pixels")
    return x.mean(axis=(2, 3)), (x.shape, x.dtype)


def global_avg_pool_backward(dout, cache):
    """Share dout (N, C) equally among the H * W pixels of each channel; returns dx (N, C, H, W)."""
    shape, dtype = cache
    dout = gradient_like(dout, shape[:2], dtype, "global_avg_pool")
    H, W = shape[2:]
    return np.broadcast_to((dout / (H * W))[:, :, None, None], shape).copy()
