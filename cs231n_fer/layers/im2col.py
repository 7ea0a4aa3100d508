"""im2col: the windows of an image become the rows of a matrix, and convolution a matrix product.

    x (N, C, H, W)  --im2col-->  cols (N * Ho * Wo, HH * WW * C)

For one image of 3 x 3 pixels and windows of 2 x 2:

       x                     cols
    a  b  c              a  b  d  e      window at (0, 0)
    d  e  f   --im2col-> b  c  e  f      window at (0, 1)
    g  h  i              d  e  g  h      window at (1, 0)
                         e  f  h  i      window at (1, 1)

Row (n, i, j) holds the window whose top left corner is pixel (i * stride, j * stride) of image n,
after padding: its pixels in reading order, and all channels of a pixel one after the other, as they
lie in channels-last memory.

im2col copies every number up to HH * WW times (e above 4 times), so it is linear, and its backward
pass col2im is the transpose of the same linear map: the gradients of all copies of a number add up.
The gradient of e above is the sum of four entries of dcols.
"""
import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from ..shapes import conv_output_size
from ..types import Array, Shape

__all__ = ["im2col", "col2im"]


def im2col(x: Array, HH: int, WW: int, stride: int = 1, pad: int = 0, fill: float = 0) -> Array:
    """Return a matrix (N * Ho * Wo, HH * WW * C) whose rows are the windows of x.

    x         (N, C, H, W)
    HH, WW    height and width of the windows
    stride    distance between neighboring windows
    pad       width of the border that is added to the images
    fill      value of the border
    Windows that don't fit entirely are left out. The matrix has the dtype of x. Raises ValueError
    if no window fits.
    """
    conv_output_size(x.shape[2], HH, stride, pad)
    conv_output_size(x.shape[3], WW, stride, pad)
    windows = windows_of(pad_channels_last(x, pad, fill), HH, WW, stride)
    return windows.reshape(-1, HH * WW * x.shape[1])


def col2im(cols: Array, x_shape: Shape, HH: int, WW: int, stride: int = 1, pad: int = 0) -> Array:
    """Add every row of cols to its window of an image: the transpose (adjoint) of im2col.

    cols      (N * Ho * Wo, HH * WW * C), rows as im2col returns them
    x_shape   (N, C, H, W), the shape of im2col's x; the other arguments are those of im2col
    Returns an array of x_shape, in channels-last memory.
    """
    N, C, H, W = x_shape
    Ho = conv_output_size(H, HH, stride, pad)
    Wo = conv_output_size(W, WW, stride, pad)
    cols = cols.reshape(N, Ho, Wo, HH, WW, C)
    padded = np.zeros((N, H + 2 * pad, W + 2 * pad, C), dtype=cols.dtype)
    for i in range(HH):
        for j in range(WW):
            # Pixel (i, j) is a different pixel of the image for every window, so that += adds all
            # numbers; np.add.at, which allows for repeated indices, takes 60 times as long.
            padded[:, i:i + stride * Ho:stride, j:j + stride * Wo:stride] += cols[:, :, :, i, j]
    return unpad(padded, pad)


def pad_channels_last(x: Array, pad: int, fill: float = 0) -> Array:
    """Return a copy (N, H + 2 pad, W + 2 pad, C) of x (N, C, H, W), with a border of value fill."""
    N, C, H, W = x.shape
    padded = np.full((N, H + 2 * pad, W + 2 * pad, C), fill, dtype=x.dtype)
    padded[:, pad:pad + H, pad:pad + W] = x.transpose(0, 2, 3, 1)
    return padded


def unpad(padded: Array, pad: int) -> Array:
    """Return a view (N, C, H - 2 pad, W - 2 pad) of padded (N, H, W, C), without its border."""
    N, H, W, C = padded.shape
    return padded[:, pad:H - pad, pad:W - pad].transpose(0, 3, 1, 2)


def windows_of(padded: Array, HH: int, WW: int, stride: int) -> Array:
    """Return a view (N, Ho, Wo, HH, WW, C) of all windows of padded (N, H, W, C)."""
    view = sliding_window_view(padded, (HH, WW), axis=(1, 2))[:, ::stride, ::stride]
    return view.transpose(0, 1, 2, 4, 5, 3)
