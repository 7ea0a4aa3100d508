"""The peak rate of the processor: packed float32 FMAs between registers, one loop per thread."""
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from cs231n_fer.kernels.vectors.jit import jit
from cs231n_fer.kernels.vectors.machine import TILE_ROWS, lanes_of
from cs231n_fer.kernels.vectors.simd import fma, load, store

from . import Task

SUMS = 2 * TILE_ROWS  # as in a register tile, enough to hide the latency of an FMA
TURNS = 400_000


@jit
def multiply_add(a, turns):
    """Halve and add 1, `turns` times over.

    a    SUMS vectors, all different, which are replaced by the results

    Factor and addend are constants, which take one register each. With an addend for every sum, the
    registers of AVX2 don't suffice: the loop ran at half its speed.
    """
    sums = load(a, 0, SUMS)
    for _ in range(turns):
        sums = fma(sums, 0.5, 1.0)
    store(a, 0, sums)


def build(spec):
    """Return a Task whose info holds the FLOPs of one run."""
    lanes = lanes_of(np.dtype(np.float32))
    starts = [np.arange(1, SUMS * lanes + 1, dtype=np.float32) for _ in range(spec["threads"])]
    pool = ThreadPoolExecutor(spec["threads"])  # the kernel releases the GIL
    return Task(lambda: list(pool.map(lambda a: multiply_add(a, TURNS), starts)),
                info={"flops": 2 * SUMS * lanes * TURNS * spec["threads"], "lanes": lanes})
