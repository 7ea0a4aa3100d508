"""Convolution: every filter slides over the image, and its output is the dot product with the window below it.

    out[n, f, i, j] = b[f] + sum over c, hh, ww of
                      x[n, c, i * stride + hh - pad, j * stride + ww - pad] * w[f, c, hh, ww]

(x is 0 outside its borders.) Deep-learning "convolution" is a cross-correlation: the filter is not flipped.

      x padded              w              out
    +-----------+        +-----+        +-------+
    | +-----+   |        |     |        | o     |     o = <window, w> + b
    | |     |   |   *    |     |   =    |       |     the next o to the right reads the window
    | +-----+   |        +-----+        |       |     that lies `stride` pixels further
    +-----------+                       +-------+

Rungs of the ladder here: naive (the definition, loops) and im2col (one matrix product).
"""
import numpy as np

from ..shapes import conv_arguments, conv_geometry, conv_output_size, gradient_like
from .im2col import col2im, im2col


def conv_forward_naive(x, w, b, conv_param):
    """Convolve by the definition: four loops and one dot product each.

    x           (N, C, H, W) images, float32 or float64
    w           (F, C, HH, WW) filters
    b           (F,) biases
    conv_param  {"stride": step between windows, "pad": zeros around the image}
    Returns out (N, F, Ho, Wo), Ho = 1 + (H + 2 pad - HH) // stride, and the cache (x, w, b, (stride, pad)).
    Raises ValueError where the shapes do not fit.
    """
    x, w, b = conv_arguments(x, w, b)
    stride, pad = conv_geometry(conv_param)
    (N, _, H, W), (F, _, HH, WW) = x.shape, w.shape
    Ho, Wo = conv_output_size(H, HH, stride, pad), conv_output_size(W, WW, stride, pad)
    padded = np.pad(x, ((0, 0), (0, 0), (pad, pad), (pad, pad)))
    out = np.empty((N, F, Ho, Wo), dtype=x.dtype)
    for n in range(N):
        for f in range(F):
            for i in range(Ho):
                for j in range(Wo):
                    window = padded[n, :, i * stride:i * stride + HH, j * stride:j * stride + WW]
                    out[n, f, i, j] = np.sum(window * w[f]) + b[f]
    return out, (x, w, b, (stride, pad))


def conv_backward_naive(dout, cache, want_dx=True):
    """Walk the loops of the forward pass backwards.

    Each output reads its window once, out = sum(window * w) + b, so by the product rule it gives dout * w to the
    window, dout * window to the filter and dout to the bias; what is read many times adds up.

    dout (N, F, Ho, Wo). Returns dx, dw, db with the shapes of x, w, b; on every rung None takes the place of dx where
    the caller doesn't want it (of the first layer of a net).
    """
    x, w, b, (stride, pad) = cache
    (N, _, H, W), (F, _, HH, WW) = x.shape, w.shape
    Ho, Wo = conv_output_size(H, HH, stride, pad), conv_output_size(W, WW, stride, pad)
    dout = gradient_like(dout, (N, F, Ho, Wo), x.dtype, "conv")
    padded = np.pad(x, ((0, 0), (0, 0), (pad, pad), (pad, pad)))
    dpadded, dw, db = np.zeros_like(padded), np.zeros_like(w), np.zeros_like(b)
    for n in range(N):
        for f in range(F):
            for i in range(Ho):
                for j in range(Wo):
                    rows, columns = slice(i * stride, i * stride + HH), slice(j * stride, j * stride + WW)
                    dpadded[n, :, rows, columns] += dout[n, f, i, j] * w[f]
                    dw[f] += dout[n, f, i, j] * padded[n, :, rows, columns]
                    db[f] += dout[n, f, i, j]
    # pad:pad + H and not pad:-pad, which is empty for pad 0.
    return dpadded[:, :, pad:pad + H, pad:pad + W] if want_dx else None, dw, db


def filters_as_matrix(w):
    """View filters (F, C, HH, WW) as the matrix (HH * WW * C, F), rows as in im2col; free in channels-last memory."""
    F, C, HH, WW = w.shape
    return w.transpose(2, 3, 1, 0).reshape(HH * WW * C, F)


def blocks_of_images(N, numbers_per_image):
    """Cut N images into slices whose column matrices hold about 2 ** 18 numbers each: they stay in the L2 cache.

    One column matrix for the whole batch goes through main memory: forward and backward of 32 -> 64 filters on
    50 x 24 x 24 take 60 ms instead of 49, one thread; smaller layers gain nothing.
    """
    size = max(1, 2 ** 18 // numbers_per_image)
    return [slice(i, i + size) for i in range(0, N, size)]


def conv_forward_im2col(x, w, b, conv_param):
    """Convolve as a matrix product, out = im2col(x) @ W + b; arguments, returns and errors as conv_forward_naive.

    out is a view of channels-last memory (N, Ho, Wo, F). The cache is (x, w, (stride, pad)): the column matrix is
    HH * WW times as large as x, so it is built again in the backward pass rather than kept.
    """
    x, w, b = conv_arguments(x, w, b)
    stride, pad = conv_geometry(conv_param)
    (N, _, H, W), (F, _, HH, WW) = x.shape, w.shape
    Ho, Wo = conv_output_size(H, HH, stride, pad), conv_output_size(W, WW, stride, pad)
    matrix, out = filters_as_matrix(w), np.empty((N, Ho, Wo, F), dtype=x.dtype)
    for block in blocks_of_images(N, Ho * Wo * len(matrix)):
        rows = out[block].reshape(-1, F)
        np.matmul(im2col(x[block], HH, WW, stride, pad), matrix, out=rows)
        rows += b
    return out.transpose(0, 3, 1, 2), (x, w, (stride, pad))


def conv_backward_im2col(dout, cache, want_dx=True):
    """Backward of out = cols @ W + b: dW = cols^T dout, dcols = dout W^T, and col2im takes dcols back to dx.

    dout (N, F, Ho, Wo). Returns dx, dw, db; dx and dw are views of channels-last memory.
    """
    x, w, (stride, pad) = cache
    (N, C, H, W), (F, _, HH, WW) = x.shape, w.shape
    Ho, Wo = conv_output_size(H, HH, stride, pad), conv_output_size(W, WW, stride, pad)
    dout = gradient_like(dout, (N, F, Ho, Wo), x.dtype, "conv").transpose(0, 2, 3, 1)
    geometry = HH, WW, stride, pad
    matrix = filters_as_matrix(w)
    dx, dmatrix = np.empty((N, H, W, C), dtype=x.dtype).transpose(0, 3, 1, 2), np.zeros_like(matrix)
    for block in blocks_of_images(N, Ho * Wo * len(matrix)):
        rows = dout[block].reshape(-1, F)
        dmatrix += im2col(x[block], *geometry).T @ rows
        if want_dx:
            dx[block] = col2im(rows @ matrix.T, x[block].shape, *geometry)
    dw = dmatrix.reshape(HH, WW, C, F).transpose(3, 2, 0, 1)
    return dx if want_dx else None, dw, dout.sum(axis=(0, 1, 2))
