"""The sizes of a convolution and the layout of its workspace, as named tuples of ints.

See vectors/calls.py for how kernels take them.
"""
from typing import NamedTuple

from ..shapes import conv_output_size
from .vectors.machine import TILE_ROWS, lanes_of

VECTORS = 2  # columns of a register tile, in vectors


def round_up(n, multiple):
    """Return the smallest multiple that is at least n."""
    return -(-n // multiple) * multiple


class ConvSize(NamedTuple):
    """A convolution of images (H, W, C) with F filters HH x WW to (Ho, Wo, F)."""
    H: int
    W: int
    C: int
    F: int
    HH: int
    WW: int
    stride: int
    pad: int
    Ho: int
    Wo: int
    Cp: int     # C and F, rounded up to whole register tiles
    Fp: int
    lanes: int  # numbers in a vector


def conv_size(image_shape, w_shape, stride, pad, dtype):
    """Return the ConvSize of images (C, H, W) and filters (F, C, HH, WW).

    dtype   NumPy dtype of the arrays
    Raises the errors of conv_output_size.
    """
    C, H, W = image_shape
    F, _, HH, WW = w_shape
    lanes = lanes_of(dtype)
    Ho = conv_output_size(H, HH, stride, pad)
    Wo = conv_output_size(W, WW, stride, pad)
    columns = VECTORS * lanes
    return ConvSize(H=H, W=W, C=C, F=F, HH=HH, WW=WW, stride=stride, pad=pad, Ho=Ho, Wo=Wo,
                    Cp=round_up(C, columns), Fp=round_up(F, columns), lanes=lanes)


class Grid(NamedTuple):
    """An image in the workspace: `rows` rows of `width` pixels of `channels` numbers."""
    rows: int
    width: int
    channels: int
    row: int        # numbers in a row
    size: int       # numbers in all, see make_grid


def make_grid(rows, width, channels):
    """Return a Grid with room for one more register tile, which may be read but is ignored."""
    size = round_up((rows * width + TILE_ROWS) * channels, 16)
    return Grid(rows=rows, width=width, channels=channels, row=width * channels, size=size)


class Matrices(NamedTuple):
    """One matrix per position of a Winograd tile.

    Row t of matrix q begins at `at + q * apart + t * row`.
    """
    at: int
    row: int
    apart: int


class Plan(NamedTuple):
    """A convolution of one size, by Winograd's tiles of m outputs or direct (m = 0).

    It describes a block and the layout of the workspace. Unused fields are 0. Positions count the
    numbers in a thread's workspace.
    """
    size: ConvSize
    m: int
    images: int         # images in a block
    strip: int          # rows of outputs in a block: all, if it has several images
    x_grid: Grid        # a padded image, at 0
    z_grid: Grid        # an image of outputs, at z_at
    dx_grid: Grid       # the gradient of a padded image, at dx_at
    z_at: int
    dx_at: int
    scratch: int        # numbers in the workspace of a thread
    U_apart: int        # stride of the positions (direct: taps) of the weights
    UT_apart: int       # the same, of the turned weights
    dU_at: int          # where dw is summed, in the layout of the engine
    dU_apart: int = 0   # Winograd: stride of its positions
    across: int = 0     # Winograd: tiles in a row of an image
    V: Matrices = Matrices(at=0, row=0, apart=0)
    M: Matrices = Matrices(at=0, row=0, apart=0)
    run: int = 0        # direct: numbers in the row of a window, rounded up to whole tiles of dw
    # Direct: 1 if there are so few channels that dx uses weights that aren't turned, else 0.
    few_channels: int = 0
