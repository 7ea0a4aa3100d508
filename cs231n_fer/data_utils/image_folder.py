"""Read faces from picture files in folders `<split>/<emotion>/*.png|jpg`.

Splits: train or Training -> Training; validation, val, valid or PublicTest -> PublicTest;
PrivateTest stays; test -> PrivateTest where there is a validation folder too, else PublicTest.
Emotions: the seven names (anger or angry, ...), in any case, or their digits 0 to 6.
The module pictures says which formats are read, and how they become gray. A picture of another size
than 48x48 is a bad row: it is not resized.
"""
import numpy as np

from .fer2013 import EMOTIONS, SIDE, Advance, BadRows, Faces, shorten
from .names import EMOTION_CODES, SPLITS, VALIDATION
from .pictures import read_picture
from .sources import PICTURES, Member

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


def read_pictures(members: list[Member], bad: BadRows, advance: Advance = lambda count: None
                  ) -> Faces:
    """Read picture Members (see sources) into Faces, in the order of their names.

    bad       BadRows that takes each picture that cannot be used, by its name
    advance   called with 1 after each picture (progress bar)
    """
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
            split_code, emotion_code = _codes(member.name, splits)
            with member.open() as stream:
                gray = read_picture(stream, SIDE)
        except ValueError as error:
            bad.add(member.name, str(error))
        else:
            pixels.append(gray)
            usage.append(split_code)
            emotion.append(emotion_code)
            record.append(index)
            names.append(member.base)
        advance(1)
    return Faces(np.array(pixels, np.uint8).reshape(-1, SIDE, SIDE), np.array(emotion, np.uint8),
                 np.array(usage, np.uint8), np.array(record, np.int64), len(members),
                 names)


def _codes(name: str, splits: dict[str, int]) -> tuple[int, int]:
    """Return the split and the emotion that the folders of a file name."""
    split, emotion = ["", "", *name.lower().split("/")[:-1]][-2:]
    if split not in splits:
        raise ValueError(f"lies in the split folder {shorten(split)}, "
                         "expected train, validation, test, ...")
    if emotion not in EMOTION_CODES:
        raise ValueError(f"lies in the emotion folder {shorten(emotion)}, "
                         f"expected {', '.join(EMOTIONS)} or 0 to 6")
    return splits[split], EMOTION_CODES[emotion]
