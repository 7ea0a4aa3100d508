"""Tests of the one way from a picture file to gray levels: every mode, depth and orientation."""
import io
import os
import struct

import numpy as np
import pytest
from picture_files import SHORT, chunk, png_of, saved, tiff
from PIL import Image

from cs231n_fer.data_utils import pictures
from cs231n_fer.data_utils.pictures import gray_pixels, read_picture
from cs231n_fer.data_utils.pixels import faces_of

DEEP = np.array([[0, 257, 25700, 65535], [65280, 32768, 255, 256]], np.uint16)
LEVELS = np.array([[0, 1, 100, 255], [255, 128, 0, 1]], np.uint8)  # the upper eight bits
OPACITY = np.array([[0, 255, 128, 255], [255, 0, 64, 255]], np.uint8)
COLORS = np.array([[[255, 0, 0], [0, 255, 0], [0, 0, 255], [200, 100, 50]],
                   [[255, 255, 255], [0, 0, 0], [7, 7, 7], [1, 2, 3]]], np.uint8)
LUMA = np.array([[76, 150, 29, 124], [255, 0, 7, 2]], np.uint8)
SIGNED = 2
FLOAT = 3


def on_white(gray, opacity):
    """Return gray mixed with white, by exact integers rounded to the nearest."""
    mixed = gray.astype(int) * opacity + 255 * (255 - opacity.astype(int))
    return (2 * mixed + 255) // 510


def rows(array):
    return [row.tobytes() for row in array]


def with_opacity(array):
    """Return pixels with their opacity as the last channel, of the same depth."""
    opacity = OPACITY.astype(array.dtype) * (257 if array.itemsize == 2 else 1)
    return np.concatenate([array.reshape(2, 4, -1), opacity[:, :, None]], axis=2)


def deep_tiff(kind, photometric=1, order="<", more=()):
    return tiff(DEEP.astype(kind).tobytes(), 4, 2, np.dtype(kind).itemsize * 8, photometric, order,
                more=more)


def float_tiff(values, order="<", photometric=1):
    array = np.asarray(values, order + "f4")
    return tiff(array.tobytes(), 4, 2, 32, photometric, order, more=[(339, SHORT, [FLOAT])])


BITS = np.array([[0, 1, 1, 0], [1, 1, 0, 0]], bool)
NIBBLES = [bytes([0x01, 0x9F]), bytes([0xFF, 0x80])]  # levels 0, 1, 9, 15 and 15, 15, 8, 0
OF_NIBBLES = 17 * np.array([[0, 1, 9, 15], [15, 15, 8, 0]])
PALETTE = COLORS[0]
NUMBERS = np.array([[0, 1, 2, 3], [3, 3, 0, 1]], np.uint8)
PLTE = chunk(b"PLTE", PALETTE.tobytes())
PACKED_12 = bytes([0x00, 0x0F, 0xFF, 0x80, 0x00, 0x7F])  # 0, 4095, 2048, 127
KEYED = np.array([[255, 1, 100, 255], [255, 128, 0, 1]])  # LEVELS where level 0 of row 0 is hidden
SAMPLES = np.dtype(np.uint16).newbyteorder(">")

