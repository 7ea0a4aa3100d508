"""EMPATH (Dailey, Cottrell, Padgett & Adolphs 2002): Gabor filters, principal components, and a small net on these.

A Gabor filter is a plane wave under a Gaussian, cosine and sine together as one complex filter (Daugman 1985, in the
form of Lades et al. 1993, eq. 2 and 3):

    psi(x) = k^2 / s^2 exp(-k^2 |x|^2 / (2 s^2)) (exp(i k . x) - exp(-s^2 / 2)),      |k| = pi / 2 / sqrt(2)^scale

Its wave runs along orientation * pi / 8; the last term makes the filter blind to evenly lit skin. The magnitudes of the
40 responses on a grid of places are a model of complex cells: how much of a wave is there, whatever its phase. They are
z-scored and reduced to their first principal components, both by what the training faces alone say.
"""
from dataclasses import dataclass

import numpy as np

from .shapes import check

SCALES, ORIENTATIONS, STEP, COMPONENTS = 5, 8, 6, 50
SIGMA = np.pi  # width of the Gaussian in waves, times 2 pi; Lades et al. take 2 pi, for pictures of 128 pixels
BATCH_SIZE = 512  # faces: their responses take 10 MiB, whatever the number of faces


def wave_number(scale):
    """Radians per pixel of a scale: waves of 4 pixels at scale 0, each further one sqrt(2) times as long."""
    return np.pi / 2 / np.sqrt(2) ** scale


def gabor_kernel(scale, orientation, sigma=SIGMA, orientations=ORIENTATIONS):
    """Return the filter psi on a square of 4 standard deviations either way, (2r + 1, 2r + 1) complex128.

    scale          0 (finest) and up;  orientation   0 to orientations - 1: the wave runs along x, then turned towards y
    The constant that is taken off the wave is the one that makes the sum zero; the formula's does so for the integral.
    """
    check(scale >= 0, f"scale: got {scale}, expected 0 or more")
    check(0 <= orientation < orientations, f"orientation: got {orientation}, expected 0 to {orientations - 1}")
    check(sigma > 0, f"sigma: got {sigma}, expected above 0")
    k, angle = wave_number(scale), np.pi * orientation / orientations
    radius = int(np.ceil(4 * sigma / k))
    y, x = np.mgrid[-radius:radius + 1, -radius:radius + 1]
    gauss = (k / sigma) ** 2 * np.exp(-(k / sigma) ** 2 * (x ** 2 + y ** 2) / 2)
    wave = np.exp(1j * k * (x * np.cos(angle) + y * np.sin(angle)))
    return gauss * (wave - (gauss * wave).sum() / gauss.sum())


def gabor_bank(size=48, step=STEP, scales=SCALES, orientations=ORIENTATIONS, sigma=SIGMA, dtype=np.float32):
    """Return the whole bank as one linear map from a face to its responses, (2, size * size, D): real and imaginary.

    size     of the square faces, in pixels;  step   between the places of the grid, which starts at pixel step // 2
    D        scales * orientations * places, in this order
    Beyond its border a face goes on as its mirror image, so that the border is no edge.
    """
    check(1 <= step <= size, f"step: got {step}, expected 1 to {size} pixels")
    places = range(step // 2, size, step)
    columns = []
    for scale, orientation in np.ndindex(scales, orientations):
        kernel = gabor_kernel(scale, orientation, sigma, orientations)
        radius = len(kernel) // 2
        mirrored = np.pad(np.eye(size), ((radius, radius), (0, 0)), mode="symmetric")  # pixel seen -> pixel that it is
        windows = np.stack([mirrored[place:place + len(kernel)] for place in places])
        columns.append(np.einsum("ykr,kl,xlc->rcyx", windows, kernel, windows, optimize=True))
    bank = np.stack(columns, axis=2).reshape(size * size, -1)
    return np.stack([bank.real, bank.imag]).astype(dtype)


def gabor_magnitudes(faces, bank):
    """Return the magnitudes (N, D) of the responses of faces (N, H, W) or (N, 1, H, W), in the dtype of the bank.

    bank   of gabor_bank. Each row is sqrt(even^2 + odd^2), the energy of a pair of filters a quarter wave apart.
    """
    faces = np.asarray(faces)
    check(faces.ndim in (3, 4) and np.prod(faces.shape[1:]) == bank.shape[1],
          f"faces: got shape {faces.shape}, expected (N, H, W) or (N, 1, H, W) of {bank.shape[1]} pixels")
    flat = faces.reshape(len(faces), -1).astype(bank.dtype, copy=False)
    # One matrix product, 0.16 ms a face on one core; a strided convolution of 49 x 49 takes 0.21, an FFT 0.79.
    even, odd = flat @ bank[0], flat @ bank[1]
    even *= even
    odd *= odd
    even += odd
    return np.sqrt(even, out=even)


@dataclass(frozen=True)
class Embedding:
    """What the training faces say about magnitudes: how to z-score them, and their principal components.

    bank          of gabor_bank
    mean, scale   (D,) of the magnitudes; the scale of a constant one is 1
    components    (K, D) orthonormal rows, the one of the largest variance first; the largest entry of each is positive
    variances     (K,) of the projections on them
    """
    bank: np.ndarray
    mean: np.ndarray
    scale: np.ndarray
    components: np.ndarray
    variances: np.ndarray


def fit_embedding(faces, bank, num_components=COMPONENTS):
    """Return the Embedding of training faces (N, H, W) or (N, 1, H, W), read in batches.

    The z-scores' covariance is the correlation matrix of the magnitudes, so one pass over the faces finds it all.
    Raises ValueError unless 1 <= num_components <= D and N >= 2.
    """
    D = bank.shape[2]
    check(1 <= num_components <= D, f"num_components: got {num_components}, expected 1 to {D}")
    check(len(faces) >= 2, f"faces: got {len(faces)}, expected at least 2")
    origin = gabor_magnitudes(faces[:BATCH_SIZE], bank).mean(axis=0)  # near the mean: products of small numbers
    total, products = np.zeros(D), np.zeros((D, D))
    for batch in batches(faces):
        centred = gabor_magnitudes(batch, bank) - origin
        total += centred.sum(axis=0, dtype=np.float64)
        products += centred.T @ centred
    mean = total / len(faces)
    covariance = products / len(faces) - np.outer(mean, mean)
    scale = np.sqrt(np.maximum(np.diag(covariance), 0))
    scale[scale <= 1e-6 * (origin + mean)] = 1  # what is left of a constant magnitude is rounding
    variances, vectors = np.linalg.eigh(covariance / np.outer(scale, scale))
    components = vectors[:, ::-1][:, :num_components].T
    largest = np.abs(components).argmax(axis=1)
    components = components * np.sign(components[np.arange(num_components), largest])[:, None]
    return Embedding(bank, *(array.astype(bank.dtype) for array in (
        origin + mean, scale, components, np.maximum(variances[::-1][:num_components], 0))))


def embed(faces, embedding):
    """Return the projections (N, K) of faces' z-scored magnitudes on the principal components, each of variance 1.

    faces   (N, H, W) or (N, 1, H, W), read in batches
    """
    deviation = np.sqrt(embedding.variances)
    weights = (embedding.components / np.where(deviation > 0, deviation, 1)[:, None] / embedding.scale).T
    return np.concatenate([(gabor_magnitudes(batch, embedding.bank) - embedding.mean) @ weights
                           for batch in batches(faces)])


def batches(faces):
    """Yield the faces, BATCH_SIZE at a time."""
    for start in range(0, len(faces), BATCH_SIZE):
        yield faces[start:start + BATCH_SIZE]
