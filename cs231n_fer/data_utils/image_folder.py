"""Read faces from picture files in folders `<split>/<emotion>/*.png|jpg`.

Splits: train or Training -> Training; validation, val, valid or PublicTest -> PublicTest; PrivateTest stays;
test -> PrivateTest where there is a validation folder too, else PublicTest.
Emotions: the seven names (anger or angry, ...), in any case, or their digits 0 to 6.
Colour is turned to grey by Pillow's ITU-R 601 luma. A picture of another format than PNG and JPEG or another size
than 48x48, one with transparency, more than 8 bits or an orientation other than upright, and an animation is a bad
row: convert it yourself, so that you see what the net will see.
"""

import io
import struct
import warnings
import zlib

import numpy as np
from PIL import Image, UnidentifiedImageError

from .fer2013 import EMOTIONS, SIDE, Faces, shorten
from .sources import PICTURES

VALIDATION = ("val", "valid", "validation")
SPLITS = {"train": 0, "training": 0, "publictest": 1, "privatetest": 2} | dict.fromkeys(VALIDATION, 1)
ALIASES = {"angry": 0, "disgusted": 1, "fearful": 2, "happiness": 3, "sadness": 4, "surprised": 5}
EMOTION_CODES = ALIASES | {name.lower(): code for code, name in enumerate(EMOTIONS)} | {
    str(code): code for code in range(len(EMOTIONS))}
GREY_MODES = ("1", "L", "P", "RGB")
ORIENTATION = 0x0112  # EXIF's tag
# Where the passes of an interlaced PNG begin, and their steps: column, row, columns, rows.
ADAM7 = ((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2))
# What Pillow raises for damaged pictures; ValueError that _grey raises itself passes through.
UNREADABLE = (OSError, SyntaxError, EOFError, KeyError, IndexError, TypeError, AttributeError, struct.error, zlib.error,
              OverflowError, Warning, Image.DecompressionBombError)


def is_picture(name):
    """Whether a file name ends as a picture does."""
    return name.lower().endswith(PICTURES)


def read_pictures(members, bad, advance=lambda count: None):
    """Read picture Members (see sources) into Faces, in the order of their names.

    bad      BadRows that takes each picture that cannot be used, by its name
    advance  called with 1 after each picture (progress bar)
    """
    members = sorted(members, key=lambda member: member.name)
    folders = {part.lower() for member in members for part in member.name.split("/")[-3:-2]}
    splits = SPLITS | {"test": 2 if folders & set(VALIDATION) else 1}
    pixels, emotion, usage, record = [], [], [], []
    for index, member in enumerate(members):
        try:
            split_code, emotion_code = _codes(member.name, splits)
            grey = _grey(member)
        except ValueError as error:
            bad.add(member.name, str(error))
        else:
            pixels.append(grey)
            usage.append(split_code)
            emotion.append(emotion_code)
            record.append(index)
        advance(1)
    return Faces(np.array(pixels, np.uint8).reshape(-1, SIDE, SIDE), np.array(emotion, np.uint8),
                 np.array(usage, np.uint8), np.array(record, np.int64), len(members))


def _codes(name, splits):
    split, emotion = ["", "", *name.lower().split("/")[:-1]][-2:]
    if split not in splits:
        raise ValueError(f"lies in the split folder {shorten(split)}, expected train, validation, test, ...")
    if emotion not in EMOTION_CODES:
        raise ValueError(f"lies in the emotion folder {shorten(emotion)}, "
                         f"expected {', '.join(EMOTIONS)} or 0 to 6")
    return splits[split], EMOTION_CODES[emotion]


def _grey(member):
    """uint8 (48, 48) of a picture; size and mode are known from its head, before anything is unpacked."""
    try:
        with member.open() as stream:
            content = stream.read()  # open_source has compared its size with LARGEST_PICTURE
        with warnings.catch_warnings():  # Pillow's: of damage that it would look away from
            warnings.simplefilter("error")
            return _read(content)
    except UnidentifiedImageError as error:
        raise ValueError("is neither PNG nor JPEG, or its head is damaged: save it as PNG") from error
    except UNREADABLE as error:
        raise ValueError(f"is not a complete PNG or JPEG picture ({error})") from error


def _read(content):
    colours = None
    with Image.open(io.BytesIO(content), formats=("PNG", "JPEG")) as image:
        _check_head(image)
        if image.format == "PNG":
            image.verify()  # the checksums, which reading the pixels skips
            colours = _check_png(content)
    with Image.open(io.BytesIO(content), formats=("PNG", "JPEG")) as image:
        orientation = image.getexif().get(ORIENTATION, 1)
        if orientation not in (0, 1):
            raise ValueError(f"is turned by its EXIF orientation {orientation!r}: save it upright, without EXIF")
        if colours is not None and np.max(image) >= colours:
            raise ValueError(f"has pixels of colour {np.max(image)}, but a palette of {colours} colours")
        return np.asarray(image.convert("L"))


def _check_png(content):
    """Return the number of colours of a PNG's palette, None where it needs none.

    Raises ValueError where Pillow would look away: more than 8 bits, of which it drops some, missing
    rows, and a missing palette.
    """
    depth, colour, interlaced = content[24], content[25], content[28]
    if content[12:16] != b"IHDR" or depth > 8:
        raise ValueError(f"has {depth} bits in each colour, expected 8 at most, and a head that says so")
    at, packed, bits = 8, [], depth * (3 if colour == 2 else 1)
    palette = b""
    while at < len(content) and (kind := content[at + 4:at + 8]) != b"IEND":
        end = at + 8 + int.from_bytes(content[at:at + 4], "big")
        packed += [content[at + 8:end]] if kind == b"IDAT" else []
        palette = content[at + 8:end] if kind == b"PLTE" and not packed else palette
        at = end + 4
    need = 0
    for column, row, columns, rows in ADAM7 if interlaced else ((0, 0, 1, 1),):
        width, height = -(-(SIDE - column) // columns), -(-(SIDE - row) // rows)
        need += height * (1 + -(-width * bits // 8))
    came = len(zlib.decompressobj().decompress(b"".join(packed), need))
    if came < need:
        raise ValueError(f"has {came:,} bytes of pixels, expected {need:,}: rows are missing")
    if colour != 3:
        return None
    if not palette or len(palette) % 3:
        raise ValueError(f"has a palette of {len(palette)} bytes, expected three for each colour")
    return len(palette) // 3


def _check_head(image):
    """Raise ValueError unless a picture is a single one of 48 x 48, in 8-bit grey or colour."""
    if image.size != (SIDE, SIDE):
        raise ValueError(f"is {image.size[0]}x{image.size[1]} pixels, expected {SIDE}x{SIDE}")
    if image.mode not in GREY_MODES or "transparency" in image.info:
        raise ValueError(f"has mode {image.mode}, expected 8-bit grey or colour without transparency")
    if getattr(image, "n_frames", 1) != 1:
        raise ValueError(f"holds {image.n_frames} pictures, expected one")
