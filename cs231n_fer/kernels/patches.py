"""Moments of all windows of one-channel images: what batchnorm needs to know of a first layer's z without z.

Each output is a product of the filter w with a window p of the image, so its mean over all windows is w . mean(p) and
its variance w^T cov(p) w: for 3 x 3 windows 9 means and 9 x 9 products stand for all of z, which is 32 times as large
as the image. Batchnorm is then a part of the weights in training as well, and the convolution one pass.

What a filter takes away is lost in that product: of a ramp's second differences, which are 0, only
the rounding of the sums is left, and may be negative. So each variance is held against the sum of
its terms in absolute value, which is what rounding scales with, and a batch with one that is too
small is refused: its outputs are normalised as they are. In float32 that is below 1/1024. On faces
no filter comes below 1/225, fresh or trained. Sums in float64 would move the limit down to 1e-12 or
so, but take 0.21 ms of a step of 13.4, 1.6 %, always.
"""
from functools import cache
from typing import NamedTuple

import numpy as np
from numba import get_thread_id, prange

from .pixels import get
from .shape import ConvSize, Grid, round_up
from .vectors.calls import FLOATS, INT, call, nested, step
from .vectors.jit import jit
from .vectors.simd import fma, lane_sum, load, load_spaced, repeated, store, vector, zeros

GROUP = 4  # columns of a window that are taken together: products of one vector with four


class Windows(NamedTuple):
    """The windows of one-channel images, and the scratch memory of an image."""
    size: ConvSize
    grid: Grid


@cache
def windows_of(size):
    """Lay out the scratch memory; behind the image there is room for what a last vector reads in excess."""
    rows, width = size.H + 2 * size.pad, size.W + 2 * size.pad
    return Windows(size, Grid(rows, width, 1, width, round_up(rows * width + 2 * size.lanes + GROUP, 16)))


def scratch_size(windows):
    """Numbers of scratch memory for a thread: an image, and a row of ones."""
    return windows.grid.size + round_up(windows.size.Wo, windows.size.lanes)


def sums_shape(count, size):
    """Shape of the sums over `count` images: (images, taps + 1, rows of a window, its columns in whole groups)."""
    return count, size.HH * size.WW + 1, size.HH, round_up(size.WW, GROUP)


@jit(inline=True)
def centred(s, grid, size):
    """Subtract from a packed image the mean of its pixels, so that no product is a difference of large numbers."""
    total = zeros(s, 1)
    for k in range(0, grid.size, size.lanes):
        total += load(s, k, 1)
    mean = lane_sum(total) / (size.H * size.W)
    for k in range(0, grid.size, size.lanes):
        store(s, k, load(s, k, 1) - mean)
    return mean


@step(FLOATS, Grid, ConvSize, INT, FLOATS, FLOATS)
def moments(s, grid, size, image, sums, centres):
    """Sums of the products of each two numbers of a window, and (last row) of the numbers, of one packed image.

    Of two products that are equal the one of the later row of a window is left out. centres[image] was subtracted from
    all numbers.
    """
    taps, wide, ones = size.HH * size.WW, (size.WW + GROUP - 1) // GROUP * GROUP, grid.size
    centres[image] = centred(s, grid, size)
    for j in range(0, size.Wo, size.lanes):
        store(s, ones + j, zeros(s, 1) + 1.0)
    for tap in range(taps + 1):
        first, row = (ones, 0) if tap == taps else (tap // size.WW * grid.width + tap % size.WW, grid.width)
        for hh in range(0 if tap == taps else tap // size.WW, size.HH):  # the rest follows by symmetry
            for ww in range(0, size.WW, GROUP):
                total = zeros(s, GROUP)
                for i in range(size.Ho):
                    for j in range(0, size.Wo, size.lanes):
                        others = load_spaced(s, (i + hh) * grid.width + j + ww, 1, GROUP)
                        total = fma(others, repeated(get(s, first + i * row, j, size.Wo, size.lanes), GROUP), total)
                at = ((image * (taps + 1) + tap) * size.HH + hh) * wide + ww
                sums[at], sums[at + 1] = lane_sum(vector(total, 0)), lane_sum(vector(total, 1))
                sums[at + 2], sums[at + 3] = lane_sum(vector(total, 2)), lane_sum(vector(total, 3))


@jit(parallel=True)
def over_images(numbers, pack, moments, x, sums, centres, scratch, count):
    """Call pack and moments, by their addresses, for every image; numbers: flat(Windows)."""
    for image in prange(count):
        windows = nested(numbers, Windows)
        s = scratch[get_thread_id()]
        call(pack, x, image, windows.size, s, 0, windows.grid)
        call(moments, s, windows.grid, windows.size, image, sums, centres)


@jit
def combine(sums, centres, count, centre, scatter):
    """Moments of the windows of all images, `count` of each, in float64 (Chan et al. 1983).

    With NumPy these are some twenty calls, whose code the passes over the images have driven out of the caches: 1 % of
    a training step of the final net.

    sums, centres   of each image, see `moments`: (images, taps + 1, HH, columns) and (images,)
    centre (taps,)  result: mean of the windows;  scatter (taps, taps): sum over them of (p - centre)(p - centre)^T
    """
    images, HH, taps = sums.shape[0], sums.shape[2], len(centre)
    WW = taps // HH
    centre[:] = 0.0
    scatter[:] = 0.0
    for i in range(images):
        for a in range(taps):
            centre[a] += (sums[i, taps, a // WW, a % WW] / count + centres[i]) / images
    for i in range(images):
        for a in range(taps):
            mean_a = sums[i, taps, a // WW, a % WW] / count  # of what is left after centres are subtracted
            for b in range(a, taps):
                mean_b = sums[i, taps, b // WW, b % WW] / count
                away = (mean_a + centres[i] - centre[a]) * (mean_b + centres[i] - centre[b])
                scatter[a, b] += sums[i, a, b // WW, b % WW] + count * (away - mean_a * mean_b)
    for a in range(taps):
        for b in range(a):
            scatter[a, b] = scatter[b, a]


@jit
def moments_of_outputs(w, centre, scatter, count, eps, most, moments):
    """Moments of the outputs of filters w (taps, F), without biases, from those of the windows.

    centre, scatter, count  see `combine`; count of all images
    most                    how many times var + eps the sum of |w_a scatter_ab w_b| / count may be
    moments (3, F) float64  result: mean, var, rstd = 1 / sqrt(var + eps)
    Returns whether every variance can be trusted; if not (NaN is not), moments mean nothing.
    """
    mean, var, rstd = moments
    taps, F = w.shape
    moments[:] = 0.0
    for f in range(F):
        squares = 0.0
        for a in range(taps):
            along, beside = 0.0, 0.0
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
