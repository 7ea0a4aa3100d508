"""Batchnorm of images as a layer of its own, compiled: where no convolution and ReLU stand on both sides of it.

The definition is layers.spatial_batchnorm_forward and _backward.
"""
from typing import NamedTuple

import numpy as np

from . import memory
from .fast_batchnorm import line_of_z, over_images, total_moments
from .fast_sandwiches import images
from .kernels.machine import lanes_of
from .kernels.shape import VECTORS, round_up
from .layers.batchnorm import batchnorm_settings, update_average
from .memory import contiguous, padded
from .shapes import check_images


class Channels(NamedTuple):
    """What the kernels ask of a size."""
    F: int
    Fp: int
    lanes: int


class NormCache(NamedTuple):
    """mean and rstd (C,) are float64."""
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
    x, lanes = contiguous(x, (0, 2, 3, 1)), lanes_of(x.dtype)
    size = Channels(x.shape[3], round_up(x.shape[3], VECTORS * lanes), lanes)
    mean, var = running_mean.astype(np.float64), running_var.astype(np.float64)
    if mode == "train":
        sums = memory.empty((len(x), 2, size.Fp), x.dtype)
        over_images("moments", x, None, None, None, None, sums, size)
        mean, var = total_moments(sums[:, :, :size.F], x.shape[1] * x.shape[2])
        update_average(running_mean, mean.astype(x.dtype), momentum)
        update_average(running_var, var.astype(x.dtype), momentum)
    rstd = 1 / np.sqrt(var + eps)
    vectors = padded(np.array([gamma * rstd, beta - mean * gamma * rstd], x.dtype), size.Fp)
    out = memory.empty(x.shape, x.dtype)
    over_images("normalise", x, out, None, None, vectors, None, size, relu=False)
    return images(out), NormCache(x, size, gamma, mean, rstd, mode == "train")


def spatial_batchnorm_backward_fast(dout, cache):
    """Return dx (N, C, H, W), dgamma (C,), dbeta (C,)."""
    x, size, gamma, mean, rstd, train = cache
    dout, dtype = contiguous(dout, (0, 2, 3, 1)), x.dtype
    sums = memory.empty((len(x), 2, size.Fp), dtype)
    vectors = padded(np.array([mean, rstd], dtype), size.Fp)
    over_images("gradient_sums", x, None, dout, None, vectors, sums, size, relu=False)
    dbeta, dgamma = sums[:, :, :size.F].sum(axis=0, dtype=np.float64)
    # In test mode mean and variance are constants, and dx is gamma rstd dout.
    count = x.size // size.F if train else np.inf
    line = padded(line_of_z(dgamma, dbeta, gamma, mean, rstd, count, dtype), size.Fp)
    dx = memory.empty(x.shape, dtype)
    over_images("line", x, dx, dout, None, line, None, size)
    return images(dx), dgamma.astype(dtype), dbeta.astype(dtype)
