"""Tests of the update rules against scalar formulas, on toy functions, and between rungs."""
import copy
import math
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cs231n_fer.kernels import update as kernels
from cs231n_fer.kernels.vectors.jit import DISABLED
from cs231n_fer.optim import DEFAULTS, STATE, UPDATE_RULES

RULES = sorted(UPDATE_RULES)


def scalar_steps(rule, w, gradients, lr):
    """Follow one weight through the textbook formulas, one line each, and return it."""
    mu, rho, beta1, beta2, eps, weight_decay = 0.9, 0.99, 0.9, 0.999, 1e-8, 1e-2
    v = c = m = s = 0.0
    for t, g in enumerate(gradients, start=1):
        if rule == "sgd":
            w = w - lr * g
        elif rule == "sgd_momentum":
            v = mu * v - lr * g
            w = w + v
        elif rule == "nesterov":
            before = v
            v = mu * v - lr * g
            w = w - mu * before + (1 + mu) * v
        elif rule in ("adagrad", "rmsprop"):
            c = c + g * g if rule == "adagrad" else rho * c + (1 - rho) * g * g
            w = w - lr * g / (math.sqrt(c) + eps)
        else:
            m = beta1 * m + (1 - beta1) * g
            s = beta2 * s + (1 - beta2) * g * g
            decay = lr * weight_decay * w if rule == "adamw" else 0.0
            w = w - lr * (m / (1 - beta1**t)) / (math.sqrt(s / (1 - beta2**t)) + eps) - decay
    return w


def protected(array):
    """Return the array, write-protected."""
    array.setflags(write=False)
    return array


def run(rule, w, gradients, config, rung="auto"):
    """Return the weights after all gradients, every array write-protected on the way."""
    for dw in gradients:
        w, config = UPDATE_RULES[rule](protected(w), protected(dw), config, rung)
        for key in STATE[rule]:
            if key != "t":
                protected(config[key])
    return w, config


@pytest.mark.parametrize("rung", ["numpy", "fast"])
@pytest.mark.parametrize("rule", RULES)
@settings(max_examples=30, deadline=None)
@given(gradients=st.lists(st.floats(1e-3, 100) | st.floats(-100, -1e-3), min_size=1, max_size=12),
       w=st.floats(-10, 10), lr=st.floats(0, 1))
def test_every_rule_follows_its_formula_step_by_step(rule, rung, gradients, w, lr):
    steps = [np.array([[g, -g]]) for g in gradients]
    result, _ = run(rule, np.array([[w, w]]), steps, {"learning_rate": lr}, rung)
    expected = [scalar_steps(rule, w, [sign * g for g in gradients], lr) for sign in (1, -1)]
    real = np.finfo(float)
    # tiny: kernels flush smaller numbers to 0, the learning rate included.
    bound = 64 * (real.eps * abs(w) + (real.eps * lr + real.tiny) * 10
                  * sum(abs(g) + 1 for g in gradients))
    np.testing.assert_allclose(result, [expected], rtol=0, atol=bound)


@st.composite
def arrays_in_any_order(draw, count):
    """Draw arrays of one shape and dtype, each with its own order of axes in memory, one in four
    with gaps."""
    dtype = np.dtype(draw(st.sampled_from([np.float32, np.float64])))
    short = st.lists(st.integers(0, 5), max_size=4)
    # A size of 150 gives whole vectors and a remainder.
    shape = tuple(draw(short | st.lists(st.integers(1, 150), min_size=1, max_size=1)))
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    arrays = []
    for _ in range(count):
        order = draw(st.permutations(range(len(shape))))
        step = draw(st.sampled_from([1, 1, 1, 2 if shape else 1]))
        memory = np.empty([shape[axis] * step for axis in order], dtype)
        array = memory[(..., *[slice(None, None, step)]
                        * len(shape))].transpose(np.argsort(order).astype(int))
        array[...] = rng.standard_normal(shape)
        arrays.append(array)
    return arrays


