"""The compiled rungs against the NumPy rung: convolutions and fused sandwiches on random shapes, dtypes and layouts."""
import os
import subprocess
import sys
import tracemalloc
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from multiprocessing import get_context

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cs231n_fer import fast_batchnorm as B
from cs231n_fer import fast_layers as F
from cs231n_fer import fast_sandwiches as S
from cs231n_fer import layer_utils as U
from cs231n_fer import layers as L
from cs231n_fer import memory
from cs231n_fer.classifiers import FinalConvNet
from cs231n_fer.fast_norm import spatial_batchnorm_backward_fast, spatial_batchnorm_forward_fast
from cs231n_fer.inference import Predictor
from cs231n_fer.kernels.machine import TILE_ROWS
from cs231n_fer.ladder import functions
from cs231n_fer.network import Chain, Network, Residual, Sandwich, fuse
from cs231n_fer.records import Affine, BatchNorm, Conv, GlobalAvgPool, MaxPool, ReLU

compiled = pytest.mark.skipif(not F.COMPILED, reason="kernels of this size take too long without the compiler")
DTYPES = [np.float32, np.float64]
POOL = {"pool_height": 2, "pool_width": 2, "stride": 2}
LAYOUTS = {"C": np.ascontiguousarray, "Fortran": np.asfortranarray,
           "strided": lambda a: np.repeat(a, 2, axis=-1)[..., ::2],
           "channels-last": lambda a: np.ascontiguousarray(a.transpose(0, 2, 3, 1)).transpose(0, 3, 1, 2)}
# name: (compiled forward, backward; the definition's; has batchnorm; has a pool)
SANDWICHES = {
    "conv": (F.conv_forward, F.conv_backward, L.conv_forward_im2col, L.conv_backward_im2col, False, False),
    "conv_relu": (S.conv_relu_forward, S.conv_relu_backward, U.conv_relu_forward, U.conv_relu_backward, False, False),
    "conv_relu_pool": (S.conv_relu_pool_forward, S.conv_relu_pool_backward,
                       U.conv_relu_pool_forward, U.conv_relu_pool_backward, False, True),
    "conv_bn_relu": (B.conv_bn_relu_forward, B.conv_bn_relu_backward,
                     U.conv_bn_relu_forward, U.conv_bn_relu_backward, True, False),
    "conv_bn_relu_pool": (B.conv_bn_relu_pool_forward, B.conv_bn_relu_pool_backward,
                          U.conv_bn_relu_pool_forward, U.conv_bn_relu_pool_backward, True, True),
}
# Winograd's transforms multiply by up to 8 and cancel: its rounding is about ten times that of direct convolution.
FACTOR = {"fast": 4, "winograd": 64}


def draw(seed, name, engine, dtype, most, layout, gamma_zero=False):
    """Arguments of a sandwich, write-protected, and its settings as a function that makes them anew."""
    rng = np.random.default_rng(seed)
    N, C, filters = rng.integers(1, [9, most, most])
    HH, WW = (3, 3) if engine == "winograd" else rng.integers(1, 5, 2)
    stride, pad = (1, rng.integers(0, 3)) if engine == "winograd" else (rng.integers(1, 4), rng.integers(0, 3))
    # Two output pixels at least in each direction, for the pool.
    H, W = (size + stride + rng.integers(0, 12) for size in (HH, WW))
    arrays = [rng.standard_normal((N, C, H, W)), rng.standard_normal((filters, C, HH, WW)) / (C * HH * WW) ** 0.5,
              rng.standard_normal(filters)]
    _, _, _, _, bn, pool = SANDWICHES[name]
    if bn:
        arrays += [rng.standard_normal(filters) * (0 if gamma_zero else 1), rng.standard_normal(filters)]
    arrays = [LAYOUTS[layout](a.astype(dtype)) if a.ndim == 4 else a.astype(dtype) for a in arrays]
    for array in arrays:
        array.setflags(write=False)
    mode = rng.choice(["train", "test"])
    mean, var = rng.standard_normal(filters), rng.random(filters) + 0.5

    def settings_in(kind):
        found = [{"stride": int(stride), "pad": int(pad)}]
        if bn:  # eps is large, since a variance of nearly 0 would magnify rounding
            found.append({"mode": str(mode), "eps": 0.1, "running_mean": mean.astype(kind),
                          "running_var": var.astype(kind)})
        return [*found, POOL] if pool else found
    return rng, arrays, settings_in


