"""Read FER+ (Barsoum et al. 2016): ten votes for each row of fer2013.csv, aligned by row."""

import csv
import io

import numpy as np

from ..shapes import check
from .fer2013 import USAGES, shorten

LARGEST = 1 << 25  # bytes; fer2013new.csv has 1.8 million
COLUMNS = ("neutral", "happiness", "surprise", "sadness", "anger", "disgust", "fear", "contempt", "unknown",
           "NF")
OF_EMOTIONS = ("anger", "disgust", "fear", "happiness", "sadness", "surprise", "neutral")  # in the order of EMOTIONS


def read_ferplus(member, usage, record, records, bad):
    """Votes of the rows that were read, from fer2013new.csv.

    member   Member of that file (see sources)
    usage    uint8 (M,), the splits of the rows
    record   int64 (M,), their positions among all `records` rows of the source
    bad      BadRows that takes each line whose votes cannot be read (its votes are then 0)
    returns  uint8 (M, 10) in the order of COLUMNS (NF: no face); all 0 where a line was bad
    Raises ValueError if the file has other columns, another number of rows, or another order of splits.
    """
    check(member.size <= LARGEST,
          f"ferplus: {member.base} has {member.size:,} bytes, expected at most {LARGEST:,}: it is not fer2013new.csv")
    with member.open() as stream:
        lines = csv.reader(io.TextIOWrapper(stream, "utf-8-sig", errors="replace", newline=""), strict=True)
        try:
            header = [name.strip() for name in next(lines, [])]
            if ",".join(header).lower() != ",".join(["Usage", "Image name", *COLUMNS]).lower():
                raise ValueError(f"ferplus: {member.base} begins with {shorten(','.join(header), 120)}; "
                                 f"expected Usage,Image name,{','.join(COLUMNS)}")
            rows = [_row(fields, f"{member.base} line {line}", bad) for line, fields in enumerate(lines, 2)]
        except csv.Error as error:
            raise ValueError(f"ferplus: {member.base} line {lines.line_num} is no CSV ({error})") from error
    if len(rows) != records:
        raise ValueError(f"ferplus: {member.base} has {len(rows):,} rows but the faces have {records:,}: "
                         "it belongs to the complete fer2013.csv, row by row")
    splits = np.array([split for split, _ in rows], np.int64)[record]
    wrong = np.flatnonzero((splits != usage) & (splits >= 0))
    if len(wrong):
        line = int(record[wrong[0]]) + 2
        came, expected = USAGES[splits[wrong[0]]], USAGES[usage[wrong[0]]]
        raise ValueError(f"ferplus: {len(wrong):,} rows of {member.base} name another split than the faces "
                         f"do, the first in line {line} ({came}, expected {expected}): "
                         "other rows or another order")
    return np.array([votes for _, votes in rows], np.uint8).reshape(-1, len(COLUMNS))[record]


def emotion_votes(votes):
    """Votes (..., 7) for each of EMOTIONS, out of votes (..., 10) in the order of COLUMNS."""
    votes = np.asarray(votes)
    check(votes.ndim >= 1 and votes.shape[-1] == len(COLUMNS),
          f"votes: got shape {votes.shape}, expected (..., {len(COLUMNS)})")
    return votes[..., [COLUMNS.index(name) for name in OF_EMOTIONS]]


def _row(fields, place, bad):
    """(split code, ten votes) of a line; (-1, zeros) after its fault is noted."""
    nothing = -1, (0,) * len(COLUMNS)
    if len(fields) != 2 + len(COLUMNS):
        bad.add(place, f"has {len(fields)} columns, expected {2 + len(COLUMNS)}")
        return nothing
    usage, _, *votes = (field.strip() for field in fields)
    if usage not in USAGES:
        bad.add(place, f"usage is {shorten(usage)}, expected one of {', '.join(USAGES)}")
        return nothing
    for name, vote in zip(COLUMNS, votes, strict=True):
        if not (vote.isascii() and vote.isdigit() and len(vote) <= 2):
            bad.add(place, f"{name} is {shorten(vote)}, expected a whole number of votes")
            return nothing
    return USAGES.index(usage), tuple(map(int, votes))
