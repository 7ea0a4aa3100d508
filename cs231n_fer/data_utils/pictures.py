"""The one way from a picture file to an array: uint8 gray levels (H, W) or RGB (H, W, 3), upright.

File formats: PNG, JPEG, GIF, BMP, TIFF and WebP, by their content; of an animation or of several
pages, the first picture. It is turned and mirrored as its EXIF orientation (1 to 8) says. Color
profiles and gamma are ignored.

Color becomes gray by ITU-R 601 luma, with Pillow's rounding: (19595 R + 38470 G + 7471 B) / 65536.
Palettes, CMYK, YCbCr, LAB and HSV become RGB first. Transparent pixels are mixed with a WHITE
background, so that a color that nobody can see changes nothing.

Levels of other depths become 0 to 255 by the range of their type:

    1 bit                     0 and 1 become 0 and 255
    12 and 16 bits            the upper eight bits, of gray and of color alike
    floats (TIFF)             0 to 1 is assumed; a value outside is an error
    32-bit and signed integers (TIFF)    an error, because the file does not say their range
"""
import contextlib
import io
import os
import pathlib
import warnings
from collections.abc import Iterator
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError
from PIL.TiffImagePlugin import TiffImageFile

from ..shapes import check, plain_array, whole_number
from ..types import Pixels
from .fer2013 import readable
from .pixels import luma, on_white, resized, rgb_of_gray, square_in_the_middle
from .png_chunks import check_png
from .sources import Source

__all__ = ["FORMATS", "center_square", "gray_pixels", "read_picture", "read_rgb", "rgb_pixels"]

FORMATS = ("PNG", "JPEG", "GIF", "BMP", "TIFF", "WEBP")  # no other decoder of Pillow is ever run
LARGEST = 1 << 28  # bytes of a file
WITH_OPACITY = ("LA", "La", "P", "PA", "RGBA", "RGBa")
ORIENTATION = 0x0112  # EXIF's tag
TIFF_BITS = 258
TIFF_PHOTOMETRIC = 262
WHITE_IS_ZERO = 0  # Pillow heeds it for 8 bits, not for more


def read_picture(file: Source | IO[bytes], side: int | None = None) -> Pixels:
    """Return the picture in a file as uint8 (H, W), gray and upright.

    file    path, or a binary stream at the start of the picture
    side    the height and the width that the picture must have, or None for any; another size is
            refused before the pixels are unpacked

    Raises ValueError, which begins with the path if one was given, for whatever is not a whole
    picture of a known format and range.
    """
    return _gray(_read(file, side))


def read_rgb(file: Source | IO[bytes]) -> Pixels:
    """Return the picture in a file as RGB, uint8 (H, W, 3), upright; see read_picture.

    The picture that read_picture returns is the luma of this one.
    """
    return _rgb(_read(file, None))


def _read(file: Source | IO[bytes], side: int | None) -> Pixels:
    """Return the pixels of read_picture, gray (H, W) or RGB (H, W, 3) as the file has them."""
    if not isinstance(file, str | os.PathLike):
        return _decoded(file.read(LARGEST + 1), side)
    try:
        return _decoded(_content(pathlib.Path(file)), side)
    except ValueError as error:
        raise ValueError(f"{readable(file)}: {error}") from error


def center_square(gray: Pixels, side: int) -> Pixels:
    """Return the central square of gray levels (H, W), uint8, resized to (side, side).

    The one way to the size that a net takes, because its answer depends on the filter (Lanczos). A
    picture that has this size already stays as it is.
    Raises ValueError for another array.
    """
    gray = plain_array(gray, "gray")
    check(gray.dtype == np.uint8 and gray.ndim == 2 and gray.size > 0,
          f"gray: got {gray.dtype} {gray.shape}, expected uint8 (H, W) with a pixel at least")
    side = whole_number(side, "side", 1)
    return resized(square_in_the_middle(gray), side, side)


def gray_pixels(image: Image.Image, depth: int = 8) -> Pixels:
    """Return uint8 (H, W) of a picture in any mode of Pillow, mixed with white where transparent.

    depth    bits in each color of its file, in whose units a transparent color is given

    Raises ValueError for numbers of an unknown range.
    """
    return _gray(_pixels(image, depth))


def rgb_pixels(image: Image.Image) -> Pixels:
    """Return RGB, uint8 (H, W, 3), of a picture of 8 bits in any mode of Pillow; see gray_pixels.
    """
    return _rgb(_pixels(image, 8))


def _gray(pixels: Pixels) -> Pixels:
    """Return gray levels (H, W) of pixels (H, W) or (H, W, 3)."""
    return pixels if pixels.ndim == 2 else luma(pixels)


def _rgb(pixels: Pixels) -> Pixels:
    """Return RGB (H, W, 3) of pixels (H, W) or (H, W, 3)."""
    return pixels if pixels.ndim == 3 else rgb_of_gray(pixels)


def _pixels(image: Image.Image, depth: int) -> Pixels:
    """Return gray (H, W) or RGB (H, W, 3) of a picture, as gray_pixels explains."""
    key = image.info.get("transparency")
    if image.mode in WITH_OPACITY:
        with _named_as_unreadable():
            straight = image.convert("LA") if image.mode == "La" else image
            colors = np.asarray(straight.convert("RGBA"))
        return on_white(colors[:, :, :3], colors[:, :, 3:])
    if len(image.getbands()) > 1:
        with _named_as_unreadable():
            colors = np.asarray(image.convert("RGB"))
        if key is None:
            return colors
        check(depth == 8, f"has a transparent color of {depth} bits, expected 8: save it in 8 bits")
        return on_white(colors, 255 * (colors != key).any(axis=2, keepdims=True))
    values = np.asarray(image)
    gray = _levels(image, values)
    if key is None:
        return gray
    if image.mode == "L" and depth < 8:
        key = key * 255 // (2**depth - 1)
    return on_white(gray, 255 * ((gray if image.mode == "1" else values) != key))


