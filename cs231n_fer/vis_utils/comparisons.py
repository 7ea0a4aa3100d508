"""Figures that compare the results of several nets: with intervals, against cost, over settings.

As everywhere in vis_utils, a plot draws on ax, or on a new figure that a notebook shows below its
cell, and returns the Axes.
"""
from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.patheffects import withStroke
from matplotlib.ticker import LogLocator, NullLocator

from ..shapes import check
from .placement import spread
from .style import (
    BLUE,
    COLOURS,
    INK,
    ORANGE,
    PALE,
    SKY,
    finish_axes,
    grouped,
    legend_above,
    new_axes,
)

__all__ = ["plot_cost", "plot_groups", "plot_intervals", "plot_space"]


def plot_intervals(values: Mapping[str, Sequence[float]], ax: Axes | None = None, *, title: str,
                   xlabel: str = "Accuracy (%)",
                   reference: tuple[float, str] | None = None) -> Axes:
    """Plot a dot with its interval and its value for each name, the first name on top.

    values       {name: (value, low, high)}
    reference    (value, text): a dashed line to compare with, such as the paper's accuracy
    """
    check(len(values) > 0, "values: got none, expected at least one")
    ax = new_axes(ax, (8, 0.45 * len(values) + 1.8))
    for row, (value, low, high) in enumerate(values.values()):
        ax.plot([low, high], [row, row], color=BLUE, linewidth=2, solid_capstyle="butt")
        ax.plot(value, row, "o", color=BLUE, markersize=7)
        ax.annotate(f"{value:.1f}", (value, row), xytext=(0, 6), textcoords="offset points",
                    ha="center", fontsize=9, color=INK)
    if reference:
        x, text = reference
        ax.axvline(x, color=ORANGE, linestyle="--", linewidth=1.5)
        ax.annotate(text, (x, 0), xycoords=("data", "axes fraction"), xytext=(4, 4), fontsize=9,
                    textcoords="offset points", color=ORANGE)
    _name_rows(ax, list(values), -0.7)
    return finish_axes(ax, title, xlabel, "")


def plot_groups(groups: Mapping[str, Mapping[str, Sequence[float]]], ax: Axes | None = None, *,
                title: str, xlabel: str, reference: tuple[float, str] | None = None,
                decimals: int = 0) -> Axes:
    """Plot dots with intervals as plot_intervals does, several per name: one for each series.

    groups       {name: {series: (value, low, high)}}, at most 8 series; NaN is not drawn
    reference    (value, text): a dashed line to compare with, such as chance
    decimals     of the value beside a dot
    """
    series = list(dict.fromkeys(key for group in groups.values() for key in group))
    check(1 <= len(series) <= len(COLOURS),
          f"groups: got {len(series)} series, expected 1 to {len(COLOURS)}")
    ax = new_axes(ax, (8, 0.24 * len(groups) * (len(series) + 0.8) + 1.8))
    spacing = 0.8 / len(series)
    for k, (name, color) in enumerate(zip(series, COLOURS, strict=False)):
        found = [(row, *group[name]) for row, group in enumerate(groups.values()) if name in group]
        rows, values, lows, highs = np.array(found, float).T
        rows += (k + 0.5) * spacing - 0.4
        ax.hlines(rows, lows, highs, color=color, linewidth=2)
        ax.plot(values, rows, "o", color=color, markersize=5, label=name)
        for row, value, high in zip(rows, values, highs, strict=True):
            if np.isfinite(value):
                rounded = round(value, decimals) + 0  # -0.0 becomes 0.0
                ax.annotate(f"{rounded:.{decimals}f}", (high, row), xytext=(5, 0), color=color,
                            textcoords="offset points", va="center", fontsize=8)
    ax.margins(x=0.08)
    if reference:
        x, text = reference
        ax.axvline(x, color=INK, linestyle="--", linewidth=1.2)
        ax.annotate(text, (x, 1), xycoords=("data", "axes fraction"), xytext=(4, -2), fontsize=9,
                    textcoords="offset points", va="top", color=INK)
    _name_rows(ax, list(groups), -0.9)
    legend_above(ax, 10)
    return finish_axes(ax, title, xlabel, "", pad=32)


