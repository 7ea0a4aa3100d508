"""Batch normalization: every feature gets mean 0 and variance 1 over the batch.

    mean = 1/N sum x                            var = 1/N sum (x - mean)^2
    xhat = (x - mean) / sqrt(var + eps)         out = gamma * xhat + beta

(Ioffe & Szegedy 2015, algorithm 1.) Training also keeps running averages of mean and var. Test mode
uses them in place of the mean and var of the batch, so the output for a sample doesn't depend on
the other samples. For images, the mean and the variance of a channel are taken over N, H and W
(spatial batchnorm).

There are three backward passes: naive, in loops; graph, one line for each node of the forward pass;
and alt, the formula that the graph simplifies to.
"""
import numpy as np

from ..shapes import (
    check_pixels,
    checked_cache,
    common_floats,
    eps_of,
    gradient_like,
    plain_array,
    warn_unknown,
)
from ..types import Array, BatchnormParam, Cache, Shape
from .averages import check_apart, check_average

__all__ = [
    "batchnorm_forward_naive", "batchnorm_backward_naive",
    "batchnorm_forward", "batchnorm_backward", "batchnorm_backward_alt",
    "spatial_batchnorm_forward_naive", "spatial_batchnorm_backward_naive",
    "spatial_batchnorm_forward", "spatial_batchnorm_backward",
]

CACHE = (np.ndarray, np.ndarray, np.ndarray, str)  # x - mean, rstd, gamma, mode
SETTINGS = frozenset(("mode", "eps", "momentum", "running_mean", "running_var"))


def batchnorm_forward_naive(
        x: Array, gamma: Array, beta: Array, bn_param: BatchnormParam) -> tuple[Array, Cache]:
    """Normalize one feature at a time, by the definition.

    See batchnorm_forward for the arguments, the results and the errors.
    """
    x, gamma, beta = common_floats("batchnorm", x=x, gamma=gamma, beta=beta)
    mode, eps, momentum, running_mean, running_var = batchnorm_settings(x, gamma, beta, bn_param)
    N, D = x.shape
    centered = np.empty_like(x)
    out = np.empty_like(x)
    rstd = np.empty(D, dtype=x.dtype)
    for d in range(D):
        mean = running_mean[d]
        var = running_var[d]
        if mode == "train":
            mean = sum(x[n, d] for n in range(N)) / N
            var = sum((x[n, d] - mean) ** 2 for n in range(N)) / N
            running_mean[d] = momentum * running_mean[d] + (1 - momentum) * mean
            running_var[d] = momentum * running_var[d] + (1 - momentum) * var
        rstd[d] = 1 / np.sqrt(var + eps)
        for n in range(N):
            centered[n, d] = x[n, d] - mean
            out[n, d] = gamma[d] * (centered[n, d] * rstd[d]) + beta[d]
    return out, (centered, rstd, gamma, mode)


def batchnorm_backward_naive(dout: Array, cache: Cache) -> tuple[Array, Array, Array]:
    """Return dx, dgamma, dbeta: dx[i] is the sum of the effects of x[i] on every out[n].

    A change of x[i] also changes the mean and the variance of its feature. With centered = x - mean
    and rstd = (var + eps)^(-1/2):

        d mean        / d x[i] = 1/N
        d centered[n] / d x[i] = (n == i) - 1/N
        d var         / d x[i] = 2/N sum over n of centered[n] * ((n == i) - 1/N)
                               = 2/N centered[i]                       as sum(centered) = 0
        d rstd        / d x[i] = -1/2 rstd^3 * d var / d x[i]
                               = -rstd^2 * xhat[i] / N
        d xhat[n]     / d x[i] = rstd * ((n == i) - 1/N) + centered[n] * d rstd / d x[i]
                               = rstd * ((n == i) - (1 + xhat[n] * xhat[i]) / N)

    In test mode the mean and the variance are constants: d xhat[n] / d x[i] = rstd * (n == i).
    """
    centered, rstd, gamma, mode = checked_cache(cache, CACHE, "batchnorm")
    xhat = centered * rstd
    dout = gradient_like(dout, xhat.shape, xhat.dtype, "batchnorm")
    N, D = dout.shape
    dx = np.zeros_like(xhat)
    dgamma = np.zeros_like(gamma)
    dbeta = np.zeros_like(gamma)
    for d in range(D):
        for n in range(N):
            dgamma[d] += dout[n, d] * xhat[n, d]
            dbeta[d] += dout[n, d]
            for i in range(N):
                moved = (1 + xhat[n, d] * xhat[i, d]) / N if mode == "train" else 0
                dx[i, d] += dout[n, d] * gamma[d] * rstd[d] * ((n == i) - moved)
    return dx, dgamma, dbeta


def column_means(x: Array) -> Array:
    """Return the mean of every column of x (N, D), as the product of a row of 1/N with x.

    BLAS adds in blocks, which makes rounding errors smaller than those of x.mean(axis=0).
    """
    return np.full(len(x), 1 / len(x), dtype=x.dtype) @ x