FILES = {  # name: (content, expected levels)
    "PNG of 1 bit": (saved(Image.fromarray(BITS)), 255 * BITS),
    "PNG of 4 bits": (png_of(NIBBLES, 4, 4, 0), OF_NIBBLES),
    "PNG of 8 bits": (saved(Image.fromarray(LEVELS)), LEVELS),
    "PNG of 16 bits": (png_of(rows(DEEP.astype(SAMPLES)), 4, 16, 0), LEVELS),
    "PNG in color": (saved(Image.fromarray(COLORS)), LUMA),
    "PNG in color of 16 bits": (
        png_of(rows(np.stack([DEEP] * 3, 2).astype(SAMPLES)), 4, 16, 2), LEVELS),
    "PNG with opacity": (png_of(rows(with_opacity(LEVELS)), 4, 8, 4), on_white(LEVELS, OPACITY)),
    "PNG of 16 bits with opacity": (
        png_of(rows(with_opacity(DEEP).astype(SAMPLES)), 4, 16, 4), on_white(LEVELS, OPACITY)),
    "PNG in color with opacity": (
        png_of(rows(with_opacity(COLORS)), 4, 8, 6), on_white(LUMA, OPACITY)),
    "PNG in color of 16 bits with opacity": (
        png_of(rows(with_opacity(np.stack([DEEP] * 3, 2)).astype(SAMPLES)), 4, 16, 6),
        on_white(LEVELS, OPACITY)),
    "PNG with a palette": (png_of(rows(NUMBERS), 4, 8, 3, PLTE), LUMA[0][NUMBERS]),
    "PNG with a palette of 2 bits": (
        png_of([bytes([0x1B]), bytes([0xF1])], 4, 2, 3, PLTE), LUMA[0][NUMBERS]),
    "PNG with a palette with opacity": (
        png_of(rows(NUMBERS), 4, 8, 3, PLTE + chunk(b"tRNS", OPACITY[0].tobytes())),
        on_white(LUMA[0], OPACITY[0])[NUMBERS]),
    "PNG with a palette with a transparent color": (
        png_of(rows(NUMBERS), 4, 8, 3, PLTE + chunk(b"tRNS", b"\xff\0")),
        np.array([76, 255, 29, 124])[NUMBERS]),
    "PNG of 1 bit with a transparent level": (
        png_of([bytes([0x60]), bytes([0xC0])], 4, 1, 0, chunk(b"tRNS", b"\0\0")),
        np.full((2, 4), 255)),
    "PNG of 4 bits with a transparent level": (
        png_of(NIBBLES, 4, 4, 0, chunk(b"tRNS", b"\0\x09")),
        np.where(OF_NIBBLES == 9 * 17, 255, OF_NIBBLES)),
    "PNG of 8 bits with a transparent level": (
        png_of(rows(LEVELS), 4, 8, 0, chunk(b"tRNS", b"\0\x64")),
        np.where(LEVELS == 100, 255, LEVELS)),
    "PNG of 16 bits with a transparent level": (  # 255 is not 0, though its upper bits are
        png_of(rows(DEEP.astype(SAMPLES)), 4, 16, 0, chunk(b"tRNS", b"\0\0")), KEYED),
    "PNG in color with a transparent color": (
        png_of(rows(COLORS), 4, 8, 2, chunk(b"tRNS", struct.pack(">HHH", 7, 7, 7))),
        np.where(LUMA == 7, 255, LUMA)),
    "GIF": (saved(Image.fromarray(LEVELS), "GIF"), LEVELS),
    "GIF with a transparent color": (
        saved(Image.fromarray(LEVELS), "GIF", transparency=100),
        np.where(LEVELS == 100, 255, LEVELS)),
    "animated GIF": (saved(Image.fromarray(LEVELS), "GIF", save_all=True,
                           append_images=[Image.fromarray(255 - LEVELS)]), LEVELS),
    "animated PNG": (saved(Image.fromarray(LEVELS), save_all=True,
                           append_images=[Image.fromarray(255 - LEVELS)]), LEVELS),
    "TIFF of two pages": (saved(Image.fromarray(LEVELS), "TIFF", save_all=True,
                                append_images=[Image.fromarray(255 - LEVELS)]), LEVELS),
    "BMP": (saved(Image.fromarray(LEVELS), "BMP"), LEVELS),
    "BMP in color": (saved(Image.fromarray(COLORS), "BMP"), LUMA),
    "BMP with a palette": (saved(Image.fromarray(LEVELS).convert("P"), "BMP"), LEVELS),
    "WebP": (saved(Image.fromarray(COLORS), "WEBP", lossless=True), LUMA),
    "WebP with opacity": (saved(Image.fromarray(with_opacity(COLORS)), "WEBP", lossless=True,
                                exact=True), on_white(LUMA, OPACITY)),
    "TIFF of 1 bit": (saved(Image.fromarray(BITS), "TIFF"), 255 * BITS),
    "TIFF of 8 bits": (saved(Image.fromarray(LEVELS), "TIFF"), LEVELS),
    "TIFF of 8 bits, white is zero": (tiff(LEVELS.tobytes(), 4, 2, 8, 0), 255 - LEVELS),
    "TIFF of 12 bits": (tiff(PACKED_12, 2, 2, 12), [[0, 255], [128, 7]]),
    "TIFF of 16 bits": (deep_tiff("<u2"), LEVELS),
    "TIFF of 16 bits, big-endian": (deep_tiff(">u2", order=">"), LEVELS),
    "TIFF of 16 bits, white is zero": (deep_tiff("<u2", 0), 255 - LEVELS),
    "TIFF of floats": (float_tiff(LEVELS / 255), LEVELS),
    "TIFF of floats, big-endian": (float_tiff(LEVELS / 255, ">"), LEVELS),
    "TIFF of floats, white is zero": (float_tiff(LEVELS / 255, photometric=0), 255 - LEVELS),
    "TIFF in color": (saved(Image.fromarray(COLORS), "TIFF"), LUMA),
    "TIFF in color of 16 bits": (
        tiff(np.stack([DEEP] * 3, 2).tobytes(), 4, 2, 16, 2, samples=3), LEVELS),
    "TIFF with opacity": (tiff(with_opacity(COLORS).tobytes(), 4, 2, 8, 2, samples=4,
                               more=[(338, SHORT, [2])]), on_white(LUMA, OPACITY)),
    "TIFF with a palette": (saved(Image.fromarray(LEVELS).convert("P"), "TIFF"), LEVELS),
    "TIFF in CMYK": (saved(Image.fromarray(LEVELS).convert("CMYK"), "TIFF"), LEVELS),
    "TIFF in LAB": (saved(Image.new("LAB", (2, 1), (255, 128, 128)), "TIFF"), [[255, 255]]),
}


