"""Tests of arrays that were once read as other numbers, at the functions where users met it."""
import numba
import numpy as np
import pytest
from layouts import compiled

from cs231n_fer.arrays import arena
from cs231n_fer.classifiers import FullyConnectedNet
from cs231n_fer.fast_layers import affine, max_pool_backward_fast, max_pool_forward_fast
from cs231n_fer.fast_layers.pool import avg_pool_backward_fast, avg_pool_forward_fast
from cs231n_fer.kernels import pool, update
from cs231n_fer.kernels.vectors import jit
from cs231n_fer.kernels.vectors.calls import flat
from cs231n_fer.kernels.vectors.machine import lanes_of
from cs231n_fer.layers import (
    batchnorm_backward,
    batchnorm_backward_alt,
    batchnorm_backward_naive,
    batchnorm_forward,
    batchnorm_forward_naive,
    softmax_loss,
)
from cs231n_fer.nets.chain import Chain
from cs231n_fer.nets.inference import Predictor
from cs231n_fer.nets.ladder import LADDER
from cs231n_fer.nets.network import Network
from cs231n_fer.nets.norms import BatchNorm
from cs231n_fer.nets.records import Affine, Conv, MaxPool, ReLU
from cs231n_fer.solver import Solver

POOL = {"pool_height": 2, "pool_width": 2, "stride": 2}
CONV = {"stride": 1, "pad": 1}


def rng(seed=0):
    return np.random.default_rng(seed)


def small_net(dtype=np.float32, **settings):
    """Return a net of two fused convolutions and an affine layer."""
    layers = Chain((("c1", Conv(5)), ("b1", BatchNorm()), ("r1", ReLU()), ("p1", MaxPool()),
                    ("c2", Conv(6)), ("r2", ReLU()), ("a", Affine(7))))
    return Network(layers, (1, 8, 8), dtype=dtype, seed=0, **settings)


def float64_loss(scores, y):
    """Return the loss and gradient of a user's own function, whose gradient is float64."""
    loss, dscores = softmax_loss(scores, y)
    return loss, dscores.astype(np.float64)


@pytest.mark.parametrize("rows", [3, 300])
def test_every_second_sample_gives_the_scores_of_its_copy(rows):
    net = FullyConnectedNet([100], input_dim=200, num_classes=7, weight_scale=0.1, seed=0)
    X = rng().standard_normal((2 * rows, 200)).astype(np.float32)
    y = rng().integers(0, 7, rows)
    np.testing.assert_array_equal(net.loss(X[::2]), net.loss(X[::2].copy()))
    loss, grads = net.loss(X[::2], y)
    right, right_grads = net.loss(X[::2].copy(), y)
    assert loss == right
    for name in grads:
        np.testing.assert_array_equal(grads[name], right_grads[name])


def test_a_solver_scores_every_second_sample_as_its_copy():
    X = rng().standard_normal((200, 300)).astype(np.float32)
    y = rng().integers(0, 3, 200)
    histories = []
    for X_val in (X[1::2], X[1::2].copy()):
        net = FullyConnectedNet([64], input_dim=300, num_classes=3, weight_scale=0.1, seed=0)
        solver = Solver(net,
                        {"X_train": X[::2], "y_train": y[::2], "X_val": X_val, "y_val": y[1::2]},
                        update_rule="adam", optim_config={"learning_rate": 1e-3}, num_epochs=2,
                        verbose=False, seed=0)
        solver.train()
        histories.append((solver.val_acc_history, solver.loss_history))
    assert histories[0] == histories[1]


@pytest.mark.parametrize("count", [1, 3, 4, 5, 17])
def test_a_predictor_of_two_affine_layers_gives_the_scores_of_the_network(count):
    net = Network(Chain((("a", Affine(10)), ("b", Affine(7)))), (6,), seed=0)
    X = rng().standard_normal((count, 6)).astype(np.float32)
    np.testing.assert_allclose(Predictor(net)(X), net.loss(X), rtol=1e-5, atol=1e-6)


def test_a_loss_that_returns_float64_trains_as_one_that_returns_float32():
    X = rng().standard_normal((4, 1, 8, 8)).astype(np.float32)
    y = np.array([0, 6, 2, 3])
    (loss, grads), (right, right_grads) = (small_net(loss=kind).loss(X, y)
                                           for kind in (float64_loss, softmax_loss))
    assert loss == right
    for name in grads:
        np.testing.assert_array_equal(grads[name], right_grads[name])


@pytest.mark.parametrize("dtype", [np.float64, np.float32, np.int64, bool])
def test_a_network_goes_backwards_from_one_hot_rows_of_any_dtype(dtype):
    net = small_net()
    X = rng().standard_normal((3, 1, 8, 8)).astype(np.float32)
    dX, grads = net.backward(np.eye(7, dtype=dtype)[[0, 6, 2]], net.forward(X)[1])
    right, right_grads = net.backward(np.eye(7, dtype=np.float32)[[0, 6, 2]], net.forward(X)[1])
    np.testing.assert_array_equal(dX, right)
    for name in grads:
        np.testing.assert_array_equal(grads[name], right_grads[name])


