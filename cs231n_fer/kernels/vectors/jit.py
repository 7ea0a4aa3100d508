"""The decorators that own every Numba option; no kernel sets one itself.

    @jit                    a kernel: called from Python, compiled for the types it is called with
    @jit(parallel=True)     a kernel with a `prange` loop over independent work. All its arrays of
                            floats have one dtype, except those named in `doubles`: float64
    @jit(inline=True)       a part of kernels: always inlined, so that constants of its caller are
                            constants in it
    @step(FLOATS, INT, ...) a step of parallel kernels, which call it by its address (calls.py)

nogil        a kernel may run beside a Python thread that loads or augments the next batch
fastmath     packed fused multiply-adds, but NaN and infinity keep their meaning: isnan still works
error_model  numpy: a division by zero gives infinity instead of a test and a branch
on_disk      compiled code is kept; a folder that is read-only or corrupt only costs a compilation
"""
import hashlib
import os
import sys
from contextlib import suppress
from functools import cache, wraps
from pathlib import Path
from threading import Lock
from types import FunctionType

import numba
from numba import types
from numba.core.caching import FunctionCache, IndexDataCacheFile, NullCache
from numba.core.sigutils import normalize_signature

from . import helper

# How long GNU OpenMP spins before a thread sleeps: about 30 us. By default it spins for
# milliseconds, and where another program competes for the cores every parallel loop waits for the
# scheduler: 8 ms instead of 0.5.
os.environ.setdefault("GOMP_SPINCOUNT", "10000")
FASTMATH = {"nsz", "arcp", "contract", "afn", "reassoc"}
DISABLED = bool(numba.config.DISABLE_JIT)


def jit(function=None, *, parallel=False, inline=False, doubles=()):
    """Compile a kernel on its first call, for the types that it is called with.

    function   the kernel, which takes flat or C-contiguous arrays. What it closes over is constant
               to the compiler: numbers, and functions that are jitted as well

    Returns the compiled kernel (if parallel, a function that calls it and holds it as .compiled),
    or the function itself with NUMBA_DISABLE_JIT=1.
    """
    if function is None:
        return lambda kernel: jit(kernel, parallel=parallel, inline=inline, doubles=doubles)
    if inline:
        return numba.njit(**OPTIONS, **NO_WRAPPERS, forceinline=True)(function)
    guard = ArrayGuard(function, doubles) if parallel else None
    compiled = on_disk(numba.njit(**OPTIONS, parallel=parallel)(function), function, guard)
    return taking_turns(compiled) if parallel and not DISABLED else compiled


def taking_turns(kernel):
    """Serialize a kernel's callers in several Python threads where Numba would abort.

    Numba does so in "workqueue", its fallback where neither OpenMP nor TBB is installed.
    """
    @wraps(kernel.py_func)
    def launch(*arguments):
        if runs_one_at_a_time():
            with _turn:
                return kernel(*arguments)
        return kernel(*arguments)
    launch.compiled = kernel
    return launch


_turn = Lock()
_lost_threads = False  # whether this process is a fork of one in which GNU OpenMP had threads


@cache
def runs_one_at_a_time():
    """Return whether Numba's threads serve one caller at a time.

    This starts the threads, as the threading layer has no name before. Raises RuntimeError in a
    forked process that can't start any: GNU OpenMP, which has no threads there but counts on them,
    would end the process.
    """
    if _lost_threads:
        raise RuntimeError(
            "kernels: this process was forked from one whose OpenMP threads had run a kernel, and "
            "has no such threads; start it with multiprocessing.get_context('spawn'), fork before "
            "the first kernel runs, or set NUMBA_THREADING_LAYER=workqueue")
    numba.get_num_threads()
    return numba.threading_layer() == "workqueue"


def begin_again():
    """Prepare a process that has just been forked for its own calls of kernels."""
    global _lost_threads
    _turn.release()
    runs_one_at_a_time.cache_clear()
    try:
        layer = numba.threading_layer()
    except ValueError:  # no thread had been started
        return
    _lost_threads = layer == "omp" and sys.platform.startswith("linux")


if hasattr(os, "register_at_fork"):  # not on Windows
    os.register_at_fork(before=_turn.acquire, after_in_parent=_turn.release,
                        after_in_child=begin_again)


OPTIONS = {"nogil": True, "fastmath": FASTMATH, "error_model": "numpy"}
NO_WRAPPERS = {"no_cpython_wrapper": True, "no_cfunc_wrapper": True}


