"""The sandwiches conv - batchnorm - ReLU [- max-pool], fused in three ways.

In test mode batchnorm is linear and becomes part of the weights: w' = w gamma rstd, b' = (b - mean) gamma rstd + beta.

In training mode it needs the mean of all outputs before the first one can be normalised. So the convolution writes z,
its moments and, below a pool, the winners of each window: batchnorm with gamma >= 0 keeps the order of numbers, with
gamma < 0 it reverses it. A second pass normalises the winners only.

Below a one-channel image mean and variance of z follow from those of the image's small windows (kernels/patches.py),
before any convolution: batchnorm is part of the weights again, and z is neither written nor read.
"""
from typing import NamedTuple

import numpy as np

from ..arrays import arena
from ..arrays.seam import contiguous, padded
from ..kernels import batchnorm as kernels
from ..kernels import patches
from ..kernels.arguments import Epilogue
from ..layers.batchnorm import batchnorm_settings, update_average
from ..shapes import check, common_floats, gradient_like
from .passes import LINEAR, out_shape, run_backward, run_forward, window_moments
from .plans import ConvCache, conv_cache
from .pool import max_pool_backward_fast
from .sandwiches import (
    ReluCache,
    check_pool,
    conv_relu_backward,
    images,
    is_2x2,
    relu_sandwich,
    then_pool,
)

MOMENTS = Epilogue(writes=True, relu=False, pools=False, sums=True)
MOMENTS_POOL = Epilogue(writes=True, relu=False, pools=True, sums=True)
MOST_TAPS = 16  # numbers in a window, of whose products all pairs are summed: 5 x 5 windows take longer than z
MOST_LOST = {4: 2 ** 10, 8: 2 ** 20}  # bytes of a number: see patches.moments_of_outputs


class FoldedCache(NamedTuple):
    """In test mode: the cache of the sandwich that batchnorm has become part of."""
    inner: ReluCache
    w: np.ndarray
    b: np.ndarray
    gamma: np.ndarray
    mean: np.ndarray
    rstd: np.ndarray


class WindowsCache(NamedTuple):
    """In training mode below a one-channel image; all small arrays are float64."""
    inner: ReluCache
    conv: ConvCache             # with the weights as they are
    centre: np.ndarray          # (taps, 1) mean of the windows, and
    scatter: np.ndarray         # (taps, taps) sum over all of them of (p - centre)(p - centre)^T
    gamma: np.ndarray
    moments: np.ndarray         # (3, F) of the outputs without their biases: mean, variance, rstd
    shift: np.ndarray           # what is left of batchnorm when its scale is part of the weights


class BatchnormCache(NamedTuple):
    """In training mode else."""
    conv: ConvCache
    z: np.ndarray               # (N, Ho, Wo, F) before batchnorm
    normalised: np.ndarray      # what batchnorm was applied to: z, or the winners of its windows
    winners: np.ndarray | None
    gamma: np.ndarray
    moments: np.ndarray         # (3, F) and (4, Fp), see kernels.batchnorm.forward_vectors
    vectors: np.ndarray


def conv_bn_relu_forward(x, w, b, gamma, beta, conv_param, bn_param, engine="auto"):
    """conv - spatial batchnorm - ReLU; arguments and returns as layer_utils.conv_bn_relu_forward."""
    return batchnorm_sandwich(x, w, b, gamma, beta, conv_param, bn_param, engine, pools=False)


def conv_bn_relu_pool_forward(x, w, b, gamma, beta, conv_param, bn_param, pool_param, engine="auto"):
    """conv - spatial batchnorm - ReLU - max-pool; as layer_utils.conv_bn_relu_pool_forward."""
    if not is_2x2(pool_param):
        return then_pool(conv_bn_relu_forward(x, w, b, gamma, beta, conv_param, bn_param, engine), pool_param)
    return batchnorm_sandwich(x, w, b, gamma, beta, conv_param, bn_param, engine, pools=True)


def batchnorm_sandwich(x, w, b, gamma, beta, conv_param, bn_param, engine, pools):
    """Both of the above."""
    x, w, b, gamma, beta = common_floats("conv_bn_relu", x=x, w=w, b=b, gamma=gamma, beta=beta)
    cached, b = conv_cache(x, w, b, conv_param, engine)
    check(x.size > 0, f"conv_bn_relu: x has shape {x.shape}, expected (N, C, H, W) without an empty axis")
    mode, eps, momentum, running_mean, running_var = batchnorm_settings(b[None], gamma, beta, bn_param)
    if mode == "test":
        mean = running_mean.astype(x.dtype)  # a copy: the next training step moves the running averages in place
        rstd = 1 / np.sqrt(running_var.astype(x.dtype) + eps)
        w_folded, b_folded = fold(w, b, gamma, beta, mean, rstd)
        folded = cached._replace(w=contiguous(w_folded, (2, 3, 1, 0)))
        out, inner = relu_sandwich(folded, b_folded, pools)
        return out, FoldedCache(inner, w, b, gamma, mean, rstd)
    size = cached.size
    by_windows = size.C == size.stride == 1 and size.HH * size.WW <= MOST_TAPS and not cached.conv.plan.m
    forward = forward_by_windows if by_windows else forward_by_outputs
    out, cache, mean, var = forward(cached, b, gamma, beta, eps, pools)
    follow(running_mean, mean, momentum)
    follow(running_var, var, momentum)
    return out, cache


