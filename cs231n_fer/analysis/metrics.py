"""Measures of a classifier: accuracy, confusion matrix, confidence interval, rank correlation."""
from statistics import NormalDist
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..shapes import check, common_floats, plain_array, real_numbers
from ..types import Array, Labels

__all__ = ["accuracy", "confusion_matrix", "per_class_accuracy", "rank_correlation",
           "wilson_interval"]


def accuracy(scores: Array, y: Labels) -> float:
    """Return the fraction of rows whose highest score is that of the true class.

    scores    (N, C) floats, N >= 1; the lowest class wins a tie
    y         (N,) integer true classes
    Raises ValueError for wrong shapes or dtypes and for NaN scores, whose argmax would be
    meaningless.
    """
    (scores,) = common_floats("accuracy", scores=scores)
    y = plain_array(y, "y")
    check(scores.ndim == 2 and scores.size > 0 and y.shape == scores.shape[:1],
          f"scores: got {scores.shape} with y {y.shape}, expected (N, C) with (N,) and N >= 1")
    _check_integers(y, "y")
    undefined = int(np.isnan(scores).any(axis=1).sum())
    check(not undefined, f"scores: {undefined} of {len(scores)} rows hold NaN; the net has "
                         "diverged, train it with a smaller learning rate")
    return float(np.mean(scores.argmax(axis=1) == y))


def confusion_matrix(y_true: Labels, y_pred: Labels, num_classes: int) -> NDArray[np.int64]:
    """Return the number of images of each true class (row) that got each predicted class (column).

    y_true, y_pred    (N,) integers from 0 to num_classes - 1
    Returns           (num_classes, num_classes) int64; the sum of a row is the size of its class.
    Raises ValueError for wrong shapes, labels out of range or labels that are not integers.
    """
    y_true = plain_array(y_true, "y_true")
    y_pred = plain_array(y_pred, "y_pred")
    check(y_true.ndim == 1 and y_true.shape == y_pred.shape,
          f"y_true, y_pred: got {y_true.shape} and {y_pred.shape}, expected (N,) for both")
    _check_labels(y_true, "y_true", num_classes)
    _check_labels(y_pred, "y_pred", num_classes)
    cells = y_true.astype(np.int64) * num_classes + y_pred.astype(np.int64)
    counts = np.bincount(cells, minlength=num_classes**2).astype(np.int64)
    return counts.reshape(num_classes, num_classes)


def per_class_accuracy(confusion: NDArray[Any]) -> Array:
    """Return the fraction of each true class that was predicted correctly, the recall of the class.

    confusion    (C, C) counts, rows true, columns predicted
    Returns      (C,) float64 from 0 to 1; NaN for a class without images.
    """
    counts = real_numbers(confusion, np.float64, "confusion")
    check(counts.ndim == 2 and counts.shape[0] == counts.shape[1],
          f"confusion: got shape {counts.shape}, expected square counts (C, C)")
    return _divide(np.diag(counts), counts.sum(axis=1))


def wilson_interval(correct: ArrayLike, total: ArrayLike, confidence: float = 0.95
                    ) -> tuple[Array, Array]:
    """Return the Wilson score interval of a proportion, which stays in [0, 1] for small samples.

    correct, total    numbers or arrays of one shape, 0 <= correct <= total
    confidence        between 0 and 1, exclusive
    Returns           (low, high), float64 of the same shape; (0, 1) where total is 0.
    Source: Wilson 1927, "Probable inference"; z is the normal quantile.
    """
    k = real_numbers(correct, np.float64, "correct")
    n = real_numbers(total, np.float64, "total")
    check(0 < confidence < 1,
          f"confidence: got {confidence}, expected a number between 0 and 1, such as 0.95")
    check(k.shape == n.shape and bool(np.all((k >= 0) & (k <= n))),
          f"correct, total: got {k.tolist()} of {n.tolist()}, "
          "expected equal shapes and 0 <= correct <= total")
    z = NormalDist().inv_cdf(0.5 + confidence / 2)
    center = (k + z * z / 2) / (n + z * z)
    variance = k * (n - k) / np.maximum(n, 1)
    half_width = z / (n + z * z) * np.sqrt(variance + z * z / 4)
    return np.clip(center - half_width, 0, 1), np.clip(center + half_width, 0, 1)


def rank_correlation(first: NDArray[Any], second: NDArray[Any]) -> Any:
    """Return Spearman's rank correlation along the last axis (Spearman 1904).

    first, second    (..., K) numbers; equal numbers share the mean of their ranks
    Returns          (...) float64 from -1 to 1, a scalar for one axis; NaN where all numbers of
                     first or of second are equal.
    """
    x = real_numbers(first, np.float64, "first")
    y = real_numbers(second, np.float64, "second")
    fits = x.shape == y.shape and x.ndim >= 1
    check(fits and not np.isnan(x).any() and not np.isnan(y).any(),
          f"first, second: got shapes {x.shape} and {y.shape}, expected (..., K) for both "
          "and no NaN")
    a = _centered_ranks(x)
    b = _centered_ranks(y)
    scale = np.sqrt((a * a).sum(axis=-1) * (b * b).sum(axis=-1))
    return _divide((a * b).sum(axis=-1), scale)[()]


def _centered_ranks(values: Array) -> Array:
    """Return ranks along the last axis, minus their mean; ties share the mean of their ranks."""
    rows = values.reshape(-1, values.shape[-1])
    ranks = np.empty(rows.shape)
    for rank, row in zip(ranks, rows, strict=True):
        ordered = np.sort(row)
        rank[:] = np.searchsorted(ordered, row, "left") + np.searchsorted(ordered, row, "right")
    ranks -= values.shape[-1]
    ranks /= 2
    return ranks.reshape(values.shape)


def _divide(values: Array, totals: Array) -> Array:
    """Return values / totals, NaN where a total is not above 0."""
    ratios = np.full(np.shape(totals), np.nan)
    np.divide(values, totals, out=ratios, where=totals > 0)
    return ratios


def _check_integers(labels: NDArray[Any], name: str) -> None:
    """Raise ValueError unless labels are integers; an empty list has no dtype to check."""
    check(labels.dtype.kind in "iu" or labels.size == 0,
          f"{name}: got dtype {labels.dtype}, expected integers; take argmax of scores")


def _check_labels(labels: NDArray[Any], name: str, num_classes: int) -> None:
    """Raise ValueError unless labels are integers from 0 to num_classes - 1."""
    _check_integers(labels, name)
    if labels.size and not 0 <= labels.min() <= labels.max() < num_classes:
        raise ValueError(f"{name}: labels reach from {labels.min()} to {labels.max()}, "
                         f"expected 0 to {num_classes - 1}")
