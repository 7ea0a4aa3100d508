"""What batchnorm and groupnorm compute for every channel, and their passes over all pixels.

Both norms, fused with a convolution or alone, take these functions. Arrays of images are stored as
(N, H, W, C). Between two passes there is a small array `vectors` with a few numbers for each
channel; kernels/batchnorm.py says which.
"""
from typing import Any, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from ..arrays import arena
from ..arrays.seam import contiguous
from ..kernels import batchnorm as kernels
from ..kernels.shape import VECTORS, ConvSize, round_up
from ..kernels.vectors.calls import Step
from ..kernels.vectors.machine import VECTOR_BYTES, lanes_of
from ..layers.batchnorm import update_average
from ..types import Array
from .copies import rebuilt

__all__ = ["Channels", "Moments", "backward_vectors", "channels_of", "follow", "forward_vectors",
           "image_sums", "over_images"]

Moments: TypeAlias = NDArray[np.float64]  # (3, F): mean, variance and rstd = 1 / sqrt(var + eps)


class Channels(NamedTuple):
    """The number of channels of images: F, and Fp rounded up to whole register tiles."""
    F: int
    Fp: int
    lanes: int

    def __reduce__(self) -> tuple[Any, ...]:
        """Refuse a copy where vectors have another size."""
        return rebuilt, (VECTOR_BYTES, Channels, *self)


def channels_of(x: Array) -> Channels:
    """Return the Channels of x (N, H, W, C)."""
    lanes = lanes_of(x.dtype)
    return Channels(x.shape[3], round_up(x.shape[3], VECTORS * lanes), lanes)


def over_images(kernel: Step, z: Array, size: Channels | ConvSize, *, out: Array | None = None,
                dout: Array | None = None, argmax: NDArray[np.uint8] | None = None,
                vectors: Array | None = None, sums: Array | None = None,
                relu: bool = False) -> None:
    """Run a step of kernels/batchnorm.py, which says what it reads and writes, over all images.

    z, out, dout   (N, H, W, F)
    argmax         (N, H, W, Fp): of every window, behind a max-pool
    vectors        (k, Fp), or (N, k, Fp) if every image has its own
    sums           (N, 2, Fp)
    """
    nothing = np.empty(0, z.dtype)
    arrays = kernels.Arrays(
        z=z.reshape(-1), out=nothing if out is None else out.reshape(-1),
        dout=nothing if dout is None else dout.reshape(-1),
        argmax=np.empty(0, np.uint8) if argmax is None else argmax.reshape(-1),
        vectors=nothing if vectors is None else vectors.reshape(-1),
        sums=nothing if sums is None else sums.reshape(-1))
    apart = 0 if vectors is None or vectors.ndim == 2 else vectors[0].size
    settings = kernels.Settings(
        pixels=z.shape[1] * z.shape[2], F=size.F, Fp=size.Fp, lanes=size.lanes,
        vectors_apart=apart, relu=relu)
    kernels.over_images(kernel.address(z.dtype), arrays, settings, len(z))


def image_sums(kernel: Step, z: Array, size: Channels | ConvSize, *, dout: Array | None = None,
               argmax: NDArray[np.uint8] | None = None, vectors: Array | None = None,
               relu: bool = False) -> Array:
    """Run a step that adds up every channel of every image; return the sums (N, 2, Fp)."""
    sums = arena.empty((len(z), 2, size.Fp), z.dtype)
    over_images(kernel, z, size, dout=dout, argmax=argmax, vectors=vectors, sums=sums, relu=relu)
    return sums


def forward_vectors(sums: Array, pixels: int, gamma: Array, beta: Array, eps: float,
                    ) -> tuple[Moments, Array]:
    """Return the moments (3, F) of a batch, and the vectors (4, Fp) that normalize it.

    sums     (N, 2, Fp): of the images, see kernels.batchnorm.moments
    pixels   of an image
    """
    moments = np.empty((3, len(gamma)))
    vectors = np.empty((4, sums.shape[2]), sums.dtype)
    kernels.forward_vectors(sums, pixels, contiguous(gamma, (0,)), contiguous(beta, (0,)), eps,
                            moments, vectors)
    return moments, vectors


def backward_vectors(sums: Array, gamma: Array, moments: Moments, shift: Array, count: float,
                     ) -> tuple[Array, Array, Array]:
    """Return dgamma, dbeta (F,) of a batch, and the vectors (4, Fp) that give dz from dout and z.

    sums    (N, 2, Fp): of the images, see kernels.batchnorm.gradient_sums
    shift   (F,) or (Fp,) of the forward pass
    count   elements of a channel that were normalized together
    """
    totals = np.empty((2, len(gamma)))
    vectors = np.empty((4, sums.shape[2]), sums.dtype)
    kernels.backward_vectors(sums, contiguous(gamma, (0,)), moments, shift, float(count), totals,
                             vectors)
    dbeta, dgamma = totals.astype(sums.dtype)
    return dgamma, dbeta, vectors


def follow(running: Array, new: Array, momentum: float) -> None:
    """Move a running average (F,) towards a new value, in place; see layers.batchnorm.

    In a training step each call of NumPy takes about 20 us (AMD EPYC), as its code is in no cache;
    so a kernel takes its place where it can.
    """
    if running.dtype in (np.float32, np.float64) and running.flags.writeable:
        kernels.update_average(running, new, momentum)
    else:
        update_average(running, new.astype(running.dtype, copy=False), momentum)
