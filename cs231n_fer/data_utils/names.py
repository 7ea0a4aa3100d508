"""The names that people give to classes, splits and columns, and what they mean.

Case and surrounding spaces do not matter. A class is also 0 to 6, or 3.0 as pandas writes a column
of whole numbers in which some are missing.
"""
import re
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from .fer2013 import EMOTIONS, PIXELS, Codes

__all__ = ["EMOTION_CODES", "SPLITS", "TEST", "VALIDATION", "Columns", "emotion_code",
           "find_columns", "is_further", "settled", "split_of_file", "usage_code"]

VALIDATION = ("val", "valid", "validation")
SPLITS = ({"train": 0, "training": 0, "publictest": 1, "privatetest": 2}
          | dict.fromkeys(VALIDATION, 1))
TEST = 3  # "test", until it is known whether there is a validation split too; see settled
ALIASES = {"angry": 0, "disgusted": 1, "fearful": 2, "happiness": 3, "sadness": 4, "surprised": 5}
EMOTION_CODES = (ALIASES | {name.lower(): code for code, name in enumerate(EMOTIONS)}
                 | {str(code): code for code in range(len(EMOTIONS))})
FURTHER = ("contempt", "7")  # FER+, CK+ and AffectNet have this class besides FER2013's seven

EMOTION = ("emotion", "emotions", "label", "labels", "class", "expression")
USAGE = ("usage", "split", "set", "subset")
INDEX = ("", "index", "id", "unnamed: 0")


class Columns(NamedTuple):
    """Positions of the columns of a table; None for a column that it lacks.

    pixels is one position, of texts or pictures, or those of 2,304 columns in the order of pixels.
    """

    pixels: list[int]
    emotion: int | None
    usage: int | None
    unused: list[int]


def emotion_code(text: str) -> int | None:
    """Return the code of a class by its name or number, None for any other text."""
    word = text.strip().lower()
    if re.fullmatch(r"[0-9]\.0+", word):
        word = word[0]
    return EMOTION_CODES.get(word)


def is_further(text: str) -> bool:
    """Whether a text names a class of other data sets, which FER2013 does not have."""
    word = text.strip().lower()
    return (word[0] if re.fullmatch(r"[0-9]\.0+", word) else word) in FURTHER


def usage_code(text: str) -> int | None:
    """Return the code of a split by its name, which may be TEST; None for any other text."""
    word = text.strip().lower()
    return TEST if word == "test" else SPLITS.get(word)


def settled(usage: Codes) -> Codes:
    """Return codes of splits in which TEST is PrivateTest where there is a PublicTest, else that.
    """
    private = bool((usage == 1).any())
    return np.where(usage == TEST, 2 if private else 1, usage).astype(np.uint8)


def split_of_file(name: str) -> int:
    """Return the code of the split that the first word of a file's name says, else Training."""
    code = usage_code(re.split(r"[^a-z]", name.lower())[0])
    return 0 if code is None else code


def find_columns(names: Sequence[str], pixels: Sequence[str] = ("pixels",)) -> Columns | None:
    """Return which columns of a table hold what, by their names; None if that cannot be told.

    names     of all columns, in order
    pixels    names of a column of whole pictures

    FER2013's own names come before others. Where no column holds whole pictures, the 2,304 columns
    that are left besides the class, the split and an index are the pixels, in the order of the
    numbers at the end of their names, or as they stand.
    """
    words = [name.strip().lower() for name in names]
    if len(set(words)) != len(words) or "" in words[1:]:
        return None
    emotion = _position(words, EMOTION)
    usage = _position(words, USAGE)
    rest = [place for place in range(len(words)) if place not in (emotion, usage)]
    whole = _position(words, pixels)
    if whole is not None:
        unused = [place for place in rest if place != whole]
        unknown = [place for place in unused if words[place] not in INDEX]
        return None if unknown and emotion is None else Columns([whole], emotion, usage, unused)
    single = [place for place in rest if words[place] not in INDEX]
    if len(single) != PIXELS:
        return None
    unused = [place for place in rest if place not in set(single)]
    return Columns(_in_order(single, words), emotion, usage, unused)


def _position(words: Sequence[str], known: Sequence[str]) -> int | None:
    """Return the place of the first of the known names that occurs."""
    return next((words.index(name) for name in known if name in words), None)


def _in_order(places: list[int], words: Sequence[str]) -> list[int]:
    """Return the places of the columns of single pixels by their numbers, if these are complete."""
    numbers = [re.search(r"(?:^|[^0-9x])([0-9]{1,4})$", words[place]) for place in places]
    order = {int(number[1]): place for number, place in zip(numbers, places, strict=True)
             if number is not None}
    first = min(order, default=0)
    complete = sorted(order) == list(range(first, first + PIXELS)) and first in (0, 1)
    return [order[number] for number in sorted(order)] if complete else places

