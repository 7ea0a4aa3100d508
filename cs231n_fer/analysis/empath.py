"""EMPATH (Dailey, Cottrell, Padgett & Adolphs 2002): the features of its net.

A face passes through a bank of Gabor filters, and the magnitudes of the responses are projected on
their principal components. A Gabor filter is a plane wave under a Gaussian, with cosine and sine as
real and imaginary part (Daugman 1985, in the form of Lades et al. 1993, eq. 2 and 3):

    psi(x) = k^2 / s^2 exp(-k^2 |x|^2 / (2 s^2)) (exp(i k . x) - exp(-s^2 / 2))
    |k|    = pi / 2 / sqrt(2)^scale

The wave vector points in direction orientation * pi / 8; the last term makes the response to a
constant image zero. The magnitudes of the 40 responses on a grid of pixels model complex cells,
which respond to a wave whatever its phase. The magnitudes are z-scored and reduced to their first
principal components, with statistics of the training faces alone.
"""
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from ..shapes import check, plain_array, real_numbers
from ..types import Array

__all__ = ["BATCH_SIZE", "COMPONENTS", "ORIENTATIONS", "PCA", "SCALES", "SIGMA", "STEP", "embed",
           "fit_embedding", "fit_pca", "gabor_bank", "gabor_kernel", "gabor_magnitudes",
           "in_batches", "project", "wave_number"]

SCALES = 5
ORIENTATIONS = 8
STEP = 6         # pixels between the points of the grid
COMPONENTS = 50
SIGMA = np.pi    # width of the Gaussian in waves, times 2 pi; Lades et al. use 2 pi for 128 pixels
BATCH_SIZE = 512    # faces; their responses take 10 MiB, whatever the number of faces


def wave_number(scale: int) -> float:
    """Return the radians per pixel of a scale.

    Waves have 4 pixels at scale 0 and are sqrt(2) times as long from one scale to the next.
    """
    return float(np.pi / 2 / np.sqrt(2) ** scale)


def gabor_kernel(scale: int, orientation: int, sigma: float = SIGMA,
                 orientations: int = ORIENTATIONS) -> NDArray[np.complex128]:
    """Return the filter psi on a square of 4 standard deviations to each side.

    scale          0 (shortest waves) or more
    orientation    0 to orientations - 1; the wave vector of 0 points along x, and then turns to y
    Returns        (2r + 1, 2r + 1) complex128.
    The constant subtracted from the wave makes the sum of the sampled filter zero; the constant in
    the formula does the same for the integral.
    """
    check(scale >= 0, f"scale: got {scale}, expected 0 or more")
    check(0 <= orientation < orientations,
          f"orientation: got {orientation}, expected 0 to {orientations - 1}")
    check(sigma > 0, f"sigma: got {sigma}, expected above 0")
    k = wave_number(scale)
    angle = np.pi * orientation / orientations
    radius = int(np.ceil(4 * sigma / k))
    y, x = np.mgrid[-radius:radius + 1, -radius:radius + 1]
    gauss = (k / sigma) ** 2 * np.exp(-(k / sigma) ** 2 * (x ** 2 + y ** 2) / 2)
    wave = np.exp(1j * k * (x * np.cos(angle) + y * np.sin(angle)))
    kernel: NDArray[np.complex128] = gauss * (wave - (gauss * wave).sum() / gauss.sum())
    return kernel