def update_average(running: Array, new: Array, momentum: float) -> None:
    """Update a running average in place: momentum * running + (1 - momentum) * new."""
    running *= momentum
    running += (1 - momentum) * new


def batchnorm_forward(
        x: Array, gamma: Array, beta: Array, bn_param: BatchnormParam) -> tuple[Array, Cache]:
    """Normalize every feature over the batch, then scale and shift it.

    x            (N, D)
    gamma, beta  (D,) scale and shift
    bn_param     {"mode": "train" or "test", "eps": 1e-5, "momentum": 0.9,
                 "running_mean": (D,), "running_var": (D,)}; only the mode is required. Training
                 updates the running averages in place; missing ones are added as zeros. They are
                 float32 or float64, and share no memory with each other or with an argument.
                 With eps 0, a feature without variance gives NaN: 0 / 0
    Returns out (N, D) and the cache (x - mean, 1 / sqrt(var + eps), gamma, mode). Raises ValueError
    if a shape or a setting is wrong.
    """
    x, gamma, beta = common_floats("batchnorm", x=x, gamma=gamma, beta=beta)
    mode, eps, momentum, running_mean, running_var = batchnorm_settings(x, gamma, beta, bn_param)
    if mode == "train":
        mean = column_means(x)
        centered: Array = x - mean
        var = column_means(centered * centered)
        update_average(running_mean, mean, momentum)
        update_average(running_var, var, momentum)
    else:
        centered = x - running_mean.astype(x.dtype)
        var = running_var.astype(x.dtype)
    rstd = 1 / np.sqrt(var + eps)
    out = centered * (gamma * rstd)
    out += beta
    return out, (centered, rstd, gamma, mode)


def batchnorm_backward(dout: Array, cache: Cache) -> tuple[Array, Array, Array]:
    """Return dx, dgamma, dbeta: walk the graph of the forward pass backward, one line per node.

        x -> mean -> centered -> square -> var -> std -> rstd -> xhat -> out

    Every node multiplies the gradient by its derivative. Those of the square root and of the
    reciprocal follow from the product rule, if both sides are differentiated:

        std * std  = var + eps      2 std * d std / d var = 1           d std  / d var = rstd / 2
        std * rstd = 1              rstd + std * d rstd / d std = 0     d rstd / d std = -rstd^2

    The others are

        out      = gamma * xhat + beta    d out / d xhat = gamma
        xhat     = centered * rstd        d xhat / d centered = rstd,   d xhat / d rstd = centered
        var      = 1/N sum square         d var / d square[n] = 1/N
        square   = centered * centered    d square / d centered = 2 centered
        centered = x - mean               d centered / d x = 1,         d centered / d mean = -1
        mean     = 1/N sum x              d mean / d x[n] = 1/N

    Gradients of several uses add up: x is used in mean and centered, centered in square and xhat;
    gamma, beta, rstd and mean are used in all samples, hence the sums over axis 0.
    """
    centered, rstd, gamma, mode = checked_cache(cache, CACHE, "batchnorm")
    dout = gradient_like(dout, centered.shape, centered.dtype, "batchnorm")
    N = len(dout)
    xhat = centered * rstd
    dbeta = dout.sum(axis=0)
    dgamma = (dout * xhat).sum(axis=0)
    dxhat = dout * gamma
    dcentered = dxhat * rstd
    if mode == "test":
        return dcentered, dgamma, dbeta
    drstd = (dxhat * centered).sum(axis=0)
    dstd = -drstd * rstd ** 2
    dvar = dstd * rstd / 2
    dsquare = dvar / N
    dcentered = dcentered + 2 * centered * dsquare
    dmean = -dcentered.sum(axis=0)
    dx = dcentered + dmean / N
    return dx, dgamma, dbeta


def batchnorm_backward_alt(dout: Array, cache: Cache) -> tuple[Array, Array, Array]:
    """Return dx, dgamma, dbeta by the formula that the graph simplifies to.

    Write the lines of batchnorm_backward out, one after the other; sum and mean are over the batch:

        drstd     = sum(dxhat * centered)
        dvar      = -rstd^3 / 2 * sum(dxhat * centered)
        dsquare   = -rstd^3 / (2 N) * sum(dxhat * centered)
        2 * centered * dsquare
                  = -rstd^3 * centered * mean(dxhat * centered)
                  = -rstd * xhat * mean(dxhat * xhat)               as centered * rstd = xhat
        dcentered = rstd * (dxhat - xhat * mean(dxhat * xhat))
        dmean / N = -mean(dcentered)
                  = -rstd * mean(dxhat)                             as mean(xhat) = 0
        dx        = rstd * (dxhat - mean(dxhat) - xhat * mean(dxhat * xhat))
                  = gamma * rstd * (dout - dbeta / N - xhat * dgamma / N)

    The last line uses dxhat = gamma * dout. What is subtracted is the mean of the gradient and its
    component along xhat: shifting all x by a constant, or scaling them about their mean, leaves out
    as it is (except for eps), so the gradient along these two directions is 0.
    """
    centered, rstd, gamma, mode = checked_cache(cache, CACHE, "batchnorm")
    dout = gradient_like(dout, centered.shape, centered.dtype, "batchnorm")
    N = len(dout)
    dbeta = column_means(dout) * N
    dgamma = column_means(dout * centered) * N * rstd
    if mode == "test":
        return dout * (gamma * rstd), dgamma, dbeta
    dx = centered * (-rstd * dgamma / N)
    dx += dout
    dx -= dbeta / N
    dx *= gamma * rstd
    return dx, dgamma, dbeta


