"""From the chunks of any table to Faces: every row is checked here, whatever file it came from.

The readers kaggle (CSV), parquet and arrays (.npz) yield Chunks. This module turns their classes
and splits into codes, names each row that cannot be used, and says what was understood.
"""
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import IO, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..shapes import check
from ..types import Pixels
from .fer2013 import EMOTIONS, SIDE, UNLABELLED, USAGES, BadRows, Codes, Faces, Say, shorten
from .names import TEST, emotion_code, is_further, split_of_file, usage_code
from .pictures import read_picture
from .pixels import center_square, resized

__all__ = ["FURTHER", "STRICT", "Chunk", "Fitting", "Rules", "Table", "faces_of"]

MOST_SAID = 12  # spellings of classes
LONGEST_SAID = 200


class Rules(NamedTuple):
    """What may be done with data that is not of FER2013's form.

    resize       pictures of other sizes become 48 x 48: their central square is resized
    leave_out    rows of a further class, such as contempt, are left out and counted
    split        fractions of Training, PublicTest and PrivateTest, into which all rows are drawn
                 anew, or None: the source says its splits
    seed         of that draw
    """

    resize: bool = False
    leave_out: bool = False
    split: tuple[float, float, float] | None = None
    seed: int = 0


STRICT = Rules()
FURTHER = "a class that FER2013 does not have: leave such rows out with --further leave-out"


@dataclass
class Fitting:
    """Makes pictures 48 x 48 where that is allowed, and counts those that were resized."""

    allowed: bool
    resized: int = 0

    def picture(self, stream: IO[bytes]) -> Pixels:
        """Return the picture in a file, uint8 (48, 48); ValueError if it is none, or too large."""
        # Without leave to resize, a picture of another size is refused before it is unpacked.
        return self.gray(read_picture(stream, None if self.allowed else SIDE))

    def gray(self, gray: Pixels) -> Pixels:
        """Return gray levels (H, W) as (48, 48): the central square, resized."""
        if gray.shape == (SIDE, SIDE):
            return gray
        check(self.allowed, f"is {gray.shape[1]}x{gray.shape[0]} pixels, expected {SIDE}x{SIDE}")
        self.resized += 1
        return resized(center_square(gray), SIDE, SIDE)

    def report(self, name: str, say: Say) -> None:
        """Say how many pictures were resized, if any."""
        if self.resized:
            say(f"{name}: {self.resized:,} pictures of other sizes were resized to {SIDE}x{SIDE} "
                "(their central square)")


class Table(NamedTuple):
    """What a table is, before its rows are read.

    name      of the file, in messages
    row       what a row is called ("line") and the number of the first
    form      what was understood of columns and separators, to be said
    """

    name: str
    row: tuple[str, int]
    form: str


class Chunk(NamedTuple):
    """Some rows of a table, in order.

    record     int64 (N,), indices of the rows that have all columns, among all rows
    pixels     uint8 (N, 48, 48), anything where they could not be read
    emotion    texts of the N classes, None if the table has none
    usage      texts of the N splits, None if the table has none
    faults     reasons by index, of the rows that lack a column or whose pixels could not be read
    rows       number of rows, faulty ones included
    """

    record: NDArray[np.int64]
    pixels: Pixels
    emotion: list[str] | None
    usage: list[str] | None
    faults: dict[int, str]
    rows: int


