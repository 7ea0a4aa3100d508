"""Winograd's convolution of a block of images: transform, multiply, transform back.

    x  --B^T d B-->  V[q]      one matrix (tiles, C) for each of the (m + 2)^2 positions q of a tile
    w  --G g G^T-->  U[q]      (C, F)
                     M[q] = V[q] U[q]      the only expensive step: (m + 2)^2 matrix products
    z  <--A^T M A--  M[q]      m x m outputs of each tile

and backward, where the transposed transforms replace rotated filters (see winograd_transforms):

    dz --A dz A^T--> dM[q]
    dU[q] = V[q]^T dM[q]       dw = G^T dU G
    dV[q] = dM[q] U[q]^T       dx = B dV B^T

A block is several small images, one image, or a strip of a large one. Everything lies in a
workspace whose sizes are rounded up: images to whole tiles, channels and rows of a matrix to whole
register tiles. So no loop here has a remainder.

U[q] and dU[q] lie in panels, see tile.panel: they come from L2 or L3 once per block, as one stream.
As plain matrices, of which a tile reads two vectors from every row, they cost 6 % of a step at
batch 256.
"""
import math
from functools import cache

from .arguments import Strip
from .shape import VECTORS, Matrices, Plan, make_grid, round_up
from .tile import CHANNEL_ROWS, Columns, Depth, Rows, channel_tile, panel, product_tile
from .vectors.calls import BOOL, FLOATS, step
from .vectors.machine import TILE_ROWS
from .winograd_tiles import rows_of_tiles

# V and M together: they are written and read several times, and should stay in L2. Where the
# weights are larger, they are read once per block, and V and M may be as large as the weights:
# 0.3 ms less for the fourth block of the final net.
BLOCK_BYTES = 640 * 1024
STILL_ONE = 1.5  # an image that is at most this many times as large as a block is one block
WEIGHT_ROWS = 40  # the rows that could be multiplied while the weights of a position come from L3


