"""Pixels that are written as text: 2,304 whole numbers from 0 to 255, separated by spaces.

The numbers of many pictures are decoded by NumPy at once. Only where that fails is each picture
examined alone, and its first fault named.
"""
import numpy as np

from ..types import Pixels
from .fer2013 import PIXELS, SIDE, shorten

__all__ = ["decode_pixels", "pixel_fault", "single_spaced"]

AS_SPACES = bytes.maketrans(b"[](),;", b"      ")


def decode_pixels(texts: list[bytes]) -> Pixels | None:
    """Return the pixels of texts of 2,304 whole numbers 0 to 255 separated by single spaces.

    Returns uint8 (len(texts), 48, 48), or None if any text has a fault.
    """
    if not texts:
        return np.empty((0, SIDE, SIDE), np.uint8)
    # Three spaces before, one behind.
    raw = np.frombuffer(b" ".join([b"  ", *texts, b""]), dtype=np.uint8)
    spaces = np.flatnonzero(raw == 32)[2:]
    if len(spaces) != len(texts) * PIXELS + 1:
        return None
    ends_of_rows = 2 + np.cumsum([len(text) + 1 for text in texts])
    digits = raw - np.uint8(48)  # a byte below "0" wraps around to a large number
    lengths = np.diff(spaces) - 1
    if ((digits < 10).sum() != len(raw) - len(spaces) - 2 or lengths.min() < 1 or lengths.max() > 3
            or not np.array_equal(spaces[PIXELS::PIXELS], ends_of_rows)):
        return None
    last = spaces[1:] - 1
    values = digits[last].astype(np.uint16)
    values += (digits[last - 1] * (lengths > 1)).astype(np.uint16) * np.uint16(10)
    values += (digits[last - 2] * (lengths > 2)).astype(np.uint16) * np.uint16(100)
    if values.max() > 255:
        return None
    return values.astype(np.uint8).reshape(-1, SIDE, SIDE)


def pixel_fault(text: bytes) -> str | None:
    """Return what is wrong with the pixels of one row; None if nothing is."""
    if decode_pixels([text]) is not None:
        return None
    if not text.strip():
        return "pixels are empty"
    if text.strip().lower() == b"pixels":
        return "repeats the header"
    values = text.split(b" ")
    for position, value in enumerate(values, 1):
        if not value:
            return f"pixels have an extra space before value {position}"
        if not (value.isdigit() and value.isascii()):
            return f"pixel {position} is {shorten(value)}, expected a whole number 0 to 255"
        if len(value) > 3 or int(value) > 255:
            return (f"pixel {position} is {shorten(value)}, "
                    "expected 0 to 255 in at most three digits")
    return f"has {len(values):,} pixels, expected {PIXELS:,}"


def single_spaced(text: bytes) -> bytes:
    """Return pixels with one space between them: brackets, commas and more spaces are spaces."""
    spaced = text.translate(AS_SPACES)
    while b"  " in spaced:
        spaced = spaced.replace(b"  ", b" ")
    return spaced.strip(b" ")
