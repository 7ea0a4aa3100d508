"""The course's fast_layers: the functions that its notebooks import from here.

conv_*_fast and max_pool_*_fast name the fastest rung of the ladder, which is im2col until there are compiled ones.
"""
from .layers import (
    conv_backward_im2col,
    conv_forward_im2col,
    max_pool_backward_im2col,
    max_pool_backward_reshape,
    max_pool_forward_im2col,
    max_pool_forward_reshape,
)

conv_forward_fast, conv_backward_fast = conv_forward_im2col, conv_backward_im2col
max_pool_forward_fast, max_pool_backward_fast = max_pool_forward_im2col, max_pool_backward_im2col

__all__ = ["conv_backward_fast", "conv_backward_im2col", "conv_forward_fast", "conv_forward_im2col",
           "max_pool_backward_fast", "max_pool_backward_im2col", "max_pool_backward_reshape", "max_pool_forward_fast",
           "max_pool_forward_im2col", "max_pool_forward_reshape"]
