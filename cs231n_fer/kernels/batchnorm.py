"""The passes of batchnorm over all values: moments, normalization, gradient sums, and dz.

They work on pixels (N, P, F) in channels-last memory. Behind a max-pool these are only the maxima
of the windows: normalization is monotone in every channel, so the maximum can be taken first, and
a quarter of the values is left. Behind a convolution the convolution's own kernel computes the
moments and dz. Batchnorm as a layer of its own takes all four passes, and so does groupnorm, whose
scales and shifts differ from image to image.

Between the passes there are a few numbers per channel, `vectors`. In NumPy they cost a layer 0.2 ms
of a training step: ten calls in either direction, whose code the passes have evicted from the
caches. Here they are one kernel forward and one backward.
"""
from typing import NamedTuple

import numpy as np
from numba import prange

from .memory import clear, get, goes_past, put_out
from .pixels import DEAD, through_batchnorm
from .vectors.calls import BOOL, BYTES, FLOATS, INT, call, step
from .vectors.jit import jit
from .vectors.simd import drain, load, load_bytes, select, store, store_bytes, zeros


class Arrays(NamedTuple):
    """The arrays that the passes read and write; those that a pass doesn't need are empty."""
    z: FLOATS        # (N, P, F)
    out: FLOATS      # like z
    dout: FLOATS     # like z
    argmax: BYTES    # (N, P, Fp): position of each maximum in its window, if pooled
    vectors: FLOATS  # (k, Fp), or (N, k, Fp) if each image has its own
    sums: FLOATS     # (N, 2, Fp)


class Settings(NamedTuple):
    """The sizes of these arrays, and whether a ReLU follows."""
    pixels: INT         # P
    F: INT
    Fp: INT
    lanes: INT          # numbers in a vector
    vectors_apart: INT  # stride from image to image in vectors; 0 if all share them
    relu: BOOL


@step(Arrays, Settings, INT)
def moments(arrays, settings, image):
    """Write the mean of one image, and the sum of squared deviations from it, to sums[image].

    Two passes, as in pixels.moments.
    """
    z = arrays.z
    sums = arrays.sums
    pixels = settings.pixels
    F = settings.F
    Fp = settings.Fp
    lanes = settings.lanes
    for f in range(0, F, lanes):
        mean = zeros(sums, 1)
        squares = zeros(sums, 1)
        for pixel in range(image * pixels, (image + 1) * pixels):
            mean += get(z, pixel * F, f, F, lanes)
        mean *= 1 / pixels
        for pixel in range(image * pixels, (image + 1) * pixels):
            away = get(z, pixel * F, f, F, lanes) - mean
            squares += away * away
        store(sums, image * 2 * Fp + f, mean)
        store(sums, (image * 2 + 1) * Fp + f, squares)


@step(Arrays, Settings, INT)
def normalise(arrays, settings, image):
    """Write vectors[0] * z + vectors[1], or relu of it, to out for one image.

    Where ReLU cuts off a maximum, its argmax becomes DEAD.
    """
    z = arrays.z
    out = arrays.out
    argmax = arrays.argmax
    vectors = arrays.vectors[image * settings.vectors_apart:]
    pixels = settings.pixels
    F = settings.F
    Fp = settings.Fp
    lanes = settings.lanes
    past = goes_past(out, F, lanes)
    for pixel in range(image * pixels, (image + 1) * pixels):
        for f in range(0, F, lanes):
            y = load(vectors, f, 1) * get(z, pixel * F, f, F, lanes) + load(vectors, Fp + f, 1)
            if settings.relu:
                if len(argmax):
                    position = load_bytes(argmax, pixel * Fp + f, z)
                    store_bytes(argmax, pixel * Fp + f, select(y > 0.0, position, DEAD))
                y = select(y < 0.0, 0.0, y)
            put_out(out, pixel * F, f, F, lanes, y, past)
    drain()


