"""Tests of what a picture file holds besides pixels: the picture is read, or refused in one line.
"""
import io
import struct
import zlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from picture_files import chunk, png_of, saved, tiff
from PIL import Image

from cs231n_fer.data_utils.pictures import read_picture

WIDE = np.arange(24, dtype=np.uint8).reshape(4, 6)
LEVELS = np.array([[0, 1, 100, 255], [255, 128, 0, 1]], np.uint8)
COLORS = np.arange(24, dtype=np.uint8).reshape(2, 4, 3)
NUMBERS = np.array([[0, 1, 2, 3], [3, 3, 0, 1]], np.uint8)
PLTE = chunk(b"PLTE", COLORS[0].tobytes())
SEEDS = [*(saved(Image.fromarray(WIDE), kind) for kind in ("PNG", "JPEG", "GIF", "BMP", "TIFF")),
         saved(Image.fromarray(COLORS), "WEBP", lossless=True),
         saved(Image.fromarray(COLORS), "TIFF", compression="tiff_lzw"),
         saved(Image.fromarray(WIDE / np.float32(255)), "TIFF"),
         png_of([row.tobytes() for row in NUMBERS], 4, 8, 3, PLTE)]


def exif_of(*entries, order=">"):
    """Return EXIF data of entries (tag, type, count, four bytes)."""
    return ((b"MM\0*" if order == ">" else b"II*\0") + struct.pack(order + "IH", 8, len(entries))
            + b"".join(struct.pack(order + "HHI", *entry[:3]) + entry[3] for entry in entries)
            + bytes(4))


TURNED = (0x0112, 3, 1, b"\0\6\0\0")
SOUND = {  # name: EXIF data with an orientation of 6 and a fault elsewhere
    "a text where a number belongs": exif_of(TURNED, (0x011A, 2, 4, b"abc\0")),
    "a rational of no place": exif_of(TURNED, (0x011A, 5, 1, b"\xff\xff\xff\xff")),
    "an unknown type": exif_of(TURNED, (0x0131, 99, 1, bytes(4))),
    "a type of 0": exif_of(TURNED, (0x0131, 0, 0, bytes(4))),
    "a pointer to nowhere": exif_of(TURNED, (0x8769, 4, 1, b"\xff\xff\xff\0")),
    "a pointer that is a text": exif_of(TURNED, (0x8769, 2, 4, b"abc\0")),
    "two orientations, the first of which counts": exif_of((0x0112, 3, 2, b"\0\6\0\3")),
    "a date of bytes": exif_of(TURNED, (0x0132, 7, 4, b"\xff\xfe\xfd\xfc")),
}


@pytest.mark.parametrize("name", SOUND)
def test_a_malformed_tag_beside_the_orientation_does_no_harm(name):
    for kind in ("PNG", "JPEG"):
        content = saved(Image.fromarray(WIDE), kind, exif=b"Exif\0\0" + SOUND[name])
        assert read_picture(io.BytesIO(content)).shape == (6, 4)


def test_an_orientation_that_may_be_lost_among_faulty_tags_is_not_guessed():
    faulty = exif_of((0x011A, 5, 1, b"\xff\xff\xff\xff"))
    for kind in ("PNG", "JPEG"):
        content = saved(Image.fromarray(WIDE), kind, exif=b"Exif\0\0" + faulty)
        with pytest.raises(ValueError, match=r"^not a readable picture \("):
            read_picture(io.BytesIO(content))


MALFORMED = {  # name: EXIF data whose orientation cannot be read
    "an orientation of 9": exif_of((0x0112, 3, 1, b"\0\x09\0\0")),
    "an orientation that is a text": exif_of((0x0112, 2, 4, b"six\0")),
    "an orientation of bytes": exif_of((0x0112, 7, 4, b"\0\6\0\6")),
}


@pytest.mark.parametrize("name", MALFORMED)
def test_a_malformed_orientation_is_one_line(name):
    for kind in ("PNG", "JPEG"):
        content = saved(Image.fromarray(WIDE), kind, exif=b"Exif\0\0" + MALFORMED[name])
        with pytest.raises(ValueError, match="^has the EXIF orientation .*, expected 1 to 8: .*$"):
            read_picture(io.BytesIO(content))


def picture_or_one_line(content):
    """Read a picture; return whether it was one."""
    try:
        gray = read_picture(io.BytesIO(content))
    except ValueError as error:
        assert type(error) is ValueError and str(error) and "\n" not in str(error), error
        return False
    assert gray.dtype == np.uint8 and gray.ndim == 2
    return True


BYTES = st.binary(max_size=80)
ENTRY = st.tuples(st.sampled_from([0x0112, 0x011A, 0x0132, 0x8769, 0x8825, 0x927C, 0x0201, 700,
                                   256, 258, 262, 273, 279, 317, 320, 339, 347, 34377, 34675]),
                  st.integers(0, 17), st.sampled_from([0, 1, 2, 3, 9, 1 << 16, (1 << 32) - 1]),
                  st.binary(min_size=4, max_size=4))
EXIF = st.builds(lambda entries, order, tail: exif_of(*entries, order=order) + tail,
                 st.lists(ENTRY, max_size=5), st.sampled_from("<>"), BYTES)
