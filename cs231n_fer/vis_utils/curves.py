"""Figures of trainings: accuracy and loss over epochs, and the results of several nets compared.

As everywhere in vis_utils, a plot draws on ax, or on a new figure that a notebook shows below its
cell, and returns the Axes. The names of the nets stand beside their curves and points, so that no
legend has to be looked up.
"""
from collections.abc import Mapping, Sequence
from typing import TypeAlias

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from ..shapes import check, real_numbers, whole_number
from ..types import Array
from .comparisons import plot_cost, plot_groups, plot_intervals, plot_space
from .placement import spread
from .style import BLUE, COLOURS, ORANGE, PALE, SKY, finish_axes, grouped, new_axes, new_figure

__all__ = ["COLOURS", "panels", "plot_accuracy", "plot_cost", "plot_curves", "plot_groups",
           "plot_intervals", "plot_loss", "plot_space", "spread"]

Values: TypeAlias = Array | Sequence[float]


def plot_accuracy(train_acc_history: Values, val_acc_history: Values, ax: Axes | None = None,
                  first_epoch: int = 0) -> Axes:
    """Plot training and validation accuracy over epochs (figure 4 of the paper).

    histories      (E,) fractions from 0 to 1, one per epoch, equally long; a dot marks the best
                   epoch on validation, the first of equals
    first_epoch    number of the first entry: 0 if it was measured before training, else 1
    """
    train = 100 * real_numbers(train_acc_history, np.float64, "train_acc_history")
    val = 100 * real_numbers(val_acc_history, np.float64, "val_acc_history")
    check(len(train) == len(val) > 0,
          f"histories: got {len(train)} training and {len(val)} validation values, expected as "
          "many of both")
    ax = new_axes(ax, (8, 4.5))
    epochs = np.arange(len(val)) + first_epoch
    marker = "." if len(val) < 15 else None
    ax.plot(epochs, train, color=BLUE, linewidth=2, marker=marker)
    ax.plot(epochs, val, color=ORANGE, linewidth=2, marker=marker)
    heights = spread([train[-1], val[-1]], 0.06 * max(np.ptp([train, val]), 1))
    ends = [f"Training {train[-1]:.1f} %", f"Validation {val[-1]:.1f} %"]
    for text, height, color in zip(ends, heights, (BLUE, ORANGE), strict=True):
        ax.annotate(text, (epochs[-1], height), xytext=(10, 0), color=color, va="center",
                    textcoords="offset points", fontsize=10, annotation_clip=False)
    best = int(val.argmax())
    ax.plot(epochs[best], val[best], "o", color=ORANGE, markersize=9, markeredgecolor="white",
            zorder=3)
    _count_epochs(ax)
    title = f"Accuracy: best on validation {val[best]:.1f} %, epoch {epochs[best]} (dot)"
    return finish_axes(ax, title, "Epoch", "Accuracy (%)")


