"""The sandwiches conv - batchnorm - ReLU [- max-pool], fused in one of three ways.

In test mode batchnorm is linear and becomes part of the weights:
w' = w gamma rstd, b' = (b - mean) gamma rstd + beta.

In training mode it needs the moments of all outputs z of the convolution before it can normalize
the first. So the convolution writes z, its moments and, below a max-pool, the maximum of every
window (the minimum where gamma < 0, as batchnorm then reverses the order). A second pass
normalizes, below a max-pool only those.

In training mode, below a one-channel image, the moments of z follow from those of the small windows
of the image (kernels/patches.py), before any convolution: batchnorm becomes part of the weights
again, and z is neither written nor read.

sandwiches.py says what holds for equal numbers in a window of the max-pool.
"""
from typing import NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from ..arrays import arena
from ..arrays.seam import channels_first, contiguous, padded
from ..kernels import batchnorm as kernels
from ..kernels import patches
from ..kernels.arguments import Epilogue
from ..layers.batchnorm import batchnorm_settings
from ..shapes import check_pixels, checked_cache, common_floats, gradient_like
from ..types import Array, BatchnormParam, Cache, ConvParam, PoolParam
from .channels import (
    Moments,
    backward_vectors,
    follow,
    forward_vectors,
    image_sums,
    over_images,
)
from .passes import LINEAR, run_backward, run_forward
from .plans import ConvCache, conv_cache
from .pool import is_2x2, max_pool_backward_fast, max_pool_forward_fast
from .sandwiches import ReluCache, conv_relu_backward, relu_sandwich
from .windows import window_moments

__all__ = ["BatchnormCache", "FoldedCache", "WindowsCache", "conv_bn_relu_backward",
           "conv_bn_relu_forward", "conv_bn_relu_pool_backward", "conv_bn_relu_pool_forward",
           "fold"]

MOMENTS = Epilogue(writes=True, relu=False, pools=False, sums=True)
MOMENTS_POOL = Epilogue(writes=True, relu=False, pools=True, sums=True)
# Pixels of a window; all pairs of them are multiplied. For 5 x 5 windows that takes longer than z.
MOST_TAPS = 16
# By bytes of an element, see patches.moments_of_outputs.
MOST_LOST = {4: 2 ** 10, 8: 2 ** 20}
Gradients: TypeAlias = tuple[Array | None, Array, Array, Array, Array]  # dx, dw, db, dgamma, dbeta


class FoldedCache(NamedTuple):
    """Test mode: the cache of the sandwich with batchnorm in its weights, and what is in them."""
    inner: ReluCache
    w: Array
    b: Array
    gamma: Array
    mean: Array
    rstd: Array
    pool: Cache = None  # the cache of a max-pool that isn't fused

    def backward(self, dout: Array, want_dx: bool) -> Gradients:
        """Return the gradients; by the product rule from those of w' and b'."""
        dx, dw, db = conv_relu_backward(dout, self.inner, want_dx)
        along = (dw * self.w).sum(axis=(1, 2, 3)) + (self.b - self.mean) * db
        scale = self.gamma * self.rstd
        return dx, dw * scale[:, None, None, None], db * scale, self.rstd * along, db


