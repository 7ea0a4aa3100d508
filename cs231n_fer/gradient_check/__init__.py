"""Gradient checks: numerical gradients (checks, and blobs as in the course), random problems
(draws), the table (cases).

To add a check: a row in CASES, and a function in draws for the arguments of the layer if none there
fits. ORACLE in tests/test_oracle.py needs an entry for every layer in CASES, and
experiments/gradient_checks.py writes the results to experiments/results/GRADIENTS.md.
"""
from .blobs import eval_numerical_gradient_blobs, eval_numerical_gradient_net
from .checks import (
    EPS,
    GAP,
    STEPS,
    TINY,
    adjoint_check,
    along,
    check_gradient,
    coordinate_check,
    derivative,
    directional_check,
    eval_numerical_gradient,
    eval_numerical_gradient_array,
    grad_check_sparse,
    gradient_error,
    rel_error,
    spaced,
)

__all__ = [
    "EPS",
    "GAP",
    "STEPS",
    "TINY",
    "adjoint_check",
    "along",
    "check_gradient",
    "coordinate_check",
    "derivative",
    "directional_check",
    "eval_numerical_gradient",
    "eval_numerical_gradient_array",
    "eval_numerical_gradient_blobs",
    "eval_numerical_gradient_net",
    "grad_check_sparse",
    "gradient_error",
    "rel_error",
    "spaced",
]
