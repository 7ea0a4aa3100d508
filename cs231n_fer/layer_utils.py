"""Sandwiches, as in the course: layers that often follow one another, as one pair of functions.

These compositions are the definitions of the fused layers in fast_layers/, which must return the
same results. Shapes and dtypes that don't fit raise the ValueError of the layer that finds them.
"""
import numpy as np

from . import layers as L
from .shapes import check_pixels, checked_cache, common_floats
from .types import Array, BatchnormParam, Cache, ConvParam, PoolParam

__all__ = [
    "affine_relu_forward", "affine_relu_backward",
    "conv_relu_forward", "conv_relu_backward",
    "conv_bn_relu_forward", "conv_bn_relu_backward",
    "conv_relu_pool_forward", "conv_relu_pool_backward",
    "conv_bn_relu_pool_forward", "conv_bn_relu_pool_backward",
]


def affine_relu_forward(x: Array, w: Array, b: Array) -> tuple[Array, Cache]:
    """Compute affine - ReLU.

    x (N, d1, ..., dk), w (D, M), b (M,). Returns out (N, M) and the caches of the layers.
    """
    scores, affine_cache = L.affine_forward(x, w, b)
    out, relu_cache = L.relu_forward(scores)
    return out, (affine_cache, relu_cache)


def affine_relu_backward(dout: Array, cache: Cache) -> tuple[Array, Array, Array]:
    """Return dx, dw, db of affine_relu_forward."""
    affine_cache, relu_cache = checked_cache(cache, (tuple, np.ndarray), "affine_relu")
    dscores = L.relu_backward(dout, relu_cache)
    return L.affine_backward(dscores, affine_cache)


def conv_relu_forward(x: Array, w: Array, b: Array, conv_param: ConvParam) -> tuple[Array, Cache]:
    """Compute convolution - ReLU.

    x (N, C, H, W), w (F, C, HH, WW), b (F,). Returns out (N, F, Ho, Wo) and the caches of the
    layers.
    """
    maps, conv_cache = L.conv_forward_im2col(x, w, b, conv_param)
    out, relu_cache = L.relu_forward(maps)
    return out, (conv_cache, relu_cache)


def conv_relu_backward(dout: Array, cache: Cache) -> tuple[Array, Array, Array]:
    """Return dx, dw, db of conv_relu_forward."""
    conv_cache, relu_cache = checked_cache(cache, (tuple, np.ndarray), "conv_relu")
    dmaps = L.relu_backward(dout, relu_cache)
    return L.conv_backward_im2col(dmaps, conv_cache)


def conv_bn_relu_forward(
        x: Array, w: Array, b: Array, gamma: Array, beta: Array,
        conv_param: ConvParam, bn_param: BatchnormParam) -> tuple[Array, Cache]:
    """Compute convolution - spatial batchnorm - ReLU.

    x (N, C, H, W), w (F, C, HH, WW), b, gamma, beta (F,), converted to a common floating-point
    type. Returns out (N, F, Ho, Wo) and the caches of the layers. Raises ValueError if x has an
    empty axis.
    """
    x, w, b, gamma, beta = common_floats("conv_bn_relu", x=x, w=w, b=b, gamma=gamma, beta=beta)
    check_pixels(x, "conv_bn_relu")
    maps, conv_cache = L.conv_forward_im2col(x, w, b, conv_param)
    normed, bn_cache = L.spatial_batchnorm_forward(maps, gamma, beta, bn_param)
    out, relu_cache = L.relu_forward(normed)
    return out, (conv_cache, bn_cache, relu_cache)


def conv_bn_relu_backward(
        dout: Array, cache: Cache) -> tuple[Array, Array, Array, Array, Array]:
    """Return dx, dw, db, dgamma, dbeta of conv_bn_relu_forward."""
    conv_cache, bn_cache, relu_cache = checked_cache(cache, (tuple, tuple, np.ndarray),
                                                     "conv_bn_relu")
    dnormed = L.relu_backward(dout, relu_cache)
    dmaps, dgamma, dbeta = L.spatial_batchnorm_backward(dnormed, bn_cache)
    dx, dw, db = L.conv_backward_im2col(dmaps, conv_cache)
    return dx, dw, db, dgamma, dbeta


def conv_relu_pool_forward(
        x: Array, w: Array, b: Array,
        conv_param: ConvParam, pool_param: PoolParam) -> tuple[Array, Cache]:
    """Compute convolution - ReLU - max-pooling.

    x (N, C, H, W), w (F, C, HH, WW), b (F,). Returns out (N, F, Hp, Wp) and the caches of the
    layers.
    """
    maps, conv_relu_cache = conv_relu_forward(x, w, b, conv_param)
    out, pool_cache = L.max_pool_forward_im2col(maps, pool_param)
    return out, (conv_relu_cache, pool_cache)


def conv_relu_pool_backward(dout: Array, cache: Cache) -> tuple[Array, Array, Array]:
    """Return dx, dw, db of conv_relu_pool_forward."""
    conv_relu_cache, pool_cache = checked_cache(cache, (tuple, tuple), "conv_relu_pool")
    dmaps = L.max_pool_backward_im2col(dout, pool_cache)
    return conv_relu_backward(dmaps, conv_relu_cache)


def conv_bn_relu_pool_forward(
        x: Array, w: Array, b: Array, gamma: Array, beta: Array,
        conv_param: ConvParam, bn_param: BatchnormParam,
        pool_param: PoolParam) -> tuple[Array, Cache]:
    """Compute convolution - spatial batchnorm - ReLU - max-pooling, a block of the paper's network.

    x (N, C, H, W), w (F, C, HH, WW), b, gamma, beta (F,). Returns out (N, F, Hp, Wp) and the caches
    of the layers.
    """
    maps, conv_bn_relu_cache = conv_bn_relu_forward(x, w, b, gamma, beta, conv_param, bn_param)
    out, pool_cache = L.max_pool_forward_im2col(maps, pool_param)
    return out, (conv_bn_relu_cache, pool_cache)


def conv_bn_relu_pool_backward(
        dout: Array, cache: Cache) -> tuple[Array, Array, Array, Array, Array]:
    """Return dx, dw, db, dgamma, dbeta of conv_bn_relu_pool_forward."""
    conv_bn_relu_cache, pool_cache = checked_cache(cache, (tuple, tuple), "conv_bn_relu_pool")
    dmaps = L.max_pool_backward_im2col(dout, pool_cache)
    return conv_bn_relu_backward(dmaps, conv_bn_relu_cache)
