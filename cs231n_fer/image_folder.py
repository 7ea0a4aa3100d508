"""Read faces from picture files in folders `<split>/<emotion>/*.png|jpg`.

Splits: train or Training -> Training; validation, val, valid or PublicTest -> PublicTest; PrivateTest stays;
test -> PrivateTest where there is a validation folder too, else PublicTest.
Emotions: the seven names (anger or angry, ...), in any case, or their digits 0 to 6.
Colour is turned to grey by Pillow's ITU-R 601 luma. A picture of another size than 48x48, with transparency
or with more than 8 bits is a bad row: resize it yourself, so that you see what the net will see.
"""

import numpy as np
from PIL import Image

from .fer2013 import EMOTIONS, SIDE, Faces, shorten
from .sources import PICTURES

VALIDATION = ("val", "valid", "validation")
SPLITS = {"train": 0, "training": 0, "publictest": 1, "privatetest": 2} | dict.fromkeys(VALIDATION, 1)
ALIASES = {"angry": 0, "disgusted": 1, "fearful": 2, "happiness": 3, "sadness": 4, "surprised": 5}
EMOTION_CODES = ALIASES | {name.lower(): code for code, name in enumerate(EMOTIONS)} | {
    str(code): code for code in range(len(EMOTIONS))}
GREY_MODES = ("1", "L", "P", "RGB")


def is_picture(name):
    """Whether a file name ends as a picture does."""
    return name.lower().endswith(PICTURES)


def read_pictures(members, bad, advance=lambda count: None):
    """Read picture Members (see sources) into Faces, in the order of their names.

    bad      BadRows that takes each picture that cannot be used, by its name
    advance  called with 1 after each picture (progress bar)
    """
    members = sorted(members, key=lambda member: member.name)
    folders = {part.lower() for member in members for part in member.name.split("/")[-3:-2]}
    splits = SPLITS | {"test": 2 if folders & set(VALIDATION) else 1}
    pixels, emotion, usage, record = [], [], [], []
    for index, member in enumerate(members):
        try:
            split_code, emotion_code = _codes(member.name, splits)
            grey = _grey(member)
        except ValueError as error:
            bad.add(member.name, str(error))
        else:
            pixels.append(grey)
            usage.append(split_code)
            emotion.append(emotion_code)
            record.append(index)
        advance(1)
    return Faces(np.array(pixels, np.uint8).reshape(-1, SIDE, SIDE), np.array(emotion, np.uint8),
                 np.array(usage, np.uint8), np.array(record, np.int64), len(members))


def _codes(name, splits):
    split, emotion = ["", "", *name.lower().split("/")[:-1]][-2:]
    if split not in splits:
        raise ValueError(f"lies in the split folder {shorten(split)}, expected train, validation, test, ...")
    if emotion not in EMOTION_CODES:
        raise ValueError(f"lies in the emotion folder {shorten(emotion)}, "
                         f"expected {', '.join(EMOTIONS)} or 0 to 6")
    return splits[split], EMOTION_CODES[emotion]


def _grey(member):
    """uint8 (48, 48) of a picture; size and mode are known from its head, before anything is unpacked."""
    try:
        with member.open() as stream, Image.open(stream, formats=("PNG", "JPEG")) as image:
            if image.size != (SIDE, SIDE):
                raise ValueError(f"is {image.size[0]}x{image.size[1]} pixels, expected {SIDE}x{SIDE}")
            if image.mode not in GREY_MODES or "transparency" in image.info:
                raise ValueError(f"has mode {image.mode}, expected 8-bit grey or colour without transparency")
            return np.asarray(image.convert("L"))
    except (OSError, SyntaxError, Image.DecompressionBombError) as error:
        raise ValueError(f"is not a complete PNG or JPEG picture ({error})") from error
