"""Figures: every plot takes ax=None, returns its Axes and never shows or keeps anything.

Figures are built from matplotlib.figure.Figure, not from pyplot: no display, no global state, no leak.
Colours are those of Okabe & Ito 2008, which stay apart for colour-blind readers.
"""

from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from ..analysis.metrics import per_class_accuracy, wilson_interval
from ..shapes import check

BLUE, ORANGE, SKY = "#0072B2", "#D55E00", "#56B4E9"
GREY, PALE, INK = "#B8B8B8", "#E6E6E6", "#333333"
SPLIT_COLOURS = (BLUE, SKY, GREY, ORANGE)

# Table 1 of the paper: people naming facial expressions (Ekman), in percent, under FER2013's names.
EKMAN = {"Anger": 88.9, "Disgust": 92.3, "Fear": 87.7, "Happy": 98.7, "Sad": 89.2, "Surprise": 92.4,
         "Neutral": 91.6}
# Section 5.2 of the paper: its authors guessing 100 faces of FER2013 each, in percent.
HUMAN_FER2013 = 63.4


def save_figure(figure, path):
    """Write a Figure, or the Figure of an Axes, to path at 150 dpi; makes its folders; returns the Path."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    root = figure.figure.figure  # Axes -> (Sub)Figure -> Figure; a Figure is its own .figure
    root.savefig(path, dpi=150, facecolor="white")
    return path


def visualize_grid(Xs, ubound=255.0, padding=1):
    """Tile images in a square grid, each stretched to the range 0..ubound (as in the CS231n course).

    Xs         (N, H, W, C)
    padding    black pixels between images
    Returns    (H', W', C) float64; a constant image becomes black, unused cells stay black.
    """
    Xs = np.asarray(Xs)
    check(Xs.ndim == 4 and len(Xs) > 0, f"Xs: got shape {Xs.shape}, expected (N, H, W, C) with N >= 1")
    N, H, W, C = Xs.shape
    side = int(np.ceil(np.sqrt(N)))
    grid = np.zeros((side * (H + padding) - padding, side * (W + padding) - padding, C))
    for n, image in enumerate(Xs):
        top, left = n // side * (H + padding), n % side * (W + padding)
        low, high = float(image.min()), float(image.max())
        grid[top:top + H, left:left + W] = ubound * (image - low) / (high - low) if high > low else 0
    return grid


def plot_class_distribution(counts, names, ax=None):
    """Share of each class in each split (figure 1 of the paper), with the number of faces under each class.

    counts    dict split name -> (C,) images per class
    names     C class names
    """
    counts = {split: np.asarray(values) for split, values in counts.items()}
    for split, values in counts.items():
        check(values.shape == (len(names),),
              f"counts[{split!r}]: got shape {values.shape}, expected ({len(names)},), one per name")
    ax = new_axes(ax, (9, 4.5))
    width = 0.8 / len(counts)
    for i, (split, values) in enumerate(counts.items()):
        centres = np.arange(len(names)) + (i - (len(counts) - 1) / 2) * width
        shares = 100 * values / max(values.sum(), 1)
        ax.bar(centres, shares, 0.9 * width, color=SPLIT_COLOURS[i % 4], label=f"{split} ({values.sum():,})")
        for x, share in zip(centres, shares, strict=True):
            ax.text(x, share + 0.2, f"{share:.1f}", ha="center", va="bottom", fontsize=7, color=INK)
    totals = sum(counts.values())
    labels = [f"{name}\n{total:,}" for name, total in zip(names, totals, strict=True)]
    ax.set_xticks(range(len(names)), labels)
    ax.tick_params(axis="x", length=0)
    ax.legend(frameon=False, fontsize=9, ncols=4, loc="lower left", bbox_to_anchor=(0, 1), borderaxespad=0.2)
    return finish_axes(ax, f"Class distribution of {totals.sum():,} labelled faces",
                       "Emotion and number of faces", "Share of the split (%)", pad=32)


def plot_examples(images, labels, names, ax=None, rows=4):
    """The first faces of each class (figure 2 of the paper): one column per class, at most `rows` faces each.

    images    (N, H, W) uint8
    labels    (N,) integer classes
    """
    images, labels = np.asarray(images), np.asarray(labels)
    _check_faces(images, labels, "labels", names)
    ax = new_axes(ax, (1.25 * len(names), 1.25 * rows + 0.6))
    for column, name in enumerate(names):
        for row, image in enumerate(images[labels == column][:rows]):
            _tile(ax, image, 1.06 * column, 1.06 * row, cmap="gray", vmin=0, vmax=255)
        ax.text(1.06 * column + 0.5, -0.06, name, ha="center", va="bottom", fontsize=11, color=INK)
    return _finish_tiles(ax, 1.06 * len(names) - 0.06, 1.06 * rows - 0.06, 0.3, "Examples of each emotion")


def plot_confusion(confusion, names, ax=None):
    """Confusion matrix (figure 6 of the paper): rows true, columns predicted, cells with count and share.

    confusion    (C, C) integer counts
    """
    confusion = np.asarray(confusion)
    check(confusion.shape == (len(names),) * 2,
          f"confusion: got shape {confusion.shape}, expected {(len(names),) * 2}, a row per name")
    ax = new_axes(ax, (7.7, 6.8))
    totals = confusion.sum(axis=1)
    shares = confusion / np.maximum(totals, 1)[:, None]
    ax.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    for (i, j), share in np.ndenumerate(shares):
        colour = "white" if share > 0.6 else INK
        ax.text(j, i - 0.13, f"{confusion[i, j]:,}", ha="center", va="center", color=colour, fontsize=11,
                fontweight="bold" if i == j else "normal")
        ax.text(j, i + 0.2, f"{100 * share:.0f} %" if totals[i] else "–", ha="center", va="center",
                color=colour, fontsize=9)
    ax.set_xticks(range(len(names)), names)
    rows = [f"{name} ({total:,})" for name, total in zip(names, totals, strict=True)]
    ax.set_yticks(range(len(names)), rows)
    ax.set_xticks(np.arange(len(names) - 1) + 0.5, minor=True)
    ax.set_yticks(np.arange(len(names) - 1) + 0.5, minor=True)
    ax.grid(which="minor", color="white", linewidth=1.5)
    ax.tick_params(which="both", length=0)
    right = 100 * np.trace(confusion) / max(confusion.sum(), 1)
    finish_axes(ax, f"Confusion matrix: {right:.1f} % of {confusion.sum():,} faces right",
                "Predicted emotion (faces, share of the true emotion)", "True emotion (faces)")
    ax.spines[:].set_visible(False)
    return ax


def plot_saliency(images, maps, predicted, names, labels=None, reacts_to=None, ax=None, columns=4):
    """Pairs of face and saliency map (figure 7 of the paper), with true, predicted and explained class.

    images       (N, H, W) uint8
    maps         (N, H, W) saliency, >= 0; each is scaled to its own 99.5th percentile
    predicted    (N,) integer classes that the net says
    labels       (N,) integer true classes, or None where they are unknown
    reacts_to    (N,) integer classes whose score the map explains; default: the predicted ones
    columns      pairs side by side
    """
    images, maps = np.asarray(images), np.asarray(maps)
    reacts_to = predicted if reacts_to is None else reacts_to
    check(maps.shape == images.shape, f"maps: got shape {maps.shape}, expected {images.shape} as images")
    for argument, values in (("predicted", predicted), ("labels", labels), ("reacts_to", reacts_to)):
        if values is not None:
            _check_faces(images, np.asarray(values), argument, names)
    columns = min(columns, len(images))
    rows = -(-len(images) // columns)
    width, height = 2.25, 1.55
    ax = new_axes(ax, (1.35 * width * max(columns, 2), 1.35 * height * rows + 0.4))
    for n in range(len(images)):
        x, y = n % columns * width, n // columns * height
        _tile(ax, images[n], x, y, cmap="gray", vmin=0, vmax=255)
        _tile(ax, maps[n], x + 1.03, y, cmap="magma", vmin=0, vmax=max(np.percentile(maps[n], 99.5), 1e-30))
        true = "" if labels is None else f"true {names[labels[n]]}\n"
        colour = INK if labels is None else BLUE if labels[n] == predicted[n] else ORANGE
        ax.text(x, y - 0.04, f"{true}predicted {names[predicted[n]]}", ha="left", va="bottom", fontsize=9,
                color=colour)
        ax.text(x + 1.03, y - 0.04, f"moves score of\n{names[reacts_to[n]]}", ha="left", va="bottom",
                fontsize=9, color=INK)
    return _finish_tiles(ax, width * max(columns, 2) - 0.22, height * rows - 0.55, 0.42,
                         "Saliency: pixels that move the score most")


def plot_tiles(tiles, rows, columns, ax=None, *, title, cmaps):
    """A table of small pictures, each column in its own colours.

    tiles      (R, C, H, W); in a "gray" column 0 is black and 255 white, in others each tile has a range of its own,
               from 0 to its 99.5th percentile
    rows, columns   R and C names
    cmaps      C names of colour maps
    """
    tiles = np.asarray(tiles)
    check(tiles.ndim == 4 and tiles.shape[:2] == (len(rows), len(columns)) and len(cmaps) == len(columns),
          f"tiles: got shape {tiles.shape}, expected ({len(rows)}, {len(columns)}, H, W) and as many cmaps as columns")
    ax = new_axes(ax, (1.1 * len(columns) + 1.3, 1.1 * len(rows) + 0.9))
    for (row, column), tile in ((index, tiles[index]) for index in np.ndindex(*tiles.shape[:2])):
        highest = 255 if cmaps[column] == "gray" else max(np.percentile(tile, 99.5), 1e-30)
        _tile(ax, tile, 1.06 * column, 1.06 * row, cmap=cmaps[column], vmin=0, vmax=highest)
    for column, name in enumerate(columns):
        ax.text(1.06 * column + 0.5, -0.06, name, ha="center", va="bottom", fontsize=9, color=INK)
    for row, name in enumerate(rows):
        ax.text(-0.08, 1.06 * row + 0.5, name, ha="right", va="center", fontsize=10, color=INK)
    return _finish_tiles(ax, 1.06 * len(columns) - 0.06, 1.06 * len(rows) - 0.06, 0.4, title)


def plot_human_comparison(confusion, names, ax=None, dataset="FER2013", confidence=0.95, voters=None):
    """Accuracy of each emotion beside the human figures of the paper (figure 8, table 1 and section 5.2).

    confusion    (C, C) integer counts, rows true; bars carry Wilson intervals
    dataset      name of the faces that the net saw, for the legend
    voters       (C, 3) accuracy of people on the same faces and its interval, in percent; None where nobody was asked
    """
    confusion = np.asarray(confusion)
    accuracies, totals = 100 * per_class_accuracy(confusion), confusion.sum(axis=1)
    check(len(names) == len(totals), f"names: got {len(names)}, expected {len(totals)}, one per row")
    ekman = np.repeat([[EKMAN.get(name, np.nan)] for name in names], 3, axis=1)
    interval = [100 * bound for bound in wilson_interval(np.diag(confusion), totals, confidence)]
    groups = [(f"Net on {dataset} ({100 * confidence:g} % interval)", np.stack([accuracies, *interval], axis=1), BLUE)]
    if voters is not None:
        check(np.shape(voters) == ekman.shape, f"voters: got shape {np.shape(voters)}, expected {ekman.shape}")
        groups.append((f"People on {dataset}", np.asarray(voters), SKY))
    groups.append(("People in Ekman's study", ekman, GREY))
    ax = new_axes(ax, (9, 4.8) if voters is None else (11, 4.8))
    for place, (label, values, colour) in enumerate(groups):
        _bars(ax, np.arange(len(names)) + 0.8 * ((place + 0.5) / len(groups) - 0.5), values, 0.76 / len(groups), colour,
              label)
    ax.axhline(HUMAN_FER2013, color=ORANGE, linestyle="--", linewidth=1.5)
    ax.annotate(f"The paper's\nauthors on\nFER2013\n{HUMAN_FER2013} %", (1, HUMAN_FER2013), xytext=(6, 0),
                color=ORANGE, xycoords=("axes fraction", "data"), textcoords="offset points", va="center", fontsize=10)
    ax.set_xticks(range(len(names)), names)
    ax.tick_params(axis="x", length=0)
    ax.set_ylim(0, 100)
    ax.legend(frameon=False, fontsize=10, ncols=3, loc="lower left", bbox_to_anchor=(0, 1), borderaxespad=0.2)
    right = 100 * np.trace(confusion) / max(confusion.sum(), 1)
    title = f"Accuracy per emotion beside people ({right:.1f} % overall)"
    return finish_axes(ax, title, "Emotion", "Accuracy (%)", pad=32)


def _bars(ax, x, values, width, colour, label):
    """Bars of (value, low, high) with the value written at the foot, above the interval of a bar too short for it."""
    ax.bar(x, values[:, 0], width, color=colour, label=label)
    for place, (value, low, high) in zip(x, values, strict=True):
        inside = value > 10 and colour == BLUE
        height = 1.5 if value > 10 or not np.isfinite(value) else high + 1.5
        ax.text(place, height, f"{value:.1f}" if np.isfinite(value) else "none", ha="center", fontsize=8,
                color="white" if inside else INK)
        if high > low and np.isfinite(value):
            ax.vlines(place, low, high, color=INK, linewidth=1.5)


def new_figure(size):
    """A Figure of size (width, height) in inches."""
    figure = Figure(figsize=size, dpi=150, layout="constrained")
    figure.get_layout_engine().set(w_pad=0.15, h_pad=0.15)
    return figure


def new_axes(ax, size):
    """The Axes given, or those of a new Figure of size (width, height) in inches."""
    return new_figure(size).subplots() if ax is None else ax


def finish_axes(ax, title, xlabel, ylabel, pad=12):
    """Give Axes their title and labels in the style of all figures."""
    ax.set_title(title, loc="left", fontsize=13, fontweight="bold", color=INK, pad=pad)
    ax.set_xlabel(xlabel, fontsize=11, color=INK)
    ax.set_ylabel(ylabel, fontsize=11, color=INK)
    ax.spines[["top", "right"]].set_visible(False)
    ax.set_axisbelow(True)
    return ax


def _tile(ax, image, left, top, **kwargs):
    ax.imshow(image, extent=(left, left + 1, top + 1, top), interpolation="nearest", **kwargs)


def _finish_tiles(ax, width, height, caption, title):
    ax.set(xlim=(0, width), ylim=(height, -caption), aspect="equal")
    ax.set_axis_off()
    ax.set_title(title, loc="left", fontsize=13, fontweight="bold", color=INK)
    return ax


def _check_faces(images, labels, argument, names):
    check(images.ndim == 3 and len(images) > 0, f"images: got shape {images.shape}, expected (N, H, W)")
    check(images.dtype == np.uint8, f"images: got dtype {images.dtype}, expected uint8 grey values 0 to 255")
    check(labels.shape == images.shape[:1],
          f"{argument}: got shape {labels.shape}, expected {images.shape[:1]}, one per image")
    check(0 <= labels.min() and labels.max() < len(names),
          f"{argument}: got {labels.min()} to {labels.max()}, expected 0 to {len(names) - 1}")
