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
    # out is z itself, and its memory laid out as plan.z_grid: no bias, nothing rounded up, nothing
    # to copy. Not for a large one, which is copied past the caches in less time.
    in_place: BOOL = False


class ForwardArrays(NamedTuple):
    """The arrays of a forward pass."""
    x: FLOATS        # (N, H, W, C)
    weights: FLOATS  # as the engine multiplies with them, see weights.py
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
    weights: FLOATS  # as the engine multiplies with them, turned unless plan.few_channels
    dout: FLOATS     # (N, Ho, Wo, F), or below a max-pool (N, Ho // 2, Wo // 2, F)
    kept: FLOATS     # (N, Ho, Wo, F): what ReLU gave; with batchnorm z, its input
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
    image: INT  # which image of the block it is
    down: INT   # rows of tiles
    at: INT     # where the first of them begins in the image's memory
    first: INT  # channels
    last: INT


class Region(NamedTuple):
    """The part of one image that a step of pixels.py works on."""
    image: INT   # which image of the caller's arrays it is
    at: INT      # where it begins in scratch memory
    top: INT     # rows of outputs, an even number of them but for the last of an image
    bottom: INT
    first: INT   # filters, or channels of dx
    last: INT
