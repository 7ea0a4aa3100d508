"""The table of gradient checks: every layer on every rung, and what kind of function it is.

A row names a pair (forward, backward) and a function of draws. check_case draws one problem, copies
its arrays into random, write-protected memory layouts, and returns two errors:

    float64   of the analytic gradient against numerical ones, see checks
    float32   of the analytic gradient against the analytic one in float64 for the same inputs; only
              for layers
"""
from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple, TypeAlias

import numpy as np
from numpy.random import Generator
from numpy.typing import DTypeLike

from .. import layer_utils as U
from .. import layers as L
from ..classifiers import FinalConvNet, FullyConnectedNet, ThreeLayerConvNet
from ..fast_layers.losses import softmax_loss_fast
from ..nets.ladder import LADDER, functions
from ..nets.network import Network
from ..types import Array, Cache, Labels
from . import draws as D
from .checks import check_gradient, gradient_error

__all__ = ["CASES", "Case", "Verdict", "check_case", "largest_errors"]

# The largest error allowed in float64, by kind.
LIMITS = {"linear": 1e-11, "piecewise": 1e-11, "smooth": 1e-8, "kinked": 1e-6}
# In float32 the limit is eps * sqrt(reduction length) times this factor: smooth functions divide by
# a standard deviation or sum exponentials.
FLOAT32_FACTOR = {"linear": 4, "piecewise": 4, "smooth": 16, "kinked": 16}
# Winograd's transforms multiply by up to 8 and cancel: ten times the rounding of the direct way.
WINOGRAD_FACTOR = 16

Limited: TypeAlias = dict[str, tuple[float, float]]  # dtype -> (error, limit)


class Verdict(NamedTuple):
    """The worst error of a case in one dtype."""
    error: float
    limit: float
    passed: bool


@dataclass(frozen=True)
class Case:
    """A row of the table: forward(*arguments, *rest) -> (out, cache), backward(dout, cache).

    layer, rung   what is checked, for tables and test names
    kind          of function, see checks
    draw          rng -> (arguments, rest), see draws
    """
    layer: str
    rung: str
    kind: str
    draw: D.Draw
    forward: Callable[..., Any]
    backward: Callable[..., Any]

    @property
    def is_network(self) -> bool:
        """Whether it is a whole network, where rounding may rightly change which maximum wins."""
        return self.rung in ("loss", "scores")

    @property
    def name(self) -> str:
        """Layer and rung."""
        return f"{self.layer} {self.rung}"


def network_forward(params: Array, model: Network, X: Array, y: Labels) -> tuple[float, Array]:
    """Return the loss as a function of all parameters in one vector; its gradient is the cache."""
    start = 0
    for name, array in model.params.items():
        model.params[name] = params[start:start + array.size].reshape(array.shape)
        start += array.size
    loss, grads = model.loss(X, y)
    return loss, np.concatenate([grads[name].ravel() for name in model.params])


def loss_backward(dloss: Array, dx: Array) -> Array:
    """Return dloss * dx: the cache of a loss is the gradient that it returns with its value."""
    return dloss * dx


def scores_forward(X: Array, model: Network) -> tuple[Array, Cache]:
    """Return test-time scores as a function of the images, as saliency maps differentiate them."""
    scores, cache = model.forward(X)
    return scores, (model, cache)


def scores_backward(dscores: Array, cache: Cache) -> Array:
    """Return the gradient with respect to the images."""
    model, layer_cache = cache
    dX: Array = model.backward(dscores, layer_cache)[0]
    return dX


def analytic_gradients(case: Case, arguments: Sequence[Array], rest: Sequence[Any], dout: Array
                       ) -> tuple[Array, ...]:
    """Return the analytic gradients with respect to the arguments."""
    gradients = case.backward(dout, case.forward(*arguments, *rest)[1])
    return gradients if isinstance(gradients, tuple) else (gradients,)


def protected(arrays: Sequence[Array], layouts: Sequence[str], dtype: DTypeLike) -> list[Array]:
    """Return write-protected copies of arrays in a dtype, in memory layouts of D.LAYOUTS."""
    copies = [D.LAYOUTS[layout](array.astype(dtype))
              for array, layout in zip(arrays, layouts, strict=True)]
    for copy in copies:
        copy.setflags(write=False)
    return copies


def in_dtype(value: Any, dtype: DTypeLike) -> Any:
    """Return an array of floats in a dtype, anything else as it is."""
    is_floats = isinstance(value, np.ndarray) and value.dtype.kind == "f"
    return value.astype(dtype) if is_floats else value


def rest_in_dtype(rest: Sequence[Any], dtype: DTypeLike) -> list[Any]:
    """Return arguments that aren't differentiated with arrays, also those in dicts, in a dtype."""
    return [{key: in_dtype(item, dtype) for key, item in value.items()}
            if isinstance(value, dict) else in_dtype(value, dtype) for value in rest]


