"""Tests of every word of kernels/vectors/simd.py against NumPy.

test_machines.py runs them for every instruction set, and without compilation.
"""
import operator

import numpy as np
import pytest

from cs231n_fer.kernels.vectors.jit import jit
from cs231n_fer.kernels.vectors.machine import lanes_of
from cs231n_fer.kernels.vectors.simd import (
    add_tile,
    fma,
    lane_sum,
    load,
    load_rows,
    load_spaced,
    load_tile,
    load_turned,
    outer_fma,
    repeated,
    select,
    splat,
    store,
    store_rows,
    store_spaced,
    store_tile,
    transposed,
    vector,
    zeros,
)

DTYPES = [np.float32, np.float64]
AT, ROW, STEP, LENGTH = 3, 211, 17, 3000  # not multiples of a vector; unknown at compile time
# NaN and infinity as either operand, both signs of zero, ties.
LEFT = [np.nan, 1, np.nan, np.inf, 0, 1, 1, 2, -np.inf, np.inf]
RIGHT = [1, np.nan, np.nan, np.inf, -0.0, 1, 2, 1, np.inf, 1]


def vectors(start, n, lanes, step=None):
    """Return the indices of n vectors, `step` from each other or contiguous: (n, lanes)."""
    return start + np.add.outer(np.arange(n) * (step or lanes), np.arange(lanes))


def grid(rows, columns, lanes):
    """Return the indices of the vectors of a tile at AT: (rows, columns, lanes)."""
    return AT + np.add.outer(np.arange(rows) * ROW, vectors(0, columns, lanes, STEP))


def blocks(count, n, lanes):
    """Return the indices of `count` Blocks of n vectors that begin at 0, ROW, 2 ROW...:

    (count, n, lanes).
    """
    return np.add.outer(np.arange(count) * ROW, vectors(0, n, lanes))


WORDS = {}


def word(definition, name=None):
    """Add a kernel(a, b, out, at, row, step) to WORDS; definition(a, b, out, lanes): where it
    writes to out, and what.

    a holds eighths, so that products and sums of a few are exact in float32, and b any floats; see
    above for a[AT:].
    """
    def add(kernel):
        WORDS[name or kernel.__name__] = jit(kernel), definition
        return kernel
    return add


def add_words(n):
    """Add words of n vectors; 4 of them share a register for their addresses."""
    @word(lambda a, b, out, lanes: (vectors(0, n, lanes), a[vectors(AT, n, lanes, STEP)]),
          f"load_spaced {n}")
    def loads_spaced(a, b, out, at, row, step):
        store(out, 0, load_spaced(a, at, step, n))

    @word(lambda a, b, out, lanes: (vectors(AT, n, lanes, STEP), a[vectors(0, n, lanes)]),
          f"store_spaced {n}")
    def stores_spaced(a, b, out, at, row, step):
        store_spaced(out, at, step, load(a, 0, n))

    @word(lambda a, b, out, lanes: (vectors(0, n, lanes), a[AT + ROW * np.arange(n)][:, None]),
          f"splat {n}")
    def splats(a, b, out, at, row, step):
        store(out, 0, splat(a, at, row, n))


@word(lambda a, b, out, lanes: (vectors(0, lanes, lanes), a[vectors(AT, lanes, lanes, STEP)].T),
      "load_turned")
def loads_turned(a, b, out, at, row, step):
    store(out, 0, load_turned(a, at, step))


def add_rows(columns):
    """Add words of 5 vectors in rows, of which the last row is incomplete."""
    def places(lanes):
        return np.array([AT + i // columns * ROW + i % columns * lanes + np.arange(lanes)
                         for i in range(5)])

    @word(lambda a, b, out, lanes: (vectors(0, 5, lanes), a[places(lanes)]), f"load_rows {columns}")
    def loads_rows(a, b, out, at, row, step):
        store(out, 0, load_rows(a, at, row, 5, columns))

    @word(lambda a, b, out, lanes: (places(lanes), a[vectors(0, 5, lanes)]),
          f"store_rows {columns}")
    def stores_rows(a, b, out, at, row, step):
        store_rows(out, at, row, load(a, 0, 5), columns)


