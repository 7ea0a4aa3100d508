"""How good a classifier is: accuracy, confusion matrix, accuracy per class, intervals, rank correlation. NumPy only."""

from statistics import NormalDist

import numpy as np


def accuracy(scores, y):
    """Fraction of rows whose highest score is the true class; ties go to the lowest class.

    scores    (N, C) float, N >= 1
    y         (N,) integer true classes
    Returns   Python float from 0 to 1.
    Raises ValueError for wrong shapes and for NaN scores, which would silently count as class 0.
    """
    scores, y = np.asarray(scores), np.asarray(y)
    if scores.ndim != 2 or scores.size == 0 or y.shape != scores.shape[:1]:
        raise ValueError(f"scores: got {scores.shape} with y {y.shape}, expected (N, C) with (N,) and N >= 1")
    undefined = int(np.isnan(scores).any(axis=1).sum())
    if undefined:
        raise ValueError(f"scores: {undefined} of {len(scores)} rows hold NaN; the net has diverged, "
                         "train it with a smaller learning rate")
    return float(np.mean(scores.argmax(axis=1) == y))


def confusion_matrix(y_true, y_pred, num_classes):
    """Count how often class i (row) was predicted as class j (column).

    y_true, y_pred    (N,) integers from 0 to num_classes - 1
    Returns           (num_classes, num_classes) int64; it sums to N, its rows to the images per true class.
    Raises ValueError for wrong shapes, labels out of range or labels that are not integers.
    """
    y_true, y_pred = np.asarray(y_true), np.asarray(y_pred)
    if y_true.ndim != 1 or y_true.shape != y_pred.shape:
        raise ValueError(f"y_true, y_pred: got {y_true.shape} and {y_pred.shape}, expected (N,) for both")
    for name, labels in (("y_true", y_true), ("y_pred", y_pred)):
        if labels.size and labels.dtype.kind not in "iu":
            raise ValueError(f"{name}: got dtype {labels.dtype}, expected integers; take argmax of scores")
        if labels.size and not 0 <= labels.min() <= labels.max() < num_classes:
            raise ValueError(f"{name}: labels reach from {labels.min()} to {labels.max()}, "
                             f"expected 0 to {num_classes - 1}")
    cells = y_true.astype(np.int64) * num_classes + y_pred.astype(np.int64)
    return np.bincount(cells, minlength=num_classes**2).astype(np.int64).reshape(num_classes, num_classes)


def per_class_accuracy(confusion):
    """Fraction of each true class that was predicted right (the recall of the class).

    confusion    (C, C) counts, rows true, columns predicted
    Returns      (C,) float64 from 0 to 1; nan for a class without images.
    """
    confusion = _check_confusion(confusion)
    totals = confusion.sum(axis=1)
    right = np.diag(confusion).astype(np.float64)
    return np.divide(right, totals, out=np.full(len(totals), np.nan), where=totals > 0)


def wilson_interval(correct, total, confidence=0.95):
    """Confidence interval of a proportion that stays in [0, 1] and is honest for small classes.

    correct, total    numbers or arrays of one shape, 0 <= correct <= total
    confidence        between 0 and 1, exclusive
    Returns           (low, high) float64, shaped as the inputs; (0, 1) where total is 0.
    Wilson 1927, "Probable inference", eq. for p; z is the normal quantile.
    """
    correct, total = np.asarray(correct, dtype=np.float64), np.asarray(total, dtype=np.float64)
    if not 0 < confidence < 1:
        raise ValueError(f"confidence: got {confidence}, expected a number between 0 and 1, such as 0.95")
    if correct.shape != total.shape or not np.all((correct >= 0) & (correct <= total)):
        raise ValueError(f"correct, total: got {correct.tolist()} of {total.tolist()}, "
                         "expected equal shapes and 0 <= correct <= total")
    z = NormalDist().inv_cdf(0.5 + confidence / 2)
    centre = (correct + z * z / 2) / (total + z * z)
    variance = correct * (total - correct) / np.maximum(total, 1)
    half_width = z / (total + z * z) * np.sqrt(variance + z * z / 4)
    return np.clip(centre - half_width, 0, 1), np.clip(centre + half_width, 0, 1)


def rank_correlation(first, second):
    """Spearman's rank correlation along the last axis: 1 where both rise together, -1 where one falls (Spearman 1904).

    first, second    (..., K) numbers; equal ones share the mean of their ranks
    Returns          (...) float64 from -1 to 1; nan where all values of one are equal
    """
    first, second = np.asarray(first, np.float64), np.asarray(second, np.float64)
    if first.shape != second.shape or first.ndim < 1 or np.isnan(first).any() or np.isnan(second).any():
        raise ValueError(f"first, second: got shapes {first.shape} and {second.shape}, expected (..., K) for both and "
                         "no NaN")
    a, b = _centred_ranks(first), _centred_ranks(second)
    scale = np.sqrt((a * a).sum(axis=-1) * (b * b).sum(axis=-1))
    return np.divide((a * b).sum(axis=-1), scale, out=np.full(scale.shape, np.nan), where=scale > 0)[()]


def _centred_ranks(values):
    """Ranks along the last axis, minus their mean."""
    rows = values.reshape(-1, values.shape[-1])
    ranks = np.empty(rows.shape)
    for rank, row in zip(ranks, rows, strict=True):
        ordered = np.sort(row)
        rank[:] = np.searchsorted(ordered, row, "left") + np.searchsorted(ordered, row, "right")
    return ((ranks - values.shape[-1]) / 2).reshape(values.shape)


def _check_confusion(confusion):
    confusion = np.asarray(confusion)
    if confusion.ndim != 2 or confusion.shape[0] != confusion.shape[1]:
        raise ValueError(f"confusion: got shape {confusion.shape}, expected square counts (C, C)")
    return confusion
