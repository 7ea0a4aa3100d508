"""The moments of all windows of one-channel images, from which batchnorm's moments follow.

kernels/patches.py says how, and where rounding forbids it.
"""
import numpy as np
from numpy.typing import NDArray

from ..arrays import arena
from ..kernels import patches, pixels
from ..kernels.vectors.calls import flat
from ..kernels.vectors.machine import MOST_THREADS
from .plans import ConvCache

__all__ = ["window_moments"]


def window_moments(cached: ConvCache) -> tuple[NDArray[np.float64], NDArray[np.float64], int]:
    """Return the moments of all windows p of a convolution of one-channel images.

    Returns the mean (taps, 1), the sum of (p - mean)(p - mean)^T (taps, taps), both in float64, and
    the number of windows.
    """
    size = cached.size
    dtype = cached.x.dtype
    N = len(cached.x)
    windows = patches.windows_of(size)
    sums = arena.empty(patches.sums_shape(N, size), dtype)
    centres = arena.empty(N, dtype)
    scratch = arena.empty((MOST_THREADS, patches.scratch_size(windows)), dtype)
    patches.over_images(flat(windows), pixels.pack.address(dtype), patches.moments.address(dtype),
                        cached.x.reshape(-1), sums.reshape(-1), centres, scratch, N)
    taps = size.HH * size.WW
    count = size.Ho * size.Wo
    centre = np.empty(taps)
    scatter = np.empty((taps, taps))
    patches.combine(sums, centres, count, centre, scatter)
    return centre[:, None], scatter, N * count
