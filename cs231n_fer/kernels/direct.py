"""Direct convolution of one image, for any window and stride: register tiles slide over the padded image.

In channels-last memory the row of a window, WW pixels of C channels, is one run of WW * C numbers, and so is the row
of the filters that it meets. An output pixel is HH such products; TILE_ROWS pixels, `stride * C` numbers apart, and
two vectors of filters make a register tile. Nothing is copied HH * WW times, as im2col does.

    z[i, j]    = sum over hh, k of  x[i stride + hh, (j stride) C + k] * w[hh, k]           k runs over WW * C numbers
    dw[hh, k] += sum over i, j of   x[i stride + hh, (j stride) C + k] * dz[i, j]
    dx[i stride + hh, j stride + ww] += sum over f of  dz[i, j, f] * w[hh, ww, :, f]
"""
from functools import cache

from .pixels import get
from .shape import VECTORS, Matrices, Plan, make_grid, round_up
from .tile import CHANNEL_ROWS, FIVE_ROWS, NARROW_ROWS, channel_tile, five_tile, narrow_tile, product_tile
from .vectors.calls import BOOL, FLOATS, INT, step
from .vectors.jit import jit
from .vectors.machine import TILE_ROWS, VECTOR_BYTES
from .vectors.simd import fma, lane_sum, zeros

FEW = 4  # channels that dx has no register tiles for
STRIP_BYTES = 24 * 1024  # of outputs, which are finished in L1: of 48 x 48 outputs and 32 filters 4 rows, not 295 KB


@cache
def direct_plan(size):
    """Lay out the scratch memory of a convolution; a block is one image, worked on in strips of rows."""
    columns = round_up(size.Wo, TILE_ROWS)
    # The last register tile of a row reads pixels that are in excess; they are zeros.
    width = max(size.W + 2 * size.pad, (columns - 1) * size.stride + size.WW)
    height = size.H + 2 * size.pad
    few = size.stride == 1 and size.C <= FEW
    x_grid, dx_grid = make_grid(height, width, size.C), make_grid(height, width, size.C if few else size.Cp)
    z_grid = make_grid(size.Ho, columns, size.Fp)
    z_at, dx_at = x_grid.size, x_grid.size + z_grid.size
    row = size.WW * size.C
    run = row if row == FIVE_ROWS else round_up(row, NARROW_ROWS if row <= NARROW_ROWS else CHANNEL_ROWS)
    strip = max(1, STRIP_BYTES // (columns * size.Fp * (VECTOR_BYTES // size.lanes)) // 2) * 2
    nothing = Matrices(0, 0, 0)
    dU_at = dx_at + dx_grid.size
    return Plan(size, 0, 1, strip, 0, x_grid, z_grid, dx_grid, z_at, dx_at, nothing, nothing,
                dU_at + size.HH * run * size.Fp, run, size.C * size.Fp, size.F * size.Cp, 0, dU_at, int(few))


@step(Plan, FLOATS, INT, INT, INT, INT, INT, FLOATS, FLOATS, INT)
def multiply(plan, w, images, f0, f1, top, bottom, s, z, z_at):
    """Rows top...bottom of z for the filters f0...f1 of a padded image; row 0 of z is at z[z_at]; w (HH, WW, C, Fp).

    A block is one image, so `images`, an argument of winograd.multiply, is 1.
    """
    size, z_row = plan.size, plan.z_grid.row
    row, pixel, run = plan.x_grid.row, size.stride * size.C, size.WW * size.C
    for f in range(f0, f1, VECTORS * size.lanes):  # two vectors of every filter value stay in L1
        for i in range(top, bottom):
            for j in range(0, size.Wo, TILE_ROWS):
                product_tile(s, i * size.stride * row + j * pixel, pixel, row, 1, w, f, run * size.Fp, size.Fp,
                             size.HH, run, z, z_at + i * z_row + j * size.Fp + f, size.Fp, False)


def make_add_run(tile, rows):
    """Return the function that adds one row of windows to dw with a tile of so many rows, which divide the run."""
    @jit(inline=True)
    def add_run(plan, f, hh, top, bottom, s, adds):
        size, row, z_row = plan.size, plan.x_grid.row, plan.z_grid.row
        x, w = (top * size.stride + hh) * row, plan.dU_at + hh * plan.run * size.Fp + f
        for k in range(0, plan.run, rows):
            tile(s, x + k, 1, size.stride * row, size.stride * size.C, s, plan.z_at + f, z_row, size.Fp,
                 bottom - top, size.Wo, s, w + k * size.Fp, size.Fp, adds)
    return add_run


add_narrow_run = make_add_run(narrow_tile, NARROW_ROWS)
add_run_of_five = make_add_run(five_tile, FIVE_ROWS)
add_channels_run = make_add_run(channel_tile, CHANNEL_ROWS)


@jit(inline=True)
def add_dw(plan, top, bottom, s, adds):
    """dw (HH, run, Fp) at dU_at (+)= what rows top...bottom of one image give; they begin at z_at."""
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
    """dx in scratch memory, zeros at first, from dz there; wt (HH, WW, F, Cp)."""
    size, z_row, row = plan.size, plan.z_grid.row, plan.dx_grid.row
    pixel = size.stride * size.Cp
    for i in range(top, bottom):
        for hh in range(size.HH):
            for ww in range(size.WW):
                w = (hh * size.WW + ww) * size.F * size.Cp
                dx = plan.dx_at + (i * size.stride + hh) * row + ww * size.Cp
                for c in range(0, size.C, VECTORS * size.lanes):
                    for j in range(0, size.Wo, TILE_ROWS):
                        product_tile(s, plan.z_at + (i - top) * z_row + j * size.Fp, size.Fp, 0, 1, wt, w + c, 0,
                                     size.Cp, 1, size.F, s, dx + j * pixel + c, pixel, True)


@jit(inline=True)
def add_dx_of_few(plan, top, bottom, s, w):
    """The same for few channels, of which a register tile would be empty but for a few columns: lanes are filters.

    w (HH, WW, C, Fp). Of 50 one-channel images, 48 x 48 with 32 filters: 2.3 ms instead of 5.4.
    """
    size, z_row, row = plan.size, plan.z_grid.row, plan.dx_grid.row
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


@step(Plan, FLOATS, INT, INT, INT, INT, INT, FLOATS, BOOL, BOOL, BOOL)
def multiply_back(plan, w, images, c0, c1, top, bottom, s, adds, want_dw, want_dx):
    """dw (+)= what rows top...bottom of one image give; with want_dx also its dx; w turned unless plan.few.

    All channels: it isn't split, so that c0, c1 and want_dw, arguments of winograd.multiply_back, say nothing here.
    """
    add_dw(plan, top, bottom, s, adds)
    if want_dx:
        if plan.few:
            add_dx_of_few(plan, top, bottom, s, w)
        else:
            add_dx(plan, top, bottom, s, w)
