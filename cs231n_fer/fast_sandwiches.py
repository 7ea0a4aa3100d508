"""The course's sandwiches, fused: what follows a convolution happens while its outputs are in the cache.

The compositions in layer_utils.py are the definition of these functions and their test oracle. A max-pool is fused
where its windows are 2 x 2 with stride 2; others follow as a layer of their own.

Batchnorm in training mode needs the mean of all outputs before the first one can be normalised. So the convolution
writes z, its moments and, below a pool, the winners of each window: batchnorm with gamma >= 0 keeps the order of
numbers, with gamma < 0 it reverses it. A second pass normalises the winners only. In test mode batchnorm is linear and
becomes part of the weights: w' = w gamma rstd, b' = (b - mean) gamma rstd + beta.
"""
from typing import NamedTuple

import numpy as np

from . import memory
from .fast_layers import ConvCache, conv_cache, prepare_weights, run_backward, run_forward
from .kernels import batchnorm as bn_kernels
from .kernels.conv import Epilogue
from .layers import max_pool_backward_im2col, max_pool_forward_im2col
from .layers.batchnorm import batchnorm_settings, update_average
from .layers.pool import pool_geometry

POOL_2X2 = {"pool_height": 2, "pool_width": 2, "stride": 2}
RELU = Epilogue(writes=True, relu=True, pools=False, sums=False)
POOL = Epilogue(writes=False, relu=True, pools=True, sums=False)
MOMENTS = Epilogue(writes=True, relu=False, pools=False, sums=True)
MOMENTS_POOL = Epilogue(writes=True, relu=False, pools=True, sums=True)


class ReluCache(NamedTuple):
    """conv - ReLU [- max-pool]: out without, winners with a pool."""
    conv: ConvCache
    out: np.ndarray | None
    winners: np.ndarray | None


class FoldedCache(NamedTuple):
    """The same with batchnorm in test mode, folded into the weights."""
    inner: ReluCache
    w: np.ndarray
    b: np.ndarray
    gamma: np.ndarray
    mean: np.ndarray
    rstd: np.ndarray


class BatchnormCache(NamedTuple):
    """conv - batchnorm - ReLU [- max-pool] in training mode."""
    conv: ConvCache
    z: np.ndarray               # (N, Ho, Wo, F) before batchnorm
    normalised: np.ndarray      # what batchnorm was applied to: z, or the winners of its windows
    out: np.ndarray
    winners: np.ndarray | None
    gamma: np.ndarray
    mean: np.ndarray            # (F,) float64, and 1 / sqrt(var + eps)
    rstd: np.ndarray
    vectors: np.ndarray         # (4, Fp) scale, shift, mean, rstd, as kernels read them


def writable(vector):
    """Return a vector as kernels take it: Numba compiles them again for others."""
    return vector if vector.flags.writeable and vector.flags.c_contiguous else np.array(vector)


def images(array):
    """View (N, H, W, C) memory as (N, C, H, W)."""
    return array.transpose(0, 3, 1, 2)


def is_2x2(pool_param):
    """Whether a pool is one that is fused."""
    return pool_param == POOL_2X2


def conv_relu_forward(x, w, b, conv_param, engine="auto"):
    """conv - ReLU; arguments and returns as layer_utils.conv_relu_forward."""
    cached = conv_cache(x, w, b, conv_param, engine)
    out = run_forward(cached.plan, cached.x, prepare_weights(cached.plan, cached.w), b, RELU).out
    return images(out), ReluCache(cached, out, None)


def conv_relu_pool_forward(x, w, b, conv_param, pool_param, engine="auto"):
    """conv - ReLU - max-pool; arguments and returns as layer_utils.conv_relu_pool_forward."""
    if not is_2x2(pool_param):
        return then_pool(conv_relu_forward(x, w, b, conv_param, engine), pool_param)
    cached = conv_cache(x, w, b, conv_param, engine)
    check_pool(cached, pool_param)
    outputs = run_forward(cached.plan, cached.x, prepare_weights(cached.plan, cached.w), b, POOL)
    return images(outputs.pooled), ReluCache(cached, None, outputs.winners)


def check_pool(cached, pool_param):
    """Raise ValueError where the outputs of a convolution are too small for the window."""
    size = cached.plan.size
    pool_geometry(np.broadcast_to(np.float32(0), (1, 1, size.Ho, size.Wo)), pool_param)


def then_pool(result, pool_param):
    """Let a max-pool that isn't fused follow a sandwich."""
    out, pool_cache = max_pool_forward_im2col(result[0], pool_param)
    return out, (result[1], pool_cache)


def conv_relu_backward(dout, cache, want_dx=True):
    """Return dx, dw, db of conv_relu_forward or conv_relu_pool_forward; want_dx False puts None in place of dx."""
    if not isinstance(cache, ReluCache):
        return conv_relu_backward(max_pool_backward_im2col(dout, cache[1]), cache[0], want_dx)
    return run_backward(cache.conv, dout, relu=True, kept=cache.out, winners=cache.winners, want_dx=want_dx)


