"""The records of numbers and arrays that the kernels of a convolution and their steps take.

A record is built by keyword. Arrays are flat and C-contiguous; those that are not needed are empty.
"""
from typing import NamedTuple

from .vectors.calls import BOOL, BYTES, FLOATS, INT


class Epilogue(NamedTuple):
    """What a forward pass does with z = x * w + b.

    out is z or relu(z), pooled its 2 x 2 max-pool, and sums its moments.
    """
    writes: BOOL
    relu: BOOL
    pools: BOOL
    sums: BOOL
    # out is z itself, in the layout of plan.z_grid: there is no bias, nothing is rounded up, and
    # nothing is copied. Not for a large out: a copy past the caches takes less time.
    in_place: BOOL = False


class ForwardArrays(NamedTuple):
    """The arrays of a forward pass."""
    x: FLOATS        # (N, H, W, C)
    weights: FLOATS  # prepared for the engine, see weights.py
    bias: FLOATS     # (Fp,)
    sign: FLOATS     # (Fp,), see pixels.pool
    out: FLOATS      # (N, Ho, Wo, F)
    pooled: FLOATS   # (N, Ho // 2, Wo // 2, F)
    argmax: BYTES    # (N, Ho // 2, Wo // 2, Fp)
    sums: FLOATS     # (N, 2, Fp)


class BackwardOptions(NamedTuple):
    """Options of a backward pass."""
    relu: BOOL     # dz = dout where kept > 0
    want_dx: BOOL  # dx is computed as well


class BackwardArrays(NamedTuple):
    """The arrays of a backward pass, except the sums dw and db."""
    x: FLOATS        # (N, H, W, C)
    weights: FLOATS  # prepared for the engine, turned unless plan.few_channels
    dout: FLOATS     # (N, Ho, Wo, F), or below a max-pool (N, Ho // 2, Wo // 2, F)
    kept: FLOATS     # (N, Ho, Wo, F): output of ReLU; with batchnorm z, its input
    argmax: BYTES    # (N, Ho // 2, Wo // 2, Fp) below a max-pool, else empty
    vectors: FLOATS  # (4, Fp) with batchnorm, see pixels.unpool and mask
    dx: FLOATS       # result, like x


class Parts(NamedTuple):
    """How a batch is divided: into ranges of images, and every range into splits."""
    images: INT
    ranges: INT
    splits: INT


class Work(NamedTuple):
    """The work of one thread: one split (of the channels or rows) of the images begin...end."""
    begin: INT
    end: INT
    part: INT
    splits: INT


class Strip(NamedTuple):
    """The part of a block that one call multiplies: rows of outputs and some channels."""
    images: INT
    top: INT
    bottom: INT
    first: INT  # filters (backward: channels)
    last: INT


class Tiles(NamedTuple):
    """The tiles of one image that are transformed in one call."""
    image: INT  # its index in the block
    down: INT   # rows of tiles
    at: INT     # where the first one begins in the workspace
    first: INT  # channels
    last: INT


class Region(NamedTuple):
    """The part of one image that a step of pixels.py works on."""
    image: INT   # its index in the caller's arrays
    at: INT      # where it begins in the workspace
    top: INT     # rows of outputs, an even number except in the last region
    bottom: INT
    first: INT   # filters, or channels of dx
    last: INT
