"""Tests of every rung of every layer against the rung below, on random shapes, layouts and dtypes.
"""
from collections import namedtuple

import numpy as np
import pytest
from hypothesis import given, settings
from layouts import DTYPES, PROBLEMS, arguments, assert_close, protected

from cs231n_fer import layers as L
from cs231n_fer.gradient_check import spaced
from cs231n_fer.layers.batchnorm import as_rows
from cs231n_fer.layers.initializers import fans


def VECTORS(size):
    return size(0), size(1)


def IMAGES_OF(size):
    return size(0), size(1), size(2), size(3)


def draw_affine(rng, size):
    D = size(0) * size(1) * size(2)
    M = size(3)
    x = rng.standard_normal((size(3), size(0), size(1), size(2)))
    return x, rng.standard_normal((D, M)), rng.standard_normal(M)


def norm_of(shape, *rest, channels=lambda x: x.shape[1]):
    """Draw the arguments of a norm; x is spaced, so that no variance nears 0, and at most 1."""
    def draw(rng, size):
        x = spaced(rng, shape(size))
        return x / abs(x).max(), *(rng.standard_normal(channels(x))
                                   for _ in range(2)), *(f(size) for f in rest)
    return draw


draw_vector_norm = norm_of(VECTORS, lambda size: {"mode": "train"})
draw_image_norm = norm_of(IMAGES_OF, lambda size: {"mode": "train"})
draw_layernorm = norm_of(VECTORS, lambda size: {"eps": 1e-3})
draw_groupnorm = norm_of(lambda size: (size(2), size(0) * size(1), size(1), size(3)),
                         lambda size: size(0),
                         lambda size: {}, channels=lambda x: (1, x.shape[1], 1, 1))


def in_test_mode(draw):
    def drawn(rng, size):
        x, gamma, beta, _ = draw(rng, size)
        mean = rng.standard_normal(gamma.shape)
        var = rng.random(gamma.shape) + 0.5
        return x, gamma, beta, {"mode": "test", "running_mean": mean, "running_var": var}
    return drawn


def draw_dropout(rng, size):
    return spaced(rng, IMAGES_OF(size)), {"p": float(rng.uniform(0.1, 1)), "mode": "train",
                                          "seed": size(0)}


def draw_conv(rng, size):
    N = size(0)
    C = size(1)
    F = size(2)
    HH = size(2)
    WW = size(3)
    x = rng.standard_normal((N, C, HH + size(1) - 1, WW + size(0) - 1))
    w = rng.standard_normal((F, C, HH, WW))
    b = rng.standard_normal(F)
    return x, w, b, {"stride": size(3), "pad": size(1) - 1}


def draw_grouped_conv(rng, size):
    x, w, b, conv_param = draw_conv(rng, size)
    groups = size(0)
    return np.tile(x, (1, groups, 1, 1)) + rng.standard_normal((groups * x.shape[1], 1, 1)), \
        rng.standard_normal((groups * len(w), *w.shape[1:])), np.tile(b, groups), conv_param, groups


def draw_pool(rng, size):
    # Small integers give windows full of zeros, and ties of positive numbers.
    x = np.maximum(rng.integers(-2, 3, (size(3), size(0), size(1) + size(2), size(2) + size(3))),
                   0.0)
    return x, {"pool_height": size(1), "pool_width": size(2), "stride": size(0)}


def draw_tiling_pool(rng, size):
    x = np.maximum(rng.integers(-2, 3, (size(3), size(0), size(1) * size(2), size(1) * size(3))),
                   0.0)
    return x, {"pool_height": size(1), "pool_width": size(1), "stride": size(1)}


# (forward, backward) of one operation on a rung and on the one below it; draw(rng, size) makes
# float64 arguments.
Rungs = namedtuple("Rungs", "name draw tested below")


def pair(name, tested, draw, below=None, back=None):
    """A row by the course's names; the rung below is name_naive, back names another backward
    pass."""
    forward = tested.format("forward")
    backward = back or tested.format("backward")
    below = below or name + "_{}_naive"
    return Rungs(backward, draw, (getattr(L, forward), getattr(L, backward)),
                 (getattr(L, below.format("forward")), getattr(L, below.format("backward"))))


RUNGS = [
    pair("affine", "affine_{}", draw_affine),
    pair("relu", "relu_{}", lambda rng, size: (spaced(rng, IMAGES_OF(size)),)),
    pair("leaky_relu", "leaky_relu_{}", lambda rng,
         size: (spaced(rng, IMAGES_OF(size)), float(rng.random()))),
    pair("conv", "conv_{}_im2col", draw_conv),
    pair("grouped_conv", "grouped_conv_{}_im2col", draw_grouped_conv),
    pair("pad", "pad_{}", lambda rng, size: (rng.standard_normal(IMAGES_OF(size)), size(0) - 1,
                                             float(size(1)))),
    pair("max_pool", "max_pool_{}_im2col", draw_pool),
    pair("max_pool", "max_pool_{}_reshape", draw_tiling_pool, below="max_pool_{}_im2col"),
    pair("avg_pool", "avg_pool_{}_im2col", draw_pool),
    pair("batchnorm", "batchnorm_{}", draw_vector_norm),
    pair("batchnorm", "batchnorm_{}", draw_vector_norm, back="batchnorm_backward_alt"),
    pair("batchnorm", "batchnorm_{}", in_test_mode(draw_vector_norm)),
    pair("batchnorm", "batchnorm_{}", in_test_mode(draw_vector_norm),
         back="batchnorm_backward_alt"),
    pair("spatial_batchnorm", "spatial_batchnorm_{}", draw_image_norm),
    pair("spatial_batchnorm", "spatial_batchnorm_{}", in_test_mode(draw_image_norm)),
    pair("layernorm", "layernorm_{}", draw_layernorm),
    pair("spatial_groupnorm", "spatial_groupnorm_{}", draw_groupnorm),
    pair("dropout", "dropout_{}", draw_dropout),
    pair("dropout", "dropout_{}", lambda rng,
         size: (spaced(rng, IMAGES_OF(size)), {"p": 0.5, "mode": "test"})),
]