def test_a_parameter_of_another_dtype_is_promoted_in_prediction_and_named_in_training():
    net = small_net()
    X = rng().standard_normal((3, 1, 8, 8)).astype(np.float32)
    right = net.loss(X)
    net.params["c2/b"] = net.params["c2/b"].astype(np.float64)
    np.testing.assert_allclose(net.loss(X), right, rtol=1e-4, atol=1e-5)
    with pytest.raises(ValueError, match="dtypes.*float32.*float64"):
        net.loss(X, np.zeros(3, int))


RUNGS = [(operation, rung) for operation in ("conv", "max_pool", "avg_pool", "conv_relu_pool")
         for rung in LADDER[operation]]


@pytest.mark.parametrize("operation, rung", RUNGS)
def test_strides_may_be_integers_of_numpy_and_may_not_be_floats(operation, rung):
    forward, backward = LADDER[operation][rung]
    # No other test uses this size: plans are cached by size.
    x = rng().standard_normal((2, 3, 7, 7))
    w = rng(1).standard_normal((4, 3, 3, 3))
    b = np.zeros(4)
    arrays = [x] if "pool" in operation and "conv" not in operation else [x, w, b]

    def settings(kind):
        found = []
        if "conv" in operation:
            found.append({"stride": kind(1), "pad": kind(1)})
        if "pool" in operation:
            found.append({"pool_height": kind(2), "pool_width": kind(2), "stride": kind(2)})
        return found

    with pytest.raises(ValueError, match="got .*2.0|got .*1.0"):
        forward(*arrays, *settings(float))
    with pytest.raises(ValueError, match="expected an integer"):
        forward(*arrays, *settings(np.float32))
    results = []
    for kind in (np.int64, np.uint8, int):
        out, cache = forward(*arrays, *settings(kind))
        found = backward(out, cache)
        results.append((out, *(found if isinstance(found, tuple) else (found,))))
    for other in results[1:]:
        for got, expected in zip(other, results[0], strict=True):
            np.testing.assert_array_equal(got, expected)


@pytest.mark.parametrize("rung", LADDER["conv"])
def test_a_batch_without_images_has_gradients_of_zero(rung):
    forward, backward = LADDER["conv"][rung]
    x = rng().standard_normal((4, 3, 6, 6))
    w = rng(1).standard_normal((5, 3, 3, 3))
    b = rng(2).standard_normal(5)
    out, cache = forward(x, w, b, CONV)
    backward(out, cache)  # leaves numbers in memory that will be reused
    out, cache = forward(x[:0], w, b, CONV)
    dx, dw, db = backward(out, cache)
    assert out.shape == (0, 5, 6, 6) and dx.shape == (0, 3, 6, 6)
    assert dw.shape == w.shape and not dw.any() and db.shape == b.shape and not db.any()


@pytest.mark.parametrize("wrong", [(1, 3, 3, 3), (2, 3, 3, 4), (2, 4, 3, 3), (2, 3, 6, 6), (54,)])
def test_a_pool_of_a_gradient_of_another_shape_says_so(wrong):
    _, cache = max_pool_forward_fast(rng().standard_normal((2, 3, 6, 6)), POOL)
    with pytest.raises(ValueError, match=r"dout has shape .*expected \(2, 3, 3, 3\)"):
        max_pool_backward_fast(np.zeros(wrong), cache)


@compiled
def test_a_parallel_kernel_is_not_compiled_for_arrays_that_its_steps_would_misread():
    x = np.zeros(32, np.float32)
    out = np.zeros(32, np.float64)
    windows = flat(pool.windows_of((1, 4, 4, 2), 2, 2, 2, 2, 2, lanes_of(x.dtype)))
    address = pool.take_maximum.address(x.dtype)
    with pytest.raises(TypeError, match="over_images: got arrays a: float32, b: float64"):
        pool.over_images(address, x, out, np.zeros(64, np.uint8), windows, 1)
    with pytest.raises(TypeError, match="with gaps"):
        pool.over_images(address, x, np.zeros(64, np.float32)[::2], np.zeros(64, np.uint8), windows,
                         1)
    rule = update.sgd.address(x.dtype)
    y = x.copy()
    state = update.State(x, x, x, x)
    following = update.NextState(y, y, y)
    gaps = np.zeros(64, np.float32)[::2]
    with pytest.raises(TypeError, match="over_blocks.*numbers: float32"):
        update.over_blocks(rule, state, following, np.zeros(1, np.float32))
    with pytest.raises(TypeError, match="over_blocks: got arrays .*state.dw: float64"):
        update.over_blocks(rule, state._replace(dw=out), following, np.zeros(1))
    with pytest.raises(TypeError, match="following.first: float32 with gaps"):
        update.over_blocks(rule, state, following._replace(first=gaps), np.zeros(1))


@compiled
def test_the_product_of_matrices_with_gaps_is_that_of_their_copies():
    big = rng().standard_normal((400, 900)).astype(np.float32)
    for a in (big[:300, :100], big[::2, :100], big[:300, ::3], big[300::-1, :100],
              big[:100, :300].T):
        b = big[:a.shape[1], 200:300]
        np.testing.assert_array_equal(affine.matrix_product(a, b),
                                      affine.matrix_product(a.copy(), b.copy()))


