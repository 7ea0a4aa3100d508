"""The compiled layers: the contract of layers/ over kernels/. The course's notebooks import from here.

A module has the name of the one in layers/ that defines its layers: layers/conv, fast_layers/conv
and kernels/conv are three steps of one ladder. It checks shapes, takes memory from the arena, calls
a kernel and packs the cache.

    plans, passes      how a convolution of one size is computed, and its two passes with whatever follows it
    conv, affine, pool, norm, activations, losses
                       layers by themselves
    sandwiches, batchnorm
                       layers that are fused
    gradients          the gradients of all parameters in one array, with L2 regularisation
    compile_ahead      what a second process compiles while this one begins

To add a layer: define it in layers/, write its kernel, put its forward and backward function into
the module of its name here, and enter them in nets/ladder.py and gradient_check/cases.py. A loss
needs no rung: a network takes it as it is.
"""
from ..kernels.vectors.jit import DISABLED
from ..kernels.vectors.machine import set_threads, threads
from ..layers import (
    conv_backward_im2col,
    conv_forward_im2col,
    max_pool_backward_im2col,
    max_pool_backward_reshape,
    max_pool_forward_im2col,
    max_pool_forward_reshape,
)
from .affine import affine_backward_fast, affine_forward_fast
from .conv import (
    conv_backward_fast,
    conv_backward_winograd,
    conv_forward_fast,
    conv_forward_winograd,
)
from .pool import max_pool_backward_fast, max_pool_forward_fast

__all__ = [
    "affine_backward_fast",
    "affine_forward_fast",
    "conv_backward_fast",
    "conv_backward_im2col",
    "conv_backward_winograd",
    "conv_forward_fast",
    "conv_forward_im2col",
    "conv_forward_winograd",
    "max_pool_backward_fast",
    "max_pool_backward_im2col",
    "max_pool_backward_reshape",
    "max_pool_forward_fast",
    "max_pool_forward_im2col",
    "max_pool_forward_reshape",
    "set_threads",
    "threads",
]

COMPILED = not DISABLED  # without the compiler kernels are Python functions, for debugging
