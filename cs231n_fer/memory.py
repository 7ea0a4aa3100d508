"""The arena: memory for activations, gradients and scratch that is used again instead of being given back.

Fresh memory costs a page fault for every 4 KiB, 15 to 40 % of a training step. Here an array's memory goes back to a
list as soon as nothing refers to the array or a view of it any more, and the next array of about that size takes it:
after one training step, training allocates nothing large. Nobody says when an array ends, so nobody can say it wrong.
"""
import math
from collections import defaultdict

import numpy as np

ALIGN, SLAB = 64, 32 * 2 ** 20
_idle = defaultdict(list)  # bytes -> blocks (array, aligned address) of that many bytes that nothing uses


def size_class(count):
    """Round a number of bytes up to one of eight sizes in each power of two, so that batches of 49 and 50 share."""
    step = max(ALIGN, 1 << max(0, count.bit_length() - 4))
    return -(-count // step) * step


class _Lease:
    """A block in use: the base of an array, and of every view of it. When the last of them ends, so does the lease."""

    def __init__(self, block, size, count, dtype):
        self.block, self.size = block, size
        self.__array_interface__ = {"version": 3, "data": (block[1], False), "shape": (count,), "typestr": dtype.str}

    def __del__(self, idle=_idle):  # the default keeps it alive at the end of the process, when globals are gone
        idle[self.size].append(self.block)


def empty(shape, dtype):
    """Return a C-contiguous array whose contents are arbitrary, from memory that was used before where there is some.

    shape   int or tuple;  dtype: a NumPy dtype. The memory is aligned to a cache line.
    """
    dtype = np.dtype(dtype)
    count = math.prod(shape) if isinstance(shape, tuple) else shape
    size = size_class(count * dtype.itemsize)
    try:
        block = _idle[size].pop()
    except IndexError:
        block = _carve(size)
    return np.asarray(_Lease(block, size, count, dtype)).reshape(shape)


def _carve(size):
    """Cut a new block off the current slab, or off a new one."""
    global _slab
    if _slab.left < size:
        _slab = _Slab(max(SLAB, size + ALIGN))
    return _slab.cut(size)


class _Slab:
    """Memory that blocks are cut from: NumPy asks the system for huge pages of what is this large."""

    def __init__(self, size):
        self.memory, self.left = np.empty(size, np.uint8), size - ALIGN
        self.next = -(-self.memory.ctypes.data // ALIGN) * ALIGN

    def cut(self, size):
        """Return (the memory that must live as long as the block, its address)."""
        start = self.next
        self.next, self.left = start + size, self.left - size
        return self.memory, start


_slab = _Slab(ALIGN)


def zeros(shape, dtype):
    """Return an array of zeros from the arena."""
    array = empty(shape, dtype)
    array.fill(0)
    return array


def release():
    """Give all memory that nothing uses back to the system; returns its bytes."""
    size = sum(size * len(blocks) for size, blocks in _idle.items())
    _idle.clear()
    return size
