"""Augmentations: random changes of training images that preserve their labels.

An augmentation is a frozen record of hyper-parameters that separates chance from change:

    draw(rng, n)            -> (n, columns) float64, the random numbers for n images: all of them
    apply(images, draws)    -> new images of the same shape, dtype and layout, a pure function
    augmentation(images, rng) = apply(images, draw(rng, len(images)))

Draws are made once an epoch for all samples and picked by sample, so that what happens to an image
depends only on (seed, epoch, sample). Images are (N, C, H, W), float32 or float64, and already
normalized: zero is the mean image, one is one standard deviation. Lists are taken as arrays, and
subclasses as plain arrays. Wrong shapes, masked arrays and numbers out of range raise ValueError.
"""
import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .. import types
from ..shapes import real_numbers
from ..types import Array, Draws
from .warp import plain_images, plain_maps, warp_numpy

__all__ = ["Augmentation", "BrightnessContrast", "Compose", "HorizontalFlip", "RandomErasing",
           "RandomSimilarity", "warp_fast", "warp_numpy"]


class Augmentation:
    """Base of all augmentations: `columns` random numbers for each image, uniform in [low, 1)."""

    columns: int = 0
    low: float = 0.0

    def draw(self, rng: np.random.Generator, n: int) -> Draws:
        """Return random numbers for n images, (n, columns) float64."""
        return rng.uniform(self.low, 1.0, size=(n, self.columns))

    def apply(self, images: ArrayLike, draws: ArrayLike) -> Array:
        """Return new images, changed according to their rows of draws."""
        raise NotImplementedError

    def __call__(self, images: ArrayLike, rng: np.random.Generator) -> Array:
        """Return the images changed by fresh random numbers."""
        plain = plain_images(images, type(self).__name__)
        return self.apply(plain, self.draw(rng, len(plain)))


@dataclass(frozen=True)
class HorizontalFlip(Augmentation):
    """Mirror left and right with probability `p`; with the same draws it is its own inverse.

    p:      float in [0, 1]
    draws:  (N, 1) in [0, 1): an image is mirrored where its draw is below p
    """

    p: float = 0.5
    columns = 1

    def __post_init__(self) -> None:
        _check_range("HorizontalFlip: p", self.p, 0, 1)

    def apply(self, images: ArrayLike, draws: ArrayLike) -> Array:
        """Return a copy with the chosen images mirrored."""
        x, draws = _plain(images, draws, self)
        from ..kernels.warp import mirror  # here, because Numba is heavy and otherwise optional

        out = np.empty_like(x)
        mirror(x, draws[:, 0] < self.p, out)
        return out


