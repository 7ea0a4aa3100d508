"""The arena: memory for activations, gradients and scratch that is used again instead of being given back.

Fresh memory costs a page fault for every 4 KiB, 15 to 40 % of a training step. Here a block of memory is free as soon
as nothing but the arena refers to it, which CPython counts: an array made of it, and every view of that array, holds
one reference. The next array of about that size takes it, so after one training step training allocates nothing large.
Nobody says when an array ends, so nobody can say it wrong. Threads of Python share the arena: they look for a block
one at a time, and whoever has found one holds a reference to it before the next one looks.
"""
import math
from collections import defaultdict, deque
from functools import lru_cache
from sys import getrefcount
from threading import RLock

import numpy as np

ALIGN, SLAB = 64, 32 * 2 ** 20
_blocks = defaultdict(deque)  # bytes -> all blocks of that many bytes, in use or not
# Of the thread that looks for a block, which costs 0.1 us. A finalizer that runs meanwhile may look as well.
_turn = RLock()


@lru_cache(2 ** 12)
def size_class(count):
    """Round a number of bytes up to one of eight sizes in each power of two, so that batches of 49 and 50 share."""
    step = max(ALIGN, 1 << max(0, count.bit_length() - 4))
    return -(-count // step) * step


def empty(shape, dtype):
    """Return a C-contiguous array whose contents are arbitrary, from memory that was used before where there is some.

    shape   int or tuple;  dtype: a NumPy dtype. The memory is aligned to a cache line.
    """
    dtype = np.dtype(dtype)
    if dtype.hasobject:
        raise ValueError(f"dtype: got {dtype}, expected numbers; objects can't lie in memory that is used again")
    count = math.prod(shape) if isinstance(shape, tuple) else shape
    return np.ndarray(shape, dtype, _take(size_class(count * dtype.itemsize)))


def _take(size):
    """Return a block that is free, the one that was used last if it can be, or a new one."""
    with _turn:
        blocks = _blocks[size]
        for _ in range(len(blocks)):
            block = blocks[-1]
            if getrefcount(block) == IDLE:  # what nobody else refers to, nobody else can begin to use
                return block
            blocks.rotate(1)
        block = _carve(size)
        blocks.append(block)
        return block


def _idle_references():
    """Count the references to a block that nothing but its queue, and who looks at it, refers to."""
    blocks = deque([np.empty(0)])
    block = blocks[-1]
    return getrefcount(block)


IDLE = _idle_references()


def _carve(size):
    """Cut a new block off the current slab, or off a new one; only while it is the thread's turn."""
    global _slab
    if _slab.left < size:
        _slab = _Slab(max(SLAB, size + ALIGN))
    return _slab.cut(size)


class _Slab:
    """Memory that blocks are cut from: NumPy asks the system for huge pages of what is this large."""

    def __init__(self, size):
        memory = np.empty(size, np.uint8)
        self.memory, self.left, self.next = memoryview(memory), size - ALIGN, -memory.ctypes.data % ALIGN

    def cut(self, size):
        """Return a block: an array over a memoryview, so that views of the block refer to it and not to the slab."""
        start = self.next
        self.next, self.left = start + size, self.left - size
        return np.frombuffer(self.memory[start:start + size], np.uint8)


_slab = _Slab(ALIGN)


def zeros(shape, dtype):
    """Return an array of zeros from the arena."""
    array = empty(shape, dtype)
    array.fill(0)
    return array


def like(array):
    """Return an array of arbitrary contents with the shape, dtype and order of axes of another, without gaps."""
    shape, strides = array.shape, np.empty_like(array, subok=False).strides
    return np.ndarray(shape, array.dtype, _take(size_class(array.nbytes)), strides=strides)


def release():
    """Forget all blocks; returns the bytes of free ones. A slab goes back to the system with the last block of it."""
    with _turn:
        free = sum(size for size, blocks in _blocks.items() for block in blocks if getrefcount(block) <= IDLE)
        _blocks.clear()
        return free
