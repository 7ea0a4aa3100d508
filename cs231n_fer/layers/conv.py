"""Convolution: every output is the dot product of a filter with a window of the image.

    out[n, f, i, j] = b[f] + sum over c, hh, ww of
                      x[n, c, i * stride + hh - pad, j * stride + ww - pad] * w[f, c, hh, ww]

Outside its borders x is 0. The "convolution" of deep learning is a cross-correlation: the filter is
not flipped.

      x, padded            w              out
    +-----------+        +-----+        +-------+
    | +-----+   |        |     |        | o     |     o = sum(window * w) + b
    | |     |   |   *    |     |   =    |       |     the next output to the right belongs to the
    | +-----+   |        +-----+        |       |     window `stride` pixels to the right
    +-----------+                       +-------+

For the backward pass, take a single output o = out[n, f, i, j] and its gradient do:

    d o / d window[c, hh, ww] = w[c, hh, ww]               do * w is added to dx, at the window
    d o / d w[c, hh, ww]      = window[c, hh, ww]          do * window is added to dw
    d o / d b                 = 1                          do is added to db

A pixel lies in several windows, and a weight is used in all of them, so their gradients add up.

Rungs: naive, the definition in loops, and im2col, one matrix product.
"""
import numpy as np

from ..shapes import (
    checked_cache,
    conv_arguments,
    conv_geometry,
    conv_output_size,
    gradient_like,
)
from ..types import Array, Cache, ConvParam
from .im2col import col2im, im2col

__all__ = [
    "conv_forward_naive", "conv_backward_naive",
    "conv_forward_im2col", "conv_backward_im2col",
]

ARRAYS = (np.ndarray, np.ndarray)  # x and w, with which caches begin


def conv_forward_naive(x: Array, w: Array, b: Array, conv_param: ConvParam) -> tuple[Array, Cache]:
    """Convolve by the definition: four loops around one dot product.

    x           (N, C, H, W) images, float32 or float64
    w           (F, C, HH, WW) filters
    b           (F,) biases
    conv_param  {"stride": distance between windows, "pad": width of the border of zeros}
    Returns out (N, F, Ho, Wo), Ho = 1 + (H + 2 pad - HH) // stride, and the cache
    (x, w, b, (stride, pad)). Raises ValueError if the shapes don't fit together.
    """
    x, w, b = conv_arguments(x, w, b)
    stride, pad = conv_geometry(conv_param)
    N, C, H, W = x.shape
    F, C, HH, WW = w.shape
    Ho = conv_output_size(H, HH, stride, pad)
    Wo = conv_output_size(W, WW, stride, pad)
    padded = np.pad(x, ((0, 0), (0, 0), (pad, pad), (pad, pad)))
    out = np.empty((N, F, Ho, Wo), dtype=x.dtype)
    for n in range(N):
        for f in range(F):
            for i in range(Ho):
                for j in range(Wo):
                    rows = slice(i * stride, i * stride + HH)
                    columns = slice(j * stride, j * stride + WW)
                    out[n, f, i, j] = np.sum(padded[n, :, rows, columns] * w[f]) + b[f]
    return out, (x, w, b, (stride, pad))


def conv_backward_naive(dout: Array, cache: Cache) -> tuple[Array, Array, Array]:
    """Return dx, dw, db in the shapes of x, w, b: every output adds its share to all three.

    dout   (N, F, Ho, Wo)
    """
    x, w, b, (stride, pad) = checked_cache(cache, (*ARRAYS, np.ndarray, tuple), "conv")
    N, C, H, W = x.shape
    F, C, HH, WW = w.shape
    Ho = conv_output_size(H, HH, stride, pad)
    Wo = conv_output_size(W, WW, stride, pad)
    dout = gradient_like(dout, (N, F, Ho, Wo), x.dtype, "conv")
    padded = np.pad(x, ((0, 0), (0, 0), (pad, pad), (pad, pad)))
    dpadded = np.zeros_like(padded)
    dw = np.zeros_like(w)
    db = np.zeros_like(b)
    for n in range(N):
        for f in range(F):
            for i in range(Ho):
                for j in range(Wo):
                    rows = slice(i * stride, i * stride + HH)
                    columns = slice(j * stride, j * stride + WW)
                    dpadded[n, :, rows, columns] += dout[n, f, i, j] * w[f]
                    dw[f] += dout[n, f, i, j] * padded[n, :, rows, columns]
                    db[f] += dout[n, f, i, j]
    dx = dpadded[:, :, pad:pad + H, pad:pad + W]  # pad:-pad would be empty for pad = 0
    return dx, dw, db


def filters_as_matrix(w: Array) -> Array:
    """Return filters w (F, C, HH, WW) as a matrix (HH * WW * C, F) with one column per filter.

    The weights in a column have the same order as the pixels in a row of im2col.
    """
    F, C, HH, WW = w.shape
    return w.transpose(2, 3, 1, 0).reshape(HH * WW * C, F)


def conv_forward_im2col(x: Array, w: Array, b: Array, conv_param: ConvParam) -> tuple[Array, Cache]:
    """Convolve by a matrix product: out = im2col(x) @ filters_as_matrix(w) + b.

    Arguments, out and errors are those of conv_forward_naive. The cache is (x, w, (stride, pad)).
    It doesn't hold cols, up to HH * WW times as large as x; the backward pass computes it again.
    """
    x, w, b = conv_arguments(x, w, b)
    stride, pad = conv_geometry(conv_param)
    N, C, H, W = x.shape
    F, C, HH, WW = w.shape
    Ho = conv_output_size(H, HH, stride, pad)
    Wo = conv_output_size(W, WW, stride, pad)
    cols = im2col(x, HH, WW, stride, pad)
    rows = cols @ filters_as_matrix(w) + b
    return rows.reshape(N, Ho, Wo, F).transpose(0, 3, 1, 2), (x, w, (stride, pad))


def conv_backward_im2col(dout: Array, cache: Cache) -> tuple[Array, Array, Array]:
    """Return dx, dw, db by the backward pass of the affine layer rows = cols @ filters + b.

    Let r = (n, i, j) count windows, k = (hh, ww, c) the numbers in a window, and f filters:

        rows[r, f]     = b[f] + sum over k of cols[r, k] * filters[k, f]
        dfilters[k, f] = sum over r of cols[r, k] * drows[r, f]          dfilters = cols^T drows
        dcols[r, k]    = sum over f of drows[r, f] * filters[k, f]       dcols = drows filters^T
        db[f]          = sum over r of drows[r, f]

    dw is dfilters in the shape of w. Every cols[r, k] is a copy of a pixel, so the gradient of the
    pixel is the sum over its copies: dx = col2im(dcols). Arguments and results are those of
    conv_backward_naive.
    """
    x, w, (stride, pad) = checked_cache(cache, (*ARRAYS, tuple), "conv")
    N, C, H, W = x.shape
    F, C, HH, WW = w.shape
    Ho = conv_output_size(H, HH, stride, pad)
    Wo = conv_output_size(W, WW, stride, pad)
    dout = gradient_like(dout, (N, F, Ho, Wo), x.dtype, "conv")
    drows = dout.transpose(0, 2, 3, 1).reshape(-1, F)
    cols = im2col(x, HH, WW, stride, pad)
    dfilters = cols.T @ drows
    dcols = drows @ filters_as_matrix(w).T
    dx = col2im(dcols, x.shape, HH, WW, stride, pad)
    dw = dfilters.reshape(HH, WW, C, F).transpose(3, 2, 0, 1)
    return dx, dw, drows.sum(axis=0)
