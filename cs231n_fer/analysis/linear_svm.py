"""A linear L2-SVM on given features, such as those of a frozen net or of a filter bank.

It is a Network of one affine layer under the squared hinge loss (Tang 2013, eq. 5 and 10), so the
Solver trains it, a checkpoint stores it, and predict returns its scores as for any other net.
"""
from collections.abc import Sequence
from math import ceil

import numpy as np

from ..layers.losses import l2_svm_loss
from ..nets.chain import Chain
from ..nets.network import Network
from ..nets.records import Affine
from ..optim.schedules import CosineWarmup
from ..shapes import check, samples_and_labels
from ..solver import Recipe, Solver
from ..types import Array, Labels
from .metrics import accuracy

__all__ = ["fit_linear_svm", "standardise"]

# Adam, 3,000 steps of 300 samples with a learning rate that falls from 0.01 to 0: within 1 % of the
# smallest loss for 20,000 samples of 1,000 correlated features at reg 0.001, within 0.2 % at reg
# 0.01; batches of 100 came within 2 %.
STEPS = 3000
BATCH_SIZE = 300
LEARNING_RATE = 1e-2


def fit_linear_svm(features: Array, labels: Labels, reg: float | Sequence[float] = 1e-2,
                   validation: tuple[Array, Labels] | None = None, num_classes: int | None = None,
                   num_steps: int = STEPS, seed: int = 0) -> Network:
    """Return a Network that minimizes the L2-SVM loss + reg / 2 * ||w||^2 of standardized features.

    features       (N, ...) float32 or float64, flattened; for training they are standardized by
                   their own mean and deviation, which are then folded into the weights, so that
                   predict takes features as they are
    labels         (N,) integers
    reg            strength of the regularization, or a sequence of strengths, of which the one of
                   highest accuracy on validation is chosen, the first of equals; it is 1 / (C N)
                   in terms of the usual constant C, and net.reg is the one chosen
    validation     (features, labels) to choose the strength on
    num_classes    C; default: the largest label + 1
    num_steps      steps of the Solver; with the default the loss ends within 1 % of its minimum
                   where N > D
    seed           seed of the order of the samples; the weights start at zero
    Returns        the Network, whose predict(features) gives scores (N, C).
    Raises ValueError for features that are not finite floats, and for several strengths without
    validation.
    """
    X, y = samples_and_labels(features, labels, "features", "labels")
    check(X.ndim >= 2 and X.dtype in (np.float32, np.float64),
          f"features: got {X.dtype} {X.shape}, expected float32 or float64 (N, ...)")
    strengths = np.atleast_1d(reg)
    check(len(strengths) == 1 or validation is not None,
          f"reg: got {len(strengths)} strengths and no validation=(features, labels) to choose on")
    X, mean, scale = standardise(X.reshape(len(X), -1))
    num_classes = num_classes or int(y.max()) + 1
    check(y.max() < num_classes,
          f"num_classes: got {num_classes}, expected more than the largest label, {y.max()}")
    nets = []
    for strength in strengths:
        net = _train(X, y, _zero_net(X, num_classes, float(strength), seed), num_steps, seed)
        nets.append(_fold(net, mean, scale))
    if validation is None or len(nets) == 1:
        return nets[0]
    X_val, y_val = validation
    return max(nets, key=lambda net: accuracy(net.predict(X_val), y_val))


def standardise(X: Array) -> tuple[Array, Array, Array]:
    """Return ((X - mean) / scale, mean, scale) of the columns of X (N, D).

    The mean is float64. A constant column becomes 0, and its scale is 1.
    """
    mean = X.mean(axis=0, dtype=np.float64)
    centered = X - mean.astype(X.dtype)
    constant = X.min(axis=0) == X.max(axis=0)
    # The mean is rounded: without this line noise of 1e-17 would be scaled up to 1.
    centered[:, constant] = 0
    deviation = np.sqrt(np.einsum("nd,nd->d", centered, centered) / len(X))
    scale = np.where(constant, 1, deviation).astype(X.dtype)
    centered /= scale
    return centered, mean, scale


def _zero_net(X: Array, num_classes: int, reg: float, seed: int) -> Network:
    """Return a Network of one affine layer with zero weights for the columns of X (N, D)."""
    layers = Chain((("scores", Affine(num_classes, weight_scale=0.0)),))
    return Network(layers, X.shape[1:], loss=l2_svm_loss, reg=reg, dtype=X.dtype, seed=seed)


def _train(X: Array, y: Labels, net: Network, num_steps: int, seed: int) -> Network:
    """Train a net for about num_steps steps and return it.

    The loss is convex and its minimum is wanted, so the last weights are kept, without early stop.
    """
    data = {"X_train": X, "y_train": y, "X_val": X, "y_val": y}
    epochs = ceil(num_steps / ceil(len(X) / BATCH_SIZE))
    solver = Solver(net, data, update_rule="adam", optim_config={"learning_rate": LEARNING_RATE},
                    batch_size=BATCH_SIZE, num_epochs=epochs, verbose=False, seed=seed,
                    num_train_samples=1, num_val_samples=1,
                    recipe=Recipe(schedule=CosineWarmup(warmup_epochs=0), keep="last"))
    solver.train()
    return net


def _fold(net: Network, mean: Array, scale: Array) -> Network:
    """Fold the standardization into the weights of a net, and return it.

    w . (x - mean) / scale + b = (w / scale) . x + (b - (w / scale) . mean)
    """
    w = net.params["scores/w"] / scale[:, None].astype(np.float64)
    b = net.params["scores/b"] - mean @ w
    net.params = {"scores/w": w.astype(net.dtype), "scores/b": b.astype(net.dtype)}
    return net
