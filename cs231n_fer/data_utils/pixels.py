"""Pictures of any kind as RGB, their gray values, and faces of the size that a net takes.

    read_rgb     a file: any mode and depth, upright, transparency on white
    rgb_of       an array: gray or color, bytes, 16 bits, or floats
    luma         gray values of RGB, by the weights of ITU-R 601, as Pillow computes them
    resized      a gray picture of another size
    faces_of     one or more pictures of faces as gray squares
"""
import warnings
from os import PathLike
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from PIL import Image, ImageOps, UnidentifiedImageError

from ..shapes import check, plain_array
from ..types import Pixels

__all__ = ["bytes_of", "faces_of", "luma", "read_rgb", "resized", "rgb_of", "square_in_the_middle"]

WEIGHTS = np.array([19595, 38470, 7471], np.uint32)  # of red, green and blue, in units of 2 ** -16


def read_rgb(path: str | PathLike[str]) -> Pixels:
    """Return the picture in a file as RGB, uint8 (H, W, 3), upright as its EXIF data says.

    Transparent pixels are laid on white, 16 bits are reduced to 8, and of an animation the first
    frame is taken. Raises FileNotFoundError if there is no file, ValueError if it is no picture.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # what Pillow only warns of, it can read
            with Image.open(path) as image:
                image.load()
                return _rgb_of_image(ImageOps.exif_transpose(image))
    except FileNotFoundError:
        raise
    except UnidentifiedImageError as error:
        raise ValueError(f"{path}: is no picture that Pillow knows; save it as PNG or JPEG"
                         ) from error
    except Exception as error:  # damaged pictures make Pillow raise anything
        raise ValueError(f"{path}: cannot be read ({error}); save it again as PNG or JPEG"
                         ) from error


def _rgb_of_image(image: Image.Image) -> Pixels:
    """Return uint8 (H, W, 3) of an image of any mode."""
    if image.mode.startswith("I") or image.mode == "F":  # more than 8 bits, gray
        return rgb_of(np.asarray(image))
    if image.has_transparency_data:
        image = image.convert("RGBA")
        white = Image.new("RGBA", image.size, "white")
        image = Image.alpha_composite(white, image)
    return np.asarray(image.convert("RGB"))


def rgb_of(image: ArrayLike | Image.Image) -> Pixels:
    """Return RGB, uint8 (H, W, 3), of a picture (H, W), (H, W, 1), (H, W, 3) or (H, W, 4).

    image    numbers as bytes_of takes them, where the fourth channel is opacity, on white; or an
             image of Pillow in any mode
    Raises ValueError for other arrays.
    """
    if isinstance(image, Image.Image):
        return _rgb_of_image(ImageOps.exif_transpose(image))
    pixels = bytes_of(image, "image")
    shaped = pixels.ndim == 2 or pixels.ndim == 3 and pixels.shape[2] in (1, 3, 4)
    check(shaped and pixels.size > 0,
          f"image: got shape {pixels.shape}, expected (H, W), (H, W, 1), (H, W, 3) or (H, W, 4)")
    if pixels.ndim == 2:
        pixels = pixels[..., None]
    if pixels.shape[2] == 4:
        return _rgb_of_image(Image.fromarray(pixels))
    return np.ascontiguousarray(np.broadcast_to(pixels, (*pixels.shape[:2], 3)))


def bytes_of(numbers: ArrayLike, name: str) -> Pixels:
    """Return pixels as uint8 from 0 to 255, rounded; a uint8 array is returned as it is.

    numbers    real numbers, of any shape. Floats of at most 1 are on the scale from 0 to 1, other
               floats on that from 0 to 255. Integers are on that from 0 to 255, or from 0 to 65,535
               if they have 16 bits or more and one of them is above 255
    name       what error messages call them
    Raises ValueError for numbers out of range, NaN, and for other arrays.
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
    if pixels.dtype.kind == "f":
        scale = 255.0 if high <= 1 else 1.0
    else:
        scale = 1.0 if high <= 255 else 1 / 257
    return np.rint(pixels * np.float64(scale)).astype(np.uint8)


def luma(rgb: Pixels) -> Pixels:
    """Return the gray values (..., H, W) of RGB pixels (..., H, W, 3), as Pillow computes them."""
    total: NDArray[np.uint32] = rgb.astype(np.uint32) @ WEIGHTS
    return ((total + 0x8000) >> 16).astype(np.uint8)


def square_in_the_middle(gray: Pixels) -> Pixels:
    """Return the largest square in the middle of a gray picture (H, W)."""
    height, width = gray.shape
    side = min(height, width)
    top = (height - side) // 2
    left = (width - side) // 2
    return gray[top:top + side, left:left + side]


def resized(gray: Pixels, height: int, width: int) -> Pixels:
    """Return a gray picture, uint8 (H, W), with another height and width.

    Lanczos's filter is used, which averages over the pixels that fall together.
    """
    if gray.shape == (height, width):
        return gray
    image = Image.fromarray(np.ascontiguousarray(gray))
    return np.asarray(image.resize((width, height), Image.Resampling.LANCZOS))


def faces_of(images: ArrayLike, height: int, width: int) -> Pixels:
    """Return pictures that each show one face as gray pixels, uint8 (N, height, width).

    images    (N, H, W), (N, 1, H, W) or (N, H, W, 3) with numbers as bytes_of takes them, one
              picture (H, W) or (H, W, 3), or a list of pictures, whose sizes may differ
    Of pictures of another size, the square in the middle is enlarged or reduced. Raises ValueError
    for other arrays, and for none.
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
    squares = gray if height != width else [square_in_the_middle(picture) for picture in gray]
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
