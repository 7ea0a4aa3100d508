"""The table of gradient checks: every layer and rung, and what kind of function it is.

Each row names a pair (forward, backward) and a function of draws. check_case draws one problem, writes it
into arrays of random memory layout that are write-protected, and returns two errors:

    float64   the analytic gradient against numerical ones, see gradient_check
    float32   the analytic gradient against the analytic one in float64, of the same inputs; of layers, not of networks
"""
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np

from .. import fast_layers as F
from .. import layer_utils as U
from .. import layers as L
from ..classifiers import FinalConvNet, FullyConnectedNet, ThreeLayerConvNet
from ..fast_layers import batchnorm as B
from ..fast_layers import norm as N
from ..fast_layers import pool as P
from ..fast_layers import sandwiches as S
from ..fast_layers.activations import relu_backward_fast, relu_forward_fast
from ..fast_layers.losses import softmax_loss_fast
from . import draws as D
from .checks import check_gradient, gradient_error

# The largest error allowed in float64, by kind.
LIMITS = {"linear": 1e-11, "piecewise": 1e-11, "smooth": 1e-8, "kinked": 1e-6}
# In float32: eps * sqrt(reduction length) * this; smooth ones divide by a standard deviation or add up exponentials.
FLOAT32_FACTOR = {"linear": 4, "piecewise": 4, "smooth": 16, "kinked": 16}
WINOGRAD_FACTOR = 16  # its transforms multiply by up to 8 and cancel: ten times the rounding of a direct convolution


@dataclass(frozen=True)
class Case:
    """One row of the table: forward(*arguments, *rest) -> (out, cache), backward(dout, cache) -> gradients."""
    layer: str
    rung: str
    kind: str
    draw: Callable
    forward: Callable
    backward: Callable

    @property
    def is_network(self):
        """Whether it is a whole network: where a maximum nearly ties, rounding rightly changes its gradient."""
        return self.rung in ("loss", "scores")

    @property
    def name(self):
        """Layer and rung, for tables and test names."""
        return f"{self.layer} {self.rung}"


def network_forward(params, model, X, y):
    """Loss of a network as a function of the vector of its parameters; its gradient, as one vector, is the cache."""
    start = 0
    for name, array in model.params.items():
        model.params[name] = params[start:start + array.size].reshape(array.shape)
        start += array.size
    loss, grads = model.loss(X, y)
    return loss, np.concatenate([grads[name].ravel() for name in model.params])


def loss_backward(dloss, dx):
    """A loss returns its gradient beside its value: that is the cache."""
    return dloss * dx


def scores_forward(X, model):
    """Test-time scores of a network as a function of its pictures, as saliency maps differentiate them."""
    scores, cache = model.forward(X)
    return scores, (model, cache)


def scores_backward(dscores, cache):
    """Gradient of the scores with respect to the pictures."""
    model, layer_cache = cache
    return model.backward(dscores, layer_cache)[0]


def analytic_gradients(case, arguments, rest, dout):
    """Return the gradients as a tuple, one for each argument."""
    gradients = case.backward(dout, case.forward(*arguments, *rest)[1])
    return gradients if isinstance(gradients, tuple) else (gradients,)


def protected(arrays, styles, dtype):
    """Return copies of the arrays in dtype, laid out by styles and write-protected."""
    copies = [D.LAYOUTS[style](array.astype(dtype)) for array, style in zip(arrays, styles, strict=True)]
    for copy in copies:
        copy.setflags(write=False)
    return copies


def in_dtype(value, dtype):
    """Return an argument that isn't differentiated in dtype: float arrays, also those in a dict, are converted."""
    if isinstance(value, dict):
        return {key: in_dtype(each, dtype) for key, each in value.items()}
    return value.astype(dtype) if isinstance(value, np.ndarray) and value.dtype.kind == "f" else value