@pytest.mark.parametrize("name", FILES)
def test_a_file_of_any_mode_and_depth_gives_its_gray_levels(name, tmp_path):
    content, expected = FILES[name]
    (tmp_path / "a").write_bytes(content)
    for file in (io.BytesIO(content), tmp_path / "a", str(tmp_path / "a")):
        gray = read_picture(file)
        assert gray.dtype == np.uint8 and gray.flags.c_contiguous
        np.testing.assert_array_equal(gray, expected)


IMAGES = {  # mode: (picture in memory, expected level)
    "1": (Image.new("1", (2, 1), 1), 255),
    "L": (Image.new("L", (2, 1), 9), 9),
    "P": (Image.new("L", (2, 1), 9).convert("P"), 9),
    "PA": (Image.new("PA", (2, 1)), 255),
    "LA": (Image.new("LA", (2, 1), (10, 51)), 206),  # 10 / 5 + 255 * 4 / 5
    "La": (Image.new("LA", (2, 1), (10, 51)).convert("La"), 206),
    "RGB": (Image.new("RGB", (2, 1), (200, 100, 50)), 124),
    "RGBA": (Image.new("RGBA", (2, 1), (10, 10, 10, 51)), 206),
    "RGBa": (Image.new("RGBA", (2, 1), (10, 10, 10, 51)).convert("RGBa"), 206),
    "RGBX": (Image.new("RGB", (2, 1), (200, 100, 50)).convert("RGBX"), 124),
    "CMYK": (Image.new("CMYK", (2, 1), (0, 0, 0, 155)), 100),
    "YCbCr": (Image.new("YCbCr", (2, 1), (77, 128, 128)), 77),
    "LAB": (Image.new("LAB", (2, 1), (0, 128, 128)), 0),
    "HSV": (Image.new("HSV", (2, 1), (0, 255, 255)), 76),  # pure red
    "I;16": (Image.new("I;16", (2, 1), 25700), 100),
    "I;16B": (Image.new("I;16B", (2, 1), 25700), 100),
    "F": (Image.new("F", (2, 1), 0.2), 51),
}


@pytest.mark.parametrize("mode", IMAGES)
def test_a_picture_in_memory_of_any_mode_gives_its_gray_levels(mode):
    image, level = IMAGES[mode]
    assert image.mode == mode
    np.testing.assert_array_equal(gray_pixels(image), np.full((1, 2), level))


@pytest.mark.parametrize("hidden", [0, 128, 255])
@pytest.mark.parametrize("colour", [4, 6])
def test_the_color_under_transparent_pixels_changes_nothing(colour, hidden):
    visible = np.full((2, 2, 2 if colour == 4 else 4), 90, np.uint8)
    visible[0] = hidden
    visible[0, :, -1] = 0
    visible[1, :, -1] = 255
    np.testing.assert_array_equal(read_picture(io.BytesIO(png_of(rows(visible), 2, 8, colour))),
                                  [[255, 255], [90, 90]])


