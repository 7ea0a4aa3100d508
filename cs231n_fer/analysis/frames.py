"""The measures of a classifier as pandas.DataFrames, with the names of the classes."""
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ..shapes import check
from ..types import Labels
from .metrics import confusion_matrix, per_class_accuracy, wilson_interval

__all__ = ["accuracy_frame", "confusion_frame"]


def confusion_frame(y_true: Labels, y_pred: Labels, names: Sequence[str]) -> pd.DataFrame:
    """Return metrics.confusion_matrix with named rows (true classes) and columns (predictions).

    y_true, y_pred    (N,) integers from 0 to C - 1
    names             of the C classes, all different, such as data_utils.EMOTIONS

    Raises ValueError for other labels and for names that repeat.
    """
    check(len(names) > 0 and len(set(names)) == len(names),
          f"names: got {list(names)}, expected a different one for each class")
    counts = confusion_matrix(y_true, y_pred, len(names))
    return pd.DataFrame(counts, pd.Index(names, name="true"), pd.Index(names, name="predicted"))


def accuracy_frame(confusion: pd.DataFrame | NDArray[Any], names: Sequence[str] | None = None
                   ) -> pd.DataFrame:
    """Return the accuracy of each class: a row for each, with images, correct, accuracy, low, high.

    confusion    (C, C) counts, rows true, as confusion_frame or metrics.confusion_matrix returns
    names        of the C classes; None for those of a DataFrame, or the numbers 0 to C - 1

    low and high are Wilson's interval of 95%; accuracy is NaN for a class without images. Raises
    ValueError for other counts or another number of names.
    """
    own = confusion.index if isinstance(confusion, pd.DataFrame) else range(len(confusion))
    counts = np.asarray(confusion)
    accuracy = per_class_accuracy(counts)
    classes = list(own if names is None else names)
    check(len(classes) == len(counts),
          f"names: got {len(classes)}, expected one for each of {len(counts)} classes")
    total = counts.sum(axis=1)
    low, high = wilson_interval(np.diag(counts), total)
    return pd.DataFrame({"images": total, "correct": np.diag(counts), "accuracy": accuracy,
                         "low": low, "high": high}, pd.Index(classes, name="class"))