def plot_cost(points: Mapping[str, Sequence[float]], ax: Axes | None = None, *, title: str,
              xlabel: str, ylabel: str = "Accuracy (%)") -> Axes:
    """Plot accuracy with its interval against cost on a logarithmic axis, each point with its name.

    points    {name: (cost, value, low, high)}, costs above 0
    """
    given = [cost for cost, *_ in points.values()]
    check(len(given) > 0 and all(cost > 0 for cost in given),
          f"points: got costs {given}, expected at least one, all above 0")
    ax = new_axes(ax, (8, 4.5))
    costs, values, lows, highs = np.array(list(points.values()), float).T
    ax.vlines(costs, lows, highs, color=SKY, linewidth=2)
    ax.plot(costs, values, "o", color=BLUE, markersize=7, zorder=4)
    ax.set_xscale("log")
    ax.margins(x=0.15)
    middle = np.exp(np.log(ax.get_xlim()).mean())
    low, high = ax.get_ylim()
    heights = spread(values, 0.055 * abs(high - low))
    for name, cost, height in zip(points, costs, heights, strict=True):
        left = cost > middle  # there is more room for a name on the left of this point
        ax.annotate(name, (cost, height), xytext=(-8 if left else 8, 0), va="center",
                    ha="right" if left else "left", textcoords="offset points", fontsize=9,
                    color=INK, zorder=3,  # above the lines, below the points
                    path_effects=[withStroke(linewidth=3, foreground="white")])
    ax.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    ax.xaxis.set_minor_locator(NullLocator())
    ax.xaxis.set_major_formatter(grouped())
    ax.grid(color=PALE, linewidth=0.8)
    return finish_axes(ax, title, xlabel, ylabel)


def plot_space(trials: Sequence[Sequence[float]], ax: Axes | None = None, *, title: str,
               xlabel: str, ylabel: str, log: tuple[bool, bool] = (True, True),
               reference: tuple[float, float, str] | None = None) -> Axes:
    """Plot the trials of a search at their settings, colored by accuracy, sized by epochs.

    trials       [(x, y, accuracy in percent, epochs)], in any order; the best are drawn on top
    log          whether the horizontal and the vertical axis are logarithmic
    reference    (x, y, text): a point to compare with, such as the paper's settings
    """
    check(len(trials) > 0, "trials: got none, expected at least one")
    ax = new_axes(ax, (7, 4.5))
    x, y, accuracies, epochs = np.array(sorted(trials, key=lambda trial: trial[2]), float).T
    check(epochs.min() >= 1, f"trials: got {epochs.min():g} epochs, expected at least 1")
    areas = 200 * (1 + np.log(epochs)) / (1 + np.log(epochs.max()))  # in square points
    spots = ax.scatter(x, y, areas, accuracies, cmap="viridis", edgecolors=INK, linewidths=0.6,
                       zorder=3)
    bar = ax.figure.colorbar(spots, ax=ax, label="Best accuracy (%)", pad=0.02)
    bar.outline.set_visible(False)
    for length in np.unique(epochs):
        unit = "epochs" if length > 1 else "epoch"
        ax.scatter([], [], areas[epochs == length][0], PALE, edgecolors=INK, linewidths=0.6,
                   label=f"{length:g} {unit}")
    legend_above(ax)
    ax.set_xscale("log" if log[0] else "linear")
    ax.set_yscale("log" if log[1] else "linear")
    if reference:
        at_x, at_y, text = reference
        ax.axvline(at_x, color=ORANGE, linewidth=1, linestyle="--", zorder=1)
        ax.axhline(at_y, color=ORANGE, linewidth=1, linestyle="--", zorder=1)
        ax.annotate(text, (at_x, at_y), xytext=(9, 6), textcoords="offset points", color=ORANGE,
                    fontsize=9)
    ax.grid(color=PALE, linewidth=0.8, zorder=0)
    return finish_axes(ax, title, xlabel, ylabel, pad=28)


def _name_rows(ax: Axes, names: list[str], top: float) -> None:
    """Write a name on the left of each row, the first on top, and draw vertical grid lines."""
    ax.set_yticks(range(len(names)), names)
    ax.set_ylim(len(names) - 0.4, top)
    ax.tick_params(axis="y", length=0)
    ax.grid(axis="x", color=PALE, linewidth=0.8)
