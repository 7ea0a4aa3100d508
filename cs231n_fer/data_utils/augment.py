"""Augmentations: random changes of training images that leave their meaning alone.

An augmentation is a frozen record of hyper-parameters that splits chance from change:

    draw(rng, n)          -> (n, columns) float64, the random numbers of n images: all that is random
    apply(images, draws)  -> new images of the same shape, dtype and memory layout, a pure function
    augmentation(images, rng) = apply(images, draw(rng, len(images)))

Draws are made once an epoch for all samples and picked by sample, so what happens to an image depends on
nothing but (seed, epoch, sample). Images are (N, C, H, W), float32 or float64, already normalised: zero is
the mean image, one is one standard deviation. Wrong shapes, and numbers out of range, raise ValueError.
"""
import math
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

LARGEST_MAP = 1e12  # numbers in a map: their products with pixel numbers must stay finite in float32


class Augmentation:
    """What all augmentations share: `columns` random numbers for each image, uniform in [low, 1)."""

    columns: ClassVar[int] = 0
    low: ClassVar[float] = 0.0

    def draw(self, rng, n):
        """Return (n, columns) random numbers, float64, from an np.random.Generator."""
        return rng.uniform(self.low, 1.0, size=(n, self.columns))

    def __call__(self, images, rng):
        """Return the images changed by fresh random numbers."""
        return self.apply(images, self.draw(rng, len(images)))


@dataclass(frozen=True)
class HorizontalFlip(Augmentation):
    """Mirror left and right with probability `p`; with the same draws it is its own inverse.

    p:      float in [0, 1]
    draws:  (N, 1) in [0, 1): an image is mirrored where its draw is below p
    """

    p: float = 0.5
    columns: ClassVar[int] = 1

    def __post_init__(self):
        _check_range("HorizontalFlip: p", self.p, 0, 1)

    def apply(self, images, draws):
        """Return a copy with the chosen images mirrored."""
        _check_images(images, draws, self)
        from ..kernels.warp import mirror  # here, because Numba is heavy and optional for everything else

        out = np.empty_like(images)
        mirror(images, draws[:, 0] < self.p, out)
        return out


@dataclass(frozen=True)
class RandomSimilarity(Augmentation):
    """Shift, rotate and scale about the centre in one bilinear resampling.

    max_shift:      float in [0, 10000], pixels, in each direction
    max_rotation:   float in [0, 360], degrees, either way (a positive draw turns counter-clockwise)
    max_log_scale:  float in [0, 10], natural logarithm: sizes change by a factor from exp(-m) to exp(m)
    outside:        "zero" (the mean image) or "edge" (the nearest pixel), what is seen beyond the border
    rung:           "fast" (Numba, `kernels.warp`) or "numpy" (`warp_numpy`, the definition)
    draws:          (N, 4) in [-1, 1), times the maxima: shift down, shift right, rotation, log scale;
                    zeros change nothing
    """

    max_shift: float = 2.0
    max_rotation: float = 10.0
    max_log_scale: float = 0.1
    outside: str = "zero"
    rung: str = "fast"
    columns: ClassVar[int] = 4
    low: ClassVar[float] = -1.0

    def __post_init__(self):
        _check_range("RandomSimilarity: max_shift", self.max_shift, 0, 10_000)
        _check_range("RandomSimilarity: max_rotation", self.max_rotation, 0, 360)
        _check_range("RandomSimilarity: max_log_scale", self.max_log_scale, 0, 10)
        _check_choice("RandomSimilarity: outside", self.outside, ("zero", "edge"))
        _check_choice("RandomSimilarity: rung", self.rung, ("fast", "numpy"))

    def apply(self, images, draws):
        """Return the images resampled, each by its own similarity."""
        _check_images(images, draws, self)
        maps = self.maps(draws, images.shape[2:]).astype(images.dtype)
        margin = 1 if self.outside == "zero" else 0
        return warp_fast(images, maps, margin) if self.rung == "fast" else warp_numpy(images, maps, margin)

    def maps(self, draws, size):
        """Return (N, 2, 3) maps from a pixel (y, x, 1) of the result to its point in the image.

        The result p shows the image at R(-angle) (p - centre - shift) / scale + centre.
        """
        shift = draws[:, :2] * self.max_shift
        angle = draws[:, 2] * math.radians(self.max_rotation)
        shrink = np.exp(-draws[:, 3] * self.max_log_scale)
        cos, sin = np.cos(angle) * shrink, np.sin(angle) * shrink
        linear = np.stack([np.stack([cos, sin], axis=1), np.stack([-sin, cos], axis=1)], axis=1)
        centre = np.array([(length - 1) / 2 for length in size])
        offset = centre - np.einsum("nij,nj->ni", linear, centre + shift)
        return np.concatenate([linear, offset[:, :, None]], axis=2)


