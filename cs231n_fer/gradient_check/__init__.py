"""Gradient checks: analytic gradients compared with numerical ones. Read it in this order:

    checks      numerical gradients, and the error of an analytic one
    blobs       numerical gradients of nets that keep their arrays in blobs, as in the course
    layouts     ways to store an array in memory
    draws       random problems for layers
    kinked_draws
                random problems for sandwiches and networks
    verdicts    one layer checked on random problems
    cases       the table of all layers and rungs

To add a check: add a row to CASES in cases, and, if no function of draws produces the layer's
arguments, one that does. ORACLE in tests/test_oracle.py needs an entry for every layer in CASES.
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
