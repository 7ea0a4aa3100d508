"""Votes of people on FER2013, ten for each face in FER+ (Barsoum et al. 2016), as shares.

A vote is correct if it is FER2013's own label, like the prediction of a net. Votes are turned into
shares, so that every face counts once.
"""
from dataclasses import dataclass
from itertools import permutations

import numpy as np

from cs231n_fer.analysis.metrics import rank_correlation
from cs231n_fer.data_utils.ferplus import COLUMNS, emotion_votes


@dataclass(frozen=True)
class Voters:
    """Votes on the faces that have a vote for one of the seven emotions.

    Faces on which half of the voters or more saw no face are left out.

    rows       (n,) indices into the validation faces
    y          (n,) labels of FER2013
    shares     (n, 7) shares of the votes for the seven emotions; rows sum to 1
    right      (n,) share of these votes for the label
    of_all     (n,) the same if contempt, unknown and "no face" count as wrong answers
    majority   (n,) 1 where the label has most votes, 1 / k if it ties with k - 1 others, else 0
    agree      (n,) probability that two voters drawn at random name the same of the seven emotions;
               nan for a single vote
    """
    rows: np.ndarray
    y: np.ndarray
    shares: np.ndarray
    right: np.ndarray
    of_all: np.ndarray
    majority: np.ndarray
    agree: np.ndarray


def voters(votes, y):
    """Return the Voters of votes (N, 10) in the order of ferplus.COLUMNS, for labels y (N,)."""
    seven = emotion_votes(votes).astype(np.float64)
    votes = np.asarray(votes, np.float64)
    total = seven.sum(axis=1)
    rows = np.flatnonzero((total > 0) & (2 * votes[:, COLUMNS.index("NF")] < votes.sum(axis=1)))
    seven = seven[rows]
    total = total[rows]
    y = np.asarray(y)[rows]
    for_label = seven[np.arange(len(y)), y]
    most = seven.max(axis=1)
    pairs = total * (total - 1)
    agree = np.divide((seven * (seven - 1)).sum(axis=1), pairs, out=np.full(len(y), np.nan),
                      where=pairs > 0)
    return Voters(rows, y, seven / total[:, None], for_label / total,
                  for_label / votes[rows].sum(axis=1),
                  (for_label == most) / (seven == most[:, None]).sum(axis=1), agree)


def mean_of_each(values, y, classes=7):
    """Return the mean of values (n, ...) over each class, (classes, ...); nan for empty classes."""
    counts = np.bincount(y, minlength=classes).astype(np.float64)
    sums = np.zeros((classes, *values.shape[1:]))
    np.add.at(sums, y, values)
    counts = counts.reshape(-1, *[1] * (sums.ndim - 1))
    return np.divide(sums, counts, out=np.full(sums.shape, np.nan), where=counts > 0)


def exact_p(first, second):
    """Return the two-sided p-value of a rank correlation, by an exact permutation test.

    first, second    (K,) numbers, K up to 8 (40,320 permutations)
    """
    orders = np.array(list(permutations(range(len(second)))))
    permuted = rank_correlation(np.broadcast_to(first, orders.shape), np.asarray(second)[orders])
    return float((np.abs(permuted) >= abs(rank_correlation(first, second)) - 1e-12).mean())


def off_diagonal(confusion):
    """Return the off-diagonal entries of (..., C, C) rates, row by row, (..., C (C - 1))."""
    return confusion[..., ~np.eye(confusion.shape[-1], dtype=bool)]


def mantel(first, second):
    """Return (rank correlation, p) of the errors of two (C, C) matrices of rates.

    Rows are true classes. The cells of a row depend on each other, so the one-sided p-value comes
    from all C! permutations of the classes of one matrix (Mantel 1967).
    """
    names = np.array(list(permutations(range(len(second)))))
    renamed = off_diagonal(second[names[:, :, None], names[:, None, :]])
    permuted = rank_correlation(np.broadcast_to(off_diagonal(first), renamed.shape), renamed)
    found = rank_correlation(off_diagonal(first), off_diagonal(second))
    return float(found), float((permuted >= found - 1e-12).mean())
