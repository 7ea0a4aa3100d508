"""CIFAR-10 with the names, defaults and results of the course's data_utils.

The Python version of the data set is read (data_batch_1 to data_batch_5 and test_batch), unpacked
or as downloaded. Its files are pickles, which are read without being unpickled (see pickled).
"""
import pathlib
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..shapes import check
from ..types import Pixels
from .fer2013 import readable
from .find import data_folders
from .pickled import read_pickle_values
from .sources import Member, Source, open_source

__all__ = ["get_CIFAR10_data", "load_CIFAR10", "load_CIFAR_batch"]

FOLDER = "cifar-10-batches-py"
ARCHIVE = "cifar-10-python.tar.gz"
TRAINING = tuple(f"data_batch_{number}" for number in range(1, 6))
TEST = "test_batch"
CLASSES = 10
LARGEST = 1 << 28  # bytes of a batch; data_batch_1 has 31 million
WHERE_TO_GET_IT = f"""\
Download https://www.cs.toronto.edu/~kriz/{ARCHIVE} and put it, as it is or unpacked, into the
folder data/ of this repository (or of the working directory) or into cs231n/datasets/."""

Colors = NDArray[np.float64]  # (N, 32, 32, 3), 0 to 255


def load_CIFAR_batch(filename: Source) -> tuple[Colors, NDArray[np.int64]]:
    """Return (X, Y) of a batch: colors (N, 32, 32, 3) float64, 0 to 255, and labels (N,).

    Raises FileNotFoundError if there is no such file, ValueError if it is not a batch of CIFAR-10.
    """
    path = pathlib.Path(filename)
    if not path.is_file():
        raise FileNotFoundError(f"load_CIFAR_batch: there is no {path}\n{WHERE_TO_GET_IT}")
    with open_source(path) as members:
        pixels, labels = _batch(members[0])
    return pixels.astype(np.float64), labels


def load_CIFAR10(ROOT: Source) -> tuple[Colors, NDArray[np.int64], Colors, NDArray[np.int64]]:
    """Return (Xtr, Ytr, Xte, Yte) of the five training batches and of the test batch.

    ROOT    the folder cifar-10-batches-py, or the cifar-10-python.tar.gz that contains it

    Xtr is (50000, 32, 32, 3) float64, Ytr (50000,). Raises as load_CIFAR_batch does.
    """
    X_train, y_train, X_test, y_test = _read_all(pathlib.Path(ROOT))
    return X_train.astype(np.float64), y_train, X_test.astype(np.float64), y_test


def get_CIFAR10_data(num_training: int = 49000, num_validation: int = 1000, num_test: int = 1000,
                     subtract_mean: bool = True) -> dict[str, NDArray[np.generic]]:
    """Return CIFAR-10 as the course prepares it, in a dict that Solver takes.

    num_training     number of training samples
    num_validation   number of validation samples, those that follow the training samples
    num_test         number of test samples
    subtract_mean    whether the mean image of the training samples is subtracted

    Returns X_train (num_training, 3, 32, 32) float64, y_train (num_training,) int64, and likewise
    X_val, y_val, X_test and y_test. The files are looked for in cs231n/datasets/ and datasets/ of
    the working directory, and in the folders data/. Raises FileNotFoundError if they are not
    found, and ValueError for more samples than there are.
    """
    X, y, X_test, y_test = _read_all(_find())
    for name, number, most in (("num_training", num_training, len(X)),
                               ("num_validation", num_validation, len(X) - num_training),
                               ("num_test", num_test, len(X_test))):
        check(0 <= number <= most, f"get_CIFAR10_data: {name} is {number}, expected 0 to {most} "
                                   "samples")
    check(num_training > 0 or not subtract_mean, "get_CIFAR10_data: num_training is 0, so there "
                                                 "is no mean image; use subtract_mean=False")
    end = num_training + num_validation
    splits = {"train": (X[:num_training], y[:num_training]),
              "val": (X[num_training:end], y[num_training:end]),
              "test": (X_test[:num_test], y_test[:num_test])}
    data: dict[str, NDArray[np.generic]] = {}
    mean_image = X[:num_training].mean(axis=0) if subtract_mean else np.zeros(X.shape[1:])
    mean_image = mean_image.transpose(2, 0, 1)
    for split, (pixels, labels) in splits.items():
        images = np.ascontiguousarray(pixels.transpose(0, 3, 1, 2), np.float64)
        images -= mean_image
        data[f"X_{split}"] = images
        data[f"y_{split}"] = labels.copy()
    return data


def _find() -> pathlib.Path:
    """Return the folder or the archive of the batches."""
    here = pathlib.Path.cwd()
    folders = [here / "cs231n" / "datasets", here / "datasets", *data_folders()]
    for folder in folders:
        for name in (FOLDER, ARCHIVE):
            if (folder / name).exists():
                return folder / name
    raise FileNotFoundError(f"get_CIFAR10_data: found no {FOLDER} in "
                            f"{', '.join(readable(folder) for folder in folders)}\n"
                            f"{WHERE_TO_GET_IT}")


def _read_all(path: pathlib.Path) -> tuple[Pixels, NDArray[np.int64], Pixels, NDArray[np.int64]]:
    """Return pixels (N, 32, 32, 3) uint8 and labels of all training batches and of the test batch.
    """
    if not path.exists():
        raise FileNotFoundError(f"load_CIFAR10: there is no {path}\n{WHERE_TO_GET_IT}")
    with open_source(path) as members:
        batches = {member.base: _batch(member) for member in members
                   if member.base in (*TRAINING, TEST)
                   and (path.is_file() or "/" not in member.name)}
    missing = [name for name in (*TRAINING, TEST) if name not in batches]
    if missing:
        raise FileNotFoundError(f"load_CIFAR10: {path} does not contain {', '.join(missing)}\n"
                                f"{WHERE_TO_GET_IT}")
    X_train = np.concatenate([batches[name][0] for name in TRAINING])
    y_train = np.concatenate([batches[name][1] for name in TRAINING])
    return X_train, y_train, *batches[TEST]


def _batch(member: Member) -> tuple[Pixels, NDArray[np.int64]]:
    """Return pixels (N, 32, 32, 3) uint8 and labels (N,) of a batch."""
    with member.open() as stream:
        content = stream.read(LARGEST + 1)
    try:
        check(len(content) <= LARGEST, f"has more than {LARGEST:,} bytes")
        found = read_pickle_values(content)
        check(isinstance(found, dict), "is not a dict")
        by_text = {key.decode("latin1") if isinstance(key, bytes) else key: value
                   for key, value in found.items()}
        pixels: Any = by_text.get("data")
        check(isinstance(pixels, np.ndarray) and pixels.dtype == np.uint8
              and pixels.ndim == 2 and pixels.shape[1] == 3 * 32 * 32,
              "has no uint8 data (N, 3072)")
        labels: Any = by_text.get("labels")
        check(isinstance(labels, list) and len(labels) == len(pixels)
              and all(type(label) is int and 0 <= label < CLASSES for label in labels),
              "has no labels, one integer from 0 to 9 for each image")
    except ValueError as error:
        raise ValueError(f"CIFAR-10: {member.name} is not a batch of the Python version ({error})\n"
                         f"{WHERE_TO_GET_IT}") from error
    return pixels.reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1), np.array(labels, np.int64)
