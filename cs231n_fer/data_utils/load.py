"""Find the faces, read them, and return float32 arrays for training.

Where data comes from (find_data): an explicit path, else the environment variable CS231N_FER_DATA,
else data/fer2013.h5, else a download in data/ that is prepared on the fly, else the built-in
synthetic faces, with a banner that says so. "synthetic" as a path asks for those faces.
"""
import hashlib
import os
import pathlib
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..files.sealed import is_hdf5
from ..shapes import check, plain_array
from ..types import Array, Pixels
from .fer2013 import EMOTIONS, UNLABELLED, USAGES, WHERE_TO_GET_IT, Say, readable
from .prepared import prepare, read_prepared, statistics
from .sources import Source, source_files

__all__ = ["EMOTIONS", "UNLABELLED", "USAGES", "find_data", "load_data", "normalise", "prepare",
           "restore_pixels"]

VARIABLE = "CS231N_FER_DATA"
SYNTHETIC = "synthetic"
TABLES = ("fer2013.csv", "icml_face_data.csv", "train.csv")
ARCHIVES = (".zip", ".tar.gz", ".tgz")
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
               PublicTest has no labels (train.csv); 0: none
    say        called with each line that a person should read

    Returns X_train float32 (N, 1, 48, 48) and y_train int64 (N,), X_val and y_val (PublicTest),
    X_test and y_test (PrivateTest; a split without labelled rows is absent), mean_image float32
    (48, 48), std float, class_names, source (str), source_sha256 (of the download; "" if unknown),
    synthetic (bool); where the file has the votes of FER+ also votes_train, votes_val, votes_test,
    uint8 (N, 10).
    """
    found = find_data(path, say)
    if found is None:
        sizes = {"train": synthetic_train, "val": synthetic_val, "test": synthetic_test}
        return _synthetic(sizes, seed)
    prepared = read_prepared(found)
    emotion = prepared["emotion"]
    rows = {name: np.flatnonzero((prepared["usage"] == code) & (emotion != UNLABELLED))
            for code, name in enumerate(SPLITS)}
    source = readable(found)
    if not len(rows["val"]) and hold_out > 0:
        order = np.random.default_rng(0).permutation(rows["train"])
        held = round(hold_out * len(order))
        rows["val"] = np.sort(order[:held])
        rows["train"] = np.sort(order[held:])
        note = (f"PublicTest has no labels: {held:,} rows of Training, drawn at random, "
                "are used to validate")
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


def find_data(path: Source | None = None, say: Say = print) -> pathlib.Path | None:
    """Return the path of a prepared HDF5 file, or None for the synthetic faces.

    path   a prepared .h5, or anything that prepare reads (CSV, .zip, .tar.gz, folder): prepared
           once into data/cache/, under a name made of its path, size and time of change, and reused
           while these stay the same.
           "synthetic": None is returned, without a banner.
           None: the environment variable CS231N_FER_DATA, then the folder data/ of the working
           directory, then that of the repository; where nothing is found, a banner says what to
           download.

    Raises FileNotFoundError if a path that was given does not exist; ValueError if a file has bad
    rows.
    """
    for given, name in ((path, "data"), (os.environ.get(VARIABLE) or None, VARIABLE)):
        if given == SYNTHETIC:
            return None
        if given is not None:
            source = pathlib.Path(given).expanduser()
            if not source.exists():
                raise FileNotFoundError(f"{name}: there is no {source}\n{WHERE_TO_GET_IT}")
            return source if source.is_file() and is_hdf5(source) else _prepared_once(source, say)
    for folder in data_folders():
        if (folder / "fer2013.h5").is_file():
            return folder / "fer2013.h5"
    for folder in data_folders():
        if download := _download_in(folder):
            say(f"data: found {readable(download)}, preparing it once")
            prepare(download, folder / "fer2013.h5", say=say)
            return folder / "fer2013.h5"
    say(f"{'=' * 100}\nNO REAL DATA FOUND: using the built-in SYNTHETIC faces. Results say nothing "
        f"about real faces.\n{WHERE_TO_GET_IT}\n{'=' * 100}")
    return None


def data_folders() -> list[pathlib.Path]:
    """Return the folders data/ that exist: in the working directory, then beside the package."""
    folders = [pathlib.Path.cwd() / "data", pathlib.Path(__file__).resolve().parents[2] / "data"]
    return [folder for folder in dict.fromkeys(folders) if folder.is_dir()]


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


def _download_in(folder: pathlib.Path) -> pathlib.Path | None:
    """Return the table, the only archive or the folder of pictures to prepare, if there is any."""
    for name in TABLES:
        if (folder / name).is_file():
            return folder / name
    archives = sorted(file for file in folder.iterdir() if file.name.lower().endswith(ARCHIVES))
    if len(archives) > 1:
        raise ValueError(f"data: {folder} holds {len(archives)} archives "
                         f"({', '.join(file.name for file in archives)}): choose one with --data")
    if archives:
        return archives[0]
    return folder if (folder / "train").is_dir() else None


def _prepared_once(source: pathlib.Path, say: Say) -> pathlib.Path:
    """Return the prepared file of a download; reuse that of the same path, size and time."""
    files = source_files(source)
    if source.name.lower() == "train.csv":
        test = source.with_name("test.csv")
        files += [test] if test.is_file() else []
    # "sealed": what was prepared before there were seals can't be read, and has another name.
    stats = [(file.resolve(), file.stat()) for file in files]
    stamp = "sealed\0" + "".join(f"{path}\0{stat.st_size}\0{stat.st_mtime_ns}\0"
                                 for path, stat in stats)
    digest = hashlib.sha256(stamp.encode("utf-8", "surrogateescape")).hexdigest()[:16]
    folder = next(iter(data_folders()), pathlib.Path.cwd() / "data") / "cache"
    prepared = folder / f"{source.name.split('.')[0]}-{digest}.h5"
    if prepared.is_file():
        say(f"data: {readable(source)} was prepared before as {readable(prepared)}")
    else:
        say(f"data: preparing {readable(source)} once, as {readable(prepared)}")
        prepare(source, prepared, say=say)
    return prepared


def _synthetic(sizes: dict[str, int], seed: int) -> dict[str, Any]:
    """Return load_data's dict of built-in faces."""
    from ..faces.synthetic import make_faces  # here, so that real data does not wait for it

    faces = {name: make_faces(seed, np.arange(start, start + sizes[name]))
             for name, start in SYNTHETIC_STARTS.items() if sizes[name] > 0}
    mean_image, std = statistics(faces["train"].pixels)
    data = {"mean_image": mean_image, "std": std, "class_names": EMOTIONS,
            "source": f"synthetic faces (seed {seed})", "source_sha256": "", "synthetic": True}
    for name, split in faces.items():
        data[f"X_{name}"] = normalise(split.pixels, mean_image, std)
        data[f"y_{name}"] = split.emotion.astype(np.int64)
    return data
