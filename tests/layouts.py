"""What tests of layers share: arrays in every memory layout, write-protected, and comparison to
within rounding."""
import numpy as np
import pytest
from hypothesis import strategies as st

from cs231n_fer.fast_layers import COMPILED
from cs231n_fer.gradient_check import gradient_error
from cs231n_fer.gradient_check.layouts import LAYOUTS

compiled = pytest.mark.skipif(not COMPILED,
                              reason="kernels of this size take too long without the compiler")
DTYPES = [np.float32, np.float64]
# Largest error allowed: eps(dtype) * terms * factor. Partial sums of n numbers of about 1 reach
# sqrt(n), so n rounding errors add up to eps * n, even if the sum ends near 0. Largest factor
# in 12,000 draws of each row (4,000 for conv): norms, which divide by a standard deviation, 8.1,
# losses 3.3, the rest 1.0.
FACTORS = {"norm": 32, "loss": 16, "": 4}


def protected(value, layout="C", dtype=None):
    """Return an array in the layout and dtype, write-protected; labels keep their dtype, other
    values pass."""
    if not isinstance(value, np.ndarray):
        return value
    array = LAYOUTS[layout](value.astype(dtype if value.dtype.kind == "f" and dtype
                                         else value.dtype))
    array.setflags(write=False)
    return array


def arguments(drawn, layout, dtype):
    """Protect what was drawn, except the running averages, which a layer may write on: it gets its
    own copies."""
    return [{key: value.astype(dtype) if isinstance(value, np.ndarray) else value
             for key, value in v.items()}
            if isinstance(v, dict) else protected(v, layout, dtype) for v in drawn]


def assert_close(got, expected, terms, name):
    """Compare two arrays of one shape and dtype to within rounding; NaN fails."""
    factor = next(factor for part, factor in FACTORS.items() if part in name)
    assert got.dtype == expected.dtype and got.shape == expected.shape
    assert gradient_error(got, expected,
                          tiny=1.0) <= float(np.finfo(got.dtype).eps) * terms * factor


PROBLEMS = {"dtype": st.sampled_from(DTYPES), "layout": st.sampled_from(sorted(LAYOUTS)),
            "sizes": st.lists(st.integers(1, 4), min_size=4, max_size=4),
            "seed": st.integers(0, 2 ** 32 - 1)}
