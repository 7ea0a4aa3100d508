"""Tests of the other compiled layers (products, pools, norms, ReLU) against the NumPy rung."""
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from layouts import DTYPES, LAYOUTS, compiled

from cs231n_fer import fast_layers as F
from cs231n_fer.fast_layers import affine
from cs231n_fer.kernels import product
from cs231n_fer.kernels.vectors.machine import TILE_ROWS, lanes_of
from cs231n_fer.nets.ladder import functions


@compiled
@pytest.mark.parametrize("rows", [1, TILE_ROWS - 1, TILE_ROWS, TILE_ROWS + 1, 8 * TILE_ROWS + 5])
@pytest.mark.parametrize("columns", [1, 31, 32, 33, 200])
@pytest.mark.parametrize("dtype", DTYPES)
def test_the_matrix_product_takes_any_size_and_transposes(rows, columns, dtype):
    rng = np.random.default_rng(0)
    a = rng.standard_normal((rows, 37)).astype(dtype)
    b = rng.standard_normal((37, columns)).astype(dtype)
    a.setflags(write=False)
    limit = 4 * np.finfo(dtype).eps * np.sqrt(37) * 37
    for left in (a, np.asfortranarray(a), np.repeat(a, 3, axis=1)[:, ::3]):
        found = affine.matrix_product(left, b)
        assert found.dtype == dtype
        np.testing.assert_allclose(found, a.astype(np.float64) @ b, rtol=0, atol=limit)
    assert affine.matrix_product(a[:0], b).shape == (0, columns)


@settings(max_examples=100 if F.COMPILED else 10, deadline=None)
@given(count=st.integers(1, 3), rows=st.integers(1, 40), columns=st.integers(1, 40),
       dtype=st.sampled_from(DTYPES))
def test_matrices_are_turned_whatever_their_size_and_nothing_beside_them_is_written(
        count, rows, columns, dtype):
    x = np.random.default_rng(rows).standard_normal((count, columns, rows + 3)).astype(dtype)
    out = np.full((count, rows, columns + 2), np.nan, dtype)
    product.transpose(x.reshape(-1), product.MatrixStrides(matrix=x[0].size, row=rows + 3),
                      out.reshape(-1), product.MatrixStrides(matrix=out[0].size, row=columns + 2),
                      count, rows, columns, lanes_of(out.dtype))
    np.testing.assert_array_equal(out[:, :, :columns], x[:, :, :rows].transpose(0, 2, 1))
    assert np.isnan(out[:, :, columns:]).all()


@pytest.mark.parametrize("name", ["max_pool", "avg_pool"])
@settings(max_examples=60 if F.COMPILED else 5, deadline=None)
@given(seed=st.integers(0, 2 ** 32), layout=st.sampled_from(sorted(LAYOUTS)),
       dtype=st.sampled_from(DTYPES))
def test_compiled_pools_of_any_window_equal_the_rung_below(name, seed, layout, dtype):
    rng = np.random.default_rng(seed)
    N, C, HH, WW, stride = rng.integers(1, [4, 40, 5, 5, 5])
    H = HH + rng.integers(0, 9)
    W = WW + rng.integers(0, 9)
    # Small integers, so that there are many ties.
    x = LAYOUTS[layout](rng.integers(-3, 4, (N, C, H, W)).astype(dtype))
    x.setflags(write=False)
    pool_param = {"pool_height": int(HH), "pool_width": int(WW), "stride": int(stride)}
    (forward, backward), (true_forward,
                          true_backward) = (functions(name, rung) for rung in ("fast", "im2col"))
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
@given(seed=st.integers(0, 2 ** 32), layout=st.sampled_from(sorted(LAYOUTS)),
       mode=st.sampled_from(["train", "test"]), dtype=st.sampled_from(DTYPES))
