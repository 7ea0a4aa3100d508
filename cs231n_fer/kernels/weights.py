"""The weights of a convolution on their way into an engine, and their gradient on its way back.

Weights w lie in memory as (HH, WW, C, F). A forward pass multiplies with rows of filters, one for each tap and channel;
the gradient of x with rows of channels, one for each tap and filter: w `turned`. Rows are filled up with zeros to whole
register tiles. Winograd's engine takes them transformed, G w G^T, positions instead of taps, and in panels (tile.py).
The gradient comes as partial sums of several chunks of a batch, which are added in order.
"""
from .jit import jit
from .pixels import clear, copy, put
from .shape import VECTORS, Plan
from .simd import load, load_tile, store, store_tile
from .steps import BOOL, FLOATS, INT, step
from .tile import panel
from .winograd_transforms import WEIGHT, WEIGHT_TRANSPOSED, both_ways

ROWS = 16  # that a step prepares: turned, they are a cache line of w


@jit(inline=True)
def copy_rows(w, size, first, last, turned, t, at, row, tap_apart):
    """t[at + tap * tap_apart + i * row ...] = row first + i of every tap, filled up with zeros."""
    C, F = size.C, size.F
    for tap in range(size.HH * size.WW):
        target = at + tap * tap_apart
        if turned:
            for c in range(C):
                for r in range(first, last):
                    t[target + (r - first) * row + c] = w[(tap * C + c) * F + r]
            for r in range(last - first):
                clear(t, target + r * row + C, size.Cp - C, size.lanes)
        else:
            for r in range(first, last):
                copy(w, (tap * C + r) * F, t, target + (r - first) * row, F, size.lanes)
                clear(t, target + (r - first) * row + F, size.Fp - F, size.lanes)


@step(FLOATS, FLOATS, FLOATS, Plan, INT, INT, BOOL)
def lay_out(w, s, u, plan, first, last, turned):
    """Direct convolution: u (HH, WW, C, Fp), or turned (HH, WW, F, Cp)."""
    rows, wide = (plan.size.F, plan.size.Cp) if turned else (plan.size.C, plan.size.Fp)
    copy_rows(w, plan.size, first, last, turned, u, first * wide, wide, rows * wide)


@step(FLOATS, INT, FLOATS, Plan, INT, FLOATS)
def take_back(du, chunks, s, plan, c, dw):
    """Direct convolution: dw (HH, WW, C, F) of channel c from partial sums du (chunks, HH, run, Fp)."""
    size = plan.size
    for tap in range(size.HH * size.WW):
        row = (tap // size.WW * plan.run + tap % size.WW * size.C + c) * size.Fp
        for f in range(0, size.F, size.lanes):
            total = load(du, row + f, 1)
            for chunk in range(1, chunks):
                total += load(du, chunk * plan.weights + row + f, 1)
            put(dw, (tap * size.C + c) * size.F, f, size.F, size.lanes, total)


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
    """Return the step that take_back is for Winograd: dw = G^T dU G; the partial sums du of dU are spoilt."""
    both, n = both_ways(WEIGHT_TRANSPOSED[m]), m + 2

    @step(FLOATS, INT, FLOATS, Plan, INT, FLOATS)
    def transform_back(du, chunks, s, plan, c, dw):
        size, apart, lanes = plan.size, plan.dU_apart, plan.size.lanes
        for f in range(0, size.F, lanes):
            row = panel(c, f, size.Cp, lanes)
            for chunk in range(1, chunks):
                for q in range(row, row + n * n * apart, apart):
                    store(du, q, load(du, q, 1) + load(du, chunk * plan.weights + q, 1))
            store_tile(s, 0, 3 * lanes, lanes, both(load_tile(du, row, n * apart, apart, n)))
            for tap in range(9):
                put(dw, (tap * size.C + c) * size.F, f, size.F, lanes, load(s, tap * lanes, 1))
    return transform_back


TRANSFORM = {m: make_transform(m) for m in WEIGHT}
TRANSFORM_BACK = {m: make_transform_back(m) for m in WEIGHT}