@dataclass(frozen=True)
class RandomErasing(Augmentation):
    """Cover a random rectangle with zeros, the mean image, with probability `p` (Zhong et al. 2020).

    p:                   float in [0, 1]
    min_area, max_area:  floats in [0, 1], the covered share of the image
    max_aspect:          float in [1, 1000]: height / width is from 1 / max_aspect to max_aspect, log-uniform
    draws:               (N, 5) in [0, 1): chance, area, aspect, top, left; too long a side is cut
    """

    p: float = 0.5
    min_area: float = 0.02
    max_area: float = 0.2
    max_aspect: float = 3.0
    columns: ClassVar[int] = 5

    def __post_init__(self):
        _check_range("RandomErasing: p", self.p, 0, 1)
        _check_range("RandomErasing: max_area", self.max_area, 0, 1)
        _check_range("RandomErasing: min_area", self.min_area, 0, self.max_area)
        _check_range("RandomErasing: max_aspect", self.max_aspect, 1, 1000)

    def apply(self, images, draws):
        """Return a copy with a rectangle erased in the chosen images."""
        _check_images(images, draws, self)
        H, W = images.shape[2:]
        area = H * W * (self.min_area + (self.max_area - self.min_area) * draws[:, 1])
        aspect = np.exp((2 * draws[:, 2] - 1) * math.log(self.max_aspect))
        height = np.minimum(np.rint(np.sqrt(area * aspect)), H).astype(int)
        width = np.minimum(np.rint(np.sqrt(area / aspect)), W).astype(int)
        top = (draws[:, 3] * (H - height + 1)).astype(int)
        left = (draws[:, 4] * (W - width + 1)).astype(int)
        out = images.copy(order="K")
        for n in np.flatnonzero(draws[:, 0] < self.p):
            out[n, :, top[n]:top[n] + height[n], left[n]:left[n] + width[n]] = 0
        return out


@dataclass(frozen=True)
class BrightnessContrast(Augmentation):
    """Stretch the values of an image about their mean and shift them.

    max_brightness:    float in [0, 1000], the greatest shift, in standard deviations of the data
    max_log_contrast:  float in [0, 10], natural logarithm: contrast changes by a factor from exp(-m) to exp(m)
    draws:             (N, 2) in [-1, 1), times the maxima: brightness, log contrast; zeros change nothing
    """

    max_brightness: float = 0.2
    max_log_contrast: float = 0.2
    columns: ClassVar[int] = 2
    low: ClassVar[float] = -1.0

    def __post_init__(self):
        _check_range("BrightnessContrast: max_brightness", self.max_brightness, 0, 1000)
        _check_range("BrightnessContrast: max_log_contrast", self.max_log_contrast, 0, 10)

    def apply(self, images, draws):
        """Return contrast images + ((1 - contrast) mean + brightness): exact where nothing changes."""
        _check_images(images, draws, self)
        contrast = np.exp(draws[:, 1] * self.max_log_contrast)
        offset = (1 - contrast) * images.mean(axis=(1, 2, 3)) + draws[:, 0] * self.max_brightness
        out = images * contrast.astype(images.dtype)[:, None, None, None]
        out += offset.astype(images.dtype)[:, None, None, None]
        return out


@dataclass(frozen=True)
class Compose(Augmentation):
    """Several augmentations, one after the other.

    augmentations:  tuple of augmentations, first one first
    draws:          theirs side by side
    """

    augmentations: tuple = ()
    low: ClassVar[float] = -1.0  # the least of any; each checks its own

    def __post_init__(self):
        object.__setattr__(self, "augmentations", tuple(self.augmentations))  # a list could be changed

    @property
    def columns(self):
        """Random numbers for each image, in all."""
        return sum(augmentation.columns for augmentation in self.augmentations)

    def draw(self, rng, n):
        """Return the draws of all augmentations side by side, (n, columns)."""
        return np.concatenate([np.empty((n, 0)), *(each.draw(rng, n) for each in self.augmentations)], axis=1)

    def apply(self, images, draws):
        """Return the images after every augmentation, each with its own columns of the draws."""
        _check_images(images, draws, self)
        out, first = images.copy(order="K"), 0
        for augmentation in self.augmentations:
            out = augmentation.apply(out, draws[:, first:first + augmentation.columns])
            first += augmentation.columns
        return out