def add_operator(symbol, compares):
    """An operator between Blocks and with numbers on either side: of an array, whole, and not exact
    in any float."""
    def compute(a, b, out, lanes):
        x = a[vectors(AT, 5, lanes)]
        y = b[vectors(AT, 5, lanes)]
        with np.errstate(all="ignore"):
            results = [symbol(*(np.array(side) for side in sides)).astype(a.dtype) for sides in (
                (x, y), (x, a.dtype.type(0.1)), (a.dtype.type(0.1), x), (x, a.dtype.type(3)),
                (a[0], x))]
        return blocks(5, 5, lanes), np.array(results)

    if compares:
        @word(compute, symbol.__name__)
        def compare(a, b, out, at, row, step):
            x = load(a, at, 5)
            y = load(b, at, 5)
            one = zeros(a, 5) + 1.0
            store(out, 0, select(symbol(x, y), one, 0.0))
            store(out, row, select(symbol(x, 0.1), one, 0.0))
            store(out, 2 * row, select(symbol(0.1, x), one, 0.0))
            store(out, 3 * row, select(symbol(x, 3), one, 0.0))
            store(out, 4 * row, select(symbol(a[0], x), one, 0.0))
    else:
        @word(compute, symbol.__name__)
        def operate(a, b, out, at, row, step):
            x = load(a, at, 5)
            y = load(b, at, 5)
            store(out, 0, symbol(x, y))
            store(out, row, symbol(x, 0.1))
            store(out, 2 * row, symbol(0.1, x))
            store(out, 3 * row, symbol(x, 3))
            store(out, 4 * row, symbol(a[0], x))


for n in (1, 3, 4, 9):
    add_words(n)
for columns in (1, 2, 3):
    add_rows(columns)
for symbol in (operator.add, operator.sub, operator.mul, operator.truediv):
    add_operator(symbol, compares=False)
for symbol in (operator.gt, operator.lt, operator.eq, operator.ne):
    add_operator(symbol, compares=True)


@word(lambda a, b, out, lanes: (vectors(0, 5, lanes), a[vectors(AT, 5, lanes)]), "load")
def loads(a, b, out, at, row, step):
    store(out, 0, load(a, at, 5))


@word(lambda a, b, out, lanes: (vectors(AT, 5, lanes), a[vectors(0, 5, lanes)]), "store")
def stores(a, b, out, at, row, step):
    store(out, at, load(a, 0, 5))


@word(lambda a, b, out, lanes: (vectors(AT, 3, lanes), 0), "zeros")
def store_zeros(a, b, out, at, row, step):
    store(out, at, zeros(a, 3))


@word(lambda a, b, out, lanes: (blocks(1, 1, lanes), a[grid(1, 1, lanes)]), "load_tile 1")
def loads_tile_1(a, b, out, at, row, step):
    tile = load_tile(a, at, row, step, 1)
    store(out, 0, tile[0])


@word(lambda a, b, out, lanes: (blocks(5, 5, lanes), a[grid(5, 5, lanes)]), "load_tile 5")
def loads_tile_5(a, b, out, at, row, step):
    for i, each in enumerate(load_tile(a, at, row, step, 5)):
        store(out, i * row, each)


# Column j of a tile is the Block at a[j * ROW].
@word(lambda a, b, out, lanes: (grid(2, 5, lanes), a[blocks(5, 2, lanes)].swapaxes(0, 1)),
      "store_tile")
def stores_tile(a, b, out, at, row, step):
    columns = (load(a, 0, 2), load(a, row, 2), load(a, 2 * row, 2), load(a, 3 * row, 2),
               load(a, 4 * row, 2))
    store_tile(out, at, row, step, columns)


@word(lambda a, b, out,
      lanes: (grid(2, 3, lanes), out[grid(2, 3, lanes)] + a[blocks(3, 2, lanes)].swapaxes(0, 1)),
      "add_tile")
def adds_tile(a, b, out, at, row, step):
    add_tile(out, at, row, step, (load(a, 0, 2), load(a, row, 2), load(a, 2 * row, 2)))


@word(lambda a, b, out, lanes: (blocks(2, 3, lanes), a[blocks(3, 2, lanes)].swapaxes(0, 1)),
      "transposed")
def transpose(a, b, out, at, row, step):
    columns = transposed((load(a, 0, 2), load(a, row, 2), load(a, 2 * row, 2)))
    store(out, 0, columns[0])
    store(out, row, columns[1])


@word(lambda a, b, out, lanes: (vectors(0, 1, lanes), a[vectors(2 * lanes, 1, lanes)]), "vector")
def take_vector(a, b, out, at, row, step):
    store(out, 0, vector(load(a, 0, 3), 2))


