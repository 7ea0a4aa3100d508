"""Read FER+ (Barsoum et al. 2016): ten votes for each row of fer2013.csv, aligned by row."""
import csv
import io
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..shapes import check, plain_array
from .fer2013 import USAGES, BadRows, Codes, shorten
from .sources import Member

__all__ = ["COLUMNS", "emotion_votes", "read_ferplus"]

LARGEST = 1 << 25  # bytes; fer2013new.csv has 1.8 million
COLUMNS = ("neutral", "happiness", "surprise", "sadness", "anger", "disgust", "fear", "contempt",
           "unknown", "NF")
# In the order of EMOTIONS.
OF_EMOTIONS = ("anger", "disgust", "fear", "happiness", "sadness", "surprise", "neutral")


class _Row(NamedTuple):
    """The split code and the votes of a line."""

    split: int
    votes: tuple[int, ...]


_BAD_ROW = _Row(-1, (0,) * len(COLUMNS))


def read_ferplus(member: Member, usage: Codes, record: NDArray[np.int64], records: int,
                 bad: BadRows) -> NDArray[np.uint8]:
    """Return the votes of the rows that were read, from fer2013new.csv.

    member    Member of that file (see sources)
    usage     uint8 (M,), the splits of the rows
    record    int64 (M,), their positions among all `records` rows of the source
    bad       BadRows that takes each line whose votes cannot be read (its votes are then 0)

    Returns uint8 (M, 10) in the order of COLUMNS (NF: no face); all 0 where a line was bad. Raises
    ValueError if the file has other columns, another number of rows, or another order of splits.
    """
    check(member.size <= LARGEST, f"ferplus: {member.base} has {member.size:,} bytes, expected at "
                                  f"most {LARGEST:,}: it is not fer2013new.csv")
    rows = _read_rows(member, bad)
    if len(rows) != records:
        raise ValueError(f"ferplus: {member.base} has {len(rows):,} rows but the faces have "
                         f"{records:,}: it belongs to the complete fer2013.csv, row by row")
    splits = np.array([row.split for row in rows], np.int64)[record]
    wrong = np.flatnonzero((splits != usage) & (splits >= 0))
    if len(wrong):
        first = wrong[0]
        raise ValueError(f"ferplus: {len(wrong):,} rows of {member.base} name another split than "
                         f"the faces do, the first in line {record[first] + 2} "
                         f"({USAGES[splits[first]]}, expected {USAGES[usage[first]]}): "
                         "other rows or another order")
    return np.array([row.votes for row in rows], np.uint8).reshape(-1, len(COLUMNS))[record]


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
    with member.open() as stream:
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
    usage, _, *votes = (field.strip() for field in fields)
    if usage not in USAGES:
        bad.add(place, f"usage is {shorten(usage)}, expected one of {', '.join(USAGES)}")
        return _BAD_ROW
    for name, vote in zip(COLUMNS, votes, strict=True):
        if not (vote.isascii() and vote.isdigit() and len(vote) <= 2):
            bad.add(place, f"{name} is {shorten(vote)}, expected a whole number of votes")
            return _BAD_ROW
    return _Row(USAGES.index(usage), tuple(int(vote) for vote in votes))
