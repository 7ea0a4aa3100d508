"""The arena: memory for activations, gradients and workspaces that is reused instead of freed.

Fresh memory costs a page fault for every 4 KiB, 15 to 40 % of a training step. Here a block of
memory is free as soon as only the arena refers to it. CPython counts references: an array made of
a block holds one, and so does every view of that array. The next array of about the same size
takes the block, so after one training step training allocates nothing large. Nothing has to be
released by hand, so nothing can be released too early.

Python threads share the arena. They search for a block one at a time, and a thread that has found
one holds a reference to it before the next thread searches.
"""
import math
import os
from collections import defaultdict, deque
from functools import lru_cache
from sys import getrefcount
from threading import RLock
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from ..types import Pixels, Shape

__all__ = ["ALIGN", "SLAB", "empty", "empty_like", "release", "size_class", "zeros"]

ALIGN = 64            # bytes of a cache line
SLAB = 32 * 2 ** 20   # bytes
_blocks: defaultdict[int, deque[Pixels]] = defaultdict(deque)  # all blocks by size in bytes
# Held while a block is searched for, which costs 0.1 us. It is reentrant, as a finalizer that runs
# meanwhile may search as well.
_lock = RLock()
if hasattr(os, "register_at_fork"):  # a forked process must not find the lock of a lost thread
    os.register_at_fork(before=_lock.acquire, after_in_parent=_lock.release,
                        after_in_child=_lock.release)


@lru_cache(2 ** 12)
def size_class(count: int) -> int:
    """Round a number of bytes up to one of eight sizes for each power of two.

    Batches of 49 and 50 images then use the same blocks.
    """
    granularity = max(ALIGN, 1 << max(0, count.bit_length() - 4))
    return -(-count // granularity) * granularity


def empty(shape: int | Shape, dtype: DTypeLike) -> NDArray[Any]:
    """Return a C-contiguous array with arbitrary contents, in reused memory if there is any.

    shape   int or tuple of ints
    dtype   a NumPy dtype; ValueError is raised for one that contains objects
    The memory is aligned to a cache line.
    """
    dtype = np.dtype(dtype)
    if dtype.hasobject:
        raise ValueError(f"dtype: got {dtype}, expected numbers; objects can't be stored in memory "
                         "that is reused")
    count = math.prod(shape) if isinstance(shape, tuple) else shape
    return np.ndarray(shape, dtype, _take(size_class(count * dtype.itemsize)))


def zeros(shape: int | Shape, dtype: DTypeLike) -> NDArray[Any]:
    """Return a C-contiguous array of zeros, see empty."""
    array = empty(shape, dtype)
    array.fill(0)
    return array


def empty_like(array: NDArray[Any]) -> NDArray[Any]:
    """Return an array of arbitrary contents with the shape, dtype and memory order of another.

    The new array has no gaps, whatever the strides of the other one.
    """
    strides = np.empty_like(array, subok=False).strides
    return np.ndarray(array.shape, array.dtype, _take(size_class(array.nbytes)), strides=strides)


def release() -> int:
    """Forget all blocks, and return the number of bytes that were free.

    A slab is returned to the system when the last block of it is gone.
    """
    with _lock:
        free = sum(size for size, blocks in _blocks.items()
                   for block in blocks if getrefcount(block) <= IDLE)
        _blocks.clear()
        return free


def _take(size: int) -> Pixels:
    """Return a free block, preferably the one that was used last, or a new one."""
    with _lock:
        blocks = _blocks[size]
        for _ in range(len(blocks)):
            block = blocks[-1]
            # A block that nobody else refers to can't be taken by anybody else meanwhile.
            if getrefcount(block) == IDLE:
                return block
            blocks.rotate(1)
        block = _carve(size)
        blocks.append(block)
        return block


def _idle_references() -> int:
    """Count the references to a free block: that of its queue and those of the search."""
    blocks = deque([np.empty(0)])
    block = blocks[-1]
    return getrefcount(block)


IDLE = _idle_references()


def _carve(size: int) -> Pixels:
    """Cut a new block off the current slab or, if that is used up, off a new one.

    The caller holds the lock.
    """
    global _slab
    if _slab.left < size:
        _slab = _Slab(max(SLAB, size + ALIGN))
    return _slab.cut(size)


class _Slab:
    """Memory that blocks are cut from, so large that NumPy asks the system for huge pages."""

    def __init__(self, size: int) -> None:
        memory = np.empty(size, np.uint8)
        self.memory = memory.data
        self.left = size - ALIGN
        self.next = -memory.ctypes.data % ALIGN

    def cut(self, size: int) -> Pixels:
        """Return a block of some bytes.

        It is an array over a memoryview: views of the block refer to the block, not to the slab.
        """
        start = self.next
        self.next = start + size
        self.left -= size
        return np.frombuffer(self.memory[start:start + size], np.uint8)


_slab = _Slab(ALIGN)
