"""Gradient checks: is the analytic gradient the derivative of the function?

The derivative of a function g at 0 is estimated by the centered difference. In the Taylor series of
g, the terms of even order cancel:

    g(h)  = g + h g' + h^2/2 g'' + h^3/6 g''' + ...
    g(-h) = g - h g' + h^2/2 g'' - h^3/6 g''' + ...
    D(h)  = (g(h) - g(-h)) / 2h = g' + h^2/6 g''' + O(h^4)

so the truncation error is O(h^2); that of the one-sided difference (g(h) - g(0)) / h is O(h).
Rounding adds an error of about eps |g| / h. A smaller h lowers the first error and raises the
second; the derivative of their sum, h/3 |g'''| - eps |g| / h^2, is 0 at

    h = (3 eps |g| / |g'''|)^(1/3)

In float64, with |g| = |g'''|, this is 9e-6, where the error is about h^2/2 = 4e-11; hence the
course's h = 1e-5. (In float32 the smallest error is about 3e-5, too much for a check.)

Richardson extrapolation cancels the term in h^2 as well, which is four times smaller in D(h/2)
(Richardson 1911). With an error of O(h^4), the best h is larger, about eps^(1/5) = 7e-4, and leaves
less rounding:

    (4 D(h/2) - D(h)) / 3 = g' + O(h^4)

For a layer f with the upstream gradient dout, g(t) = sum((f(x + t v) - f(x)) * dout), where v is an
axis or a random direction; its derivative must be sum(dx * v). The method depends on the kind of f:

    linear      D(1): there is no truncation error, and a large step leaves little rounding, about
                1e-15
    piecewise   D(GAP / 8), for functions that are linear between kinks (ReLU, max-pool): exact
                unless a step crosses a kink, so the inputs must be drawn by `spaced`, GAP apart
    smooth      Richardson extrapolation, error about 1e-11
    kinked      smooth with kinks in unknown places (fused layers, whole networks): Richardson
                extrapolation with smaller steps as well. The step whose two differences agree best
                is chosen without looking at the analytic gradient (Ridders 1982)

dout must be random, because a constant one cancels in a batchnorm. The functions named as in the
course come first. They perturb x in place, because the course's notebooks pass functions that
ignore their argument.
"""
from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

import numpy as np
from numpy.random import Generator
from numpy.typing import ArrayLike

from ..types import Array, Shape

__all__ = ["EPS", "GAP", "STEPS", "TINY", "adjoint_check", "along", "check_gradient",
           "coordinate_check", "derivative", "directional_check", "eval_numerical_gradient",
           "eval_numerical_gradient_array", "grad_check_sparse", "gradient_error", "rel_error",
           "spaced"]

Function: TypeAlias = Callable[[Array], Any]  # x -> an array or a number

GAP = 0.125
STEPS = {"linear": (1.0,), "piecewise": (GAP / 8,), "smooth": (1e-2, 1e-3, 1e-4),
         "kinked": (1e-2, 1e-3, 1e-4, 1e-5, 1e-6, 1e-7, 1e-8)}
TINY = 1e-4
EPS = float(np.finfo(np.float64).eps)


def rel_error(x: ArrayLike, y: ArrayLike) -> float:
    """Return max |x - y| / max(1e-8, |x| + |y|), as the course's notebooks do; NaN stays NaN."""
    x = np.asarray(x)
    y = np.asarray(y)
    return float(np.max(np.abs(x - y) / np.maximum(1e-8, np.abs(x) + np.abs(y)), initial=0))


def eval_numerical_gradient(f: Function, x: Array, verbose: bool = True, h: float = 1e-5) -> Array:
    """Return the numerical gradient (shape and dtype of x) of a scalar function at x.

    f        x -> number. It may ignore its argument if it reads the same array elsewhere, as
             `lambda _: model.loss(X, y)[0]` does
    x        float array, perturbed in place, one entry at a time, and restored bit for bit, even if
             f raises. If x is read-only, a copy is perturbed, and f must use its argument
    verbose  whether to print every entry
    h        step of the centered difference
    Raises ValueError if x is not an array of floats, or if h is too small to change an entry.
    """
    gradient = eval_numerical_gradient_array(f, x, 1.0, h)
    if verbose:
        for index in np.ndindex(gradient.shape):
            print(index, gradient[index])
    return gradient


