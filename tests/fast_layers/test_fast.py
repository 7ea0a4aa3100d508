"""Tests of the compiled convolutions and fused sandwiches against the NumPy rung."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from layouts import LAYOUTS, compiled

from cs231n_fer import fast_layers as F
from cs231n_fer import layer_utils as U
from cs231n_fer import layers as L
from cs231n_fer.fast_layers import batchnorm as B
from cs231n_fer.fast_layers import conv, passes
from cs231n_fer.fast_layers import plans as fast_layers_plans
from cs231n_fer.fast_layers import sandwiches as S
from cs231n_fer.kernels import conv as kernels
from cs231n_fer.kernels import winograd

POOL = {"pool_height": 2, "pool_width": 2, "stride": 2}
# name: (compiled forward and backward, those of the definition, has batchnorm, has a pool)
SANDWICHES = {
    "conv": (conv.conv_forward, conv.conv_backward, L.conv_forward_im2col, L.conv_backward_im2col,
             False, False),
    "conv_relu": (S.conv_relu_forward, S.conv_relu_backward, U.conv_relu_forward,
                  U.conv_relu_backward, False, False),
    "conv_relu_pool": (S.conv_relu_pool_forward, S.conv_relu_pool_backward,
                       U.conv_relu_pool_forward, U.conv_relu_pool_backward, False, True),
    "conv_bn_relu": (B.conv_bn_relu_forward, B.conv_bn_relu_backward,
                     U.conv_bn_relu_forward, U.conv_bn_relu_backward, True, False),
    "conv_bn_relu_pool": (B.conv_bn_relu_pool_forward, B.conv_bn_relu_pool_backward,
                          U.conv_bn_relu_pool_forward, U.conv_bn_relu_pool_backward, True, True),
}
# Winograd's transforms multiply by up to 8 and cancel: its rounding is about ten times that of
# direct convolution.
FACTOR = {"fast": 4, "winograd": 64}


def draw(seed, name, rung, dtype, most, layout, gamma_zero=False, pixels=12):
    """Return write-protected arguments of a sandwich, and a function that makes its settings.

    most      bound of the numbers of channels and filters
    pixels    approximate bound of height and width
    """
    rng = np.random.default_rng(seed)
    N, C, filters = rng.integers(1, [9, most, most])
    HH, WW = (3, 3) if rung == "winograd" else rng.integers(1, 5, 2)
    stride = 1 if rung == "winograd" else rng.integers(1, 4)
    pad = rng.integers(0, 3)
    # The pool needs at least two output pixels in each direction.
    H, W = (size + stride + rng.integers(0, pixels) for size in (HH, WW))
    arrays = [rng.standard_normal((N, C, H, W)),
              rng.standard_normal((filters, C, HH, WW)) / (C * HH * WW) ** 0.5,
              rng.standard_normal(filters)]
    _, _, _, _, bn, pool = SANDWICHES[name]
    if bn:
        arrays += [rng.standard_normal(filters) * (0 if gamma_zero else 1),
                   rng.standard_normal(filters)]
    arrays = [LAYOUTS[layout](a.astype(dtype)) if a.ndim == 4 else a.astype(dtype) for a in arrays]
    for array in arrays:
        array.setflags(write=False)
    mode = rng.choice(["train", "test"])
    mean = rng.standard_normal(filters)
    var = rng.random(filters) + 0.5

    def settings_in(kind):
        found = [{"stride": int(stride), "pad": int(pad)}]
        if bn:  # eps is large, because a variance near 0 would magnify rounding
            found.append({"mode": str(mode), "eps": 0.1, "running_mean": mean.astype(kind),
                          "running_var": var.astype(kind)})
        return [*found, POOL] if pool else found
    return rng, arrays, settings_in


def relative(found, true):
    """Return the largest difference, relative to the largest number."""
    return float(np.max(np.abs(found.astype(np.float64) - true)) / max(1e-30, np.max(np.abs(true))))


@pytest.mark.parametrize("rung", ["fast", "winograd"])
@pytest.mark.parametrize("name", SANDWICHES)
@settings(max_examples=25 if F.COMPILED else 3, deadline=None)
@given(seed=st.integers(0, 2 ** 32), layout=st.sampled_from(sorted(LAYOUTS)))
def test_every_compiled_sandwich_equals_the_composition_in_float64(name, rung, seed, layout):
    assert_equals_the_composition(name, rung, seed, layout)


def assert_equals_the_composition(name, rung, seed, layout, pixels=12):
    """Compare a fused sandwich with the composition of its layers; see the test above."""
    forward, backward, true_forward, true_backward, bn, _ = SANDWICHES[name]
    rng, arrays, in_dtype = draw(seed, name, rung, np.float64, 71 if F.COMPILED else 4, layout,
                                 pixels=pixels)
    given_settings = in_dtype(np.float64)
    true_settings = in_dtype(np.float64)
    out, cache = forward(*arrays, *given_settings, rung=rung)
    true_out, true_cache = true_forward(*arrays, *true_settings)
    dout = rng.standard_normal(out.shape)
    dout.setflags(write=False)
    found = backward(dout, cache)
    true = true_backward(dout, true_cache)
    assert relative(out, true_out) < 1e-12
    for i, (a, b, like) in enumerate(zip(found, true, arrays, strict=True)):
        assert a.shape == like.shape and a.dtype == like.dtype
        # Before batchnorm, db is 0 except for rounding.
        if not (bn and i == 2 and given_settings[1]["mode"] == "train"):
            np.testing.assert_allclose(a, b, rtol=0, atol=1e-11 * max(1, np.max(np.abs(b))),
                                       err_msg=f"gradient {i}")
    if bn:
        for key in ("running_mean", "running_var"):
            np.testing.assert_allclose(given_settings[1][key], true_settings[1][key], rtol=1e-12,
                                       atol=1e-12)
    assert backward(dout, cache, want_dx=False)[0] is None


@pytest.mark.parametrize(("C", "WW"),
                         [(1, 1), (1, 3), (1, 4), (1, 5), (5, 1), (1, 7), (2, 5), (3, 3)])
@pytest.mark.parametrize("stride", [1, 2])
def test_every_row_of_a_window_has_its_register_tile(C, WW, stride):
    rng = np.random.default_rng(C * WW)
    x = rng.standard_normal((3, C, 9, 11))
    w = rng.standard_normal((7, C, 5, WW))
    b = rng.standard_normal(7)
    out, cache = conv.conv_forward(x, w, b, {"stride": stride, "pad": 2}, "fast")
    true, true_cache = L.conv_forward_im2col(x, w, b, {"stride": stride, "pad": 2})
    dout = rng.standard_normal(out.shape)
    for found, expected in zip((out, *conv.conv_backward(dout, cache)),
                               (true, *L.conv_backward_im2col(dout, true_cache)), strict=True):
        np.testing.assert_allclose(found, expected, rtol=0, atol=1e-11)


@pytest.fixture
def plans(monkeypatch):
    """What the tests plan, with blocks so small that most images are worked on in strips."""
    made = []

    def plan(*arguments):
        made.append(winograd.winograd_plan.__wrapped__(*arguments))
        return made[-1]
    monkeypatch.setattr(winograd, "BLOCK_BYTES", 0)
    monkeypatch.setattr(fast_layers_plans, "winograd_plan", plan)
    fast_layers_plans.convolution.cache_clear()
    yield made
    fast_layers_plans.convolution.cache_clear()


@pytest.mark.parametrize("name", SANDWICHES)
def test_images_may_be_worked_on_in_strips(name, plans):
    for seed in range(30 if F.COMPILED else 3):
        assert_equals_the_composition(name, "winograd", seed, "C", pixels=40 if F.COMPILED else 12)
    in_strips = {plan.m for plan in plans if plan.strip < plan.size.Ho}
    assert len(in_strips) == 3 if F.COMPILED else in_strips, "strips for some sizes of tiles only"


@compiled
@pytest.mark.parametrize(("N", "C", "filters", "H"),
                         [(1, 70, 33, 5), (3, 40, 9, 12), (25, 33, 20, 6), (50, 3, 5, 7)])
@pytest.mark.parametrize("want_dx", [False, True])
def test_parts_of_a_chunk_for_threads_without_one_give_the_same_bits(
        N, C, filters, H, want_dx, monkeypatch):
    rng = np.random.default_rng(N)
    x = rng.standard_normal((N, C, H, H))
    w = rng.standard_normal((filters, C, 3, 3))
    out, cache = conv.conv_forward(x, w, rng.standard_normal(filters), {"stride": 1, "pad": 1},
                                   "winograd")
    dout = rng.standard_normal(out.shape)
    results = []
    splits = []
    for threads in (1, 2, 8, 100):
        monkeypatch.setattr(passes, "threads", lambda threads=threads: threads)
        chunks = kernels.chunks_of(N)
        splits.append(kernels.backward_splits(cache.conv.plan, threads, chunks, want_dx))
        results.append([None if gradient is None else gradient.tobytes()
                        for gradient in conv.conv_backward(dout, cache, want_dx)])
    assert splits[0] == 1
    assert splits[-1] == cache.size.Cp // (2 * cache.size.lanes) * (2 if want_dx else 1)
    assert all(result == results[0] for result in results)


@compiled
@pytest.mark.parametrize("rung", ["fast", "winograd"])
@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 2 ** 32))
def test_float32_stays_within_the_rounding_of_its_sums(rung, seed):
    rng, arrays, in_dtype = draw(seed, "conv", rung, np.float32, 71, "C")
    out, cache = conv.conv_forward(*arrays, *in_dtype(np.float32), rung=rung)
    wide = [array.astype(np.float64) for array in arrays]
    true_out, true_cache = L.conv_forward_im2col(*wide, *in_dtype(np.float64))
    dout = rng.standard_normal(out.shape).astype(np.float32)
    found = conv.conv_backward(dout, cache)
    true = L.conv_backward_im2col(dout.astype(np.float64), true_cache)
    lengths = [arrays[1][0].size, arrays[1][:, 0].size, dout[:, 0].size, dout[:, 0].size]
    for a, b, length in zip((out, *found), (true_out, *true), lengths, strict=True):
        assert a.dtype == np.float32
        assert relative(a, b) < np.finfo(np.float32).eps * np.sqrt(length) * FACTOR[rung]


@pytest.mark.parametrize("name", ["conv_bn_relu_pool", "conv_bn_relu"])
def test_a_gamma_of_zero_keeps_the_first_pixel_of_each_window(name):
    forward, backward, true_forward, true_backward, _, _ = SANDWICHES[name]
    rng, arrays, in_dtype = draw(5, name, "fast", np.float64, 3, "C", gamma_zero=True)
    out, cache = forward(*arrays, *in_dtype(np.float64))
    true_out, true_cache = true_forward(*arrays, *in_dtype(np.float64))
    dout = rng.standard_normal(out.shape)
    np.testing.assert_allclose(out, true_out, atol=1e-12)
    for i, (a, b) in enumerate(zip(backward(dout, cache), true_backward(dout, true_cache),
                                   strict=True)):
        if i != 2:
            np.testing.assert_allclose(a, b, atol=1e-11)


@pytest.mark.parametrize("rung", ["fast", "winograd"])
@pytest.mark.parametrize("name", SANDWICHES)
def test_nan_in_gives_nan_out(name, rung):
    forward, *_ = SANDWICHES[name]
    _, arrays, in_dtype = draw(3, name, rung, np.float64, 4, "C")
    x = arrays[0].copy()
    x[0, 0] = np.nan
    true_out, _ = SANDWICHES[name][2](x, *arrays[1:], *in_dtype(np.float64))
    out, _ = forward(x, *arrays[1:], *in_dtype(np.float64), rung=rung)
    assert np.isnan(out)[np.isnan(true_out)].all() and np.isnan(true_out).any()


@pytest.mark.parametrize("name", ["conv_bn_relu", "conv_bn_relu_pool"])
@settings(max_examples=40 if F.COMPILED else 3, deadline=None)
@given(seed=st.integers(0, 2 ** 32), layout=st.sampled_from(sorted(LAYOUTS)),
       offset=st.sampled_from([0, 100]))
def test_batchnorm_below_one_channel_images_equals_the_composition(name, seed, layout, offset):
    rng = np.random.default_rng(seed)
    (forward, backward, true_forward, true_backward, _, pool) = SANDWICHES[name]
    N, filters, HH, WW = rng.integers(1, [5, 40, 5, 5])
    pad = int(rng.integers(0, 3))
    H = HH + 1 + rng.integers(0, 30)
    W = WW + 1 + rng.integers(0, 30)
    # Far from 0, a variance easily drowns in rounding.
    x = LAYOUTS[layout](rng.standard_normal((N, 1, H, W)) + offset)
    arguments = [x, rng.standard_normal((filters, 1, HH, WW)), *rng.standard_normal((3, filters))]
    for array in arguments:
        array.setflags(write=False)
    results = []
    for run, back in ((forward, backward), (true_forward, true_backward)):
        bn_param = {"mode": "train", "eps": 0.1, "running_mean": np.ones(filters),
                    "running_var": np.ones(filters)}
        out, cache = run(*arguments, {"stride": 1, "pad": pad}, bn_param, *([POOL] if pool else []))
        if not results:
            assert isinstance(cache, B.WindowsCache)
            dout = rng.standard_normal(out.shape)
        results.append([out, *back(dout, cache), bn_param["running_mean"], bn_param["running_var"]])
    for found, true in zip(*results, strict=True):
        limit = np.finfo(float).eps * 64 * (N * H * W) * max(1, offset) * max(1, np.abs(true).max())
        np.testing.assert_allclose(found, true, rtol=0, atol=limit)


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("keep", [lambda ones: ones, lambda ones: np.repeat(ones, 2)[::2],
                                  lambda ones: ones.astype(np.float64)],
                         ids=["plain", "strided", "float64"])
def test_running_averages_of_any_kind_move_in_place(channels, keep):
    rng = np.random.default_rng(channels)
    x, w = (rng.standard_normal(shape).astype(np.float32)
            for shape in ((4, channels, 9, 9), (5, channels, 3, 3)))
    b, gamma, beta = rng.standard_normal((3, 5)).astype(np.float32)
    found = []
    for forward, kept in ((B.conv_bn_relu_forward, keep),
                          (U.conv_bn_relu_forward, lambda ones: ones)):
        averages = [kept(np.ones(5, np.float32)) for _ in range(2)]
        forward(x, w, b, gamma, beta, {"stride": 1, "pad": 1},
                {"mode": "train", "running_mean": averages[0], "running_var": averages[1]})
        found.append(averages)
    for mine, true in zip(*found, strict=True):
        np.testing.assert_allclose(mine, true, rtol=2e-5)


@pytest.mark.parametrize("channels", [1, 3])
def test_running_averages_that_are_protected_give_an_error(channels):
    averages = {name: np.ones(5) for name in ("running_mean", "running_var")}
    averages["running_var"].setflags(write=False)
    with pytest.raises(ValueError, match="read-only"):
        B.conv_bn_relu_forward(np.ones((2, channels, 4, 4)), np.ones((5, channels, 3, 3)),
                               *np.ones((3, 5)),
                               {"stride": 1, "pad": 1}, {"mode": "train", **averages})


@compiled
@pytest.mark.parametrize("rung", ["fast", "winograd"])
@pytest.mark.parametrize("N", [1, 2, 3, 15, 16, 23, 24, 50, 200])
def test_gradients_of_a_batch_are_the_sum_of_its_chunks(rung, N):
    rng = np.random.default_rng(N)
    x = rng.standard_normal((N, 20, 7, 8))
    w = rng.standard_normal((33, 20, 3, 3))
    b = rng.standard_normal(33)
    out, cache = conv.conv_forward(x, w, b, {"stride": 1, "pad": 1}, rung)
    true, true_cache = L.conv_forward_im2col(x, w, b, {"stride": 1, "pad": 1})
    dout = rng.standard_normal(out.shape)
    limit = np.finfo(float).eps * FACTOR[rung] * (N * 20 * 9) ** 0.5 * 64
    for found, expected in zip((out, *conv.conv_backward(dout, cache)),
                               (true, *L.conv_backward_im2col(dout, true_cache)), strict=True):
        np.testing.assert_allclose(found, expected, rtol=0,
                                   atol=limit * max(1, np.abs(expected).max()) / 64)
