"""Read FER2013's CSV files: strictly, in batches of rows, fast where a batch is clean.

A row is split at its commas in Python (cheap: 35,887 rows); the 83 million pixel values are decoded
by NumPy, a batch of rows at a time. Only where a batch is not perfect is every row of it examined
alone, and the first fault of a row named.
"""
import io
from collections.abc import Iterator
from typing import IO, Any, NamedTuple, cast

import numpy as np
from numpy.typing import NDArray

from ..types import Pixels
from .fer2013 import (
    EMOTIONS,
    PIXELS,
    SIDE,
    UNLABELLED,
    USAGES,
    Advance,
    BadRows,
    Codes,
    Faces,
    shorten,
)

__all__ = ["BATCH", "decode_pixels", "pixel_fault", "read_csv", "read_header"]

LONGEST_LINE = 1 << 16  # bytes; a good row has at most 9,300
BATCH = 512
EMOTION_CODES = {str(code).encode(): code for code in range(len(EMOTIONS))}
USAGE_CODES = {name.encode(): code for code, name in enumerate(USAGES)}
BOM = b"\xef\xbb\xbf"


class _Row(NamedTuple):
    """A row whose pixels are not decoded yet."""

    record: int
    place: str
    emotion: int
    usage: int
    text: bytes


def read_csv(stream: IO[bytes], name: str, bad: BadRows, advance: Advance = lambda byte_count: None
             ) -> Faces:
    """Read a CSV of faces with the columns pixels [, emotion] [, Usage] in any order.

    stream    binary stream, read once from its start, and closed
    name      name of the file in messages
    bad       BadRows that takes each row that cannot be read, with its line number (the header is
              line 1)
    advance   called with the number of bytes just read (progress bar)

    Returns Faces of the good rows. Without the column emotion all rows are unlabeled (255).
    Without Usage a file with labels is Training (train.csv); one without labels is test.csv: its
    first half is PublicTest, the rest PrivateTest. Raises ValueError if the header is not that of a
    FER2013 file.
    """
    batches = []
    batch = []
    records = 0
    with io.BufferedReader(cast(Any, stream), 1 << 20) as lines:  # typeshed wants a raw stream
        columns = read_header(lines.readline(LONGEST_LINE), name)
        for number, line in _lines(lines, advance):
            records += 1
            place = f"{name} line {number}"
            try:
                batch.append(_Row(records - 1, place, *_split_row(line, columns)))
            except ValueError as fault:
                bad.add(place, str(fault))
            if len(batch) == BATCH:
                batches.append(_decode_batch(batch, bad))
                batch = []
    batches.append(_decode_batch(batch, bad))
    pixels, emotion, usage, record = (np.concatenate(part) for part in zip(*batches, strict=True))
    if "usage" not in columns and "emotion" not in columns:
        usage = np.where(record < (records + 1) // 2, 1, 2).astype(np.uint8)
    return Faces(pixels, emotion, usage, record, records)


def read_header(line: bytes, name: str) -> dict[str, int]:
    """Return the positions of the columns by lower-case name; a BOM, quotes and spaces are allowed.

    Raises ValueError for unknown or repeated columns, or without pixels.
    """
    names = [part.strip().strip('"').strip().lower()
             for part in line.removeprefix(BOM).decode("utf-8", "replace").strip().split(",")]
    unknown = [part for part in names if part not in ("emotion", "pixels", "usage")]
    if unknown or "pixels" not in names or len(set(names)) != len(names):
        raise ValueError(f"source: the first line of {name} is {shorten(line.strip(), 80)}; "
                         "expected a header of the columns pixels, emotion and Usage "
                         "(pixels always)")
    return {part: position for position, part in enumerate(names)}


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


def _lines(stream: io.BufferedReader, advance: Advance) -> Iterator[tuple[int, bytes]]:
    """Yield (line number, line with its end) from line 2 on.

    Of a line of LONGEST_LINE bytes or more without an end only these bytes are kept.
    """
    number = 1
    waiting = 0
    while line := stream.readline(LONGEST_LINE):
        number += 1
        waiting += len(line)
        if _is_cut(line):
            while (more := stream.readline(LONGEST_LINE)) and not more.endswith(b"\n"):
                waiting += len(more)
        yield number, line
        if waiting > 1 << 20:
            advance(waiting)
            waiting = 0
    advance(waiting)


def _is_cut(line: bytes) -> bool:
    """Whether a line is too long to be kept whole."""
    return len(line) == LONGEST_LINE and not line.endswith(b"\n")


def _split_row(line: bytes, columns: dict[str, int]) -> tuple[int, int, bytes]:
    """Return (emotion code, usage code, pixel text) of a row; ValueError says what its fault is."""
    if _is_cut(line):
        raise ValueError(f"is longer than {LONGEST_LINE:,} bytes, expected at most 9,300")
    text = line.rstrip(b"\r\n")
    fields = text.split(b",")
    if len(fields) != len(columns):
        raise ValueError(f"has {len(fields)} columns, expected {len(columns)}" if text.strip()
                         else "is empty")
    values = {column: _unquoted(fields[position].strip(b" "), column)
              for column, position in columns.items()}
    emotion = EMOTION_CODES.get(values["emotion"]) if "emotion" in columns else UNLABELLED
    usage = USAGE_CODES.get(values["usage"]) if "usage" in columns else 0
    if values["pixels"][:len(b"pixels") + 1].lower() == b"pixels":
        raise ValueError("repeats the header")
    if emotion is None:
        raise ValueError(f"emotion is {shorten(values['emotion'])}, expected 0 to "
                         f"{len(EMOTIONS) - 1}")
    if usage is None:
        raise ValueError(f"usage is {shorten(values['usage'])}, expected one of "
                         f"{', '.join(USAGES)}")
    if text == line and fields[-1][-1:].isdigit() and columns["pixels"] == len(columns) - 1:
        raise ValueError("is the last line and has no line end, so its last pixel may be cut")
    return emotion, usage, values["pixels"]


def _unquoted(value: bytes, column: str) -> bytes:
    """Return a field without its pair of quotes."""
    if value[:1] != b'"' and value[-1:] != b'"':
        return value
    if len(value) < 2 or value[:1] != value[-1:]:
        raise ValueError(f"{column} has a quote without its partner")
    return value[1:-1]


def _decode_batch(batch: list[_Row], bad: BadRows
                  ) -> tuple[Pixels, Codes, Codes, NDArray[np.int64]]:
    """Return the arrays pixels, emotion, usage and record of the good rows of a batch."""
    pixels = decode_pixels([row.text for row in batch])
    if pixels is None:
        faults = [pixel_fault(row.text) for row in batch]
        for row, fault in zip(batch, faults, strict=True):
            if fault is not None:
                bad.add(row.place, fault)
        batch = [row for row, fault in zip(batch, faults, strict=True) if fault is None]
        pixels = decode_pixels([row.text for row in batch])
        assert pixels is not None  # rows without a fault have none together
    return (pixels, np.array([row.emotion for row in batch], np.uint8),
            np.array([row.usage for row in batch], np.uint8),
            np.array([row.record for row in batch], np.int64))
