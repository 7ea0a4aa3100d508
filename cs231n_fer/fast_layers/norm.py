"""Batchnorm and groupnorm of images as layers of their own, compiled.

The definitions are in layers/batchnorm.py and layers/layernorm.py. Batchnorm between a convolution
and a ReLU is fused with them, see batchnorm.py. Groupnorm makes the same passes over all pixels as
batchnorm: the sums of a group follow from those of its channels in every image.
"""
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..arrays import arena
from ..arrays.seam import channels_first, contiguous, padded
from ..kernels import batchnorm as kernels
from ..kernels.vectors.calls import Step
from ..layers.batchnorm import batchnorm_settings
from ..layers.layernorm import groupnorm_arguments
from ..shapes import check_pixels, checked_cache, common_floats, gradient_like
from ..types import Array, BatchnormParam, NormParam
from .channels import (
    Channels,
    Moments,
    backward_vectors,
    channels_of,
    follow,
    forward_vectors,
    image_sums,
    over_images,
)

__all__ = ["spatial_batchnorm_backward_fast", "spatial_batchnorm_forward_fast",
           "spatial_groupnorm_backward_fast", "spatial_groupnorm_forward_fast"]


class BatchCache(NamedTuple):
    """What the backward pass of batchnorm needs."""
    x: Array          # (N, H, W, C)
    size: Channels
    gamma: Array
    moments: Moments
    vectors: Array    # (4, Fp), see channels.forward_vectors
    train: bool


class GroupCache(NamedTuple):
    """What the backward pass of groupnorm needs."""
    x: Array                   # (N, H, W, C)
    size: Channels
    gamma: Array               # (G, C / G)
    mean: NDArray[np.float64]  # (N, G, 1)
    rstd: NDArray[np.float64]  # (N, G, 1)


def spatial_batchnorm_forward_fast(x: Array, gamma: Array, beta: Array, bn_param: BatchnormParam,
                                   ) -> tuple[Array, BatchCache]:
    """Normalize every channel over N, H and W.

    Arguments, returns and errors are those of layers.spatial_batchnorm_forward. The cache keeps x
    and the moments.
    """
    x, gamma, beta = common_floats("spatial_batchnorm", x=x, gamma=gamma, beta=beta)
    check_pixels(x, "spatial_batchnorm")
    mode, eps, momentum, running_mean, running_var = batchnorm_settings(
        x[:, :, 0, 0], gamma, beta, bn_param)
    x = contiguous(x, (0, 2, 3, 1))
    size = channels_of(x)
    if mode == "train":
        sums = image_sums(kernels.moments, x, size)
        pixels = x.shape[1] * x.shape[2]
    else:
        sums = padded(np.array([[running_mean, running_var]], x.dtype), size.Fp)
        pixels = 1
    moments, vectors = forward_vectors(sums, pixels, gamma, beta, eps)
    if mode == "train":
        follow(running_mean, moments[0], momentum)
        follow(running_var, moments[1], momentum)
    cache = BatchCache(x, size, gamma, moments, vectors, mode == "train")
    return mapped(kernels.normalise, x, size, vectors[2:]), cache


def spatial_batchnorm_backward_fast(dout: Array, cache: BatchCache) -> tuple[Array, Array, Array]:
    """Return dx (N, C, H, W), dgamma (C,), dbeta (C,)."""
    x, size, gamma, moments, vectors, train = checked_cache(cache, BatchCache, "spatial_batchnorm")
    dout = gradient_like(dout, channels_first(x).shape, x.dtype, "spatial_batchnorm")
    dout = contiguous(dout, (0, 2, 3, 1))
    sums = image_sums(kernels.gradient_sums, x, size, dout=dout, vectors=vectors)
    # In test mode mean and variance are constants, and dx is gamma rstd dout.
    count = x.size // size.F if train else np.inf
    dgamma, dbeta, line = backward_vectors(sums, gamma, moments, vectors[3], count)
    return mapped(kernels.line, x, size, line, dout), dgamma, dbeta


