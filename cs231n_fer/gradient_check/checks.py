"""Gradient checks: is the analytic gradient the derivative of the function?

    (g(h) - g(-h)) / 2h,   where g(t) = sum((f(x + t v) - f(x)) * dout),   v an axis or a random
                           direction

How exact this can be, and with which step h, depends on the kind of f:

    linear      no truncation error, so h = 1 and nothing cancels: about 1e-15
    piecewise   linear between kinks (ReLU, max-pool): exact unless a step crosses a kink, so the
                inputs must be a shuffled, evenly spaced range (`spaced`), whose GAP is 8 times h
    smooth      Richardson extrapolation, (4 D(h/2) - D(h)) / 3, cancels the h**2 term: about 1e-11
                (Richardson 1911)
    kinked      smooth with kinks in unknown places (fused layers, whole networks): Richardson
                extrapolation with smaller steps as well, of which the one whose two estimates
                agree best is taken, without a look at the analytic gradient (Ridders 1982)

dout must be random: a uniform one cancels in a batchnorm. The functions with the course's names
come first; they perturb x in place, because its notebooks pass functions that ignore x.
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

    f        x -> number; it may ignore its argument and read the same array elsewhere, as
             `lambda _: model.loss(X, y)[0]` does
    x        float array. It is perturbed in place, one entry at a time, and restored bit for bit,
             even if f raises; if x is write-protected a copy is perturbed, and f must use its
             argument
    verbose  print every entry
    h        step of the centered differences
    Raises ValueError if x is no array of floats, or h is lost in rounding.
    """
    gradient = eval_numerical_gradient_array(f, x, 1.0, h)
    if verbose:
        for index in np.ndindex(gradient.shape):
            print(index, gradient[index])
    return gradient


def eval_numerical_gradient_array(f: Function, x: Array, df: ArrayLike, h: float = 1e-5) -> Array:
    """Return the numerical gradient of sum(f(x) * df) at x, for f that returns an array.

    df  gradient of the loss with respect to f(x), of the shape of f(x)
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

    f              x -> number; f, x and h as in eval_numerical_gradient
    analytic_grad  gradient of f at x, of the shape of x
    num_checks     number of entries
    rng            draws the entries; None takes a generator with seed 0
    Returns the largest relative error, which the course only prints.
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
    """Return x, or a copy if x is write-protected; raises ValueError unless x is of floats."""
    if not isinstance(x, np.ndarray) or x.dtype.kind != "f":
        came = x.dtype if isinstance(x, np.ndarray) else type(x)
        raise ValueError(f"x: got {came}, expected an array of floats; "
                         "use np.asarray(x, dtype=np.float64)")
    return x if x.flags.writeable else x.copy(order="K")


def _difference(f: Function, x: Array, index: tuple[int, ...], h: float) -> Array:
    """Return (f(x + h e) - f(x - h e)) / 2h as float64, where 2h is the step after rounding."""
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
    """Return a shuffled, evenly spaced range (float64): GAP apart, none within GAP / 2 of 0."""
    size = int(np.prod(shape))
    return (rng.permutation(size).reshape(shape) - size // 2 + 0.5) * GAP


# An infinite analytic gradient becomes NaN here and the check fails, without a warning besides.
@np.errstate(invalid="ignore")
def gradient_error(a: ArrayLike, b: ArrayLike, tiny: float = TINY) -> float:
    """Return max |a - b| / max(|a|max, |b|max, tiny), which is NaN if a or b holds a NaN.

    Test `error <= limit`, so that NaN fails. Where a gradient is truly 0 (a bias before batchnorm),
    rounding is 100 % of it: below tiny the error is absolute, in units of tiny. Raises ValueError
    if the shapes differ.
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
    """Return g'(0) by the method of a kind, see the top of this file."""
    def slope(h: float) -> float:
        return (g(h) - g(-h)) / (2 * h)

    if kind in ("linear", "piecewise"):
        return slope(STEPS[kind][0])
    tried = [(slope(h), slope(h / 2), 10 * EPS / h) for h in STEPS[kind]]
    # Two estimates can agree by chance, so the rounding expected of a small step counts as
    # disagreement.
    coarse, fine, _ = min(tried, key=lambda found: abs(found[1] - found[0]) + found[2])
    return (4 * fine - coarse) / 3


def along(f: Function, x: Array, direction: Array, dout: Array) -> Callable[[float], float]:
    """Return g(t) = sum((f(x + t direction) - f(x)) * dout); x is not written to.

    f(x) is subtracted before the sum, so that outputs that don't change add no rounding.
    """
    start = np.array(f(x), dtype=np.float64)
    if start.shape != np.shape(dout):
        raise ValueError(f"dout: has shape {np.shape(dout)}, "
                         f"expected {start.shape}, the shape of f(x)")
    return lambda t: float(np.sum((f(x + t * direction) - start) * dout))


def coordinate_check(f: Function, x: Array, dout: Array, dx: Array, kind: str, rng: Generator,
                     most: int = 40) -> float:
    """Return the error of dx against numerical derivatives along some axes.

    f     function of an array like x
    x     float64; not written to
    dout  gradient of the loss with respect to f(x), of the shape of f(x)
    dx    the analytic gradient to check, of the shape of x
    kind  "linear", "piecewise", "smooth" or "kinked"
    rng   draws the axes where x has more than `most`
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
    """Return the error of sum(dx * v) against the derivative along a random direction v of +1, -1.

    It calls f a few times for x of any size, and every entry of dx counts. The error is relative to
    the length of dx, the typical size of sum(dx * v), which itself can cancel. The arguments are
    those of coordinate_check.
    """
    _check_shapes(x, dx)
    v = rng.choice([-1.0, 1.0], x.shape)
    difference = abs(derivative(along(f, x, v, dout), kind) - float(np.sum(dx * v)))
    length = np.sqrt(np.sum(np.square(dx, dtype=np.float64)))
    return float(difference / np.maximum(length, TINY))


@np.errstate(invalid="ignore")
def adjoint_check(f: Function, x: Array, dout: Array, dx: Array) -> float:
    """Return the error of <A x, dout> = <x, A^T dout>, where A x = f(x) - f(0) and A^T dout = dx.

    For linear A only. The error is relative to the lengths of A x and dout. It calls f twice and
    takes no step.
    """
    _check_shapes(x, dx)
    moved = np.asarray(f(x), dtype=np.float64) - f(np.zeros_like(x))
    difference = abs(float(np.sum(moved * dout)) - float(np.sum(x * dx)))
    lengths = np.sqrt(np.sum(moved ** 2) * np.sum(np.square(dout)))
    return float(difference / np.maximum(lengths, TINY))


def check_gradient(f: Function, x: Array, dout: Array, dx: Array, kind: str, rng: Generator,
                   most: int = 40) -> float:
    """Return the largest error of all checks that fit the kind; NaN if one is NaN.

    The arguments are those of coordinate_check. Kinked functions are checked along
    one direction only.
    """
    errors = [directional_check(f, x, dout, dx, kind, rng)]
    if kind != "kinked":
        errors.append(coordinate_check(f, x, dout, dx, kind, rng, most))
    if kind == "linear":
        errors.append(adjoint_check(f, x, dout, dx))
    # np.max, because max drops a NaN that doesn't come first.
    return float(np.max(errors))
