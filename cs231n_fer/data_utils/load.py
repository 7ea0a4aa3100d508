"""Read the faces that find_data finds, and return float32 arrays for training.

Where nothing is found, these are the built-in synthetic faces.
"""
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..shapes import check, plain_array
from ..types import Array, Pixels
from .fer2013 import EMOTIONS, UNLABELLED, Say, readable
from .find import find_prepared
from .prepared import read_prepared, statistics
from .sources import Source

__all__ = ["load_data", "normalise", "restore_pixels"]

SPLITS = ("train", "val", "test")
# Numbers of the first synthetic faces, so far from each other that splits stay disjoint.
SYNTHETIC_STARTS = {"train": 0, "val": 1_000_000, "test": 2_000_000}


def normalise(pixels: ArrayLike, mean_image: ArrayLike, std: float) -> NDArray[np.float32]:
    """Subtract the mean picture of training and divide by its standard deviation, one number.

    pixels       (N, H, W) or (N, 1, H, W), uint8 or float, on the scale 0-255
    mean_image   (H, W) float32
    std          float > 0

    Returns (N, 1, H, W) float32. Raises ValueError for other shapes and for numbers that are not
    finite.
    """
    faces = _finite(pixels, "normalise: pixels")
    mean = _finite(mean_image, "normalise: mean_image")
    if faces.ndim not in (3, 4) or faces.shape[-2:] != mean.shape or not _is_deviation(std):
        raise ValueError(f"normalise: pixels {faces.shape}, mean_image {mean.shape}, std {std}; "
                         "expected pixels (N, H, W) or (N, 1, H, W), mean_image (H, W) and a "
                         "finite std > 0")
    if faces.ndim == 4 and faces.shape[1] != 1:
        raise ValueError(f"normalise: pixels {faces.shape} have {faces.shape[1]} channels, "
                         "expected 1")
    x = (faces[:, None] if faces.ndim == 3 else faces).astype(np.float32)
    x -= mean.astype(np.float32, copy=False)
    x /= np.float32(std)
    return x


def restore_pixels(x: ArrayLike, mean_image: ArrayLike, std: float) -> Pixels:
    """Undo normalise: return uint8 pixels (N, H, W), to look at.

    x                  (N, 1, H, W) float
    mean_image, std    as normalise took them

    Raises ValueError for other shapes and for numbers that are not finite.
    """
    images = _finite(x, "restore_pixels: x")
    mean = _finite(mean_image, "restore_pixels: mean_image")
    if images.ndim != 4 or images.shape[1:] != (1, *mean.shape) or not _is_deviation(std):
        raise ValueError(f"restore_pixels: x {images.shape}, mean_image {mean.shape}, std {std}; "
                         "expected x (N, 1, H, W), mean_image (H, W) and a finite std > 0")
    pixels = images[:, 0] * np.float32(std) + mean
    return np.clip(np.rint(pixels), 0, 255).astype(np.uint8)


def load_data(path: Source | None = None, synthetic_train: int = 8000, synthetic_val: int = 1500,
              synthetic_test: int = 1500, seed: int = 0, hold_out: float = 0.1, say: Say = print
              ) -> dict[str, Any]:
    """Return faces as normalized arrays, in a dict that Solver takes.

    path       see find_data
    synthetic_train, synthetic_val, synthetic_test, seed
               numbers of built-in faces and their seed, used where no data is found
    hold_out   fraction of Training, drawn at random, that becomes the validation rows where
               PublicTest has no labels (train.csv), from 0, none, to below 1; at least one row
    say        called with each line that a person should read

    Returns X_train float32 (N, 1, 48, 48) and y_train int64 (N,), X_val and y_val (PublicTest),
    X_test and y_test (PrivateTest; a split without labeled rows is absent), mean_image float32
    (48, 48), std float, class_names, source (str), source_sha256 (of the download; "" if unknown),
    synthetic (bool); where the file has the votes of FER+ also votes_train, votes_val, votes_test,
    uint8 (N, 10). Raises ValueError if no labeled row is left to train on, and as find_data
    does.
    """
    check(0 <= hold_out < 1, f"load_data: hold_out is {hold_out}, expected 0 to below 1")
    found = find_prepared(path, say)
    if found is None:
        sizes = {"train": synthetic_train, "val": synthetic_val, "test": synthetic_test}
        return _synthetic(sizes, seed)
    prepared = found.content or read_prepared(found.path)
    emotion = prepared["emotion"]
    rows = {name: np.flatnonzero((prepared["usage"] == code) & (emotion != UNLABELLED))
            for code, name in enumerate(SPLITS)}
    source = readable(found.path)
    needed = 1 if len(rows["val"]) or hold_out == 0 else 2
    check(len(rows["train"]) >= needed,
          f"data: {source} has {len(rows['train'])} labeled rows of Training, expected "
          f"at least {needed}, for training{' and validation' if needed == 2 else ''}")
    if not len(rows["val"]) and hold_out > 0:
        rows["train"], rows["val"] = _held_out(rows["train"], hold_out)
        note = (f"PublicTest has no labels: {len(rows['val']):,} rows of Training, drawn at "
                "random, are used to validate")
        source += f" ({note})"
        say(f"data: {note}")
    data = {"mean_image": prepared["mean_image"], "std": float(prepared["std"]),
            "class_names": EMOTIONS, "source": source,
            "source_sha256": str(prepared.get("source_sha256", "")), "synthetic": False}
    for name, chosen in rows.items():
        if len(chosen):
            data[f"X_{name}"] = normalise(prepared["pixels"][chosen], data["mean_image"],
                                          data["std"])
            data[f"y_{name}"] = emotion[chosen].astype(np.int64)
            if "ferplus_votes" in prepared:
                data[f"votes_{name}"] = prepared["ferplus_votes"][chosen]
    return data


def _finite(array: ArrayLike, name: str) -> Array:
    """Return an array of finite real numbers; raise ValueError for any other."""
    plain: Array = plain_array(array, name)
    check(plain.dtype.kind in "uif" and np.isfinite(plain).all(),
          f"{name} are {plain.dtype} and not all finite numbers, expected 0 to 255")
    return plain


def _is_deviation(std: object) -> bool:
    """Whether std is one finite real number above 0."""
    number = np.asarray(std)
    return number.ndim == 0 and number.dtype.kind in "iuf" and bool(0 < number < np.inf)


def _held_out(rows: NDArray[np.int64], fraction: float
              ) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Split rows at random into those to train on and a fraction to validate; at least one each.
    """
    order = np.random.default_rng(0).permutation(rows)
    held = min(max(1, round(fraction * len(order))), len(order) - 1)
    return np.sort(order[held:]), np.sort(order[:held])


def _synthetic(sizes: dict[str, int], seed: int) -> dict[str, Any]:
    """Return load_data's dict of built-in faces."""
    from ..faces.synthetic import make_faces  # here, so that real data does not wait for it

    check(sizes["train"] > 0,
          f"load_data: synthetic_train is {sizes['train']}, expected at least 1")
    faces = {name: make_faces(seed, np.arange(start, start + sizes[name]))
             for name, start in SYNTHETIC_STARTS.items() if sizes[name] > 0}
    mean_image, std = statistics(faces["train"].pixels)
    data = {"mean_image": mean_image, "std": std, "class_names": EMOTIONS,
            "source": f"synthetic faces (seed {seed})", "source_sha256": "", "synthetic": True}
    for name, split in faces.items():
        data[f"X_{name}"] = normalise(split.pixels, mean_image, std)
        data[f"y_{name}"] = split.emotion.astype(np.int64)
    return data
