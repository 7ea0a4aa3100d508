"""The ladder: operation -> rung -> (forward, backward). Nothing else knows which functions a rung stands for.

naive     the definition, in loops
im2col    NumPy and BLAS: the best that can be done without a compiler
auto      the fastest rung of each operation

Every rung of an operation takes the same arguments and returns the same results; tests hold each against the one
before.
"""
from . import layers as L
from .shapes import check

LADDER = {
    "affine": {"naive": (L.affine_forward_naive, L.affine_backward_naive),
               "im2col": (L.affine_forward, L.affine_backward)},
    "relu": {"naive": (L.relu_forward_naive, L.relu_backward_naive),
             "im2col": (L.relu_forward, L.relu_backward)},
    "conv": {"naive": (L.conv_forward_naive, L.conv_backward_naive),
             "im2col": (L.conv_forward_im2col, L.conv_backward_im2col)},
    "max_pool": {"naive": (L.max_pool_forward_naive, L.max_pool_backward_naive),
                 "im2col": (L.max_pool_forward_im2col, L.max_pool_backward_im2col)},
    "avg_pool": {"naive": (L.avg_pool_forward_naive, L.avg_pool_backward_naive),
                 "im2col": (L.avg_pool_forward_im2col, L.avg_pool_backward_im2col)},
}

AUTO = "im2col"


def functions(operation, rung):
    """Return (forward, backward) of an operation on a rung; raises ValueError naming the rungs that exist."""
    rungs = LADDER[operation]
    rung = AUTO if rung == "auto" else rung
    check(rung in rungs, f"rung: {operation} has no rung {rung!r}, expected 'auto' or one of {sorted(rungs)}")
    return rungs[rung]
