"""The table of gradient checks: every layer on every rung, and the kind of function it computes.

A row names a pair (forward, backward) and a function of draws that generates its arguments. The
functions at the top give losses and networks the interface of a layer.
"""
from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np

from .. import layer_utils as U
from .. import layers as L
from ..classifiers import FinalConvNet, FullyConnectedNet, ThreeLayerConvNet
from ..fast_layers.losses import softmax_loss_fast
from ..nets.ladder import LADDER, functions
from ..nets.network import Network
from ..types import Array, Cache, Labels
from . import draws as D
from . import kinked_draws as K
from .verdicts import Case

__all__ = ["CASES"]


def network_forward(params: Array, model: Network, X: Array, y: Labels) -> tuple[float, Array]:
    """Return the loss for parameters given as one vector; the cache is the gradient."""
    start = 0
    for name, array in model.params.items():
        model.params[name] = params[start:start + array.size].reshape(array.shape)
        start += array.size
    loss, grads = model.loss(X, y)
    return loss, np.concatenate([grads[name].ravel() for name in model.params])


def loss_backward(dloss: Array, dx: Array) -> Array:
    """Return dloss * dx; the cache of a loss is dx, which the loss returns with its value."""
    return dloss * dx


def scores_forward(X: Array, model: Network) -> tuple[Array, Cache]:
    """Return the test-time scores of images, the function that saliency maps differentiate."""
    scores, cache = model.forward(X)
    return scores, (model, cache)


def scores_backward(dscores: Array, cache: Cache) -> Array:
    """Return the gradient with respect to the images."""
    model, layer_cache = cache
    dX: Array = model.backward(dscores, layer_cache)[0]
    return dX


def on_the_ladder(operation: str, kind: str, draw: D.Draw, **draw_of_rung: D.Draw
                  ) -> tuple[Case, ...]:
    """Return a case for every rung of an operation in nets.ladder.

    draw_of_rung   draws for the rungs that need other problems than `draw` generates
    """
    rungs = [rung for rung in LADDER[operation] if rung != "auto"]
    return tuple(Case(operation, rung, kind, draw_of_rung.get(rung, draw),
                      *functions(operation, rung)) for rung in rungs)


def fused(operation: str, *names: str) -> tuple[Case, ...]:
    """Return the cases of a fused sandwich; names say whether it contains "bn" and "pool"."""
    winograd = K.draw_sandwich(*names, conv=D.draw_conv_3x3)
    return on_the_ladder(operation, "kinked", K.draw_sandwich(*names), winograd=winograd)


def of_loss(model: Callable[..., Network], layer: str) -> Case:
    """Return the case of a network's loss as a function of all its parameters."""
    return Case(layer, "loss", "kinked", K.draw_network(model), network_forward, loss_backward)


def of_scores(model: Callable[..., Network], layer: str) -> Case:
    """Return the case of a network's scores as a function of the images."""
    return Case(layer, "scores", "kinked", K.draw_picture(model), scores_forward, scores_backward)


DROP = {"p": 0.6, "mode": "train", "seed": 3}
MINI = partial(FinalConvNet, input_dim=(1, 16, 16), num_filters=(2, 3, 4, 5), hidden_dim=6, reg=0.1)
MINI_BN = partial(MINI, batchnorm=True)
BASELINE = partial(ThreeLayerConvNet, input_dim=(1, 8, 6), num_filters=3, filter_size=5,
                   hidden_dim=6, num_classes=7, weight_scale=None, reg=0.1)
DENSE = partial(FullyConnectedNet, hidden_dims=[6, 5], input_dim=8, num_classes=7, weight_scale=0.5,
                reg=0.1)
TEST_MODE = D.draw_test_mode(D.draw_vector_norm)
SVM = D.draw_spaced_scores(2 / 15)    # margins x_j - x_y + 1 are 0 halfway between two multiples
L2_SVM = D.draw_spaced_scores(1 / 8)  # 1 - x and 1 + x are 0 halfway between two scores