@word(lambda a, b, out, lanes: (vectors(0, 3, lanes), np.tile(a[vectors(AT, 1, lanes)], (3, 1))),
      "repeated")
def repeat_vector(a, b, out, at, row, step):
    store(out, 0, repeated(load(a, at, 1), 3))


def halved(lanes):
    """Return the sum in the order of lane_sum."""
    half = len(lanes) // 2
    return halved(lanes[:half] + lanes[half:]) if half else lanes[0]


@word(lambda a, b, out, lanes: ([0, 1], [halved(b[ROW:ROW + lanes]), halved(a[AT:AT + lanes])]),
      "lane_sum")
def sum_lanes(a, b, out, at, row, step):
    out[0] = lane_sum(load(b, row, 1))
    out[1] = lane_sum(load(a, at, 1))


@word(lambda a, b, out, lanes: (blocks(3, 2, lanes), np.array([
    a[z] + a[x] * factor
    for x, z in [blocks(2, 2, lanes)]
    for factor in (a[vectors(2 * ROW, 2, lanes)], 0.25, 3)])), "fma")
def multiply_add(a, b, out, at, row, step):
    x = load(a, 0, 2)
    z = load(a, row, 2)
    store(out, 0, fma(x, load(a, 2 * row, 2), z))
    store(out, row, fma(x, 0.25, z))
    store(out, 2 * row, fma(x, 3, z))


@word(lambda a, b, out, lanes: (vectors(0, 6, lanes), np.concatenate([
    a[vectors(ROW + 2 * i * lanes, 2, lanes)] + a[AT + 20 + i] * a[vectors(0, 2, lanes)]
    for i in range(3)])), "outer_fma")
def outer(a, b, out, at, row, step):
    store(out, 0, outer_fma(splat(a, at + 20, 1, 3), load(a, 0, 2), load(a, row, 6)))


def choose(a, b, out, lanes):
    x = a[vectors(AT, 5, lanes)]
    y = b[vectors(AT, 5, lanes)]
    return blocks(5, 5, lanes), np.array([np.where(x > y, x, y), np.where(x < y, 0.5, y),
                                          np.where(x == y, x, 3), np.where(x <= y, 7, y),
                                          np.where((x > y) | (x != x), x, y)])


@word(choose, "select")
def select_by(a, b, out, at, row, step):
    x = load(a, at, 5)
    y = load(b, at, 5)
    store(out, 0, select(x > y, x, y))
    store(out, row, select(x < y, 0.5, y))
    store(out, 2 * row, select(x == y, x, 3))
    store(out, 3 * row, select(x <= y, 7, y))
    store(out, 4 * row, select((x > y) | (x != x), x, y))


@word(lambda a, b, out, lanes: (blocks(4, 2, lanes), np.array([
    a[vectors(0, 2, lanes)] * factor + more
    for factor, more in ((1, 0), (1, 1), (1, -0.25), (2, 0))])), "iadd isub imul")
def change_a_copy(a, b, out, at, row, step):
    block = load(a, 0, 2)
    more = block
    less = block
    twice = block
    more += 1.0
    less -= 0.25
    twice *= 2
    store(out, 0, block)
    store(out, row, more)
    store(out, 2 * row, less)
    store(out, 3 * row, twice)


def draw(dtype):
    """Return arrays a, b and out for the words; see word."""
    rng = np.random.default_rng(0)
    a = rng.integers(-32, 33, LENGTH) / 8
    b = rng.standard_normal(LENGTH)
    a[AT:AT + len(LEFT)] = LEFT
    b[AT:AT + len(RIGHT)] = RIGHT
    return a.astype(dtype), b.astype(dtype), rng.standard_normal(LENGTH).astype(dtype)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", WORDS)
def test_every_word_does_what_its_definition_in_numpy_does(name, dtype):
    kernel, definition = WORDS[name]
    a, b, out = draw(dtype)
    with np.errstate(all="ignore"):
        where, what = definition(a, b, out, lanes_of(a.dtype))
        expected = out.copy()
        expected[where] = what
        kernel(a, b, out, AT, ROW, STEP)
    # With fastmath (arcp), two divisions by the same x may become 1 / x and two products.
    np.testing.assert_allclose(out, expected,
                               rtol=2 * np.finfo(dtype).eps if name == "truediv" else 0)
