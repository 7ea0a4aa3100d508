"""The course's im2col: layers/im2col with the course's names, arguments and order of the matrix.

    x (N, C, H, W)  --im2col_indices-->  cols (C * HH * WW, Ho * Wo * N)

A column is a window, channel by channel; neighboring columns are windows of neighboring images.
"""
import numpy as np
from numpy.typing import NDArray

from .layers.im2col import col2im, im2col
from .shapes import conv_output_size
from .types import Array, Shape

__all__ = ["col2im_indices", "get_im2col_indices", "im2col_indices"]


def get_im2col_indices(x_shape: Shape, field_height: int, field_width: int, padding: int = 1,
                       stride: int = 1) -> tuple[NDArray[np.intp], NDArray[np.intp],
                                                 NDArray[np.intp]]:
    """Return indices (k, i, j) such that x_padded[:, k, i, j] is (N, C * HH * WW, Ho * Wo).

    k (C * HH * WW, 1) are channels, i and j (C * HH * WW, Ho * Wo) rows and columns of the padded
    images. Raises ValueError if no window fits.
    """
    _, C, H, W = x_shape
    Ho = conv_output_size(H, field_height, stride, padding)
    Wo = conv_output_size(W, field_width, stride, padding)
    k, row, column = np.indices((C, field_height, field_width)).reshape(3, -1, 1)
    top, left = stride * np.indices((Ho, Wo)).reshape(2, 1, -1)
    return k, row + top, column + left


def im2col_indices(x: Array, field_height: int, field_width: int, padding: int = 1,
                   stride: int = 1) -> Array:
    """Return the windows of x (N, C, H, W) as the columns of a matrix (C * HH * WW, Ho * Wo * N).

    Raises ValueError if no window fits.
    """
    N, C, _, _ = x.shape
    rows = im2col(x, field_height, field_width, stride, padding)
    windows = rows.reshape(N, -1, field_height * field_width, C).transpose(3, 2, 1, 0)
    return windows.reshape(C * field_height * field_width, -1)


def col2im_indices(cols: Array, x_shape: Shape, field_height: int = 3, field_width: int = 3,
                   padding: int = 1, stride: int = 1) -> Array:
    """Add every column of cols, as im2col_indices returns them, to its window of x_shape.

    Returns an array of x_shape (N, C, H, W). Raises ValueError if no window fits.
    """
    N, C, _, _ = x_shape
    windows = cols.reshape(C, field_height * field_width, -1, N).transpose(3, 2, 1, 0)
    return col2im(windows.reshape(-1, field_height * field_width * C), x_shape, field_height,
                  field_width, stride, padding)
