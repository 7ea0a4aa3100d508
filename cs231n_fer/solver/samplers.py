"""Classes of unequal size: how often each is shown in an epoch, and how much each counts in the loss.

Both start from the share of the training that each class shall have: count ** (1 - strength), scaled to sum 1.
Strength 0 leaves the classes as they are, 1 makes all equal, 0.5 is the square root in between (Mahajan et al. 2018).

    Balanced       shows samples of rare classes several times an epoch; a sampler, for Solver(sampler=...)
    class_weights  multiplies their loss; for softmax_loss(class_weights=...)

A sampler is a frozen record with order(rng, labels) -> (M,) indices of the samples that an epoch shows, in their order.
"""
from dataclasses import dataclass

import numpy as np

from ..shapes import check


@dataclass(frozen=True)
class Shuffle:
    """Every sample once, in random order."""

    def order(self, rng, labels):
        """Return the indices (N,) of the N labels, shuffled."""
        return rng.permutation(len(labels))


@dataclass(frozen=True)
class Balanced:
    """As many samples as there are, but of each class its share by class_shares, to within one sample.

    strength   from 0 (each class as often as it occurs) to 1 (all classes equally often)
    A class is gone through in random order, again and again until its share is full: its samples are shown equally
    often, to within once, where drawing with replacement would leave out some.
    """

    strength: float = 1.0

    def __post_init__(self):
        check_strength(self.strength)

    def order(self, rng, labels):
        """Return indices (N,) into the labels (N,), integers from 0."""
        counts = np.bincount(labels)
        # Rounding the running total, not each share, makes them add up to N.
        ends = np.rint(np.cumsum(class_shares(counts, self.strength)) * len(labels)).astype(int)
        chosen = [_again_and_again(rng, np.flatnonzero(labels == label), visits)
                  for label, visits in enumerate(np.diff(ends, prepend=0))]
        return rng.permutation(np.concatenate(chosen))


def class_shares(counts, strength=1.0):
    """Return the share of the training that each class shall have, (C,) float64 that sum to 1.

    counts     (C,) samples of each class; a class without any gets none
    strength   see the top of this file
    """
    check_strength(strength)
    counts = np.asarray(counts, np.float64)
    check(counts.ndim == 1 and counts.size > 0 and counts.min() >= 0 and counts.sum() > 0,
          f"counts: got {counts.tolist()}, expected one number for each class, at least 0, not all of them 0")
    wanted = np.where(counts > 0, np.maximum(counts, 1) ** (1 - strength), 0)
    return wanted / wanted.sum()


def class_weights(labels, num_classes, strength=1.0):
    """Return the weights (num_classes,), float64, that give each class its share by class_shares in the loss.

    The mean over the labels (N,) is 1; with strength 1 a weight is N / (num_classes * count), as in King & Zeng 2001.
    A class without samples, whose weight no sample asks for, gets 1.
    """
    counts = np.bincount(labels, minlength=num_classes)
    check(len(counts) == num_classes, f"labels: reach to {len(counts) - 1}, expected less than {num_classes} classes")
    return np.divide(class_shares(counts, strength) * counts.sum(), counts, out=np.ones(num_classes), where=counts > 0)


def check_strength(strength):
    """Raise ValueError unless the strength is a number from 0 to 1."""
    check(0 <= strength <= 1, f"strength: got {strength}, expected 0 (classes as they are) to 1 (all equal)")


def _again_and_again(rng, rows, visits):
    """Return `visits` of the rows: all of them shuffled, again and again, until there are enough."""
    rounds = -(-visits // max(len(rows), 1))
    return np.concatenate([np.empty(0, int), *(rng.permutation(rows) for _ in range(rounds))])[:visits]