class WindowsCache(NamedTuple):
    """Training mode, below a one-channel image."""
    inner: ReluCache
    conv: ConvCache               # with the weights as they are
    centre: NDArray[np.float64]   # (taps, 1) mean of the windows p
    scatter: NDArray[np.float64]  # (taps, taps) sum of (p - centre)(p - centre)^T over all windows
    gamma: Array
    moments: Moments              # of the outputs without their biases
    shift: NDArray[np.float64]    # what remains of batchnorm when its scale is part of the weights
    pool: Cache = None            # the cache of a max-pool that isn't fused

    def backward(self, dout: Array, want_dx: bool) -> Gradients:
        """Return the gradients, from sums of dout and of its products with the windows p.

            dbeta = sum dout    T = sum dout (p - centre)    dgamma = rstd w . T
            dw = gamma rstd (T - dgamma xi),   xi = rstd scatter w / count

        The gradient of batchnorm is linear in these sums; xi is the covariance of xhat with p.
        """
        conv = self.conv
        size = conv.size
        dtype = conv.w.dtype
        rstd = self.moments[2]
        _, along, dbeta = conv_relu_backward(dout, self.inner, want_dx=False)
        count = len(conv.x) * size.Ho * size.Wo
        filters = conv.w.reshape(-1, size.F).astype(np.float64)
        along = along.transpose(2, 3, 1, 0).reshape(-1, size.F) - self.centre * dbeta
        dgamma = rstd * (filters * along).sum(axis=0)
        dw = self.gamma * rstd * (along - dgamma * rstd * (self.scatter @ filters) / count)
        dw = dw.astype(dtype).reshape(conv.w.shape).transpose(3, 2, 0, 1)
        dx = self.dx(dout, dgamma, dbeta, count) if want_dx else None
        return dx, dw, np.zeros(size.F, dtype), dgamma.astype(dtype), dbeta

    def dx(self, dout: Array, dgamma: Array, dbeta: Array, count: int) -> Array | None:
        """Return dx. Only a net that asks its first layer for it computes z again."""
        conv = self.conv
        dtype = conv.w.dtype
        z = run_forward(conv, np.zeros(conv.size.F, dtype), LINEAR).out
        sums = padded(np.array([[dbeta, dgamma]], dtype), conv.size.Fp)
        *_, vectors = backward_vectors(sums, self.gamma, self.moments, self.shift.astype(dtype),
                                       count)
        return run_backward(conv, dout, kept=z, argmax=self.inner.argmax, vectors=vectors)[0]


