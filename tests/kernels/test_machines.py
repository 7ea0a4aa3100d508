"""Tests on every instruction set: words, a register tile, a transform, the choice, the assembly."""
import os
import re
import subprocess
import sys
from pathlib import Path

import numba
import numpy as np
import pytest
from llvmlite import binding

from cs231n_fer.kernels.shape import VECTORS
from cs231n_fer.kernels.tile import Columns, Depth, Rows, product_tile
from cs231n_fer.kernels.vectors import machine
from cs231n_fer.kernels.vectors.jit import DISABLED, NO_WRAPPERS, OPTIONS, jit
from cs231n_fer.kernels.vectors.machine import MACHINE, MACHINES, TILE_ROWS, VECTOR_BYTES, lanes_of
from cs231n_fer.kernels.vectors.simd import load_tile, store_tile
from cs231n_fer.kernels.winograd_transforms import INPUT, both_ways

transform_tile = both_ways(INPUT[4])
TESTS = Path(__file__).parent
DTYPES = [np.float32, np.float64]


def run_python(*arguments, **environment):
    """Run Python in another process with the given variables; those that are None are removed."""
    env = {key: value for key, value in {**os.environ, **environment}.items() if value is not None}
    return subprocess.run([sys.executable, *arguments], capture_output=True, text=True, env=env,
                          check=False)


@jit
def tile_product(a, b, c, runs, steps, adds):
    columns = b.shape[2]
    row = runs * steps
    flat = a.reshape(-1), b.reshape(-1), c.reshape(-1)
    left = Rows(at=0, row=row, run=steps, step=1)
    right = Columns(at=0, run=steps * columns, step=columns)
    depth = Depth(runs=runs, steps=steps)
    product_tile(flat[0], left, flat[1], right, depth, flat[2], 0, columns, adds)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("adds", [False, True])
def test_the_register_tile_is_a_matrix_product(adds, dtype):
    rng = np.random.default_rng(0)
    runs = 3
    steps = 5
    columns = VECTORS * lanes_of(np.dtype(dtype))
    a, b, c = (rng.standard_normal(shape).astype(dtype) for shape in (
        (TILE_ROWS, runs, steps), (runs, steps, columns + 7), (TILE_ROWS + 1, columns + 7)))
    expected = c.astype(np.float64)
    expected[:TILE_ROWS, :columns] *= adds
    product = np.tensordot(a.astype(np.float64), b.astype(np.float64), 2)
    expected[:TILE_ROWS, :columns] += product[:, :columns]
    tile_product(a, b, c, runs, steps, adds)
    np.testing.assert_allclose(c, expected, rtol=0, atol=np.finfo(dtype).eps * runs * steps * 4)


ARM = binding.get_process_triple().startswith(("aarch64", "arm64"))
# To keep a tile in registers, the processor needs this vector width, multiply-adds and, for 12 x 2
# sums, 32 registers.
NEEDS = {"avx512": "avx512f", "avx2": "fma", "sse2": "fma", "neon": "avx512vl"}[MACHINE]
FITS = not DISABLED and (MACHINE == "neon" if ARM
                         else binding.get_host_cpu_features().get(NEEDS, False))
REGISTER = {64: r"%zmm\d+", 32: r"%ymm\d+", 16: r"%xmm\d+|\bv\d+\.[24][sd]"}[VECTOR_BYTES]
LABEL = r"\.?LBB\d+_\d+"


def inner_loops(assembly):
    """Return the lines of the innermost loops: from a label to the first jump back to it."""
    lines = assembly.splitlines()
    labels = {}
    loops = []
    for k, line in enumerate(lines):
        if at := re.match(rf"({LABEL}):", line):
            labels[at[1]] = k
        elif (jump := re.search(rf"({LABEL})\s*$", line)) and jump[1] in labels:
            loops.append((labels[jump[1]], k))
    return [lines[first:last] for first, last in loops
            if not any(first <= other[0] and other[1] <= last for other in loops
                       if other != (first, last))]


