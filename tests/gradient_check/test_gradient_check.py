"""Tests of the gradient checker: it accepts correct gradients and rejects wrong ones."""
import numpy as np
import pytest

from cs231n_fer import gradient_check as G

MATRIX = np.random.default_rng(1).normal(size=(5, 4)) / 4
LIMITS = {"linear": 1e-11, "piecewise": 1e-11, "smooth": 1e-8, "kinked": 1e-6}
# kind: (f, its gradient as a function of x and dout)
FUNCTIONS = {
    "linear": (lambda x: x @ MATRIX + 3, lambda x, dout: dout @ MATRIX.T),
    "piecewise": (lambda x: np.maximum(x, 0), lambda x, dout: dout * (x > 0)),
    "smooth": (lambda x: np.exp(x @ MATRIX), lambda x, dout: dout * np.exp(x @ MATRIX) @ MATRIX.T),
    "kinked": (lambda x: np.tanh(x) * (x > 0), lambda x, dout: dout * (x > 0) / np.cosh(x) ** 2),
}


def problem(kind, seed=0):
    rng = np.random.default_rng(seed)
    f, gradient = FUNCTIONS[kind]
    x = G.spaced(rng, (3, 5)) if kind == "piecewise" else rng.normal(size=(3, 5))
    x.setflags(write=False)
    dout = rng.normal(size=f(x).shape)
    return f, x, dout, gradient(x, dout), rng


@pytest.mark.parametrize("kind", FUNCTIONS)
def test_a_right_gradient_passes(kind):
    f, x, dout, dx, rng = problem(kind)
    assert G.check_gradient(f, x, dout, dx, kind, rng) <= LIMITS[kind]


@pytest.mark.parametrize("kind", FUNCTIONS)
@pytest.mark.parametrize("wrong", [
    lambda dx: dx * (1 + 1e-4),
    lambda dx: -dx,
    lambda dx: dx + 1e-4 * np.eye(*dx.shape),
    lambda dx: np.zeros_like(dx),
    lambda dx: np.full_like(dx, np.nan),
    lambda dx: np.where(np.eye(*dx.shape), np.nan, dx),
    lambda dx: np.where(np.eye(*dx.shape), np.inf, dx),
], ids=["too large", "wrong sign", "one value", "zero", "all NaN", "some NaN", "infinite"])
def test_a_wrong_gradient_fails_for_every_kind(kind, wrong):
    f, x, dout, dx, rng = problem(kind)
    assert not G.check_gradient(f, x, dout, wrong(dx), kind, rng) <= LIMITS[kind]


@pytest.mark.parametrize("check", [
    lambda f, x, dout, dx, rng: G.coordinate_check(f, x, dout, dx, "linear", rng),
    lambda f, x, dout, dx, rng: G.directional_check(f, x, dout, dx, "linear", rng),
    lambda f, x, dout, dx, rng: G.adjoint_check(f, x, dout, dx),
], ids=["coordinate", "directional", "adjoint"])
def test_every_single_check_tells_right_from_wrong(check):
    f, x, dout, dx, rng = problem("linear")
    assert check(f, x, dout, dx, rng) <= LIMITS["linear"]
    assert not check(f, x, dout, dx * 1.0001, rng) <= LIMITS["linear"]
    assert np.isnan(check(f, x, dout, dx * np.nan, rng))


def test_a_function_that_returns_nan_fails():
    f, x, dout, dx, rng = problem("smooth")
    assert np.isnan(G.check_gradient(lambda x: f(x) * np.nan, x, dout, dx, "smooth", rng))


def test_a_kink_beside_the_point_is_stepped_round():
    x = np.array([1e-5, -1e-5, 0.3])
    x.setflags(write=False)
    dout = np.array([1.0, -2.0, 0.5])
    f, gradient = FUNCTIONS["kinked"]
    error = G.directional_check(f, x, dout, gradient(x, dout), "kinked", np.random.default_rng(0))
    assert error <= LIMITS["kinked"]


def test_a_gradient_that_is_truly_zero_passes_with_rounding_and_fails_without_need():
    x = np.random.default_rng(0).normal(size=(6, 2))
    dout = np.random.default_rng(1).normal(size=(6, 2))
    rounding = np.full((6, 2), 1e-17)

    def centred(bias):
        return x + bias - (x + bias).mean(axis=0)

    def error(dbias):
        return G.coordinate_check(centred, np.zeros(2), dout, dbias, "linear",
                                  np.random.default_rng(2))
    assert G.rel_error(rounding, 0 * rounding) < 1e-8
    assert error(np.full(2, 1e-17)) <= LIMITS["linear"]
    assert not error(np.full(2, 1e-6)) <= LIMITS["linear"]


