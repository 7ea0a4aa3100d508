"""Read faces from Parquet files, in batches of rows: as texts, lists, single pixels, or pictures.

Pictures are kept as Hugging Face's library stores them: the bytes of a picture file, alone or in a
record {bytes, path}. Its names of classes, which stand in the file, say what its numbers mean.
"""
import io
import json
from collections.abc import Iterator, Sequence
from typing import IO, Any

import numpy as np

from ..shapes import check
from ..types import Pixels
from .compressed import LARGEST_CSV
from .fer2013 import PIXELS, SIDE, BadRows, Faces, Say, shorten
from .names import Columns, find_columns
from .pixel_texts import decode_pixels, pixel_fault, single_spaced
from .tables import Chunk, Fitting, Rules, Table, faces_of

__all__ = ["read_parquet"]

BATCH = 512
MOST_ROWS = 1_000_000
LARGEST_BATCH = 1 << 28  # bytes
LARGEST_PICTURE = 1 << 22  # bytes
LONGEST_NAME = 1000  # bytes, of a class or a split
PICTURES = ("pixels", "image", "img")


def read_parquet(stream: IO[bytes], name: str, bad: BadRows, rules: Rules, say: Say) -> Faces:
    """Read a Parquet file of faces: pixels or image [, emotion or label] [, usage or split].

    stream    binary stream that can seek; closed
    name      name of the file in messages
    bad       BadRows that takes each row that cannot be read, by its number, from 1 on
    rules     whether pictures of other sizes are resized, and what to do with a further class
    say       called with what was understood

    Returns Faces of the good rows; see tables.faces_of. Raises ValueError for other columns, for a
    damaged file, for one of more than 1 GiB when unpacked, and without the library pyarrow.
    """
    fitting = Fitting(rules.resize)
    with stream:
        file = _opened(stream, name)
        names = list(file.schema_arrow.names)
        columns = find_columns(names, PICTURES)
        if columns is None:
            raise ValueError(f"source: {name} has the columns {shorten(', '.join(names), 80)}; "
                             "expected pixels or image, emotion or label, and usage or split "
                             f"(pixels always, or {PIXELS:,} columns of one pixel each)")
        table = Table(name, ("row", 1), _form(names, columns))
        faces = faces_of(table, _chunks(file, names, columns, fitting, name), bad, rules, say)
    fitting.report(name, say)
    return faces


def _opened(stream: IO[bytes], name: str) -> Any:
    """Return a ParquetFile whose declared size is bounded."""
    try:
        from pyarrow.parquet import ParquetFile  # an extra
    except ImportError as error:
        raise ValueError(f"source: {name} is a Parquet file, which needs the library pyarrow "
                         f'({error}): pip install "cs231n_fer[parquet]"') from error
    try:
        file = ParquetFile(stream)
        groups = [file.metadata.row_group(i) for i in range(file.metadata.num_row_groups)]
        values = max((group.column(i).num_values for group in groups
                      for i in range(group.num_columns)), default=0)
    except Exception as error:  # a damaged file raises nearly every kind
        raise _damage(name, error) from error
    size = sum(group.total_byte_size for group in groups)
    rows = file.metadata.num_rows
    check(0 <= size <= LARGEST_CSV and rows <= MOST_ROWS and values <= rows * PIXELS,
          f"source: {name} declares {rows:,} rows of {size:,} bytes, expected at most "
          f"{MOST_ROWS:,} of {LARGEST_CSV:,}, and {PIXELS:,} numbers in each")
    return file


