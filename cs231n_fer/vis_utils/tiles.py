"""Figures made of small pictures: examples of the classes, faces beside their saliency maps.

As everywhere in vis_utils, a plot draws on ax, or on a new figure that a notebook shows below its
cell, and returns the Axes.
"""
from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from numpy.typing import NDArray

from ..shapes import check, plain_array
from ..types import Array, Labels, Pixels
from .style import BLUE, INK, MUTED, ORANGE, legend_above, new_axes

__all__ = ["plot_examples", "plot_saliency", "plot_tiles", "visualize_grid"]

SPACING = 1.06  # distance between the left edges of neighboring tiles, in widths of a tile


def visualize_grid(Xs: NDArray[Any], ubound: float = 255.0, padding: int = 1) -> Array:
    """Return images tiled in a square grid, as in the CS231n course.

    Xs         (N, H, W, C); each image is stretched to the range 0 to ubound
    padding    black pixels between images
    Returns    (H', W', C) float64; a constant image is black, and so are unused cells.
    """
    images = plain_array(Xs, "Xs")
    check(images.ndim == 4 and len(images) > 0,
          f"Xs: got shape {images.shape}, expected (N, H, W, C) with N >= 1")
    N, H, W, C = images.shape
    side = int(np.ceil(np.sqrt(N)))
    grid = np.zeros((side * (H + padding) - padding, side * (W + padding) - padding, C))
    for n, image in enumerate(images):
        top = n // side * (H + padding)
        left = n % side * (W + padding)
        low = float(image.min())
        high = float(image.max())
        if high > low:
            grid[top:top + H, left:left + W] = ubound * (image - low) / (high - low)
    return grid


def plot_examples(images: Pixels, labels: Labels, names: Sequence[str], ax: Axes | None = None,
                  rows: int = 4) -> Axes:
    """Plot the first faces of each class, a column per class (figure 2 of the paper).

    images    (N, H, W) uint8
    labels    (N,) integer classes
    names     C class names
    rows      largest number of faces per class
    """
    images = _checked_images(images)
    labels = _checked_labels(labels, "labels", images, names)
    ax = new_axes(ax, (1.25 * len(names), 1.25 * rows + 0.6))
    for column, name in enumerate(names):
        for row, image in enumerate(images[labels == column][:rows]):
            _gray(ax, image, SPACING * column, SPACING * row)
        ax.text(SPACING * column + 0.5, -0.06, name, ha="center", va="bottom", fontsize=11,
                color=INK)
    size = (SPACING * len(names) - 0.06, SPACING * rows - 0.06)
    return _finish_tiles(ax, size, 0.3, "Examples of each emotion")