def check_case(case, rng, most=40):
    """Draw one problem of a case; return a dict dtype name -> (largest error, limit), see the top of this file.

    most    at most so many coordinates of each argument are checked numerically
    Returns also the set of what is odd about its shapes and the memory of its first argument.
    """
    arguments, rest = case.draw(rng)
    # float32 values in both dtypes, so that the inputs are the same.
    arrays = [array.astype(np.float32) for array in arguments.values()]
    styles = rng.choice(sorted(D.LAYOUTS), len(arrays) + 1)
    single = [in_dtype(value, np.float32) for value in rest]
    double = [in_dtype(value, np.float64) for value in single]
    wide = protected(arrays, styles[1:], np.float64)
    dout = np.asarray(rng.normal(size=np.shape(case.forward(*wide, *double)[0])), dtype=np.float32)
    wide_dout, = protected([dout], styles[:1], np.float64)
    gradients = analytic_gradients(case, wide, double, wide_dout)

    def as_function_of(i):
        return lambda x: case.forward(*wide[:i], x, *wide[i + 1:], *double)[0]
    errors = [check_gradient(as_function_of(i), wide[i], wide_dout, gradients[i], case.kind, rng, most)
              for i in range(len(wide))]
    # np.max, because max drops a NaN that is not in front.
    results = {"float64": (float(np.max(errors)), LIMITS[case.kind])}
    if not case.is_network:
        narrow_dout, = protected([dout], styles[:1], np.float32)
        narrow = analytic_gradients(case, protected(arrays, styles[1:], np.float32), single, narrow_dout)
        # A sum of many dout can cancel, its rounding cannot: the error is measured against dout at least.
        size = float(np.max(np.abs(dout)))
        errors = [gradient_error(a, b, size) if a.dtype == np.float32 else np.inf
                  for a, b in zip(narrow, gradients, strict=True)]
        length = max(array.size for array in [dout, *arrays])
        limit = np.finfo(np.float32).eps * np.sqrt(length) * FLOAT32_FACTOR[case.kind]
        limit *= WINOGRAD_FACTOR if case.rung == "winograd" else 1
        results["float32"] = (float(np.max(errors)), float(limit))
    return results, D.oddities(arguments, rest) | {str(styles[1])}


def largest_errors(case, shapes, seed, most=40):
    """Check a case on several random problems; return a dict dtype -> (error, limit, passed) of the worst problem.

    Returns also how many of the problems were odd in each way. The worst is the one whose error is the largest part of
    its limit: in float32 that depends on the shape. Each case has its own random stream, so that a row checked alone
    gives the same numbers.
    """
    rng = np.random.default_rng([seed, *case.name.encode()])
    checked, odd = zip(*(check_case(case, rng, most) for _ in range(shapes)), strict=True)
    worst = {}
    for dtype in checked[0]:
        # argmax finds a NaN first, and `error <= limit` fails it.
        error, limit = checked[np.argmax([result[dtype][0] / result[dtype][1] for result in checked])][dtype]
        worst[dtype] = error, limit, error <= limit
    return worst, dict(sorted(Counter(name for names in odd for name in names).items()))


def fused_cases(layer, names, forward, backward):
    """A fused sandwich on both of its rungs."""
    return (Case(layer, "fast", "kinked", D.draw_sandwich(*names), partial(forward, rung="fast"), backward),
            Case(layer, "winograd", "kinked", D.draw_sandwich(*names, conv=D.draw_conv_3x3),
                 partial(forward, rung="winograd"), backward))


DROP = {"p": 0.6, "mode": "train", "seed": 3}
MINI = partial(FinalConvNet, input_dim=(1, 16, 16), num_filters=(2, 3, 4, 5), hidden_dim=6, reg=0.1)
MINI_BN = partial(MINI, batchnorm=True)
BASELINE = partial(ThreeLayerConvNet, input_dim=(1, 8, 6), num_filters=3, filter_size=5, hidden_dim=6, num_classes=7,
                weight_scale=None, reg=0.1)
DENSE = partial(FullyConnectedNet, hidden_dims=[6, 5], input_dim=8, num_classes=7, weight_scale=0.5, reg=0.1)

