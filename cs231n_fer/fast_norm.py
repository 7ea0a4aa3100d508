"""Batchnorm and groupnorm of images as layers of their own, compiled; the definitions are in layers/.

Batchnorm comes here where no convolution and ReLU stand on both sides of it. Groupnorm takes the same passes over the
numbers: from the sums of every channel of every image follow those of its groups.
"""
from typing import NamedTuple

import numpy as np

from . import memory
from .fast_batchnorm import line_of_z, over_images, total_moments
from .fast_sandwiches import images
from .kernels.machine import lanes_of
from .kernels.shape import VECTORS, round_up
from .layers.batchnorm import batchnorm_settings, update_average
from .layers.layernorm import groupnorm_settings
from .memory import contiguous, padded
from .shapes import check_images


class Channels(NamedTuple):
    """What the kernels ask of a size."""
    F: int
    Fp: int
    lanes: int


def channels_of(x):
    """The Channels of x (N, H, W, C)."""
    lanes = lanes_of(x.dtype)
    return Channels(x.shape[3], round_up(x.shape[3], VECTORS * lanes), lanes)


def image_sums(name, x, dout, vectors, size):
    """Run a step that adds up each channel of each image; returns its sums (N, 2, C)."""
    sums = memory.empty((len(x), 2, size.Fp), x.dtype)
    over_images(name, x, None, dout, None, vectors, sums, size, relu=False)
    return sums[:, :, :size.F]


def mapped(name, x, dout, vectors, size):
    """Run a step that gives every number of x and dout its successor; returns (N, C, H, W)."""
    out = memory.empty(x.shape, x.dtype)
    over_images(name, x, out, dout, None, vectors, None, size, relu=False)
    return images(out)


class NormCache(NamedTuple):
    """mean and rstd are float64: (C,) of batchnorm, (N, G, 1) of groupnorm."""
    x: np.ndarray  # (N, H, W, C) in memory
    size: Channels
    gamma: np.ndarray
    mean: np.ndarray
    rstd: np.ndarray
    train: bool


def spatial_batchnorm_forward_fast(x, gamma, beta, bn_param):
    """Normalise every channel over N, H and W; arguments, returns and errors as layers.spatial_batchnorm_forward."""
    check_images(x, "spatial_batchnorm")
    mode, eps, momentum, running_mean, running_var = batchnorm_settings(x[:, :, 0, 0], gamma, beta, bn_param)
    x = contiguous(x, (0, 2, 3, 1))
    size = channels_of(x)
    mean, var = running_mean.astype(np.float64), running_var.astype(np.float64)
    if mode == "train":
        (mean,), (var,) = total_moments(image_sums("moments", x, None, None, size), x.shape[1] * x.shape[2])
        update_average(running_mean, mean.astype(x.dtype), momentum)
        update_average(running_var, var.astype(x.dtype), momentum)
    rstd = 1 / np.sqrt(var + eps)
    vectors = padded(np.array([gamma * rstd, beta - mean * gamma * rstd], x.dtype), size.Fp)
    return mapped("normalise", x, None, vectors, size), NormCache(x, size, gamma, mean, rstd, mode == "train")


def spatial_batchnorm_backward_fast(dout, cache):
    """Return dx (N, C, H, W), dgamma (C,), dbeta (C,)."""
    x, size, gamma, mean, rstd, train = cache
    dout, dtype = contiguous(dout, (0, 2, 3, 1)), x.dtype
    sums = image_sums("gradient_sums", x, dout, padded(np.array([mean, rstd], dtype), size.Fp), size)
    dbeta, dgamma = sums.sum(axis=0, dtype=np.float64)
    # In test mode mean and variance are constants, and dx is gamma rstd dout.
    count = x.size // size.F if train else np.inf
    line = padded(line_of_z(dgamma, dbeta, gamma, mean, rstd, count, dtype), size.Fp)
    return mapped("line", x, dout, line, size), dgamma.astype(dtype), dbeta.astype(dtype)


def spatial_groupnorm_forward_fast(x, gamma, beta, G, gn_param):
    """Normalise each group of channels of each image; as layers.spatial_groupnorm_forward."""
    eps = groupnorm_settings(x, gamma, beta, G, gn_param)
    x = contiguous(x, (0, 2, 3, 1))
    size = channels_of(x)
    sums = in_groups(image_sums("moments", x, None, None, size), G)
    mean, var = total_moments(sums, x.shape[1] * x.shape[2], axis=2)
    rstd, gamma = 1 / np.sqrt(var + eps), gamma.reshape(G, -1)
    rows = gamma * rstd, beta.reshape(G, -1) - mean * gamma * rstd
    cache = NormCache(x, size, gamma, mean, rstd, True)
    return mapped("normalise", x, None, vectors_of(rows, x, size), size), cache


def spatial_groupnorm_backward_fast(dout, cache):
    """Return dx (N, C, H, W), dgamma and dbeta (1, C, 1, 1).

    With m and a the means of dxhat = gamma dout and of dxhat xhat in a group: dx = rstd (dxhat - m - a xhat).
    """
    x, size, gamma, mean, rstd, _ = cache
    G, count = len(gamma), x[0].size // len(gamma)
    dout = contiguous(dout, (0, 2, 3, 1))
    sums = image_sums("gradient_sums", x, dout, vectors_of((mean, rstd), x, size), size)
    totals, along = np.moveaxis(in_groups(sums, G).astype(np.float64), 1, 0)
    m, a = ((gamma * each).sum(axis=2, keepdims=True) / count for each in (totals, along))
    slope = -rstd * rstd * a
    dx = mapped("line", x, dout, vectors_of((rstd * gamma, slope, -rstd * m - slope * mean), x, size), size)
    dgamma, dbeta = (each.sum(axis=0).reshape(1, -1, 1, 1).astype(x.dtype) for each in (along, totals))
    return dx, dgamma, dbeta


def in_groups(sums, G):
    """Return sums (N, 2, C) as (N, 2, G, C / G)."""
    return sums.reshape(len(sums), 2, G, -1)


def vectors_of(rows, x, size):
    """Return rows (N, G, C / G), or (N, G, 1) for all channels of a group, as the kernels read them, (N, rows, Fp)."""
    G = rows[0].shape[1]
    rows = [np.broadcast_to(row, (len(x), G, size.F // G)).reshape(len(x), -1) for row in rows]
    return padded(np.stack(rows, axis=1).astype(x.dtype), size.Fp)
