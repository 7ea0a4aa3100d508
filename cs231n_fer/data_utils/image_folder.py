"""Read faces from picture files in folders `<split>/<emotion>/*.png|jpg`.

Splits: train or Training -> Training; validation, val, valid or PublicTest -> PublicTest;
PrivateTest stays; test -> PrivateTest where there is a validation folder too, else PublicTest.
Emotions: the seven names (anger or angry, ...), in any case, or their digits 0 to 6.
Color is turned to gray by Pillow's ITU-R 601 luma. A picture is a bad row if it has another format
than PNG and JPEG, another size than 48x48, transparency, more than 8 bits, an orientation other
than upright, or is an animation: convert it yourself, so that you see what the net will see.
"""
import io
import struct
import warnings
import zlib

import numpy as np
from PIL import Image, UnidentifiedImageError

from ..types import Pixels
from .fer2013 import EMOTIONS, SIDE, Advance, BadRows, Faces, shorten
from .sources import PICTURES, Member

__all__ = ["is_picture", "read_pictures"]

VALIDATION = ("val", "valid", "validation")
SPLITS = ({"train": 0, "training": 0, "publictest": 1, "privatetest": 2}
          | dict.fromkeys(VALIDATION, 1))
ALIASES = {"angry": 0, "disgusted": 1, "fearful": 2, "happiness": 3, "sadness": 4, "surprised": 5}
EMOTION_CODES = (ALIASES | {name.lower(): code for code, name in enumerate(EMOTIONS)}
                 | {str(code): code for code in range(len(EMOTIONS))})
GRAY_MODES = ("1", "L", "P", "RGB")
ORIENTATION = 0x0112  # EXIF's tag
# Where the passes of an interlaced PNG begin, and their strides: column, row, columns, rows.
ADAM7 = ((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2),
         (0, 1, 1, 2))
# What Pillow raises for damaged pictures; the ValueErrors of the checks below pass through.
UNREADABLE = (OSError, SyntaxError, EOFError, KeyError, IndexError, TypeError, AttributeError,
              struct.error, zlib.error, OverflowError, Warning, Image.DecompressionBombError)


def is_picture(name: str) -> bool:
    """Whether a file name ends as a picture's does."""
    return name.lower().endswith(PICTURES)


def read_pictures(members: list[Member], bad: BadRows, advance: Advance = lambda count: None
                  ) -> Faces:
    """Read picture Members (see sources) into Faces, in the order of their names.

    bad       BadRows that takes each picture that cannot be used, by its name
    advance   called with 1 after each picture (progress bar)
    """
    members = sorted(members, key=lambda member: member.name)
    folders = {part.lower() for member in members for part in member.name.split("/")[-3:-2]}
    splits = SPLITS | {"test": 2 if folders & set(VALIDATION) else 1}
    pixels = []
    emotion = []
    usage = []
    record = []
    for index, member in enumerate(members):
        try:
            split_code, emotion_code = _codes(member.name, splits)
            gray = _gray(member)
        except ValueError as error:
            bad.add(member.name, str(error))
        else:
            pixels.append(gray)
            usage.append(split_code)
            emotion.append(emotion_code)
            record.append(index)
        advance(1)
    return Faces(np.array(pixels, np.uint8).reshape(-1, SIDE, SIDE), np.array(emotion, np.uint8),
                 np.array(usage, np.uint8), np.array(record, np.int64), len(members))


def _codes(name: str, splits: dict[str, int]) -> tuple[int, int]:
    """Return the split and the emotion that the folders of a file name."""
    split, emotion = ["", "", *name.lower().split("/")[:-1]][-2:]
    if split not in splits:
        raise ValueError(f"lies in the split folder {shorten(split)}, "
                         "expected train, validation, test, ...")
    if emotion not in EMOTION_CODES:
        raise ValueError(f"lies in the emotion folder {shorten(emotion)}, "
                         f"expected {', '.join(EMOTIONS)} or 0 to 6")
    return splits[split], EMOTION_CODES[emotion]


