"""im2col: every window of an image becomes one row of a matrix, so that a convolution becomes a matrix product.

    x (N, C, H, W)  --im2col-->  cols (N * Ho * Wo, HH * WW * C)

Row (n, i, j) of cols holds the window whose top left corner is at (i * stride, j * stride) of the padded image n,
channels fastest. This order makes the copy cheap where the memory of x is channels-last, (N, H, W, C). The numbers
are those of x, each copied up to HH * WW times, so im2col is linear; col2im is its transpose (adjoint): it adds every
copy back to where it came from.
"""
import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from ..shapes import conv_output_size


def pad_channels_last(x, pad, fill=0):
    """Copy x (N, C, H, W) into a new array (N, H + 2 pad, W + 2 pad, C) with a border of the value fill."""
    N, C, H, W = x.shape
    padded = np.full((N, H + 2 * pad, W + 2 * pad, C), fill, dtype=x.dtype)
    padded[:, pad:pad + H, pad:pad + W] = x.transpose(0, 2, 3, 1)
    return padded


def unpad(padded, pad):
    """Cut the border off an array (N, H, W, C) and return it as (N, C, H - 2 pad, W - 2 pad), without a copy."""
    N, H, W, C = padded.shape
    return padded[:, pad:H - pad, pad:W - pad].transpose(0, 3, 1, 2)


def windows_of(padded, HH, WW, stride):
    """All windows of an array (N, H, W, C) as a view (N, Ho, Wo, HH, WW, C): nothing is copied."""
    view = sliding_window_view(padded, (HH, WW), axis=(1, 2))[:, ::stride, ::stride]
    return view.transpose(0, 1, 2, 4, 5, 3)


def im2col(x, HH, WW, stride=1, pad=0, fill=0):
    """Copy every HH x WW window of x (N, C, H, W) into one row of a matrix (N * Ho * Wo, HH * WW * C).

    fill is the value of the padding. Ho, Wo floor where the stride does not divide. The dtype is that of x.
    """
    conv_output_size(x.shape[2], HH, stride, pad), conv_output_size(x.shape[3], WW, stride, pad)
    return windows_of(pad_channels_last(x, pad, fill), HH, WW, stride).reshape(-1, HH * WW * x.shape[1])


def col2im(cols, x_shape, HH, WW, stride=1, pad=0):
    """Add every row of cols back to its window: the adjoint of im2col, returns (N, C, H, W) in channels-last memory.

    cols      (N * Ho * Wo, HH * WW * C), as im2col returns it
    x_shape   the shape (N, C, H, W) that im2col was given
    """
    N, C, H, W = x_shape
    Ho, Wo = conv_output_size(H, HH, stride, pad), conv_output_size(W, WW, stride, pad)
    cols = cols.reshape(N, Ho, Wo, HH, WW, C)
    padded = np.zeros((N, H + 2 * pad, W + 2 * pad, C), dtype=cols.dtype)
    for i in range(HH):
        for j in range(WW):
            # Within one offset (i, j) no two windows meet, so the addition needs no np.add.at (60 times slower).
            padded[:, i:i + stride * Ho:stride, j:j + stride * Wo:stride] += cols[:, :, :, i, j]
    return unpad(padded, pad)
