"""The weights of a convolution on their way into an engine, and their gradient on its way back.

Weights w lie in memory as (HH, WW, C, F). A forward pass multiplies with rows of filters, one for each tap and channel;
the gradient of x with rows of channels, one for each tap and filter: w `turned`. Rows are filled up with zeros to whole
register tiles. Winograd's engine takes them transformed, G w G^T, positions instead of taps, and in panels (tile.py).
The gradient of each chunk of a batch comes back from the scratch memory in which it was summed.
"""
from .pixels import clear, copy, put, turn
from .shape import VECTORS, Plan
from .tile import panel
from .vectors.calls import BOOL, FLOATS, INT, step
from .vectors.jit import jit
from .vectors.simd import load, load_tile, store_tile
from .winograd_transforms import WEIGHT, WEIGHT_TRANSPOSED, both_ways

ROWS = 16  # that a step prepares: turned, they are a cache line of w


@jit(inline=True)
def copy_rows(w, size, first, last, turned, t, at, row, tap_apart):
    """t[at + tap * tap_apart + i * row ...] = row first + i of every tap, filled up with zeros."""
    C, F = size.C, size.F
    for tap in range(size.HH * size.WW):
        target = at + tap * tap_apart
        if turned:
            turn(w, tap * C * F + first, F, t, target, row, last - first, C, size.lanes)
            for r in range(last - first):
                clear(t, target + r * row + C, size.Cp - C, size.lanes)
        else:
            for r in range(first, last):
                copy(w, (tap * C + r) * F, t, target + (r - first) * row, F, size.lanes)
                clear(t, target + (r - first) * row + F, size.Fp - F, size.lanes)


@step(FLOATS, FLOATS, FLOATS, Plan, INT, INT, BOOL)
def lay_out(w, s, u, plan, first, last, turned):
    """Direct convolution: u (HH, WW, C, Fp), or turned (HH, WW, F, Cp)."""
    wide, apart = (plan.size.Cp, plan.UT_apart) if turned else (plan.size.Fp, plan.U_apart)
    copy_rows(w, plan.size, first, last, turned, u, first * wide, wide, apart)


@step(FLOATS, Plan, FLOATS, INT, INT)
def take_back(s, plan, dw, first, last):
    """Direct convolution: dw (HH, WW, C, F) from (HH, run, Fp), of the channels first...last."""
    size = plan.size
    for tap in range(size.HH * size.WW):
        row = plan.dU_at + (tap // size.WW * plan.run + tap % size.WW * size.C) * size.Fp
        for c in range(first, last):
            copy(s, row + c * size.Fp, dw, (tap * size.C + c) * size.F, size.F, size.lanes)


def make_transform(m):
    """Return the step that lay_out is for Winograd: (m + 2)^2 matrices (C, Fp), or turned (F, Cp), in panels."""
    both, n = both_ways(WEIGHT[m]), m + 2

    @step(FLOATS, FLOATS, FLOATS, Plan, INT, INT, BOOL)
    def transform(w, s, u, plan, first, last, turned):
        wide, apart = (plan.size.Cp, plan.UT_apart) if turned else (plan.size.Fp, plan.U_apart)
        if turned or plan.size.F < plan.size.Fp:
            source, at, tap = s, 0, ROWS * wide
            copy_rows(w, plan.size, first, last, turned, s, 0, wide, tap)
        else:
            source, at, tap = w, first * wide, plan.size.C * wide
        rows, lanes = plan.size.F if turned else plan.size.C, plan.size.lanes
        for k in range(0, wide, VECTORS * lanes):
            for i in range((last - first) * VECTORS):
                r, f = i // VECTORS, k + i % VECTORS * lanes
                store_tile(u, panel(first + r, f, rows, lanes), n * apart, apart,
                           both(load_tile(source, at + r * wide + f, 3 * tap, tap, 3)))
    return transform


def make_transform_back(m):
    """Return the step that take_back is for Winograd: dw = G^T dU G."""
    both, n = both_ways(WEIGHT_TRANSPOSED[m]), m + 2

    @step(FLOATS, Plan, FLOATS, INT, INT)
    def transform_back(s, plan, dw, first, last):
        size, apart, lanes = plan.size, plan.dU_apart, plan.size.lanes
        for k in range(0, size.F, VECTORS * lanes):  # panel by panel: each position is one stream
            for i in range(first * VECTORS, last * VECTORS):
                c, f = i // VECTORS, k + i % VECTORS * lanes
                if f < size.F:
                    row = plan.dU_at + panel(c, f, size.Cp, lanes)
                    store_tile(s, 0, 3 * lanes, lanes, both(load_tile(s, row, n * apart, apart, n)))
                    for tap in range(9):
                        put(dw, (tap * size.C + c) * size.F, f, size.F, lanes, load(s, tap * lanes, 1))
    return transform_back


TRANSFORM = {m: make_transform(m) for m in WEIGHT}
TRANSFORM_BACK = {m: make_transform_back(m) for m in WEIGHT}