def relative(found, true):
    """Largest difference, relative to the largest number."""
    return float(np.max(np.abs(found.astype(np.float64) - true)) / max(1e-30, np.max(np.abs(true))))


@pytest.mark.parametrize("engine", ["fast", "winograd"])
@pytest.mark.parametrize("name", SANDWICHES)
@settings(max_examples=25 if F.COMPILED else 3, deadline=None)
@given(seed=st.integers(0, 2 ** 32), layout=st.sampled_from(sorted(LAYOUTS)))
def test_every_compiled_sandwich_equals_the_composition_in_float64(name, engine, seed, layout):
    forward, backward, true_forward, true_backward, bn, _ = SANDWICHES[name]
    rng, arrays, in_dtype = draw(seed, name, engine, np.float64, 71 if F.COMPILED else 4, layout)
    given_settings, true_settings = in_dtype(np.float64), in_dtype(np.float64)
    out, cache = forward(*arrays, *given_settings, engine=engine)
    true_out, true_cache = true_forward(*arrays, *true_settings)
    dout = rng.standard_normal(out.shape)
    dout.setflags(write=False)
    found, true = backward(dout, cache), true_backward(dout, true_cache)
    assert relative(out, true_out) < 1e-12
    for i, (a, b, like) in enumerate(zip(found, true, arrays, strict=True)):
        assert a.shape == like.shape and a.dtype == like.dtype
        if not (bn and i == 2 and given_settings[1]["mode"] == "train"):  # db is 0 before batchnorm, but for rounding
            np.testing.assert_allclose(a, b, rtol=0, atol=1e-11 * max(1, np.max(np.abs(b))), err_msg=f"gradient {i}")
    if bn:
        for key in ("running_mean", "running_var"):
            np.testing.assert_allclose(given_settings[1][key], true_settings[1][key], rtol=1e-12, atol=1e-12)
    assert backward(dout, cache, want_dx=False)[0] is None


@compiled
@pytest.mark.parametrize("engine", ["fast", "winograd"])
@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 2 ** 32))
def test_float32_stays_within_the_rounding_of_its_sums(engine, seed):
    rng, arrays, in_dtype = draw(seed, "conv", engine, np.float32, 71, "C")
    out, cache = F.conv_forward(*arrays, *in_dtype(np.float32), engine=engine)
    wide = [array.astype(np.float64) for array in arrays]
    true_out, true_cache = L.conv_forward_im2col(*wide, *in_dtype(np.float64))
    dout = rng.standard_normal(out.shape).astype(np.float32)
    found, true = F.conv_backward(dout, cache), L.conv_backward_im2col(dout.astype(np.float64), true_cache)
    lengths = [arrays[1][0].size, arrays[1][:, 0].size, dout[:, 0].size, dout[:, 0].size]
    for a, b, length in zip((out, *found), (true_out, *true), lengths, strict=True):
        assert a.dtype == np.float32
        assert relative(a, b) < np.finfo(np.float32).eps * np.sqrt(length) * FACTOR[engine]


@pytest.mark.parametrize("name", ["conv_bn_relu_pool", "conv_bn_relu"])
def test_a_gamma_of_zero_keeps_the_first_pixel_of_each_window(name):
    forward, backward, true_forward, true_backward, _, _ = SANDWICHES[name]
    rng, arrays, in_dtype = draw(5, name, "fast", np.float64, 3, "C", gamma_zero=True)
    out, cache = forward(*arrays, *in_dtype(np.float64))
    true_out, true_cache = true_forward(*arrays, *in_dtype(np.float64))
    dout = rng.standard_normal(out.shape)
    np.testing.assert_allclose(out, true_out, atol=1e-12)
    for i, (a, b) in enumerate(zip(backward(dout, cache), true_backward(dout, true_cache), strict=True)):
        if i != 2:
            np.testing.assert_allclose(a, b, atol=1e-11)