@dataclass(frozen=True)
class RandomSimilarity(Augmentation):
    """Shift, rotate and scale about the center in one bilinear resampling.

    max_shift:      float in [0, 10000], pixels, in each direction
    max_rotation:   float in [0, 360], degrees, either way (a positive draw turns counter-clockwise)
    max_log_scale:  float in [0, 10], natural logarithm: sizes change by a factor from exp(-m) to
                    exp(m)
    outside:        what is seen beyond the border: "zero" (the mean image) or "edge" (the nearest
                    pixel)
    rung:           "fast" (Numba, `kernels.warp`) or "numpy" (`warp_numpy`, the definition)
    draws:          (N, 4) in [-1, 1), times the maxima: shift down, shift right, rotation, log
                    scale; zeros change nothing
    """

    max_shift: float = 2.0
    max_rotation: float = 10.0
    max_log_scale: float = 0.1
    outside: str = "zero"
    rung: str = "fast"
    columns = 4
    low = -1.0

    def __post_init__(self) -> None:
        _check_range("RandomSimilarity: max_shift", self.max_shift, 0, 10_000)
        _check_range("RandomSimilarity: max_rotation", self.max_rotation, 0, 360)
        _check_range("RandomSimilarity: max_log_scale", self.max_log_scale, 0, 10)
        _check_choice("RandomSimilarity: outside", self.outside, ("zero", "edge"))
        _check_choice("RandomSimilarity: rung", self.rung, ("fast", "numpy"))

    def apply(self, images: ArrayLike, draws: ArrayLike) -> Array:
        """Return the images resampled, every one by its own similarity."""
        x, draws = _plain(images, draws, self)
        maps = self.maps(draws, x.shape[2:]).astype(x.dtype)
        margin = 1 if self.outside == "zero" else 0
        return warp_fast(x, maps, margin) if self.rung == "fast" else warp_numpy(x, maps, margin)

    def maps(self, draws: Draws, size: Iterable[int]) -> NDArray[np.float64]:
        """Return (N, 2, 3) maps from a pixel (y, x, 1) of the result to its point in the image.

        The result p shows the image at R(-angle) (p - center - shift) / scale + center. size is
        (H, W).
        """
        shift = draws[:, :2] * self.max_shift
        angle = draws[:, 2] * math.radians(self.max_rotation)
        shrink = np.exp(-draws[:, 3] * self.max_log_scale)
        cos = np.cos(angle) * shrink
        sin = np.sin(angle) * shrink
        linear = np.stack([np.stack([cos, sin], axis=1), np.stack([-sin, cos], axis=1)], axis=1)
        center = np.array([(length - 1) / 2 for length in size])
        offset = center - np.einsum("nij,nj->ni", linear, center + shift)
        return np.concatenate([linear, offset[:, :, None]], axis=2)


@dataclass(frozen=True)
class RandomErasing(Augmentation):
    """Cover a random rectangle with zeros, the mean image, with probability `p`.

    p:                   float in [0, 1]
    min_area, max_area:  floats in [0, 1], the covered share of the image
    max_aspect:          float in [1, 1000]: height / width is from 1 / max_aspect to max_aspect,
                         log-uniform
    draws:               (N, 5) in [0, 1): chance, area, aspect, top, left; a side that is too long
                         is cut to that of the image

    Zhong et al. 2020.
    """

    p: float = 0.5
    min_area: float = 0.02
    max_area: float = 0.2
    max_aspect: float = 3.0
    columns = 5

    def __post_init__(self) -> None:
        _check_range("RandomErasing: p", self.p, 0, 1)
        _check_range("RandomErasing: max_area", self.max_area, 0, 1)
        _check_range("RandomErasing: min_area", self.min_area, 0, self.max_area)
        _check_range("RandomErasing: max_aspect", self.max_aspect, 1, 1000)

    def apply(self, images: ArrayLike, draws: ArrayLike) -> Array:
        """Return a copy with a rectangle erased in the chosen images."""
        x, draws = _plain(images, draws, self)
        H, W = x.shape[2:]
        area = H * W * (self.min_area + (self.max_area - self.min_area) * draws[:, 1])
        aspect = np.exp((2 * draws[:, 2] - 1) * math.log(self.max_aspect))
        height = np.minimum(np.rint(np.sqrt(area * aspect)), H).astype(int)
        width = np.minimum(np.rint(np.sqrt(area / aspect)), W).astype(int)
        top = (draws[:, 3] * (H - height + 1)).astype(int)
        left = (draws[:, 4] * (W - width + 1)).astype(int)
        out = x.copy(order="K")
        for n in np.flatnonzero(draws[:, 0] < self.p):
            out[n, :, top[n]:top[n] + height[n], left[n]:left[n] + width[n]] = 0
        return out


