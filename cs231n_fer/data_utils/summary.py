"""Count what a set of faces holds: rows of splits and classes, constant and duplicate pictures."""
import hashlib
from collections import defaultdict
from typing import TypedDict

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..shapes import check, plain_array
from .fer2013 import CLASS_COUNTS, EMOTIONS, SPLIT_COUNTS, UNLABELLED, USAGES

__all__ = ["Summary", "format_summary", "occur_in", "summarise"]


class Summary(TypedDict):
    """Counts of a set of faces; "split" below means one of Training, PublicTest and PrivateTest."""

    rows: int
    counts: NDArray[np.int64]    # (3, 8), rows of a split and class; the last column is unlabeled
    constant: list[int]          # rows whose pixels are all equal
    distinct: int                # number of different pictures
    duplicates: list[int]        # (3,), rows of a split that repeat an earlier row of it
    also_in_training: list[int]  # (3,), rows of a split that equal a row of Training (itself: 0)
    conflicting_groups: int      # groups of equal pictures whose known labels differ


def summarise(pixels: ArrayLike, emotion: ArrayLike, usage: ArrayLike) -> Summary:
    """Return the counts of a set of faces.

    pixels    uint8 (M, 48, 48)
    emotion   uint8 (M,)
    usage     uint8 (M,)

    Raises ValueError for arrays of other lengths or of other numbers than integers.
    """
    faces: NDArray[np.uint8] = plain_array(pixels, "pixels")
    labels: NDArray[np.uint8] = plain_array(emotion, "emotion")
    splits: NDArray[np.uint8] = plain_array(usage, "usage")
    for name, array in (("pixels", faces), ("emotion", labels), ("usage", splits)):
        check(array.dtype.kind in "iu" and array.shape[:1] == splits.shape[:1] != (),
              f"{name}: got {array.dtype} {array.shape}, expected integers, as many as usages")
    counts = np.zeros((len(USAGES), len(EMOTIONS) + 1), np.int64)
    np.add.at(counts, (splits, np.where(labels == UNLABELLED, len(EMOTIONS), labels)), 1)
    flat = faces.reshape(len(faces), -1)
    constant = (np.flatnonzero(flat.min(axis=1) == flat.max(axis=1)) if len(flat)
                else np.empty(0, int))
    groups = defaultdict(list)
    for row in range(len(flat)):
        groups[flat[row].tobytes()].append(row)
    duplicates = [0] * len(USAGES)
    conflicts = 0
    for rows in groups.values():
        if len(rows) == 1:
            continue
        places = splits[rows].tolist()
        conflicts += len(set(labels[rows].tolist()) - {UNLABELLED}) > 1
        for split in set(places):
            duplicates[split] += places.count(split) - 1
    training = faces[splits == 0]
    repeated = [int(occur_in(faces[splits == split], training).sum())
                for split in range(1, len(USAGES))]
    return {"rows": len(flat), "counts": counts, "constant": constant.tolist(),
            "distinct": len(groups), "duplicates": duplicates, "also_in_training": [0, *repeated],
            "conflicting_groups": conflicts}


def occur_in(images: ArrayLike, others: ArrayLike) -> NDArray[np.bool_]:
    """Return a mask (N,) bool of the images that equal one of the others, number for number.

    images    (N, ...)
    others    (M, ...) of the same dtype; images normalized alike are equal where their pixels are

    Raises ValueError for another dtype or images of another shape.
    """
    mine: NDArray[np.generic] = plain_array(images, "images")
    known: NDArray[np.generic] = plain_array(others, "others")
    check(mine.dtype == known.dtype and mine.dtype.kind in "biuf"
          and mine.ndim == known.ndim >= 1 and mine.shape[1:] == known.shape[1:],
          f"images, others: got {mine.dtype} {mine.shape} and {known.dtype} {known.shape}, "
          "expected real numbers of one dtype and images of one shape")
    digests = {hashlib.sha256(image.tobytes()).digest() for image in known}
    return np.array([hashlib.sha256(image.tobytes()).digest() in digests for image in mine], bool)


def format_summary(summary: Summary) -> str:
    """Return the summary as a table for people, with FER2013's number of rows beside each split."""
    heads = [*EMOTIONS, "Unlabelled", "All", "FER2013"]
    lines = ["".join(f"{head:>12}" for head in ["", *heads])]
    for split, name in enumerate(USAGES):
        row = summary["counts"][split]
        cells = [*row, row.sum(), SPLIT_COUNTS[split]]
        mark = "" if row.sum() == SPLIT_COUNTS[split] else "  differs"
        if not mark and not row[-1] and tuple(row[:-1]) != CLASS_COUNTS[split]:
            mark = "  classes differ from FER2013"
        lines.append(f"{name:>12}" + "".join(f"{cell:>12,}" for cell in cells) + mark)
    repeats = [f"{name} {count:,}"
               for name, count in zip(USAGES, summary["duplicates"], strict=True)]
    _, public, private = summary["also_in_training"]
    lines += [f"constant pictures: {len(summary['constant'])}",
              f"distinct pictures: {summary['distinct']:,} of {summary['rows']:,} rows",
              f"repeats inside a split: {', '.join(repeats)}",
              "rows that also occur in Training: "
              f"PublicTest {public:,}, PrivateTest {private:,}",
              "groups of equal pictures with differing labels: "
              f"{summary['conflicting_groups']}"]
    return "\n".join(lines)