@pytest.mark.parametrize("engine", ["fast", "winograd"])
@pytest.mark.parametrize("name", SANDWICHES)
def test_nan_in_gives_nan_out(name, engine):
    forward, *_ = SANDWICHES[name]
    _, arrays, in_dtype = draw(3, name, engine, np.float64, 4, "C")
    x = arrays[0].copy()
    x[0, 0] = np.nan
    true_out, _ = SANDWICHES[name][2](x, *arrays[1:], *in_dtype(np.float64))
    out, _ = forward(x, *arrays[1:], *in_dtype(np.float64), engine=engine)
    assert np.isnan(out)[np.isnan(true_out)].all() and np.isnan(true_out).any()


@compiled
@pytest.mark.parametrize("rows", [1, TILE_ROWS - 1, TILE_ROWS, TILE_ROWS + 1, 8 * TILE_ROWS + 5])
@pytest.mark.parametrize("columns", [1, 31, 32, 33, 200])
@pytest.mark.parametrize("dtype", DTYPES)
def test_the_matrix_product_takes_any_size_and_transposes(rows, columns, dtype):
    rng = np.random.default_rng(0)
    a, b = rng.standard_normal((rows, 37)).astype(dtype), rng.standard_normal((37, columns)).astype(dtype)
    a.setflags(write=False)
    limit = 4 * np.finfo(dtype).eps * np.sqrt(37) * 37
    for left in (a, np.asfortranarray(a), np.repeat(a, 3, axis=1)[:, ::3]):
        found = F.matrix_product(left, b)
        assert found.dtype == dtype
        np.testing.assert_allclose(found, a.astype(np.float64) @ b, rtol=0, atol=limit)
    assert F.matrix_product(a[:0], b).shape == (0, columns)


@compiled
@pytest.mark.parametrize("batchnorm", [False, True])
def test_results_have_the_same_bits_on_any_number_of_threads(batchnorm):
    code = ("import numpy as np, hashlib, sys; from cs231n_fer.classifiers import FinalConvNet;"
            "from cs231n_fer.fast_layers import set_threads; set_threads(int(sys.argv[1]));"
            f"net = FinalConvNet(seed=0, batchnorm={batchnorm}, reg=1e-3); rng = np.random.default_rng(0);"
            "X = rng.standard_normal((13, 1, 48, 48)).astype(np.float32);"
            "loss, grads = net.loss(X, np.arange(13) % 7); digest = hashlib.sha256(np.float64(loss).tobytes());"
            "[digest.update(np.ascontiguousarray(grads[k]).tobytes()) for k in sorted(grads)];"
            "[digest.update(np.ascontiguousarray(net.loss(X[:n])).tobytes()) for n in (1, 2, 13)];"
            "print(digest.hexdigest())")
    found = [subprocess.run([sys.executable, "-c", code, threads], capture_output=True, text=True, check=True,
                            env={**os.environ, "NUMBA_NUM_THREADS": "4"}).stdout for threads in ("1", "2", "4", "2")]
    assert len(set(found)) == 1


def test_threads_out_of_range_get_a_clear_error():
    for n in (0, 10 ** 6, 1.5):
        with pytest.raises(ValueError, match="threads: got"):
            F.set_threads(n)


