"""What FER2013 is: names, codes and counts; and the record of rows that every reader returns."""
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from ..types import Pixels

__all__ = ["CLASS_COUNTS", "EMOTIONS", "PIXELS", "SIDE", "SPLIT_COUNTS", "UNLABELLED", "USAGES",
           "WHERE_TO_GET_IT", "Advance", "BadRows", "Codes", "Faces", "Say", "join", "readable",
           "shorten"]

EMOTIONS = ("Anger", "Disgust", "Fear", "Happy", "Sad", "Surprise", "Neutral")
USAGES = ("Training", "PublicTest", "PrivateTest")
UNLABELLED = 255
SIDE = 48
PIXELS = SIDE * SIDE

# Rows of each split (Training, PublicTest, PrivateTest) and class in Kaggle's fer2013.csv.
CLASS_COUNTS = ((3995, 436, 4097, 7215, 4830, 3171, 4965),
                (467, 56, 496, 895, 653, 415, 607),
                (491, 55, 528, 879, 594, 416, 626))
SPLIT_COUNTS = (28709, 3589, 3589)

WHERE_TO_GET_IT = """\
Any one of these files will do (a free Kaggle account is needed):
  fer2013.csv, fer2013.tar.gz or archive.zip    https://www.kaggle.com/datasets/deadskull7/fer2013
  icml_face_data.csv, or train.csv and test.csv https://www.kaggle.com/competitions/
                  challenges-in-representation-learning-facial-expression-recognition-challenge/data
Put it, unpacked or as downloaded, into the folder data/ of this repository (or of the working
directory), which is searched three levels deep, or name it with --data PATH or the environment
variable CS231N_FER_DATA."""

MOST_SHOWN = 20
MOST_BAD = 100_000

Codes: TypeAlias = NDArray[np.uint8]          # (M,), emotions or usages by number
Advance: TypeAlias = Callable[[int], object]  # moves a progress bar by some bytes or pictures
Say: TypeAlias = Callable[[str], object]      # prints a line that a person should read


@dataclass
class BadRows:
    """The rows that could not be read, as (place, reason); place names the file and the line.

    Reading stops with a ValueError after 100,000 of them, so that a huge wrong file cannot fill the
    memory.
    """

    rows: list[tuple[str, str]] = field(default_factory=list)

    def add(self, place: str, reason: str) -> None:
        """Note that the row at `place` cannot be read, and why."""
        self.rows.append((place, reason))
        if len(self.rows) > MOST_BAD:
            raise ValueError(f"source: more than {MOST_BAD:,} bad rows, so this is not a file of "
                             f"faces; the first:\n{self.report()}")

    def report(self, most: int = MOST_SHOWN) -> str:
        """Return the first `most` bad rows, one a line, and how many more there are."""
        lines = [f"  {place}: {reason}" for place, reason in self.rows[:most]]
        if len(self.rows) > most:
            lines.append(f"  ... and {len(self.rows) - most:,} more")
        return "\n".join(lines)

    def __len__(self) -> int:
        return len(self.rows)


@dataclass
class Faces:
    """The M good rows of a source, in file order.

    pixels    uint8 (M, 48, 48)
    emotion   uint8 (M,)
    usage     uint8 (M,)
    record    int64 (M,), index of the row among all rows of the source, bad ones included (aligns
              FER+)
    records   number of rows of the source, bad ones included
    names     file names of pictures, without their folders; [] for the rows of a table
    """

    pixels: Pixels
    emotion: Codes
    usage: Codes
    record: NDArray[np.int64]
    records: int
    names: list[str] = field(default_factory=list)


def join(parts: list[Faces]) -> Faces:
    """Return one Faces record from a list of them, in order."""
    if len(parts) == 1:
        return parts[0]
    ends = np.cumsum([part.records for part in parts])
    starts = [0, *ends[:-1]]
    return Faces(
        pixels=np.concatenate([part.pixels for part in parts]),
        emotion=np.concatenate([part.emotion for part in parts]),
        usage=np.concatenate([part.usage for part in parts]),
        record=np.concatenate([part.record + start
                               for part, start in zip(parts, starts, strict=True)]),
        records=int(ends[-1]),
        names=[name for part in parts for name in part.names])


def readable(name: object) -> str:
    """Return a file name as printable text that can be stored; bytes that aren't UTF-8 as \\xff."""
    return str(name).encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")


def shorten(value: bytes | str, most: int = 40) -> str:
    """Return a value quoted, printable and cut to `most` characters, for an error message."""
    text = value.decode("utf-8", "backslashreplace") if isinstance(value, bytes) else value
    return ascii(text if len(text) <= most else text[:most] + "...")