class ArrayGuard:
    """Refuses to compile a parallel kernel for arrays that its steps would misread.

    A step is called by its address and assumes that its arrays are what it was compiled for. An
    array of another dtype, or with gaps, would be read as other numbers. Such an array would need
    another compilation, so the check costs nothing per call.
    """

    def __init__(self, function, doubles):
        self.name = function.__name__
        self.names = function.__code__.co_varnames[:function.__code__.co_argcount]
        self.doubles = doubles

    def __call__(self, arguments):
        """Raise TypeError unless the arrays, Numba's types of them, are dense and of one dtype."""
        arrays = dict(arrays_of(self.names, arguments))
        floats = {name: kind.dtype for name, kind in arrays.items()
                  if isinstance(kind.dtype, types.Float)}
        mixed = {kind.dtype for name, kind in arrays.items()
                 if name not in self.doubles and kind.dtype not in (types.uint8, types.int64)}
        wrong = any(floats[name] != types.float64 for name in self.doubles)
        gaps = [name for name, kind in arrays.items() if kind.layout != "C" or not kind.aligned]
        if len(mixed) > 1 or not mixed <= {types.float32, types.float64} or wrong or gaps:
            got = ", ".join(f"{name}: {kind.dtype}{'' if name not in gaps else ' with gaps'}"
                            for name, kind in arrays.items())
            raise TypeError(f"{self.name}: got arrays {got}; expected floats of one dtype without "
                            "gaps")


def arrays_of(names, kinds):
    """Yield (name, type) of every array among arguments; in a named tuple it is `record.name`."""
    for name, kind in zip(names, kinds, strict=True):
        if isinstance(kind, types.Array):
            yield name, kind
        elif isinstance(kind, types.BaseNamedTuple):
            for field, inner in arrays_of(kind.fields, kind.types):
                yield f"{name}.{field}", inner


def on_disk(compiled, function, guard=None):
    """Give a kernel a cache on disk, as Numba's enable_caching does, but tolerant of faults."""
    if hasattr(compiled, "enable_caching"):
        try:
            compiled._cache = _ForgivingCache(function, guard)
        except RuntimeError:  # no folder is writable: compile in every process
            compiled._cache = _NoCache(guard)
    return compiled


@cache
def sources_digest():
    """Return a digest of every source file of the kernels, from which cached code was compiled."""
    files = sorted(Path(__file__).parents[1].rglob("*.py"))
    return hashlib.sha256(b"\0".join(file.read_bytes() for file in files)).hexdigest()


def describe(value):
    """Return text that identifies a constant of a kernel.

    Numbers are given as they are, functions by their name and constants.
    """
    function = getattr(value, "py_func", getattr(value, "_defn", value))
    if isinstance(function, FunctionType):
        cells = [describe(cell.cell_contents) for cell in function.__closure__ or ()]
        return f"{function.__module__}.{function.__qualname__}({', '.join(cells)})"
    return repr(value)


COMPILE_SECONDS = 30  # of all kernels of a training step, on 2 cores
_begun = Lock()


def begin_compiling(sig, folder):
    """Announce once per process that kernels are compiled, and start a helper process.

    sig      Numba's types of the arguments of that call
    folder   where compiled kernels are kept
    """
    if _begun.acquire(blocking=False):
        announce("once; time second calls, not first ones")
        helper.start("float32" if "float32" in str(sig) else "float64", folder)


def announce(how_often):
    """Print that kernels are compiled; how_often ends the sentence."""
    with suppress(OSError, ValueError):  # stderr is closed
        print(f"cs231n_fer: compiling kernels for this processor; about {COMPILE_SECONDS} s, "
              f"{how_often}", file=sys.stderr, flush=True)


class KeyedFile(IndexDataCacheFile):
    """Numba's file of compiled code, with the key of the code in it.

    Numba first writes to its index that a file has the code, and then the file. A process that is
    killed in between, or two that write at once, leave older code there, of other types or sources.
    """

    def save(self, key, data):
        """Store the code of a key."""
        super().save(key, (key, data))

    def load(self, key):
        """Return the code of a key, or None."""
        found = super().load(key)
        return found[1] if found is not None and found[0] == key else None


class _NoCache(NullCache):
    """No cache on disk, but the guard of what is compiled."""

    def __init__(self, guard):
        self.guard = guard

    def load_overload(self, sig, target_context):
        if self.guard:
            self.guard(normalize_signature(sig)[0])
        if _begun.acquire(blocking=False):
            announce("in every process; set NUMBA_CACHE_DIR to a writable folder to keep them")


class _ForgivingCache(FunctionCache):
    """Numba's cache on disk, keyed by all kernel sources.

    A file that cannot be read or written counts as missing.
    """

    def __init__(self, function, guard):
        super().__init__(function)
        self.guard = guard
        self._cache_file = KeyedFile(self.cache_path, self._impl.filename_base,
                                     self._impl.locator.get_source_stamp())

    def _index_key(self, sig, codegen):
        """Return the key of compiled code.

        Numba's own key pickles closures, which fails for intrinsics, and misses edits of other
        files.
        """
        constants = describe(self._py_func)
        chosen = os.environ.get("CS231N_FER_SIMD"), numba.config.BOUNDSCHECK
        return sig, codegen.magic_tuple(), sources_digest(), *chosen, constants

    def load_overload(self, sig, target_context):
        if self.guard:
            self.guard(normalize_signature(sig)[0])
        found = None
        try:
            found = super().load_overload(sig, target_context)
        except Exception:  # unpickling a corrupt file can raise anything
            self._forget()
        if found is None:
            begin_compiling(sig, self.cache_path)
        return found

    def save_overload(self, sig, data):
        try:
            super().save_overload(sig, data)
        except Exception:
            self._forget()

    def _forget(self):
        """Start over with an empty index, if the folder is writable."""
        try:
            self.flush()
        except OSError:
            pass
