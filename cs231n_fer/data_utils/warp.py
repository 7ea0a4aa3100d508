"""Resampling of images at mapped points: the definition of the warp, and checks of arguments."""
import numpy as np
from numpy.typing import ArrayLike

from ..shapes import check, plain_array
from ..types import Array

__all__ = ["LARGEST_MAP", "plain_images", "plain_maps", "warp_numpy"]

LARGEST_MAP = 1e12  # numbers in a map: their products with pixel numbers must be finite in float32


def warp_numpy(images: ArrayLike, maps: ArrayLike, margin: int) -> Array:
    """Resample images bilinearly at mapped points: the definition of the warp.

    images:  (N, C, H, W) float32 or float64
    maps:    (N, 2, 3) of the same dtype: the point (sy, sx) in an image for the pixel (y, x, 1) of
             the result
    margin:  1: images are continued by zeros beyond their border; 0: by their edge pixels

    Returns an array like images. Raises ValueError for maps beyond LARGEST_MAP or of another shape.
    """
    images, maps = plain_maps(images, maps, margin)
    N, C, H, W = images.shape
    padded = np.pad(images, ((0, 0), (0, 0), (1, 2), (1, 2)))
    y, x = np.indices((H, W), dtype=images.dtype)
    m = maps[:, None, :, :, None, None]
    sy = np.clip(m[:, :, 0, 0] * y + m[:, :, 0, 1] * x + m[:, :, 0, 2], -margin, H - 1 + margin)
    sx = np.clip(m[:, :, 1, 0] * y + m[:, :, 1, 1] * x + m[:, :, 1, 2], -margin, W - 1 + margin)
    top = np.floor(sy).astype(int)
    left = np.floor(sx).astype(int)
    fy = sy - top.astype(images.dtype)
    fx = sx - left.astype(images.dtype)
    n = np.arange(N)[:, None, None, None]
    c = np.arange(C)[:, None, None]
    a = padded[n, c, top + 1, left + 1]
    b = padded[n, c, top + 1, left + 2]
    d = padded[n, c, top + 2, left + 1]
    e = padded[n, c, top + 2, left + 2]
    upper = a + fx * (b - a)
    lower = d + fx * (e - d)
    out = np.empty_like(images)
    out[...] = upper + fy * (lower - upper)
    return out


def plain_images(images: ArrayLike, place: str) -> Array:
    """Return images as a plain array; ValueError unless they are a batch of floats."""
    x = plain_array(images, "images")
    floats = x.dtype.kind == "f" and x.dtype.itemsize in (4, 8)
    if x.ndim != 4 or not floats or 0 in x.shape[1:]:
        raise ValueError(f"{place}: images are {x.shape} of {x.dtype}, expected (N, C, H, W) of "
                         "float32 or float64, with at least one pixel; normalize them first")
    return x.astype(x.dtype.newbyteorder("="), copy=False)


def plain_maps(images: ArrayLike, maps: ArrayLike, margin: int) -> tuple[Array, Array]:
    """Return images and maps as plain arrays; ValueError unless all points are finite."""
    x = plain_images(images, "warp")
    m = plain_array(maps, "maps")
    expected = (len(x), 2, 3)
    fits = m.shape == expected and m.dtype.newbyteorder("=") == x.dtype
    if not fits or not (abs(m) <= LARGEST_MAP).all():
        raise ValueError(f"maps: got {m.dtype} {m.shape}, expected {x.dtype} {expected}, "
                         f"of numbers from {-LARGEST_MAP:g} to {LARGEST_MAP:g}")
    check(margin in (0, 1), f"margin: got {margin!r}, expected 0 or 1")
    return x, m.astype(x.dtype, copy=False)
