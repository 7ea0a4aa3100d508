"""Verdicts: the gradients of one layer or network on random problems, and whether they pass.

A problem is drawn, its arrays are copied into random memory layouts and made read-only, and two
errors are computed:

    float64   of the analytic gradient relative to numerical ones, see checks
    float32   of the analytic gradient relative to the one in float64 for the same inputs; for
              layers only
"""
from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, TypeAlias

import numpy as np
from numpy.random import Generator
from numpy.typing import DTypeLike

from ..types import Array
from . import draws as D
from .checks import check_gradient, gradient_error
from .layouts import LAYOUTS

__all__ = ["Case", "Verdict", "analytic_gradients", "check_case", "largest_errors"]

# The largest error allowed in float64, by kind.
LIMITS = {"linear": 1e-11, "piecewise": 1e-11, "smooth": 1e-8, "kinked": 1e-6}
# In float32 the limit is eps * sqrt(reduction length) times this factor: smooth functions divide by
# a standard deviation or sum exponentials.
FLOAT32_FACTOR = {"linear": 4, "piecewise": 4, "smooth": 16, "kinked": 16}
# Winograd's transforms multiply by up to 8 and cancel: ten times the rounding error of direct
# convolution.
WINOGRAD_FACTOR = 16

Limited: TypeAlias = dict[str, tuple[float, float]]  # dtype -> (error, limit)


class Verdict(NamedTuple):
    """The largest error of a case in one dtype, relative to its limit."""
    error: float
    limit: float
    passed: bool


@dataclass(frozen=True)
class Case:
    """A row of the table: forward(*arguments, *rest) -> (out, cache), backward(dout, cache).

    layer, rung   names for tables and tests
    kind          kind of function, see checks
    draw          rng -> (arguments, rest), see draws
    """
    layer: str
    rung: str
    kind: str
    draw: D.Draw
    forward: Callable[..., Any]
    backward: Callable[..., Any]

    @property
    def is_network(self) -> bool:
        """Whether this is a whole network, where rounding may change the argmax of a max-pool."""
        return self.rung in ("loss", "scores")

    @property
    def name(self) -> str:
        """The layer and the rung, separated by a space."""
        return f"{self.layer} {self.rung}"


def analytic_gradients(case: Case, arguments: Sequence[Array], rest: Sequence[Any], dout: Array
                       ) -> tuple[Array, ...]:
    """Return the analytic gradients with respect to the arguments."""
    gradients = case.backward(dout, case.forward(*arguments, *rest)[1])
    return gradients if isinstance(gradients, tuple) else (gradients,)


def protected(arrays: Sequence[Array], layouts: Sequence[str], dtype: DTypeLike) -> list[Array]:
    """Return read-only copies of arrays in a dtype, in the named memory layouts."""
    copies = [LAYOUTS[layout](array.astype(dtype))
              for array, layout in zip(arrays, layouts, strict=True)]
    for copy in copies:
        copy.setflags(write=False)
    return copies


def in_dtype(value: Any, dtype: DTypeLike) -> Any:
    """Return an array of floats converted to a dtype, and any other value unchanged."""
    is_floats = isinstance(value, np.ndarray) and value.dtype.kind == "f"
    return value.astype(dtype) if is_floats else value


def rest_in_dtype(rest: Sequence[Any], dtype: DTypeLike) -> list[Any]:
    """Return the other arguments with all float arrays, also in dicts, converted to a dtype."""
    return [{key: in_dtype(item, dtype) for key, item in value.items()}
            if isinstance(value, dict) else in_dtype(value, dtype) for value in rest]


def check_case(case: Case, rng: Generator, most: int = 40) -> tuple[Limited, set[str]]:
    """Check a case on one random problem.

    most   largest number of entries of each argument that are checked numerically
    Returns {dtype name: (largest error, limit)}, and a set that names what is odd about the shapes
    together with the memory layout of the first argument.
    """
    arguments, rest = case.draw(rng)
    # Rounded to float32 first, so that the inputs are equal in both dtypes.
    arrays = [array.astype(np.float32) for array in arguments.values()]
    layouts = [str(name) for name in rng.choice(sorted(LAYOUTS), len(arrays) + 1)]
    single = rest_in_dtype(rest, np.float32)
    double = rest_in_dtype(single, np.float64)
    wide = protected(arrays, layouts[1:], np.float64)
    out = case.forward(*wide, *double)[0]
    dout = np.asarray(rng.normal(size=np.shape(out)), dtype=np.float32)
    wide_dout, = protected([dout], layouts[:1], np.float64)
    gradients = analytic_gradients(case, wide, double, wide_dout)

    def as_function_of(i: int) -> Callable[[Array], Any]:
        return lambda x: case.forward(*wide[:i], x, *wide[i + 1:], *double)[0]

    errors = [check_gradient(as_function_of(i), x, wide_dout, gradients[i], case.kind, rng, most)
              for i, x in enumerate(wide)]
    # np.max, because max drops a NaN that doesn't come first.
    results = {"float64": (float(np.max(errors)), LIMITS[case.kind])}
    if not case.is_network:
        narrow_dout, = protected([dout], layouts[:1], np.float32)
        narrow = protected(arrays, layouts[1:], np.float32)
        narrow_gradients = analytic_gradients(case, narrow, single, narrow_dout)
        # A sum over dout can cancel, but its rounding error remains: relative to dout at least.
        size = float(np.max(np.abs(dout)))
        errors = [gradient_error(a, b, size) if a.dtype == np.float32 else np.inf
                  for a, b in zip(narrow_gradients, gradients, strict=True)]
        results["float32"] = float(np.max(errors)), float32_limit(case, [dout, *arrays])
    return results, D.oddities(arguments, rest) | {layouts[1]}


def float32_limit(case: Case, arrays: Sequence[Array]) -> float:
    """Return the limit of the error in float32 for a problem with these arrays."""
    length = max(array.size for array in arrays)
    limit = np.finfo(np.float32).eps * np.sqrt(length) * FLOAT32_FACTOR[case.kind]
    limit *= WINOGRAD_FACTOR if case.rung == "winograd" else 1
    return float(limit)


def largest_errors(case: Case, shapes: int, seed: int, most: int = 40
                   ) -> tuple[dict[str, Verdict], dict[str, int]]:
    """Check a case on several random problems.

    most   largest number of entries of each argument that are checked numerically
    Returns {dtype name: verdict on the worst problem}, and {oddity: number of problems that had
    it}. The worst problem has the largest error relative to its limit, which in float32 depends on
    the shape. The random numbers depend on the seed and the name of the case alone, so a case gives
    the same errors whichever others are checked.
    """
    rng = np.random.default_rng([seed, *case.name.encode()])
    checked, odd = zip(*(check_case(case, rng, most) for _ in range(shapes)), strict=True)
    worst = {}
    for dtype in checked[0]:
        relative = [result[dtype][0] / result[dtype][1] for result in checked]
        # argmax returns the first NaN, and a NaN fails `error <= limit`.
        error, limit = checked[np.argmax(relative)][dtype]
        worst[dtype] = Verdict(error, limit, error <= limit)
    return worst, dict(sorted(Counter(name for names in odd for name in names).items()))