conv_relu_pool_backward = conv_relu_backward


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
    mode, eps, momentum, running_mean, running_var = batchnorm_settings(b[None], gamma, beta, bn_param)
    gamma, beta = writable(gamma), writable(beta)
    if mode == "test":
        return folded_sandwich(x, w, b, gamma, beta, conv_param, running_mean, 1 / np.sqrt(running_var + eps), engine,
                               pools)
    cached = conv_cache(x, w, b, conv_param, engine)
    if pools:
        check_pool(cached, POOL_2X2)
    z, pooled, winners, sums = run_forward(cached.plan, cached.x, prepare_weights(cached.plan, cached.w), b,
                                           MOMENTS_POOL if pools else MOMENTS, np.sign(gamma))
    mean, rstd, var = np.empty((3, len(b)))
    vectors = memory.zeros((4, cached.plan.size.Fp), x.dtype)
    bn_kernels.finish_moments(sums, z.shape[1] * z.shape[2], gamma, beta, eps, mean, rstd, var, vectors)
    update_average(running_mean, mean.astype(x.dtype), momentum)
    update_average(running_var, var.astype(x.dtype), momentum)
    source, winners = (pooled, winners) if pools else (z, None)
    out = memory.empty(source.shape, x.dtype)
    over_images("normalise", source, out, None, winners, vectors, None, cached.plan.size)
    return images(out), BatchnormCache(cached, z, source, out, winners, gamma, mean, rstd, vectors)


def over_images(name, z, out, dout, winners, vectors, sums, size):
    """Run a kernel of kernels/batchnorm.py over all images."""
    nothing = np.empty(0, z.dtype)
    step = getattr(bn_kernels, name).address(z.dtype)
    bn_kernels.over_images(
        step, z.reshape(-1), out.reshape(-1), nothing if dout is None else dout.reshape(-1),
        np.empty(0, np.uint8) if winners is None else winners.reshape(-1), vectors.reshape(-1), True,
        nothing if sums is None else sums.reshape(-1), len(z), z.shape[1] * z.shape[2], size.F, size.Fp, size.lanes)


def folded_sandwich(x, w, b, gamma, beta, conv_param, mean, rstd, engine, pools):
    """Batchnorm in test mode, as part of the weights."""
    arguments = (x, *fold(w, b, gamma, beta, mean, rstd), conv_param)
    if pools:
        out, inner = conv_relu_pool_forward(*arguments, POOL_2X2, engine)
    else:
        out, inner = conv_relu_forward(*arguments, engine)
    return out, FoldedCache(inner, w, b, gamma, mean, rstd)


def fold(w, b, gamma, beta, mean, rstd):
    """Return the filters and biases of a convolution that batchnorm in test mode is part of."""
    scale = gamma * rstd
    return w * scale[:, None, None, None], (b - mean) * scale + beta


def conv_bn_relu_backward(dout, cache, want_dx=True):
    """Return dx, dw, db, dgamma, dbeta of both batchnorm sandwiches; want_dx False puts None in place of dx."""
    if isinstance(cache, FoldedCache):
        return folded_backward(dout, cache, want_dx)
    if not isinstance(cache, BatchnormCache):
        return conv_bn_relu_backward(max_pool_backward_im2col(dout, cache[1]), cache[0], want_dx)
    size, dtype, z = cache.conv.plan.size, cache.z.dtype, cache.z
    dout = np.ascontiguousarray(dout.transpose(0, 2, 3, 1))
    sums = memory.empty((len(z), 2, size.Fp), dtype)
    over_images("gradient_sums", cache.normalised, cache.out, dout, cache.winners, cache.vectors[2:], sums, size)
    (dgamma, dbeta), vectors = np.empty((2, size.F)), memory.zeros((3, size.Fp), dtype)
    bn_kernels.finish_gradients(sums, z.size // size.F, cache.gamma, cache.mean, cache.rstd, dgamma, dbeta, vectors)
    dx, dw, db = run_backward(cache.conv, images(dout), relu=True, kept=cache.out if cache.winners is None else None,
                              winners=cache.winners, z=z, vectors=vectors, want_dx=want_dx)
    # The kernel sums dz before batchnorm; behind it a constant has no effect, but for rounding: db = 0.
    return dx, dw, np.zeros_like(db), dgamma.astype(dtype), dbeta.astype(dtype)


conv_bn_relu_pool_backward = conv_bn_relu_backward


def folded_backward(dout, cache, want_dx):
    """From the gradients of w' and b' to those of w, b, gamma and beta: the product rule."""
    inner, w, b, gamma, mean, rstd = cache
    dx, dw, db = conv_relu_backward(dout, inner, want_dx)
    dgamma = rstd * ((dw * w).sum(axis=(1, 2, 3)) + (b - mean) * db)
    scale = gamma * rstd
    return dx, dw * scale[:, None, None, None], db * scale, dgamma, db
