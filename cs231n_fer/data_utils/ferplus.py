"""Read FER+ (Barsoum et al. 2016): ten votes for each row of fer2013.csv.

The votes of a table are aligned by row; those of pictures by the names that FER+ gives them,
fer0000000.png and so on.
"""
import csv
import io
from collections import Counter, defaultdict
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..shapes import check, plain_array
from .compressed import unpacked
from .fer2013 import USAGES, BadRows, Faces, shorten
from .sources import Member

__all__ = ["COLUMNS", "emotion_votes", "read_ferplus"]

LARGEST = 1 << 25  # bytes; fer2013new.csv has 1.8 million
COLUMNS = ("neutral", "happiness", "surprise", "sadness", "anger", "disgust", "fear", "contempt",
           "unknown", "NF")
# In the order of EMOTIONS.
OF_EMOTIONS = ("anger", "disgust", "fear", "happiness", "sadness", "surprise", "neutral")


class _Row(NamedTuple):
    """The split code, the votes and the picture of a line; "" where FER+ found no face."""

    split: int
    votes: tuple[int, ...]
    picture: str


_BAD_ROW = _Row(-1, (0,) * len(COLUMNS), "")


def read_ferplus(member: Member, faces: Faces, bad: BadRows) -> NDArray[np.uint8]:
    """Return the votes of the rows that were read, from fer2013new.csv.

    member    Member of that file (see sources)
    faces     the M rows: of a table, or of pictures with the names of FER+
    bad       BadRows that takes each line whose votes cannot be read, and each picture that is not
              listed or listed with several votes (their votes are then 0)

    Returns uint8 (M, 10) in the order of COLUMNS (NF: no face); all 0 where a line was bad. Raises
    ValueError if the file has other columns; for a table if it has another number of rows, or
    another order of splits; for pictures if none is listed, or if several have one name.
    """
    check(member.size <= LARGEST, f"ferplus: {member.base} has {member.size:,} bytes, expected at "
                                  f"most {LARGEST:,}: it is not fer2013new.csv")
    rows = _read_rows(member, bad)
    if faces.names:
        rows = _by_name(rows, faces, member.base, bad)
    else:
        rows = _by_row(rows, faces, member.base)
    return np.array([row.votes for row in rows], np.uint8).reshape(-1, len(COLUMNS))


def _by_row(rows: list[_Row], faces: Faces, file: str) -> list[_Row]:
    """Return the rows of FER+ for the rows of a table, which have the same order."""
    if len(rows) != faces.records:
        raise ValueError(f"ferplus: {file} has {len(rows):,} rows but the faces have "
                         f"{faces.records:,}: it belongs to the complete fer2013.csv, row by row")
    splits = np.array([row.split for row in rows], np.int64)[faces.record]
    wrong = np.flatnonzero((splits != faces.usage) & (splits >= 0))
    if len(wrong):
        first = wrong[0]
        raise ValueError(f"ferplus: {len(wrong):,} rows of {file} name another split than "
                         f"the faces do, the first in line {faces.record[first] + 2} "
                         f"({USAGES[splits[first]]}, expected {USAGES[faces.usage[first]]}): "
                         "other rows or another order")
    return [rows[record] for record in faces.record]


def _by_name(rows: list[_Row], faces: Faces, file: str, bad: BadRows) -> list[_Row]:
    """Return the rows of FER+ for pictures, matched by name without the suffix."""
    check(len(faces.names) == len(faces.usage),
          f"ferplus: {file} can be matched with the rows of a table or with pictures, not with "
          "both at once: prepare one of them")
    names = [_stem(name) for name in faces.names]
    repeated = [name for name, count in Counter(names).items() if count > 1]
    check(not repeated,
          f"ferplus: {len(repeated):,} names occur several times among the pictures, the first is "
          f"{shorten(repeated[0]) if repeated else ''}: it is unclear whose votes these are")
    listed: dict[str, list[_Row]] = defaultdict(list)
    for row in rows:
        listed[_stem(row.picture)].append(row)
    listed.pop("", None)  # FER+ does not name rows without a face
    check(bool(listed.keys() & set(names)),
          f"ferplus: no picture has a name of {file}, such as {next(iter(listed), 'none')}.png; "
          f"the first is {shorten(faces.names[0])}. It is unclear whose votes these are: prepare "
          "fer2013.csv instead")
    return [_agreed(listed.get(stem, []), name, file, bad)
            for name, stem in zip(faces.names, names, strict=True)]


def _agreed(rows: list[_Row], name: str, file: str, bad: BadRows) -> _Row:
    """Return the row of a picture, which FER+ may list twice with the same votes (as it does four
    times); _BAD_ROW after noting the fault.
    """
    if not rows:
        bad.add(name, f"is not listed in {file}, so it has no votes")
        return _BAD_ROW
    if any(row.votes != rows[0].votes for row in rows):
        bad.add(name, f"is listed in {file} {len(rows)} times, with different votes")
        return _BAD_ROW
    return rows[0]


def _stem(picture: str) -> str:
    """Return the name of a picture in lower case, without its suffix."""
    return picture.lower().rsplit(".", 1)[0]


def emotion_votes(votes: ArrayLike) -> NDArray[np.generic]:
    """Return votes (..., 7) for EMOTIONS, out of votes (..., 10) in the order of COLUMNS.

    Raises ValueError for another last axis, and for votes that are not real numbers.
    """
    ten: NDArray[np.generic] = plain_array(votes, "votes")
    check(ten.ndim >= 1 and ten.shape[-1] == len(COLUMNS),
          f"votes: got shape {ten.shape}, expected (..., {len(COLUMNS)})")
    check(ten.dtype.kind in "biuf", f"votes: got {ten.dtype}, expected numbers")
    return ten[..., [COLUMNS.index(name) for name in OF_EMOTIONS]]


def _read_rows(member: Member, bad: BadRows) -> list[_Row]:
    """Return the split and the votes of every line after the header; faults go to bad."""
    with unpacked(member.open(), member.name, LARGEST) as stream:
        text = io.TextIOWrapper(stream, "utf-8-sig", errors="replace", newline="")
        lines = csv.reader(text, strict=True)
        try:
            header = [name.strip() for name in next(lines, [])]
            if ",".join(header).lower() != ",".join(["Usage", "Image name", *COLUMNS]).lower():
                raise ValueError(f"ferplus: {member.base} begins with "
                                 f"{shorten(','.join(header), 120)}; expected Usage,Image name,"
                                 f"{','.join(COLUMNS)}")
            return [_read_row(fields, f"{member.base} line {number}", bad)
                    for number, fields in enumerate(lines, 2)]
        except csv.Error as error:
            raise ValueError(f"ferplus: {member.base} line {lines.line_num} is no CSV ({error})"
                             ) from error


def _read_row(fields: list[str], place: str, bad: BadRows) -> _Row:
    """Return the row of a line; _BAD_ROW after its fault is noted."""
    if len(fields) != 2 + len(COLUMNS):
        bad.add(place, f"has {len(fields)} columns, expected {2 + len(COLUMNS)}")
        return _BAD_ROW
    usage, picture, *votes = (field.strip() for field in fields)
    if usage not in USAGES:
        bad.add(place, f"usage is {shorten(usage)}, expected one of {', '.join(USAGES)}")
        return _BAD_ROW
    for name, vote in zip(COLUMNS, votes, strict=True):
        if not (vote.isascii() and vote.isdigit() and len(vote) <= 2):
            bad.add(place, f"{name} is {shorten(vote)}, expected a whole number of votes")
            return _BAD_ROW
    return _Row(USAGES.index(usage), tuple(int(vote) for vote in votes), picture)
