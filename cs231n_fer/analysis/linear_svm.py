"""A linear L2-SVM on features that something else has made: a frozen net, a filter bank, a clip of probabilities.

It is a Network of one affine layer under the squared hinge loss (Tang 2013, eq. 5 and 10), so it is trained by the
Solver, kept in a checkpoint and asked for scores like any other net.
"""
from math import ceil

import numpy as np

from ..layers import l2_svm_loss
from ..nets.network import Chain, Network
from ..nets.records import Affine
from ..optim.schedules import CosineWarmup
from ..shapes import check, samples_and_labels
from ..solver import Recipe, Solver
from .metrics import accuracy

# Adam, 3,000 steps of 300 samples from a rate that falls from 0.01 to 0: within 1 % of the smallest loss for 20,000
# samples of 1,000 correlated features at reg 0.001, within 0.2 % at reg 0.01; batches of 100 came within 2 %.
STEPS, BATCH_SIZE, LEARNING_RATE = 3000, 300, 1e-2


def fit_linear_svm(features, labels, reg=1e-2, validation=None, num_classes=None, num_steps=STEPS, seed=0):
    """Return a Network whose predict(features) gives scores (N, C): the minimiser of loss + reg / 2 * ||w|| ** 2.

    features     (N, ...) float32 or float64, flattened; standardised for the training with their own mean and
                 deviation, which are then folded into the weights: predict takes features as they are
    labels       (N,) integers
    reg          strength, or several to choose from by accuracy on validation, of equal ones the first;
                 in terms of the usual constant C it is 1 / (C N); net.reg tells the one chosen
    validation   (features, labels) on which to choose
    num_classes  C; default: the largest label + 1
    num_steps    of the Solver; with the default the loss ends 1 % or less above its minimum where N > D
    seed         of the order of the samples; weights start at zero
    Raises ValueError for features that aren't finite floats, or several strengths without validation.
    """
    features, labels = np.asarray(features), np.asarray(labels)
    strengths = np.atleast_1d(reg)
    check(features.ndim >= 2 and len(features) == len(labels) > 0,
          f"features, labels: got shapes {features.shape} and {labels.shape}, expected (N, ...) and (N,), N >= 1")
    check(features.dtype in (np.float32, np.float64) and np.isfinite(features).all(),
          f"features: got {features.dtype}, or values that aren't finite; expected finite float32 or float64")
    check(len(strengths) == 1 or validation is not None,
          f"reg: got {len(strengths)} strengths and no validation=(features, labels) to choose on")
    samples_and_labels(features, labels, "features", "labels")
    num_classes = num_classes or int(labels.max()) + 1
    check(labels.max() < num_classes,
          f"num_classes: got {num_classes}, expected more than the largest label, {labels.max()}")
    X, mean, scale = standardise(features.reshape(len(features), -1))
    nets = [_fold(_train(X, labels, num_classes, float(strength), num_steps, seed), mean, scale)
            for strength in strengths]
    return nets[0] if len(nets) == 1 else max(nets, key=lambda net: accuracy(net.predict(validation[0]), validation[1]))


def standardise(X):
    """Return ((X - mean) / scale, mean, scale) of the columns of X (N, D); a constant column becomes 0, its scale 1."""
    mean = X.mean(axis=0, dtype=np.float64)
    centred = X - mean.astype(X.dtype)
    constant = X.min(axis=0) == X.max(axis=0)
    centred[:, constant] = 0  # the mean is rounded: without this, noise of 1e-17 would be blown up to 1
    scale = np.where(constant, 1, np.sqrt(np.einsum("nd,nd->d", centred, centred) / len(X))).astype(X.dtype)
    centred /= scale
    return centred, mean, scale


def _train(X, labels, num_classes, reg, num_steps, seed):
    net = Network(Chain((("scores", Affine(num_classes, weight_scale=0.0)),)), X.shape[1:], loss=l2_svm_loss,
                  reg=reg, dtype=X.dtype, seed=seed)
    data = {"X_train": X, "y_train": labels, "X_val": X, "y_val": labels}
    epochs = ceil(num_steps / ceil(len(X) / BATCH_SIZE))
    Solver(net, data, update_rule="adam", optim_config={"learning_rate": LEARNING_RATE}, batch_size=BATCH_SIZE,
           num_epochs=epochs, num_train_samples=1, num_val_samples=1, verbose=False, seed=seed,
           # The loss is convex and its minimum is wanted: no early stop.
           recipe=Recipe(schedule=CosineWarmup(warmup_epochs=0), keep="last")).train()
    return net


def _fold(net, mean, scale):
    """Let the net take features as they are: w . (x - mean) / scale + b = (w / scale) . x + (b - w . mean / scale)."""
    w, b = net.params["scores/w"] / scale[:, None].astype(np.float64), net.params["scores/b"]
    net.params = {"scores/w": w.astype(net.dtype), "scores/b": (b - mean @ w).astype(net.dtype)}
    return net
