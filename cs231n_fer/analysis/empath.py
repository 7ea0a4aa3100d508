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

from ..shapes import check

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
class PCA:
    """What training samples say about D features: how to z-score them, and the principal components of the z-scores.

    mean, scale   (D,) of the features; the scale of a constant one is 1
    components    (K, D) orthonormal rows, the one of the largest variance first; the largest entry of each is positive
    variances     (K,) of the projections on them, 0 beyond the rank of the data; all D of them would add up to D
    """
    mean: np.ndarray
    scale: np.ndarray
    components: np.ndarray
    variances: np.ndarray


def fit_pca(batches, num_components=COMPONENTS):
    """Return the PCA of features that come in batches (n, D), float32 or float64; its arrays have their dtype.

    The z-scores' covariance is the correlation matrix of the features, so one pass over the batches finds it all.
    Raises ValueError unless there are two samples or more and 1 <= num_components <= D.
    """
    count, origin, total, products = 0, None, 0.0, 0.0
    for batch in batches:
        origin = batch.mean(axis=0) if origin is None else origin  # near the mean: products of small numbers
        centred = batch - origin
        count += len(batch)
        total += centred.sum(axis=0, dtype=np.float64)
        products += (centred.T @ centred).astype(np.float64)
    check(count >= 2, f"batches: hold {count} samples, expected at least 2")
    check(1 <= num_components <= len(origin), f"num_components: got {num_components}, expected 1 to {len(origin)}")
    mean = total / count
    covariance = products / count - np.outer(mean, mean)
    scale = np.sqrt(np.maximum(np.diag(covariance), 0))
    scale[scale <= 1e-6 * np.abs(origin + mean)] = 1  # what is left of a constant feature is rounding
    variances, vectors = np.linalg.eigh(covariance / np.outer(scale, scale))  # in rising order
    variances, components = variances[::-1][:num_components], vectors.T[::-1][:num_components]
    variances = np.where(variances > 10 * np.finfo(origin.dtype).eps * variances[0], variances, 0)  # else rounding
    largest = components[np.arange(num_components), np.abs(components).argmax(axis=1)]
    arrays = origin + mean, scale, components * np.sign(largest)[:, None], variances
    return PCA(*(array.astype(origin.dtype) for array in arrays))


def project(features, pca):
    """Return the projections (n, K) of features (n, D) on the components, scaled to variance 1 in training if any."""
    deviation = np.sqrt(pca.variances)
    weights = pca.components / np.where(deviation > 0, deviation, 1)[:, None] / pca.scale
    return (features - pca.mean) @ weights.T


def in_batches(faces, function):
    """Yield function(batch) of faces, BATCH_SIZE at a time."""
    for start in range(0, len(faces), BATCH_SIZE):
        yield function(faces[start:start + BATCH_SIZE])


def fit_embedding(faces, bank, num_components=COMPONENTS):
    """Return the PCA of the magnitudes of training faces (N, H, W) or (N, 1, H, W), read in batches."""
    return fit_pca(in_batches(faces, lambda batch: gabor_magnitudes(batch, bank)), num_components)


def embed(faces, bank, pca):
    """Return what EMPATH's net sees of faces (N, H, W) or (N, 1, H, W): (N, K) projections, each of variance 1."""
    return np.concatenate(list(in_batches(faces, lambda batch: project(gabor_magnitudes(batch, bank), pca))))