KINDS = st.sampled_from([b"gAMA", b"cHRM", b"sRGB", b"iCCP", b"sBIT", b"tEXt", b"zTXt", b"iTXt",
                         b"bKGD", b"pHYs", b"tIME", b"eXIf", b"acTL", b"fcTL", b"fdAT", b"hIST",
                         b"sPLT", b"tRNS", b"PLTE", b"IHDR", b"XxXx", b"CgBI", b"cICP"])


def inflated(content):
    return b"name\0\0" + zlib.compress(content)


@settings(max_examples=300, deadline=None)
@given(st.lists(st.tuples(KINDS, BYTES | EXIF | BYTES.map(inflated)), min_size=1, max_size=3),
       st.sampled_from([0, 2, 3]), st.booleans())
def test_whatever_the_chunks_of_a_png_hold_it_is_read_or_refused_in_one_line(extra, colour, behind):
    blocks = b"".join(chunk(kind, content) for kind, content in extra)
    palette = PLTE if colour == 3 else b""
    lines = [row.tobytes() for row in (COLORS if colour == 2 else NUMBERS)]
    content = png_of(lines, 4, 8, colour, palette + (b"" if behind else blocks))
    picture_or_one_line(content[:-12] + blocks + content[-12:] if behind else content)


MARKERS = st.sampled_from([*range(0xC0, 0xD0), *range(0xDA, 0xF0), 0xFE])
HEADS = st.sampled_from([b"", b"Exif\0\0", b"JFIF\0\1\1", b"MPF\0", b"ICC_PROFILE\0\1\1", b"Adobe",
                         b"http://ns.adobe.com/xap/1.0/\0", b"Photoshop 3.0\0008BIM"])


@settings(max_examples=300, deadline=None)
@given(st.lists(st.tuples(MARKERS, HEADS, BYTES | EXIF), min_size=1, max_size=3))
def test_whatever_the_segments_of_a_jpeg_hold_it_is_read_or_refused_in_one_line(segments):
    blocks = b"".join(bytes([0xFF, marker]) + struct.pack(">H", len(head + body) + 2) + head + body
                      for marker, head, body in segments)
    content = saved(Image.fromarray(WIDE), "JPEG")
    picture_or_one_line(content[:2] + blocks + content[2:])


@settings(max_examples=300, deadline=None)
@given(st.lists(ENTRY, min_size=1, max_size=4), st.sampled_from("<>"), BYTES)
def test_whatever_the_tags_of_a_tiff_hold_it_is_read_or_refused_in_one_line(entries, order, tail):
    tags = [(tag, kind, [*struct.unpack(order + "I", number)]) for tag, kind, _, number in entries]
    plain = tiff(LEVELS.tobytes(), 4, 2, 8, order=order,
                 more=[(tag, 4, numbers) for tag, _, numbers in tags])
    for _, kind, count, number in entries:  # types and counts that the maker of TIFF does not know
        at = plain.find(struct.pack(order + "HI", 4, 1) + number)
        if at >= 0:
            plain = plain[:at] + struct.pack(order + "HI", kind, count) + plain[at + 6:]
    picture_or_one_line(plain + tail)


@settings(max_examples=200, deadline=None)
@given(st.lists(st.tuples(st.sampled_from([0xF9, 0xFE, 0xFF, 0x01, 0x00]), BYTES), min_size=1,
                max_size=3))
def test_whatever_the_extensions_of_a_gif_hold_it_is_read_or_refused_in_one_line(extensions):
    blocks = b"".join(bytes([0x21, label, len(body)]) + body + b"\0" for label, body in extensions)
    content = saved(Image.fromarray(LEVELS), "GIF")
    at = content.index(b",\0\0\0\0")
    picture_or_one_line(content[:at] + blocks + content[at:])


@settings(max_examples=200, deadline=None)
@given(st.lists(st.tuples(st.sampled_from([b"EXIF", b"XMP ", b"ICCP", b"ANIM", b"ANMF", b"ALPH",
                                           b"VP8X", b"abcd"]), BYTES | EXIF), max_size=3),
       st.integers(0, 255))
def test_whatever_the_chunks_of_a_webp_hold_it_is_read_or_refused_in_one_line(extra, flags):
    image = saved(Image.fromarray(LEVELS), "WEBP", lossless=True)[12:]
    head = b"VP8X" + struct.pack("<I", 10) + bytes([flags, 0, 0, 0, 3, 0, 0, 1, 0, 0])
    blocks = b"".join(kind + struct.pack("<I", len(body)) + body + bytes(len(body) % 2)
                      for kind, body in extra)
    body = b"WEBP" + head + image + blocks
    picture_or_one_line(b"RIFF" + struct.pack("<I", len(body)) + body)


@settings(max_examples=200, deadline=None)
@given(st.sampled_from(SEEDS), st.floats(0, 1), BYTES)
def test_a_file_with_other_bytes_anywhere_is_read_or_refused_in_one_line(seed, place, noise):
    content = bytearray(seed)
    at = int(place * len(content))
    content[at:at + len(noise)] = noise
    picture_or_one_line(bytes(content))
