"""Checks of the hyper-parameters of update rules, and hints for names that are misspelled."""
from __future__ import annotations

import difflib
import math
import operator
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

__all__ = ["check_number", "check_rounded", "check_step_count", "hint"]


def check_number(rule: str, key: str, value: Any, below_one: bool) -> None:
    """Raise ValueError unless a hyper-parameter is a finite number of at least 0.

    below_one   whether it must also be below 1
    """
    expected = "in [0, 1)" if below_one else "finite and at least 0"
    try:
        number = float(value)
    except (TypeError, ValueError):
        number = math.nan
    if not 0 <= number < (1 if below_one else math.inf):  # False for NaN
        raise ValueError(f"{rule}: {key} is {value!r}, expected a number {expected}")


def check_rounded(rule: str, numbers: Mapping[str, float], dtype: np.dtype[Any]) -> None:
    """Raise ValueError if the dtype of w rounds a number to infinity, or epsilon to 0.

    Infinity times a gradient of 0 is NaN, and so is 0 / epsilon if epsilon is rounded to 0. The
    processor may round a subnormal epsilon to 0.
    """
    limits = np.finfo(dtype)
    largest = float(limits.max)
    smallest = float(limits.tiny)
    for key, value in numbers.items():
        if value > largest:
            raise ValueError(f"{rule}: {key} is {value!r}, expected at most {largest:.4g}, the "
                             f"largest {dtype}")
    epsilon = numbers.get("epsilon", 0.0)
    if 0 < epsilon < smallest:
        raise ValueError(f"{rule}: epsilon is {epsilon!r}, expected 0 or at least "
                         f"{smallest:.4g}, the smallest normal {dtype}")


def check_step_count(rule: str, t: Any) -> None:
    """Raise ValueError unless t is a non-negative integer."""
    try:
        steps = operator.index(t)
    except TypeError:
        steps = -1
    if steps < 0:
        raise ValueError(f"{rule}: t is {t!r}, expected the number of steps so far, "
                         "an int of at least 0")


def hint(name: str, known: Iterable[str]) -> str:
    """Return " (did you mean ...?)" if a known name is similar, else ""."""
    near = difflib.get_close_matches(str(name), list(known), n=1)
    return f" (did you mean {near[0]!r}?)" if near else ""
