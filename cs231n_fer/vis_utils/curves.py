"""Figures of trainings: accuracy and loss of one, and several compared: over epochs, with intervals, against cost.

As in vis_utils, every plot takes ax=None, returns its Axes and never shows or keeps anything. Names stand beside what
they name, so that nobody has to look colours up in a legend.
"""
import numpy as np
from matplotlib.patheffects import withStroke
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullLocator

from ..shapes import check
from .figures import BLUE, INK, ORANGE, PALE, SKY, finish_axes, new_axes, new_figure

COLOURS = (BLUE, ORANGE, "#009E73", "#CC79A7", SKY, "#E69F00", INK, "#8A8A8A")  # Okabe & Ito 2008, and two greys


def plot_accuracy(train_acc_history, val_acc_history, ax=None, first_epoch=0):
    """Training and validation accuracy over epochs (figure 4 of the paper), the best epoch marked.

    histories      equally long sequences of fractions 0..1, one per epoch; of equal bests the first is marked
    first_epoch    number of the first entry: 0 if it was taken before training, else 1
    """
    train, val = 100 * np.asarray(train_acc_history, float), 100 * np.asarray(val_acc_history, float)
    check(len(train) == len(val) > 0,
          f"histories: got {len(train)} training and {len(val)} validation values, expected as many of both")
    ax = new_axes(ax, (8, 4.5))
    epochs = np.arange(len(val)) + first_epoch
    ends = spread([train[-1], val[-1]], 0.06 * max(np.ptp([train, val]), 1))
    lines = ("Training", train, ends[0], BLUE), ("Validation", val, ends[1], ORANGE)
    for name, values, end, colour in lines:
        ax.plot(epochs, values, color=colour, linewidth=2, marker="." if len(val) < 15 else None)
        ax.annotate(f"{name} {values[-1]:.1f} %", (epochs[-1], end), xytext=(10, 0), color=colour,
                    textcoords="offset points", va="center", fontsize=10, annotation_clip=False)
    best = int(val.argmax())
    ax.plot(epochs[best], val[best], "o", color=ORANGE, markersize=9, markeredgecolor="white", zorder=3)
    ax.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
    ax.grid(axis="y", color=PALE, linewidth=0.8)
    return finish_axes(ax, f"Accuracy: best on validation {val[best]:.1f} %, epoch {epochs[best]} (dot)",
                       "Epoch", "Accuracy (%)")