CASES = (
    Case("affine", "naive", "linear", D.draw_affine, L.affine_forward_naive, L.affine_backward_naive),
    Case("affine", "numpy", "linear", D.draw_affine, L.affine_forward, L.affine_backward),
    Case("conv", "naive", "linear", D.draw_conv, L.conv_forward_naive, L.conv_backward_naive),
    Case("conv", "im2col", "linear", D.draw_conv, L.conv_forward_im2col, L.conv_backward_im2col),
    Case("affine", "fast", "linear", D.draw_affine, F.affine_forward_fast, F.affine_backward_fast),
    Case("conv", "fast", "linear", D.draw_conv, F.conv_forward_fast, F.conv_backward_fast),
    Case("conv", "winograd", "linear", D.draw_conv_3x3, F.conv_forward_winograd, F.conv_backward_winograd),
    Case("avg_pool", "naive", "linear", D.draw_pool, L.avg_pool_forward_naive, L.avg_pool_backward_naive),
    Case("avg_pool", "im2col", "linear", D.draw_pool, L.avg_pool_forward_im2col, L.avg_pool_backward_im2col),
    Case("avg_pool", "fast", "linear", D.draw_pool, P.avg_pool_forward_fast, P.avg_pool_backward_fast),
    Case("global_avg_pool", "numpy", "linear", D.draw_images,
         L.global_avg_pool_forward, L.global_avg_pool_backward),
    Case("dropout, fixed mask", "naive", "linear", D.draw_spaced(DROP),
         L.dropout_forward_naive, L.dropout_backward_naive),
    Case("dropout, fixed mask", "numpy", "linear", D.draw_spaced(DROP),
         L.dropout_forward, L.dropout_backward),
    Case("batchnorm, test mode", "naive", "linear", D.draw_test_mode(D.draw_vector_norm),
         L.batchnorm_forward_naive, L.batchnorm_backward_naive),
    Case("batchnorm, test mode", "graph", "linear", D.draw_test_mode(D.draw_vector_norm),
         L.batchnorm_forward, L.batchnorm_backward),
    Case("batchnorm, test mode", "alt", "linear", D.draw_test_mode(D.draw_vector_norm),
         L.batchnorm_forward, L.batchnorm_backward_alt),

    Case("relu", "naive", "piecewise", D.draw_spaced(), L.relu_forward_naive, L.relu_backward_naive),
    Case("relu", "numpy", "piecewise", D.draw_spaced(), L.relu_forward, L.relu_backward),
    Case("relu", "fast", "piecewise", D.draw_large, relu_forward_fast, relu_backward_fast),
    Case("leaky_relu", "naive", "piecewise", D.draw_spaced(0.1),
         L.leaky_relu_forward_naive, L.leaky_relu_backward_naive),
    Case("leaky_relu", "numpy", "piecewise", D.draw_spaced(0.1), L.leaky_relu_forward, L.leaky_relu_backward),
    Case("max_pool", "naive", "piecewise", D.draw_pool, L.max_pool_forward_naive, L.max_pool_backward_naive),
    Case("max_pool", "im2col", "piecewise", D.draw_pool,
         L.max_pool_forward_im2col, L.max_pool_backward_im2col),
    Case("max_pool", "fast", "piecewise", D.draw_pool, P.max_pool_forward_fast, P.max_pool_backward_fast),
    Case("max_pool", "reshape", "piecewise", D.draw_tiling_pool,
         L.max_pool_forward_reshape, L.max_pool_backward_reshape),
    # Margins x_j - x_y + 1 are 0 halfway between two multiples of 2/15; 1 - x and 1 + x halfway between two scores.
    Case("svm_loss", "naive", "piecewise", D.draw_spaced_scores(2 / 15), L.svm_loss_naive, loss_backward),
    Case("svm_loss", "numpy", "piecewise", D.draw_spaced_scores(2 / 15), L.svm_loss, loss_backward),

    Case("batchnorm", "naive", "smooth", D.draw_vector_norm,
         L.batchnorm_forward_naive, L.batchnorm_backward_naive),
    Case("batchnorm", "graph", "smooth", D.draw_vector_norm, L.batchnorm_forward, L.batchnorm_backward),
    Case("batchnorm", "alt", "smooth", D.draw_vector_norm, L.batchnorm_forward, L.batchnorm_backward_alt),
    Case("spatial_batchnorm", "naive", "smooth", D.draw_image_norm,
         L.spatial_batchnorm_forward_naive, L.spatial_batchnorm_backward_naive),
    Case("spatial_batchnorm", "numpy", "smooth", D.draw_image_norm,
         L.spatial_batchnorm_forward, L.spatial_batchnorm_backward),
    Case("spatial_batchnorm", "fast", "smooth", D.draw_image_norm,
         N.spatial_batchnorm_forward_fast, N.spatial_batchnorm_backward_fast),
    Case("layernorm", "naive", "smooth", D.draw_layernorm,
         L.layernorm_forward_naive, L.layernorm_backward_naive),
    Case("layernorm", "numpy", "smooth", D.draw_layernorm, L.layernorm_forward, L.layernorm_backward),
    Case("spatial_groupnorm", "naive", "smooth", D.draw_groupnorm,
         L.spatial_groupnorm_forward_naive, L.spatial_groupnorm_backward_naive),
    Case("spatial_groupnorm", "numpy", "smooth", D.draw_groupnorm,
         L.spatial_groupnorm_forward, L.spatial_groupnorm_backward),
    Case("spatial_groupnorm", "fast", "smooth", D.draw_groupnorm,
         N.spatial_groupnorm_forward_fast, N.spatial_groupnorm_backward_fast),
    Case("softmax_loss", "naive", "smooth", D.draw_scores, L.softmax_loss_naive, loss_backward),
    Case("softmax_loss", "numpy", "smooth", D.draw_scores, L.softmax_loss, loss_backward),
    Case("softmax_loss", "fast", "smooth", D.draw_scores, softmax_loss_fast, loss_backward),
    Case("softmax_loss, class weights", "naive", "smooth", D.draw_weighted_scores,
         L.softmax_loss_naive, loss_backward),
    Case("softmax_loss, class weights", "numpy", "smooth", D.draw_weighted_scores, L.softmax_loss, loss_backward),
    Case("softmax_loss, class weights", "fast", "smooth", D.draw_weighted_scores, softmax_loss_fast, loss_backward),
    Case("l2_svm_loss", "naive", "smooth", D.draw_spaced_scores(1 / 8), L.l2_svm_loss_naive, loss_backward),
    Case("l2_svm_loss", "numpy", "smooth", D.draw_spaced_scores(1 / 8), L.l2_svm_loss, loss_backward),
    Case("distillation_loss", "naive", "smooth", D.draw_distillation, L.distillation_loss_naive, loss_backward),
    Case("distillation_loss", "numpy", "smooth", D.draw_distillation, L.distillation_loss, loss_backward),
    Case("smoothed_softmax_loss", "numpy", "smooth", D.draw_scores, L.smoothed_softmax_loss, loss_backward),
    Case("l2_loss", "numpy", "smooth", D.draw_spaced(0.3), L.l2_loss, loss_backward),

    Case("affine_relu", "sandwich", "kinked", D.draw_affine, U.affine_relu_forward, U.affine_relu_backward),
    Case("conv_relu", "sandwich", "kinked", D.draw_sandwich(), U.conv_relu_forward, U.conv_relu_backward),
    Case("conv_bn_relu", "sandwich", "kinked", D.draw_sandwich("bn"),
         U.conv_bn_relu_forward, U.conv_bn_relu_backward),
    Case("conv_relu_pool", "sandwich", "kinked", D.draw_sandwich("pool"),
         U.conv_relu_pool_forward, U.conv_relu_pool_backward),
    Case("conv_bn_relu_pool", "sandwich", "kinked", D.draw_sandwich("bn", "pool"),
         U.conv_bn_relu_pool_forward, U.conv_bn_relu_pool_backward),

    *fused_cases("conv_relu", (), S.conv_relu_forward, S.conv_relu_backward),
    *fused_cases("conv_bn_relu", ("bn",), B.conv_bn_relu_forward, B.conv_bn_relu_backward),
    *fused_cases("conv_relu_pool", ("pool",), S.conv_relu_pool_forward, S.conv_relu_pool_backward),
    *fused_cases("conv_bn_relu_pool", ("bn", "pool"), B.conv_bn_relu_pool_forward, B.conv_bn_relu_pool_backward),

    Case("FinalConvNet", "loss", "kinked", D.draw_network(MINI), network_forward, loss_backward),
    Case("FinalConvNet, batchnorm", "loss", "kinked", D.draw_network(MINI_BN),
         network_forward, loss_backward),
    Case("FinalConvNet, naive", "loss", "kinked", D.draw_network(partial(MINI, rung="naive")),
         network_forward, loss_backward),
    Case("FinalConvNet, 48 x 48", "loss", "kinked", D.draw_network(FinalConvNet),
         network_forward, loss_backward),
    Case("ThreeLayerConvNet", "loss", "kinked", D.draw_network(BASELINE), network_forward, loss_backward),
    Case("FullyConnectedNet", "loss", "kinked", D.draw_network(DENSE), network_forward, loss_backward),
    Case("FullyConnectedNet, batchnorm", "loss", "kinked", D.draw_network(partial(DENSE, normalization="batchnorm")),
         network_forward, loss_backward),
    Case("FullyConnectedNet, layernorm", "loss", "kinked", D.draw_network(partial(DENSE, normalization="layernorm")),
         network_forward, loss_backward),
    Case("FullyConnectedNet, dropout", "loss", "kinked", D.draw_network(partial(DENSE, dropout_keep_ratio=0.7)),
         network_forward, loss_backward),
    Case("FinalConvNet", "scores", "kinked", D.draw_picture(MINI), scores_forward, scores_backward),
    Case("FinalConvNet, batchnorm", "scores", "kinked", D.draw_picture(MINI_BN),
         scores_forward, scores_backward),
    Case("ThreeLayerConvNet", "scores", "kinked", D.draw_picture(BASELINE), scores_forward, scores_backward),
)
