"""How RAF-DB and FER+ lay out their pictures: what their names and lists of labels say.

RAF-DB    train_00001_aligned.jpg and so on, in folders 1 to 7 of its classes, or beside
          list_patition_label.txt (so it is spelt) with lines `train_00001.jpg 5`
FER+      fer0000000.png and so on in FER2013Train, FER2013Valid and FER2013Test, each with a
          label.csv of lines `fer0000000.png,"(0, 0, 48, 48)",4,0,...`: ten votes in FER+'s order.
          The class is the one with most votes.
"""
import csv
import io
import re
from collections.abc import Sequence
from typing import NamedTuple

from ..shapes import check
from .compressed import unpacked
from .fer2013 import shorten
from .ferplus import COLUMNS
from .sources import Member

__all__ = ["LISTS", "Layout", "layout_of"]

RAF_LIST = "list_patition_label.txt"
FERPLUS_LIST = "label.csv"
LISTS = (RAF_LIST, FERPLUS_LIST)
LARGEST = 1 << 25  # bytes of a list
RAF_NAME = re.compile(r"(train|test)_([0-9]+)(_aligned)?\.jpg")
RAF_CLASSES = {"1": "surprise", "2": "fear", "3": "disgust", "4": "happiness", "5": "sadness",
               "6": "anger", "7": "neutral"}
FERPLUS_FOLDERS = {"fer2013train": "training", "fer2013valid": "validation",
                   "fer2013test": "privatetest"}


class Layout(NamedTuple):
    """The pictures to read of a data set with a layout of its own.

    words    {name of a picture: (split, class)}, both as folders would name them
    said     what was understood
    """

    pictures: list[Member]
    words: dict[str, tuple[str, str]]
    said: str


def layout_of(pictures: Sequence[Member], lists: Sequence[Member]) -> Layout | None:
    """Return what RAF-DB's or FER+'s layout says of pictures; None if they have neither.

    lists    the Members whose names are in LISTS

    Raises ValueError for a list that cannot be read, and for folders 1 to 7 of pictures that do not
    have RAF-DB's names: whose numbers these are cannot be told.
    """
    if any(_folder(member) in FERPLUS_FOLDERS for member in pictures):
        return _ferplus(pictures, [one for one in lists if one.base.lower() == FERPLUS_LIST])
    named = [member for member in pictures if RAF_NAME.fullmatch(member.base.lower())]
    raf_lists = [one for one in lists if one.base.lower() == RAF_LIST]
    if named and (raf_lists or all(_folder(member) in RAF_CLASSES for member in named)):
        return _raf(named, raf_lists)
    numbers = {_folder(member) for member in pictures}
    check(not ("7" in numbers and "0" not in numbers),
          "source: the folders of classes are numbered from 1 to 7, expected 0 to 6 in the order "
          "of FER2013: rename them, to angry, disgust, ...")
    return None


def _raf(pictures: Sequence[Member], lists: Sequence[Member]) -> Layout:
    """Return what RAF-DB's names, folders or list say."""
    classes: dict[str, str] = {}
    for one in lists:
        for number, line in enumerate(_text(one).splitlines(), 1):
            name, _, code = line.strip().partition(" ")
            check(code in RAF_CLASSES,
                  f"source: {one.base} line {number} is {shorten(line, 80)}, expected the name "
                  "of a picture and a class from 1 to 7")
            classes[name.lower().rsplit(".", 1)[0]] = RAF_CLASSES[code]
    aligned = [member for member in pictures if "_aligned." in member.base.lower()]
    words = {}
    for member in aligned or pictures:
        stem = member.base.lower().rsplit(".", 1)[0].removesuffix("_aligned")
        named = classes.get(stem, "none of the list") if lists else RAF_CLASSES[_folder(member)]
        words[member.name] = (stem.split("_")[0], named)
    left = len(pictures) - len(words)
    said = (f"RAF-DB's layout: classes by {RAF_LIST if lists else 'folders'}, 1 = surprise to 7 = "
            f"neutral; {left:,} pictures that are not aligned are not read")
    return Layout(list(aligned or pictures), words, said)


def _ferplus(pictures: Sequence[Member], lists: Sequence[Member]) -> Layout:
    """Return what FER+'s folders and their lists of votes say."""
    classes: dict[tuple[str, str], str] = {}
    for one in lists:
        for number, fields in enumerate(csv.reader(io.StringIO(_text(one))), 1):
            votes = fields[2:]
            fits = len(votes) == len(COLUMNS) and all(re.fullmatch(r"[0-9]{1,2}(\.0)?", vote)
                                                      for vote in votes)
            check(fits, f"source: {one.name} line {number} has {len(fields)} columns, expected the "
                        "name of a picture, a box and ten numbers of votes")
            counts = [float(vote) for vote in votes]
            most = [name for name, count in zip(COLUMNS, counts, strict=True)
                    if count == max(counts)]
            classes[_folder(one), fields[0].lower()] = most[0] if len(most) == 1 else "a tie"
    check(bool(lists), "source: the pictures lie in FER+'s folders FER2013Train, ..., but there is "
                       f"no {FERPLUS_LIST} in them")
    words = {member.name: (FERPLUS_FOLDERS.get(_folder(member), "none"),
                           classes.get((_folder(member), member.base.lower()), "none of the list"))
             for member in pictures}
    return Layout(list(pictures), words, "FER+'s layout: the class is the one with most votes")


def _folder(member: Member) -> str:
    """Return the name of the folder of a file, in lower case."""
    return (["", *member.name.lower().split("/")])[-2]


def _text(member: Member) -> str:
    """Return the text of a list; ValueError for one that is too large."""
    check(member.size <= LARGEST, f"source: {member.base} has {member.size:,} bytes, expected at "
                                  f"most {LARGEST:,}")
    with unpacked(member.open(), member.name, LARGEST) as stream:
        return stream.read().decode("utf-8-sig", "replace")
