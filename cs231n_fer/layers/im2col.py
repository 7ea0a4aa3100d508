"""im2col: the windows of an image become the rows of a matrix, and convolution a matrix product.

x (N, C, H, W)  --im2col-->  cols (N * Ho * Wo, HH * WW * C)

An image of 1 x 3 x 3 pixels has four windows of 2 x 2:

    +-------+                +-------+
    | a   b | c            a | b   c |          a   b   c            a   b   c
    |       |                |       |        +-------+                +-------+
    | d   e | f            d | e   f |        | d   e | f            d | e   f |
    +-------+                +-------+        |       |                |       |
      g   h   i            g   h   i          | g   h | i            g | h   i |
                                              +-------+                +-------+
     window 0              window 1            window 2              window 3

Each window is a row of cols, and the filter a column. Their product is the convolution:

                       cols               filter       out
    window 0    [ a   b   d   e ]         [ p ]       [ a p + b q + d r + e s ]
    window 1    [ b   c   e   f ]         [ q ]       [ b p + c q + e r + f s ]
    window 2    [ d   e   g   h ]    @    [ r ]   =   [ d p + e q + g r + h s ]
    window 3    [ e   f   h   i ]         [ s ]       [ e p + f q + h r + i s ]

In general, row (n, i, j) holds the window whose top left corner is pixel (i * stride, j * stride)
of image n after padding: its pixels in reading order, and for each pixel all channels.

The backward pass is col2im. im2col only copies numbers, e above into four places. A change of e
changes all its copies alike, so the gradients of the copies add up:

    de = dcols[0, 3] + dcols[1, 2] + dcols[2, 1] + dcols[3, 0]

As a linear map of x, im2col is a matrix of zeros and ones, and col2im is the transpose of it.
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
    The matrix has the dtype of x. Windows that extend beyond the border are left out. Raises
    ValueError if no window fits.
    """
    conv_output_size(x.shape[2], HH, stride, pad)
    conv_output_size(x.shape[3], WW, stride, pad)
    windows = windows_of(with_border(x, pad, fill), HH, WW, stride)
    return windows.reshape(-1, HH * WW * x.shape[1])


def col2im(cols: Array, x_shape: Shape, HH: int, WW: int, stride: int = 1, pad: int = 0) -> Array:
    """Add every row of cols to its window of an image: the transpose (adjoint) of im2col.

    cols      (N * Ho * Wo, HH * WW * C), with rows as im2col returns them
    x_shape   (N, C, H, W), the shape of im2col's x; the other arguments are those of im2col
    Returns an array of shape x_shape. Raises ValueError if no window fits.
    """
    N, C, H, W = x_shape
    Ho = conv_output_size(H, HH, stride, pad)
    Wo = conv_output_size(W, WW, stride, pad)
    cols = cols.reshape(N, Ho, Wo, HH, WW, C)
    padded = np.zeros((N, H + 2 * pad, W + 2 * pad, C), dtype=cols.dtype)
    for i in range(HH):
        for j in range(WW):
            # Pixel (i, j) of every window is a different pixel of the image, so += adds every
            # number; indices that repeat would need np.add.at.
            padded[:, i:i + stride * Ho:stride, j:j + stride * Wo:stride] += cols[:, :, :, i, j]
    return unpad(padded, pad)


def with_border(x: Array, pad: int, fill: float = 0) -> Array:
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
