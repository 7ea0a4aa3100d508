"""Running averages that a training pass can't update in place, eps that is no eps, and float16."""
import numpy as np
import pytest
from hostile import LAYOUTS, REFUSED
from layouts import compiled

from cs231n_fer import layer_utils as U
from cs231n_fer import layers as L
from cs231n_fer.arrays.flat import Flat
from cs231n_fer.fast_layers import batchnorm as B
from cs231n_fer.fast_layers import norm
from cs231n_fer.fast_layers.gradients import l2_gradients, one_by_one

C = 3
CONV = {"stride": 1, "pad": 1}
POOL = {"pool_height": 2, "pool_width": 2, "stride": 2}
RNG = np.random.default_rng(0)
IMAGES = 300 * RNG.standard_normal((4, C, 4, 4))
ROWS = IMAGES[:, :, 0, 0]
W = np.zeros((C, C, 3, 3))
W[range(C), range(C), 1, 1] = 1  # hands every channel on


def one_by_one_channel(forward, *further):
    """Return forward(x, gamma, beta, bn_param) of a sandwich behind a convolution of one channel,
    whose moments come from its windows."""
    def run(x, gamma, beta, bn_param):
        return forward(x[:, :1], np.repeat(W[:1, :1], C, axis=0).astype(x.dtype),
                       np.zeros(C, x.dtype), gamma, beta, CONV, bn_param, *further)
    return run


def sandwich(forward, *further):
    """Return forward(x, gamma, beta, bn_param) of a sandwich."""
    def run(x, gamma, beta, bn_param):
        return forward(x, W.astype(x.dtype), np.zeros(C, x.dtype), gamma, beta, CONV, bn_param,
                       *further)
    return run


BATCHNORMS = {
    "naive": (L.batchnorm_forward_naive, ROWS),
    "rows": (L.batchnorm_forward, ROWS),
    "images naive": (L.spatial_batchnorm_forward_naive, IMAGES),
    "images": (L.spatial_batchnorm_forward, IMAGES),
    "images fast": (norm.spatial_batchnorm_forward_fast, IMAGES),
    "sandwich": (sandwich(U.conv_bn_relu_forward), IMAGES),
    "sandwich with pool": (sandwich(U.conv_bn_relu_pool_forward, POOL), IMAGES),
    "fused": (sandwich(B.conv_bn_relu_forward), IMAGES),
    "fused with pool": (sandwich(B.conv_bn_relu_pool_forward, POOL), IMAGES),
    "fused, one channel": (one_by_one_channel(B.conv_bn_relu_forward), IMAGES),
}
on_every_batchnorm = pytest.mark.parametrize("name", [
    pytest.param(name, marks=compiled) if "fused" in name or "fast" in name else name
    for name in BATCHNORMS])


def averages(mode="train", dtype=np.float64, **changed):
    """Return a bn_param."""
    return {"mode": mode, "eps": 0.1, "running_mean": np.zeros(C, dtype),
            "running_var": np.ones(C, dtype), **changed}


def shared_stride():
    """Return three numbers in one place, writable."""
    return np.lib.stride_tricks.as_strided(np.zeros(1), (C,), (0,))


def overlapping():
    """Return three numbers that overlap by half, writable."""
    return np.lib.stride_tricks.as_strided(np.zeros(C), (C,), (4,))


BAD = {
    "masked": (lambda: np.ma.masked_array(np.zeros(C), [0, 1, 0]), "masked array"),
    "one place for all": (shared_stride, "a stride of 0 bytes"),
    "half a number apart": (overlapping, "a stride of 4 bytes"),
    "float16": (lambda: np.zeros(C, np.float16), "as float16 ends at 65504"),
    "read-only": (lambda: np.broadcast_to(np.zeros(1), (C,)), "is read-only"),
}


@pytest.mark.parametrize("key", ["running_mean", "running_var"])
@pytest.mark.parametrize("kind", BAD)
@on_every_batchnorm
def test_averages_that_cannot_be_updated_are_refused(name, kind, key):
    forward, x = BATCHNORMS[name]
    make, message = BAD[kind]
    bad = make()
    param = averages(**{key: bad})
    before = np.array(bad), param["running_mean" if key == "running_var" else "running_var"].copy()
    with pytest.raises(ValueError, match=f"bn_param: {key}.*{message}"):
        forward(x, np.ones(C), np.zeros(C), param)
    np.testing.assert_array_equal(np.asarray(bad), before[0])


@pytest.mark.parametrize("first", ["running_mean", "running_var"])
@pytest.mark.parametrize("second", ["running", "gamma", "beta", "x"])
@pytest.mark.parametrize("view", ["itself", "a view", "reversed"])
@on_every_batchnorm
def test_an_average_that_is_an_argument_too_is_refused(name, view, second, first):
    forward, x = BATCHNORMS[name]
    if second == "x" and x.ndim == 4:
        return  # images become rows or outputs of a convolution first
    x = x.copy()
    gamma, beta, other = np.ones(C), np.zeros(C), np.ones(C)
    array = {"running": other, "gamma": gamma, "beta": beta, "x": x[0]}[second]
    shared = {"itself": array, "a view": array[:], "reversed": array[::-1]}[view]
    param = averages(**{first: shared})
    if second == "running":
        param["running_mean" if first == "running_var" else "running_var"] = other
    with pytest.raises(ValueError, match="bn_param: .* shares memory .*; give copies"):
        forward(x, gamma, beta, param)
    np.testing.assert_array_equal(gamma, 1)


