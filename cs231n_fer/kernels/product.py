"""Matrix products for affine layers, by the register tile of the convolutions.

A second pool of threads, such as BLAS keeps, fights with ours for the cores; this one product serves the forward pass
and both gradients, since a's rows and columns may lie at any distance: the transpose of a matrix is the matrix itself.
"""
from numba import prange

from .jit import jit
from .machine import TILE_ROWS
from .shape import VECTORS
from .steps import FLOATS, INT, call, step
from .tile import product_tile, row_tile


@step(FLOATS, INT, INT, FLOATS, FLOATS, INT, INT, INT, INT, INT)
def panel(a, a_row, a_step, b, c, column, rows, steps, columns, first):
    """Columns column... of c = a b for a block of rows from `first` on; the last register tile overlaps the one before.

    a: rows a_row and columns a_step apart; b (steps, columns), c (rows, columns). Less rows than a tile: one by one.
    """
    if rows < TILE_ROWS:
        for r in range(rows):
            row_tile(a, r * a_row, a_row, 0, a_step, b, column, 0, columns, 1, steps, c, r * columns + column, columns,
                     False)
        return
    for r in range(first, min(first + 8 * TILE_ROWS, rows), TILE_ROWS):
        row = min(r, rows - TILE_ROWS)
        product_tile(a, row * a_row, a_row, 0, a_step, b, column, 0, columns, 1, steps, c, row * columns + column,
                     columns, False)


@jit(parallel=True)
def product(address, a, a_row, a_step, b, c, rows, steps, columns, lanes):
    """c = a b with the panel step at an address; columns must be at least those of one tile."""
    width = VECTORS * lanes
    across, down = -(-columns // width), -(-rows // (8 * TILE_ROWS))
    for task in prange(across * down):
        call(address, a, a_row, a_step, b, c, min(task // down * width, columns - width), rows, steps, columns,
             task % down * 8 * TILE_ROWS)
