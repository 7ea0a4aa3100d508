"""Placement of labels that would otherwise cover each other."""
from collections.abc import Sequence

import numpy as np

from ..types import Array

__all__ = ["spread"]


def spread(values: Array | Sequence[float], gap: float) -> Array:
    """Return heights close to the values, in the same order, that are at least gap from each other.

    values    (N,) the height of each label if it were alone
    gap       smallest distance of two labels
    Labels that collide form a group whose mean height is the mean of their values.
    """
    wanted = np.asarray(values, float)
    order = np.argsort(wanted, kind="stable")
    # A group is [sum of (value - index in the group * gap), size]: their ratio is the height of its
    # lowest label.
    groups: list[tuple[float, int]] = []
    for value in wanted[order]:
        total = float(value)
        size = 1
        while groups and total / size < _top(groups[-1], gap):
            lower_total, lower_size = groups.pop()
            total = lower_total + (total - size * lower_size * gap)
            size = lower_size + size
        groups.append((total, size))
    heights = np.empty(len(order))
    heights[order] = [total / size + index * gap for total, size in groups for index in range(size)]
    return heights


def _top(group: tuple[float, int], gap: float) -> float:
    """Return the lowest height that is free above a group."""
    total, size = group
    return total / size + size * gap