def follow(running, new, momentum):
    """Move a running average towards a new value, in place: layers.batchnorm.update_average by a kernel.

    In a step each of NumPy's calls takes about 20 us (AMD EPYC), as its code is in no cache there.
    """
    if running.dtype in (np.float32, np.float64) and running.flags.writeable:
        kernels.update_average(running, new, momentum)
    else:
        update_average(running, new.astype(running.dtype, copy=False), momentum)


def fold(w, b, gamma, beta, mean, rstd):
    """Return the filters and biases of a convolution that batchnorm with a known mean is part of."""
    scale = gamma * rstd
    return w * scale[:, None, None, None], (b - mean) * scale + beta


def forward_by_windows(cached, b, gamma, beta, eps, pools):
    """Batchnorm of moments by windows, or from z where rounding hides them.

    Returns (out, cache, mean, var).
    """
    dtype = cached.w.dtype
    filters = cached.w.reshape(-1, len(b))
    moments = np.empty((3, len(b)))
    centre, scatter, count = window_moments(cached)
    most = MOST_LOST[dtype.itemsize]
    if not patches.moments_of_outputs(filters, centre[:, 0], scatter, count, eps, most, moments):
        return forward_by_outputs(cached, b, gamma, beta, eps, pools)
    linear, var, rstd = moments
    scale = gamma * rstd
    folded = cached._replace(w=(cached.w * scale).astype(dtype))
    shift = beta - linear * scale
    out, inner = relu_sandwich(folded, shift.astype(dtype), pools)
    cache = WindowsCache(inner, cached, centre, scatter, gamma, moments, shift)
    return out, cache, linear + b, var


def forward_by_outputs(cached, b, gamma, beta, eps, pools):
    """Batchnorm from the moments of z; returns (out, cache, mean, var)."""
    if pools:
        check_pool(cached)
    z, pooled, winners, sums = run_forward(cached, b, MOMENTS_POOL if pools else MOMENTS, np.sign(gamma))
    moments, vectors = forward_vectors(sums, z.shape[1] * z.shape[2], gamma, beta, eps)
    source, winners = (pooled, winners) if pools else (z, None)
    out = arena.empty(source.shape, z.dtype)
    over_images("normalise", source, out, None, winners, vectors[2:], None, cached.size)
    return images(out), BatchnormCache(cached, z, source, winners, gamma, moments, vectors), moments[0], moments[1]


def forward_vectors(sums, pixels, gamma, beta, eps):
    """Return moments (3, F) and vectors (4, Fp) of a batch from the sums of its images, see the kernel."""
    moments, vectors = np.empty((3, len(gamma))), np.empty((4, sums.shape[2]), sums.dtype)
    kernels.forward_vectors(sums, pixels, contiguous(gamma, (0,)), contiguous(beta, (0,)), eps, moments, vectors)
    return moments, vectors


def backward_vectors(sums, gamma, moments, shift, count):
    """Return dgamma, dbeta (F,) and vectors (4, Fp) of a batch from the sums of its images, see the kernel."""
    totals, vectors = np.empty((2, len(gamma))), np.empty((4, sums.shape[2]), sums.dtype)
    kernels.backward_vectors(sums, contiguous(gamma, (0,)), moments, shift, float(count), totals, vectors)
    dbeta, dgamma = totals.astype(sums.dtype)
    return dgamma, dbeta, vectors


def over_images(name, z, out, dout, winners, vectors, sums, size, relu=True):
    """Run a step of kernels/batchnorm.py over all images; vectors (k, Fp), or (N, k, Fp) if each has its own."""
    nothing = np.empty(0, z.dtype)
    step = getattr(kernels, name).address(z.dtype)
    arrays = kernels.Arrays(
        z=z.reshape(-1), out=nothing if out is None else out.reshape(-1),
        dout=nothing if dout is None else dout.reshape(-1),
        argmax=np.empty(0, np.uint8) if winners is None else winners.reshape(-1),
        vectors=nothing if vectors is None else vectors.reshape(-1),
        sums=nothing if sums is None else sums.reshape(-1))
    apart = 0 if vectors is None or vectors.ndim == 2 else vectors[0].size
    settings = kernels.Settings(
        pixels=z.shape[1] * z.shape[2], F=size.F, Fp=size.Fp, lanes=size.lanes,
        vectors_apart=apart, relu=relu)
    kernels.over_images(step, arrays, settings, len(z))


