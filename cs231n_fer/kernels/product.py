"""Matrix products for affine layers, by the register tile of the convolutions.

A second pool of threads, such as BLAS keeps, fights with ours for the cores; this one product serves the forward pass
and both gradients, since a's rows and columns may lie at any distance: the transpose of a matrix is the matrix itself.
"""
from numba import prange

from .jit import jit
from .machine import TILE_ROWS
from .pixels import turn
from .shape import VECTORS
from .steps import FLOATS, INT, call, step
from .tile import product_tile, row_tile

# Numbers of a row of a that one task multiplies, or more where that gives over MOST_PARTS tasks: as many rows of b come
# from memory once for all columns. Of 50 x 4608 by 4608 x 512 tasks of 512 take 1.4 ms, of 2304 2.6.
DEPTH, MOST_PARTS = 512, 16


@step(FLOATS, INT, INT, FLOATS, FLOATS, INT, INT, INT, INT, INT, INT, INT)
def panel(a, a_row, a_step, b, c, c_at, column, rows, columns, row, begin, end):
    """Columns column... of c, from c_at on, for a block of rows from `row` on: the products of steps begin...end.

    a: rows a_row and columns a_step apart; b (steps, columns), c (rows, columns). The last register tile overlaps the
    one before; less rows than a tile are taken one by one.
    """
    if rows < TILE_ROWS:
        for r in range(rows):
            row_tile(a, r * a_row + begin * a_step, a_row, 0, a_step, b, begin * columns + column, 0, columns,
                     1, end - begin, c, c_at + r * columns + column, columns, False)
        return
    for first in range(row, min(row + 8 * TILE_ROWS, rows), TILE_ROWS):
        r = min(first, rows - TILE_ROWS)
        product_tile(a, r * a_row + begin * a_step, a_row, 0, a_step, b, begin * columns + column, 0, columns,
                     1, end - begin, c, c_at + r * columns + column, columns, False)


def parts_of_steps(rows, steps):
    """Number of partial sums of a product: it depends on the sizes alone, so threads don't change a bit.

    Of few rows the sum takes longer than it gains: one face would wait 6 us more.
    """
    return max(1, min(steps // (DEPTH if rows >= TILE_ROWS else 4 * DEPTH), MOST_PARTS))


@jit(inline=True)
def add_rows(rows, begin, end):
    """Add the numbers begin...end of all rows, which are partial sums, to those of the first."""
    total = rows[0, begin:end]
    for k in range(1, len(rows)):
        more = rows[k, begin:end]
        for i in range(len(more)):
            total[i] += more[i]


@jit(parallel=True)
def product(address, a, a_row, a_step, b, c, rows, steps, columns, lanes, parts):
    """c (parts, rows, columns) = partial sums of a b, at last the first is their sum; columns as wide as a tile."""
    width, size = VECTORS * lanes, rows * columns
    across, down = -(-columns // width), -(-rows // (8 * TILE_ROWS))
    for task in prange(across * down * parts):  # a block of a's rows stays in L2 for all columns
        part, row, column = task // (across * down), task // across % down * 8 * TILE_ROWS, task % across * width
        call(address, a, a_row, a_step, b, c, part * size, min(column, columns - width), rows, columns, row,
             part * steps // parts, (part + 1) * steps // parts)
    add_rows(c.reshape(parts, size), 0, size)  # in one thread: another parallel loop takes 0.3 s to compile


@jit(parallel=True)
def transpose(x, x_apart, x_row, out, out_apart, out_row, count, rows, columns, lanes):
    """out[k][i, j] = x[k][j, i] for `count` matrices: so many rows and columns of out, which lie so far apart."""
    for k in prange(count):
        turn(x, k * x_apart, x_row, out, k * out_apart, out_row, rows, columns, lanes)