@pytest.mark.parametrize("name", ["conv_bn_relu", "conv_bn_relu_pool"])
@settings(max_examples=40 if F.COMPILED else 3, deadline=None)
@given(seed=st.integers(0, 2 ** 32), layout=st.sampled_from(sorted(LAYOUTS)), offset=st.sampled_from([0, 100]))
def test_batchnorm_below_one_channel_images_equals_the_composition(name, seed, layout, offset):
    rng, (forward, backward, true_forward, true_backward, _, pool) = np.random.default_rng(seed), SANDWICHES[name]
    N, filters, HH, WW = rng.integers(1, [5, 40, 5, 5])
    pad = int(rng.integers(0, 3))
    H, W = HH + 1 + rng.integers(0, 30), WW + 1 + rng.integers(0, 30)
    x = LAYOUTS[layout](rng.standard_normal((N, 1, H, W)) + offset)  # far from 0 a variance is easily lost
    arguments = [x, rng.standard_normal((filters, 1, HH, WW)), *rng.standard_normal((3, filters))]
    for array in arguments:
        array.setflags(write=False)
    results = []
    for run, back in ((forward, backward), (true_forward, true_backward)):
        bn_param = {"mode": "train", "eps": 0.1, "running_mean": np.ones(filters), "running_var": np.ones(filters)}
        out, cache = run(*arguments, {"stride": 1, "pad": pad}, bn_param, *([POOL] if pool else []))
        if not results:
            assert isinstance(cache, B.WindowsCache)
            dout = rng.standard_normal(out.shape)
        results.append([out, *back(dout, cache), bn_param["running_mean"], bn_param["running_var"]])
    for found, true in zip(*results, strict=True):
        limit = np.finfo(float).eps * 64 * (N * H * W) * max(1, offset) * max(1, np.abs(true).max())
        np.testing.assert_allclose(found, true, rtol=0, atol=limit)


@compiled
@pytest.mark.parametrize("engine", ["fast", "winograd"])
@pytest.mark.parametrize("N", [15, 16, 50, 200])
def test_gradients_of_a_large_batch_are_the_sum_of_its_chunks(engine, N):
    rng = np.random.default_rng(N)
    x, w, b = rng.standard_normal((N, 20, 7, 8)), rng.standard_normal((33, 20, 3, 3)), rng.standard_normal(33)
    out, cache = F.conv_forward(x, w, b, {"stride": 1, "pad": 1}, engine)
    true, true_cache = L.conv_forward_im2col(x, w, b, {"stride": 1, "pad": 1})
    dout = rng.standard_normal(out.shape)
    limit = np.finfo(float).eps * FACTOR[engine] * (N * 20 * 9) ** 0.5 * 64
    for found, expected in zip((out, *F.conv_backward(dout, cache)),
                               (true, *L.conv_backward_im2col(dout, true_cache)), strict=True):
        np.testing.assert_allclose(found, expected, rtol=0, atol=limit * max(1, np.abs(expected).max()) / 64)


@pytest.mark.parametrize("name", ["max_pool", "avg_pool"])
@settings(max_examples=60 if F.COMPILED else 5, deadline=None)
@given(seed=st.integers(0, 2 ** 32), layout=st.sampled_from(sorted(LAYOUTS)), dtype=st.sampled_from(DTYPES))
def test_compiled_pools_of_any_window_equal_the_rung_below(name, seed, layout, dtype):
    rng = np.random.default_rng(seed)
    N, C, HH, WW, stride = rng.integers(1, [4, 40, 5, 5, 5])
    H, W = HH + rng.integers(0, 9), WW + rng.integers(0, 9)
    x = LAYOUTS[layout](rng.integers(-3, 4, (N, C, H, W)).astype(dtype))  # few values: many ties
    x.setflags(write=False)
    pool_param = {"pool_height": int(HH), "pool_width": int(WW), "stride": int(stride)}
    (forward, backward), (true_forward, true_backward) = (functions(name, rung) for rung in ("fast", "im2col"))
    out, cache = forward(x, pool_param)
    true, true_cache = true_forward(x, pool_param)
    dout = rng.standard_normal(out.shape).astype(dtype)
    limit = np.finfo(dtype).eps * 8 * HH * WW
    np.testing.assert_allclose(out, true, rtol=0, atol=limit)
    dx = backward(dout, cache)
    assert dx.dtype == out.dtype == dtype
    np.testing.assert_allclose(dx, true_backward(dout, true_cache), rtol=0, atol=limit)