@dataclass(frozen=True)
class BrightnessContrast(Augmentation):
    """Stretch the values of an image about their mean and shift them.

    max_brightness:    float in [0, 1000], the largest shift, in standard deviations of the data
    max_log_contrast:  float in [0, 10], natural logarithm: contrast changes by a factor from
                       exp(-m) to exp(m)
    draws:             (N, 2) in [-1, 1), times the maxima: brightness, log contrast; zeros change
                       nothing
    """

    max_brightness: float = 0.2
    max_log_contrast: float = 0.2
    columns = 2
    low = -1.0

    def __post_init__(self) -> None:
        _check_range("BrightnessContrast: max_brightness", self.max_brightness, 0, 1000)
        _check_range("BrightnessContrast: max_log_contrast", self.max_log_contrast, 0, 10)

    def apply(self, images: ArrayLike, draws: ArrayLike) -> Array:
        """Return contrast images + ((1 - contrast) mean + brightness), exact for zero draws."""
        x, draws = _plain(images, draws, self)
        contrast = np.exp(draws[:, 1] * self.max_log_contrast)
        offset = (1 - contrast) * x.mean(axis=(1, 2, 3)) + draws[:, 0] * self.max_brightness
        out: Array = x * contrast.astype(x.dtype)[:, None, None, None]
        out += offset.astype(x.dtype)[:, None, None, None]
        return out


@dataclass(frozen=True)
class Compose(Augmentation):
    """Several augmentations, one after the other.

    augmentations:  tuple of augmentations in the order of application
    draws:          theirs side by side
    """

    augmentations: tuple[types.Augmentation, ...] = ()
    low = -1.0  # the least of any; every augmentation checks its own

    def __post_init__(self) -> None:
        parts = tuple(self.augmentations)  # a list could be changed
        object.__setattr__(self, "augmentations", parts)
        object.__setattr__(self, "columns", sum(part.columns for part in parts))

    def draw(self, rng: np.random.Generator, n: int) -> Draws:
        """Return the draws of all augmentations side by side, (n, columns)."""
        parts = [part.draw(rng, n) for part in self.augmentations]
        return np.concatenate([np.empty((n, 0)), *parts], axis=1)

    def apply(self, images: ArrayLike, draws: ArrayLike) -> Array:
        """Return the images after every augmentation, each with its own columns of the draws."""
        x, draws = _plain(images, draws, self)
        out = x.copy(order="K")
        first = 0
        for part in self.augmentations:
            out = part.apply(out, draws[:, first:first + part.columns])
            first += part.columns
        return out


def warp_fast(images: ArrayLike, maps: ArrayLike, margin: int) -> Array:
    """Resample as warp_numpy does, by the Numba kernel; the arguments are the same."""
    from ..kernels.warp import warp  # here, because Numba is heavy and otherwise optional

    images, maps = plain_maps(images, maps, margin)
    H, W = images.shape[2:]
    out = np.empty_like(images)
    warp(images, maps, margin, np.zeros((H + 3, W + 3), images.dtype), out)
    return out


def _plain(images: ArrayLike, draws: ArrayLike, augmentation: Augmentation) -> tuple[Array, Draws]:
    """Return images and draws as plain arrays; ValueError unless there is a row for each image."""
    name = type(augmentation).__name__
    x = plain_images(images, name)
    numbers = np.asarray(real_numbers(draws, np.float64, "draws"), np.float64)
    expected = (len(x), augmentation.columns)
    low = augmentation.low
    if numbers.shape != expected or not ((low <= numbers) & (numbers <= 1)).all():
        raise ValueError(f"{name}: draws have shape {numbers.shape}, expected {expected}, one row "
                         f"per image, all finite from {low:g} to 1; use draw(rng, len(images))")
    return x, numbers


def _check_range(name: str, value: Any, low: float, high: float) -> None:
    """Raise ValueError unless value is a finite number with low <= value <= high."""
    number = isinstance(value, (int, float, np.integer, np.floating))
    if not number or not low <= value <= high or not math.isfinite(value):
        raise ValueError(f"{name} is {value!r}, expected a number from {low} to {high}")


def _check_choice(name: str, value: Any, choices: tuple[str, ...]) -> None:
    """Raise ValueError unless value is one of the choices."""
    if not isinstance(value, str) or value not in choices:
        raise ValueError(f"{name} is {value!r}, expected one of {', '.join(choices)}")