def as_rows(x: Array) -> Array:
    """Return images x (N, C, H, W) as rows (N * H * W, C), one per pixel."""
    return x.transpose(0, 2, 3, 1).reshape(-1, x.shape[1])


def as_images(rows: Array, shape: Shape) -> Array:
    """Return a view of rows (N * H * W, C) as images of a shape (N, C, H, W); undoes as_rows."""
    N, C, H, W = shape
    return rows.reshape(N, H, W, C).transpose(0, 3, 1, 2)


def spatial_batchnorm_forward_naive(
        x: Array, gamma: Array, beta: Array, bn_param: BatchnormParam) -> tuple[Array, Cache]:
    """Normalize every channel over N, H and W; see spatial_batchnorm_forward."""
    x = plain_array(x, "x")
    check_pixels(x, "spatial_batchnorm")
    out, cache = batchnorm_forward_naive(as_rows(x), gamma, beta, bn_param)
    return as_images(out, x.shape), (x.shape, cache)


def spatial_batchnorm_backward_naive(dout: Array, cache: Cache) -> tuple[Array, Array, Array]:
    """Return dx (N, C, H, W), dgamma (C,), dbeta (C,)."""
    shape, rows_cache = checked_cache(cache, (tuple, tuple), "spatial_batchnorm")
    dout = gradient_like(dout, shape, rows_cache[0].dtype, "spatial_batchnorm")
    dx, dgamma, dbeta = batchnorm_backward_naive(as_rows(dout), rows_cache)
    return as_images(dx, dout.shape), dgamma, dbeta


def spatial_batchnorm_forward(
        x: Array, gamma: Array, beta: Array, bn_param: BatchnormParam) -> tuple[Array, Cache]:
    """Normalize every channel over N, H and W, then scale and shift it.

    x            (N, C, H, W)
    gamma, beta  (C,) scale and shift
    bn_param     the settings of batchnorm_forward, with running averages (C,)
    Returns out (N, C, H, W) and the cache (x.shape, cache of batchnorm_forward). Raises ValueError
    if a shape or a setting is wrong.
    """
    x = plain_array(x, "x")
    check_pixels(x, "spatial_batchnorm")
    out, cache = batchnorm_forward(as_rows(x), gamma, beta, bn_param)
    return as_images(out, x.shape), (x.shape, cache)


def spatial_batchnorm_backward(dout: Array, cache: Cache) -> tuple[Array, Array, Array]:
    """Return dx (N, C, H, W), dgamma (C,), dbeta (C,)."""
    shape, rows_cache = checked_cache(cache, (tuple, tuple), "spatial_batchnorm")
    dout = gradient_like(dout, shape, rows_cache[0].dtype, "spatial_batchnorm")
    dx, dgamma, dbeta = batchnorm_backward_alt(as_rows(dout), rows_cache)
    return as_images(dx, dout.shape), dgamma, dbeta


def batchnorm_settings(
        x: Array, gamma: Array, beta: Array,
        bn_param: BatchnormParam) -> tuple[str, float, float, Array, Array]:
    """Return (mode, eps, momentum, running_mean, running_var) after checking all arguments.

    Missing running averages are added to bn_param as zeros. Raises ValueError if a shape or a
    setting is wrong.
    """
    D = x.shape[-1]
    if x.ndim != 2 or not x.size:
        raise ValueError(f"batchnorm: x has shape {x.shape}, expected (N, D) with N of at least 1")
    if not gamma.shape == beta.shape == (D,):
        raise ValueError(f"batchnorm: gamma has shape {gamma.shape} and beta {beta.shape}, "
                         f"expected ({D},), one number per feature of x")
    mode = bn_param.get("mode")
    if mode not in ("train", "test"):
        raise ValueError(f"bn_param: mode is {mode!r}, expected 'train' or 'test'")
    if not bn_param.keys() <= SETTINGS:
        warn_unknown(bn_param, SETTINGS, "bn_param")
    eps = eps_of(bn_param)
    momentum = float(bn_param.get("momentum", 0.9))
    running_mean = bn_param.setdefault("running_mean", np.zeros(D, dtype=x.dtype))
    check_average("running_mean", running_mean, D, mode)
    running_var = bn_param.setdefault("running_var", np.zeros(D, dtype=x.dtype))
    check_average("running_var", running_var, D, mode)
    if mode == "train":
        check_apart(running_mean, running_var, x, gamma, beta)
    return mode, eps, momentum, running_mean, running_var
