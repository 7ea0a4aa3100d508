"""Tests of pictures that can't be used, which are named, left out and counted."""
import struct
import zlib

import numpy as np
import pytest
from downloads import PIXELS, quiet
from picture_files import chunk, png, png_of, saved, tiff
from PIL import Image

from cs231n_fer.data_utils.image_folder import is_picture
from cs231n_fer.data_utils.pictures import read_picture
from cs231n_fer.data_utils.png_chunks import ADAM7
from cs231n_fer.data_utils.prepared import read_prepared
from cs231n_fer.data_utils.sources import LARGEST_PICTURE

FACE = Image.fromarray(PIXELS[0])


def turned(orientation, kind="JPEG"):
    exif = Image.Exif()
    exif[0x0112] = orientation
    return saved(FACE, kind, exif=exif)


def interlaced(pixels):
    """Return the rows of the seven passes of Adam7."""
    return b"".join(b"\0" + row.tobytes() for x, y, dx, dy in ADAM7 for row in pixels[y::dy, x::dx])


def jpeg_size(width, height):
    """Return a JPEG file whose header declares another size."""
    content = bytearray(saved(FACE, "JPEG"))
    at = content.index(b"\xff\xc0") + 5
    content[at:at + 4] = struct.pack(">HH", height, width)
    return bytes(content)


def flipped(content, at):
    return content[:at] + bytes([content[at] ^ 4]) + content[at + 1:]