@pytest.mark.parametrize("rungs", RUNGS, ids=lambda rungs: rungs.name)
@settings(max_examples=40, deadline=None)
@given(**PROBLEMS)
def test_every_rung_equals_the_rung_below(rungs, dtype, layout, sizes, seed):
    rng = np.random.default_rng(seed)
    drawn = rungs.draw(rng, sizes.__getitem__)
    args = arguments(drawn, layout, dtype)
    args_below = arguments(drawn, "C", dtype)
    out, cache = rungs.tested[0](*args)
    out_below, cache_below = rungs.below[0](*args_below)
    terms = max(a.size for a in (out, *drawn) if isinstance(a, np.ndarray))
    assert_close(out, out_below, terms, rungs.name)
    dout = rng.standard_normal(out.shape)
    both = (rungs.tested[1](protected(dout, layout, dtype), cache),
            rungs.below[1](protected(dout, dtype=dtype), cache_below))
    grads, grads_below = (g if isinstance(g, tuple) else (g,) for g in both)
    assert [g.shape for g in grads] == [a.shape for a in args if isinstance(a, np.ndarray)]
    for grad, below in zip(grads, grads_below, strict=True):
        assert grad.dtype == dtype
        assert_close(grad, below, terms, rungs.name)
    averages, averages_below = ([a[key] for a in some if isinstance(a, dict) for key in a
                                 if "running" in key]
                                for some in (args, args_below))
    for average, below in zip(averages, averages_below, strict=True):
        assert_close(average, below, terms, rungs.name)


def test_channels_last_images_are_neither_copied_nor_returned_in_another_layout():
    x = protected(np.random.default_rng(0).random((2, 4, 3, 5)), "channels-last")
    ones = np.ones(4)
    assert np.shares_memory(as_rows(x), x)
    for out, _ in (L.spatial_batchnorm_forward(x, ones, ones, {"mode": "train"}), L.relu_forward(x),
                   L.leaky_relu_forward(x),
                   L.dropout_forward(x, {"p": 0.5, "mode": "train", "seed": 0})):
        assert out.strides == x.strides


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("make, deviation",
                         [(L.he_normal, (2 / 450) ** 0.5), (L.xavier_normal, (2 / 1250) ** 0.5),
                          (lambda rng, shape, dtype: L.scaled_normal(rng, shape, 0.3, dtype), 0.3)])
def test_initial_weights_have_their_deviation_and_channels_last_memory(make, deviation, dtype):
    w = make(np.random.default_rng(0), (32, 18, 5, 5), dtype)
    assert w.shape == (32, 18, 5, 5)
    assert w.dtype == dtype
    assert w.transpose(2, 3, 1, 0).flags.c_contiguous
    # Six standard errors of a mean and of a standard deviation of w.size numbers.
    assert abs(w.mean()) < 6 * deviation / w.size ** 0.5
    assert abs(w.std() / deviation - 1) < 6 / (2 * w.size) ** 0.5
    np.testing.assert_array_equal(w, make(np.random.default_rng(0), (32, 18, 5, 5), dtype))
    assert fans((32, 18, 5, 5)) == (450, 800) and fans((6, 3)) == (6, 3)


def test_numpy_scalars_in_the_settings_leave_float32_alone():
    x = np.arange(12, dtype=np.float32).reshape(3, 4)
    ones = np.ones(4, np.float32)
    s = np.float64
    c1 = ones.reshape(1, 4, 1, 1)
    y = np.array([0, 1, 2])
    images = x.reshape(3, 4, 1, 1)
    q = np.full((3, 4), 0.25, np.float32)
    for array in (L.batchnorm_forward(x, ones, ones,
                                      {"mode": "train", "eps": s(1e-5), "momentum": s(0.9)})[0],
                  L.layernorm_forward(x, ones, ones, {"eps": s(1e-5)})[0],
                  L.leaky_relu_forward(x, s(0.1))[0],
                  L.spatial_groupnorm_forward(images, c1, c1, 2, {"eps": s(1e-5)})[0],
                  L.l2_loss(x, s(0.1))[1],
                  L.dropout_forward(x, {"p": s(0.5), "mode": "train", "seed": 0})[0],
                  L.distillation_loss(x, y, q, s(0.8), s(2.0))[1]):
        assert array.dtype == np.float32
