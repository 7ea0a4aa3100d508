"""The book: every layer's forward and backward pass, in NumPy; read the files in the order below."""
# Exports only, in the reading order.
# ruff: noqa: F401, I001
from .affine import affine_backward, affine_backward_naive, affine_forward, affine_forward_naive
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
from .im2col import col2im, im2col
from .conv import conv_backward_im2col, conv_backward_naive, conv_forward_im2col, conv_forward_naive
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
from .dropout import dropout_backward, dropout_backward_naive, dropout_forward, dropout_forward_naive
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
from .initializers import he_normal, scaled_normal, xavier_normal