NAMES = [("a", "a"), ("a", "b", "a"), ("a", "a/b"), ("a/b", "a"), ("a", "b/c", "b/c")]


@pytest.mark.parametrize("names", NAMES)
def test_a_chain_refuses_layers_that_would_share_parameters(names):
    with pytest.raises(ValueError, match="several have the path"):
        Chain(tuple((name, Affine(4)) for name in names))
    with pytest.raises(ValueError, match="several have the path"):
        Chain((("outer", Chain(tuple((name, ReLU()) for name in names))),))
    with pytest.raises(ValueError, match="several have the path"):
        Chain((("", Chain(((names[0], Affine(4)),))), *((name, Affine(4)) for name in names[1:])))


def test_names_that_only_begin_alike_are_names_of_their_own():
    net = Network(Chain(tuple((name, Affine(4)) for name in ("a", "ab", "a1/b", "a1/c"))), (4,),
                  seed=0)
    assert len(net.params) == 8


PARAMETERS = ["c2/w", "c2/b", "b1/gamma", "a/w", "a/b"]


@pytest.mark.parametrize("dtype", [np.float64, np.float16, np.int64, np.int32, bool, ">f4"])
@pytest.mark.parametrize("name", PARAMETERS)
def test_a_predictor_takes_parameters_of_another_dtype_as_the_network_does(name, dtype):
    net = small_net()
    X = rng().standard_normal((4, 1, 8, 8)).astype(np.float32)
    net.params[name] = np.rint(3 * net.params[name] + 1).astype(dtype)
    np.testing.assert_allclose(Predictor(net)(X), net.loss(X), rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("name", PARAMETERS)
def test_a_predictor_refuses_parameters_of_another_shape_or_kind(name):
    for change in (lambda w: np.concatenate([w, w]), lambda w: w[:-1], lambda w: w[..., None],
                   lambda w: w.astype(complex), lambda w: w.astype(object),
                   lambda w: np.ma.MaskedArray(w, mask=w > 0)):
        net = small_net()
        net.params[name] = change(net.params[name])
        with pytest.raises(ValueError, match="expected|masked"):
            Predictor(net)


@pytest.mark.parametrize("X", [np.zeros((2, 1, 8, 8), complex), np.zeros((2, 1, 8, 8), object),
                               np.zeros((2, 1, 8, 8), str),
                               np.ma.masked_array(np.zeros((2, 1, 8, 8)), mask=True),
                               np.zeros((2, 1, 4, 16)), np.zeros((2, 64)), np.float32(0), None],
                         ids=["complex", "object", "text", "masked", "other shape", "flat",
                              "number", "None"])
def test_networks_and_predictors_refuse_what_is_no_batch_of_images(X):
    net = small_net()
    for model in (net.loss, net.forward, Predictor(net)):
        with pytest.raises(ValueError, match="expected|masked"):
            model(X)


def test_memory_that_is_used_again_holds_no_objects():
    with pytest.raises(ValueError, match="expected numbers"):
        arena.empty((2, 3), object)


def test_the_cache_of_one_kind_of_pool_is_refused_by_the_other():
    x = rng().standard_normal((2, 3, 6, 6))
    for forward, backward in ((avg_pool_forward_fast, max_pool_backward_fast),
                              (max_pool_forward_fast, avg_pool_backward_fast)):
        out, cache = forward(x, POOL)
        with pytest.raises(ValueError, match="another kind of pool"):
            backward(out, cache)


@pytest.mark.parametrize("mode", ["train", "test"])
def test_batchnorm_understands_the_caches_of_its_other_rungs(mode):
    x, gamma, beta, dout = (rng(i).standard_normal(shape)
                            for i, shape in enumerate([(6, 5), 5, 5, (6, 5)]))
    bn_param = {"mode": mode, "running_mean": np.ones(5), "running_var": np.full(5, 2.0)}
    caches = [forward(x, gamma, beta,
                      {**bn_param, "running_mean": np.ones(5), "running_var": np.full(5, 2.0)})[1]
              for forward in (batchnorm_forward_naive, batchnorm_forward)]
    right = batchnorm_backward(dout, caches[1])
    for cache in caches:
        for backward in (batchnorm_backward_naive, batchnorm_backward, batchnorm_backward_alt):
            for got, expected in zip(backward(dout, cache), right, strict=True):
                np.testing.assert_allclose(got, expected, rtol=0, atol=1e-13)


@compiled
def test_a_kernel_without_a_cache_on_disk_has_the_same_guard():
    def double(x, out):
        for i in range(len(x)):
            out[i] = 2 * x[i]

    guard = jit.ArrayGuard(double, ())
    kernel = jit.on_disk(numba.njit(double), double, guard)
    kernel._cache = jit._NoCache(guard)
    kernel(np.ones(3), np.ones(3))
    for x in (np.ones(3, np.float32), np.ones(3, np.int32), np.ones(3, complex), np.ones(6)[::2]):
        with pytest.raises(TypeError, match="double: got arrays"):
            kernel(x, np.ones(3))
