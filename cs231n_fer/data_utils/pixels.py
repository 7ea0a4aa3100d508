"""Pictures in arrays of any kind: as bytes, as RGB, as gray levels, and as faces for a net.

    bytes_of     numbers of any type and scale as uint8
    rgb_of       a picture, gray or in color, with or without an alpha channel, as RGB
    luma         gray levels of RGB
    resized      a gray picture at another size
    faces_of     one or more pictures of faces as gray pictures of the size that a net takes
"""
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from PIL import Image

from ..shapes import check, plain_array
from ..types import Pixels

__all__ = ["bytes_of", "faces_of", "luma", "on_white", "resized", "rgb_of", "rgb_of_gray"]

WHITE = 255
LUMA = (19595, 38470, 7471)  # weights of red, green and blue in units of 2 ** -16 (ITU-R 601)


def rgb_of(image: ArrayLike) -> Pixels:
    """Return RGB, uint8 (H, W, 3), of a picture (H, W), (H, W, 1), (H, W, 3) or (H, W, 4).

    image    numbers as bytes_of takes them; the fourth channel is alpha, blended with white
    Raises ValueError for other arrays.
    """
    pixels = bytes_of(image, "image")
    shaped = pixels.ndim == 2 or pixels.ndim == 3 and pixels.shape[2] in (1, 3, 4)
    check(shaped and pixels.size > 0,
          f"image: got shape {pixels.shape}, expected (H, W), (H, W, 1), (H, W, 3) or (H, W, 4)")
    if pixels.ndim == 2:
        return rgb_of_gray(pixels)
    if pixels.shape[2] == 1:
        return rgb_of_gray(pixels[:, :, 0])
    if pixels.shape[2] == 3:
        return pixels
    return on_white(pixels[:, :, :3], pixels[:, :, 3:])


def on_white(pixels: Pixels, opacity: NDArray[Any]) -> Pixels:
    """Return uint8 pixels over a white background; opacity is 0 to 255 and broadcasts to them."""
    share = opacity.astype(np.uint16)
    mixed = pixels * share + WHITE * (255 - share)
    return ((mixed + 127) // 255).astype(np.uint8)


def rgb_of_gray(gray: Pixels) -> Pixels:
    """Return RGB (H, W, 3) of gray levels (H, W)."""
    return np.repeat(gray[:, :, None], 3, axis=2)


def bytes_of(numbers: ArrayLike, name: str) -> Pixels:
    """Return pixels as uint8 from 0 to 255, rounded; a uint8 array is returned unchanged.

    numbers    real numbers of any shape. Floats are taken as 0 to 1 if none is above 1, otherwise
               as 0 to 255. Integers are taken as 0 to 255, or, if one is above 255, as 0 to 65,535,
               whose upper eight bits are kept
    name       what error messages call them
    Raises ValueError for numbers out of range, for NaN, and for other arrays.
    """
    pixels: NDArray[Any] = plain_array(numbers, name)
    if pixels.dtype == np.uint8:
        return pixels
    check(pixels.dtype.kind in "iuf" and pixels.size > 0,
          f"{name}: got {pixels.dtype} {pixels.shape}, expected real numbers from 0 to 255")
    low = float(pixels.min())
    high = float(pixels.max())
    most = 65535 if pixels.dtype.kind in "iu" else 255
    check(0 <= low and high <= most,  # false for NaN
          f"{name}: numbers reach from {low:g} to {high:g}, expected 0 to 1 or 0 to 255 for "
          "floats, 0 to 255 or 0 to 65535 for integers; undo a normalization first")
    if pixels.dtype.kind != "f":
        return (pixels if high <= 255 else pixels >> 8).astype(np.uint8)
    return np.rint(pixels * np.float64(255 if high <= 1 else 1)).astype(np.uint8)


def luma(rgb: Pixels) -> Pixels:
    """Return the gray levels (..., H, W) of RGB pixels (..., H, W, 3), rounded as Pillow does."""
    total = np.full(rgb.shape[:-1], 1 << 15, np.uint32)
    for channel, weight in enumerate(LUMA):
        total += rgb[..., channel].astype(np.uint32) * np.uint32(weight)
    return (total >> 16).astype(np.uint8)


def center_square(gray: Pixels) -> Pixels:
    """Return the largest centered square of a gray picture (H, W)."""
    height, width = gray.shape
    side = min(height, width)
    top = (height - side) // 2
    left = (width - side) // 2
    return gray[top:top + side, left:left + side]


def resized(gray: Pixels, height: int, width: int) -> Pixels:
    """Return a gray picture, uint8 (H, W), with another height and width.

    The filter is Lanczos, which averages when it reduces. Every face is resized here before
    a net sees it, because the net's answer depends on the filter.
    """
    if gray.shape == (height, width):
        return gray
    image = Image.fromarray(np.ascontiguousarray(gray))
    return np.asarray(image.resize((width, height), Image.Resampling.LANCZOS))


def faces_of(images: ArrayLike, height: int, width: int) -> Pixels:
    """Return pictures that each show one face as gray pixels, uint8 (N, height, width).

    images    (N, H, W), (N, 1, H, W) or (N, H, W, 3) with numbers as bytes_of takes them, one
              picture (H, W) or (H, W, 3), or a list of pictures, whose sizes may differ
    A picture of another size is cropped to its center square and resized. Raises ValueError for
    other arrays, and for an empty list or array.
    """
    try:
        pixels: NDArray[Any] = plain_array(images, "images")
    except ValueError:
        if not isinstance(images, list | tuple):
            raise
        return np.concatenate([faces_of(image, height, width) for image in images])
    pixels = bytes_of(pixels, "images")
    gray = _gray_of(pixels)
    if gray is None or not gray.size:
        raise ValueError(f"images: got {pixels.dtype} {pixels.shape}, expected pictures of faces "
                         f"(N, {height}, {width}), (N, 1, {height}, {width}) or "
                         f"(N, {height}, {width}, 3), N >= 1, or one of them")
    if gray.shape[1:] == (height, width):
        return gray
    squares = gray if height != width else [center_square(picture) for picture in gray]
    return np.array([resized(picture, height, width) for picture in squares])


def _gray_of(pixels: Pixels) -> Pixels | None:
    """Return gray pictures (N, H, W) of an array of one or more pictures, None for other shapes."""
    if pixels.ndim == 4 and pixels.shape[1] == 1:
        return pixels[:, 0]
    if pixels.ndim in (3, 4) and pixels.shape[-1] in (3, 4):
        pictures = pixels[None] if pixels.ndim == 3 else pixels
        return np.array([luma(rgb_of(picture)) for picture in pictures])
    if pixels.ndim == 2:
        return pixels[None]
    return pixels if pixels.ndim == 3 else None