def warp_numpy(images, maps, margin):
    """Resample images bilinearly at mapped points: the definition of the warp.

    images:  (N, C, H, W) float32 or float64
    maps:    (N, 2, 3) of the same dtype: the point (sy, sx) in an image for the pixel (y, x, 1) of the result
    margin:  1: beyond the border the images go on as zeros; 0: as their edge pixels
    Returns an array like images. Raises ValueError for maps beyond LARGEST_MAP, or of another shape.
    """
    _check_maps(images, maps)
    N, C, H, W = images.shape
    padded = np.pad(images, ((0, 0), (0, 0), (1, 2), (1, 2)))
    y, x = np.indices((H, W), dtype=images.dtype)
    m = maps[:, None, :, :, None, None]
    sy = np.clip(m[:, :, 0, 0] * y + m[:, :, 0, 1] * x + m[:, :, 0, 2], -margin, H - 1 + margin)
    sx = np.clip(m[:, :, 1, 0] * y + m[:, :, 1, 1] * x + m[:, :, 1, 2], -margin, W - 1 + margin)
    top, left = np.floor(sy).astype(int), np.floor(sx).astype(int)
    fy, fx = sy - top.astype(images.dtype), sx - left.astype(images.dtype)
    n, c = np.arange(N)[:, None, None, None], np.arange(C)[:, None, None]
    a, b = padded[n, c, top + 1, left + 1], padded[n, c, top + 1, left + 2]
    d, e = padded[n, c, top + 2, left + 1], padded[n, c, top + 2, left + 2]
    upper, lower = a + fx * (b - a), d + fx * (e - d)
    out = np.empty_like(images)
    out[...] = upper + fy * (lower - upper)
    return out


def warp_fast(images, maps, margin):
    """Do the same as warp_numpy with the Numba kernel: arguments and result are the same."""
    from ..kernels.warp import warp  # here, because Numba is heavy and optional for everything else

    _check_maps(images, maps)
    H, W = images.shape[2:]
    out = np.empty_like(images)
    warp(images, maps, margin, np.zeros((H + 3, W + 3), images.dtype), out)
    return out


def _check_maps(images, maps):
    """Raise ValueError unless there is a map for each image whose points are finite in float32."""
    expected = (len(images), 2, 3)
    if maps.shape != expected or maps.dtype != images.dtype or not (abs(maps) <= LARGEST_MAP).all():
        raise ValueError(f"maps: got {maps.dtype} {maps.shape}, expected {images.dtype} {expected}, of numbers from "
                         f"{-LARGEST_MAP:g} to {LARGEST_MAP:g}")


def _check_images(images, draws, augmentation):
    """Raise ValueError unless the images are a batch of floats with one row of draws each."""
    name, shape = type(augmentation).__name__, np.shape(images)
    if len(shape) != 4 or images.dtype not in (np.float32, np.float64):
        kind = getattr(images, "dtype", type(images).__name__)
        raise ValueError(f"{name}: images are {shape} of {kind}, expected (N, C, H, W) of float32 or "
                         "float64; normalise them first")
    expected = (shape[0], augmentation.columns)
    draws = np.asarray(draws)
    if draws.shape != expected or not ((augmentation.low <= draws) & (draws <= 1)).all():
        raise ValueError(f"{name}: draws have shape {draws.shape}, expected {expected}, one row an "
                         f"image, all finite from {augmentation.low:g} to 1; use draw(rng, len(images))")


def _check_range(name, value, low, high):
    """Raise ValueError unless low <= value <= high and the value is finite."""
    if not (low <= value <= high and math.isfinite(value)):
        raise ValueError(f"{name} is {value!r}, expected a number from {low} to {high}")


def _check_choice(name, value, choices):
    """Raise ValueError unless the value is one of the choices."""
    if value not in choices:
        raise ValueError(f"{name} is {value!r}, expected one of {', '.join(choices)}")