def gabor_bank(size: int = 48, step: int = STEP, scales: int = SCALES,
               orientations: int = ORIENTATIONS, sigma: float = SIGMA,
               dtype: DTypeLike = np.float32) -> Array:
    """Return the bank as one linear map from a face to the real and imaginary parts of D responses.

    size       height and width of the faces, in pixels
    step       pixels between the points of the grid, which starts at pixel step // 2
    Returns    (2, size * size, D), D = scales * orientations * grid points, in this order.
    A face is continued beyond its border by its mirror image, so that the border is no edge.
    """
    check(1 <= step <= size, f"step: got {step}, expected 1 to {size} pixels")
    starts = range(step // 2, size, step)
    columns = []
    for scale, orientation in np.ndindex(scales, orientations):
        kernel = gabor_kernel(scale, orientation, sigma, orientations)
        radius = len(kernel) // 2
        # Row i of the padded identity selects the pixel that is seen at position i - radius.
        mirrored = np.pad(np.eye(size), ((radius, radius), (0, 0)), mode="symmetric")
        windows = np.stack([mirrored[start:start + len(kernel)] for start in starts])
        columns.append(np.einsum("ykr,kl,xlc->rcyx", windows, kernel, windows, optimize=True))
    bank = np.stack(columns, axis=2).reshape(size * size, -1)
    return np.stack([bank.real, bank.imag]).astype(dtype)


def gabor_magnitudes(faces: NDArray[Any], bank: Array) -> Array:
    """Return the magnitudes (N, D) of the responses, sqrt(real^2 + imaginary^2), in bank's dtype.

    faces    (N, H, W) or (N, 1, H, W) real numbers
    bank     (2, H * W, D) of gabor_bank
    """
    X = real_numbers(faces, bank.dtype, "faces")
    check(X.ndim in (3, 4) and np.prod(X.shape[1:]) == bank.shape[1],
          f"faces: got shape {X.shape}, expected (N, H, W) or (N, 1, H, W) of {bank.shape[1]} "
          "pixels")
    flat = X.reshape(len(X), -1)
    # One matrix product takes 0.16 ms a face on one core; a strided convolution of 49 x 49 takes
    # 0.21 ms, an FFT 0.79 ms.
    even = flat @ bank[0]
    odd = flat @ bank[1]
    even *= even
    odd *= odd
    even += odd
    magnitudes: Array = np.sqrt(even, out=even)
    return magnitudes


@dataclass(frozen=True)
class PCA:
    """Statistics of D features over the training samples, and the principal components of z-scores.

    mean          (D,) mean of each feature
    scale         (D,) standard deviation of each feature, 1 for a constant feature
    components    (K, D) orthonormal rows in order of decreasing variance; the entry of largest
                  absolute value in a row is positive
    variances     (K,) variances of the projections on the components, 0 beyond the rank of the
                  data; for K = D they add up to the number of features that vary
    """

    mean: Array
    scale: Array
    components: Array
    variances: Array


def fit_pca(batches: Iterable[Array], num_components: int = COMPONENTS) -> PCA:
    """Return the PCA of features that come in batches (n, D), float32 or float64.

    The arrays of the PCA have the dtype of the features. One pass over the batches is enough, since
    the covariance of z-scores is the correlation matrix of the features.
    Raises ValueError unless there are at least two samples and 1 <= num_components <= D.
    """
    count, mean, covariance, origin = _moments(batches)
    check(count >= 2, f"batches: hold {count} samples, expected at least 2")
    check(1 <= num_components <= len(origin),
          f"num_components: got {num_components}, expected 1 to {len(origin)}")
    scale = np.sqrt(np.maximum(np.diag(covariance), 0))
    # The deviation computed for a constant feature is a rounding error.
    scale[scale <= 1e-6 * np.abs(origin + mean)] = 1
    variances, vectors = np.linalg.eigh(covariance / np.outer(scale, scale))  # ascending
    variances = variances[::-1][:num_components]
    components = vectors.T[::-1][:num_components]
    smallest = 10 * np.finfo(origin.dtype).eps * variances[0]  # smaller ones are rounding errors
    variances = np.where(variances > smallest, variances, 0)
    largest = components[np.arange(num_components), np.abs(components).argmax(axis=1)]
    components = components * np.sign(largest)[:, None]
    dtype = origin.dtype
    return PCA(mean=(origin + mean).astype(dtype), scale=scale.astype(dtype),
               components=components.astype(dtype), variances=variances.astype(dtype))


def _moments(batches: Iterable[Array]) -> tuple[int, Array, Array, Array]:
    """Return (count, mean, covariance, origin) of features; the mean is relative to the origin.

    The origin is the mean of the first batch: near the mean the products are of small numbers.
    """
    count = 0
    origin = np.zeros(0)
    total = np.zeros(0)
    products = np.zeros((0, 0))
    for features in batches:
        batch = plain_array(features, "batches")
        if count == 0:
            origin = batch.mean(axis=0)
            total = np.zeros(origin.shape)
            products = np.zeros((*origin.shape, *origin.shape))
        centered = batch - origin
        count += len(batch)
        total += centered.sum(axis=0, dtype=np.float64)
        products += (centered.T @ centered).astype(np.float64)
    mean = total / max(count, 1)
    return count, mean, products / max(count, 1) - np.outer(mean, mean), origin


def project(features: Array, pca: PCA) -> Array:
    """Return the projections (n, K) of features (n, D) on the components, divided by deviations.

    The projections of the training samples have variance 1, or 0 where the component has none.
    """
    deviation = np.sqrt(pca.variances)
    divisor = np.where(deviation > 0, deviation, 1)
    weights = pca.components / divisor[:, None] / pca.scale
    projections: Array = (features - pca.mean) @ weights.T
    return projections


def in_batches(faces: NDArray[Any], function: Callable[[NDArray[Any]], Array]) -> Iterator[Array]:
    """Yield function(batch) for consecutive batches of BATCH_SIZE faces."""
    for start in range(0, len(faces), BATCH_SIZE):
        yield function(faces[start:start + BATCH_SIZE])


def fit_embedding(faces: NDArray[Any], bank: Array, num_components: int = COMPONENTS) -> PCA:
    """Return the PCA of the magnitudes of training faces (N, H, W) or (N, 1, H, W), in batches."""
    batches = in_batches(faces, lambda batch: gabor_magnitudes(batch, bank))
    return fit_pca(batches, num_components)


def embed(faces: NDArray[Any], bank: Array, pca: PCA) -> Array:
    """Return the input (N, K) of EMPATH's net for faces (N, H, W) or (N, 1, H, W)."""
    batches = in_batches(faces, lambda batch: project(gabor_magnitudes(batch, bank), pca))
    return np.concatenate(list(batches))