@pytest.mark.parametrize("shape", [(1,), (7,), (2, 3, 4)])
def test_a_spaced_range_has_gaps_far_larger_than_the_step(shape):
    x = G.spaced(np.random.default_rng(0), shape)
    values = np.sort(np.append(x.ravel(), 0))
    assert x.shape == shape and np.all(np.diff(values) >= G.GAP / 2)
    assert G.STEPS["piecewise"][0] * 4 <= G.GAP / 2


def test_shapes_that_differ_are_an_error_and_never_broadcast():
    f, x, dout, dx, rng = problem("linear")
    with pytest.raises(ValueError, match="shapes"):
        G.coordinate_check(f, x, dout, dx[0], "linear", rng)
    with pytest.raises(ValueError, match="dout"):
        G.coordinate_check(f, x, dout[0], dx, "linear", rng)
    with pytest.raises(ValueError, match="df"):
        G.eval_numerical_gradient_array(f, x.copy(), dout[0])


# The functions of the course.

def test_numerical_gradients_of_the_course_are_right():
    f, x, dout, dx, _ = problem("smooth")
    numerical = G.eval_numerical_gradient_array(f, x, dout)
    assert G.rel_error(numerical, dx) <= 1e-8
    scalar = G.eval_numerical_gradient(lambda x: np.sum(f(x) * dout), x, verbose=False)
    assert G.rel_error(scalar, dx) <= 1e-7


def test_every_entry_is_printed_if_verbose(capsys):
    G.eval_numerical_gradient(np.sum, np.zeros((2, 3)))
    assert len(capsys.readouterr().out.splitlines()) == 6


def test_a_function_that_ignores_its_argument_sees_the_perturbed_array():
    params = {"w": np.array([1.0, 2.0, -3.0])}
    before = params["w"].tobytes()
    numerical = G.eval_numerical_gradient(lambda _: np.sum(params["w"] ** 2), params["w"],
                                          verbose=False)
    assert G.rel_error(numerical, 2 * params["w"]) <= 1e-9
    assert params["w"].tobytes() == before


@pytest.mark.parametrize("layout",
                         [lambda x: x, np.asfortranarray, lambda x: np.repeat(x, 2, axis=0)[::2].T],
                         ids=["rows", "columns", "strided"])
def test_x_is_restored_bit_for_bit(layout):
    x = layout(np.random.default_rng(0).normal(size=(3, 4)).astype(np.float32) * 1e3)
    x[0, 0] = -0.0
    before = x.tobytes()
    G.eval_numerical_gradient_array(lambda x: x * x, x, np.ones(x.shape), h=0.5)
    G.grad_check_sparse(lambda x: np.sum(x * x), x, 2 * x, h=0.5)
    assert x.tobytes() == before


def test_x_is_restored_even_if_f_raises():
    x = np.array([1.0, 0.1, 2.0])
    before = x.tobytes()

    def f(x):
        if x[2] != 2.0:
            raise RuntimeError("broken")
        return x.sum()
    with pytest.raises(RuntimeError, match="broken"):
        G.eval_numerical_gradient(f, x, verbose=False)
    assert x.tobytes() == before


def test_a_function_that_returns_its_argument_is_not_fooled():
    x = np.arange(4.0)
    assert np.allclose(G.eval_numerical_gradient_array(lambda x: x, x, np.arange(4.0)),
                       np.arange(4.0))


def test_the_sparse_check_finds_a_wrong_gradient_and_prints_each(capsys):
    x = np.random.default_rng(0).normal(size=(3, 4))
    assert G.grad_check_sparse(lambda x: np.sum(x ** 2), x, 2 * x, num_checks=5) <= 1e-7
    assert capsys.readouterr().out.count("relative error") == 5
    assert G.grad_check_sparse(lambda x: np.sum(x ** 2), x, 2.1 * x) > 1e-2
    assert np.isnan(G.grad_check_sparse(lambda x: np.sum(x ** 2), x, np.nan * x))


def test_relative_error_keeps_a_nan_and_takes_zeros():
    assert np.isnan(G.rel_error(np.array([1.0, np.nan]), np.array([1.0, 2.0])))
    assert G.rel_error(np.zeros(3), np.zeros(3)) == 0
    assert G.rel_error(np.array([1.0]), np.array([3.0])) == 0.5


@pytest.mark.parametrize("x, h, message", [
    (np.arange(3), 1e-5, "floats"), ([1.0, 2.0], 1e-5, "floats"),
    (np.full(2, 1e6, np.float32), 1e-5, "lost"),
])
def test_input_that_cannot_be_perturbed_is_refused(x, h, message):
    with pytest.raises(ValueError, match=message):
        G.eval_numerical_gradient(np.sum, x, verbose=False, h=h)