def image_sums(name, z, dout, vectors, size, winners=None, relu=False):
    """Run a step that adds up each channel of each image; returns its sums (N, 2, Fp)."""
    sums = arena.empty((len(z), 2, size.Fp), z.dtype)
    over_images(name, z, None, dout, winners, vectors, sums, size, relu)
    return sums


def conv_bn_relu_backward(dout, cache, want_dx=True):
    """Return dx, dw, db, dgamma, dbeta of both batchnorm sandwiches; want_dx False puts None in place of dx.

    In training mode db is 0: behind the convolution batchnorm takes every constant away.
    """
    if isinstance(cache, FoldedCache):
        return backward_folded(dout, cache, want_dx)
    if isinstance(cache, WindowsCache):
        return backward_by_windows(dout, cache, want_dx)
    if not isinstance(cache, BatchnormCache):
        return conv_bn_relu_backward(max_pool_backward_fast(dout, cache[1]), cache[0], want_dx)
    return backward_by_outputs(dout, cache, want_dx)


conv_bn_relu_pool_backward = conv_bn_relu_backward


def backward_folded(dout, cache, want_dx):
    """From the gradients of w' and b' to those of w, b, gamma and beta: the product rule."""
    inner, w, b, gamma, mean, rstd = cache
    dx, dw, db = conv_relu_backward(dout, inner, want_dx)
    dgamma = rstd * ((dw * w).sum(axis=(1, 2, 3)) + (b - mean) * db)
    scale = gamma * rstd
    return dx, dw * scale[:, None, None, None], db * scale, dgamma, db


def backward_by_windows(dout, cache, want_dx):
    """From the sums of dout and of its products with the windows p, to which batchnorm's gradient is linear:

        dbeta = sum dout    T = sum dout (p - centre)    dgamma = rstd w . T    dw = gamma rstd (T - dgamma xi)
    with xi = rstd scatter w / count: how xhat and p go together.
    """
    inner, conv, centre, scatter, gamma, (_, _, rstd), _ = cache
    size, dtype = conv.size, conv.w.dtype
    _, along, dbeta = conv_relu_backward(dout, inner, want_dx=False)
    count, filters = len(conv.x) * size.Ho * size.Wo, conv.w.reshape(-1, size.F).astype(np.float64)
    along = along.transpose(2, 3, 1, 0).reshape(-1, size.F) - centre * dbeta
    dgamma = rstd * (filters * along).sum(axis=0)
    dw = gamma * rstd * (along - dgamma * rstd * (scatter @ filters) / count)
    dw = dw.astype(dtype).reshape(conv.w.shape).transpose(3, 2, 0, 1)
    dx = dx_of_windows(dout, cache, dgamma, dbeta, count) if want_dx else None
    return dx, dw, np.zeros(size.F, dtype), dgamma.astype(dtype), dbeta


def dx_of_windows(dout, cache, dgamma, dbeta, count):
    """Return dx; only a net whose first layer is asked for it pays for z, computed once more."""
    conv, dtype = cache.conv, cache.conv.w.dtype
    z = run_forward(conv, np.zeros(conv.size.F, dtype), LINEAR).out
    sums = padded(np.array([[dbeta, dgamma]], dtype), conv.size.Fp)
    *_, vectors = backward_vectors(sums, cache.gamma, cache.moments, cache.shift.astype(dtype), count)
    return run_backward(conv, dout, kept=z, winners=cache.inner.winners, vectors=vectors)[0]


def backward_by_outputs(dout, cache, want_dx):
    """Two passes: the sums that dgamma and dbeta are, and the convolution's backward pass with dz as a line of z."""
    z = cache.z
    dout = gradient_like(dout, out_shape(cache.conv, cache.winners is not None), z.dtype, "conv_bn_relu")
    dout = contiguous(dout, (0, 2, 3, 1))
    sums = image_sums("gradient_sums", cache.normalised, dout, cache.vectors, cache.conv.size, cache.winners, relu=True)
    dgamma, dbeta, vectors = backward_vectors(sums, cache.gamma, cache.moments, cache.vectors[3], z.size // z.shape[3])
    dx, dw, db = run_backward(cache.conv, images(dout), kept=z, winners=cache.winners, vectors=vectors, want_dx=want_dx)
    return dx, dw, np.zeros(len(db), db.dtype), dgamma, dbeta