def faces_of(table: Table, chunks: Iterable[Chunk], bad: BadRows, rules: Rules, say: Say) -> Faces:
    """Return the Faces of the good rows of a table; each other row goes to bad, with its reason.

    Without classes all rows are unlabelled. Without splits, a table with classes belongs to the
    split that its file name begins with, else to Training; one without is test.csv, whose first
    half is PublicTest and the rest PrivateTest. Splits may still be names.TEST. Rows of a further
    class are left out if rules say so, and are bad rows otherwise.
    """
    say(f"{table.name}: {table.form}")
    pixels = [np.empty((0, SIDE, SIDE), np.uint8)]
    emotion = [np.empty(0, np.uint8)]
    usage = [np.empty(0, np.uint8)]
    record = [np.empty(0, np.int64)]
    classes: Counter[str] = Counter()
    splits: Counter[str] = Counter()
    records = 0
    labelled = True
    divided = True
    for chunk in chunks:
        records += chunk.rows
        labelled = chunk.emotion is not None
        divided = chunk.usage is not None
        classes.update(chunk.emotion or [])
        splits.update(chunk.usage or [])
        labels, reasons = _labels(chunk, split_of_file(table.name))
        faults = chunk.faults | {int(chunk.record[index]): reason
                                 for index, reason in reasons.items()}
        kept = np.array([record not in faults for record in chunk.record.tolist()], bool)
        if rules.leave_out:
            faults = {index: reason for index, reason in faults.items()
                      if not reason.endswith(FURTHER)}
        _note(table, faults, bad)
        pixels.append(chunk.pixels[kept])
        emotion.append(labels[0][kept])
        usage.append(labels[1][kept])
        record.append(chunk.record[kept])
    faces = Faces(np.concatenate(pixels), np.concatenate(emotion), np.concatenate(usage),
                  np.concatenate(record), records)
    if not labelled and not divided:
        faces.usage = np.where(faces.record < (records + 1) // 2, 1, 2).astype(np.uint8)
    _say_labels(table.name, classes, splits, rules, say)
    if labelled and not divided:
        code = split_of_file(table.name)
        say(f"{table.name}: no column of splits, so all rows are "
            f"{'test' if code == TEST else USAGES[code]}, by the name of the file")
    return faces


def _labels(chunk: Chunk, split: int) -> tuple[tuple[Codes, Codes], dict[int, str]]:
    """Return the codes of classes and splits of a chunk, and the reasons of faults by position."""
    count = len(chunk.record)
    emotion = np.full(count, UNLABELLED, np.uint8)
    usage = np.full(count, split, np.uint8)
    reasons: dict[int, str] = {}
    for index, text in enumerate(chunk.usage or []):
        code = usage_code(text)
        usage[index] = 0 if code is None else code
        if code is None:
            reasons[index] = (f"usage is {shorten(text)}, expected one of {', '.join(USAGES)}, "
                              "or train, validation and test")
    for index, text in enumerate(chunk.emotion or []):
        code = emotion_code(text)
        emotion[index] = 0 if code is None else code
        if code is None:
            wanted = FURTHER if is_further(text) else "or a name such as Happy"
            reasons[index] = (f"emotion is {shorten(text)}, expected 0 to {len(EMOTIONS) - 1}, "
                              f"{wanted}")
    return (emotion, usage), reasons


def _note(table: Table, faults: dict[int, str], bad: BadRows) -> None:
    """Note the faulty rows in order."""
    unit, first = table.row
    for record in sorted(faults):
        bad.add(f"{table.name} {unit} {first + record}", faults[record])


def _say_labels(name: str, classes: Counter[str], splits: Counter[str], rules: Rules, say: Say
                ) -> None:
    """Say what the spellings of classes and splits were taken for, and how often they came."""
    known = {text: emotion_code(text) for text in classes}
    _say_map(f"{name}: classes", {text: EMOTIONS[code] for text, code in known.items()
                                  if code is not None}, classes, say)
    if rules.leave_out:
        left = {text: "left out" for text in classes if known[text] is None and is_further(text)}
        _say_map(f"{name}: further classes", left, classes, say)
    named = {text: usage_code(text) for text in splits}
    _say_map(f"{name}: splits", {text: "test" if code == TEST else USAGES[code]
                                 for text, code in named.items() if code is not None}, splits, say)


def _say_map(head: str, meanings: dict[str, str], counts: Counter[str], say: Say) -> None:
    """Say what each spelling means, on one line."""
    parts = [f"{shorten(text)} = {meanings[text]} ({counts[text]:,})" for text in sorted(meanings)]
    if parts:
        more = f" and {len(parts) - MOST_SAID:,} more spellings" if len(parts) > MOST_SAID else ""
        say(f"{head}: {', '.join(parts[:MOST_SAID])}{more}")
