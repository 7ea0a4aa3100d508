"""Draw splits for faces that have none: every class in the same proportions, no picture in two."""
from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..shapes import check, plain_array
from .fer2013 import Codes

__all__ = ["draw_splits"]


def draw_splits(pixels: ArrayLike, emotion: ArrayLike, fractions: Sequence[float],
                rng: np.random.Generator) -> Codes:
    """Return a split for each picture, uint8 (N,): 0 Training, 1 PublicTest, 2 PrivateTest.

    pixels       (N, ...) integers; equal pictures come into one split, whatever their classes
    emotion      (N,) integers
    fractions    of the three splits, 0 to 1, with sum 1; of each class as near as equal pictures
                 let it

    Raises ValueError for other arguments.
    """
    faces: NDArray[np.uint8] = plain_array(pixels, "pixels")
    classes: Codes = plain_array(emotion, "emotion")
    check(faces.dtype.kind in "iu" and classes.dtype.kind in "iu"
          and faces.shape[:1] == classes.shape != (),
          f"pixels, emotion: got {faces.dtype} {faces.shape} and {classes.dtype} {classes.shape}, "
          "expected integers (N, ...) and (N,)")
    shares = np.array(fractions, np.float64)
    check(shares.shape == (3,) and bool((shares >= 0).all()) and abs(shares.sum() - 1) < 1e-9
          and shares[0] > 0,
          f"split: got {list(fractions)}, expected the fractions of Training (above 0), PublicTest "
          "and PrivateTest, such as 0.8 0.1 0.1, with sum 1")
    numbers: dict[bytes, int] = {}
    group = np.array([numbers.setdefault(face.tobytes(), len(numbers)) for face in faces], np.int64)
    _, first, size = np.unique(group, return_index=True, return_counts=True)
    split_of_group = np.zeros(len(first), np.uint8)
    for code in np.unique(classes):
        groups = rng.permutation(np.flatnonzero(classes[first] == code))
        if len(groups):
            # The split in whose share of the rows the middle of the group lies.
            middle = np.cumsum(size[groups]) - size[groups] / 2
            ends = np.cumsum(shares[:2]) * size[groups].sum()
            split_of_group[groups] = np.searchsorted(ends, middle, side="right")
    split: Codes = split_of_group[group]
    return split
