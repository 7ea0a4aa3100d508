"""What FER2013 is: names, codes and counts; and the record of rows that every reader of it returns."""

from dataclasses import dataclass, field

import numpy as np

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
Put it, unpacked or as it came, into the folder data/ of this repository (or of the folder you run in),
or name it with --data PATH or the environment variable CS231N_FER_DATA."""

MOST_SHOWN = 20
MOST_BAD = 100_000


@dataclass
class BadRows:
    """The rows that could not be read: (place, reason) each, where place names the file and the line.

    Reading stops with a ValueError after 100,000 of them, so that a huge wrong file cannot fill the memory.
    """

    rows: list = field(default_factory=list)

    def add(self, place, reason):
        """Note that the row at `place` cannot be read, and why."""
        self.rows.append((place, reason))
        if len(self.rows) > MOST_BAD:
            raise ValueError(f"source: more than {MOST_BAD:,} bad rows, so this is not a file of faces; "
                             f"the first:\n{self.report()}")

    def report(self, most=MOST_SHOWN):
        """The first `most` bad rows, one a line, and how many more there are."""
        lines = [f"  {place}: {reason}" for place, reason in self.rows[:most]]
        if len(self.rows) > most:
            lines.append(f"  ... and {len(self.rows) - most:,} more")
        return "\n".join(lines)

    def __len__(self):
        return len(self.rows)


@dataclass
class Faces:
    """Rows in file order: pixels uint8 (M, 48, 48), emotion uint8 (M,), usage uint8 (M,).

    record  int64 (M,): index of the row among all rows of the source, bad ones included (aligns FER+)
    records int: rows of the source, bad ones included
    """

    pixels: np.ndarray
    emotion: np.ndarray
    usage: np.ndarray
    record: np.ndarray
    records: int


def join(parts):
    """One Faces from a list of them, in order."""
    if len(parts) == 1:
        return parts[0]
    starts = np.cumsum([0] + [part.records for part in parts])
    return Faces(np.concatenate([part.pixels for part in parts]),
                 np.concatenate([part.emotion for part in parts]),
                 np.concatenate([part.usage for part in parts]),
                 np.concatenate([part.record + start for part, start in zip(parts, starts, strict=False)]),
                 int(starts[-1]))


def readable(name):
    """A file name as text that can be printed and stored: bytes that are no UTF-8 as \\xff."""
    return str(name).encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")


def shorten(value, most=40):
    """`value` (bytes or str) as a quoted, printable, bounded piece of an error message."""
    text = value.decode("utf-8", "backslashreplace") if isinstance(value, bytes) else value
    return ascii(text if len(text) <= most else text[:most] + "...")