def plot_saliency(images: Pixels, maps: Array, predicted: Labels, names: Sequence[str],
                  labels: Labels | None = None, reacts_to: Labels | None = None,
                  ax: Axes | None = None, columns: int = 4,
                  sources: Sequence[str] | None = None) -> Axes:
    """Plot pairs of a face and its saliency map with their classes (figure 7 of the paper).

    images       (N, H, W) uint8
    maps         (N, H, W) saliency, >= 0; each map is scaled to its own 99.5th percentile
    predicted    (N,) integer classes that the net predicts
    names        C class names
    labels       (N,) integer true classes, or None where they are unknown
    reacts_to    (N,) integer classes whose score the maps explain; default: predicted
    columns      number of pairs side by side
    sources      N texts below the faces, such as the names of their files
    """
    images = _checked_images(images)
    maps = plain_array(maps, "maps")
    check(maps.shape == images.shape,
          f"maps: got shape {maps.shape}, expected {images.shape}, one per image")
    check(sources is None or len(sources) == len(images),
          f"sources: got {len(sources or ())}, expected {len(images)}, one per image")
    columns = min(columns, len(images))
    rows = -(-len(images) // columns)
    width = 2.25
    height = 1.55 if sources is None else 1.7
    shown = max(columns, 2)
    ax = new_axes(ax, (1.35 * width * shown, 1.35 * height * rows + 0.6))
    for n, (caption, color) in enumerate(_captions(predicted, labels, images, names)):
        x = n % columns * width
        y = n // columns * height
        _gray(ax, images[n], x, y)
        _heat(ax, maps[n], x + 1.03, y, "magma")
        ax.text(x, y - 0.04, caption, ha="left", va="bottom", fontsize=9, color=color)
        if sources is not None:
            ax.text(x, y + 1.03, sources[n], ha="left", va="top", fontsize=8, color=MUTED)
    scored = "the predicted emotion"
    if reacts_to is not None:
        scored = "the emotion above them"
        for n, label in enumerate(_checked_labels(reacts_to, "reacts_to", images, names)):
            ax.text(n % columns * width + 1.03, n // columns * height - 0.04, names[label],
                    ha="left", va="bottom", fontsize=9, color=INK)
    size = (width * shown - 0.22, height * rows - 0.55 + 0.05 * (sources is not None))
    if labels is not None:
        ax.plot([], [], "s", color=BLUE, label="right prediction")
        ax.plot([], [], "s", color=ORANGE, label="wrong prediction")
        legend_above(ax)
    _finish_tiles(ax, size, 0.42, f"Saliency: pixels that move the score of {scored} most",
                  pad=6 if labels is None else 24)
    return ax


def _captions(predicted: Labels, labels: Labels | None, images: Pixels, names: Sequence[str]
              ) -> list[tuple[str, str]]:
    """Return the caption of each face and its color, which tells right from wrong."""
    predicted = _checked_labels(predicted, "predicted", images, names)
    if labels is None:
        return [(f"predicted {names[label]}", INK) for label in predicted]
    labels = _checked_labels(labels, "labels", images, names)
    return [(f"true {names[true]}\npredicted {names[guess]}", BLUE if true == guess else ORANGE)
            for true, guess in zip(labels, predicted, strict=True)]


def plot_tiles(tiles: NDArray[Any], rows: Sequence[str], columns: Sequence[str],
               ax: Axes | None = None, *, title: str, cmaps: Sequence[str]) -> Axes:
    """Plot a table of small pictures, each column with its own color map.

    tiles      (R, C, H, W); in a "gray" column 0 is black and 255 white, in other columns the
               colors of a tile span 0 to its own 99.5th percentile
    rows       R names
    columns    C names
    cmaps      C names of color maps
    """
    tiles = plain_array(tiles, "tiles")
    fits = tiles.ndim == 4 and tiles.shape[:2] == (len(rows), len(columns))
    check(fits and len(cmaps) == len(columns),
          f"tiles: got shape {tiles.shape}, expected ({len(rows)}, {len(columns)}, H, W) and as "
          "many cmaps as columns")
    ax = new_axes(ax, (1.1 * len(columns) + 1.3, 1.1 * len(rows) + 0.9))
    for row, column in np.ndindex(len(rows), len(columns)):
        left = SPACING * column
        top = SPACING * row
        if cmaps[column] == "gray":
            _gray(ax, tiles[row, column], left, top)
        else:
            _heat(ax, tiles[row, column], left, top, cmaps[column])
    for column, name in enumerate(columns):
        ax.text(SPACING * column + 0.5, -0.06, name, ha="center", va="bottom", fontsize=9,
                color=INK)
    for row, name in enumerate(rows):
        ax.text(-0.08, SPACING * row + 0.5, name, ha="right", va="center", fontsize=10, color=INK)
    size = (SPACING * len(columns) - 0.06, SPACING * len(rows) - 0.06)
    return _finish_tiles(ax, size, 0.4, title)


def _gray(ax: Axes, image: NDArray[Any], left: float, top: float) -> None:
    """Draw a gray image on a unit square; 0 is black and 255 is white."""
    ax.imshow(image, extent=(left, left + 1, top + 1, top), interpolation="nearest", cmap="gray",
              vmin=0, vmax=255)


def _heat(ax: Axes, values: NDArray[Any], left: float, top: float, cmap: str) -> None:
    """Draw a map on a unit square; its colors span 0 to its own 99.5th percentile."""
    highest = max(float(np.percentile(values, 99.5)), 1e-30)
    ax.imshow(values, extent=(left, left + 1, top + 1, top), interpolation="nearest", cmap=cmap,
              vmin=0, vmax=highest)


def _finish_tiles(ax: Axes, size: tuple[float, float], caption: float, title: str, pad: float = 6
                  ) -> Axes:
    """Fit ax to tiles of size (width, height) with captions above them, and give it its title."""
    width, height = size
    ax.set(xlim=(0, width), ylim=(height, -caption), aspect="equal")
    ax.set_axis_off()
    ax.set_title(title, loc="left", fontsize=13, fontweight="bold", color=INK, pad=pad)
    return ax


def _checked_images(images: Pixels) -> Pixels:
    """Return images as a plain array; raises ValueError unless they are (N, H, W) uint8, N >= 1."""
    plain: Pixels = plain_array(images, "images")
    check(plain.ndim == 3 and len(plain) > 0,
          f"images: got shape {plain.shape}, expected (N, H, W) with N >= 1")
    check(plain.dtype == np.uint8,
          f"images: got dtype {plain.dtype}, expected uint8 gray values from 0 to 255")
    return plain


def _checked_labels(labels: Labels, name: str, images: Pixels, names: Sequence[str]) -> Labels:
    """Return labels as a plain array; raises ValueError unless each image has a class of names."""
    plain: Labels = plain_array(labels, name)
    check(plain.shape == images.shape[:1],
          f"{name}: got shape {plain.shape}, expected {images.shape[:1]}, one per image")
    check(plain.dtype.kind in "iu", f"{name}: got dtype {plain.dtype}, expected integers")
    check(0 <= plain.min() and plain.max() < len(names),
          f"{name}: got {plain.min()} to {plain.max()}, expected 0 to {len(names) - 1}")
    return plain