class BatchnormCache(NamedTuple):
    """Training mode, in all other cases."""
    conv: ConvCache
    z: Array                            # (N, Ho, Wo, F) before batchnorm
    normalised: Array                   # the input of batchnorm: z, or below a max-pool its maxima
    argmax: NDArray[np.uint8] | None    # of every window, below a max-pool
    gamma: Array
    moments: Moments
    vectors: Array                      # (4, Fp), see channels.forward_vectors
    pool: Cache = None                  # the cache of a max-pool that isn't fused

    def backward(self, dout: Array, want_dx: bool) -> Gradients:
        """Return the gradients in two passes.

        The first adds up dgamma and dbeta; the second is the backward pass of the convolution, in
        which dz is a linear function of dout and z.
        """
        conv = self.conv
        z = self.z
        shape = channels_first(self.normalised).shape
        dout = gradient_like(dout, shape, z.dtype, "conv_bn_relu")
        dout = contiguous(dout, (0, 2, 3, 1))
        sums = image_sums(kernels.gradient_sums, self.normalised, conv.size, dout=dout,
                          argmax=self.argmax, vectors=self.vectors, relu=True)
        dgamma, dbeta, vectors = backward_vectors(
            sums, self.gamma, self.moments, self.vectors[3], z.size // z.shape[3])
        dx, dw, db = run_backward(conv, channels_first(dout), kept=z, argmax=self.argmax,
                                  vectors=vectors, want_dx=want_dx)
        return dx, dw, np.zeros(len(db), db.dtype), dgamma, dbeta


AnyCache: TypeAlias = FoldedCache | WindowsCache | BatchnormCache


def conv_bn_relu_forward(x: Array, w: Array, b: Array, gamma: Array, beta: Array,
                         conv_param: ConvParam, bn_param: BatchnormParam, rung: str = "auto",
                         ) -> tuple[Array, AnyCache]:
    """Compute conv - spatial batchnorm - ReLU.

    Arguments and returns are those of layer_utils.conv_bn_relu_forward.
    rung   "fast", "winograd" or "auto", see plans
    """
    return batchnorm_sandwich(x, w, b, gamma, beta, conv_param, bn_param, rung, pools=False)


def conv_bn_relu_pool_forward(x: Array, w: Array, b: Array, gamma: Array, beta: Array,
                              conv_param: ConvParam, bn_param: BatchnormParam,
                              pool_param: PoolParam, rung: str = "auto") -> tuple[Array, AnyCache]:
    """Compute conv - spatial batchnorm - ReLU - max-pool.

    Arguments and returns are those of layer_utils.conv_bn_relu_pool_forward.
    rung   "fast", "winograd" or "auto", see plans
    """
    fused = is_2x2(pool_param)
    out, cache = batchnorm_sandwich(x, w, b, gamma, beta, conv_param, bn_param, rung, pools=fused)
    if fused:
        return out, cache
    out, pool = max_pool_forward_fast(out, pool_param)
    return out, cache._replace(pool=pool)


def conv_bn_relu_backward(dout: Array, cache: AnyCache, want_dx: bool = True) -> Gradients:
    """Return dx, dw, db, dgamma, dbeta of both batchnorm sandwiches; dx is None if not want_dx.

    In training mode db is 0, as batchnorm removes every constant from the convolution's output.
    """
    if not isinstance(cache, AnyCache):
        checked_cache(cache, BatchnormCache, "conv_bn_relu")
    if cache.pool is not None:
        dout = max_pool_backward_fast(dout, cache.pool)
    return cache.backward(dout, want_dx)


conv_bn_relu_pool_backward = conv_bn_relu_backward


def batchnorm_sandwich(x: Array, w: Array, b: Array, gamma: Array, beta: Array,
                       conv_param: ConvParam, bn_param: BatchnormParam, rung: str, pools: bool,
                       ) -> tuple[Array, AnyCache]:
    """Compute conv - batchnorm - ReLU, with a fused max-pool if `pools`."""
    x, w, b, gamma, beta = common_floats("conv_bn_relu", x=x, w=w, b=b, gamma=gamma, beta=beta)
    check_pixels(x, "conv_bn_relu")
    cached, b = conv_cache(x, w, b, conv_param, rung)
    mode, eps, momentum, running_mean, running_var = batchnorm_settings(
        b[None], gamma, beta, bn_param)
    if mode == "test":
        # A copy, as the next training step moves the running averages in place.
        mean = running_mean.astype(x.dtype)
        rstd = 1 / np.sqrt(running_var.astype(x.dtype) + eps)
        w_folded, b_folded = fold(w, b, gamma, beta, mean, rstd)
        folded = cached._replace(w=contiguous(w_folded, (2, 3, 1, 0)))
        out, inner = relu_sandwich(folded, b_folded, pools)
        return out, FoldedCache(inner, w, b, gamma, mean, rstd)
    size = cached.size
    small = size.C == size.stride == 1 and size.HH * size.WW <= MOST_TAPS
    by_windows = small and not cached.conv.plan.m
    forward = forward_by_windows if by_windows else forward_by_outputs
    out, cache, mean, var = forward(cached, b, gamma, beta, eps, pools)
    follow(running_mean, mean, momentum)
    follow(running_var, var, momentum)
    return out, cache


def fold(w: Array, b: Array, gamma: Array, beta: Array, mean: Array, rstd: Array,
         ) -> tuple[Array, Array]:
    """Return the weights (F, C, HH, WW) and biases (F,) of a convolution that include batchnorm."""
    scale = gamma * rstd
    return w * scale[:, None, None, None], (b - mean) * scale + beta


def forward_by_windows(cached: ConvCache, b: Array, gamma: Array, beta: Array, eps: float,
                       pools: bool) -> tuple[Array, AnyCache, Array, Array]:
    """Normalize with the moments of the windows, or with those of z where rounding hides them.

    Returns out, the cache, and the mean and the variance (F,) of the batch.
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


def forward_by_outputs(cached: ConvCache, b: Array, gamma: Array, beta: Array, eps: float,
                       pools: bool) -> tuple[Array, AnyCache, Array, Array]:
    """Normalize with the moments of z; returns as forward_by_windows."""
    outputs = run_forward(cached, b, MOMENTS_POOL if pools else MOMENTS, np.sign(gamma))
    z = outputs.out
    moments, vectors = forward_vectors(outputs.sums, z.shape[1] * z.shape[2], gamma, beta, eps)
    normalised = outputs.pooled if pools else z
    argmax = outputs.argmax if pools else None
    out = arena.empty(normalised.shape, z.dtype)
    over_images(kernels.normalise, normalised, cached.size, out=out, argmax=argmax,
                vectors=vectors[2:], relu=True)
    cache = BatchnormCache(cached, z, normalised, argmax, gamma, moments, vectors)
    return channels_first(out), cache, moments[0], moments[1]