def eval_numerical_gradient_array(f: Function, x: Array, df: ArrayLike, h: float = 1e-5) -> Array:
    """Return the numerical gradient of sum(f(x) * df) at x, where f returns an array.

    df  gradient of the loss with respect to f(x), of the same shape
    The other arguments and errors are those of eval_numerical_gradient.
    """
    x = _perturbable(x)
    gradient = np.zeros_like(x)
    for index in np.ndindex(x.shape):
        slope = _difference(f, x, index, h)
        if slope.shape != np.shape(df):
            raise ValueError(f"df: has shape {np.shape(df)}, "
                             f"expected {slope.shape}, the shape of f(x)")
        gradient[index] = np.sum(slope * np.asarray(df))
    return gradient


def grad_check_sparse(f: Function, x: Array, analytic_grad: Array, num_checks: int = 10,
                      h: float = 1e-5, rng: Generator | None = None) -> float:
    """Compare a gradient with the numerical one at random entries of x, and print the comparisons.

    f              x -> number; f, x and h are those of eval_numerical_gradient
    analytic_grad  gradient of f at x, of the shape of x
    num_checks     number of entries
    rng            generator that draws the entries; None: one with seed 0
    Returns the largest relative error. (The course's function only prints the errors.)
    """
    x = _perturbable(x)
    rng = rng or np.random.default_rng(0)
    errors = []
    for _ in range(num_checks):
        index = tuple(int(rng.integers(size)) for size in x.shape)
        numerical = float(_difference(f, x, index, h))
        analytic = float(analytic_grad[index])
        errors.append(rel_error(numerical, analytic))
        print(f"numerical: {numerical:f} analytic: {analytic:f}, relative error: {errors[-1]:e}")
    return float(np.max(errors, initial=0))


def _perturbable(x: Array) -> Array:
    """Return x, or a copy if x is read-only; raises ValueError unless it is an array of floats."""
    if not isinstance(x, np.ndarray) or x.dtype.kind != "f":
        came = x.dtype if isinstance(x, np.ndarray) else type(x)
        raise ValueError(f"x: got {came}, expected an array of floats; "
                         "use np.asarray(x, dtype=np.float64)")
    return x if x.flags.writeable else x.copy(order="K")


def _difference(f: Function, x: Array, index: tuple[int, ...], h: float) -> Array:
    """Return (f(x + h e) - f(x - h e)) / 2h as float64, dividing by the step as rounded in x.

    e   unit vector of the axis that index names
    """
    old = x[index]
    try:
        x[index] = old + h
        above = float(x[index])
        f_above = np.array(f(x), dtype=np.float64)
        x[index] = old - h
        below = float(x[index])
        f_below = np.array(f(x), dtype=np.float64)
    finally:
        x[index] = old
    if above == below:
        raise ValueError(f"h: {h} is lost beside {old} in {x.dtype}; use a larger h or float64")
    slope: Array = (f_above - f_below) / (above - below)
    return slope


