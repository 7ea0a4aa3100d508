"""Several Python threads at once: whatever they share, each gets the bits that it gets alone."""
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from threading import Barrier

import numpy as np
import pytest

from cs231n_fer import memory

CALLERS, CALLS = 4, 100


@contextmanager
def frequent_switches():
    """Let Python hand over from thread to thread a thousands of times as often: races that are rare become likely."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        yield
    finally:
        sys.setswitchinterval(before)


def at_once(work, callers=CALLERS):
    """Return [work(caller)] of threads that begin together."""
    barrier = Barrier(callers)

    def begin(caller):
        barrier.wait()
        return work(caller)
    with frequent_switches(), ThreadPoolExecutor(callers) as pool:
        return list(pool.map(begin, range(callers)))


def test_arrays_of_the_arena_belong_to_one_thread_each_and_have_room_for_their_class(monkeypatch):
    monkeypatch.setattr(memory, "SLAB", 2 ** 11)  # they end often
    memory.release()

    def spoiled(caller):
        """Take arrays and count those on which somebody else has written when they are given back."""
        rng, held, wrong = np.random.default_rng(caller), [], 0
        for step in range(25000):
            mark = caller * 10 ** 6 + step
            held.append((memory.empty(int(rng.integers(1, 2 ** 7)), np.int64), mark))
            held[-1][0].fill(mark)
            if step % 500 == 499:
                wrong += sum(not (array == mark).all() for array, mark in held)
                held = held[::7]
                memory.release()
        return wrong
    assert at_once(spoiled) == [0] * CALLERS
    assert all(len(block) == size for size, blocks in memory._blocks.items() for block in blocks)
