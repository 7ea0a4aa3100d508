"""Count what a set of faces holds: rows per split and class, constant pictures, and exact duplicates."""

import hashlib
from collections import defaultdict

import numpy as np

from ..shapes import check
from .fer2013 import CLASS_COUNTS, EMOTIONS, SPLIT_COUNTS, UNLABELLED, USAGES


def summarise(pixels, emotion, usage):
    """Counts of a set of faces, as a dict.

    pixels uint8 (M, 48, 48), emotion uint8 (M,), usage uint8 (M,)
    rows                int
    counts              int64 (3, 8): rows of each split and class; the last column is unlabelled rows
    constant            list of int: rows whose pixels are all equal
    distinct            int: different pictures
    duplicates          (3,) list of int: rows of a split that repeat an earlier row of the same split
    also_in_training    (3,) list of int: rows of a split that occur, pixel for pixel, in Training (itself: 0)
    conflicting_groups  int: groups of equal pictures whose (known) labels differ
    """
    counts = np.zeros((len(USAGES), len(EMOTIONS) + 1), np.int64)
    np.add.at(counts, (usage, np.where(emotion == UNLABELLED, len(EMOTIONS), emotion)), 1)
    flat = pixels.reshape(len(pixels), -1)
    constant = np.flatnonzero(flat.min(axis=1) == flat.max(axis=1)) if len(flat) else np.empty(0, int)
    groups = defaultdict(list)
    for row in range(len(flat)):
        groups[flat[row].tobytes()].append(row)
    duplicates, conflicts = [0] * len(USAGES), 0
    for rows in groups.values():
        if len(rows) == 1:
            continue
        splits = usage[rows].tolist()
        conflicts += len(set(emotion[rows].tolist()) - {UNLABELLED}) > 1
        for split in set(splits):
            duplicates[split] += splits.count(split) - 1
    leaked = [0] + [int(occur_in(pixels[usage == split], pixels[usage == 0]).sum()) for split in range(1, len(USAGES))]
    return {"rows": len(flat), "counts": counts, "constant": constant.tolist(), "distinct": len(groups),
            "duplicates": duplicates, "also_in_training": leaked, "conflicting_groups": conflicts}


def occur_in(images, others):
    """Return for each image whether it equals one of others, number for number: a mask (N,) bool.

    images, others    (N, ...) and (M, ...), of one dtype; normalised alike, faces are equal where their pixels are
    """
    check(images.dtype == others.dtype and images.shape[1:] == others.shape[1:],
          f"images, others: got {images.dtype} {images.shape} and {others.dtype} {others.shape}, expected one dtype "
          "and images of one shape")
    known = {hashlib.sha256(image.tobytes()).digest() for image in others}
    return np.array([hashlib.sha256(image.tobytes()).digest() in known for image in images], bool)


def format_summary(summary):
    """The summary as a table for people, each split beside the number of rows that FER2013 has."""
    heads = [*EMOTIONS, "Unlabelled", "All", "FER2013"]
    lines = ["".join(f"{head:>12}" for head in ["", *heads])]
    for split, name in enumerate(USAGES):
        row = summary["counts"][split]
        cells = [*row, row.sum(), SPLIT_COUNTS[split]]
        mark = "" if row.sum() == SPLIT_COUNTS[split] else "  differs"
        if not mark and not row[-1] and tuple(row[:-1]) != CLASS_COUNTS[split]:
            mark = "  classes differ from FER2013"
        lines.append(f"{name:>12}" + "".join(f"{cell:>12,}" for cell in cells) + mark)
    repeats = [f"{name} {count:,}" for name, count in zip(USAGES, summary["duplicates"], strict=True)]
    leaked = summary["also_in_training"]
    lines += [f"constant pictures: {len(summary['constant'])}",
              f"distinct pictures: {summary['distinct']:,} of {summary['rows']:,} rows",
              f"repeats inside a split: {', '.join(repeats)}",
              f"rows that also occur in Training: PublicTest {leaked[1]:,}, PrivateTest {leaked[2]:,}",
              f"groups of equal pictures with differing labels: {summary['conflicting_groups']}"]
    return "\n".join(lines)