def spaced(rng: Generator, shape: Shape) -> Array:
    """Return numbers (float64) spaced by GAP in random order, none within GAP / 2 of 0."""
    size = int(np.prod(shape))
    return (rng.permutation(size).reshape(shape) - size // 2 + 0.5) * GAP


# An infinite analytic gradient gives NaN, which fails the check; a warning would add nothing.
@np.errstate(invalid="ignore")
def gradient_error(a: ArrayLike, b: ArrayLike, tiny: float = TINY) -> float:
    """Return max |a - b| / max(|a|max, |b|max, tiny), which is NaN if a or b holds a NaN.

    Test `error <= limit`, which is False for NaN. If no entry exceeds tiny, the error is absolute,
    in units of tiny: an exact gradient of 0, as of a bias before batchnorm, leaves nothing but
    rounding. Raises ValueError if the shapes differ.
    """
    a = np.asarray(a, dtype=np.float64)
    b = np.asarray(b, dtype=np.float64)
    _check_shapes(a, b)
    return float(np.max(np.abs(a - b), initial=0) / np.max(np.abs([a, b]), initial=tiny))


def _check_shapes(x: Array, dx: Array) -> None:
    """Raise ValueError unless two arrays have the same shape."""
    if np.shape(x) != np.shape(dx):
        raise ValueError(f"dx: the shapes {np.shape(dx)} and {np.shape(x)} differ, "
                         "expected equal ones")


def derivative(g: Callable[[float], float], kind: str) -> float:
    """Return an estimate of g'(0) by the method for a kind, see the module docstring."""
    def slope(h: float) -> float:
        return (g(h) - g(-h)) / (2 * h)

    if kind in ("linear", "piecewise"):
        return slope(STEPS[kind][0])
    tried = [(slope(h), slope(h / 2), 10 * EPS / h) for h in STEPS[kind]]
    # Two differences can agree by chance, so the rounding error expected of a small step is added
    # to their disagreement.
    coarse, fine, _ = min(tried, key=lambda found: abs(found[1] - found[0]) + found[2])
    return (4 * fine - coarse) / 3


def along(f: Function, x: Array, direction: Array, dout: Array) -> Callable[[float], float]:
    """Return g(t) = sum((f(x + t direction) - f(x)) * dout); x is not written to.

    f(x) is subtracted before summing, so that outputs that don't change add no rounding error.
    """
    start = np.array(f(x), dtype=np.float64)
    if start.shape != np.shape(dout):
        raise ValueError(f"dout: has shape {np.shape(dout)}, "
                         f"expected {start.shape}, the shape of f(x)")
    return lambda t: float(np.sum((f(x + t * direction) - start) * dout))


def coordinate_check(f: Function, x: Array, dout: Array, dx: Array, kind: str, rng: Generator,
                     most: int = 40) -> float:
    """Return the error of dx relative to numerical derivatives along some axes.

    f     function of an array like x
    x     float64, not written to
    dout  gradient of the loss with respect to f(x), of the same shape
    dx    analytic gradient to check, of the shape of x
    kind  "linear", "piecewise", "smooth" or "kinked"
    rng   generator that draws the axes if x has more than `most`
    Raises ValueError if the shapes don't match.
    """
    _check_shapes(x, dx)
    chosen = rng.choice(x.size, min(x.size, most), replace=False)
    numerical = np.array(dx, dtype=np.float64)
    for index in zip(*np.unravel_index(chosen, x.shape), strict=True):
        axis = np.zeros_like(x)
        axis[index] = 1
        numerical[index] = derivative(along(f, x, axis, dout), kind)
    return gradient_error(dx, numerical)


@np.errstate(invalid="ignore")
def directional_check(f: Function, x: Array, dout: Array, dx: Array, kind: str, rng: Generator
                      ) -> float:
    """Return the error of sum(dx * v), the derivative along a direction v of random signs.

    This calls f only a few times, whatever the size of x, and tests every entry of dx. The error is
    relative to the Euclidean norm of dx, the typical size of sum(dx * v), which itself can cancel.
    The arguments are those of coordinate_check.
    """
    _check_shapes(x, dx)
    v = rng.choice([-1.0, 1.0], x.shape)
    difference = abs(derivative(along(f, x, v, dout), kind) - float(np.sum(dx * v)))
    length = np.sqrt(np.sum(np.square(dx, dtype=np.float64)))
    return float(difference / np.maximum(length, TINY))


@np.errstate(invalid="ignore")
def adjoint_check(f: Function, x: Array, dout: Array, dx: Array) -> float:
    """Return the error of <A x, dout> = <x, A^T dout>, where A x = f(x) - f(0) and A^T dout = dx.

    This holds for linear A only. It needs no finite step and calls f twice. The error is relative
    to the product of the norms of A x and dout.
    """
    _check_shapes(x, dx)
    moved = np.asarray(f(x), dtype=np.float64) - f(np.zeros_like(x))
    difference = abs(float(np.sum(moved * dout)) - float(np.sum(x * dx)))
    lengths = np.sqrt(np.sum(moved ** 2) * np.sum(np.square(dout)))
    return float(difference / np.maximum(lengths, TINY))


def check_gradient(f: Function, x: Array, dout: Array, dx: Array, kind: str, rng: Generator,
                   most: int = 40) -> float:
    """Return the largest error of all checks that apply to the kind; NaN if one is NaN.

    The arguments are those of coordinate_check. Kinked functions are checked along a single
    direction.
    """
    errors = [directional_check(f, x, dout, dx, kind, rng)]
    if kind != "kinked":
        errors.append(coordinate_check(f, x, dout, dx, kind, rng, most))
    if kind == "linear":
        errors.append(adjoint_check(f, x, dout, dx))
    # np.max, because max drops a NaN that doesn't come first.
    return float(np.max(errors))
