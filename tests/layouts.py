"""The memory in which tests hand images to compiled layers, and the mark of tests that need the compiler."""
import numpy as np
import pytest

from cs231n_fer.fast_layers import COMPILED

compiled = pytest.mark.skipif(not COMPILED, reason="kernels of this size take too long without the compiler")
DTYPES = [np.float32, np.float64]
LAYOUTS = {"C": np.ascontiguousarray, "Fortran": np.asfortranarray,
           "strided": lambda a: np.repeat(a, 2, axis=-1)[..., ::2],
           "channels-last": lambda a: np.ascontiguousarray(a.transpose(0, 2, 3, 1)).transpose(0, 3, 1, 2)}
