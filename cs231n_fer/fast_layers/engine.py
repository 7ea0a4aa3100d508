"""What the compiled layers run on: the vectors, the threads, and the folder of compiled kernels."""
from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from ..kernels import elementwise
from ..kernels.vectors.jit import DISABLED
from ..kernels.vectors.machine import MACHINE, VECTOR_BYTES, threads

__all__ = ["describe"]


def describe() -> dict[str, Any]:
    """Return {vectors, floats_per_vector, threads, compiler, kernel_folder, compiled_kernels}.

    kernel_folder is None where no folder is writable, or without the compiler; compiled_kernels is
    the number of files there, including those of earlier versions.
    """
    found: dict[str, Any] = {
        "vectors": MACHINE, "floats_per_vector": VECTOR_BYTES // np.dtype(np.float32).itemsize,
        "threads": threads(), "compiler": not DISABLED, "kernel_folder": None,
        "compiled_kernels": 0}
    if DISABLED:
        return found
    path = elementwise.relu.compiled.stats.cache_path
    if path:
        found["kernel_folder"] = path
        found["compiled_kernels"] = len(list(Path(path).glob("*.nbc")))
    return found
