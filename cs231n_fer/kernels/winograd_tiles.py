"""Between images and matrices: Winograd's transforms applied to every tile of an image in scratch memory.

`gather` reads tiles of an image, m pixels apart, and writes each value of a transform to the matrix of its position;
`scatter` goes back. For every m there is one step for each transform; the lanes of a vector are channels.

    s, at, grid    scratch memory, where the first of `down` rows of tiles begins in it, and the layout of its image
    k              which image of the block it is
    first, last    channels
"""
from .shape import Grid, Matrices, Plan
from .vectors.calls import FLOATS, INT, step
from .vectors.jit import jit
from .vectors.simd import add_tile, load_tile, store_tile
from .winograd_transforms import INPUT, INPUT_TRANSPOSED, OUTPUT, OUTPUT_TRANSPOSED, both_ways


@jit(inline=True)
def rows_of_tiles(top, bottom, plan):
    """Rows of tiles that cover rows top...bottom of outputs; 0 in direct convolution."""
    return -(-(bottom - top) // plan.m) if plan.m else 0


def make_gather(m, transform, width):
    """Return gather(s, plan, k, down, at, grid, matrices, first, last): transform tiles of width x width pixels."""
    both, n = both_ways(transform), m + 2

    @step(FLOATS, Plan, INT, INT, INT, Grid, Matrices, INT, INT)
    def gather(s, plan, k, down, at, grid, matrices, first, last):
        for i in range(down):
            for j in range(plan.across):
                pixel = at + i * m * grid.row + j * m * grid.channels
                value = matrices.at + ((k * down + i) * plan.across + j) * matrices.row
                for c in range(first, last, plan.size.lanes):
                    tile = both(load_tile(s, pixel + c, grid.row, grid.channels, width))
                    store_tile(s, value + c, n * matrices.apart, matrices.apart, tile)
    return gather


def make_scatter(m, transform, overlap):
    """Return scatter(s, plan, k, down, matrices, z, at, grid, first, last): from s to an image in z.

    overlap: the tiles of the image overlap and add up
    """
    both, n = both_ways(transform), m + 2

    @step(FLOATS, Plan, INT, INT, Matrices, FLOATS, INT, Grid, INT, INT)
    def scatter(s, plan, k, down, matrices, z, at, grid, first, last):
        for i in range(down):
            for j in range(plan.across):
                pixel = at + i * m * grid.row + j * m * grid.channels
                value = matrices.at + ((k * down + i) * plan.across + j) * matrices.row
                for c in range(first, last, plan.size.lanes):
                    tile = both(load_tile(s, value + c, n * matrices.apart, matrices.apart, n))
                    if overlap:
                        add_tile(z, pixel + c, grid.row, grid.channels, tile)
                    else:
                        store_tile(z, pixel + c, grid.row, grid.channels, tile)
    return scatter


GATHER_X = {m: make_gather(m, INPUT[m], m + 2) for m in INPUT}
GATHER_DZ = {m: make_gather(m, OUTPUT_TRANSPOSED[m], m) for m in INPUT}
SCATTER_Z = {m: make_scatter(m, OUTPUT[m], overlap=False) for m in INPUT}
SCATTER_DX = {m: make_scatter(m, INPUT_TRANSPOSED[m], overlap=True) for m in INPUT}