def _batch_size(file: Any) -> int:
    """Return a number of rows that cannot fill the memory.

    A text that is stored once for many rows is unpacked for each of them, and may be as large as
    what is stored.
    """
    groups = [file.metadata.row_group(i) for i in range(file.metadata.num_row_groups)]
    largest = max((group.total_byte_size for group in groups), default=0)
    return max(1, min(BATCH, LARGEST_BATCH // max(1, largest)))


def _damage(name: str, error: Exception) -> ValueError:
    cause = " ".join(str(error).split())[:200] or type(error).__name__
    return ValueError(f"source: {name} is damaged ({cause}): download it again")


def _form(names: list[str], columns: Columns) -> str:
    """Return what was understood of the columns, in words."""
    parts = [f"pixels in {shorten(names[columns.pixels[0]])}"]
    if len(columns.pixels) > 1:
        parts[0] += f" and {len(columns.pixels) - 1:,} more columns"
    for what, place in (("class", columns.emotion), ("split", columns.usage)):
        parts.append(f"{what} in {'no column' if place is None else shorten(names[place])}")
    unused = ", ".join(shorten(names[place]) for place in columns.unused[:10])
    return f"Parquet: {', '.join(parts)}; not used: {unused or 'none'}"


def _chunks(file: Any, names: list[str], columns: Columns, fitting: Fitting, name: str
            ) -> Iterator[Chunk]:
    """Yield the rows of a file in batches."""
    places = [place for place in (columns.emotion, columns.usage) if place is not None]
    used = [names[place] for place in [*columns.pixels, *places]]
    meanings = {place: _class_names(file.schema_arrow, names[place]) for place in places}
    start = 0
    try:
        for batch in file.iter_batches(batch_size=_batch_size(file), columns=used):
            cells = [batch.column(batch.schema.get_field_index(names[place]))
                     for place in columns.pixels]
            texts = [None if place is None else
                     _texts(batch.column(batch.schema.get_field_index(names[place])),
                            meanings[place])
                     for place in (columns.emotion, columns.usage)]
            yield _chunk(cells, texts[0], texts[1], start, fitting)
            start += len(cells[0])
    except Exception as error:  # a damaged file raises nearly every kind
        raise _damage(name, error) from error


def _chunk(cells: Sequence[Any], emotion: list[str] | None, usage: list[str] | None, start: int,
           fitting: Fitting) -> Chunk:
    """Return some rows; cells is one column of whole pictures, or a column for each pixel."""
    count = len(cells[0])
    pixels = np.zeros((count, SIDE, SIDE), np.uint8)
    faults = {}
    rows = cells[0] if len(cells) == 1 else zip(*(column.to_pylist() for column in cells),
                                                strict=True)
    for index, row in enumerate(rows):
        try:
            pixels[index] = _face(list(row) if len(cells) > 1 else _unpacked(row, LARGEST_PICTURE),
                                  fitting)
        except ValueError as error:
            faults[start + index] = str(error)
    return Chunk(np.arange(start, start + count), pixels, emotion, usage, faults, count)


def _unpacked(scalar: Any, most: int) -> Any:
    """Return a cell as an object of Python, of a record its bytes.

    Raises ValueError for a text, a picture or a list of more than `most` bytes or numbers, which is
    not unpacked.
    """
    import pyarrow as pa
    if isinstance(scalar, pa.StructScalar):
        check("bytes" in scalar.type.names, "is a record without the bytes of a picture")
        scalar = scalar["bytes"]
    if not scalar.is_valid:
        return None
    size = 0
    if isinstance(scalar, pa.BinaryScalar):
        size = scalar.as_buffer().size
    elif isinstance(scalar, pa.ListScalar):
        size = len(scalar.values.flatten() if pa.types.is_list(scalar.type.value_type)
                   else scalar.values)
    check(size <= most, f"has {size:,} bytes or numbers in a cell, expected at most {most:,}")
    return scalar.as_py()


def _face(cell: Any, fitting: Fitting) -> Pixels:
    """Return one picture, uint8 (48, 48), of a text, a list of numbers, or a picture file."""
    check(cell is not None, "has no pixels, or only the name of a picture file")
    if isinstance(cell, bytes):
        return fitting.picture(io.BytesIO(cell))
    if isinstance(cell, list):
        cell = json.dumps(cell)
    check(isinstance(cell, str), f"has {type(cell).__name__} as pixels, expected a text, a list of "
                                 "numbers, or a picture")
    text = single_spaced(cell.encode("utf-8", "replace"))
    pixels = decode_pixels([text])
    if pixels is None:
        raise ValueError(pixel_fault(text))
    face: Pixels = pixels[0]
    return face


def _class_names(schema: Any, column: str) -> list[str]:
    """Return the names of the classes that Hugging Face's library keeps for a column, or []."""
    try:
        content = json.loads((schema.metadata or {})[b"huggingface"])
        names = content["info"]["features"][column]["names"]
    except (KeyError, TypeError, ValueError):
        return []
    if isinstance(names, dict):  # of early versions: {"0": name}
        names = [names.get(str(code)) for code in range(len(names))]
    return [str(name) for name in names] if isinstance(names, list) else []


def _texts(column: Any, names: list[str]) -> list[str]:
    """Return classes or splits as texts; numbers mean what the names of the file say."""
    return [_text(scalar, names) for scalar in column]


def _text(scalar: Any, names: list[str]) -> str:
    """Return one class or split as a text; one that is no such thing as a text that is none."""
    try:
        cell = _unpacked(scalar, LONGEST_NAME)
    except ValueError as error:
        return str(error)
    if cell is None:
        return ""
    if not names:
        return str(cell)
    known = isinstance(cell, int) and 0 <= cell < len(names)
    return names[cell] if known else f"{cell}, which has no name"
