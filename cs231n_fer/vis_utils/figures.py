"""Figures of classes: how many faces each class has, and how many of them a net recognizes.

As everywhere in vis_utils, a plot draws on ax, or on a new figure that a notebook shows below its
cell, and returns the Axes.
"""
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from matplotlib.axes import Axes
from numpy.typing import NDArray

from ..analysis.metrics import per_class_accuracy, wilson_interval
from ..shapes import check, plain_array
from ..types import Array
from .style import (
    BLUE,
    GREY,
    INK,
    MUTED,
    ORANGE,
    SKY,
    SPLIT_COLOURS,
    finish_axes,
    legend_above,
    new_axes,
)

__all__ = ["EKMAN", "HUMAN_FER2013", "plot_class_distribution", "plot_confusion",
           "plot_human_comparison"]

# Table 1 of the paper: accuracy of people who name facial expressions (Ekman), in percent, under
# FER2013's names.
EKMAN = {"Anger": 88.9, "Disgust": 92.3, "Fear": 87.7, "Happy": 98.7, "Sad": 89.2, "Surprise": 92.4,
         "Neutral": 91.6}
# Section 5.2 of the paper: accuracy of its authors on 100 faces of FER2013 each, in percent.
HUMAN_FER2013 = 63.4


def plot_class_distribution(counts: Mapping[str, NDArray[Any]], names: Sequence[str],
                            ax: Axes | None = None) -> Axes:
    """Plot the share of each class in each split, and count its faces (figure 1 of the paper).

    counts    {name of a split: (C,) images per class}
    names     C class names
    """
    arrays = {split: plain_array(values, f"counts[{split!r}]") for split, values in counts.items()}
    for split, values in arrays.items():
        check(values.shape == (len(names),), f"counts[{split!r}]: got shape {values.shape}, "
                                             f"expected ({len(names)},), one per name")
    check(len(arrays) > 0, "counts: got no split, expected at least one")
    ax = new_axes(ax, (9, 4.5))
    width = 0.8 / len(arrays)
    for i, (split, values) in enumerate(arrays.items()):
        centers = np.arange(len(names)) + (i - (len(arrays) - 1) / 2) * width
        shares = 100 * values / max(values.sum(), 1)
        ax.bar(centers, shares, 0.9 * width, color=SPLIT_COLOURS[i % 4],
               label=f"{split} ({values.sum():,})")
        for x, share in zip(centers, shares, strict=True):
            ax.text(x, share + 0.2, f"{share:.1f}", ha="center", va="bottom", fontsize=7, color=INK)
    totals = np.sum(list(arrays.values()), axis=0)
    labels = [f"{name}\n{total:,}" for name, total in zip(names, totals, strict=True)]
    ax.set_xticks(range(len(names)), labels)
    ax.tick_params(axis="x", length=0)
    legend_above(ax)
    return finish_axes(ax, f"Class distribution of {totals.sum():,} labeled faces",
                       "Emotion and number of faces", "Share of the split (%)", pad=32)


def plot_confusion(confusion: NDArray[Any], names: Sequence[str], ax: Axes | None = None) -> Axes:
    """Plot a confusion matrix with the count and the share of its row (figure 6 of the paper).

    A cell without faces has no share.
    confusion    (C, C) integer counts, rows true, columns predicted
    names        C class names
    """
    confusion = plain_array(confusion, "confusion")
    expected = (len(names), len(names))
    check(confusion.shape == expected,
          f"confusion: got shape {confusion.shape}, expected {expected}, a row per name")
    ax = new_axes(ax, (7.7, 6.8))
    totals = confusion.sum(axis=1)
    shares = confusion / np.maximum(totals, 1)[:, None]
    ax.imshow(shares, cmap="Blues", vmin=0, vmax=2)  # up to the blue that dark text is read on
    for (i, j), share in np.ndenumerate(shares):
        if not confusion[i, j]:
            ax.text(j, i, "0" if totals[i] else "–", ha="center", va="center", color=MUTED,
                    fontsize=9)
            continue
        weight = "bold" if i == j else "normal"
        percent = f"{100 * share:.0f} %" if share >= 0.005 else "< 1 %"
        ax.text(j, i - 0.13, f"{confusion[i, j]:,}", ha="center", va="center", color=INK,
                fontsize=11, fontweight=weight)
        ax.text(j, i + 0.2, percent, ha="center", va="center", color=INK, fontsize=9)
    rows = [f"{name} ({total:,})" for name, total in zip(names, totals, strict=True)]
    ax.set_xticks(range(len(names)), names)
    ax.set_yticks(range(len(names)), rows)
    _separate_cells(ax, len(names))
    right = f"{_percent_right(confusion):.1f} % of {confusion.sum():,} faces right"
    finish_axes(ax, f"Confusion matrix: {right}",
                "Predicted emotion (faces, share of the true emotion)", "True emotion (faces)")
    ax.spines[:].set_visible(False)
    return ax


