"""The compiled layers: the contract of layers/, computed by kernels/. The course's notebooks import
their fast functions from here.

A module is named after the one in layers/ that defines its functions: layers/conv,
fast_layers/conv and kernels/conv are three levels of one ladder. A function here checks shapes,
takes memory from the arena, calls a kernel and packs the cache. "Rung" is the word for one way to
compute an operation; see nets/ladder.py.

    conv, grouped, affine, pool, norm, activations, losses
                 single layers
    im2col       the im2col rung of networks: NumPy, and what makes it fast
    sandwiches   conv - ReLU [- max-pool], fused
    batchnorm    conv - batchnorm - ReLU [- max-pool], fused
    plans        how a convolution of one size is computed
    passes       the forward and the backward pass of a planned convolution
    channels     batchnorm's numbers for each channel, and its passes over all pixels
    windows      batchnorm's moments below a one-channel image, from its windows
    gradients    the gradients of all parameters in one array, with L2 regularization
    engine       the vectors, the threads and the folder of compiled kernels, for reports
    copies       what depends on this processor when a cache is copied to another process
    engine       the vectors, the threads and the folder of compiled kernels, for `info`
    compile_ahead
                 what a second process compiles while this one starts

A fused pass enters these files one after the other and never comes back to one that it has left
(pool only says whether windows are 2 x 2; kernels that a file calls are in parentheses):

    conv_relu_pool_forward       sandwiches - pool - plans - passes (conv)
    conv_relu_pool_backward      sandwiches - passes (conv)
    conv_bn_relu_pool_forward
      training mode              batchnorm - pool - plans - passes (conv) - channels (batchnorm)
      test mode                  batchnorm - pool - plans - sandwiches - passes (conv)
      below a one-channel image  batchnorm - pool - plans - windows (patches) - sandwiches
                                 - passes (conv) - channels (batchnorm)
    conv_bn_relu_pool_backward
      training mode              batchnorm - channels (batchnorm) - passes (conv)
      else                       batchnorm - sandwiches - passes (conv)

To add a compiled rung to an operation of nets/ladder.py: write its kernel in kernels/, put its
forward and its backward function into the module of its name here, and enter them in LADDER. The
gradient checks and tests/test_hostile_arrays.py take their rungs from LADDER. If a function leaves
small arrays to NumPy, as ReLU does, its gradient check needs large ones: fast=D.draw_large in
gradient_check/cases.py.

An operation that is not in LADDER yet is defined in layers/ first, and enters LADDER with all its
rungs. Its record in nets/records.py then has a field `rung` and calls functions(name, self.rung),
its cases in gradient_check/cases.py become on_the_ladder(name, ...), and it gets a row of ROWS in
tests/test_hostile_arrays.py. ARGUMENTS in experiments/bench/peers/ladder_rung.py lets
experiments/bench/ladder.py time it. A loss needs no rung: a network takes it as it is.
"""
from ..kernels.vectors.jit import DISABLED
from ..kernels.vectors.machine import set_threads, threads
from ..layers.pool import (
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
from .im2col import conv_backward_im2col, conv_forward_im2col
from .pool import max_pool_backward_fast, max_pool_forward_fast

# The course's version with strides: a view of the windows and a matrix product, as im2col here.
conv_forward_strides = conv_forward_im2col
conv_backward_strides = conv_backward_im2col

COMPILED = not DISABLED  # without the compiler kernels run as Python functions, for debugging

__all__ = [
    "affine_backward_fast",
    "affine_forward_fast",
    "conv_backward_fast",
    "conv_backward_im2col",
    "conv_backward_strides",
    "conv_backward_winograd",
    "conv_forward_fast",
    "conv_forward_im2col",
    "conv_forward_strides",
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
