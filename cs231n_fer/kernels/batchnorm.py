"""The passes of batchnorm that read all numbers: moments, applying it, the sums of its backward pass, and dz.

They work on pixels (N, P, F) in channels-last memory, which behind a max-pool are the winners of each window only: a
scale is monotone, so the maximum can be taken first, and a quarter of the numbers is left. Behind a convolution its
own kernel knows the moments and forms dz; batchnorm as a layer of its own takes all four, and so does groupnorm, whose
scales and shifts differ from image to image.
"""
from numba import prange

from .jit import jit
from .pixels import DEAD, get, put
from .simd import load, load_bytes, select, store, store_bytes, zeros
from .steps import BOOL, BYTES, FLOATS, INT, call, step

ARGUMENTS = FLOATS, FLOATS, FLOATS, BYTES, FLOATS, BOOL, FLOATS, INT, INT, INT, INT, INT


@step(*ARGUMENTS)
def moments(z, _, __, ___, ____, _____, sums, image, pixels, F, Fp, lanes):
    """sums[image] = mean of one image, and sum of squared distances from it: two passes, as pixels.moments."""
    for f in range(0, F, lanes):
        mean, squares = zeros(sums, 1), zeros(sums, 1)
        for pixel in range(image * pixels, (image + 1) * pixels):
            mean += get(z, pixel * F, f, F, lanes)
        mean *= 1 / pixels
        for pixel in range(image * pixels, (image + 1) * pixels):
            away = get(z, pixel * F, f, F, lanes) - mean
            squares += away * away
        store(sums, image * 2 * Fp + f, mean)
        store(sums, (image * 2 + 1) * Fp + f, squares)


@step(*ARGUMENTS)
def normalise(z, out, _, winners, vectors, relu, __, image, pixels, F, Fp, lanes):
    """out = vectors[0] * z + vectors[1], or relu of it, for one image; where that cuts off, winners become DEAD."""
    for f in range(0, F, lanes):
        scale, shift = load(vectors, f, 1), load(vectors, Fp + f, 1)
        for pixel in range(image * pixels, (image + 1) * pixels):
            y = scale * get(z, pixel * F, f, F, lanes) + shift
            if relu:
                if len(winners):
                    winner = load_bytes(winners, pixel * Fp + f, z)
                    store_bytes(winners, pixel * Fp + f, select(y > 0.0, winner, DEAD))
                y = select(y < 0.0, 0.0, y)
            put(out, pixel * F, f, F, lanes, y)


@step(*ARGUMENTS)
def gradient_sums(z, _, dout, winners, vectors, relu, sums, image, pixels, F, Fp, lanes):
    """sums[image] = sums over one image of dout and of dout * xhat, xhat = (z - vectors[0]) * vectors[1].

    With relu only where vectors[2] * z + vectors[3], what normalise gave, is positive, which below a max-pool winners
    say: DEAD ones don't count. sums (N, 2, Fp).
    """
    for f in range(0, F, lanes):
        mean, rstd = load(vectors, f, 1), load(vectors, Fp + f, 1)
        scale, shift = (load(vectors, 2 * Fp + f, 1), load(vectors, 3 * Fp + f, 1)) if relu else (mean, rstd)
        total, along = zeros(sums, 1), zeros(sums, 1)
        for pixel in range(image * pixels, (image + 1) * pixels):
            d, z_here = get(dout, pixel * F, f, F, lanes), get(z, pixel * F, f, F, lanes)
            if relu:
                if len(winners):
                    d = select(load_bytes(winners, pixel * Fp + f, z) < DEAD, d, 0.0)
                else:
                    d = select(scale * z_here + shift > 0.0, d, 0.0)
            total += d
            along += d * ((z_here - mean) * rstd)
        store(sums, image * 2 * Fp + f, total)
        store(sums, (image * 2 + 1) * Fp + f, along)


@step(*ARGUMENTS)
def line(z, out, dout, _, vectors, __, ___, image, pixels, F, Fp, lanes):
    """out = vectors[0] * dout + vectors[1] * z + vectors[2] for one image: dz, see fast_batchnorm.line_of_z."""
    for f in range(0, F, lanes):
        scale, slope, shift = load(vectors, f, 1), load(vectors, Fp + f, 1), load(vectors, 2 * Fp + f, 1)
        for pixel in range(image * pixels, (image + 1) * pixels):
            at = pixel * F
            put(out, at, f, F, lanes, scale * get(dout, at, f, F, lanes) + slope * get(z, at, f, F, lanes) + shift)


@jit(parallel=True)
def over_images(address, z, out, dout, winners, vectors, apart, relu, sums, count, pixels, F, Fp, lanes):
    """Call a step for every image; the vectors of two images lie `apart` numbers apart, 0 if all have the same."""
    for image in prange(count):
        call(address, z, out, dout, winners, vectors[image * apart:], relu, sums, image, pixels, F, Fp, lanes)
