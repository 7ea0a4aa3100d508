"""Read faces from picture files in folders `<split>/<emotion>/*.png|jpg`.

Splits: train or Training -> Training; validation, val, valid or PublicTest -> PublicTest;
PrivateTest stays; test -> PrivateTest where there is a validation folder too, else PublicTest.
Emotions: the seven names (anger or angry, ...), in any case, or their digits 0 to 6.
The module pictures says which formats are read, and how they become gray. A picture of another size
than 48x48 is a bad row, unless rules say that it is resized.
"""
from collections.abc import Sequence

import numpy as np

from .fer2013 import EMOTIONS, SIDE, Advance, BadRows, Faces, Say, shorten
from .layouts import layout_of
from .names import EMOTION_CODES, SPLITS, VALIDATION, is_further
from .sources import PICTURES, Member
from .tables import FURTHER, STRICT, Fitting, Rules

__all__ = ["TRAINING", "is_picture", "read_pictures", "split_of"]

TRAINING = "training"


def is_picture(name: str) -> bool:
    """Whether a file name ends as a picture's does."""
    return name.lower().endswith(PICTURES)


def split_of(folder: str) -> str:
    """Return the kind of a split's folder by its name; "" for other folders."""
    code = SPLITS.get(folder.lower())
    if code is None:
        return "test" if folder.lower() == "test" else ""
    return (TRAINING, "validation", "private test")[code]


def read_pictures(members: list[Member], bad: BadRows, advance: Advance = lambda count: None,
                  rules: Rules = STRICT, say: Say = lambda line: None,
                  lists: Sequence[Member] = ()) -> Faces:
    """Read picture Members (see sources) into Faces, in the order of their names.

    bad       BadRows that takes each picture that cannot be used, by its name
    advance   called with 1 after each picture (progress bar)
    rules     whether pictures of other sizes are resized, a further class is left out, and splits
              are drawn anew: then no folder needs to name one
    say       called with how many were
    lists     lists of labels, see layouts; they and its names come before those of folders
    """
    layout = layout_of(members, lists)
    if layout is not None:
        say(layout.said)
        members = layout.pictures
    fitting = Fitting(rules.resize)
    further = 0
    members = sorted(members, key=lambda member: member.name)
    folders = {part.lower() for member in members for part in member.name.split("/")[-3:-2]}
    splits = SPLITS | {"test": 2 if folders & set(VALIDATION) else 1}
    pixels = []
    emotion = []
    usage = []
    record = []
    names = []
    for index, member in enumerate(members):
        try:
            words = _words_of_folders(member.name)
            if layout is not None:
                words = layout.words[member.name]
            split_code, emotion_code = _codes(words, splits, rules)
            with member.open() as stream:
                gray = fitting.picture(stream)
        except ValueError as error:
            if rules.leave_out and str(error).endswith(FURTHER):
                further += 1
            else:
                bad.add(member.name, str(error))
        else:
            pixels.append(gray)
            usage.append(split_code)
            emotion.append(emotion_code)
            record.append(index)
            names.append(member.base)
        advance(1)
    fitting.report("pictures", say)
    if further:
        say(f"pictures: {further:,} of a further class were left out")
    return Faces(np.array(pixels, np.uint8).reshape(-1, SIDE, SIDE), np.array(emotion, np.uint8),
                 np.array(usage, np.uint8), np.array(record, np.int64), len(members),
                 names)


def _words_of_folders(name: str) -> tuple[str, str]:
    """Return the names of the folders of a split and of a class that a file lies in."""
    split, emotion = ["", "", *name.lower().split("/")[:-1]][-2:]
    return split, emotion


def _codes(words: tuple[str, str], splits: dict[str, int], rules: Rules) -> tuple[int, int]:
    """Return the codes of the split and the class that words name."""
    split, emotion = words
    if split not in splits and rules.split is None:
        raise ValueError(f"lies in the split folder {shorten(split)}, "
                         "expected train, validation, test, ...; to draw splits give --split")
    if emotion not in EMOTION_CODES:
        wanted = FURTHER if is_further(emotion) else f"{', '.join(EMOTIONS)} or 0 to 6"
        raise ValueError(f"lies in the emotion folder {shorten(emotion)}, expected {wanted}")
    return splits.get(split, 0), EMOTION_CODES[emotion]
