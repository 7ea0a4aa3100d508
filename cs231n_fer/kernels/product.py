"""Matrix products for affine layers, with the register tile of the convolutions.

A second pool of threads, such as that of BLAS, would compete with ours for the cores. This one
product serves the forward pass and both gradients: a's rows and columns may have any stride, so a
transposed matrix needs no copy.
"""
from typing import NamedTuple

from numba import get_thread_id, prange

from .memory import turn
from .parts import add_rows, part_of
from .shape import VECTORS, round_up
from .tile import Columns, Depth, Rows, product_tile, row_tile
from .vectors.calls import FLOATS, INT, call, step
from .vectors.jit import jit
from .vectors.machine import TILE_ROWS
from .vectors.simd import load, store

# Numbers of a row of a that one task multiplies, or more if there would be over MOST_PARTS partial
# sums. For 50 x 4608 by 4608 x 512 tasks of 512 take 1.4 ms, of 2304 2.6.
DEPTH = 512
MOST_PARTS = 16
BLOCK_ROWS = 8 * TILE_ROWS  # of a task, whose part of a stays in L2 for all columns
LONG = 256  # columns of b, longer ones don't stay in L1 beside a


class ProductSize(NamedTuple):
    """A product of matrices (rows, steps) and (steps, columns), and its division into tasks."""
    rows: INT
    steps: INT
    columns: INT  # at least those of a register tile
    a_row: INT    # stride of the rows of a
    a_step: INT   # stride of the columns of a
    lanes: INT    # numbers in a vector
    parts: INT    # number of partial sums
    block: INT    # rows of a task


class Task(NamedTuple):
    """One task of a product: the sum over the steps begin...end, for a block of rows."""
    part: INT    # index of its partial sum
    row: INT     # first row
    column: INT  # first column of one register tile
    begin: INT
    end: INT


class MatrixStrides(NamedTuple):
    """Numbers from one matrix of an array to the next, and from one row of a matrix to the next."""
    matrix: INT
    row: INT


@step(ProductSize, Task, FLOATS, FLOATS, FLOATS, FLOATS)
def product_part(size, task, a, b, c, s):
    """Write one task's sums of products of a and b (steps, columns) to c (parts, rows, columns).

    The last register tile overlaps the one before; fewer rows than a tile has are taken one by one.
    Long columns of b are copied to the workspace s, where they are one stream: the forward pass of
    the baseline net, 50 x 18432 by 18432 x 100, takes 0.6 of the time.
    """
    rows = size.rows
    columns = size.columns
    a_row = size.a_row
    a_step = size.a_step
    width = VECTORS * size.lanes
    bottom = min(task.row + size.block, rows)
    a_at = task.begin * a_step
    c_at = task.part * rows * columns + task.column
    depth = Depth(runs=1, steps=task.end - task.begin)
    in_b = Columns(at=task.begin * columns + task.column, run=0, step=columns)
    if rows < TILE_ROWS:
        for r in range(rows):
            left = Rows(at=a_at + r * a_row, row=a_row, run=0, step=a_step)
            row_tile(a, left, b, in_b, depth, c, c_at + r * columns, columns, False)
        return
    if depth.steps > LONG:
        for k in range(depth.steps):
            store(s, k * width, load(b, in_b.at + k * columns, VECTORS))
    for first in range(task.row, bottom, TILE_ROWS):
        r = min(first, rows - TILE_ROWS)
        left = Rows(at=a_at + r * a_row, row=a_row, run=0, step=a_step)
        # A single call that reads from either array would take 1.05 times as long.
        if depth.steps > LONG:
            in_scratch = Columns(at=0, run=0, step=width)
            product_tile(a, left, s, in_scratch, depth, c, c_at + r * columns, columns, False)
        else:
            product_tile(a, left, b, in_b, depth, c, c_at + r * columns, columns, False)


def block_of(rows):
    """Return the rows of a task: BLOCK_ROWS, or all if there are not many more."""
    return BLOCK_ROWS if rows > 1.5 * BLOCK_ROWS else round_up(rows, TILE_ROWS)


def scratch_size(rows, steps, parts, lanes):
    """Return the numbers in a thread's workspace."""
    most = -(-steps // parts)
    return most * VECTORS * lanes if rows >= TILE_ROWS and most > LONG else 0


def parts_of_steps(rows, steps):
    """Return the number of partial sums of a product.

    It depends on the sizes alone, so the number of threads doesn't change any bit. With fewer rows
    than a tile has, adding up takes longer than it gains: a single face would wait 6 us more.
    """
    return max(1, min(steps // (DEPTH if rows >= TILE_ROWS else 4 * DEPTH), MOST_PARTS))


@jit(parallel=True)
def product(address, size, a, b, c, scratch):
    """Write partial sums of the product of a and b to c (parts, rows, columns), flat; add them up.

    At the end the first part of c is their sum.

    address   of product_part
    size      ProductSize of a and b
    scratch   (threads, scratch_size), the workspaces
    """
    width = VECTORS * size.lanes
    count = size.rows * size.columns
    across = -(-size.columns // width)
    down = -(-size.rows // size.block)
    for k in prange(across * down * size.parts):
        part = k // (across * down)
        row = k // across % down * size.block
        column = min(k % across * width, size.columns - width)
        begin, end = part_of(size.steps, part, size.parts)
        task = Task(part=part, row=row, column=column, begin=begin, end=end)
        call(address, size, task, a, b, c, scratch[get_thread_id()])
    # In one thread: another parallel loop takes 0.3 s to compile.
    add_rows(c.reshape(size.parts, count), 0, count)


@jit(parallel=True)
def transpose(x, x_strides, out, out_strides, count, rows, columns, lanes):
    """Transpose `count` matrices: out[k][i, j] = x[k][j, i].

    x_strides, out_strides   MatrixStrides
    rows, columns            of a matrix of out
    """
    for k in prange(count):
        turn(x, k * x_strides.matrix, x_strides.row, out, k * out_strides.matrix, out_strides.row,
             rows, columns, lanes)
