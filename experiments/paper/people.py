"""People who named the emotions of FER2013: the ten voters of each face in FER+ (Barsoum et al.
2016), beside a net.

A voter is right where the vote is FER2013's own label, as a net is; votes are shares, so that a
face counts once.
"""
from dataclasses import dataclass
from itertools import permutations

import numpy as np

from cs231n_fer.analysis.metrics import rank_correlation
from cs231n_fer.data_utils.ferplus import COLUMNS, emotion_votes


@dataclass(frozen=True)
class Voters:
    """Votes on the faces of which at least one voter named one of the seven emotions and most saw a
    face.

    rows       (n,) of the validation faces
    y          (n,) labels of FER2013
    shares     (n, 7) of the votes for the seven emotions; a row sums to 1
    right      (n,) share of them that is the label
    of_all     (n,) the same where contempt, unknown and "no face" count as wrong answers
    majority   (n,) whether most votes are for the label; of k emotions that share the lead each
               counts 1 / k
    agree      (n,) how often two voters, drawn at random, name the same of the seven; nan where
               only one did
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
    votes, seven = np.asarray(votes, np.float64), emotion_votes(votes).astype(np.float64)
    total = seven.sum(axis=1)
    rows = np.flatnonzero((total > 0) & (2 * votes[:, COLUMNS.index("NF")] < votes.sum(axis=1)))
    seven, total, y = seven[rows], total[rows], np.asarray(y)[rows]
    for_label, most = seven[np.arange(len(y)), y], seven.max(axis=1)
    pairs = total * (total - 1)
    agree = np.divide((seven * (seven - 1)).sum(axis=1), pairs, out=np.full(len(y), np.nan),
                      where=pairs > 0)
    return Voters(rows, y, seven / total[:, None], for_label / total,
                  for_label / votes[rows].sum(axis=1),
                  (for_label == most) / (seven == most[:, None]).sum(axis=1), agree)


def mean_of_each(values, y, classes=7):
    """Return the mean of values (n, ...) over the faces of each class, (classes, ...); nan where
    there is none."""
    counts = np.bincount(y, minlength=classes).astype(np.float64)
    sums = np.zeros((classes, *values.shape[1:]))
    np.add.at(sums, y, values)
    counts = counts.reshape(-1, *[1] * (sums.ndim - 1))
    return np.divide(sums, counts, out=np.full(sums.shape, np.nan), where=counts > 0)


def exact_p(first, second):
    """Two-sided p-value of a rank correlation by all orders of the second: a permutation test
    without chance.

    first, second    (K,) numbers, K up to 8: 40,320 orders
    """
    orders = np.array(list(permutations(range(len(second)))))
    every = rank_correlation(np.broadcast_to(first, orders.shape), np.asarray(second)[orders])
    return float((np.abs(every) >= abs(rank_correlation(first, second)) - 1e-12).mean())


def off_diagonal(confusion):
    """Return the errors of (..., C, C) rates, row by row, (..., C (C - 1))."""
    return confusion[..., ~np.eye(confusion.shape[-1], dtype=bool)]


def mantel(first, second):
    """Return (rank correlation, p) of the errors of two (C, C) matrices of rates, rows true.

    Cells of one row depend on each other, so p comes from giving one matrix's classes other names
    in all C! ways (Mantel 1967), one-sided: how often do names that mean nothing agree as well?
    """
    names = np.array(list(permutations(range(len(second)))))
    renamed = off_diagonal(second[names[:, :, None], names[:, None, :]])
    every = rank_correlation(np.broadcast_to(off_diagonal(first), renamed.shape), renamed)
    found = rank_correlation(off_diagonal(first), off_diagonal(second))
    return float(found), float((every >= found - 1e-12).mean())