@pytest.mark.parametrize("rule", RULES)
@settings(max_examples=40, deadline=None)
@given(arrays=arrays_in_any_order(4), lr=st.floats(0, 1))
def test_the_fast_rung_equals_numpy_in_every_memory_order(rule, arrays, lr):
    w, *gradients = arrays
    before = [array.copy() for array in arrays]
    (fast, fast_config), (slow, slow_config) = (
        run(rule, w, gradients, {"learning_rate": lr}, rung) for rung in ("fast", "numpy"))
    size, square = (sum(np.abs(dw) ** power for dw in gradients) for power in (1, 2))
    # The terms of which a result is the sum. No step is longer than lr |dw| or 10 lr (the first one
    # of rmsprop).
    scales = {"velocity": lr * size, "m": size, "v": square, "cache": square,
              "w": np.abs(w) + 10 * lr * (size + len(gradients))}
    real = np.finfo(w.dtype)
    pairs = {"w": (fast, slow)} | {key: (fast_config[key], slow_config[key]) for key in STATE[rule]
                                   if key != "t"}
    for key, (array, expected) in pairs.items():
        assert array.dtype == expected.dtype == w.dtype and array.strides == expected.strides
        assert (np.abs(array - expected) <= 8 * len(gradients)
                * (real.eps * scales[key] + real.tiny)).all(), key
    assert fast_config.get("t") == slow_config.get("t")
    for array, copied in zip(arrays, before, strict=True):
        np.testing.assert_array_equal(array, copied)


@pytest.mark.parametrize("rule", RULES)
def test_the_best_rung_is_fast_where_numba_compiles_and_numpy_for_its_other_floats(rule):
    rng = np.random.default_rng(3)
    for dtype, best in ((np.float32, "numpy" if DISABLED else "fast"), (np.longdouble, "numpy")):
        w, dw = rng.standard_normal((2, 333)).astype(dtype)
        results = [run(rule, w, [dw, -dw, dw], {}, rung)[0] for rung in ("auto", best)]
        np.testing.assert_array_equal(*results)
        assert results[0].dtype == dtype


@pytest.mark.parametrize("kind", [np.float32, np.float64, ">f4", np.int64])
@pytest.mark.parametrize("rule", RULES)
def test_a_gradient_of_another_type_is_converted(rule, kind):
    w = np.ones(5, np.float32)
    dw = np.arange(1, 6)
    for rung in ("fast", "numpy"):
        next_w, _ = run(rule, w, [dw.astype(kind)], {}, rung)
        expected, _ = run(rule, w, [dw.astype(np.float32)], {}, rung)
        assert next_w.dtype == np.float32
        np.testing.assert_allclose(next_w, expected, rtol=4 * np.finfo(np.float32).eps)


@pytest.mark.skipif(DISABLED, reason="threads and compiled versions need NUMBA_DISABLE_JIT=0")
class TestCompiled:
    @pytest.mark.parametrize("rule", RULES)
    def test_one_and_two_threads_give_the_same_bits(self, rule):
        import numba
        if numba.config.NUMBA_NUM_THREADS < 2:
            pytest.skip("one processor")
        w, dw = np.random.default_rng(4).standard_normal((2, 100_003)).astype(np.float32)
        results = []
        before = numba.get_num_threads()
        for threads in (1, 2):
            numba.set_num_threads(threads)
            results.append(run(rule, w, [dw, -dw], {}, "fast")[0])
        numba.set_num_threads(before)
        np.testing.assert_array_equal(*results)

    def test_write_protected_and_other_arrays_share_one_compiled_version(self):
        for rule in RULES:
            w, dw = np.ones((2, 50), np.float32)
            config = UPDATE_RULES[rule](w, dw, {}, "fast")[1]
            UPDATE_RULES[rule](protected(w), dw, config, "fast")
            UPDATE_RULES[rule](w, protected(dw), config, "fast")
        signatures = kernels.over_blocks.compiled.signatures
        dtypes = [signature[1].dtype.dtype.name for signature in signatures]
        assert dtypes.count("float32") == 1


def test_the_first_update_imports_numba_and_not_the_module():
    code = "import sys; import cs231n_fer.optim; print('numba' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout.strip() == "False", done.stderr


def test_adam_gives_the_numbers_of_the_course_notebook():
    ends = (-0.4, 0.6), (-0.6, 0.4), (0.6, 0.9), (0.7, 0.5)
    w, dw, m, v = (np.linspace(*pair, 20).reshape(4, 5) for pair in ends)
    next_w, config = UPDATE_RULES["adam"](w, dw, {"learning_rate": 1e-2, "m": m, "v": v, "t": 5})
    for array, first_row in (
        (next_w, [-0.40094747, -0.34836187, -0.29577703, -0.24319299, -0.19060977]),
        (config["v"], [0.69966, 0.68908382, 0.67851319, 0.66794809, 0.65738853]),
        (config["m"], [0.48, 0.49947368, 0.51894737, 0.53842105, 0.55789474]),
    ):
        # The notebook prints eight decimals.
        np.testing.assert_allclose(array[0], first_row, rtol=0, atol=6e-9)
    assert config["t"] == 6


