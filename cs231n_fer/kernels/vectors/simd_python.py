"""The words of simd.py in NumPy, which kernels use with NUMBA_DISABLE_JIT=1: slow, for debugging.

A Block is an array (n, lanes). An address outside its array is an IndexError, where compiled code
reads or overwrites other memory, and a Block of another dtype than the array that it is written to
is a TypeError. simd.py defines the words and imports these; import them from there.
"""
import numpy as np

from .machine import lanes_of


class Block(np.ndarray):
    """n vectors of floats, immutable like a number: x += y makes a new one."""

    def __iadd__(self, other):
        return self + other

    def __isub__(self, other):
        return self - other

    def __imul__(self, other):
        return self * other


def as_block(vectors, dtype):
    """Return a Block with a copy of an array (n, lanes)."""
    return np.array(vectors, dtype).view(Block)


def span(a, start, count):
    """Return a[start:start + count]; raise IndexError unless all of it is in the array."""
    if a.ndim != 1 or start < 0 or start + count > len(a):
        raise IndexError(f"a: got an array {a.shape}, expected a flat one that holds "
                         f"{start}...{start + count - 1}")
    return a[start:start + count]


def starts(at, n, columns=1, row=0, step=0):
    """Return where n vectors begin, in rows of `columns`."""
    return [at + i // columns * row + i % columns * step for i in range(n)]


def read(a, places):
    """Return the vectors that begin at these places."""
    return as_block([span(a, start, lanes_of(a.dtype)) for start in places], a.dtype)


def write(a, places, block, add=False):
    """Write a Block's vectors to these places, or add them, one after the other."""
    if block.dtype != a.dtype or block.shape != (len(places), lanes_of(a.dtype)):
        raise TypeError(f"block: got {block.dtype} {block.shape}, expected {a.dtype} "
                        f"{(len(places), lanes_of(a.dtype))}")
    for start, vector in zip(places, block, strict=True):
        here = span(a, start, lanes_of(a.dtype))
        here[:] = here + vector if add else vector


def load(a, at, n):
    """Return n contiguous vectors."""
    return read(a, starts(at, n, row=lanes_of(a.dtype)))


def load_spaced(a, at, step, n):
    """Return n vectors, step numbers apart."""
    return read(a, starts(at, n, row=step))


def load_rows(a, at, row, n, columns):
    """Return n vectors from rows of `columns` vectors, row numbers apart."""
    return read(a, starts(at, n, columns, row, lanes_of(a.dtype)))


def load_turned(a, at, row):
    """Return the columns of a square of vectors whose rows are `row` numbers apart."""
    return as_block(load_spaced(a, at, row, lanes_of(a.dtype)).T, a.dtype)


def store(a, at, block):
    """Write contiguous vectors."""
    write(a, starts(at, len(block), row=lanes_of(a.dtype)), block)


def stream(a, at, block):
    """Write vectors to an aligned address."""
    if (a.ctypes.data + at * a.itemsize) % (lanes_of(a.dtype) * a.itemsize):
        raise ValueError(f"at: got {at}, whose address is no multiple of a vector's size")
    store(a, at, block)


def drain():
    """Do nothing: nothing is streamed."""


def store_spaced(a, at, step, block):
    """Write vectors step numbers apart."""
    write(a, starts(at, len(block), row=step), block)


def store_rows(a, at, row, block, columns):
    """Write vectors to rows of `columns` vectors, row numbers apart."""
    write(a, starts(at, len(block), columns, row, lanes_of(a.dtype)), block)


def load_tile(a, at, row, step, n):
    """Return a tuple of n Blocks of n vectors."""
    return tuple(load_spaced(a, at + i * row, step, n) for i in range(n))


def store_tile(a, at, row, step, columns):
    """Write a tuple of columns."""
    for i, block in enumerate(transposed(columns)):
        write(a, starts(at + i * row, len(columns), row=step), block)


def add_tile(a, at, row, step, columns):
    """Add a tuple of columns to the array."""
    for i, block in enumerate(transposed(columns)):
        write(a, starts(at + i * row, len(columns), row=step), block, add=True)


def splat(a, at, step, n):
    """Return n numbers, step apart, as vectors with one number in all lanes."""
    numbers = [span(a, start, 1) for start in starts(at, n, row=step)]
    return as_block(np.repeat(numbers, lanes_of(a.dtype), axis=1), a.dtype)


def zeros(a, n):
    """Return n vectors of zeros."""
    return as_block(np.zeros((n, lanes_of(a.dtype))), a.dtype)


def head(a, at, live):
    """Return a[at:at + live], at most as many numbers as a vector has lanes.

    With live = 0, at may be anywhere.
    """
    if not 0 <= live <= lanes_of(a.dtype):
        raise IndexError(f"live: got {live} lanes, expected 0 to {lanes_of(a.dtype)}")
    return span(a, at if live else 0, live)


def load_head(a, at, live):
    """Return one vector whose first lanes are read; the others are 0."""
    block = zeros(a, 1)
    block[0, :live] = head(a, at, live)
    return block


def store_head(a, at, block, live):
    """Write the first lanes of one vector."""
    if block.dtype != a.dtype or len(block) != 1:
        raise TypeError(f"block: got {block.dtype} {block.shape}, expected {a.dtype} "
                        f"{(1, lanes_of(a.dtype))}")
    head(a, at, live)[:] = block[0, :live]


def load_bytes(bytes_, at, like):
    """Return one vector of the numbers in an array of uint8, as floats of the dtype of `like`."""
    return as_block(span(bytes_, at, lanes_of(like.dtype))[None], like.dtype)


def store_bytes(bytes_, at, block):
    """Write one vector of whole numbers from 0 to 255 to an array of uint8."""
    if not ((block >= 0) & (block <= 255) & (block == np.floor(block))).all():
        raise ValueError(f"block: got {block}, expected whole numbers from 0 to 255")
    span(bytes_, at, block.shape[1])[:] = block[0]


def fma(x, y, z):
    """Return x * y + z, computed in the next wider float type; y and z may be numbers."""
    wide = np.float64 if x.dtype == np.float32 else np.longdouble
    y, z = (np.asarray(term, x.dtype).astype(wide) for term in (y, z))
    return as_block(x.astype(wide) * y + z, x.dtype)


def outer_fma(column, row, tile):
    """Return tile + the outer product of a column and a row."""
    n = len(row)
    return as_block(np.concatenate([fma(row, column[i], tile[i * n:(i + 1) * n])
                                    for i in range(len(column))]),
                    tile.dtype)


def select(mask, x, y):
    """Return x where the mask holds, else y; one of the two may be a number."""
    return as_block(np.where(mask, x, y), x.dtype if isinstance(x, Block) else y.dtype)


def transposed(rows):
    """Return the columns of a tuple of Blocks."""
    return tuple(as_block(column, rows[0].dtype) for column in zip(*rows, strict=True))


def vector(block, i):
    """Return vector i of a Block."""
    return as_block(block[[i]], block.dtype)


def repeated(x, n):
    """Return a Block of n times the same vector."""
    return as_block(np.repeat(x, n, axis=0), x.dtype)


def lane_sum(x):
    """Return the sum of the lanes of one vector, halving it until one is left."""
    part, = np.asarray(x)
    while len(part) > 1:
        part = part[:len(part) // 2] + part[len(part) // 2:]
    return part[0]
