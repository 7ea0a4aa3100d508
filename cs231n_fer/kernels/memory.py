"""Vectors of channels, rows and matrices in memory: read, write, clear, copy, transpose.

Arrays are flat, and positions count their numbers. All functions here are inlined.
"""
from .vectors.jit import jit
from .vectors.simd import (
    load,
    load_head,
    load_turned,
    store,
    store_head,
    store_spaced,
    stream,
    zeros,
)

# An array larger than this is no longer in a cache when it is read again, and the cache would first
# read the lines that are overwritten. With a limit of 1.5 MiB a training step takes 1.04 times as
# long at batch 50, with no limit at batch 256.
STREAM_BYTES = 4 * 2 ** 20


@jit(inline=True)
def get(a, at, f, channels, lanes):
    """Return the vector of channels f... of a pixel at a[at]; lanes beyond `channels` are 0."""
    if channels - f >= lanes:
        return load(a, at + f, 1)
    return load_head(a, at + f, channels - f)


@jit(inline=True)
def put(a, at, f, channels, lanes, block):
    """Write a vector of channels, the inverse of get."""
    if channels - f >= lanes:
        store(a, at + f, block)
    else:
        store_head(a, at + f, block, channels - f)


@jit(inline=True)
def goes_past(a, channels, lanes):
    """Return whether pixels of this many channels are written past the caches.

    They are if the array is large and consists of whole, aligned vectors.
    """
    large = len(a) * a.itemsize > STREAM_BYTES
    return large and channels % lanes == 0 and a.ctypes.data % (lanes * a.itemsize) == 0


@jit(inline=True)
def put_out(a, at, f, channels, lanes, block, past):
    """Write a vector of channels as put does, or past the caches: drain() must follow."""
    if past:
        stream(a, at + f, block)
    else:
        put(a, at, f, channels, lanes, block)


@jit(inline=True)
def clear(s, at, count, lanes):
    """Write zeros.

    A loop over numbers, whose index could be negative, isn't vectorized by the compiler: 4 GB/s.
    """
    for k in range(at, at + count - lanes + 1, lanes):
        store(s, k, zeros(s, 1))
    if count % lanes:
        store_head(s, at + count // lanes * lanes, zeros(s, 1), count % lanes)


@jit(inline=True)
def copy(a, a_at, b, b_at, count, lanes):
    """Copy `count` numbers from a to b."""
    for k in range(0, count - lanes + 1, lanes):
        store(b, b_at + k, load(a, a_at + k, 1))
    if count % lanes:
        done = count // lanes * lanes
        store_head(b, b_at + done, load_head(a, a_at + done, count % lanes), count % lanes)


@jit(inline=True)
def turn(a, a_at, a_row, b, b_at, b_row, rows, columns, lanes):
    """Let b[i, j] = a[j, i] for a matrix b of rows x columns; a_row, b_row: row strides.

    Squares of vectors are transposed in registers; the last ones overlap those before. A small
    matrix goes number by number, which takes three times as long: 2.1 ms instead of 0.7 for images
    of the baseline net, 50 x 32 x 24 x 24.
    """
    if min(rows, columns) < lanes:
        for i in range(rows):
            for j in range(columns):
                b[b_at + i * b_row + j] = a[a_at + j * a_row + i]
        return
    for j in range(0, columns, lanes):
        for i in range(0, rows, lanes):
            to = min(i, rows - lanes)
            at = min(j, columns - lanes)
            store_spaced(b, b_at + to * b_row + at, b_row,
                         load_turned(a, a_at + at * a_row + to, a_row))