@on_every_batchnorm
def test_averages_and_arguments_may_lie_side_by_side_in_one_array(name):
    """As the columns of a matrix, whose ranges of addresses overlap, and as parts of a row."""
    forward, x = BATCHNORMS[name]
    right = averages()
    out = forward(x, np.ones(C), np.zeros(C), right)[0]
    for block in (np.empty((C, 4)).T, np.empty(4 * C).reshape(4, C)):
        block[:] = np.array([1, 0, 0, 1])[:, None]
        gamma, beta, mean, var = block
        param = averages(running_mean=mean, running_var=var)
        np.testing.assert_array_equal(forward(x, gamma, beta, param)[0], out)
        np.testing.assert_array_equal(mean, right["running_mean"])
        np.testing.assert_array_equal(var, right["running_var"])


@pytest.mark.parametrize("kind", [kind for kind in LAYOUTS if "for all" not in kind
                                  and kind != "read-only"])
@on_every_batchnorm
def test_averages_of_any_layout_are_updated_alike(name, kind):
    forward, x = BATCHNORMS[name]
    right = averages()
    forward(x, np.ones(C), np.zeros(C), right)
    param = averages()
    param = {key: LAYOUTS[kind](value) if isinstance(value, np.ndarray) else value
             for key, value in param.items()}
    forward(x, np.ones(C), np.zeros(C), param)
    for key in ("running_mean", "running_var"):
        np.testing.assert_allclose(param[key].astype(float), right[key], rtol=1e-14)


@pytest.mark.filterwarnings("error")
@on_every_batchnorm
def test_float16_arguments_near_300_give_what_float32_gives(name):
    """Variances of 90,000 are beyond float16."""
    forward, x = BATCHNORMS[name]
    half = [array.astype(np.float16) for array in (x, np.ones(C), np.zeros(C))]
    for param in (lambda: {"mode": "train"}, lambda: averages(dtype=np.float32),
                  lambda: averages("test", np.float16)):
        mine, theirs = param(), param()
        out = forward(*half, mine)[0]
        right = forward(*(array.astype(np.float32) for array in half), theirs)[0]
        assert out.dtype == np.float32
        np.testing.assert_array_equal(out, right)
        for key in ("running_mean", "running_var"):
            assert np.isfinite(mine[key]).all()
            np.testing.assert_array_equal(mine[key], theirs[key])


NORMS = {"layernorm": lambda param: L.layernorm_forward(ROWS, np.ones(C), np.ones(C), param),
         "layernorm naive": lambda param: L.layernorm_forward_naive(ROWS, np.ones(C), np.ones(C),
                                                                    param),
         **{f"groupnorm {name}": lambda param, forward=forward: forward(
             IMAGES, np.ones((1, C, 1, 1)), np.ones((1, C, 1, 1)), 3, param)
            for name, forward in (("naive", L.spatial_groupnorm_forward_naive),
                                  ("", L.spatial_groupnorm_forward),
                                  ("fast", norm.spatial_groupnorm_forward_fast))},
         **{name: lambda param, forward=forward, x=x: forward(
             x, np.ones(C), np.ones(C), {"mode": "train", **param})
            for name, (forward, x) in BATCHNORMS.items()}}


@pytest.mark.parametrize("eps", [-1e-5, np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("name", NORMS)
def test_eps_below_0_and_eps_that_is_no_number_are_refused(name, eps):
    with pytest.raises(ValueError, match=f"eps: got {eps}, expected a finite number of at least 0"):
        NORMS[name]({"eps": eps})


@pytest.mark.parametrize("name", [
    pytest.param(name, marks=compiled) if "fused" in name or "fast" in name else name
    for name in NORMS])
def test_with_eps_0_numbers_that_vary_are_normalized(name):
    assert np.isfinite(NORMS[name]({"eps": 0})[0]).all()


@pytest.mark.parametrize("add", ["l2_gradients", "one_by_one"])
@pytest.mark.parametrize("kind", REFUSED)
def test_gradients_that_are_no_real_numbers_are_refused(kind, add):
    w = np.ones((4, 5))
    dw = REFUSED[kind](w)
    with pytest.raises(ValueError, match="w.*(masked|expected float)"):
        if add == "l2_gradients":
            l2_gradients({"w": w}, {"w": dw}, {"w": 0.5})
        else:
            one_by_one({"w": w}, {"w": dw}, {"w": 0.5}, Flat({"w": np.ones((4, 5))}))


@pytest.mark.parametrize("loss", [L.distillation_loss, L.distillation_loss_naive])
def test_float16_probabilities_of_a_teacher_count_as_float32(loss):
    x = np.random.default_rng(1).standard_normal((4, 7)).astype(np.float32)
    q = np.exp(x[::-1])
    q = (q / q.sum(axis=1, keepdims=True)).astype(np.float16)
    value, dx = loss(x, np.arange(4), q)
    right, right_dx = loss(x, np.arange(4), q.astype(np.float32))
    assert value == right
    np.testing.assert_array_equal(dx, right_dx)
    with pytest.raises(ValueError, match="teacher_probs: got a masked array"):
        loss(x, np.arange(4), np.ma.masked_array(q, q > 0))


def test_masked_class_weights_are_refused():
    with pytest.raises(ValueError, match="class_weights: got a masked array"):
        L.softmax_loss(np.zeros((2, 3)), np.array([0, 1]), np.ma.masked_array([1, 2, 3], [0, 1, 0]))