def _gray(member: Member) -> Pixels:
    """Return uint8 (48, 48) of a picture; ValueError says why it cannot be used."""
    try:
        with member.open() as stream:
            content = stream.read()  # open_source has compared its size with LARGEST_PICTURE
        with warnings.catch_warnings():  # Pillow warns of damage that it would ignore
            warnings.simplefilter("error")
            return _decoded(content)
    except UnidentifiedImageError as error:
        raise ValueError("is neither PNG nor JPEG, or its head is damaged: save it as PNG"
                         ) from error
    except UNREADABLE as error:
        raise ValueError(f"is not a complete PNG or JPEG picture ({error})") from error


def _decoded(content: bytes) -> Pixels:
    """Return the gray pixels of a file; its head is checked before anything is unpacked."""
    colors = None
    with Image.open(io.BytesIO(content), formats=("PNG", "JPEG")) as image:
        _check_head(image)
        if image.format == "PNG":
            image.verify()  # the checksums, which reading the pixels skips
            _check_rows(content)
            colors = _palette_size(content)
    with Image.open(io.BytesIO(content), formats=("PNG", "JPEG")) as image:
        orientation = image.getexif().get(ORIENTATION, 1)
        if orientation not in (0, 1):
            raise ValueError(f"is turned by its EXIF orientation {orientation!r}: "
                             "save it upright, without EXIF")
        if colors is not None and np.max(np.asarray(image)) >= colors:
            raise ValueError(f"has pixels of color {np.max(np.asarray(image))}, "
                             f"but a palette of {colors} colors")
        return np.asarray(image.convert("L"))


def _check_head(image: Image.Image) -> None:
    """Raise ValueError unless a file holds one picture of 48 x 48, in 8-bit gray or color."""
    if image.size != (SIDE, SIDE):
        raise ValueError(f"is {image.size[0]}x{image.size[1]} pixels, expected {SIDE}x{SIDE}")
    if image.mode not in GRAY_MODES or "transparency" in image.info:
        raise ValueError(f"has mode {image.mode}, "
                         "expected 8-bit gray or color without transparency")
    pictures = getattr(image, "n_frames", 1)  # only formats with animations have it
    if pictures != 1:
        raise ValueError(f"holds {pictures} pictures, expected one")


def _check_rows(content: bytes) -> None:
    """Raise ValueError for a PNG with more than 8 bits or missing rows, which Pillow ignores.

    Pillow drops some of the bits, and leaves the rows black.
    """
    depth = content[24]
    color_type = content[25]
    interlaced = content[28]
    if content[12:16] != b"IHDR" or depth > 8:
        raise ValueError(f"has {depth} bits in each color, expected 8 at most, "
                         "and a head that says so")
    bits = depth * (3 if color_type == 2 else 1)
    need = 0
    for column, row, columns, rows in ADAM7 if interlaced else ((0, 0, 1, 1),):
        width = -(-(SIDE - column) // columns)
        height = -(-(SIDE - row) // rows)
        need += height * (1 + -(-width * bits // 8))
    packed = b"".join(data for kind, data in _chunks(content) if kind == b"IDAT")
    came = len(zlib.decompressobj().decompress(packed, need))
    if came < need:
        raise ValueError(f"has {came:,} bytes of pixels, expected {need:,}: rows are missing")


def _palette_size(content: bytes) -> int | None:
    """Return the number of colors of a PNG's palette, None where it needs none.

    Raises ValueError for a missing palette, and for one behind the pixels.
    """
    palette = b""
    for kind, data in _chunks(content):
        if kind == b"IDAT":
            break
        palette = data if kind == b"PLTE" else palette
    if content[25] != 3:
        return None
    if not palette or len(palette) % 3:
        raise ValueError(f"has a palette of {len(palette)} bytes, expected three for each color")
    return len(palette) // 3


def _chunks(content: bytes) -> list[tuple[bytes, bytes]]:
    """Return (kind, data) of the chunks of a PNG before its end."""
    chunks = []
    start = 8
    while start < len(content) and (kind := content[start + 4:start + 8]) != b"IEND":
        end = start + 8 + int.from_bytes(content[start:start + 4], "big")
        chunks.append((kind, content[start + 8:end]))
        start = end + 4
    return chunks
