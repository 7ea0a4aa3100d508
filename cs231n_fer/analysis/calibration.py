"""Calibration: whether a net is right as often as its probabilities say (Guo et al. 2017).

Of the predictions to which a calibrated net gives a probability of 80 %, 80 % are right.
"""
from math import exp, log

import numpy as np

from ..classifiers.pretrained import tempered
from ..shapes import check, scores_and_labels, whole_number
from ..types import Array, Labels

__all__ = ["accuracy_above", "expected_calibration_error", "fit_temperature"]

GOLDEN = (5 ** 0.5 - 1) / 2
TEMPERATURES = (0.1, 10.0)  # bounds of the search


def expected_calibration_error(probabilities: Array, y: Labels, bins: int = 15) -> float:
    """Return the mean absolute difference between accuracy and confidence over bins.

    probabilities    (N, C); the confidence is the largest in each row
    y                (N,) integer true classes
    bins             number of bins of equal width from 0 to 1, each weighted by its number of rows
    Raises ValueError for other arrays.
    """
    probabilities, y = _checked(probabilities, y)
    bins = whole_number(bins, "bins", 1)
    confidence = probabilities.max(axis=1).astype(np.float64)
    right = probabilities.argmax(axis=1) == y
    of_row = np.minimum((confidence * bins).astype(int), bins - 1)
    surplus = np.bincount(of_row, weights=confidence - right, minlength=bins)
    return float(np.abs(surplus).sum() / len(y))


def fit_temperature(probabilities: Array, y: Labels) -> float:
    """Return the temperature for which `tempered` probabilities make the labels most likely.

    probabilities    (N, C) above 0
    y                (N,) integer true classes
    A temperature above 1 means that the probabilities were overconfident, below 1 underconfident.
    The loss has one minimum, which golden-section search finds. Raises ValueError for other arrays.
    """
    probabilities, y = _checked(probabilities, y)

    def loss(log_temperature: float) -> float:
        found = tempered(probabilities, exp(log_temperature))
        return float(-np.log(found[np.arange(len(y)), y]).mean())

    low, high = (log(temperature) for temperature in TEMPERATURES)
    while high - low > 1e-6:
        left = high - GOLDEN * (high - low)
        right = low + GOLDEN * (high - low)
        if loss(left) < loss(right):
            high = right
        else:
            low = left
    return exp((low + high) / 2)


def accuracy_above(probabilities: Array, y: Labels, threshold: float) -> tuple[float, float, float]:
    """Return (share, accuracy above, accuracy below) for a threshold of the confidence.

    probabilities    (N, C)
    y                (N,) integer true classes
    threshold        share is the fraction of rows whose largest probability is at least this
    An accuracy over no rows is NaN.
    """
    probabilities, y = _checked(probabilities, y)
    right = probabilities.argmax(axis=1) == y
    above = probabilities.max(axis=1) >= threshold
    accuracies = [float(right[rows].mean()) if rows.any() else float("nan")
                  for rows in (above, ~above)]
    return float(above.mean()), accuracies[0], accuracies[1]


def _checked(probabilities: Array, y: Labels) -> tuple[Array, Labels]:
    """Return probabilities (N, C) from 0 to 1 as float64, and y; raises ValueError for others."""
    probabilities, y = scores_and_labels(probabilities, y)
    probabilities = probabilities.astype(np.float64)
    low = probabilities.min()
    high = probabilities.max()
    check(0 <= low and high <= 1 + 1e-6,
          f"probabilities: reach from {low:g} to {high:g}, expected 0 to 1")
    return probabilities, y