def _content(path: pathlib.Path) -> bytes:
    """Return the bytes of a file."""
    with _named_as_unreadable():
        check(path.is_file(), "there is no such file")  # a pipe or a device may never end
        with open(path, "rb") as stream:
            return stream.read(LARGEST + 1)


@contextlib.contextmanager
def _named_as_unreadable() -> Iterator[None]:
    """Turn any exception into a ValueError of one line.

    Pillow's decoders raise nearly every kind for damaged pixels and metadata.
    """
    try:
        yield
    except Exception as error:
        cause = " ".join(str(error).split()) or type(error).__name__
        if isinstance(error, UnidentifiedImageError):  # it names an address in memory
            cause = "of no such format, or with a damaged head"
        cause = cause if len(cause) <= 200 else cause[:200] + "..."
        raise ValueError(f"not a readable picture ({cause}): give a whole PNG, JPEG, GIF, BMP, "
                         "TIFF or WebP file") from error


def _decoded(content: bytes, side: int | None) -> Pixels:
    """Return the pixels of a file; its head is checked before anything is unpacked."""
    check(len(content) <= LARGEST, f"has more than {LARGEST:,} bytes: save it smaller")
    with warnings.catch_warnings(record=True) as faults:
        warnings.simplefilter("error")  # Pillow warns of damage that it would ignore
        warnings.filterwarnings("always", module=r"PIL\.TiffImagePlugin")  # which reads EXIF too
        warnings.filterwarnings("ignore", "Image appears to be a malformed MPO")  # of the 2nd only
        depth = _check_head(content, side)
        with _named_as_unreadable():
            image = Image.open(io.BytesIO(content), formats=FORMATS)
        orientation = _load(image, faults)
        if image.mode == "P":
            _check_colors(image)
        return _turned(_pixels(image, depth), orientation)


def _check_head(content: bytes, side: int | None) -> int:
    """Return the bits in each color, 8 except for PNG; ValueError for a damaged head or PNG."""
    with _named_as_unreadable():
        image = Image.open(io.BytesIO(content), formats=FORMATS)
    check(side is None or image.size == (side, side),
          f"is {image.size[0]}x{image.size[1]} pixels, expected {side}x{side}")
    if image.format != "PNG":
        return 8
    with _named_as_unreadable():
        image.verify()  # the checksums, which reading the pixels skips
        return check_png(content)


def _load(image: Image.Image, faults: list[warnings.WarningMessage]) -> int:
    """Unpack the pixels, and return the EXIF orientation that they have then.

    faults    what Pillow warns of in the tags of TIFF and of EXIF

    Other EXIF tags are never decoded, and their faults do no harm.
    """
    is_tiff = isinstance(image, TiffImageFile)
    stored: Any = None
    with _named_as_unreadable():
        if isinstance(image, TiffImageFile):
            stored = image.tag_v2.get(ORIENTATION, 1)
        image.load()
        if not is_tiff:  # after loading, because EXIF may follow the pixels
            stored = image.getexif().get(ORIENTATION)
        if faults and (is_tiff or stored is None):
            raise ValueError(str(faults[0].message))
    stored = 1 if stored is None else stored
    check(stored in range(9), f"has the EXIF orientation {repr(stored)[:40]}, expected 1 to 8: "
                              "save it upright, without EXIF")
    return 1 if is_tiff else int(stored)  # Pillow has turned a TIFF


def _check_colors(image: Image.Image) -> None:
    """Raise ValueError for pixels beyond the palette, which Pillow draws in a color of its own."""
    with _named_as_unreadable():
        colors = len(image.getpalette() or ()) // 3
        largest = int(np.max(np.asarray(image)))
    check(largest < colors, f"has pixels of color {largest}, but a palette of {colors} colors")


def _levels(image: Image.Image, values: NDArray[Any]) -> Pixels:
    """Return the levels 0 to 255 of a picture of one channel."""
    gray: Pixels
    if image.mode == "1":
        gray = values * np.uint8(255)
        return gray
    if image.mode == "L":
        return values
    tags = image.tag_v2 if isinstance(image, TiffImageFile) else {}
    if image.mode == "F":
        check(bool(((values >= 0) & (values <= 1)).all()),
              "has floats outside 0 to 1, whose range is not known: save it in 8 or 16 bits")
        gray = np.rint(values * 255).astype(np.uint8)
    else:
        # Before Pillow 11, "I" is also the mode of PNG files of 16 bits.
        check(image.mode.startswith("I;16") or image.format == "PNG",
              f"has integers of mode {image.mode}, whose range is not known: "
              "save it in 8 or 16 bits")
        bits = tags.get(TIFF_BITS, (16,))[0]
        gray = (values >> (bits - 8)).astype(np.uint8)
    return 255 - gray if tags.get(TIFF_PHOTOMETRIC) == WHITE_IS_ZERO else gray


def _turned(pixels: Pixels, orientation: int) -> Pixels:
    """Return a picture upright, whose file has an EXIF orientation of 0 (unknown) to 8."""
    if orientation in (5, 6, 7, 8):
        pixels = pixels.swapaxes(0, 1)
    if orientation in (2, 3, 6, 7):
        pixels = pixels[:, ::-1]
    if orientation in (3, 4, 7, 8):
        pixels = pixels[::-1]
    return np.ascontiguousarray(pixels)
