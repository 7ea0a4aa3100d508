"""Read faces from .npz files: arrays X and y, or those of each split, such as X_train and y_train.

Nothing is unpickled. Floats are on the scale from 0 to 1 if none is above 1, else on that from 0 to
255, and are rounded.
"""
import re
import zipfile
from collections.abc import Iterator, Mapping
from typing import IO, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..shapes import check
from ..types import Pixels
from .compressed import LARGEST_CSV
from .fer2013 import EMOTIONS, PIXELS, SIDE, BadRows, Faces, Say, join
from .pixels import luma
from .tables import Chunk, Fitting, Rules, Table, faces_of

__all__ = ["read_npz"]

BATCH = 512
PICTURES = ("x", "pixels", "images", "data")
CLASSES = ("y", "emotion", "labels", "label", "emotions")
SPLITS = ("usage", "split")


class _Arrays(NamedTuple):
    """The names of the arrays of one split, and the split if they name it."""

    pixels: str
    emotion: str
    usage: str | None
    split: str


def read_npz(stream: IO[bytes], name: str, bad: BadRows, rules: Rules, say: Say) -> Faces:
    """Read an .npz file of pictures (N, H, W), (N, H, W, 1 or 3), (N, 1, H, W) or (N, 2304).

    stream    binary stream that can seek; closed
    name      name of the file in messages
    bad       BadRows that takes each row that cannot be read, by its index, from 0 on
    rules     whether pictures of other sizes are resized, and what to do with a further class
    say       called with what was understood

    y holds numbers, names, or rows with a single 1 for its class. Returns Faces of the good rows;
    see tables.faces_of. Raises ValueError for other arrays, for Python objects, for a damaged file,
    and for more than 1 GiB.
    """
    fitting = Fitting(rules.resize)
    with stream:
        try:
            with zipfile.ZipFile(stream) as archive:
                size = sum(info.file_size for info in archive.infolist())
            check(size <= LARGEST_CSV, f"it declares {size:,} bytes, expected at most "
                                       f"{LARGEST_CSV:,}")
            with np.load(stream, allow_pickle=False) as file:
                parts = [_read(file, arrays, name, bad, rules, fitting, say)
                         for arrays in _groups(file.files)]
        except Exception as error:  # a damaged file raises nearly every kind
            cause = " ".join(str(error).split())[:400] or type(error).__name__
            raise ValueError(f"source: {name} cannot be read ({cause.removeprefix('source: ')})"
                             ) from error
    fitting.report(name, say)
    return join(parts)


def _groups(names: list[str]) -> list[_Arrays]:
    """Return which arrays belong together; ValueError if that cannot be told."""
    known = {name.lower(): name for name in names}
    splits = list(dict.fromkeys(match[1] for match in
                                (re.fullmatch(r"(?:x|images|pixels)_(\w+)", name)
                                 for name in known) if match))
    usage = next((known[name] for name in SPLITS if name in known), None)
    groups = [_Arrays(pixels, emotion, None if split else usage, split)
              for split in ["", *splits]
              for pixels in _named(known, PICTURES, split)[:1]
              for emotion in _named(known, CLASSES, split)[:1]]
    check(len(groups) == max(1, len(splits)) and len(known) == len(names)
          and bool(groups[0].split) == bool(splits),
          f"it holds the arrays {', '.join(names)[:80] or 'none'}; expected X and y, or X_train, "
          "y_train, X_val, y_val, X_test and y_test")
    return groups


def _named(known: Mapping[str, str], names: tuple[str, ...], split: str) -> list[str]:
    """Return the arrays that have one of some names, for a split."""
    words = [f"{name}_{split}" if split else name for name in names]
    return [known[word] for word in words if word in known]


