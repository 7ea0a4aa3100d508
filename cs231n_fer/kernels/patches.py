"""Moments of all windows of one-channel images: batchnorm statistics without z.

An output is the product of a filter w with a window p of the image, so its mean over all windows is
w . mean(p) and its variance w^T cov(p) w. For 3 x 3 windows 9 means and 9 x 9 products replace all
of z, which is 32 times as large as the image. Batchnorm then becomes a part of the weights in
training as well, and the convolution takes a single pass.

These products lose whatever a filter cancels: for a ramp, whose second differences are 0, only the
rounding errors of the sums are left, and they may be negative. So every variance is compared with
the sum of the absolute values of its terms, to which rounding errors are proportional, and a batch
with a variance that is too small by that measure is refused: its outputs are normalized by the
ordinary passes. In float32 the limit is 1/1024. On faces no filter comes below 1/225, fresh or
trained. Sums in float64 would move the limit to about 1e-12, but always take 0.21 ms of a step of
13.4, 1.6 %.
"""
from functools import cache
from typing import NamedTuple

import numpy as np
from numba import get_thread_id, prange

from .memory import get
from .shape import ConvSize, Grid, round_up
from .vectors.calls import FLOATS, INT, call, nested, step
from .vectors.jit import jit
from .vectors.simd import fma, lane_sum, load, load_spaced, repeated, store, vector, zeros

GROUP = 4  # columns of a window that are multiplied together: one vector with four


class Windows(NamedTuple):
    """The windows of one-channel images, and the layout of an image in the workspace."""
    size: ConvSize
    grid: Grid


@cache
def windows_of(size):
    """Lay out the workspace; behind the image is room for what the last vector reads in excess."""
    rows = size.H + 2 * size.pad
    width = size.W + 2 * size.pad
    return Windows(size,
                   Grid(rows, width, 1, width, round_up(rows * width + 2 * size.lanes + GROUP, 16)))


def scratch_size(windows):
    """Return the numbers in a thread's workspace: an image, and a row of ones."""
    return windows.grid.size + round_up(windows.size.Wo, windows.size.lanes)


def sums_shape(count, size):
    """Return the shape of the sums over `count` images.

    It is (images, taps + 1, rows of a window, columns of a window rounded up to whole groups).
    """
    return count, size.HH * size.WW + 1, size.HH, round_up(size.WW, GROUP)


@jit(inline=True)
def centred(s, grid, size):
    """Subtract the mean of its pixels from a packed image, and return it.

    Otherwise the products would be differences of large numbers.
    """
    total = zeros(s, 1)
    for k in range(0, grid.size, size.lanes):
        total += load(s, k, 1)
    mean = lane_sum(total) / (size.H * size.W)
    for k in range(0, grid.size, size.lanes):
        store(s, k, load(s, k, 1) - mean)
    return mean


@step(FLOATS, Grid, ConvSize, INT, FLOATS, FLOATS)
def moments(s, grid, size, image, sums, centres):
    """Sum up the products of any two numbers of a window, and the numbers (last row), of one image.

    The image is packed in s. Of two equal products, the one of the later row of a window is left
    out. The mean, which was subtracted from all pixels, goes to centres[image].
    """
    taps = size.HH * size.WW
    wide = (size.WW + GROUP - 1) // GROUP * GROUP
    ones = grid.size
    centres[image] = centred(s, grid, size)
    for j in range(0, size.Wo, size.lanes):
        store(s, ones + j, zeros(s, 1) + 1.0)
    for tap in range(taps + 1):
        if tap == taps:
            first = ones
            row = 0
            first_hh = 0
        else:
            first = tap // size.WW * grid.width + tap % size.WW
            row = grid.width
            first_hh = tap // size.WW  # the rest follows by symmetry
        for hh in range(first_hh, size.HH):
            for ww in range(0, size.WW, GROUP):
                total = zeros(s, GROUP)
                for i in range(size.Ho):
                    for j in range(0, size.Wo, size.lanes):
                        others = load_spaced(s, (i + hh) * grid.width + j + ww, 1, GROUP)
                        one = get(s, first + i * row, j, size.Wo, size.lanes)
                        total = fma(others, repeated(one, GROUP), total)
                at = ((image * (taps + 1) + tap) * size.HH + hh) * wide + ww
                sums[at] = lane_sum(vector(total, 0))
                sums[at + 1] = lane_sum(vector(total, 1))
                sums[at + 2] = lane_sum(vector(total, 2))
                sums[at + 3] = lane_sum(vector(total, 3))


@jit(parallel=True)
def over_images(numbers, pack, moments, x, sums, centres, scratch, count):
    """Call pack and moments, by their addresses, for every image; numbers is flat(Windows)."""
    for image in prange(count):
        windows = nested(numbers, Windows)
        s = scratch[get_thread_id()]
        call(pack, x, image, windows.size, s, 0, windows.grid)
        call(moments, s, windows.grid, windows.size, image, sums, centres)


@jit
def combine(sums, centres, count, centre, scatter):
    """Combine the moments of all images, `count` windows per image, in float64 (Chan et al. 1983).

    In NumPy this takes about twenty calls, whose code the passes over the images have evicted from
    the caches: 1 % of a training step of the final net.

    sums      (images, taps + 1, HH, columns), see `moments`
    centres   (images,), see `moments`
    centre    result, (taps,): mean of the windows
    scatter   result, (taps, taps): sum over the windows of (p - centre)(p - centre)^T
    """
    images = sums.shape[0]
    HH = sums.shape[2]
    taps = len(centre)
    WW = taps // HH
    centre[:] = 0.0
    scatter[:] = 0.0
    for i in range(images):
        for a in range(taps):
            centre[a] += (sums[i, taps, a // WW, a % WW] / count + centres[i]) / images
    for i in range(images):
        for a in range(taps):
            # Means of the images after the subtraction of their centres.
            mean_a = sums[i, taps, a // WW, a % WW] / count
            for b in range(a, taps):
                mean_b = sums[i, taps, b // WW, b % WW] / count
                away = (mean_a + centres[i] - centre[a]) * (mean_b + centres[i] - centre[b])
                scatter[a, b] += sums[i, a, b // WW, b % WW] + count * (away - mean_a * mean_b)
    for a in range(taps):
        for b in range(a):
            scatter[a, b] = scatter[b, a]


@jit
def moments_of_outputs(w, centre, scatter, count, eps, most, moments):
    """Compute the moments of the outputs of filters w (taps, F), without biases.

    centre, scatter   see `combine`
    count             number of windows of all images
    most              limit of (sum of |w_a scatter_ab w_b| / count) / (var + eps)
    moments           result, (3, F) float64: mean, var, rstd = 1 / sqrt(var + eps)

    Returns whether every variance can be trusted (NaN cannot); if not, moments are meaningless.
    """
    mean, var, rstd = moments
    taps, F = w.shape
    moments[:] = 0.0
    for f in range(F):
        squares = 0.0
        for a in range(taps):
            along = 0.0
            beside = 0.0
            for b in range(taps):
                along += scatter[a, b] * w[b, f]
                beside += abs(scatter[a, b] * w[b, f])
            mean[f] += centre[a] * w[a, f]
            var[f] += w[a, f] * along / count
            squares += abs(w[a, f]) * beside / count
        if not squares <= most * (var[f] + eps):
            return False
        rstd[f] = 1 / np.sqrt(var[f] + eps)
    return True