def plot_loss(loss_history, ax=None, iterations_per_epoch=None, window=None):
    """Training loss of every step as points, and its running mean as a curve (figure 5 of the paper).

    loss_history            sequence of floats, one per step; non-finite ones are counted in the title
    iterations_per_epoch    if given, the axis counts epochs
    window                  steps of the centred running mean; default 1/100 of the history
    """
    loss = np.asarray(loss_history, float)
    check(loss.ndim == 1 and len(loss) > 0, f"loss_history: got shape {loss.shape}, expected (steps,)")
    ax = new_axes(ax, (8, 4.5))
    window = min(window or max(len(loss) // 100, 1), len(loss))
    finite = np.isfinite(loss)
    x = (np.arange(len(loss)) + 1) / (iterations_per_epoch or 1)
    size, alpha = (3, 0.35) if len(loss) > 1000 else (6, 0.8)
    ax.plot(x[finite], loss[finite], ".", color=SKY, markersize=size, alpha=alpha, mew=0, label="each step")
    if window > 1:
        mean = _running_mean(loss, finite, window)
        ax.plot(x, mean, color=BLUE, linewidth=2, label=f"mean of {window:,} steps")
    ax.set_ylim(bottom=min(0, *ax.get_ylim()))
    ax.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.12g}"))
    ax.grid(axis="y", color=PALE, linewidth=0.8)
    legend = ax.legend(frameon=False, fontsize=10)
    for handle in legend.legend_handles:
        handle.set(alpha=1, markersize=6)
    lost = f" (not finite: {(~finite).sum():,} steps)" if not finite.all() else ""
    unit = "Epoch" if iterations_per_epoch else "Step"
    return finish_axes(ax, "Loss during training" + lost, unit, "Training loss")


def panels(count, size=(7, 4.5)):
    """Return a list of so many Axes side by side in one new Figure, each of size (width, height) in inches."""
    figure = new_figure((count * size[0], size[1]))
    return list(np.atleast_1d(figure.subplots(1, count)))


def plot_curves(curves, ax=None, *, title, ylabel="Accuracy (%)", xlabel="Epoch", dashed=None, first=1, decimals=1,
                limits=None):
    """One curve for each name, over epochs, the name and the last value at its end.

    curves     {name: values, one an epoch, the first of epoch `first`}; at most 8; lengths may differ
    dashed     the same for a second curve in the colour of the first, such as training beside validation
    decimals   of the value at the end of a curve
    limits     (low, high) of the vertical axis; default: all that is finite
    """
    check(1 <= len(curves) <= len(COLOURS), f"curves: got {len(curves)}, expected 1 to {len(COLOURS)}")
    check(not set(dashed or {}) - set(curves), f"dashed: got {sorted(dashed or {})}, expected names of curves")
    ax = new_axes(ax, (8, 4.5))
    curves = {name: np.asarray(values, float) for name, values in curves.items()}
    for (name, values), colour in zip(curves.items(), COLOURS, strict=False):
        check(values.ndim == 1 and len(values) > 0, f"curves[{name!r}]: got shape {values.shape}, expected (epochs,)")
        marker = "." if len(values) < 15 else None
        ax.plot(np.arange(len(values)) + first, values, color=colour, linewidth=2, marker=marker)
        if dashed and name in dashed:
            ax.plot(np.arange(len(dashed[name])) + first, dashed[name], color=colour, linewidth=1.2, linestyle="--")
    if limits:
        ax.set_ylim(*limits)
    low, high = ax.get_ylim()
    ends = np.clip([values[np.isfinite(values)][-1] if np.isfinite(values).any() else high
                    for values in curves.values()], low, high)
    right = max(len(values) for values in curves.values()) - 1 + first
    heights = spread(ends, 0.055 * (high - low))
    for (name, values), height, colour in zip(curves.items(), heights, COLOURS, strict=False):
        ax.annotate(f"{name} {values[-1]:.{decimals}f}", (right, height), xytext=(8, 0), color=colour, va="center",
                    textcoords="offset points", fontsize=9, annotation_clip=False)
    ax.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
    ax.grid(axis="y", color=PALE, linewidth=0.8)
    return finish_axes(ax, title, xlabel, ylabel)


def plot_intervals(values, ax=None, *, title, xlabel="Accuracy (%)", reference=None):
    """A dot for each name, first one on top, with its interval and its value; intervals need no axis from zero.

    values      {name: (value, low, high)}
    reference   (value, text): a dashed line to compare with, such as the paper's accuracy
    """
    check(len(values) > 0, "values: got none, expected at least one")
    ax = new_axes(ax, (8, 0.45 * len(values) + 1.8))
    for row, (value, low, high) in enumerate(values.values()):
        ax.plot([low, high], [row, row], color=BLUE, linewidth=2, solid_capstyle="butt")
        ax.plot(value, row, "o", color=BLUE, markersize=7)
        ax.annotate(f"{value:.1f}", (value, row), xytext=(0, 6), textcoords="offset points", ha="center", fontsize=9,
                    color=INK)
    if reference:
        ax.axvline(reference[0], color=ORANGE, linestyle="--", linewidth=1.5)
        ax.annotate(reference[1], (reference[0], 0), xycoords=("data", "axes fraction"), xytext=(4, 4), fontsize=9,
                    textcoords="offset points", color=ORANGE)
    ax.set_yticks(range(len(values)), list(values))
    ax.set_ylim(len(values) - 0.4, -0.7)
    ax.tick_params(axis="y", length=0)
    ax.grid(axis="x", color=PALE, linewidth=0.8)
    return finish_axes(ax, title, xlabel, "")


def plot_groups(groups, ax=None, *, title, xlabel, reference=None, decimals=0):
    """Dots with intervals as in plot_intervals, several for each name: one for each series, in its colour.

    groups      {name: {series: (value, low, high)}}, at most 8 series; nan leaves a place empty
    reference   (value, text): a dashed line to compare with, such as chance
    """
    series = list(dict.fromkeys(key for group in groups.values() for key in group))
    check(1 <= len(series) <= len(COLOURS), f"groups: got {len(series)} series, expected 1 to {len(COLOURS)}")
    ax = new_axes(ax, (8, 0.24 * len(groups) * (len(series) + 0.8) + 1.8))
    step = 0.8 / len(series)
    for k, (name, colour) in enumerate(zip(series, COLOURS, strict=False)):
        found = [(row, *group[name]) for row, group in enumerate(groups.values()) if name in group]
        rows, values, lows, highs = np.array(found, float).T
        rows += (k + 0.5) * step - 0.4
        ax.hlines(rows, lows, highs, color=colour, linewidth=2)
        ax.plot(values, rows, "o", color=colour, markersize=5, label=name)
        for row, value, high in zip(rows, values, highs, strict=True):
            if np.isfinite(value):
                ax.annotate(f"{round(value, decimals) + 0:.{decimals}f}", (high, row), xytext=(5, 0),  # no "-0"
                            textcoords="offset points", va="center", fontsize=8, color=colour)
    ax.margins(x=0.08)
    if reference:
        ax.axvline(reference[0], color=INK, linestyle="--", linewidth=1.2)
        ax.annotate(reference[1], (reference[0], 1), xycoords=("data", "axes fraction"), xytext=(4, -2), fontsize=9,
                    textcoords="offset points", va="top", color=INK)
    ax.set_yticks(range(len(groups)), list(groups))
    ax.set_ylim(len(groups) - 0.4, -0.9)
    ax.tick_params(axis="y", length=0)
    ax.grid(axis="x", color=PALE, linewidth=0.8)
    ax.legend(frameon=False, fontsize=10, ncols=4, loc="lower left", bbox_to_anchor=(0, 1), borderaxespad=0.2)
    return finish_axes(ax, title, xlabel, "", pad=32)


def plot_cost(points, ax=None, *, title, xlabel, ylabel="Accuracy (%)"):
    """Accuracy against what it costs, the cost on a logarithmic axis, each point with its name and interval.

    points   {name: (cost, value, low, high)}, costs above 0
    """
    check(points and all(cost > 0 for cost, *_ in points.values()),
          f"points: got costs {[cost for cost, *_ in points.values()]}, expected at least one, all above 0")
    ax = new_axes(ax, (8, 4.5))
    costs, values, lows, highs = np.array(list(points.values()), float).T
    ax.vlines(costs, lows, highs, color=SKY, linewidth=2)
    ax.plot(costs, values, "o", color=BLUE, markersize=7, zorder=4)
    ax.set_xscale("log")
    ax.margins(x=0.15)
    middle, heights = np.exp(np.log(ax.get_xlim()).mean()), spread(values, 0.055 * np.ptp(ax.get_ylim()))
    for name, cost, height in zip(points, costs, heights, strict=True):
        left = cost > middle  # where there is room for a name
        ax.annotate(name, (cost, height), xytext=(-8 if left else 8, 0), textcoords="offset points", va="center",
                    ha="right" if left else "left", fontsize=9, color=INK,
                    zorder=3,  # between lines and points
                    path_effects=[withStroke(linewidth=3, foreground="white")])
    ax.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    ax.xaxis.set_minor_locator(NullLocator())
    ax.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.12g}"))
    ax.grid(color=PALE, linewidth=0.8)
    return finish_axes(ax, title, xlabel, ylabel)


