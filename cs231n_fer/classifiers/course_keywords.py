"""Keywords from earlier years of the course, and its random numbers.

    year             dropout                             normalization
    2016, 2017       dropout, 0: none                    use_batchnorm
    2018 to 2020     dropout (of keeping), 1: none       normalization
    since 2021       dropout_keep_ratio, 1: none         normalization

In 2016 and 2017, `dropout` was the probability of dropping a number.
"""
from __future__ import annotations

import warnings

import numpy as np

from ..layers.course_random import GlobalGenerator
from ..shapes import check

__all__ = ["course_generator", "keep_ratio", "kind_of_norm"]


def course_generator(seed: int | np.random.Generator | None) -> int | np.random.Generator:
    """Return the seed, or for None NumPy's global generator, which the course uses."""
    return GlobalGenerator() if seed is None else seed


def keep_ratio(dropout: float | None, dropout_keep_ratio: float, use_batchnorm: bool | None
               ) -> float:
    """Return the probability of keeping a number from the keywords of any year; 1: no dropout.

    Together with use_batchnorm, dropout is the probability of dropping; alone it is that of
    keeping, with a warning unless it is 0 or 1. Raises ValueError for a value out of range or for
    both keywords.
    """
    if dropout is None:
        return dropout_keep_ratio
    check(dropout_keep_ratio == 1, f"dropout: got {dropout} as well as dropout_keep_ratio "
                                   f"{dropout_keep_ratio}, expected one of them")
    check(0 <= dropout <= 1, f"dropout: got {dropout}, expected a probability; write "
                             "dropout_keep_ratio=, the probability of keeping a number")
    if dropout in (0, 1):  # none until 2017, none since 2018
        return 1.0
    if use_batchnorm is not None:
        return 1 - dropout
    warnings.warn(f"dropout: {dropout} is taken as the probability of keeping a number, as in the "
                  "course of 2018 to 2020; in 2016 and 2017 it was that of dropping it. Write "
                  f"dropout_keep_ratio={dropout} or {1 - dropout:g}", UserWarning, stacklevel=3)
    return dropout


def kind_of_norm(use_batchnorm: bool | None, normalization: str | None) -> str | None:
    """Return normalization from the keywords of any year; raises ValueError if they disagree."""
    if use_batchnorm is None:
        return normalization
    named = "batchnorm" if use_batchnorm else None
    check(normalization in (None, named), f"use_batchnorm: got {use_batchnorm} as well as "
                                          f"normalization {normalization!r}; leave it out")
    return named
