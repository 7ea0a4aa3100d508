"""Between images and matrices: Winograd's transforms, applied to every tile of an image.

`gather` reads tiles of an image, m pixels apart, and writes each value of a transform to the matrix
of its position; `scatter` goes back. For every m there is one step per transform; the lanes of a
vector are channels.

    s, grid     workspace, and the layout of the image in it
    tiles       Tiles of the image that are worked on
    matrices    where the matrices are
"""
from .arguments import Tiles
from .shape import Grid, Matrices, Plan
from .vectors.calls import FLOATS, step
from .vectors.jit import jit
from .vectors.simd import add_tile, load_tile, store_tile
from .winograd_transforms import INPUT, INPUT_TRANSPOSED, OUTPUT, OUTPUT_TRANSPOSED, both_ways


@jit(inline=True)
def rows_of_tiles(top, bottom, plan):
    """Return the rows of tiles that cover rows top...bottom of outputs; 0 in direct convolution."""
    return -(-(bottom - top) // plan.m) if plan.m else 0


def make_gather(m, transform, width):
    """Return gather(s, plan, tiles, grid, matrices), of tiles of width x width pixels."""
    both = both_ways(transform)
    n = m + 2

    @step(FLOATS, Plan, Tiles, Grid, Matrices)
    def gather(s, plan, tiles, grid, matrices):
        for i in range(tiles.down):
            for j in range(plan.across):
                pixel = tiles.at + i * m * grid.row + j * m * grid.channels
                tile_number = (tiles.image * tiles.down + i) * plan.across + j
                value = matrices.at + tile_number * matrices.row
                for c in range(tiles.first, tiles.last, plan.size.lanes):
                    tile = both(load_tile(s, pixel + c, grid.row, grid.channels, width))
                    store_tile(s, value + c, n * matrices.apart, matrices.apart, tile)
    return gather


def make_scatter(m, transform, overlap):
    """Return scatter(s, plan, tiles, matrices, z, grid), which goes from s to an image in z.

    overlap   whether the tiles of the image overlap, and add up
    """
    both = both_ways(transform)
    n = m + 2

    @step(FLOATS, Plan, Tiles, Matrices, FLOATS, Grid)
    def scatter(s, plan, tiles, matrices, z, grid):
        for i in range(tiles.down):
            for j in range(plan.across):
                pixel = tiles.at + i * m * grid.row + j * m * grid.channels
                tile_number = (tiles.image * tiles.down + i) * plan.across + j
                value = matrices.at + tile_number * matrices.row
                for c in range(tiles.first, tiles.last, plan.size.lanes):
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
