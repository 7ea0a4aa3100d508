"""The course's sandwiches: layers that often follow each other, as one forward and one backward function.

The composition here is the definition of each sandwich; a fused kernel must give the same results.
"""
from . import layers as L
from .shapes import common_floats


def affine_relu_forward(x, w, b):
    """affine - ReLU: x (N, d1..dk), w (D, M), b (M,); returns out (N, M) and the caches of both."""
    scores, affine_cache = L.affine_forward(x, w, b)
    out, relu_cache = L.relu_forward(scores)
    return out, (affine_cache, relu_cache)


def affine_relu_backward(dout, cache):
    """Return dx, dw, db of affine_relu_forward."""
    affine_cache, relu_cache = cache
    return L.affine_backward(L.relu_backward(dout, relu_cache), affine_cache)


def conv_relu_forward(x, w, b, conv_param):
    """conv - ReLU: x (N, C, H, W), w (F, C, HH, WW), b (F,); returns out (N, F, Ho, Wo) and the caches of both."""
    maps, conv_cache = L.conv_forward_im2col(x, w, b, conv_param)
    out, relu_cache = L.relu_forward(maps)
    return out, (conv_cache, relu_cache)


def conv_relu_backward(dout, cache):
    """Return dx, dw, db of conv_relu_forward."""
    conv_cache, relu_cache = cache
    return L.conv_backward_im2col(L.relu_backward(dout, relu_cache), conv_cache)


def conv_bn_relu_forward(x, w, b, gamma, beta, conv_param, bn_param):
    """conv - spatial batchnorm - ReLU; gamma, beta (F,); returns out (N, F, Ho, Wo) and the three caches.

    All arrays take one floating type, as those of a single layer do.
    """
    x, w, b, gamma, beta = common_floats("conv_bn_relu", x=x, w=w, b=b, gamma=gamma, beta=beta)
    maps, conv_cache = L.conv_forward_im2col(x, w, b, conv_param)
    normed, bn_cache = L.spatial_batchnorm_forward(maps, gamma, beta, bn_param)
    out, relu_cache = L.relu_forward(normed)
    return out, (conv_cache, bn_cache, relu_cache)


def conv_bn_relu_backward(dout, cache):
    """Return dx, dw, db, dgamma, dbeta of conv_bn_relu_forward."""
    conv_cache, bn_cache, relu_cache = cache
    dmaps, dgamma, dbeta = L.spatial_batchnorm_backward(L.relu_backward(dout, relu_cache), bn_cache)
    return *L.conv_backward_im2col(dmaps, conv_cache), dgamma, dbeta


def conv_relu_pool_forward(x, w, b, conv_param, pool_param):
    """conv - ReLU - max-pool; returns out (N, F, Hp, Wp) and the caches."""
    maps, conv_relu_cache = conv_relu_forward(x, w, b, conv_param)
    out, pool_cache = L.max_pool_forward_im2col(maps, pool_param)
    return out, (conv_relu_cache, pool_cache)


def conv_relu_pool_backward(dout, cache):
    """Return dx, dw, db of conv_relu_pool_forward."""
    conv_relu_cache, pool_cache = cache
    return conv_relu_backward(L.max_pool_backward_im2col(dout, pool_cache), conv_relu_cache)


def conv_bn_relu_pool_forward(x, w, b, gamma, beta, conv_param, bn_param, pool_param):
    """conv - spatial batchnorm - ReLU - max-pool: a block of the paper's net; returns out and the caches."""
    maps, conv_bn_relu_cache = conv_bn_relu_forward(x, w, b, gamma, beta, conv_param, bn_param)
    out, pool_cache = L.max_pool_forward_im2col(maps, pool_param)
    return out, (conv_bn_relu_cache, pool_cache)


def conv_bn_relu_pool_backward(dout, cache):
    """Return dx, dw, db, dgamma, dbeta of conv_bn_relu_pool_forward."""
    conv_bn_relu_cache, pool_cache = cache
    return conv_bn_relu_backward(L.max_pool_backward_im2col(dout, pool_cache), conv_bn_relu_cache)