def test_a_nan_reaches_every_window_it_lies_in():
    x = np.zeros((1, 3, 5, 5), np.float32)
    x[0, 1, 2, 2] = np.nan
    out, _ = functions("max_pool", "fast")[0](x, {"pool_height": 3, "pool_width": 3, "stride": 1})
    assert np.isnan(out[0, 1]).all() and not out[0, [0, 2]].any()


@settings(max_examples=40 if F.COMPILED else 5, deadline=None)
@given(seed=st.integers(0, 2 ** 32), layout=st.sampled_from(sorted(LAYOUTS)), mode=st.sampled_from(["train", "test"]),
       dtype=st.sampled_from(DTYPES))
def test_batchnorm_alone_equals_its_definition(seed, layout, mode, dtype):
    rng = np.random.default_rng(seed)
    N, C, H, W = rng.integers(1, [6, 70, 9, 9])
    x, dout = (LAYOUTS[layout](rng.standard_normal((N, C, H, W)).astype(dtype)) for _ in range(2))
    gamma, beta, mean = rng.standard_normal((3, C)).astype(dtype)
    var = (rng.random(C) + 0.5).astype(dtype)
    results = []
    for kind, forward, backward in ((dtype, spatial_batchnorm_forward_fast, spatial_batchnorm_backward_fast),
                                    (np.float64, L.spatial_batchnorm_forward, L.spatial_batchnorm_backward)):
        # eps is large, since a variance of nearly 0 would magnify rounding
        settings_ = {"mode": mode, "eps": 0.1, "running_mean": mean.astype(kind), "running_var": var.astype(kind)}
        arguments = [array.astype(kind) for array in (x, gamma, beta)]
        for array in arguments:
            array.setflags(write=False)
        out, cache = forward(*arguments, settings_)
        results.append([out, *backward(dout.astype(kind), cache), settings_["running_mean"], settings_["running_var"]])
    for found, true in zip(*results, strict=True):
        assert found.dtype == dtype and found.shape == true.shape
        limit = np.finfo(dtype).eps * 8 * (N * H * W) ** 0.5 * max(1, np.abs(true).max())
        np.testing.assert_allclose(found, true, rtol=0, atol=limit)


@compiled
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("rows, steps, columns", [(50, 9001, 100), (7, 5000, 33), (13, 4096, 20), (1, 4095, 1)])
def test_long_products_are_sums_of_parts(rows, steps, columns, dtype):
    rng = np.random.default_rng(0)
    a, b = rng.standard_normal((rows, steps)).astype(dtype), rng.standard_normal((steps, columns)).astype(dtype)
    limit = np.finfo(dtype).eps * steps  # partial sums grow as the root of their length, and so do their roundings
    np.testing.assert_allclose(F.matrix_product(a, b), a.astype(np.float64) @ b.astype(np.float64), rtol=0, atol=limit)


def loss_bits(seed):
    """Loss and gradients of a small net, as bytes; at the top of the module, so that a spawned process finds it."""
    net = FinalConvNet((1, 16, 16), (4, 8, 16, 32), hidden_dim=20, batchnorm=True, reg=1e-3, seed=seed)
    rng = np.random.default_rng(seed)
    loss, grads = net.loss(rng.standard_normal((30, 1, 16, 16)).astype(np.float32), np.arange(30) % 7)
    return np.float64(loss).tobytes() + grads.numbers.tobytes()


@compiled
def test_two_threads_of_a_program_and_a_spawned_process_get_the_same_bits():
    seeds = [0, 1, 2, 3]
    alone = [loss_bits(seed) for seed in seeds]
    with ThreadPoolExecutor(2) as pool:
        assert list(pool.map(loss_bits, seeds * 3)) == alone * 3
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        assert pool.submit(loss_bits, 0).result() == alone[0]