def check_case(case: Case, rng: Generator, most: int = 40) -> tuple[Limited, set[str]]:
    """Check a case on one random problem.

    most   number of coordinates of each argument that are checked numerically, at most
    Returns {dtype name: (largest error, limit)}, and the set of what is odd about the shapes and
    the memory layout of the first argument.
    """
    arguments, rest = case.draw(rng)
    # The values are float32 in both dtypes, so that the inputs are the same.
    arrays = [array.astype(np.float32) for array in arguments.values()]
    layouts = [str(name) for name in rng.choice(sorted(D.LAYOUTS), len(arrays) + 1)]
    single = rest_in_dtype(rest, np.float32)
    double = rest_in_dtype(single, np.float64)
    wide = protected(arrays, layouts[1:], np.float64)
    out = case.forward(*wide, *double)[0]
    dout = np.asarray(rng.normal(size=np.shape(out)), dtype=np.float32)
    wide_dout, = protected([dout], layouts[:1], np.float64)
    gradients = analytic_gradients(case, wide, double, wide_dout)

    def as_function_of(i: int) -> Callable[[Array], Any]:
        return lambda x: case.forward(*wide[:i], x, *wide[i + 1:], *double)[0]

    errors = [check_gradient(as_function_of(i), x, wide_dout, gradients[i], case.kind, rng, most)
              for i, x in enumerate(wide)]
    # np.max, because max drops a NaN that doesn't come first.
    results = {"float64": (float(np.max(errors)), LIMITS[case.kind])}
    if not case.is_network:
        narrow_dout, = protected([dout], layouts[:1], np.float32)
        narrow = protected(arrays, layouts[1:], np.float32)
        narrow_gradients = analytic_gradients(case, narrow, single, narrow_dout)
        # A sum of many dout can cancel, its rounding can't: errors are relative to dout at least.
        size = float(np.max(np.abs(dout)))
        errors = [gradient_error(a, b, size) if a.dtype == np.float32 else np.inf
                  for a, b in zip(narrow_gradients, gradients, strict=True)]
        results["float32"] = float(np.max(errors)), float32_limit(case, [dout, *arrays])
    return results, D.oddities(arguments, rest) | {layouts[1]}


def float32_limit(case: Case, arrays: Sequence[Array]) -> float:
    """Return the largest error allowed in float32 for a problem with these arrays."""
    length = max(array.size for array in arrays)
    limit = np.finfo(np.float32).eps * np.sqrt(length) * FLOAT32_FACTOR[case.kind]
    limit *= WINOGRAD_FACTOR if case.rung == "winograd" else 1
    return float(limit)


def largest_errors(case: Case, shapes: int, seed: int, most: int = 40
                   ) -> tuple[dict[str, Verdict], dict[str, int]]:
    """Check a case on several random problems.

    Returns {dtype name: verdict on the worst problem}, and how many of the problems were odd in
    which way. The worst problem has the largest error relative to its limit, which in float32
    depends on the shape. Each case has a random stream of its own, so that a row that is checked
    alone gives the same numbers.
    """
    rng = np.random.default_rng([seed, *case.name.encode()])
    checked, odd = zip(*(check_case(case, rng, most) for _ in range(shapes)), strict=True)
    worst = {}
    for dtype in checked[0]:
        relative = [result[dtype][0] / result[dtype][1] for result in checked]
        # argmax returns the first NaN, and a NaN fails `error <= limit`.
        error, limit = checked[np.argmax(relative)][dtype]
        worst[dtype] = Verdict(error, limit, error <= limit)
    return worst, dict(sorted(Counter(name for names in odd for name in names).items()))


def on_the_ladder(operation: str, kind: str, draw: D.Draw, **draw_of_rung: D.Draw
                  ) -> tuple[Case, ...]:
    """Return a case for every rung that an operation has on nets.ladder.

    draw_of_rung   the draws of rungs that need problems of their own
    """
    rungs = [rung for rung in LADDER[operation] if rung != "auto"]
    return tuple(Case(operation, rung, kind, draw_of_rung.get(rung, draw),
                      *functions(operation, rung)) for rung in rungs)


def fused(operation: str, *names: str) -> tuple[Case, ...]:
    """Return the cases of a fused sandwich; names are the layers "bn" and "pool" in it."""
    winograd = D.draw_sandwich(*names, conv=D.draw_conv_3x3)
    return on_the_ladder(operation, "kinked", D.draw_sandwich(*names), winograd=winograd)


def of_loss(model: Callable[..., Network], layer: str) -> Case:
    """Return the case of the loss of a network with respect to all its parameters."""
    return Case(layer, "loss", "kinked", D.draw_network(model), network_forward, loss_backward)


def of_scores(model: Callable[..., Network], layer: str) -> Case:
    """Return the case of the scores of a network with respect to the images."""
    return Case(layer, "scores", "kinked", D.draw_picture(model), scores_forward, scores_backward)


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