CASES = (
    *on_the_ladder("affine", "linear", D.draw_affine),
    *on_the_ladder("conv", "linear", D.draw_conv, winograd=D.draw_conv_3x3),
    Case("conv", "numpy", "linear", D.draw_conv, L.conv_forward_im2col, L.conv_backward_im2col),
    *on_the_ladder("grouped_conv", "linear", D.draw_grouped_conv),
    Case("pad", "naive", "linear", D.draw_pad, L.pad_forward_naive, L.pad_backward_naive),
    Case("pad", "numpy", "linear", D.draw_pad, L.pad_forward, L.pad_backward),
    *on_the_ladder("avg_pool", "linear", D.draw_pool),
    Case("global_avg_pool", "numpy", "linear", D.draw_images,
         L.global_avg_pool_forward, L.global_avg_pool_backward),
    Case("dropout, fixed mask", "naive", "linear", D.draw_spaced(DROP),
         L.dropout_forward_naive, L.dropout_backward_naive),
    Case("dropout, fixed mask", "numpy", "linear", D.draw_spaced(DROP),
         L.dropout_forward, L.dropout_backward),
    Case("batchnorm, test mode", "naive", "linear", TEST_MODE,
         L.batchnorm_forward_naive, L.batchnorm_backward_naive),
    Case("batchnorm, test mode", "graph", "linear", TEST_MODE,
         L.batchnorm_forward, L.batchnorm_backward),
    Case("batchnorm, test mode", "alt", "linear", TEST_MODE,
         L.batchnorm_forward, L.batchnorm_backward_alt),

    *on_the_ladder("relu", "piecewise", D.draw_spaced(), fast=D.draw_large),
    Case("leaky_relu", "naive", "piecewise", D.draw_spaced(0.1),
         L.leaky_relu_forward_naive, L.leaky_relu_backward_naive),
    Case("leaky_relu", "numpy", "piecewise", D.draw_spaced(0.1),
         L.leaky_relu_forward, L.leaky_relu_backward),
    *on_the_ladder("max_pool", "piecewise", D.draw_pool),
    Case("max_pool", "reshape", "piecewise", D.draw_tiling_pool,
         L.max_pool_forward_reshape, L.max_pool_backward_reshape),
    Case("svm_loss", "naive", "piecewise", SVM, L.svm_loss_naive, loss_backward),
    Case("svm_loss", "numpy", "piecewise", SVM, L.svm_loss, loss_backward),

    Case("batchnorm", "naive", "smooth", D.draw_vector_norm,
         L.batchnorm_forward_naive, L.batchnorm_backward_naive),
    Case("batchnorm", "graph", "smooth", D.draw_vector_norm,
         L.batchnorm_forward, L.batchnorm_backward),
    Case("batchnorm", "alt", "smooth", D.draw_vector_norm,
         L.batchnorm_forward, L.batchnorm_backward_alt),
    *on_the_ladder("spatial_batchnorm", "smooth", D.draw_image_norm),
    Case("layernorm", "naive", "smooth", D.draw_layernorm,
         L.layernorm_forward_naive, L.layernorm_backward_naive),
    Case("layernorm", "numpy", "smooth", D.draw_layernorm,
         L.layernorm_forward, L.layernorm_backward),
    *on_the_ladder("spatial_groupnorm", "smooth", D.draw_groupnorm),
    Case("softmax_loss", "naive", "smooth", D.draw_scores, L.softmax_loss_naive, loss_backward),
    Case("softmax_loss", "numpy", "smooth", D.draw_scores, L.softmax_loss, loss_backward),
    Case("softmax_loss", "fast", "smooth", D.draw_scores, softmax_loss_fast, loss_backward),
    Case("softmax_loss, class weights", "naive", "smooth", D.draw_weighted_scores,
         L.softmax_loss_naive, loss_backward),
    Case("softmax_loss, class weights", "numpy", "smooth", D.draw_weighted_scores,
         L.softmax_loss, loss_backward),
    Case("softmax_loss, class weights", "fast", "smooth", D.draw_weighted_scores,
         softmax_loss_fast, loss_backward),
    Case("l2_svm_loss", "naive", "smooth", L2_SVM, L.l2_svm_loss_naive, loss_backward),
    Case("l2_svm_loss", "numpy", "smooth", L2_SVM, L.l2_svm_loss, loss_backward),
    Case("distillation_loss", "naive", "smooth", D.draw_distillation,
         L.distillation_loss_naive, loss_backward),
    Case("distillation_loss", "numpy", "smooth", D.draw_distillation,
         L.distillation_loss, loss_backward),
    Case("smoothed_softmax_loss", "numpy", "smooth", D.draw_scores,
         L.smoothed_softmax_loss, loss_backward),
    Case("l2_loss", "numpy", "smooth", D.draw_spaced(0.3), L.l2_loss, loss_backward),

    Case("affine_relu", "numpy", "kinked", D.draw_affine,
         U.affine_relu_forward, U.affine_relu_backward),
    *fused("conv_relu"),
    *fused("conv_bn_relu", "bn"),
    *fused("conv_relu_pool", "pool"),
    *fused("conv_bn_relu_pool", "bn", "pool"),

    of_loss(MINI, "FinalConvNet"),
    of_loss(MINI_BN, "FinalConvNet, batchnorm"),
    of_loss(partial(MINI, rung="naive"), "FinalConvNet, naive"),
    of_loss(FinalConvNet, "FinalConvNet, 48 x 48"),
    of_loss(BASELINE, "ThreeLayerConvNet"),
    of_loss(DENSE, "FullyConnectedNet"),
    of_loss(partial(DENSE, normalization="batchnorm"), "FullyConnectedNet, batchnorm"),
    of_loss(partial(DENSE, normalization="layernorm"), "FullyConnectedNet, layernorm"),
    of_loss(partial(DENSE, dropout_keep_ratio=0.7), "FullyConnectedNet, dropout"),
    of_scores(MINI, "FinalConvNet"),
    of_scores(MINI_BN, "FinalConvNet, batchnorm"),
    of_scores(BASELINE, "ThreeLayerConvNet"),
)
