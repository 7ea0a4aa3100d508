"""The ladder: operation -> rung -> (forward, backward). Nothing else knows which functions a rung stands for.

naive     the definition, in loops
im2col    NumPy and BLAS: the best that can be done without a compiler
fast      compiled kernels; convolution directly, any window and stride; sandwiches fused
winograd  compiled kernels; 3 x 3 convolution of stride 1 by Winograd's algorithm
auto      the fastest rung of each operation for its shapes; im2col where NUMBA_DISABLE_JIT=1

Every rung of an operation takes the same arguments and returns the same results; tests hold each against the one
before. A rung that an operation doesn't have stands for the next one below.
"""
from functools import cache, partial

from .. import fast_layers as F
from .. import layer_utils as U
from .. import layers as L
from ..fast_layers import batchnorm as B
from ..fast_layers import conv
from ..fast_layers import norm as N
from ..fast_layers import pool as P
from ..fast_layers import sandwiches as S
from ..fast_layers.activations import relu_backward_fast, relu_forward_fast
from ..shapes import check

RUNGS = ("naive", "im2col", "fast", "winograd")


def compiled(forward, backward):
    """Return the compiled rungs of an operation that begins with a convolution."""
    return {rung: (partial(forward, rung=rung), backward) for rung in ("fast", "winograd", "auto")}


LADDER = {
    "affine": {"naive": (L.affine_forward_naive, L.affine_backward_naive),
               "im2col": (L.affine_forward, L.affine_backward),
               "fast": (F.affine_forward_fast, F.affine_backward_fast)},
    "relu": {"naive": (L.relu_forward_naive, L.relu_backward_naive),
             "im2col": (L.relu_forward, L.relu_backward),
             "fast": (relu_forward_fast, relu_backward_fast)},
    "conv": {"naive": (L.conv_forward_naive, L.conv_backward_naive),
             "im2col": (L.conv_forward_im2col, L.conv_backward_im2col),
             **compiled(conv.conv_forward, conv.conv_backward)},
    "max_pool": {"naive": (L.max_pool_forward_naive, L.max_pool_backward_naive),
                 "im2col": (L.max_pool_forward_im2col, L.max_pool_backward_im2col),
                 "fast": (P.max_pool_forward_fast, P.max_pool_backward_fast)},
    "avg_pool": {"naive": (L.avg_pool_forward_naive, L.avg_pool_backward_naive),
                 "im2col": (L.avg_pool_forward_im2col, L.avg_pool_backward_im2col),
                 "fast": (P.avg_pool_forward_fast, P.avg_pool_backward_fast)},
    "spatial_batchnorm": {"naive": (L.spatial_batchnorm_forward_naive, L.spatial_batchnorm_backward_naive),
                          "im2col": (L.spatial_batchnorm_forward, L.spatial_batchnorm_backward),
                          "fast": (N.spatial_batchnorm_forward_fast, N.spatial_batchnorm_backward_fast)},
    "spatial_groupnorm": {"naive": (L.spatial_groupnorm_forward_naive, L.spatial_groupnorm_backward_naive),
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
def functions(operation, rung):
    """Return (forward, backward) of an operation on a rung; raises ValueError naming the rungs that exist."""
    check(rung in (*RUNGS, "auto"), f"rung: got {rung!r}, expected 'auto' or one of {RUNGS}")
    rungs = LADDER[operation]
    if rung == "auto" and F.COMPILED:
        return rungs.get("auto") or rungs[max(rungs, key=RUNGS.index)]
    highest = "im2col" if rung == "auto" else rung
    return rungs[max((each for each in rungs if each in RUNGS[:RUNGS.index(highest) + 1]), key=RUNGS.index)]


def is_fused(rung):
    """Whether a sandwich on this rung runs as one operation: naive and im2col run its layers one by one."""
    return rung in ("fast", "winograd") or (rung == "auto" and F.COMPILED)