def quadratic(w):
    return 0.5 * float(w @ w), w


def rosenbrock(w):
    a = 1 - w[0]
    b = w[1] - w[0] ** 2
    return float(a * a + 100 * b * b), np.array([-2 * a - 400 * w[0] * b, 200 * b])


def ill_conditioned(w):
    curvature = np.array([1000.0, 1.0])
    return 0.5 * float(w @ (curvature * w)), curvature * w


# Two learning rates: for plain rules (below 2 / largest curvature), and for rules that divide by a
# root of squares.
TOY = {quadratic: (1e-1, 1e-1), rosenbrock: (2e-4, 1e-2), ill_conditioned: (1e-4, 1e-2)}


@pytest.mark.parametrize("function", TOY, ids=lambda f: f.__name__)
@pytest.mark.parametrize("rule", RULES)
def test_every_rule_falls_on_every_toy_function(rule, function):
    w = np.array([-1.2, 1.0])
    config = {"learning_rate": TOY[function]["epsilon" in DEFAULTS[rule]]}
    start = function(w)[0]
    for _ in range(400):
        w, config = UPDATE_RULES[rule](w, function(w)[1], config)
    assert function(w)[0] < 0.5 * start


@pytest.mark.parametrize("rung", ["numpy", "fast"])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("axes", [(0, 1, 2, 3), (0, 2, 3, 1), (3, 0, 1, 2), (1, 0, 3, 2)])
@pytest.mark.parametrize("rule", RULES)
def test_inputs_stay_unchanged_and_dtype_and_layout_are_those_of_w(rule, axes, dtype, rung):
    rng = np.random.default_rng(0)
    w, dw = (rng.standard_normal((2, 3, 4, 5)).astype(dtype).transpose(axes) for _ in range(2))
    before = w.copy(), dw.copy()
    config = {}
    for _ in range(3):
        next_w, config = run(rule, w, [np.ascontiguousarray(dw)], config, rung)
        for array in (next_w, *(config[key] for key in STATE[rule] if key != "t")):
            assert array.dtype == dtype and array.strides == w.strides
    np.testing.assert_array_equal((w, dw), before)


@pytest.mark.parametrize("rule", RULES)
def test_hyper_parameters_read_from_a_file_give_the_same_bits(rule):
    w, dw = np.random.default_rng(2).standard_normal((2, 1000)).astype(np.float32)
    expected, _ = run(rule, w, [dw, -dw, dw], {})
    from_file = {key: np.float64(value) for key, value in DEFAULTS[rule].items()}
    np.testing.assert_array_equal(run(rule, w, [dw, -dw, dw], from_file)[0], expected)


@pytest.mark.parametrize("shape", [(), (0,), (1,), (3, 0, 2)])
@pytest.mark.parametrize("rule", RULES)
def test_scalars_and_empty_arrays_are_arrays_too(rule, shape):
    next_w, config = run(rule, np.ones(shape, np.float32), [np.ones(shape, np.float32)] * 2, None)
    assert next_w.shape == shape and next_w.dtype == np.float32
    assert (next_w < 1).all()


@pytest.mark.parametrize("rule", RULES)
def test_a_run_resumed_from_a_snapshot_equals_an_uninterrupted_one_bit_for_bit(rule):
    rng = np.random.default_rng(1)
    w = rng.standard_normal((3, 4)).astype(np.float32)
    gradients = [rng.standard_normal((3, 4)).astype(np.float32) for _ in range(6)]
    whole, whole_config = run(rule, w, gradients, {})
    half, config = run(rule, w, gradients[:3], {})
    shallow = dict(config)
    deep = copy.deepcopy(config)
    run(rule, half, gradients[3:], config)  # the interrupted run continues for some steps
    for snapshot in (shallow, deep):
        resumed, resumed_config = run(rule, half, gradients[3:], snapshot)
        np.testing.assert_array_equal(resumed, whole)
        assert resumed_config.keys() == whole_config.keys()
        for key in whole_config:
            np.testing.assert_array_equal(resumed_config[key], whole_config[key])
