"""The course's grids of color images, as arrays for plt.imshow."""
from collections.abc import Sequence
from math import ceil, sqrt
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..shapes import check, plain_array
from ..types import Array

__all__ = ["vis_grid", "vis_nn"]


def vis_grid(Xs: NDArray[Any]) -> Array:
    """Return images (N, H, W, C) tiled in a square, together scaled to the range 0 to 1.

    Lines between images, and unused cells, are 0. Raises ValueError for another shape.
    """
    images = plain_array(Xs, "Xs")
    check(images.ndim == 4 and images.size > 0,
          f"Xs: got shape {images.shape}, expected (N, H, W, C) with N >= 1")
    side = ceil(sqrt(len(images)))
    rows = [images[start:start + side] for start in range(0, side * side, side)]
    return _stretched(_tiled(rows, side, images.min()))


def vis_nn(rows: Sequence[Sequence[NDArray[Any]]]) -> Array:
    """Return rows of images (H, W, C), all of one shape, together scaled to the range 0 to 1.

    As in the course, lines between images have the value 1 before scaling. Raises
    ValueError if images differ in shape, or rows in length.
    """
    check(len(rows) > 0, "rows: got none, expected at least one row of images")
    shapes = {np.shape(image) for row in rows for image in row}
    check(len(shapes) == 1 and len(next(iter(shapes))) == 3 and len(set(map(len, rows))) == 1,
          f"rows: got {[len(row) for row in rows]} images of shapes {sorted(shapes)}, expected as "
          "many in each row, of one shape (H, W, C)")
    return _stretched(_tiled([np.asarray(row) for row in rows], len(rows[0]), 1))


def _tiled(rows: Sequence[NDArray[Any]], columns: int, background: float) -> Array:
    """Return a grid (R * (H + 1), columns * (W + 1), C), float64, of rows of images."""
    _, H, W, C = rows[0].shape
    grid = np.full((len(rows) * (H + 1), columns * (W + 1), C), background, np.float64)
    for y, row in enumerate(rows):
        for x, image in enumerate(row):
            grid[y * (H + 1):y * (H + 1) + H, x * (W + 1):x * (W + 1) + W] = image
    return grid


def _stretched(grid: Array) -> Array:
    """Return numbers scaled to the range 0 to 1; equal numbers become 0."""
    low = grid.min()
    high = grid.max()
    return (grid - low) / (high - low) if high > low else np.zeros_like(grid)
