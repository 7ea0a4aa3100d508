"""Batchnorm and groupnorm of images as layers of their own, compiled; the definitions are in layers/.

Batchnorm comes here where no convolution and ReLU stand on both sides of it. Groupnorm takes the same passes over the
numbers: from the sums of every channel of every image follow those of its groups.
"""
from typing import NamedTuple

import numpy as np

from ..arrays import arena
from ..arrays.seam import contiguous, padded
from ..kernels.shape import VECTORS, round_up
from ..kernels.vectors.machine import VECTOR_BYTES, lanes_of
from ..layers.batchnorm import batchnorm_settings
from ..layers.layernorm import groupnorm_arguments
from ..shapes import check, check_images, common_floats, gradient_like
from .batchnorm import backward_vectors, follow, forward_vectors, image_sums, over_images
from .pool import moved
from .sandwiches import images


class Channels(NamedTuple):
    """What the kernels ask of a size."""
    F: int
    Fp: int
    lanes: int

    def __reduce__(self):
        """A copy is of use where vectors have as many lanes."""
        return moved, (VECTOR_BYTES, Channels, *self)


def channels_of(x):
    """The Channels of x (N, H, W, C)."""
    lanes = lanes_of(x.dtype)
    return Channels(x.shape[3], round_up(x.shape[3], VECTORS * lanes), lanes)


def mapped(name, x, dout, vectors, size):
    """Run a step that gives every number of x and dout its successor; returns (N, C, H, W)."""
    out = arena.empty(x.shape, x.dtype)
    over_images(name, x, out, dout, None, vectors, None, size, relu=False)
    return images(out)


class BatchCache(NamedTuple):
    """What the backward pass of batchnorm needs."""
    x: np.ndarray        # (N, H, W, C) in memory
    size: Channels
    gamma: np.ndarray
    moments: np.ndarray  # (3, C) and (4, Fp), see kernels.batchnorm.forward_vectors
    vectors: np.ndarray
    train: bool


class GroupCache(NamedTuple):
    """What the backward pass of groupnorm needs."""
    x: np.ndarray        # (N, H, W, C) in memory
    size: Channels
    gamma: np.ndarray    # (G, C / G)
    mean: np.ndarray     # (N, G, 1) float64
    rstd: np.ndarray


def spatial_batchnorm_forward_fast(x, gamma, beta, bn_param):
    """Normalise every channel over N, H and W; arguments, returns and errors as layers.spatial_batchnorm_forward."""
    x, gamma, beta = common_floats("spatial_batchnorm", x=x, gamma=gamma, beta=beta)
    check_images(x, "spatial_batchnorm")
    check(x.size > 0, f"spatial_batchnorm: x has shape {x.shape}, expected (N, C, H, W) without an empty axis")
    mode, eps, momentum, running_mean, running_var = batchnorm_settings(x[:, :, 0, 0], gamma, beta, bn_param)
    x = contiguous(x, (0, 2, 3, 1))
    size = channels_of(x)
    if mode == "train":
        sums, pixels = image_sums("moments", x, None, None, size), x.shape[1] * x.shape[2]
    else:
        sums, pixels = padded(np.array([[running_mean, running_var]], x.dtype), size.Fp), 1
    moments, vectors = forward_vectors(sums, pixels, gamma, beta, eps)
    if mode == "train":
        follow(running_mean, moments[0], momentum)
        follow(running_var, moments[1], momentum)
    cache = BatchCache(x, size, gamma, moments, vectors, mode == "train")
    return mapped("normalise", x, None, vectors[2:], size), cache


def spatial_batchnorm_backward_fast(dout, cache):
    """Return dx (N, C, H, W), dgamma (C,), dbeta (C,)."""
    x, size, gamma, moments, vectors, train = cache
    dout = gradient_like(dout, images(x).shape, x.dtype, "spatial_batchnorm")
    dout = contiguous(dout, (0, 2, 3, 1))
    sums = image_sums("gradient_sums", x, dout, vectors, size)
    # In test mode mean and variance are constants, and dx is gamma rstd dout.
    count = x.size // size.F if train else np.inf
    dgamma, dbeta, line = backward_vectors(sums, gamma, moments, vectors[3], count)
    return mapped("line", x, dout, line, size), dgamma, dbeta


def spatial_groupnorm_forward_fast(x, gamma, beta, G, gn_param):
    """Normalise each group of channels of each image; as layers.spatial_groupnorm_forward."""
    x, gamma, beta, eps = groupnorm_arguments(x, gamma, beta, G, gn_param)
    x = contiguous(x, (0, 2, 3, 1))
    size = channels_of(x)
    means, squares = in_groups(image_sums("moments", x, None, None, size), size, G)
    mean = means.mean(axis=2, keepdims=True)  # Chan et al. 1983, of the channels of a group
    var = (squares / (x.shape[1] * x.shape[2]) + np.square(means - mean)).mean(axis=2, keepdims=True)
    rstd, gamma = 1 / np.sqrt(var + eps), gamma.reshape(G, -1)
    rows = gamma * rstd, beta.reshape(G, -1) - mean * gamma * rstd
    return mapped("normalise", x, None, vectors_of(rows, x, size), size), GroupCache(x, size, gamma, mean, rstd)


def spatial_groupnorm_backward_fast(dout, cache):
    """Return dx (N, C, H, W), dgamma and dbeta (1, C, 1, 1).

    With m and a the means of dxhat = gamma dout and of dxhat xhat in a group: dx = rstd (dxhat - m - a xhat).
    """
    x, size, gamma, mean, rstd = cache
    G, count = len(gamma), x[0].size // len(gamma)
    dout = gradient_like(dout, images(x).shape, x.dtype, "spatial_groupnorm")
    dout = contiguous(dout, (0, 2, 3, 1))
    sums = image_sums("gradient_sums", x, dout, vectors_of((mean, rstd), x, size), size)
    totals, along = in_groups(sums, size, G)
    m, a = ((gamma * each).sum(axis=2, keepdims=True) / count for each in (totals, along))
    slope = -rstd * rstd * a
    dx = mapped("line", x, dout, vectors_of((rstd * gamma, slope, -rstd * m - slope * mean), x, size), size)
    dgamma, dbeta = (each.sum(axis=0).reshape(1, -1, 1, 1).astype(x.dtype) for each in (along, totals))
    return dx, dgamma, dbeta


def in_groups(sums, size, G):
    """Return both of sums (N, 2, Fp) as float64 (N, G, C / G)."""
    return np.moveaxis(sums[:, :, :size.F].astype(np.float64).reshape(len(sums), 2, G, -1), 1, 0)


def vectors_of(rows, x, size):
    """Return rows (N, G, C / G), or (N, G, 1) for all channels of a group, as the kernels read them, (N, rows, Fp)."""
    G = rows[0].shape[1]
    rows = [np.broadcast_to(row, (len(x), G, size.F // G)).reshape(len(x), -1) for row in rows]
    return padded(np.stack(rows, axis=1).astype(x.dtype), size.Fp)
