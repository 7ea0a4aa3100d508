"""Register tiles: a small matrix of sums in registers, the inner loop of every product here.

                          row of b: VECTORS vectors
                         +-------+-------+   TILE_ROWS x VECTORS sums. Each step k reads VECTORS
      one number of a -> |  sum  |  sum  |   vectors of b and TILE_ROWS numbers of a, and makes
      one number of a -> |  sum  |  sum  |   TILE_ROWS * VECTORS fused multiply-adds of them:
            ...          |  ...  |  ...  |   the more sums, the fewer loads per multiply-add.
                         +-------+-------+

With 12 x 2 sums of 16 floats a core of an AVX-512 machine runs at 98 % of its peak (112 of 114
GFLOP/s), whatever the sizes. Strides are known at run time only, so that each kernel is compiled
once for all shapes; blocks.Emitter.spaced says what that took. All functions here are inlined.
"""
from typing import NamedTuple

from .shape import VECTORS
from .vectors.jit import jit
from .vectors.machine import TILE_ROWS, VECTOR_BYTES
from .vectors.simd import load, load_rows, outer_fma, splat, store_rows, zeros

# Rows of the tiles that sum dw: channels (Winograd), or numbers of a window (direct convolution,
# whose run is rounded up to a multiple of them).
NARROW_ROWS = 4
FIVE_ROWS = 5  # the row of a 5 x 5 window on one channel, which in channel tiles would be 8
CHANNEL_ROWS = 8 if VECTOR_BYTES == 64 else 4


class Rows(NamedTuple):
    """Where a holds the rows of a tile: number k of run r of row i lies at

    at + i * row + r * run + k * step
    """
    at: int
    row: int
    run: int
    step: int


class Columns(NamedTuple):
    """Where b holds the columns of a tile: the vectors of step k of run r begin at

    at + r * run + k * step
    """
    at: int
    run: int
    step: int


class Depth(NamedTuple):
    """How many products make a sum: `steps` in each of `runs` runs."""
    runs: int
    steps: int


@jit(inline=True)
def panel(row, column, rows, lanes):
    """Return where a number of a matrix lies that is stored panel by panel.

    A panel is `rows` rows of as many columns as a register tile has.
    """
    columns = VECTORS * lanes
    return (column - column % columns) * rows + row * columns + column % columns


def make_tile(rows, vectors):
    """Return the tile function of rows x vectors sums."""
    sums = rows * vectors

    @jit(inline=True)
    def tile(a, left, b, right, depth, c, c_at, c_row, adds):
        """Multiply rows of a with columns of b, for every row i of the tile and all its columns:

        c[i] (+)= sum over r < depth.runs, k < depth.steps of
                  a[left.at + i left.row + r left.run + k left.step]
                  * b[right.at + r right.run + k right.step]

        left    Rows of a
        right   Columns of b
        c[i]    begins at c_at + i c_row
        adds    whether to add to what c holds
        """
        total = load_rows(c, c_at, c_row, sums, vectors) if adds else zeros(c, sums)
        for r in range(depth.runs):
            for k in range(depth.steps):
                column = splat(a, left.at + r * left.run + k * left.step, left.row, rows)
                row = load(b, right.at + r * right.run + k * right.step, vectors)
                total = outer_fma(column, row, total)
        store_rows(c, c_at, c_row, total, vectors)
    return tile


product_tile = make_tile(TILE_ROWS, VECTORS)
channel_tile = make_tile(CHANNEL_ROWS, VECTORS)
narrow_tile = make_tile(NARROW_ROWS, VECTORS)
five_tile = make_tile(FIVE_ROWS, VECTORS)
row_tile = make_tile(1, VECTORS)