def palette_png(colours, depth=8, pixel=0, after=False):
    """A PNG of one colour of a palette of so many bytes, which may come after the pixels."""
    data = bytes(1 + 48 * depth // 8) * 47 + b"\0" + bytes([pixel]) * (48 * depth // 8)
    palette = chunk(b"PLTE", bytes(range(colours))) if colours else b""
    content = png(48, 48, depth, 3, data, b"" if after else palette)
    return content[:-12] + palette + content[-12:] if after else content


PNG = saved(FACE)
JPEG = saved(FACE, "JPEG")
FRAMES = {"save_all": True, "append_images": [Image.fromarray(PIXELS[1])]}
BAD_PICTURES = {  # name: (file name, content, part of the reason)
    "zero bytes": ("x.png", b"", "not a readable picture (not one of the formats"),
    "a text": ("x.jpg", b"no picture\n", "not a readable picture (not one of the formats"),
    "0x0": ("x.png", png(0, 0), "or the header is damaged"),
    "0 wide": ("x.png", png(0, 48), "or the header is damaged"),
    "60,000x60,000": ("x.png", png(60_000, 60_000), "60"),
    "a JPEG of 65,535x65,535": ("x.jpg", jpeg_size(65_535, 65_535),
                                "not a readable picture ("),
    "10,000x10,000": ("x.png", png(10_000, 10_000), "not a readable picture ("),
    "2,147,483,647 wide": ("x.png", png(2**31 - 1, 1), "not a readable picture ("),
    "47x48": ("x.png", saved(FACE.crop((0, 0, 47, 48))), "is 47x48 pixels, expected 48x48"),
    "a JPEG that is larger than its head says": ("x.jpg", jpeg_size(48, 47), "is 48x47 pixels"),
    "32-bit integers": ("x.tif", tiff(PIXELS[0].astype("<u4").tobytes(), 48, 48, 32),
                        "has integers of mode I, whose range is not known"),
    "floats of 0 to 255": ("x.tif", saved(Image.fromarray(PIXELS[0].astype(np.float32)), "TIFF"),
                           "has floats outside 0 to 1"),
    "an orientation out of range": ("x.jpg", turned(9), "has the EXIF orientation 9, expected"),
    "a JPEG cut in its head": ("x.jpg", JPEG[:100], "not a readable picture ("),
    "a JPEG cut in its middle": ("x.jpg", JPEG[:len(JPEG) // 2],
                                 "not a readable picture ("),
    "a PNG cut in its head": ("x.png", PNG[:20], "not a readable picture ("),
    "a PNG cut in its middle": ("x.png", PNG[:len(PNG) // 2],
                                "not a readable picture ("),
    "a PNG cut before its end": ("x.png", PNG[:-12], "not a readable picture ("),
    "a PNG with a flipped bit": ("x.png", flipped(PNG, len(PNG) // 2),
                                 "not a readable picture ("),
    "a PNG with a false checksum": ("x.png", flipped(PNG, len(PNG) - 14),
                                    "not a readable picture ("),
    "a PNG with too few rows": ("x.png", png(48, 48, data=bytes(49 * 20)),
                                "has 980 bytes of pixels, expected 2,352"),
    "an interlaced PNG with too few rows": ("x.png", png(48, 48, data=bytes(2_000), interlace=1),
                                            "rows are missing"),
    "a PNG whose pixels are packed wrongly": (
        "x.png", PNG[:33] + chunk(b"IDAT", zlib.compress(bytes(2352))[:-4] + bytes(4)) + PNG[-12:],
        "not a readable picture (Error -3 while decompressing"),
    "a PNG without its palette": ("x.png", palette_png(0),
                                  "has a palette of 0 bytes, expected three per color"),
    "a palette behind the pixels": ("x.png", palette_png(3, after=True),
                                    "has a palette of 0 bytes"),
    "a palette of a colour and a half": ("x.png", palette_png(4), "palette"),
    "a pixel beyond the palette": ("x.png", palette_png(9, pixel=3),
                                   "of color 3, but a palette of 3 colors"),
    "16 colours without a palette": ("x.png", palette_png(0, depth=4), "has a palette of 0 bytes"),
    "a PNG whose text unpacks to 64 MB": (
        "x.png", png(48, 48, data=bytes(49 * 48),
                     extra=chunk(b"zTXt", b"a\0\0" + zlib.compress(bytes(1 << 26)))),
        "ecompressed"),
}


@pytest.mark.parametrize("name", BAD_PICTURES)
def test_a_bad_picture_is_left_out_and_counted_and_the_good_one_is_read(tmp_path, name):
    file, content, reason = BAD_PICTURES[name]
    folder = tmp_path / "faces" / "train" / "happy"
    folder.mkdir(parents=True)
    (folder / file).write_bytes(content)
    (folder / "good.png").write_bytes(PNG)
    with pytest.raises(ValueError, match="1 bad rows, so nothing was written .*mend them"):
        quiet(tmp_path / "faces", tmp_path / "out.h5")
    (place, came), = quiet(tmp_path / "faces", tmp_path / "out.h5", skip_bad=True)[0]["left_out"]
    assert place == f"train/happy/{file}" and reason in came
    np.testing.assert_array_equal(read_prepared(tmp_path / "out.h5")["pixels"], PIXELS[:1])


def test_a_file_that_is_larger_than_any_face_is_not_read(tmp_path):
    (tmp_path / "train" / "happy").mkdir(parents=True)
    with open(tmp_path / "train" / "happy" / "x.png", "wb") as file:
        file.truncate(LARGEST_PICTURE + 1)
    with pytest.raises(ValueError,
                       match="x.png declares 4,194,305 bytes, expected at most 4,194,304"):
        quiet(tmp_path, tmp_path / "out.h5", skip_bad=True)


def test_a_palette_that_has_all_colours_is_read(tmp_path):
    (tmp_path / "train" / "happy").mkdir(parents=True)
    (tmp_path / "train" / "happy" / "x.png").write_bytes(palette_png(9, pixel=2))
    quiet(tmp_path, tmp_path / "out.h5")
    pixels = read_prepared(tmp_path / "out.h5")["pixels"][0]
    # The luma of (0, 1, 2) and (6, 7, 8)
    assert (pixels[:47] == 1).all() and (pixels[47] == 7).all()


RGBA = FACE.convert("RGBA")
LEVEL = int(PIXELS[0, 0, 0])
LEVEL_IN_WHITE = np.where(PIXELS[0] == LEVEL, 255, PIXELS[0])
READ = {  # name: (file name, content, expected pixels)
    "16-bit grey": ("x.png", saved(Image.fromarray(PIXELS[0].astype(np.uint16) * 257)), PIXELS[0]),
    "16-bit colour": ("x.png", png_of([row.astype(">u2").repeat(3).tobytes()
                                       for row in PIXELS[0].astype(np.uint16) * 257], 48, 16, 2),
                      PIXELS[0]),
    "opaque grey with transparency": ("x.png", saved(FACE.convert("LA")), PIXELS[0]),
    "opaque RGBA": ("x.png", saved(RGBA), PIXELS[0]),
    "invisible RGBA": ("x.png", saved(Image.fromarray(np.asarray(RGBA) * np.uint8([1, 1, 1, 0]))),
                       np.full((48, 48), 255)),
    "a palette with a transparent colour": (
        "x.png", saved(FACE.convert("P"), transparency=LEVEL), LEVEL_IN_WHITE),
    "grey with a transparent level": ("x.png", saved(FACE, transparency=LEVEL), LEVEL_IN_WHITE),
    "CMYK": ("x.tif", saved(FACE.convert("CMYK"), "TIFF"), PIXELS[0]),
    "animated PNG": ("x.png", saved(FACE, **FRAMES), PIXELS[0]),
    "animated GIF": ("x.gif", saved(FACE, "GIF", **FRAMES), PIXELS[0]),
    "GIF": ("x.gif", saved(FACE, "GIF"), PIXELS[0]),
    "BMP": ("x.bmp", saved(FACE, "BMP"), PIXELS[0]),
    "TIFF": ("x.tif", saved(FACE, "TIFF"), PIXELS[0]),
    "TIFF of 16 bits": ("x.tif", tiff((PIXELS[0].astype("<u2") * 257).tobytes(), 48, 48, 16),
                        PIXELS[0]),
    "WebP": ("x.webp", saved(FACE, "WEBP", lossless=True), PIXELS[0]),
    "GIF by another name": ("x.png", saved(FACE, "GIF"), PIXELS[0]),
    "lying on its side": ("x.png", turned(6, "PNG"), np.rot90(PIXELS[0], -1)),
    "upside down": ("x.png", turned(3, "PNG"), np.rot90(PIXELS[0], 2)),
    "a mirrored PNG": ("x.png", turned(2, "PNG"), np.fliplr(PIXELS[0])),
}


@pytest.mark.parametrize("name", READ)
def test_a_picture_of_another_kind_is_read_as_everywhere(tmp_path, name):
    file, content, expected = READ[name]
    folder = tmp_path / "faces" / "train" / "happy"
    folder.mkdir(parents=True)
    (folder / file).write_bytes(content)
    quiet(tmp_path / "faces", tmp_path / "out.h5")
    np.testing.assert_array_equal(read_prepared(tmp_path / "out.h5")["pixels"][0], expected)
    np.testing.assert_array_equal(read_picture(folder / file), expected)


@pytest.mark.parametrize("content", [PNG, saved(FACE.convert("RGB")), saved(FACE, dpi=(72, 72)),
                                     turned(1, "PNG"),
                                     png(48, 48,
                                         data=b"".join(b"\0" + row.tobytes() for row in PIXELS[0])),
                                     png(48, 48, data=interlaced(PIXELS[0]), interlace=1)],
                         ids=["grey", "colour", "with a note", "upright", "by hand", "interlaced"])
def test_what_is_right_is_read_as_it_is(tmp_path, content):
    (tmp_path / "faces" / "train" / "happy").mkdir(parents=True)
    (tmp_path / "faces" / "train" / "happy" / "x.PNG").write_bytes(content)
    quiet(tmp_path / "faces", tmp_path / "out.h5")
    np.testing.assert_array_equal(read_prepared(tmp_path / "out.h5")["pixels"], PIXELS[:1])
    assert is_picture("x.PNG") and not is_picture("x.txt")
