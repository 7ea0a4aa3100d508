"""The two passes of batchnorm that read all numbers: applying it, and the sums of its backward pass.

Both work on pixels (N, P, F) in channels-last memory, which below a max-pool are the winners of each window only: a
scale is monotone, so the maximum can be taken first, and a quarter of the numbers is left.
"""
import numpy as np
from numba import prange

from .jit import jit
from .pixels import DEAD, get, put
from .simd import load, load_bytes, select, store, store_bytes, zeros
from .steps import BOOL, BYTES, FLOATS, INT, call, step


@step(FLOATS, FLOATS, FLOATS, BYTES, FLOATS, BOOL, FLOATS, INT, INT, INT, INT, INT)
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


@step(FLOATS, FLOATS, FLOATS, BYTES, FLOATS, BOOL, FLOATS, INT, INT, INT, INT, INT)
def gradient_sums(z, out, dout, winners, vectors, relu, sums, image, pixels, F, Fp, lanes):
    """sums[image] = sums over one image of dout and of dout * xhat, xhat = (z - vectors[0]) * vectors[1].

    With relu only where out is positive, which winners below a max-pool say: DEAD ones don't count. sums (N, 2, Fp).
    """
    for f in range(0, F, lanes):
        mean, rstd = load(vectors, f, 1), load(vectors, Fp + f, 1)
        total, along = zeros(sums, 1), zeros(sums, 1)
        for pixel in range(image * pixels, (image + 1) * pixels):
            d = get(dout, pixel * F, f, F, lanes)
            if relu:
                if len(winners):
                    d = select(load_bytes(winners, pixel * Fp + f, z) < DEAD, d, 0.0)
                else:
                    d = select(get(out, pixel * F, f, F, lanes) > 0.0, d, 0.0)
            total += d
            along += d * ((get(z, pixel * F, f, F, lanes) - mean) * rstd)
        store(sums, image * 2 * Fp + f, total)
        store(sums, (image * 2 + 1) * Fp + f, along)


@jit
def finish_moments(sums, pixels, gamma, beta, eps, mean, rstd, var, vectors):
    """Moments of all images: mean, var, rstd (F,) of float64, and scale and shift for normalise() in vectors (2, Fp).

    sums (N, 2, Fp): mean, and sum of squared distances from it, of each image of `pixels` numbers (Chan et al. 1983).
    """
    N, F = len(sums), len(gamma)
    for f in range(F):
        mean[f] = var[f] = 0.0
    for n in range(N):
        for f in range(F):
            mean[f] += sums[n, 0, f] / N
    for n in range(N):
        for f in range(F):
            away = sums[n, 0, f] - mean[f]
            var[f] += (sums[n, 1, f] / pixels + away * away) / N
    for f in range(F):
        rstd[f] = 1.0 / np.sqrt(var[f] + eps)
        vectors[0, f] = gamma[f] * rstd[f]
        vectors[1, f] = beta[f] - mean[f] * gamma[f] * rstd[f]
        vectors[2, f], vectors[3, f] = mean[f], rstd[f]


@jit
def finish_gradients(sums, count, gamma, mean, rstd, dgamma, dbeta, vectors):
    """dgamma, dbeta (F,) of float64 from gradient_sums(), and dz as a line of z in vectors (3, Fp).

    dz = gamma rstd (dout - dbeta / count - xhat dgamma / count), the eq. of Ioffe & Szegedy 2015 after its sums cancel.
    """
    N, F = len(sums), len(gamma)
    for f in range(F):
        dgamma[f] = dbeta[f] = 0.0
    for n in range(N):
        for f in range(F):
            dbeta[f] += sums[n, 0, f]
            dgamma[f] += sums[n, 1, f]
    for f in range(F):
        scale = gamma[f] * rstd[f]
        slope = -scale * rstd[f] * dgamma[f] / count
        vectors[0, f], vectors[1, f] = scale, slope
        vectors[2, f] = -scale * dbeta[f] / count - slope * mean[f]


@jit(parallel=True)
def over_images(address, z, out, dout, winners, vectors, relu, sums, count, pixels, F, Fp, lanes):
    """Call normalise or gradient_sums for every image."""
    for image in prange(count):
        call(address, z, out, dout, winners, vectors, relu, sums, image, pixels, F, Fp, lanes)
