"""Direct convolution of one image: register tiles slide over it, with any window and stride.

In channels-last memory the row of a window, WW pixels of C channels, is one contiguous run of
WW * C numbers, and so is the row of a filter that it is multiplied with. An output pixel is the sum
of HH such products. TILE_ROWS pixels, which lie `stride * C` numbers apart, and two vectors of
filters make a register tile. Nothing is copied HH * WW times, as im2col does. k runs over WW * C:

    z[i, j]    = sum over hh, k of  x[i stride + hh, (j stride) C + k] * w[hh, k]
    dw[hh, k] += sum over i, j of   x[i stride + hh, (j stride) C + k] * dz[i, j]
    dx[i stride + hh, j stride + ww] += sum over f of  dz[i, j, f] * w[hh, ww, :, f]
"""
from functools import cache

from .arguments import Strip
from .memory import get
from .shape import VECTORS, Plan, make_grid, round_up
from .tile import (
    CHANNEL_ROWS,
    FIVE_ROWS,
    NARROW_ROWS,
    Columns,
    Depth,
    Rows,
    channel_tile,
    five_tile,
    narrow_tile,
    product_tile,
)
from .vectors.calls import BOOL, FLOATS, INT, step
from .vectors.jit import jit
from .vectors.machine import TILE_ROWS, VECTOR_BYTES
from .vectors.simd import fma, lane_sum, zeros

FEW_CHANNELS = 4  # for up to this many, dx isn't computed with register tiles
# Outputs of a strip, which are finished while in L1: 4 rows of 48 x 48 outputs and 32 filters,
# instead of all 295 KB.
STRIP_BYTES = 24 * 1024