UNKNOWN_RANGES = {  # name: (content, part of the error)
    "TIFF of 32-bit integers": (deep_tiff("<u4"), "integers of mode I, whose range is not known"),
    "TIFF of 32-bit signed integers": (deep_tiff("<i4", more=[(339, SHORT, [SIGNED])]),
                                       "integers of mode I, whose range is not known"),
    "TIFF of 16-bit signed integers": (deep_tiff("<i2", more=[(339, SHORT, [SIGNED])]),
                                       "integers of mode I, whose range is not known"),
    "TIFF of floats above 1": (float_tiff(LEVELS), "floats outside 0 to 1"),
    "TIFF of floats below 0": (float_tiff(-(LEVELS / 255)), "floats outside 0 to 1"),
    "TIFF of NaN": (float_tiff(np.full((2, 4), np.nan)), "floats outside 0 to 1"),
    "PNG with a transparent color of 16 bits": (
        png_of(rows(np.stack([DEEP] * 3, 2).astype(SAMPLES)), 4, 16, 2,
               chunk(b"tRNS", struct.pack(">HHH", 7, 7, 7))),
        "has a transparent color of 16 bits, expected 8"),
}


@pytest.mark.parametrize("name", UNKNOWN_RANGES)
def test_levels_of_an_unknown_range_are_refused(name):
    content, reason = UNKNOWN_RANGES[name]
    with pytest.raises(ValueError, match=reason):
        read_picture(io.BytesIO(content))


TURNS = {0: lambda x: x, 1: lambda x: x, 2: np.fliplr, 3: lambda x: np.rot90(x, 2), 4: np.flipud,
         5: lambda x: x.T, 6: lambda x: np.rot90(x, -1), 7: lambda x: np.rot90(x, 2).T,
         8: np.rot90}
WIDE = np.arange(24, dtype=np.uint8).reshape(4, 6)


def turned(orientation, kind, **options):
    exif = Image.Exif()
    exif[0x0112] = orientation
    return saved(Image.fromarray(WIDE), kind, exif=exif, **options)


@pytest.mark.parametrize("kind, options", [
    ("PNG", {}), ("TIFF", {}), ("TIFF", {"compression": "tiff_lzw"}), ("JPEG", {"quality": 100}),
    ("WEBP", {"lossless": True})], ids=["PNG", "TIFF", "TIFF by LZW", "JPEG", "WebP"])
@pytest.mark.parametrize("orientation", TURNS)
def test_a_picture_of_any_orientation_is_turned_upright(orientation, kind, options):
    if orientation == 0 and options == {"compression": "tiff_lzw"}:
        pytest.skip("libtiff does not write it")
    gray = read_picture(io.BytesIO(turned(orientation, kind, **options)))
    expected = TURNS[orientation](WIDE)
    assert gray.shape == expected.shape
    assert np.abs(gray.astype(int) - expected).max() <= (1 if kind == "JPEG" else 0)


def test_a_size_that_is_not_the_expected_one_is_refused_before_unpacking():
    with pytest.raises(ValueError, match="is 60000x1 pixels, expected 48x48"):
        read_picture(io.BytesIO(png_of([b"\0"], 60_000, 8, 0)), side=48)


def test_a_decoder_of_another_format_is_never_run(monkeypatch):
    for kind in ("EPS", "PPM", "ICO", "PCX"):
        with pytest.raises(ValueError, match="not one of the formats"):
            read_picture(io.BytesIO(saved(Image.fromarray(WIDE), kind)))


@pytest.mark.parametrize("make", [lambda path: None, os.mkfifo, os.mkdir],
                         ids=["nothing", "a pipe", "a folder"])
def test_a_path_that_is_no_file_is_named(tmp_path, make):
    make(tmp_path / "me.jpg")
    with pytest.raises(ValueError, match=r"me\.jpg: not a readable picture \(there is no such"):
        read_picture(tmp_path / "me.jpg")


def test_a_file_of_many_bytes_is_not_read_whole(tmp_path, monkeypatch):
    monkeypatch.setattr(pictures, "LARGEST", 20)
    with pytest.raises(ValueError, match="has more than 20 bytes"):
        read_picture(io.BytesIO(bytes(21)))


def test_a_picture_of_the_size_of_the_net_keeps_its_pixels():
    gray = np.random.default_rng(0).integers(0, 256, (48, 48), np.uint8)
    np.testing.assert_array_equal(faces_of(gray, 48, 48), gray[None])


@pytest.mark.parametrize("shape, kept", [((40, 20), np.s_[10:30]), ((20, 40), np.s_[:, 10:30]),
                                         ((20, 20), np.s_[:])])
def test_the_central_square_of_a_picture_is_kept_and_all_else_ignored(shape, kept):
    gray = np.zeros(shape, np.uint8)
    gray[kept] = 200
    for side in (10, 20, 30):
        np.testing.assert_array_equal(faces_of(gray, side, side), np.full((1, side, side), 200))