def test_memory_is_used_again_only_when_no_view_of_it_is_left():
    memory.release()
    a = memory.empty((3, 4), np.float32)
    place, view = a.ctypes.data, a[1:].T
    assert place % memory.ALIGN == 0
    del a
    other = memory.empty((3, 4), np.float32)
    assert other.ctypes.data != place
    del view
    assert memory.empty((4, 3), np.float32).ctypes.data == place
    assert memory.release() > 0 and memory.release() == 0


@compiled
def test_training_allocates_nothing_large_after_the_first_steps():
    net = FinalConvNet(seed=0, batchnorm=True, reg=1e-3)
    X, y = np.random.default_rng(0).standard_normal((8, 1, 48, 48)).astype(np.float32), np.arange(8) % 7
    for _ in range(3):
        net.loss(X, y)
    tracemalloc.start()
    before = tracemalloc.get_traced_memory()[0]
    for _ in range(20):
        net.loss(X, y)
    grown, peak = (value - before for value in tracemalloc.get_traced_memory())
    tracemalloc.stop()
    assert grown < 2 ** 17 and peak < 2 ** 23, f"{grown} bytes more, {peak} at the most"


@pytest.mark.parametrize("rung", ["auto", "im2col"])
@pytest.mark.parametrize("batchnorm", [False, True])
def test_a_predictor_gives_the_scores_of_the_network_it_was_made_of(batchnorm, rung):
    net = FinalConvNet((1, 16, 16), (3, 5, 4, 20), hidden_dim=33, batchnorm=batchnorm, dropout_keep_ratio=0.5,
                       dtype=np.float64, seed=0, rung=rung)
    rng = np.random.default_rng(0)
    for name, array in [*net.params.items(), *net.buffers.items()]:
        array[...] = rng.random(array.shape) + 0.1 if "running_var" in name else rng.standard_normal(array.shape)
    X = rng.standard_normal((7, 1, 16, 16))
    predictor, expected = Predictor(net), net.loss(X)
    net.params["affine2/b"] += 1
    limit = 1e-12 * np.abs(expected).max()
    for part in (slice(0, 7), slice(0, 1)):
        np.testing.assert_allclose(predictor(X[part]), expected[part], rtol=0, atol=limit)
    with pytest.raises(ValueError, match="X: has shape"):
        predictor(X[:, 0])


PLAIN = Chain((("block", Chain((("conv", Conv(4)), ("bn", BatchNorm()), ("relu", ReLU()), ("pool", MaxPool())))),
               ("res", Residual(Chain((("conv", Conv(4)), ("relu", ReLU()), ("conv2", Conv(4)))))),
               ("conv3", Conv(5, 5)), ("relu3", ReLU()), ("mean", GlobalAvgPool()), ("scores", Affine(3))))


def test_fuse_finds_every_sandwich_and_changes_no_name_and_no_result():
    plain, fused = (Network(layer, (2, 8, 8), dtype=np.float64, seed=1, reg=0.1) for layer in (PLAIN, fuse(PLAIN)))
    assert list(plain.params) == list(fused.params) and list(plain.buffers) == list(fused.buffers)
    found = [layer for _, layer in fused.layer.layers if isinstance(layer, Sandwich)]
    assert len(found) == 2 and isinstance(fused.layer.layers[1][1].body.layers[0][1], Sandwich)
    rng = np.random.default_rng(0)
    X, y = rng.standard_normal((5, 2, 8, 8)), np.arange(5) % 3
    (loss, grads), (true_loss, true_grads) = fused.loss(X, y), plain.loss(X, y)
    assert loss == pytest.approx(true_loss, rel=1e-12)
    for name in grads:
        np.testing.assert_allclose(grads[name], true_grads[name], atol=1e-11)
    np.testing.assert_allclose(fused.loss(X), plain.loss(X), atol=1e-11)
    assert fused.summary() == plain.summary()


def test_a_sandwich_of_other_layers_gets_a_clear_error():
    with pytest.raises(ValueError, match="Sandwich: got .*'ReLU', 'Conv'.*expected Conv"):
        Sandwich((("relu", ReLU()), ("conv", Conv(3))))