def test_batchnorm_alone_equals_its_definition(seed, layout, mode, dtype):
    rng = np.random.default_rng(seed)
    N, C, H, W = rng.integers(1, [6, 70, 9, 9])
    x, dout = (LAYOUTS[layout](rng.standard_normal((N, C, H, W)).astype(dtype)) for _ in range(2))
    gamma, beta, mean = rng.standard_normal((3, C)).astype(dtype)
    var = (rng.random(C) + 0.5).astype(dtype)
    results = []
    for kind, (forward, backward) in rungs_of("spatial_batchnorm", dtype):
        # eps is large, because a variance near 0 would magnify rounding
        settings_ = {"mode": mode, "eps": 0.1, "running_mean": mean.astype(kind),
                     "running_var": var.astype(kind)}
        arguments = [array.astype(kind) for array in (x, gamma, beta)]
        for array in arguments:
            array.setflags(write=False)
        out, cache = forward(*arguments, settings_)
        results.append([out, *backward(dout.astype(kind), cache), settings_["running_mean"],
                        settings_["running_var"]])
    assert_close(results, N * H * W)


@settings(max_examples=40 if F.COMPILED else 5, deadline=None)
@given(seed=st.integers(0, 2 ** 32), layout=st.sampled_from(sorted(LAYOUTS)),
       dtype=st.sampled_from(DTYPES))
def test_groupnorm_equals_its_definition(seed, layout, dtype):
    rng = np.random.default_rng(seed)
    N, G, channels, H, W = rng.integers(1, [6, 9, 9, 9, 9])
    x, dout = (LAYOUTS[layout](rng.standard_normal((N, G * channels, H, W)).astype(dtype))
               for _ in range(2))
    gamma, beta = rng.standard_normal((2, 1, G * channels, 1, 1)).astype(dtype)
    results = []
    for kind, (forward, backward) in rungs_of("spatial_groupnorm", dtype):
        arguments = [array.astype(kind) for array in (x, gamma, beta)]
        for array in arguments:
            array.setflags(write=False)
        out, cache = forward(*arguments, G, {"eps": 0.1})
        results.append([out, *backward(dout.astype(kind), cache)])
    assert_close(results, max(N, channels) * H * W)


@settings(max_examples=40 if F.COMPILED else 5, deadline=None)
@given(seed=st.integers(0, 2 ** 32), layout=st.sampled_from(sorted(LAYOUTS)),
       dtype=st.sampled_from(DTYPES))
def test_relu_alone_equals_its_definition_bit_for_bit(seed, layout, dtype):
    rng = np.random.default_rng(seed)
    # Many shapes are small enough for the NumPy path, and many are not.
    shape = rng.integers(1, [4, 40, 30, 30])
    x, dout = (LAYOUTS[layout](rng.standard_normal(shape).astype(dtype)) for _ in range(2))
    x[rng.random(shape) < 0.1] = 0
    x[rng.random(shape) < 0.1] = np.nan
    x.setflags(write=False)
    results = []
    for rung in ("fast", "im2col"):
        forward, backward = functions("relu", rung)
        out, cache = forward(x)
        results.append([out, backward(dout, cache)])
    for found, true in zip(*results, strict=True):
        assert found.dtype == dtype
        np.testing.assert_array_equal(found, true)


def rungs_of(operation, dtype):
    """Return the compiled rung with its dtype, and NumPy's in float64."""
    return (dtype, functions(operation, "fast")), (np.float64, functions(operation, "im2col"))


def assert_close(results, count):
    """Compare the arrays of two rungs, whose entries are sums of `count` numbers."""
    for found, true in zip(*results, strict=True):
        assert found.dtype == results[0][0].dtype and found.shape == true.shape
        limit = np.finfo(found.dtype).eps * 8 * count ** 0.5 * max(1, np.abs(true).max())
        np.testing.assert_allclose(found, true, rtol=0, atol=limit)


@compiled
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("rows, steps, columns, most",
                         [(50, 9001, 100, 1), (7, 5000, 33, 1), (13, 4096, 20, 1),
                          (1, 4095, 1, 1), (200, 600, 40, 4)])  # the last product is not split
def test_long_products_are_sums_of_parts(rows, steps, columns, most, dtype):
    rng = np.random.default_rng(0)
    a = rng.standard_normal((rows, steps)).astype(dtype)
    b = rng.standard_normal((steps, columns)).astype(dtype)
    # Partial sums grow with the root of their length, and so do rounding errors.
    limit = most * np.finfo(dtype).eps * steps
    true = a.astype(np.float64) @ b.astype(np.float64)
    np.testing.assert_allclose(affine.matrix_product(a, b), true, rtol=0, atol=limit)
