"""The weights of a convolution on their way into an engine, and their gradient on its way back.

Weights w lie in memory as (HH, WW, C, F). A forward pass multiplies with rows of filters, one row
per tap and channel; the gradient of x with rows of channels, one per tap and filter: w `turned`.
Rows are padded with zeros to whole register tiles. Winograd's engine takes the weights transformed,
G w G^T, with positions instead of taps, and in panels (tile.py). The gradient of a chunk of the
batch comes back from the workspace in which it was summed.
"""
from .memory import clear, copy, put, turn
from .shape import VECTORS, Plan
from .tile import panel
from .vectors.calls import BOOL, FLOATS, INT, step
from .vectors.jit import jit
from .vectors.simd import load, load_tile, store_tile
from .winograd_transforms import WEIGHT, WEIGHT_TRANSPOSED, both_ways

ROWS = 16  # prepared by one call of a step: turned, they are a cache line of w


@jit(inline=True)
def copy_rows(w, size, first, last, turned, t, at, row, tap_apart):
    """Copy rows first...last of every tap to t, padded with zeros.

    Row first + i of a tap goes to t[at + tap * tap_apart + i * row ...].
    """
    C = size.C
    F = size.F
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
    """Prepare weights for direct convolution: u (HH, WW, C, Fp), or turned (HH, WW, F, Cp)."""
    wide = plan.size.Cp if turned else plan.size.Fp
    apart = plan.UT_apart if turned else plan.U_apart
    copy_rows(w, plan.size, first, last, turned, u, first * wide, wide, apart)


@step(FLOATS, Plan, FLOATS, INT, INT)
def take_back(s, plan, dw, first, last):
    """Write dw (HH, WW, C, F) of direct convolution from (HH, run, Fp).

    Of the channels first...last.
    """
    size = plan.size
    for tap in range(size.HH * size.WW):
        row = plan.dU_at + (tap // size.WW * plan.run + tap % size.WW * size.C) * size.Fp
        for c in range(first, last):
            copy(s, row + c * size.Fp, dw, (tap * size.C + c) * size.F, size.F, size.lanes)


def make_transform(m):
    """Return Winograd's counterpart of lay_out.

    It writes (m + 2)^2 matrices (C, Fp), or turned (F, Cp), in panels.
    """
    both = both_ways(WEIGHT[m])
    n = m + 2

    @step(FLOATS, FLOATS, FLOATS, Plan, INT, INT, BOOL)
    def transform(w, s, u, plan, first, last, turned):
        wide = plan.size.Cp if turned else plan.size.Fp
        apart = plan.UT_apart if turned else plan.U_apart
        if turned or plan.size.F < plan.size.Fp:
            source = s
            at = 0
            tap = ROWS * wide
            copy_rows(w, plan.size, first, last, turned, s, 0, wide, tap)
        else:
            source = w
            at = first * wide
            tap = plan.size.C * wide
        rows = plan.size.F if turned else plan.size.C
        lanes = plan.size.lanes
        for k in range(0, wide, VECTORS * lanes):
            for i in range((last - first) * VECTORS):
                r = i // VECTORS
                f = k + i % VECTORS * lanes
                store_tile(u, panel(first + r, f, rows, lanes), n * apart, apart,
                           both(load_tile(source, at + r * wide + f, 3 * tap, tap, 3)))
    return transform


def make_transform_back(m):
    """Return Winograd's counterpart of take_back: dw = G^T dU G."""
    both = both_ways(WEIGHT_TRANSPOSED[m])
    n = m + 2

    @step(FLOATS, Plan, FLOATS, INT, INT)
    def transform_back(s, plan, dw, first, last):
        size = plan.size
        apart = plan.dU_apart
        lanes = plan.size.lanes
        for k in range(0, size.F, VECTORS * lanes):  # panel by panel: each position is one stream
            for i in range(first * VECTORS, last * VECTORS):
                c = i // VECTORS
                f = k + i % VECTORS * lanes
                if f < size.F:
                    row = plan.dU_at + panel(c, f, size.Cp, lanes)
                    store_tile(s, 0, 3 * lanes, lanes, both(load_tile(s, row, n * apart, apart, n)))
                    for tap in range(9):
                        put(dw, (tap * size.C + c) * size.F, f, size.F, lanes,
                            load(s, tap * lanes, 1))
    return transform_back


TRANSFORM = {m: make_transform(m) for m in WEIGHT}
TRANSFORM_BACK = {m: make_transform_back(m) for m in WEIGHT}
