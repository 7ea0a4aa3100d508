"""The one decorator that owns every Numba option: `@jit` or `@jit(parallel=True)`; no kernel sets one itself.

cache        compiled code is kept on disk; a folder that is read-only or corrupt costs a compilation, no run
nogil        a kernel may run beside a Python thread that loads or augments the next batch
fastmath     packed fused multiply-adds, but NaN and infinity keep their meaning, so that isnan still works
error_model  numpy: a division by zero gives infinity instead of a test and a branch
"""
import numba
from numba.core.caching import FunctionCache

FASTMATH = {"nsz", "arcp", "contract", "afn", "reassoc"}


def jit(function=None, *, parallel=False):
    """Compile a kernel on its first call, for the dtypes and layouts that it is called with.

    function:  the kernel; arrays in, arrays out
    parallel:  True where the kernel has a `prange` loop over independent work
    Returns the compiled kernel, or the function itself where NUMBA_DISABLE_JIT=1.
    """
    if function is None:
        return lambda kernel: jit(kernel, parallel=parallel)
    compiled = numba.njit(nogil=True, fastmath=FASTMATH, parallel=parallel, error_model="numpy")(function)
    if hasattr(compiled, "enable_caching"):
        try:
            compiled._cache = _ForgivingCache(function)  # as enable_caching does, but forgiving
        except RuntimeError:  # no folder at all can be written on: compile in every process
            pass
    return compiled


class _ForgivingCache(FunctionCache):
    """Numba's cache on disk, where a file that cannot be read or written is as good as none."""

    def load_overload(self, sig, target_context):
        try:
            return super().load_overload(sig, target_context)
        except Exception:  # a corrupt file can raise anything while it is unpickled
            self._forget()
            return None

    def save_overload(self, sig, data):
        try:
            super().save_overload(sig, data)
        except Exception:
            self._forget()

    def _forget(self):
        """Start again from an empty index, if the folder lets us."""
        try:
            self.flush()
        except OSError:
            pass
