"""Knowledge distillation: training on labels and on teachers' probabilities (Hinton et al. 2015).

Teachers see the student's own training batch, after shuffling, flips and warps. Their probabilities
therefore match what the student sees under any augmentation, and none have to be stored, sorted or
flipped (Beyer et al. 2022: "a good teacher is patient and consistent"). The price is a forward pass
of every teacher in every step.
"""
from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

import numpy as np

from ..layers.losses import distillation_loss, log_softmax
from ..nets.inference import Predictor
from ..nets.network import Network
from ..shapes import check
from ..types import Array

__all__ = ["distil", "mean_probabilities", "teacher_of"]


def teacher_of(networks: Sequence[Network], T: float = 1.0) -> Callable[[Array], Array]:
    """Return a function X (N, *shape) -> (N, C), the mean of the probabilities of networks.

    networks   teachers, used with their present weights; they must share the preprocessing of X
    T          temperature above 0 by which scores are divided
    """
    check(len(networks) > 0 and T > 0,
          f"networks, T: got {len(networks)} and {T}, expected at least one and T above 0")
    return partial(mean_probabilities, [Predictor(network) for network in networks], float(T))


def mean_probabilities(predictors: Sequence[Predictor], T: float, X: Array) -> Array:
    """Return the mean (N, C) of the probabilities of predictors at temperature T."""
    probabilities = [np.exp(log_softmax(scores(X) / T)) for scores in predictors]
    mean: Array = np.mean(probabilities, axis=0)
    return mean


def distil(student: Network, networks: Sequence[Network], alpha: float = 0.8, T: float = 1.0
           ) -> Network:
    """Make a network learn from teachers, by distillation_loss with their probabilities; return it.

    student    network, changed in place
    networks   teachers: one, or an ensemble whose probabilities are averaged
    alpha, T   weight of the labels, and temperature: 0.8 and 1 in the paper, about 0.1 and above 1
               in Hinton et al.
    """
    student.teacher = teacher_of(networks, T)
    student.loss_function = partial(distillation_loss, alpha=alpha, T=T)
    return student
