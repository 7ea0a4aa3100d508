"""Edge cases of kernels/vectors/simd.py: rounding, partial vectors, bytes, invalid addresses."""
import re

import numba
import numpy as np
import pytest
import test_simd
from test_simd import AT, DTYPES, draw

from cs231n_fer.arrays import arena
from cs231n_fer.kernels.vectors import simd, simd_python
from cs231n_fer.kernels.vectors.jit import DISABLED, jit
from cs231n_fer.kernels.vectors.machine import lanes_of
from cs231n_fer.kernels.vectors.simd import (
    drain,
    fma,
    load,
    load_bytes,
    load_head,
    load_spaced,
    load_turned,
    outer_fma,
    splat,
    store,
    store_bytes,
    store_head,
    store_tile,
    stream,
    vector,
    zeros,
)


@jit
def fuse(x, y, z, out):
    store(out, 0, fma(load(x, 0, 1), load(y, 0, 1), load(z, 0, 1)))


@jit
def fuse_outer(x, y, z, out):
    store(out, 0, outer_fma(load(x, 0, 1), load(y, 0, 1), load(z, 0, 1)))


@pytest.mark.parametrize("dtype, bits", [(np.float32, 15), (np.float64, 30)])
@pytest.mark.parametrize("kernel", [fuse, fuse_outer])
def test_a_multiply_add_is_rounded_once(kernel, dtype, bits):
    one = np.ones(lanes_of(np.dtype(dtype)), dtype)
    tiny = dtype(0.5 ** bits)
    out = np.zeros(16, dtype)
    kernel(one + tiny, one - tiny, -one, out)  # the product alone rounds to 1
    np.testing.assert_array_equal(out[:len(one)], -tiny ** 2)


@jit
def copy_head(a, at, live, out):
    store(out, 0, load_head(a, at, live))


@jit
def write_head(a, out, at, live):
    store_head(out, at, load(a, 0, 1), live)


@pytest.mark.parametrize("dtype", DTYPES)
def test_a_head_reads_and_writes_its_live_lanes_only(dtype):
    a, _, out = draw(dtype)
    lanes = lanes_of(a.dtype)
    for live in range(lanes + 1):
        expected = out.copy()
        copy = np.full(lanes, np.nan, dtype)
        copy_head(a, AT, live, copy)
        np.testing.assert_array_equal(copy, np.where(np.arange(lanes) < live, a[AT:AT + lanes], 0))
        expected[AT:AT + live] = a[:live]
        write_head(a, out, AT, live)
        np.testing.assert_array_equal(out, expected)


@jit
def copy_streamed(a, out, at):
    stream(out, at, load(a, 0, 2))
    drain()


@pytest.mark.parametrize("dtype", DTYPES)
def test_what_is_streamed_is_there_and_nothing_else_is_written(dtype):
    a = draw(dtype)[0]
    lanes = lanes_of(np.dtype(dtype))
    out = arena.zeros(100, dtype)
    for at in range(0, 100 - 2 * lanes, lanes):
        out[:] = 7
        expected = np.full(100, 7, dtype)
        expected[at:at + 2 * lanes] = a[:2 * lanes]
        copy_streamed(a, out, at)
        np.testing.assert_array_equal(out, expected)


@pytest.mark.skipif(not DISABLED, reason="compiled code ends the process")
def test_with_the_compiler_off_streaming_to_an_address_between_vectors_is_an_error():
    with pytest.raises(ValueError, match="at: got 1, whose address is no multiple"):
        copy_streamed(np.zeros(64, np.float32), arena.zeros(64, np.float32), 1)


@jit
def copy_bytes(source, at, like, target):
    store_bytes(target, at, load_bytes(source, at, like))


@jit
def floats_of_bytes(source, at, out):
    store(out, 0, load_bytes(source, at, out))


@pytest.mark.parametrize("dtype", DTYPES)
def test_bytes_become_floats_and_floats_bytes(dtype):
    source = np.arange(256, dtype=np.uint8)
    lanes = lanes_of(np.dtype(dtype))
    for at in range(256 - lanes + 1):
        target = np.full(256, 77, np.uint8)
        out = np.full(lanes + 1, -1, dtype)
        expected = target.copy()
        expected[at:at + lanes] = source[at:at + lanes]
        copy_bytes(source, at, out, target)
        floats_of_bytes(source, at, out)
        np.testing.assert_array_equal(target, expected)
        np.testing.assert_array_equal(out, [*range(at, at + lanes), -1])


OUTSIDE = [
    lambda a, lanes: load(a, -1, 1), lambda a, lanes: load(a, len(a) - lanes + 1, 1),
    lambda a, lanes: load_spaced(a, 0, len(a), 2), lambda a, lanes: splat(a, len(a), 0, 1),
    lambda a, lanes: load_turned(a, 0, len(a)),
    lambda a, lanes: store(a, len(a) - lanes, zeros(a, 2)), lambda a,
    lanes: stream(a, len(a) - lanes, zeros(a, 2)),
    lambda a, lanes: store_tile(a, 0, 64, 0, (zeros(a, 2),)),
    lambda a, lanes: load_head(a, len(a) - 1, 2), lambda a,
    lanes: store_head(a, len(a) - 1, zeros(a, 1), 2),
    lambda a, lanes: load_bytes(a.view(np.uint8), a.nbytes - lanes + 1, a)]
WRONG = [lambda a, lanes: vector(zeros(a, 2), 2), lambda a, lanes: load(a.reshape(2, -1), 0, 1),
         lambda a, lanes: load_head(a, 0, lanes + 1)]


@pytest.mark.skipif(not DISABLED, reason="this is about the words in NumPy")
@pytest.mark.parametrize("use", OUTSIDE + WRONG)
def test_with_the_compiler_off_an_address_outside_of_an_array_is_an_error(use):
    a = arena.zeros(64, np.float32)
    with pytest.raises(IndexError):
        use(a, lanes_of(a.dtype))
    with pytest.raises(TypeError):
        store(a, 0, zeros(a.astype(np.float64), 1))


@pytest.mark.skipif(DISABLED, reason="nothing is compiled")
@pytest.mark.parametrize("use", OUTSIDE)
def test_with_bounds_checks_an_address_outside_of_an_array_is_an_error(use, monkeypatch):
    monkeypatch.setattr(numba.config, "BOUNDSCHECK", 1)
    a = arena.zeros(64, np.float32)
    inlined = jit(use, inline=True)
    inside = numba.njit(lambda a: store(a, len(a) - 16, load(a, 0, 1)))
    outside = numba.njit(
lambda a, lanes: (inlined(a, lanes), None)[1])
    inside(a)
    with pytest.raises(IndexError, match="a vector that is not all in its array"):
        outside(a, lanes_of(a.dtype))


@pytest.mark.skipif(DISABLED, reason="a word is a function like any other")
def test_no_word_is_missing_in_the_tests_nor_in_the_documentation_nor_with_the_compiler_off():
    words = {name for name, value in vars(simd).items() if type(value) is type(load)}
    assert "lane_sum" in words
    assert words <= {*globals(), *vars(test_simd)}
    assert words <= set(vars(simd_python))
    assert words <= set(re.findall(r"\w+", simd.__doc__))