def plot_loss(loss_history: Values, ax: Axes | None = None,
              iterations_per_epoch: float | None = None, window: int | None = None) -> Axes:
    """Plot the training loss of each step, and its running mean (figure 5 of the paper).

    loss_history            (steps,) floats; the title gives the number of those that aren't finite
    iterations_per_epoch    number of steps per epoch, if the axis is to count epochs
    window                  steps of the centered running mean; default: 1/100 of the history
    """
    loss = real_numbers(loss_history, np.float64, "loss_history")
    check(loss.ndim == 1 and len(loss) > 0,
          f"loss_history: got shape {loss.shape}, expected (steps,)")
    if window is None:
        window = max(len(loss) // 100, 1)
    window = min(whole_number(window, "window", 1), len(loss))
    ax = new_axes(ax, (8, 4.5))
    finite = np.isfinite(loss)
    x = (np.arange(len(loss)) + 1) / (iterations_per_epoch or 1)
    size, alpha = (3, 0.35) if len(loss) > 1000 else (6, 0.8)
    ax.plot(x[finite], loss[finite], ".", color=SKY, markersize=size, alpha=alpha, mew=0,
            label="each step")
    if window > 1:
        mean = _running_mean(loss, finite, window)
        ax.plot(x, mean, color=BLUE, linewidth=2, label=f"mean of {window:,} steps")
    ax.set_ylim(bottom=min(0, *ax.get_ylim()))
    ax.xaxis.set_major_formatter(grouped())
    ax.grid(axis="y", color=PALE, linewidth=0.8)
    legend = ax.legend(frameon=False, fontsize=10)
    for line in legend.get_lines():
        line.set(alpha=1, markersize=6)
    lost = "" if finite.all() else f" (not finite: {(~finite).sum():,} steps)"
    unit = "Epoch" if iterations_per_epoch else "Step"
    return finish_axes(ax, "Loss during training" + lost, unit, "Training loss")


def plot_curves(curves: Mapping[str, Values], ax: Axes | None = None, *, title: str,
                ylabel: str = "Accuracy (%)", xlabel: str = "Epoch",
                dashed: Mapping[str, Values] | None = None, first: int = 1, decimals: int = 1,
                limits: tuple[float, float] | None = None) -> Axes:
    """Plot one curve per name over epochs, with the name and the last value at its end.

    curves      {name: (E,) one value per epoch}, at most 8; lengths may differ
    dashed      {name: (E,)}, a second curve in the color of the first, such as training accuracy
    first       epoch of the first value
    decimals    of the value at the end of a curve
    limits      (low, high) of the vertical axis; default: all finite values
    """
    check(1 <= len(curves) <= len(COLOURS),
          f"curves: got {len(curves)}, expected 1 to {len(COLOURS)}")
    dashed = dashed or {}
    check(not set(dashed) - set(curves),
          f"dashed: got {sorted(dashed)}, expected names of curves")
    solid = {name: _one_per_epoch(values, f"curves[{name!r}]") for name, values in curves.items()}
    ax = new_axes(ax, (8, 4.5))
    for (name, values), color in zip(solid.items(), COLOURS, strict=False):
        epochs = np.arange(len(values)) + first
        ax.plot(epochs, values, color=color, linewidth=2, marker="." if len(values) < 15 else None)
        if name in dashed:
            second = _one_per_epoch(dashed[name], f"dashed[{name!r}]")
            ax.plot(np.arange(len(second)) + first, second, color=color, linewidth=1.2,
                    linestyle="--")
    if limits:
        ax.set_ylim(*limits)
    _name_ends(ax, solid, first, decimals)
    _count_epochs(ax)
    return finish_axes(ax, title, xlabel, ylabel)


def panels(count: int, size: tuple[float, float] = (7, 4.5)) -> list[Axes]:
    """Return count Axes side by side in a new Figure; size is that of a panel, in inches."""
    width, height = size
    figure = new_figure((count * width, height))
    return list(np.atleast_1d(figure.subplots(1, count)))


def _one_per_epoch(values: Values, name: str) -> Array:
    """Return values as float64; raises ValueError unless they are (E,) with E >= 1."""
    array: Array = real_numbers(values, np.float64, name)
    check(array.ndim == 1 and len(array) > 0,
          f"{name}: got shape {array.shape}, expected (epochs,)")
    return array


def _name_ends(ax: Axes, curves: Mapping[str, Array], first: int, decimals: int) -> None:
    """Write the name and the last value of each curve to the right of the longest one.

    The height is that of the last finite value; a curve without one is named at the top.
    """
    low, high = ax.get_ylim()
    wanted = []
    for values in curves.values():
        finite = values[np.isfinite(values)]
        wanted.append(finite[-1] if len(finite) else high)
    right = max(len(values) for values in curves.values()) - 1 + first
    heights = spread(np.clip(wanted, low, high), 0.055 * (high - low))
    for (name, values), height, color in zip(curves.items(), heights, COLOURS, strict=False):
        ax.annotate(f"{name} {values[-1]:.{decimals}f}", (right, height), xytext=(8, 0),
                    color=color, va="center", textcoords="offset points", fontsize=9,
                    annotation_clip=False)


def _count_epochs(ax: Axes) -> None:
    """Put integers on the horizontal axis, and lines of a grid behind the curves."""
    ax.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
    ax.grid(axis="y", color=PALE, linewidth=0.8)


def _running_mean(values: Array, valid: NDArray[np.bool_], window: int) -> Array:
    """Return the centered mean of the valid values in a window that is cut off at both ends.

    The mean is NaN where the window holds no valid value.
    """
    ones = np.ones(window)
    sums = np.convolve(np.where(valid, values, 0), ones, "same")
    counts = np.convolve(valid.astype(float), ones, "same")
    means = np.full(len(values), np.nan)
    np.divide(sums, counts, out=means, where=counts > 0.5)
    return means