@step(Arrays, Settings, INT)
def gradient_sums(arrays, settings, image):
    """Write the sums of dout and of dout * xhat over one image to sums[image].

    xhat = (z - vectors[0]) * vectors[1]. With relu, only pixels count whose normalized value,
    vectors[2] * z + vectors[3], is positive; below a max-pool, those whose argmax isn't DEAD.
    """
    z = arrays.z
    dout = arrays.dout
    argmax = arrays.argmax
    sums = arrays.sums
    vectors = arrays.vectors[image * settings.vectors_apart:]
    pixels = settings.pixels
    F = settings.F
    Fp = settings.Fp
    lanes = settings.lanes
    total = image * 2 * Fp
    along = (image * 2 + 1) * Fp
    clear(sums, total, 2 * Fp, lanes)
    for pixel in range(image * pixels, (image + 1) * pixels):
        for f in range(0, F, lanes):
            d = get(dout, pixel * F, f, F, lanes)
            z_here = get(z, pixel * F, f, F, lanes)
            if settings.relu:
                if len(argmax):
                    d = select(load_bytes(argmax, pixel * Fp + f, z) < DEAD, d, 0.0)
                else:
                    scale = load(vectors, 2 * Fp + f, 1)
                    shift = load(vectors, 3 * Fp + f, 1)
                    d = select(scale * z_here + shift > 0.0, d, 0.0)
            xhat = (z_here - load(vectors, f, 1)) * load(vectors, Fp + f, 1)
            store(sums, total + f, load(sums, total + f, 1) + d)
            store(sums, along + f, load(sums, along + f, 1) + d * xhat)


@step(Arrays, Settings, INT)
def line(arrays, settings, image):
    """Write dz of one image, a linear function of dout and z, to out; see backward_vectors."""
    z = arrays.z
    out = arrays.out
    dout = arrays.dout
    vectors = arrays.vectors[image * settings.vectors_apart:]
    pixels = settings.pixels
    F = settings.F
    Fp = settings.Fp
    lanes = settings.lanes
    past = goes_past(out, F, lanes)
    for pixel in range(image * pixels, (image + 1) * pixels):
        for f in range(0, F, lanes):
            d = get(dout, pixel * F, f, F, lanes)
            z_here = get(z, pixel * F, f, F, lanes)
            put_out(out, pixel * F, f, F, lanes, through_batchnorm(d, z_here, vectors, f, Fp), past)
    drain()


@jit(parallel=True)
def over_images(address, arrays, settings, count):
    """Call a step, given by its address, for every image."""
    for image in prange(count):
        call(address, arrays, settings, image)


@jit
def forward_vectors(sums, pixels, gamma, beta, eps, moments, vectors):
    """Compute the moments of a batch, and the vectors that normalize it.

    sums     (N, 2, Fp): of images of `pixels` pixels, see the step `moments`
    moments  result, (3, F) float64: mean and variance over all images (Chan et al. 1983), and
             rstd = 1 / sqrt(var + eps)
    vectors  result, (4, Fp): mean, rstd, scale and shift: z becomes scale * z + shift
    """
    mean, var, rstd = moments
    count = len(sums)
    F = len(mean)
    moments[:] = 0.0
    vectors[:] = 0.0
    for image in range(count):
        for f in range(F):
            mean[f] += sums[image, 0, f] / count
    for image in range(count):
        for f in range(F):
            away = sums[image, 0, f] - mean[f]
            var[f] += (sums[image, 1, f] / pixels + away * away) / count
    for f in range(F):
        rstd[f] = 1 / np.sqrt(var[f] + eps)
        scale = gamma[f] * rstd[f]
        vectors[0, f] = mean[f]
        vectors[1, f] = rstd[f]
        vectors[2, f] = scale
        vectors[3, f] = beta[f] - mean[f] * scale


@jit
def update_average(running, new, momentum):
    """Update a running average: running = momentum * running + (1 - momentum) * new.

    One number per channel.
    """
    for f in range(len(running)):
        running[f] = momentum * running[f] + (1 - momentum) * new[f]


@jit
def backward_vectors(sums, gamma, moments, shift, count, totals, vectors):
    """Compute the gradients of gamma and beta, and dz as a linear function of dout and z.

        dz = gamma rstd (dout - dbeta / count - xhat dgamma / count),   xhat = (z - mean) rstd

    (Ioffe & Szegedy 2015, after simplification), where `count` values were normalized together.

    sums     (N, 2, Fp), of gradient_sums
    shift    (F,), of the forward pass
    totals   result, (2, F) float64: dbeta, dgamma
    vectors  result, (4, Fp): dz = vectors[0] * dout + vectors[1] * z + vectors[2], and shift
    """
    mean, _, rstd = moments
    F = len(mean)
    totals[:] = 0.0
    vectors[:] = 0.0
    for image in range(len(sums)):
        for f in range(F):
            totals[0, f] += sums[image, 0, f]
            totals[1, f] += sums[image, 1, f]
    for f in range(F):
        scale = gamma[f] * rstd[f]
        slope = -scale * rstd[f] * totals[1, f] / count
        vectors[0, f] = scale
        vectors[1, f] = slope
        vectors[2, f] = -scale * totals[0, f] / count - slope * mean[f]
        vectors[3, f] = shift[f]