@cache
def direct_plan(size):
    """Lay out the workspace of a convolution; a block is one image, worked on in strips of rows."""
    columns = round_up(size.Wo, TILE_ROWS)
    # The last register tile of a row reads pixels beyond the image, which are zeros.
    width = max(size.W + 2 * size.pad, (columns - 1) * size.stride + size.WW)
    height = size.H + 2 * size.pad
    few = size.stride == 1 and size.C <= FEW_CHANNELS
    x_grid = make_grid(height, width, size.C)
    dx_grid = make_grid(height, width, size.C if few else size.Cp)
    z_grid = make_grid(size.Ho, columns, size.Fp)
    z_at = x_grid.size
    dx_at = x_grid.size + z_grid.size
    row = size.WW * size.C
    tile_rows = NARROW_ROWS if row <= NARROW_ROWS else CHANNEL_ROWS
    run = row if row == FIVE_ROWS else round_up(row, tile_rows)
    strip = max(1, STRIP_BYTES // (columns * size.Fp * (VECTOR_BYTES // size.lanes)) // 2) * 2
    dU_at = dx_at + dx_grid.size
    return Plan(
        size=size, m=0, images=1, strip=strip, x_grid=x_grid, z_grid=z_grid, dx_grid=dx_grid,
        z_at=z_at, dx_at=dx_at, U_apart=size.C * size.Fp, UT_apart=size.F * size.Cp,
        dU_at=dU_at, scratch=dU_at + size.HH * run * size.Fp, run=run, few_channels=int(few))


@step(Plan, Strip, FLOATS, FLOATS, FLOATS, INT)
def multiply(plan, strip, w, s, z, z_at):
    """Compute a strip of z from the one padded image in s.

    w is (HH, WW, C, Fp); row 0 of z begins at z[z_at].
    """
    size = plan.size
    z_row = plan.z_grid.row
    row = plan.x_grid.row
    pixel = size.stride * size.C
    run = size.WW * size.C
    # Two vectors of filters, at every tap and channel, stay in L1.
    for f in range(strip.first, strip.last, VECTORS * size.lanes):
        right = Columns(at=f, run=run * size.Fp, step=size.Fp)
        for i in range(strip.top, strip.bottom):
            for j in range(0, size.Wo, TILE_ROWS):
                left = Rows(at=i * size.stride * row + j * pixel, row=pixel, run=row, step=1)
                product_tile(s, left, w, right, Depth(runs=size.HH, steps=run),
                             z, z_at + i * z_row + j * size.Fp + f, size.Fp, False)


def make_add_run(tile, rows):
    """Return the function that adds one row of windows to dw; the tile's `rows` divide the run."""
    @jit(inline=True)
    def add_run(plan, f, hh, top, bottom, s, adds):
        size = plan.size
        row = plan.x_grid.row
        z_row = plan.z_grid.row
        x = (top * size.stride + hh) * row
        w = plan.dU_at + hh * plan.run * size.Fp + f
        right = Columns(at=plan.z_at + f, run=z_row, step=size.Fp)
        depth = Depth(runs=bottom - top, steps=size.Wo)
        for k in range(0, plan.run, rows):
            left = Rows(at=x + k, row=1, run=size.stride * row, step=size.stride * size.C)
            tile(s, left, s, right, depth, s, w + k * size.Fp, size.Fp, adds)
    return add_run


add_narrow_run = make_add_run(narrow_tile, NARROW_ROWS)
add_run_of_five = make_add_run(five_tile, FIVE_ROWS)
add_channels_run = make_add_run(channel_tile, CHANNEL_ROWS)


@jit(inline=True)
def add_dw(plan, top, bottom, s, adds):
    """Add the contribution of rows top...bottom of one image to dw, or overwrite dw unless `adds`.

    dw is (HH, run, Fp) and begins at dU_at; these rows of dz begin at z_at.
    """
    for f in range(0, plan.size.F, VECTORS * plan.size.lanes):
        for hh in range(plan.size.HH):
            if plan.run == NARROW_ROWS:
                add_narrow_run(plan, f, hh, top, bottom, s, adds)
            elif plan.run == FIVE_ROWS:
                add_run_of_five(plan, f, hh, top, bottom, s, adds)
            else:
                add_channels_run(plan, f, hh, top, bottom, s, adds)


@jit(inline=True)
def add_dx(plan, top, bottom, s, wt):
    """Add the contribution of rows top...bottom of dz to dx.

    Both lie in the workspace; wt is (HH, WW, F, Cp).
    """
    size = plan.size
    z_row = plan.z_grid.row
    row = plan.dx_grid.row
    pixel = size.stride * size.Cp
    for i in range(top, bottom):
        for hh in range(size.HH):
            for ww in range(size.WW):
                w = (hh * size.WW + ww) * size.F * size.Cp
                dx = plan.dx_at + (i * size.stride + hh) * row + ww * size.Cp
                for c in range(0, size.C, VECTORS * size.lanes):
                    right = Columns(at=w + c, run=0, step=size.Cp)
                    for j in range(0, size.Wo, TILE_ROWS):
                        dz = plan.z_at + (i - top) * z_row + j * size.Fp
                        left = Rows(at=dz, row=size.Fp, run=0, step=1)
                        product_tile(s, left, wt, right, Depth(runs=1, steps=size.F),
                                     s, dx + j * pixel + c, pixel, True)


@jit(inline=True)
def add_dx_of_few_channels(plan, top, bottom, s, w):
    """Do the same for so few channels that most columns of a register tile would be empty.

    The lanes of a vector are filters; w is (HH, WW, C, Fp). For 50 one-channel images, 48 x 48 with
    32 filters, it takes 2.3 ms instead of 5.4.
    """
    size = plan.size
    z_row = plan.z_grid.row
    row = plan.dx_grid.row
    for i in range(top, bottom):
        for hh in range(size.HH):
            for j in range(size.Wo + size.WW - 1):
                z = plan.z_at + (i - top) * z_row + j * size.Fp
                for c in range(size.C):
                    total = zeros(s, 1)
                    for ww in range(max(0, j - size.Wo + 1), min(size.WW, j + 1)):
                        tap = ((hh * size.WW + ww) * size.C + c) * size.Fp
                        for f in range(0, size.F, size.lanes):
                            total = fma(get(s, z - ww * size.Fp, f, size.F, size.lanes),
                                        get(w, tap, f, size.F, size.lanes), total)
                    s[plan.dx_at + (i + hh) * row + j * size.C + c] += lane_sum(total)


@step(Plan, FLOATS, INT, INT, FLOATS, BOOL, BOOL)
def multiply_back(plan, w, top, bottom, s, adds, want_dx):
    """Add the contribution of rows top...bottom of one image to dw, and to dx if want_dx.

    w is turned unless plan.few_channels. Unless `adds`, dw is overwritten.
    """
    add_dw(plan, top, bottom, s, adds)
    if want_dx:
        if plan.few_channels:
            add_dx_of_few_channels(plan, top, bottom, s, w)
        else:
            add_dx(plan, top, bottom, s, w)