@pytest.mark.skipif(not FITS, reason="another processor's tile, or nothing is compiled")
@pytest.mark.parametrize("dtype", DTYPES)
def test_the_inner_loop_of_the_register_tile_is_packed_multiply_adds_and_spills_nothing(dtype):
    kernel = numba.njit(**OPTIONS)(tile_product.py_func)  # cached kernels have no assembly
    kernel(*(np.zeros((64, 3, 64), dtype) for _ in range(2)), np.zeros((64, 64), dtype), 3, 5,
           False)
    loops = {sum("fmadd" in line or "fmla" in line for line in loop
                 if re.search(REGISTER, line)): loop
             for loop in inner_loops(next(iter(kernel.inspect_asm().values())))}
    assert max(loops) >= TILE_ROWS * VECTORS
    moved = [line for line in loops[max(loops)]
             if re.search(r"mov\w*\s+%[xyz]mm\d+,.*\(|\bst[rp]\s+q", line)
             or re.search(r"[xyz]mm.*\(%rsp|\(%rsp.*[xyz]mm|\bq\d+.*\[sp", line)]
    assert not moved


@jit
def many_vectors(a):
    store_tile(a, 0, 6 * 16, 16, transform_tile(load_tile(a, 0, 6 * 16, 16, 6)))


@pytest.mark.skipif(ARM or not FITS, reason="assembly of another processor, or nothing is compiled")
@pytest.mark.parametrize("dtype", DTYPES)
def test_vectors_that_find_no_register_lie_aligned_on_the_stack(dtype):
    kernel = numba.njit(**OPTIONS, **NO_WRAPPERS)(many_vectors.py_func)
    kernel.compile((numba.from_dtype(np.dtype(dtype))[::1],))
    lines = next(iter(kernel.inspect_asm().values())).splitlines()
    spills = [line for line in lines if re.search(r"mov\w*\s+%[xyz]mm\d+,.*\(%[re][sb]p\)", line)]
    assert spills and not [line for line in spills if "movu" in line]


def test_the_machine_is_chosen_by_name_or_by_its_features(monkeypatch):
    for name in MACHINES:
        monkeypatch.setenv("CS231N_FER_SIMD", name)
        assert machine.machine() == name
    monkeypatch.setenv("CS231N_FER_SIMD", "mmx")
    with pytest.raises(ValueError, match="CS231N_FER_SIMD: got 'mmx', expected one of .*avx2"):
        machine.machine()
    monkeypatch.delenv("CS231N_FER_SIMD")
    assert machine.machine() in MACHINES
    if not ARM:
        for features, name in (("+avx2,+avx512f", "avx512"), ("+avx2,-avx512f", "avx2"),
                               ("", "sse2")):
            monkeypatch.setattr(numba.config, "CPU_FEATURES", features)
            assert machine.machine() == name



# The array ends at a protected page: an access beyond the array ends the process.
AT_THE_EDGE = """
import ctypes, mmap
import numpy as np
from test_simd_edges import copy_head, write_head
from cs231n_fer.kernels.vectors.machine import lanes_of
memory = mmap.mmap(-1, 2 * mmap.PAGESIZE)
start = ctypes.addressof(ctypes.c_char.from_buffer(memory))
libc = ctypes.CDLL(None, use_errno=True)
assert libc.mprotect(ctypes.c_void_p(start + mmap.PAGESIZE), ctypes.c_size_t(mmap.PAGESIZE), 0) == 0
for dtype in (np.dtype(np.float32), np.dtype(np.float64)):
    a = np.frombuffer(memory, dtype, mmap.PAGESIZE // dtype.itemsize)
    block = np.arange(1, 17, dtype=dtype)
    for live in range(lanes_of(dtype) + 1):
        out = np.zeros(16, dtype)
        write_head(block, a, len(a) - live, live)
        copy_head(a, len(a) - live, live, out)
        assert (out[:live] == block[:live]).all() and not out[live:].any()
"""


@pytest.mark.skipif(os.name != "posix", reason="needs mprotect")
def test_a_head_touches_no_memory_behind_its_live_lanes():
    done = run_python("-c", AT_THE_EDGE, PYTHONPATH=os.pathsep.join((str(TESTS), *sys.path)))
    assert done.returncode == 0, done.stderr


# In other processes: the words and one transform on every other instruction set, and all kernels as
# Python functions.
WAYS = {name: ({"CS231N_FER_SIMD": name}, "(test_simd or register_tile or input-4)")
        for name in MACHINES if name != MACHINE}
WAYS["the compiler off"] = {"NUMBA_DISABLE_JIT": "1"}, "test"


@pytest.mark.parametrize("way", WAYS)
def test_in_a_process_with(way):
    environment, which = WAYS[way]
    files = [str(TESTS / f"test_{name}.py")
             for name in ("simd", "simd_edges", "winograd", "machines")]
    done = run_python("-m", "pytest", "-x", *files, "-k", f"{which} and not in_a_process",
                      **environment)
    assert done.returncode == 0, done.stdout