def _read(file: Mapping[str, Any], arrays: _Arrays, name: str, bad: BadRows, rules: Rules,
          fitting: Fitting, say: Say) -> Faces:
    """Return the faces of one pair of arrays."""
    images = file[arrays.pixels]
    labels = file[arrays.emotion]
    scale = _scale(images, arrays.pixels)
    emotion = _texts(labels, len(images), arrays.emotion)
    usage = [arrays.split] * len(images) if arrays.split else None
    if arrays.usage is not None:
        usage = _texts(file[arrays.usage], len(images), arrays.usage)
    place = f"{name} {arrays.pixels}" if arrays.split else name
    form = (f"{arrays.pixels} {images.dtype} {images.shape}"
            + (" on the scale 0 to 1" if scale != 1 else "")
            + f", {arrays.emotion} {labels.dtype} {labels.shape}")
    chunks = _chunks(images, scale, emotion, usage, fitting)
    return faces_of(Table(place, ("index", 0), form), chunks, bad, rules, say)


def _scale(images: NDArray[Any], name: str) -> int:
    """Return what to multiply pixels with, after a check of their numbers and shape."""
    shaped = images.ndim == 3 or images.ndim == 2 and images.shape[1] == PIXELS or (
        images.ndim == 4 and (images.shape[3] in (1, 3) or images.shape[1] == 1))
    check(images.dtype.kind in "iuf" and shaped and images.size > 0,
          f"{name} is {images.dtype} {images.shape}, expected numbers (N, {SIDE}, {SIDE}), "
          f"(N, {SIDE}, {SIDE}, 1 or 3), (N, 1, {SIDE}, {SIDE}) or (N, {PIXELS})")
    low = float(images.min())
    high = float(images.max())
    check(0 <= low and high <= 255,  # false for NaN
          f"{name} reaches from {low:g} to {high:g}, expected 0 to 255, or 0 to 1 for floats: undo "
          "a normalization first")
    return 255 if images.dtype.kind == "f" and high <= 1 else 1


def _texts(labels: NDArray[Any], count: int, name: str) -> list[str]:
    """Return classes or splits as texts."""
    if labels.ndim == 2 and labels.shape[1] == 1:
        labels = labels[:, 0]
    if labels.ndim == 2 and labels.dtype.kind in "biuf" and labels.shape[1] == len(EMOTIONS):
        single = ((labels == 0) | (labels == 1)).all() and (labels.sum(axis=1) == 1).all()
        check(bool(single), f"{name} has rows that are not a single 1 among zeros")
        labels = labels.argmax(axis=1)
    check(labels.shape == (count,) and labels.dtype.kind in "iufUS",
          f"{name} is {labels.dtype} {labels.shape}, expected numbers or names ({count},), or "
          f"({count}, {len(EMOTIONS)}) with a single 1 in each row")
    if labels.dtype.kind == "S":
        return [label.decode("utf-8", "backslashreplace") for label in labels.tolist()]
    return [str(label) for label in labels.tolist()]


def _chunks(images: NDArray[Any], scale: int, emotion: list[str], usage: list[str] | None,
            fitting: Fitting) -> Iterator[Chunk]:
    """Yield the rows in batches."""
    for start in range(0, len(images), BATCH):
        rows = slice(start, start + BATCH)
        gray = _gray(np.rint(images[rows] * np.float32(scale)).astype(np.uint8))
        faces = [fitting.gray(picture) for picture in gray]
        yield Chunk(np.arange(start, start + len(gray)), np.array(faces, np.uint8), emotion[rows],
                    None if usage is None else usage[rows], {}, len(gray))


def _gray(pixels: Pixels) -> Pixels:
    """Return gray pictures (N, H, W) of the shapes that _scale lets pass."""
    if pixels.ndim == 2:
        return pixels.reshape(-1, SIDE, SIDE)
    if pixels.ndim == 3:
        return pixels
    if pixels.shape[3] == 3:
        return luma(pixels)
    return pixels[:, :, :, 0] if pixels.shape[3] == 1 else pixels[:, 0]
