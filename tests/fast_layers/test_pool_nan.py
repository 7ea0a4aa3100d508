"""NaN in a max-pool: the first NaN of a window is its maximum and gets its gradient, on every
rung."""
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from layouts import compiled
from small_nets import pictures

from cs231n_fer import layers as L
from cs231n_fer.fast_layers import COMPILED
from cs231n_fer.fast_layers import batchnorm as B
from cs231n_fer.fast_layers import sandwiches as S
from cs231n_fer.nets.chain import Chain
from cs231n_fer.nets.inference import Predictor
from cs231n_fer.nets.ladder import LADDER
from cs231n_fer.nets.network import Network
from cs231n_fer.nets.records import Conv, MaxPool, ReLU

RUNGS = {rung: pair for rung, pair in LADDER["max_pool"].items() if COMPILED or rung != "fast"}
RUNGS["reshape"] = L.max_pool_forward_reshape, L.max_pool_backward_reshape
TILES = {"pool_height": 2, "pool_width": 2, "stride": 2}
OVERLAPPING = {"pool_height": 2, "pool_width": 3, "stride": 1}
# 272 numbers: positions do not fit into a byte, and the compiled rung leaves them to NumPy.
LARGE = {"pool_height": 17, "pool_width": 16, "stride": 1}
CASES = {"tiles": (TILES, (1, 3, 4, 6)), "overlapping": (OVERLAPPING, (1, 9, 3, 4)),
         "large": (LARGE, (1, 1, 17, 17))}
NUMBERS = [np.nan, 0.0, -0.0, 1.0, 1.0, -2.0, np.inf, -np.inf]
CONV = {"stride": 1, "pad": 0}


def by_definition(x, pool_param, dout):
    """Return out, and dx by np.argmax of every window."""
    HH, WW, stride = (pool_param[key] for key in ("pool_height", "pool_width", "stride"))
    out = np.empty(dout.shape)
    dx = np.zeros(x.shape)
    for n, c, i, j in np.ndindex(dout.shape):
        window = x[n, c, i * stride:i * stride + HH, j * stride:j * stride + WW]
        row, column = np.unravel_index(np.argmax(window), window.shape)
        out[n, c, i, j] = window[row, column]
        dx[n, c, i * stride + row, j * stride + column] += dout[n, c, i, j]
    return out, dx


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("rung", RUNGS)
@settings(deadline=None, max_examples=60)
@given(data=st.data())
def test_the_gradient_goes_to_the_first_nan_of_a_window(rung, case, dtype, data):
    pool_param, shape = CASES[case]
    if rung == "reshape" and case != "tiles":
        return
    forward, backward = RUNGS[rung]
    x = data.draw(arrays.arrays(dtype, shape, elements=st.sampled_from(NUMBERS),
                                fill=st.sampled_from(NUMBERS)))
    out, cache = forward(x, pool_param)
    dout = np.arange(1.0, 1 + out.size).reshape(out.shape)  # sums of whole numbers are exact
    right, dx = by_definition(x, pool_param, dout)
    np.testing.assert_array_equal(out, right)
    np.testing.assert_array_equal(backward(dout, cache), dx)


def windows_of_nan(F, dtype):
    """Return images (16, F, 2, 2), one window each: every subset of its pixels is NaN."""
    chosen = np.array(list(np.ndindex(2, 2, 2, 2)), bool).reshape(16, 1, 2, 2)
    x = np.random.default_rng(F).standard_normal((16, F, 2, 2)).astype(dtype)
    x[np.broadcast_to(chosen, x.shape)] = np.nan
    return x


@compiled
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("F", [3, 33])
def test_a_fused_pool_keeps_nan_and_hands_its_gradient_to_no_pixel_as_relu_does(F, dtype):
    """1 x 1 filters hand every channel on as it is; the gradient of ReLU is 0 at NaN."""
    x = windows_of_nan(F, dtype)
    w = np.eye(F, dtype=dtype)[:, :, None, None]
    zeros = np.zeros(F, dtype)
    spoiled = np.isnan(x).any(axis=(2, 3), keepdims=True)
    for c in range(F):  # NaN * 0 is NaN, so one channel at a time
        here = x[:, c:c + 1]
        out, cache = S.conv_relu_pool_forward(here, w[:1, :1], zeros[:1], CONV, TILES)
        right = np.where(spoiled[:, c:c + 1], np.nan, here.max(axis=(2, 3), keepdims=True).clip(0))
        np.testing.assert_array_equal(out, right)
        dx, dw, db = S.conv_relu_pool_backward(np.ones_like(out), cache)
        assert not dx[spoiled[:, c, 0, 0]].any()
        assert db[0] == (right > 0).sum()
    bn_param = {"mode": "train", "eps": 0.1}
    out, cache = B.conv_bn_relu_pool_forward(x, np.repeat(w[:1], F, 0), zeros, zeros + 1, zeros,
                                             CONV, bn_param, TILES)
    assert np.isnan(out).all()


@compiled
@pytest.mark.parametrize("k", range(4))
def test_a_predictor_keeps_the_nan_of_every_pixel_of_a_window(k):
    net = Network(Chain((("conv1", Conv(5)), ("relu1", ReLU()), ("pool1", MaxPool()))),
                  (1, 4, 4), seed=0)
    X = pictures(3)[:, :1, :4, :4].astype(np.float32)
    net.params["conv1/w"][:, :, :, :] = 0
    net.params["conv1/w"][:, :, 1, 1] = 1
    X[1, 0, k // 2, k % 2] = np.nan
    scores = Predictor(net)(X)
    assert np.isnan(scores[1, :, 0, 0]).all() and np.isfinite(scores[[0, 2]]).all()
