"""Read CSV files of faces with pandas: in batches of rows, strictly, fast where a batch is clean.

A line is a row, and is bounded; lines that are no row of the table are named and never reach
pandas, which splits the others into columns, a batch at a time. Pixels are decoded by NumPy. Only
where a batch is not perfect is every row of it examined alone, and the first fault of a row named.
"""
from __future__ import annotations

import codecs
import contextlib
import csv
import io
from collections.abc import Iterator
from typing import IO, TYPE_CHECKING, Any, NamedTuple, cast

import numpy as np

from ..shapes import check
from ..types import Pixels
from .fer2013 import PIXELS, SIDE, Advance, BadRows, Faces, Say, shorten
from .names import Columns, find_columns
from .pixel_texts import decode_pixels, pixel_fault, single_spaced
from .tables import STRICT, Chunk, Rules, Table, faces_of

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["BATCH", "LONGEST_LINE", "decode_pixels", "open_lines", "pixel_fault", "read_csv",
           "read_header"]

LONGEST_LINE = 1 << 16  # bytes; a good row has at most 9,300
LONGEST_HEADER = 1 << 10  # of a table whose pixels are texts
BATCH = 512  # rows
WIDE_BATCH = 2048  # of a table with a column for each pixel; each column costs time
SEPARATORS = (",", ";", "\t", "|")
MARKS = ((codecs.BOM_UTF32_LE, "utf-32"), (codecs.BOM_UTF32_BE, "utf-32"),
         (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"))
BLOCK = 1 << 16
SMALL = np.dtype(np.int16)  # whole numbers, of which pixels are a part
NO_NUL = "\u2400".encode()  # pandas ends a text at a NUL byte; this sign is as wrong, and is seen


class Header(NamedTuple):
    """The first line of a table: its separator, the names of all columns, and what they hold."""

    separator: str
    names: list[str]
    columns: Columns


def read_csv(stream: IO[bytes], name: str, bad: BadRows,
             advance: Advance = lambda byte_count: None, rules: Rules = STRICT,
             say: Say = lambda line: None) -> Faces:
    """Read a CSV of faces: pixels, as texts or in 2,304 columns [, emotion] [, usage], any order.

    stream    binary stream, read once from its start, and closed
    name      name of the file in messages
    bad       BadRows that takes each row that cannot be read, with its line number (the header is
              line 1)
    advance   called with the number of bytes just read (progress bar)
    rules     what to do with a further class
    say       called with what was understood

    Returns Faces of the good rows; see tables.faces_of for files without a class or a split.
    Raises ValueError if the header is not that of a table of faces.
    """
    with open_lines(stream) as lines:
        header = read_header(lines.readline(LONGEST_LINE), name)
        table = Table(name, ("line", 2), _form(header))
        return faces_of(table, _chunks(lines, header, advance), bad, rules, say)


def open_lines(stream: IO[bytes]) -> io.BufferedReader:
    """Return the lines of a text in UTF-8; UTF-16 and UTF-32 are recognized by their marks."""
    buffered = io.BufferedReader(cast(Any, stream), 1 << 20)  # typeshed wants a raw stream
    start = buffered.peek(4)
    encoding = next((name for mark, name in MARKS if start.startswith(mark)), None)
    if encoding is None:
        return buffered
    return io.BufferedReader(_Recoded(buffered, encoding), 1 << 20)


class _Recoded(io.RawIOBase):
    """A text of another encoding as UTF-8; what cannot be decoded becomes U+FFFD."""

    def __init__(self, stream: IO[bytes], encoding: str) -> None:
        self.stream = stream
        self.decoder = codecs.getincrementaldecoder(encoding)("replace")
        self.waiting = b""

    def readable(self) -> bool:
        """Whether it can be read: always."""
        return True

    def readinto(self, buffer: Any, /) -> int:
        """Fill a buffer and return the number of bytes."""
        while not self.waiting:
            block = self.stream.read(BLOCK)
            self.waiting = self.decoder.decode(block, final=not block).encode("utf-8", "replace")
            if not block:
                break
        count = min(len(buffer), len(self.waiting))
        buffer[:count] = self.waiting[:count]
        self.waiting = self.waiting[count:]
        return count

    def close(self) -> None:
        """Close the stream too."""
        self.stream.close()
        super().close()


def read_header(line: bytes, name: str) -> Header:
    """Return what the first line of a table says; a BOM, quotes and spaces are allowed.

    Raises ValueError for repeated or unnamed columns, and if it is unclear which hold the pixels.
    """
    text = line.removeprefix(codecs.BOM_UTF8).decode("utf-8", "replace").strip("\r\n")
    for separator in SEPARATORS if "\r" not in text else ():  # a CR alone ends no line
        names = [part.strip().strip('"').strip() for part in text.split(separator)]
        columns = find_columns(names)
        if columns is not None:
            return Header(separator, names, columns)
    raise ValueError(f"source: the first line of {name} is {shorten(line.strip(), 80)}; "
                     "expected a header of the columns pixels, emotion and Usage "
                     f"(pixels always, or {PIXELS:,} columns of one pixel each)")


def _form(header: Header) -> str:
    """Return what was understood of a header, in words."""
    names = header.names
    columns = header.columns
    pixels = shorten(names[columns.pixels[0]])
    if len(columns.pixels) > 1:
        last = shorten(names[columns.pixels[-1]])
        pixels = f"{len(columns.pixels):,} columns from {pixels} to {last}"
    parts = [f"pixels in {pixels}"]
    for what, place in (("class", columns.emotion), ("split", columns.usage)):
        parts.append(f"{what} in {'no column' if place is None else shorten(names[place])}")
    unused = ", ".join(shorten(names[place]) for place in columns.unused[:10])
    more = f" and {len(columns.unused) - 10:,} more" if len(columns.unused) > 10 else ""
    return (f"columns separated by {shorten(header.separator)}: {', '.join(parts)}; "
            f"not used: {unused or 'none'}{more}")


def _lines(stream: io.BufferedReader, advance: Advance) -> Iterator[bytes]:
    """Yield the lines, with their ends, from line 2 on.

    Of a line of LONGEST_LINE bytes or more without an end only these bytes are kept.
    """
    waiting = 0
    while line := stream.readline(LONGEST_LINE):
        waiting += len(line)
        if _is_cut(line):
            while (more := stream.readline(LONGEST_LINE)) and not more.endswith(b"\n"):
                waiting += len(more)
        yield line.replace(b"\0", NO_NUL)
        if waiting > 1 << 20:
            advance(waiting)
            waiting = 0
    advance(waiting)


def _is_cut(line: bytes) -> bool:
    """Whether a line is too long to be kept whole."""
    return len(line) == LONGEST_LINE and not line.endswith(b"\n")


def _chunks(lines: io.BufferedReader, header: Header, advance: Advance) -> Iterator[Chunk]:
    """Yield the rows of a table in batches."""
    size = BATCH if len(header.columns.pixels) == 1 else WIDE_BATCH
    start = 0
    batch: list[bytes] = []
    for line in _lines(lines, advance):
        batch.append(line)
        if len(batch) == size:
            yield _chunk(batch, start, header)
            start += size
            batch = []
    yield _chunk(batch, start, header)


def _chunk(lines: list[bytes], start: int, header: Header) -> Chunk:
    """Return the rows of some lines, of which the first is row `start`."""
    reasons = [_fault_of_line(line, header) for line in lines]
    faults = {start + index: reason for index, reason in enumerate(reasons) if reason is not None}
    good = [index for index, reason in enumerate(reasons) if reason is None]
    frame = _split_lines([lines[index] for index in good], header)
    pixels, wrong = _pixels(frame[header.columns.pixels])
    faults |= {start + good[index]: reason for index, reason in wrong.items()}
    return Chunk(start + np.array(good, np.int64), pixels, _column(frame, header.columns.emotion),
                 _column(frame, header.columns.usage), faults, len(lines))


def _pixels(cells: pd.DataFrame) -> tuple[Pixels, dict[int, str]]:
    """Return the pictures of some rows, and the reasons of those that could not be read."""
    if len(cells.columns) == PIXELS and all(dtype == SMALL for dtype in cells.dtypes):
        numbers = cells.to_numpy()
        if not len(numbers) or (numbers.min() >= 0 and numbers.max() <= 255):
            return numbers.astype(np.uint8).reshape(-1, SIDE, SIDE), {}
    texts = [_encoded(" ".join(map(str, row))).strip(b" ") for row in cells.to_numpy()]
    pixels = decode_pixels(texts)
    if pixels is None:
        texts = [single_spaced(text) for text in texts]
        pixels = decode_pixels(texts)
    if pixels is not None:
        return pixels, {}
    faults = {index: fault for index, fault in enumerate(map(pixel_fault, texts)) if fault}
    kept = [index for index in range(len(texts)) if index not in faults]
    decoded = decode_pixels([texts[index] for index in kept])
    assert decoded is not None  # rows without a fault have none together
    pixels = np.zeros((len(texts), SIDE, SIDE), np.uint8)
    pixels[kept] = decoded
    return pixels, faults


def _fault_of_line(line: bytes, header: Header) -> str | None:
    """Return why a line is no row of the table; None if it is one."""
    if _is_cut(line):
        return f"is longer than {LONGEST_LINE:,} bytes, expected at most 9,300"
    text = line.rstrip(b"\r\n")
    columns = len(header.names)
    count = text.count(header.separator.encode()) + 1
    reason = None
    if b'"' in text:
        count, reason = _quoted_fields(text, header)
    if count != columns:
        return f"has {count} columns, expected {columns}" if text.strip() else "is empty"
    if reason is not None:
        return reason
    first, last = header.columns.pixels[0], header.columns.pixels[-1]
    if text == line and last == columns - 1 and text.rstrip(b" ")[-1:].isdigit():
        return "is the last line and has no line end, so its last pixel may be cut"
    if len(text) < LONGEST_HEADER and b"pixels" in text.lower():
        fields = text.split(header.separator.encode())
        if first < len(fields) and fields[first].strip(b' "').lower() == b"pixels":
            return "repeats the header"
    return None


def _quoted_fields(text: bytes, header: Header) -> tuple[int, str | None]:
    """Return the number of columns of a line with quotes, and what is wrong with its quotes."""
    fields = [field.strip(b" ") for field in text.split(header.separator.encode())]
    line = text.decode("latin-1")  # one character for each byte; none is shown
    try:
        rows = csv.reader([line], delimiter=header.separator, skipinitialspace=True, strict=True)
        return len(next(rows)), None
    except csv.Error:
        odd = [place for place, field in enumerate(fields) if field.count(b'"') % 2]
    if not odd or odd[0] >= len(header.names):
        return len(fields), "has a quote within quotes, or behind them"
    field = fields[odd[0]]
    fault = None
    if odd == header.columns.pixels and len(field) > 1 and field[:1] == field[-1:] == b'"':
        fault = pixel_fault(field[1:-1])
    name = shorten(header.names[odd[0]]).strip("'")
    return len(fields), fault or f"{name} has a quote without its partner"


def _split_lines(lines: list[bytes], header: Header) -> pd.DataFrame:
    """Return the columns in use, as texts, of lines that have all columns; named by position."""
    columns = header.columns
    used = [*columns.pixels, *(place for place in (columns.emotion, columns.usage)
                               if place is not None)]
    # Names first, because pandas would drop a BOM at the start of the first line.
    names = header.separator.join(map(str, range(len(header.names)))).encode()
    content = io.BytesIO(b"\n".join([names, *(line.rstrip(b"\r\n") for line in lines)]) + b"\n")
    try:
        frame = _parsed(content, header, used)
    except Exception as error:  # pandas raises nearly every kind
        cause = " ".join(str(error).split())[:200] or type(error).__name__
        raise ValueError(f"source: pandas cannot read the table ({cause})") from error
    check(len(frame) == len(lines), f"source: pandas reads {len(frame):,} rows of {len(lines):,} "
                                    "lines: save the table without quotes")
    return frame


def _parsed(content: io.BytesIO, header: Header, used: list[int]) -> pd.DataFrame:
    """Return columns of a text; those of single pixels as SMALL where all are whole numbers."""
    import pandas as pd  # only here, so that what reads no table starts 0.2 s earlier
    options = {"sep": header.separator, "names": range(len(header.names)), "header": 0,
               "index_col": False, "usecols": used, "na_filter": False, "skip_blank_lines": False,
               "skipinitialspace": True, "lineterminator": "\n", "engine": "c",
               "encoding_errors": "surrogateescape"}
    single = header.columns.pixels
    if len(single) == PIXELS:
        with contextlib.suppress(ValueError, OverflowError):
            return pd.read_csv(content, dtype=dict.fromkeys(used, object)
                               | dict.fromkeys(single, SMALL), **options)
        content.seek(0)
    return pd.read_csv(content, dtype=object, **options)


def _encoded(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")


def _column(frame: pd.DataFrame, place: int | None) -> list[str] | None:
    """Return the texts of a column without spaces around them, None if there is no such column."""
    return None if place is None else [text.strip(" ") for text in frame[place]]