def plot_human_comparison(confusion: NDArray[Any], names: Sequence[str], ax: Axes | None = None,
                          dataset: str = "FER2013", confidence: float = 0.95,
                          voters: Array | None = None, people: bool = True) -> Axes:
    """Plot the accuracy on each emotion beside that of people (paper: figure 8, table 1, sec. 5.2).

    confusion     (C, C) integer counts, rows true; the bars show Wilson intervals
    names         C class names
    dataset       name of the faces that the net saw, for the legend
    confidence    level of the intervals, between 0 and 1
    voters        (C, 3) accuracy of people on the same faces with the bounds of its interval, in
                  percent; None if there are no such people
    people        whether to show Ekman's participants and the paper's authors, who saw photographs;
                  False for synthetic faces
    """
    confusion = plain_array(confusion, "confusion")
    groups = [_bars_of_net(confusion, dataset, confidence)]
    check(len(names) == len(confusion),
          f"names: got {len(names)}, expected {len(confusion)}, one per row")
    if voters is not None:
        answers = plain_array(voters, "voters")
        check(answers.shape == (len(names), 3),
              f"voters: got shape {answers.shape}, expected {(len(names), 3)}")
        groups.append(Bars(f"People on {dataset}", answers, SKY))
    if people:
        ekman = np.repeat([[EKMAN.get(name, np.nan)] for name in names], 3, axis=1)
        groups.append(Bars("People in Ekman's study", ekman, GREY))
    ax = new_axes(ax, (9, 4.8) if voters is None else (11, 4.8))
    for place, group in enumerate(groups):
        x = np.arange(len(names)) + 0.8 * ((place + 0.5) / len(groups) - 0.5)
        _draw_bars(ax, x, 0.76 / len(groups), group)
    if people:
        _mark_authors(ax)
    ax.set_xticks(range(len(names)), names)
    ax.tick_params(axis="x", length=0)
    ax.set_ylim(0, 100)
    legend_above(ax, 10, columns=3)
    beside = " beside people" if len(groups) > 1 else ""
    right = _percent_right(confusion)
    return finish_axes(ax, f"Accuracy per emotion{beside} ({right:.1f} % overall)", "Emotion",
                       "Accuracy (%)", pad=32)


class Bars(NamedTuple):
    """Bars of one color: values (C, 3) hold an accuracy and its bounds, in percent, or NaN."""

    label: str
    values: Array
    color: str


def _bars_of_net(confusion: NDArray[Any], dataset: str, confidence: float) -> Bars:
    """Return the accuracy of a net on each class, with its Wilson interval."""
    accuracies = per_class_accuracy(confusion)
    low, high = wilson_interval(np.diag(confusion), confusion.sum(axis=1), confidence)
    label = f"Net on {dataset} ({100 * confidence:g} % interval)"
    return Bars(label, 100 * np.stack([accuracies, low, high], axis=1), BLUE)


def _draw_bars(ax: Axes, x: Array, width: float, bars: Bars) -> None:
    """Draw bars with intervals; the value is written at the foot of a bar, or above a short bar."""
    ax.bar(x, bars.values[:, 0], width, color=bars.color, label=bars.label)
    for center, (value, low, high) in zip(x, bars.values, strict=True):
        known = bool(np.isfinite(value))
        color = "white" if value > 10 and bars.color == BLUE else INK
        height = high + 1.5 if known and value <= 10 else 1.5
        ax.text(center, height, f"{value:.1f}" if known else "none", ha="center", fontsize=8,
                color=color)
        if known and high > low:
            ax.vlines(center, low, high, color=INK, linewidth=1.5)


def _mark_authors(ax: Axes) -> None:
    """Draw a dashed line at the accuracy of the paper's authors."""
    ax.axhline(HUMAN_FER2013, color=ORANGE, linestyle="--", linewidth=1.5)
    ax.annotate(f"The paper's\nauthors on\nFER2013\n{HUMAN_FER2013} %", (1, HUMAN_FER2013),
                xytext=(6, 0), color=ORANGE, xycoords=("axes fraction", "data"),
                textcoords="offset points", va="center", fontsize=10)


def _separate_cells(ax: Axes, count: int) -> None:
    """Draw white lines between the cells of a matrix of count rows and columns."""
    ax.set_xticks(np.arange(count - 1) + 0.5, minor=True)
    ax.set_yticks(np.arange(count - 1) + 0.5, minor=True)
    ax.grid(which="minor", color="white", linewidth=1.5)
    ax.tick_params(which="both", length=0)


def _percent_right(confusion: NDArray[Any]) -> float:
    """Return the accuracy over all classes in percent; 0 where there are no faces."""
    return float(100 * np.trace(confusion) / max(confusion.sum(), 1))
