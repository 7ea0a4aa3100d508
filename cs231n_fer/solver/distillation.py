"""Knowledge distillation: a network learns from labels and from the probabilities of teachers (Hinton et al. 2015).

The teachers look at the student's own training batch, after it was shuffled, mirrored, warped. So their probabilities
belong to what the student sees, whatever the augmentation, and none have to be stored, sorted or mirrored with it
(Beyer et al. 2022: "a good teacher is patient and consistent"). The price is a forward pass of each teacher per step.
"""
from functools import partial

import numpy as np

from ..layers import distillation_loss
from ..layers.losses import log_softmax
from ..nets.inference import Predictor
from ..shapes import check


def teacher_of(networks, T=1.0):
    """Return a function X (N, *shape) -> (N, C), the mean of the probabilities of networks at temperature T.

    networks   list of Network, as they are now; their preprocessing must be that of X
    """
    check(len(networks) > 0 and T > 0, f"networks, T: got {len(networks)} and {T}, expected at least one and T above 0")
    return partial(mean_probabilities, [Predictor(network) for network in networks], float(T))


def mean_probabilities(predictors, T, X):
    """Return the mean (N, C) of the probabilities of predictors at temperature T."""
    return np.mean([np.exp(log_softmax(scores(X) / T)) for scores in predictors], axis=0)


def distil(student, networks, alpha=0.8, T=1.0):
    """Let a network learn from teachers: its loss becomes distillation_loss with their probabilities; returns it.

    student    Network, changed in place
    networks   list of Network, the teachers: one, or an ensemble whose probabilities are averaged
    alpha, T   weight of the labels, and temperature: 0.8 and 1 in the paper, about 0.1 and above 1 in Hinton et al.
    """
    student.teacher = teacher_of(networks, T)
    student.loss_function = partial(distillation_loss, alpha=alpha, T=T)
    return student