def spatial_groupnorm_forward_fast(x: Array, gamma: Array, beta: Array, G: int, gn_param: NormParam,
                                   ) -> tuple[Array, GroupCache]:
    """Normalize every group of channels of every image.

    Arguments, returns and errors are those of layers.spatial_groupnorm_forward. The moments of a
    group are combined from those of its channels (Chan et al. 1983). The cache keeps x and the
    moments.
    """
    x, gamma, beta, eps = groupnorm_arguments(x, gamma, beta, G, gn_param)
    x = contiguous(x, (0, 2, 3, 1))
    size = channels_of(x)
    means, squares = in_groups(image_sums(kernels.moments, x, size), size, G)
    mean = means.mean(axis=2, keepdims=True)
    variances = squares / (x.shape[1] * x.shape[2])
    var = (variances + np.square(means - mean)).mean(axis=2, keepdims=True)
    rstd = 1 / np.sqrt(var + eps)
    gamma = gamma.reshape(G, -1)
    scale = gamma * rstd
    shift = beta.reshape(G, -1) - mean * gamma * rstd
    out = mapped(kernels.normalise, x, size, vectors_of((scale, shift), x, size))
    return out, GroupCache(x, size, gamma, mean, rstd)


def spatial_groupnorm_backward_fast(dout: Array, cache: GroupCache) -> tuple[Array, Array, Array]:
    """Return dx (N, C, H, W), dgamma and dbeta (1, C, 1, 1).

    With m and a the means of dxhat = gamma dout and of dxhat xhat over a group,
    dx = rstd (dxhat - m - a xhat).
    """
    x, size, gamma, mean, rstd = checked_cache(cache, GroupCache, "spatial_groupnorm")
    G = len(gamma)
    count = x[0].size // G
    dout = gradient_like(dout, channels_first(x).shape, x.dtype, "spatial_groupnorm")
    dout = contiguous(dout, (0, 2, 3, 1))
    sums = image_sums(kernels.gradient_sums, x, size, dout=dout,
                      vectors=vectors_of((mean, rstd), x, size))
    totals, along = in_groups(sums, size, G)
    m = (gamma * totals).sum(axis=2, keepdims=True) / count
    a = (gamma * along).sum(axis=2, keepdims=True) / count
    slope = -rstd * rstd * a
    line = vectors_of((rstd * gamma, slope, -rstd * m - slope * mean), x, size)
    dgamma = along.sum(axis=0).reshape(1, -1, 1, 1).astype(x.dtype)
    dbeta = totals.sum(axis=0).reshape(1, -1, 1, 1).astype(x.dtype)
    return mapped(kernels.line, x, size, line, dout), dgamma, dbeta


def mapped(kernel: Step, x: Array, size: Channels, vectors: Array, dout: Array | None = None,
           ) -> Array:
    """Run a step of kernels/batchnorm.py that writes an array like x; return it as (N, C, H, W)."""
    out = arena.empty(x.shape, x.dtype)
    over_images(kernel, x, size, out=out, dout=dout, vectors=vectors)
    return channels_first(out)


def in_groups(sums: Array, size: Channels, G: int) -> NDArray[np.float64]:
    """Return sums (N, 2, Fp) of channels by groups, (2, N, G, C / G)."""
    by_group = sums[:, :, :size.F].astype(np.float64).reshape(len(sums), 2, G, -1)
    return np.moveaxis(by_group, 1, 0)


def vectors_of(rows: tuple[Array, ...], x: Array, size: Channels) -> Array:
    """Return k rows as vectors (N, k, Fp) in the dtype of x.

    rows   (N, G, C / G), or (N, G, 1) for all channels of a group
    """
    N = len(x)
    G = rows[0].shape[1]
    wide = [np.broadcast_to(row, (N, G, size.F // G)).reshape(N, -1) for row in rows]
    return padded(np.stack(wide, axis=1).astype(x.dtype), size.Fp)
