"""Classes of unequal size: how often samples are shown, and how much they count in the loss.

Both start from the share that every class gets of the training: count ** (1 - strength), scaled to
sum 1. Strength 0 keeps the classes as they are, 1 makes them equal, and 0.5 is the square root in
between (Mahajan et al. 2018).

    Balanced       shows samples of rare classes several times in an epoch; for Recipe(sampler=...)
    class_weights  multiplies their loss; for softmax_loss(class_weights=...)

A sampler is a frozen record with order(rng, labels) -> (M,) indices of the samples that an epoch
shows, in order.
"""
from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..shapes import check, plain_array, real_numbers
from ..types import Labels

__all__ = [
    "Balanced",
    "Indices",
    "Sampler",
    "Shuffle",
    "checked_order",
    "class_shares",
    "class_weights",
    "rows_of_draws",
]

Indices = NDArray[np.integer[Any]]


class Sampler(Protocol):
    """Chooses and orders the samples of an epoch."""

    def order(self, rng: np.random.Generator, labels: Labels, /) -> Indices:
        """Return indices (M,) into labels (N,)."""


@dataclass(frozen=True)
class Shuffle:
    """Every sample once, in random order."""

    def order(self, rng: np.random.Generator, labels: Labels) -> Indices:
        """Return the indices of labels (N,), shuffled."""
        return rng.permutation(len(labels))


@dataclass(frozen=True)
class Balanced:
    """N samples, of which every class gets its share by class_shares, to within one sample.

    strength   from 0 (every class as often as it occurs) to 1 (all classes equally often)
    The samples of a class are shown in random order, repeated until its share is reached. So they
    are shown equally often, to within one, where drawing with replacement would omit some.
    """

    strength: float = 1.0

    def __post_init__(self) -> None:
        check_strength(self.strength)

    def order(self, rng: np.random.Generator, labels: Labels) -> Indices:
        """Return indices (N,) into labels (N,), integers from 0."""
        counts = np.bincount(labels)
        # The cumulative sum is rounded, not the shares, so that the numbers add up to N.
        ends = np.rint(np.cumsum(class_shares(counts, self.strength)) * len(labels)).astype(int)
        chosen = [_repeated(rng, np.flatnonzero(labels == label), visits)
                  for label, visits in enumerate(np.diff(ends, prepend=0))]
        return rng.permutation(np.concatenate(chosen))


def class_shares(counts: ArrayLike, strength: float = 1.0) -> NDArray[np.float64]:
    """Return the share of the training that every class gets, (C,), with sum 1.

    counts     (C,) number of samples of every class; a class without samples gets no share
    strength   from 0 (as in counts) to 1 (equal), see the top of this module
    """
    check_strength(strength)
    counts = real_numbers(counts, np.float64, "counts")
    check(counts.ndim == 1 and counts.size > 0 and 0 <= counts.min() <= counts.max() <= 2 ** 53
          and counts.sum() > 0,
          f"counts: got {counts.tolist()}, expected one number of samples for each class, at least "
          "0, not all of them 0")
    shares = np.where(counts > 0, np.maximum(counts, 1) ** (1 - strength), 0)
    normalized: NDArray[np.float64] = shares / shares.sum()
    return normalized


def class_weights(labels: Labels, num_classes: int, strength: float = 1.0) -> NDArray[np.float64]:
    """Return weights (num_classes,) that give every class its share by class_shares in the loss.

    Their mean over labels (N,) is 1. With strength 1 a weight is N / (num_classes * count), as in
    King & Zeng 2001. A class without samples, whose weight is not used, gets 1.
    """
    labels = plain_array(labels, "labels")
    check(labels.ndim == 1 and labels.dtype.kind in "iu" and not (labels < 0).any(),
          f"labels: got {labels.dtype} {labels.shape}, expected integers (N,), at least 0")
    counts = np.bincount(labels, minlength=num_classes)
    check(len(counts) == num_classes,
          f"labels: reach to {len(counts) - 1}, expected less than {num_classes} classes")
    totals = class_shares(counts, strength) * counts.sum()
    weights = np.ones(num_classes)
    np.divide(totals, counts, out=weights, where=counts > 0)
    return weights


def check_strength(strength: float) -> None:
    """Raise ValueError unless strength is a number from 0 to 1."""
    check(0 <= strength <= 1,
          f"strength: got {strength}, expected 0 (classes as they are) to 1 (all equal)")


def checked_order(sampler: Sampler, rng: np.random.Generator, labels: Labels) -> Indices:
    """Return the order of a sampler, (M,); raise ValueError unless it consists of indices."""
    order = np.asarray(sampler.order(rng, labels))
    N = len(labels)
    check(order.ndim == 1 and len(order) > 0 and order.dtype.kind in "iu"
          and 0 <= order.min() <= order.max() < N,
          f"sampler: {sampler} returned {order.dtype} {order.shape}, "
          f"expected indices from 0 to {N - 1}, at least one")
    return order


def rows_of_draws(order: Indices, samples: int) -> tuple[Indices, int]:
    """Return which row of an augmentation's random numbers belongs to every place of an order.

    order     (M,) indices of samples
    samples   their number N
    Row n is that of sample n, whatever the order; further rows follow for the samples that come
    again. Returns (rows (M,), number of rows).
    """
    again = np.ones(len(order), bool)
    again[np.unique(order, return_index=True)[1]] = False
    repeats = int(again.sum())
    rows = order.copy()
    rows[again] = samples + np.arange(repeats)
    return rows, samples + repeats


def _repeated(rng: np.random.Generator, rows: Indices, visits: int) -> Indices:
    """Return `visits` of the rows: all of them shuffled, repeated with new shuffles as needed."""
    rounds = -(-visits // max(len(rows), 1))
    shuffled: Iterator[Indices] = (rng.permutation(rows) for _ in range(rounds))
    return np.concatenate([np.empty(0, int), *shuffled])[:visits]