def plot_space(trials, ax=None, *, title, xlabel, ylabel, log=(True, True), reference=None):
    """Trials of a search where their settings lie, coloured by their accuracy, the larger the longer their training.

    trials      [(x, y, accuracy in percent, epochs), ...], in any order; the best are drawn on top
    log         whether each of the two axes is logarithmic
    reference   (x, y, text): a point to compare with, such as the paper's
    """
    check(len(trials) > 0, "trials: got none, expected at least one")
    ax = new_axes(ax, (7, 4.5))
    x, y, accuracies, epochs = np.array(sorted(trials, key=lambda trial: trial[2]), float).T
    check(epochs.min() >= 1, f"trials: got {epochs.min():g} epochs, expected at least 1")
    areas = 200 * (1 + np.log(epochs)) / (1 + np.log(epochs.max()))  # in square points
    spots = ax.scatter(x, y, areas, accuracies, cmap="viridis", edgecolors=INK, linewidths=0.6, zorder=3)
    ax.figure.colorbar(spots, ax=ax, label="Best accuracy (%)", pad=0.02).outline.set_visible(False)
    for length in np.unique(epochs):
        ax.scatter([], [], areas[epochs == length][0], PALE, edgecolors=INK, linewidths=0.6,
                   label=f"{length:g} epoch" + ("s" if length > 1 else ""))
    ax.legend(frameon=False, fontsize=9, ncols=4, loc="lower left", bbox_to_anchor=(0, 1), borderaxespad=0.2)
    for scale, set_scale in zip(log, (ax.set_xscale, ax.set_yscale), strict=True):
        set_scale("log" if scale else "linear")
    if reference:
        for line, at in ((ax.axvline, reference[0]), (ax.axhline, reference[1])):
            line(at, color=ORANGE, linewidth=1, linestyle="--", zorder=1)
        ax.annotate(reference[2], reference[:2], xytext=(9, 6), textcoords="offset points", color=ORANGE, fontsize=9)
    ax.grid(color=PALE, linewidth=0.8, zorder=0)
    return finish_axes(ax, title, xlabel, ylabel, pad=28)


def spread(values, gap):
    """Return heights near the values, in their order, at least gap apart: neighbours that collide share their mean."""
    order = np.argsort(values, kind="stable")
    groups = []  # [sum of (value - place in the group * gap), size]: where the group's lowest label goes, times size
    for value in np.asarray(values, float)[order]:
        groups.append([value, 1])
        while len(groups) > 1 and groups[-1][0] / groups[-1][1] < groups[-2][0] / groups[-2][1] + groups[-2][1] * gap:
            total, size = groups.pop()
            groups[-1][0] += total - size * groups[-1][1] * gap
            groups[-1][1] += size
    heights = np.empty(len(order))
    heights[order] = [total / size + place * gap for total, size in groups for place in range(size)]
    return heights


def _running_mean(values, valid, window):
    """Centred mean over the valid values in a window that shrinks at both ends; nan where it holds none."""
    ones = np.ones(window)
    sums = np.convolve(np.where(valid, values, 0), ones, "same")
    counts = np.convolve(valid.astype(float), ones, "same")
    return np.divide(sums, counts, out=np.full(len(values), np.nan), where=counts > 0.5)
