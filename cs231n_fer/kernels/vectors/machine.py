"""Which vectors this processor has, and how large a register tile they allow."""
import os

import numba
from llvmlite import binding

from ...shapes import check

# Bytes of a vector, and rows of a register tile of two vectors. The registers hold 2 * rows sums,
# the 2 vectors of a row, and a splat.
MACHINES = {"avx512": (64, 12), "avx2": (32, 6), "neon": (16, 12), "sse2": (16, 6)}


def machine():
    """Return the name of the vector unit: CS231N_FER_SIMD if set, else this processor's widest."""
    chosen = os.environ.get("CS231N_FER_SIMD")
    if chosen:
        check(chosen in MACHINES,
              f"CS231N_FER_SIMD: got {chosen!r}, expected one of {sorted(MACHINES)}")
        return chosen
    if binding.get_process_triple().startswith(("aarch64", "arm64")):
        return "neon"
    forced = numba.config.CPU_FEATURES
    has = binding.get_host_cpu_features() if forced is None else {f[1:]: f[0] == "+"
                                                                  for f in forced.split(",") if f}
    return next((name for name,
                 feature in (("avx512", "avx512f"), ("avx2", "avx2")) if has.get(feature)), "sse2")


X86 = binding.get_process_triple().startswith(("x86_64", "i386", "i686"))
MACHINE = machine()
VECTOR_BYTES, TILE_ROWS = MACHINES[MACHINE]


def lanes_of(dtype):
    """Return the number of floats of a NumPy dtype in one vector."""
    return VECTOR_BYTES // dtype.itemsize


# That this process can use. To ask how many it does use takes 1 us.
MOST_THREADS = numba.config.NUMBA_NUM_THREADS


def threads():
    """Return the number of threads that kernels use when the calling thread runs them."""
    return numba.get_num_threads()


def set_threads(n):
    """Use n threads in all kernels that the calling thread runs from now on.

    Results keep their bits. The number holds for the calling thread only: other Python threads keep
    theirs, and new ones begin with the most, NUMBA_NUM_THREADS, which is set before the process
    starts. Raises ValueError unless n is from 1 to that number.
    """
    check(isinstance(n, int) and 1 <= n <= MOST_THREADS,
          f"threads: got {n!r}, expected a whole number from 1 to {MOST_THREADS}; "
          "NUMBA_NUM_THREADS sets the most before start")
    numba.set_num_threads(n)
