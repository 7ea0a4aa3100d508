"""Matrix products for affine layers, by the register tile of the convolutions.

A second pool of threads, such as BLAS keeps, fights with ours for the cores; this one product serves the forward pass
and both gradients, since a's rows and columns may lie at any distance: the transpose of a matrix is the matrix itself.
"""
from numba import get_thread_id, prange

from .pixels import turn
from .shape import VECTORS, round_up
from .tile import product_tile, row_tile
from .vectors.calls import FLOATS, INT, call, step
from .vectors.jit import jit
from .vectors.machine import TILE_ROWS
from .vectors.simd import load, store

# Numbers of a row of a that one task multiplies, or more where that gives over MOST_PARTS partial sums: as many rows of
# b come from memory once for all columns. Of 50 x 4608 by 4608 x 512 tasks of 512 take 1.4 ms, of 2304 2.6.
DEPTH, MOST_PARTS = 512, 16
BLOCK_ROWS = 8 * TILE_ROWS  # of a task, whose numbers of a stay in L2 for all columns
LONG = 256  # columns that don't stay in L1 beside a


@step(FLOATS, INT, INT, FLOATS, FLOATS, INT, INT, INT, INT, INT, INT, INT, INT, INT, FLOATS)
def product_part(a, a_row, a_step, b, c, c_at, column, rows, columns, row, block, begin, end, lanes, s):
    """Columns column... of c, from c_at on, for a `block` of rows from `row` on: the products of steps begin...end.

    a: rows a_row and columns a_step apart; b has `columns` columns, c (rows, columns). The last register tile overlaps
    the one before; less rows than a tile are taken one by one. Long columns of b are copied to scratch memory s, where
    they are one stream: 50 x 18432 by 18432 x 100, the baseline net's forward pass, takes 0.6 of the time.
    """
    width, depth, bottom = VECTORS * lanes, end - begin, min(row + block, rows)
    if rows < TILE_ROWS:
        for r in range(rows):
            row_tile(a, r * a_row + begin * a_step, a_row, 0, a_step, b, begin * columns + column, 0, columns,
                     1, depth, c, c_at + r * columns + column, columns, False)
        return
    if depth > LONG:
        for k in range(depth):
            store(s, k * width, load(b, (begin + k) * columns + column, VECTORS))
    for first in range(row, bottom, TILE_ROWS):
        r = min(first, rows - TILE_ROWS)
        if depth > LONG:  # one tile that reads from either array would take 1.05 times as long
            product_tile(a, r * a_row + begin * a_step, a_row, 0, a_step, s, 0, 0, width,
                         1, depth, c, c_at + r * columns + column, columns, False)
        else:
            product_tile(a, r * a_row + begin * a_step, a_row, 0, a_step, b, begin * columns + column, 0, columns,
                         1, depth, c, c_at + r * columns + column, columns, False)


def block_of(rows):
    """Rows of a task: BLOCK_ROWS, or all where they are few more."""
    return BLOCK_ROWS if rows > 1.5 * BLOCK_ROWS else round_up(rows, TILE_ROWS)


def scratch_size(rows, steps, parts, lanes):
    """Numbers of scratch memory that a thread needs."""
    most = -(-steps // parts)
    return most * VECTORS * lanes if rows >= TILE_ROWS and most > LONG else 0


def parts_of_steps(rows, steps):
    """Number of partial sums of a product: it depends on the sizes alone, so threads don't change a bit.

    Of few rows the sum takes longer than it gains: one face would wait 6 us more.
    """
    return max(1, min(steps // (DEPTH if rows >= TILE_ROWS else 4 * DEPTH), MOST_PARTS))


@jit(inline=True)
def portion(count, part, parts):
    """Begin and end of one of so many parts of 0...count, as equal as they can be."""
    return part * count // parts, (part + 1) * count // parts


@jit(inline=True)
def add_rows(rows, begin, end):
    """Add the numbers begin...end of all rows, which are partial sums, to those of the first."""
    total = rows[0, begin:end]
    for k in range(1, len(rows)):
        more = rows[k, begin:end]
        for i in range(len(more)):
            total[i] += more[i]


@jit(parallel=True)
def product(address, a, a_row, a_step, b, c, rows, steps, columns, lanes, parts, block, scratch):
    """c (parts, rows, columns), flat, = partial sums of a b, at last the first is their sum; columns as wide as a tile.

    address   of product_part, which says what a and b are;  block: rows of a task;  scratch (threads, scratch_size)
    """
    width, size = VECTORS * lanes, rows * columns
    across, down = -(-columns // width), -(-rows // block)
    for task in prange(across * down * parts):
        part, row, column = task // (across * down), task // across % down * block, task % across * width
        begin, end = portion(steps, part, parts)
        call(address, a, a_row, a_step, b, c, part * size, min(column, columns - width), rows, columns, row, block,
             begin, end, lanes, scratch[get_thread_id()])
    add_rows(c.reshape(parts, size), 0, size)  # in one thread: another parallel loop takes 0.3 s to compile


@jit(parallel=True)
def transpose(x, x_apart, x_row, out, out_apart, out_row, count, rows, columns, lanes):
    """out[k][i, j] = x[k][j, i] for `count` matrices: so many rows and columns of out, which lie so far apart."""
    for k in prange(count):
        turn(x, k * x_apart, x_row, out, k * out_apart, out_row, rows, columns, lanes)
