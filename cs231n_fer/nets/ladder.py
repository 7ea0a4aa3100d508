"""The ladder: operation -> rung -> (forward, backward). It alone maps rungs to functions.

naive     the definition, in loops
im2col    NumPy: convolution is a matrix product, see layers/im2col.py; the fastest rung without a
          compiler
fast      compiled kernels: direct convolution with any window and stride, fused sandwiches
winograd  compiled kernels: 3 x 3 convolution with stride 1 by Winograd's algorithm
auto      the fastest rung of each operation for its shapes; im2col if NUMBA_DISABLE_JIT=1

A rung is chosen for a whole network and named after its algorithm for convolution. An operation
without this rung uses the next lower one that it has. All rungs of an operation take the same
arguments and return the same results: tests compare each rung with the one below it.

The first layer of a network needs no dx. So the backward functions of conv, except on the naive
rung, and those of compiled sandwiches accept want_dx=False and then return None as dx.
"""
from __future__ import annotations

from collections.abc import Callable
from functools import cache, partial
from typing import Any, NamedTuple, TypeAlias

from .. import fast_layers as F
from .. import layer_utils as U
from .. import layers as L
from ..fast_layers import batchnorm as B
from ..fast_layers import conv, grouped, im2col
from ..fast_layers import norm as N
from ..fast_layers import pool as P
from ..fast_layers import sandwiches as S
from ..fast_layers.activations import relu_backward_fast, relu_forward_fast
from ..shapes import check
from ..types import Array, Cache

__all__ = ["LADDER", "RUNGS", "Pair", "functions", "is_fused"]

Forward: TypeAlias = Callable[..., tuple[Array, Cache]]
Backward: TypeAlias = Callable[..., Any]  # (dout, cache) -> dx, or a tuple that begins with dx

RUNGS = ("naive", "im2col", "fast", "winograd")


class Pair(NamedTuple):
    """The forward and backward functions of an operation on a rung."""
    forward: Forward
    backward: Backward


def compiled(forward: Forward, backward: Backward) -> dict[str, tuple[Forward, Backward]]:
    """Return the compiled rungs of a convolution or of a sandwich, which begins with one."""
    rungs = ("fast", "winograd", "auto")
    return {rung: (partial(forward, rung=rung), backward) for rung in rungs}


LADDER: dict[str, dict[str, tuple[Forward, Backward]]] = {
    "affine": {"naive": (L.affine_forward_naive, L.affine_backward_naive),
               "im2col": (L.affine_forward, L.affine_backward),
               "fast": (F.affine_forward_fast, F.affine_backward_fast)},
    "relu": {"naive": (L.relu_forward_naive, L.relu_backward_naive),
             "im2col": (L.relu_forward, L.relu_backward),
             "fast": (relu_forward_fast, relu_backward_fast)},
    "conv": {"naive": (L.conv_forward_naive, L.conv_backward_naive),
             "im2col": (im2col.conv_forward_im2col, im2col.conv_backward_im2col),
             **compiled(conv.conv_forward, conv.conv_backward)},
    "grouped_conv": {
        "naive": (L.grouped_conv_forward_naive, L.grouped_conv_backward_naive),
        "im2col": (L.grouped_conv_forward_im2col, L.grouped_conv_backward_im2col),
        **compiled(grouped.grouped_conv_forward, grouped.grouped_conv_backward)},
    "max_pool": {"naive": (L.max_pool_forward_naive, L.max_pool_backward_naive),
                 "im2col": (L.max_pool_forward_im2col, L.max_pool_backward_im2col),
                 "fast": (P.max_pool_forward_fast, P.max_pool_backward_fast)},
    "avg_pool": {"naive": (L.avg_pool_forward_naive, L.avg_pool_backward_naive),
                 "im2col": (L.avg_pool_forward_im2col, im2col.avg_pool_backward_im2col),
                 "fast": (P.avg_pool_forward_fast, P.avg_pool_backward_fast)},
    "spatial_batchnorm": {
        "naive": (L.spatial_batchnorm_forward_naive, L.spatial_batchnorm_backward_naive),
        "im2col": (L.spatial_batchnorm_forward, L.spatial_batchnorm_backward),
        "fast": (N.spatial_batchnorm_forward_fast, N.spatial_batchnorm_backward_fast)},
    "spatial_groupnorm": {
        "naive": (L.spatial_groupnorm_forward_naive, L.spatial_groupnorm_backward_naive),
        "im2col": (L.spatial_groupnorm_forward, L.spatial_groupnorm_backward),
        "fast": (N.spatial_groupnorm_forward_fast, N.spatial_groupnorm_backward_fast)},
    "conv_relu": {"im2col": (U.conv_relu_forward, U.conv_relu_backward),
                  **compiled(S.conv_relu_forward, S.conv_relu_backward)},
    "conv_relu_pool": {"im2col": (U.conv_relu_pool_forward, U.conv_relu_pool_backward),
                       **compiled(S.conv_relu_pool_forward, S.conv_relu_pool_backward)},
    "conv_bn_relu": {"im2col": (U.conv_bn_relu_forward, U.conv_bn_relu_backward),
                     **compiled(B.conv_bn_relu_forward, B.conv_bn_relu_backward)},
    "conv_bn_relu_pool": {"im2col": (U.conv_bn_relu_pool_forward, U.conv_bn_relu_pool_backward),
                          **compiled(B.conv_bn_relu_pool_forward, B.conv_bn_relu_pool_backward)},
}


@cache
def functions(operation: str, rung: str) -> Pair:
    """Return the functions of an operation on a rung, or on the next lower rung that it has.

    Raises ValueError for an unknown rung.
    """
    check(rung in (*RUNGS, "auto"), f"rung: got {rung!r}, expected 'auto' or one of {RUNGS}")
    rungs = LADDER[operation]
    if rung == "auto" and F.COMPILED and "auto" in rungs:
        return Pair(*rungs["auto"])
    if rung == "auto":
        rung = RUNGS[-1] if F.COMPILED else "im2col"
    lower = [name for name in RUNGS[:RUNGS.index(rung) + 1] if name in rungs]
    return Pair(*rungs[lower[-1]])


def is_fused(rung: str) -> bool:
    """Return whether a sandwich runs as one operation on a rung: not on naive and im2col."""
    return rung in ("fast", "winograd") or (rung == "auto" and F.COMPILED)