def tiles_of(size, m):
    """Return the rows and the columns of tiles that cover an image of outputs."""
    return -(-size.Ho // m), -(-size.Wo // m)


def best_m(size, images):
    """Return the tile size that costs least: 4 for large images, 3 for 6 x 6, 2 for very few tiles.

    Each of the (m + 2)^2 positions multiplies a row for every tile, and reads its weights once.
    Tiles of 6 would need a fifth fewer products than those of 4, but 64 vectors, for which no
    processor has registers: blocks 2 to 4 of the final net took 51.0 ms instead of 46.0 (batch 256,
    forward and backward).
    """
    def cost(m):
        down, across = tiles_of(size, m)
        return (m + 2) ** 2 * (round_up(images * down * across, TILE_ROWS) + WEIGHT_ROWS)
    return min((4, 3, 2), key=cost)


def how_many(size, tiles):
    """Return how many images, or rows of tiles, of `size` tiles make a block of about `tiles`.

    If possible, the number leaves no register tile partly empty.
    """
    whole = TILE_ROWS // math.gcd(size, TILE_ROWS)
    if whole * size > STILL_ONE * tiles:
        whole = 1
    return max(1, round(tiles / (whole * size))) * whole


def block_of(size, m, itemsize):
    """Return (images, rows of tiles) of a block: several whole images, one, or a strip of one."""
    positions = (m + 2) ** 2
    down, across = tiles_of(size, m)
    tile_bytes = positions * (size.Cp + size.Fp) * itemsize
    # Tiles that a block has room for.
    tiles = max(BLOCK_BYTES, positions * size.C * size.Fp * itemsize) / tile_bytes
    if down * across <= STILL_ONE * tiles:
        return how_many(down * across, tiles), down
    # For 96 x 96 with 32 channels strips take 15.8 ms instead of 20.7, for 224 x 224 with 64
    # channels 95 instead of 231. Their rows of outputs are even, so that 2 x 2 windows fit.
    return 1, round_up(how_many(across, tiles), 1 if m % 2 == 0 else 2)


@cache
def winograd_plan(size, m, itemsize):
    """Lay out the workspace of a 3 x 3 convolution of stride 1; itemsize is bytes per number."""
    positions = (m + 2) ** 2
    line = 64 // itemsize
    down, across = tiles_of(size, m)
    images, strip = block_of(size, m, itemsize)
    rows = round_up(images * min(strip, down) * across, TILE_ROWS)
    x_grid = make_grid(down * m + 2, across * m + 2, size.Cp)
    z_grid = make_grid(down * m, across * m, size.Fp)
    # Positions are a cache line further apart than needed: otherwise they all map to 2 to 8 sets of
    # L1, and the transforms take 1.4 to 1.9 times as long.
    V = Matrices(at=x_grid.size, row=size.Cp, apart=rows * size.Cp + line)
    M = Matrices(at=V.at + positions * V.apart, row=size.Fp, apart=rows * size.Fp + line)
    z_at = M.at + positions * M.apart
    # 0: in place of the image, which isn't read any more by then.
    dx_at = 0 if strip >= down else z_at + z_grid.size
    dU_at = z_at + z_grid.size + (x_grid.size if dx_at else 0)
    dU_apart = size.Cp * size.Fp + line
    return Plan(
        size=size, m=m, images=images, strip=strip * m, across=across,
        x_grid=x_grid, z_grid=z_grid, dx_grid=x_grid, z_at=z_at, dx_at=dx_at, V=V, M=M,
        U_apart=size.C * size.Fp + line, UT_apart=size.F * size.Cp + line,
        dU_apart=dU_apart, dU_at=dU_at, scratch=dU_at + positions * dU_apart)


@step(Plan, Strip, FLOATS, FLOATS)
def multiply(plan, strip, u, s):
    """Compute M[q] = V[q] U[q] of a block, for the filters first...last of a strip."""
    size = plan.size
    V = plan.V
    M = plan.M
    columns = VECTORS * size.lanes
    rows = strip.images * rows_of_tiles(strip.top, strip.bottom, plan) * plan.across
    for q in range((plan.m + 2) ** 2):
        for f in range(strip.first, strip.last, columns):  # these columns of U[q] stay in L1
            u_at = q * plan.U_apart + panel(0, f, size.C, size.lanes)
            right = Columns(at=u_at, run=0, step=columns)
            for t in range(0, rows, TILE_ROWS):            # all of V[q] is streamed
                left = Rows(at=V.at + q * V.apart + t * V.row, row=V.row, run=0, step=1)
                product_tile(s, left, u, right, Depth(runs=1, steps=size.C),
                             s, M.at + q * M.apart + t * M.row + f, M.row, False)


@step(Plan, Strip, FLOATS, FLOATS, BOOL, BOOL, BOOL)
def multiply_back(plan, strip, ut, s, adds, want_dw, want_dx):
    """Compute dU[q] (+)= V[q]^T dM[q], then dV[q] = dM[q] U[q]^T in V's place.

    Of the channels first...last of a strip.
    """
    size = plan.size
    V = plan.V
    M = plan.M
    columns = VECTORS * plan.size.lanes
    c0 = strip.first
    c1 = strip.last
    rows = strip.images * rows_of_tiles(strip.top, strip.bottom, plan) * plan.across
    # With a branch around the loops a step took 1.04 times as long (batch 256, AVX2).
    end = c1 if want_dw else c0
    for q in range((plan.m + 2) ** 2):
        v = V.at + q * V.apart
        m = M.at + q * M.apart
        for f in range(0, size.F, columns):
            right = Columns(at=m + f, run=0, step=M.row)
            for c in range(c0, end, CHANNEL_ROWS):
                left = Rows(at=v + c, row=1, run=0, step=V.row)
                dU = plan.dU_at + q * plan.dU_apart + panel(c, f, size.Cp, size.lanes)
                channel_tile(s, left, s, right, Depth(runs=1, steps=rows), s, dU, columns, adds)
        if want_dx:
            for c in range(c0, c1, columns):
                ut_at = q * plan.UT_apart + panel(0, c, size.F, size.lanes)
                right = Columns(at=ut_at, run=0, step=columns)
                for t in range(0, rows, TILE_ROWS):
                    left = Rows(at=m + t * M.row, row=M.row, run=0, step=1)
                    product_tile(s, left, ut, right, Depth(runs=1, steps=size.F),
                                 s, v + t * V.row + c, V.row, False)
