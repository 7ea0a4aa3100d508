"""The book: the forward and backward pass of every layer, in NumPy alone. Read it in this order:

    affine          every output is a weighted sum of all inputs
    activations     ReLU and leaky ReLU
    im2col          the windows of an image as the rows of a matrix
    conv            convolution
    grouped         convolution within groups of channels
    padding         a border around images
    pool            max-pooling and average pooling
    averages        checks of the running averages of batch normalization
    batchnorm       batch normalization
    layernorm       layer and group normalization
    dropout         random zeros in training
    losses          softmax, support vector machines, distillation, L2 regularization
    initializers    the weights before the first step
    course_random   the random numbers of the course's notebooks

A layer is a pair of functions:

    out, cache = layer_forward(x, ...)      the cache holds what the backward pass needs
    dx, ... = layer_backward(dout, cache)   the chain rule

Gradients are those of the loss: dout is the derivative of the loss with respect to out and has the
shape of out; dx, dw and db are the derivatives with respect to x, w and b. Two rules give every
backward pass: the derivatives along a path multiply, and if a number is used several times, the
gradients of its uses add up.

In the derivations, names are those of variables in the code, d a / d b is the derivative of a with
respect to b, and (n == i) is 1 if n equals i, else 0.

A function whose name ends in _naive is the definition, in loops: easy to check, and slow. The other
functions compute the same with whole arrays. These are the lower rungs of a ladder; the upper ones,
faster or compiled, are in fast_layers/, and nets/ladder.py lists the rungs available to networks.

Images have the shape (N, C, H, W): N images of C channels, H pixels high and W pixels wide. Filters
have the shape (F, C, HH, WW). Layers take float32 or float64 (shapes.py states the rule) and never
write to their inputs. A cache may hold arguments and the output themselves rather than copies, so
neither may be changed before the backward pass.

To add a layer:

1. Write its functions, _naive first, and add their names to `__all__` there and here.
2. For every rung, add a row to CASES in gradient_check/cases.py, which compares its gradient with a
   numerical one. In tests/, add a row to RUNGS in layers/test_layers.py (each rung against the one
   below it), OTHERS in test_hostile_arrays.py (unusual memory layouts and dtypes), and ORACLE in
   test_oracle.py (PyTorch), which every layer in CASES needs.
3. For networks, add a record to nets/records.py and a row to CASES in tests/nets/test_records.py.
   The docstring of fast_layers/ explains how to add a compiled rung.

To add a loss: follow steps 1 and 2, but in tests/, add rows to LOSSES in layers/test_losses.py,
LOSSES in test_hostile_arrays.py, and ORACLE. A network accepts any such loss:
Network(..., loss=...).
"""
from .activations import (
    leaky_relu_backward,
    leaky_relu_backward_naive,
    leaky_relu_forward,
    leaky_relu_forward_naive,
    relu_backward,
    relu_backward_naive,
    relu_forward,
    relu_forward_naive,
)
from .affine import affine_backward, affine_backward_naive, affine_forward, affine_forward_naive
from .batchnorm import (
    batchnorm_backward,
    batchnorm_backward_alt,
    batchnorm_backward_naive,
    batchnorm_forward,
    batchnorm_forward_naive,
    spatial_batchnorm_backward,
    spatial_batchnorm_backward_naive,
    spatial_batchnorm_forward,
    spatial_batchnorm_forward_naive,
)
from .conv import conv_backward_im2col, conv_backward_naive, conv_forward_im2col, conv_forward_naive
from .dropout import (
    dropout_backward,
    dropout_backward_naive,
    dropout_forward,
    dropout_forward_naive,
)
from .grouped import (
    grouped_conv_backward_im2col,
    grouped_conv_backward_naive,
    grouped_conv_forward_im2col,
    grouped_conv_forward_naive,
)
from .im2col import col2im, im2col
from .initializers import he_normal, scaled_normal, xavier_normal
from .layernorm import (
    layernorm_backward,
    layernorm_backward_naive,
    layernorm_forward,
    layernorm_forward_naive,
    spatial_groupnorm_backward,
    spatial_groupnorm_backward_naive,
    spatial_groupnorm_forward,
    spatial_groupnorm_forward_naive,
)
from .losses import (
    distillation_loss,
    distillation_loss_naive,
    l2_loss,
    l2_svm_loss,
    l2_svm_loss_naive,
    smoothed_softmax_loss,
    softmax_loss,
    softmax_loss_naive,
    svm_loss,
    svm_loss_naive,
)
from .padding import pad_backward, pad_backward_naive, pad_forward, pad_forward_naive
from .pool import (
    avg_pool_backward_im2col,
    avg_pool_backward_naive,
    avg_pool_forward_im2col,
    avg_pool_forward_naive,
    global_avg_pool_backward,
    global_avg_pool_forward,
    max_pool_backward_im2col,
    max_pool_backward_naive,
    max_pool_backward_reshape,
    max_pool_forward_im2col,
    max_pool_forward_naive,
    max_pool_forward_reshape,
)

__all__ = [
    "affine_forward_naive", "affine_backward_naive",
    "affine_forward", "affine_backward",
    "relu_forward_naive", "relu_backward_naive",
    "relu_forward", "relu_backward",
    "leaky_relu_forward_naive", "leaky_relu_backward_naive",
    "leaky_relu_forward", "leaky_relu_backward",
    "im2col", "col2im",
    "conv_forward_naive", "conv_backward_naive",
    "conv_forward_im2col", "conv_backward_im2col",
    "grouped_conv_forward_naive", "grouped_conv_backward_naive",
    "grouped_conv_forward_im2col", "grouped_conv_backward_im2col",
    "pad_forward_naive", "pad_backward_naive", "pad_forward", "pad_backward",
    "max_pool_forward_naive", "max_pool_backward_naive",
    "max_pool_forward_im2col", "max_pool_backward_im2col",
    "max_pool_forward_reshape", "max_pool_backward_reshape",
    "avg_pool_forward_naive", "avg_pool_backward_naive",
    "avg_pool_forward_im2col", "avg_pool_backward_im2col",
    "global_avg_pool_forward", "global_avg_pool_backward",
    "batchnorm_forward_naive", "batchnorm_backward_naive",
    "batchnorm_forward", "batchnorm_backward", "batchnorm_backward_alt",
    "spatial_batchnorm_forward_naive", "spatial_batchnorm_backward_naive",
    "spatial_batchnorm_forward", "spatial_batchnorm_backward",
    "layernorm_forward_naive", "layernorm_backward_naive",
    "layernorm_forward", "layernorm_backward",
    "spatial_groupnorm_forward_naive", "spatial_groupnorm_backward_naive",
    "spatial_groupnorm_forward", "spatial_groupnorm_backward",
    "dropout_forward_naive", "dropout_backward_naive",
    "dropout_forward", "dropout_backward",
    "softmax_loss_naive", "softmax_loss",
    "svm_loss_naive", "svm_loss",
    "l2_svm_loss_naive", "l2_svm_loss",
    "distillation_loss_naive", "distillation_loss",
    "smoothed_softmax_loss", "l2_loss",
    "he_normal", "xavier_normal", "scaled_normal",
]
