"""Find the faces, read them, and give float32 arrays for training: the data module that experiments import.

Where data comes from (find_data): an explicit path, else the environment variable CS231N_FER_DATA, else
data/fer2013.h5, else a download in data/ that is prepared on the fly, else the built-in synthetic faces,
said loudly. "synthetic" as a path asks for those faces.
"""

import hashlib
import os
import pathlib

import numpy as np

from ..files.sealed import is_hdf5
from .fer2013 import EMOTIONS, UNLABELLED, USAGES, WHERE_TO_GET_IT, readable
from .prepared import prepare, read_prepared, statistics
from .sources import source_files

__all__ = ["EMOTIONS", "UNLABELLED", "USAGES", "find_data", "load_data", "normalise", "prepare",
           "restore_pixels"]

VARIABLE, SYNTHETIC = "CS231N_FER_DATA", "synthetic"
TABLES = ("fer2013.csv", "icml_face_data.csv", "train.csv")
ARCHIVES = (".zip", ".tar.gz", ".tgz")
SYNTHETIC_STARTS = {"train": 0, "val": 1_000_000, "test": 2_000_000}  # far apart: splits stay disjoint


def normalise(pixels, mean_image, std):
    """Subtract the training mean picture and divide by the training standard deviation (one number).

    pixels      (N, H, W) or (N, 1, H, W), uint8 or float, on the scale 0-255
    mean_image  (H, W) float32
    std         float > 0
    returns     (N, 1, H, W) float32
    """
    pixels = np.asarray(pixels)
    if pixels.ndim not in (3, 4) or pixels.shape[-2:] != np.shape(mean_image) or not 0 < std < np.inf:
        raise ValueError(f"normalise: pixels {pixels.shape}, mean_image {np.shape(mean_image)}, std {std}; "
                         "expected pixels (N, H, W) or (N, 1, H, W), mean_image (H, W) and a finite std > 0")
    if pixels.ndim == 4 and pixels.shape[1] != 1:
        raise ValueError(f"normalise: pixels {pixels.shape} have {pixels.shape[1]} channels, expected 1")
    for name, array in (("pixels", pixels), ("mean_image", np.asarray(mean_image))):
        if array.dtype.kind not in "uif" or not np.isfinite(array).all():
            raise ValueError(f"normalise: {name} are {array.dtype} and not all finite numbers, expected 0 to 255")
    x = (pixels[:, None] if pixels.ndim == 3 else pixels).astype(np.float32)
    x -= np.asarray(mean_image, dtype=np.float32)
    x /= np.float32(std)
    return x


def restore_pixels(x, mean_image, std):
    """Undo normalise: (N, 1, H, W) float -> (N, H, W) uint8 pixels, to look at."""
    pixels = x[:, 0] * np.float32(std) + mean_image
    return np.clip(np.rint(pixels), 0, 255).astype(np.uint8)


def load_data(path=None, synthetic_train=8000, synthetic_val=1500, synthetic_test=1500, seed=0, hold_out=0.1,
              say=print):
    """Faces as normalised arrays, a dict that Solver takes.

    path       see find_data
    synthetic_train, synthetic_val, synthetic_test, seed: of the built-in faces, where no data is found
    hold_out   fraction of Training, drawn at random, that becomes the validation rows where PublicTest has no
               labels (train.csv); 0: none
    say        called with each line that a person should read
    returns    X_train float32 (N,1,48,48), y_train int64 (N,), X_val and y_val (PublicTest), X_test
               and y_test (PrivateTest; both absent where no row is labelled), mean_image float32 (48,48),
               std float, class_names, source (str), source_sha256 (of the download; "" if unknown), synthetic (bool);
               where the file has the votes of FER+ also votes_train, votes_val, votes_test, uint8 (N,10)
    """
    found = find_data(path, say)
    if found is None:
        sizes = {"train": synthetic_train, "val": synthetic_val, "test": synthetic_test}
        return _synthetic(sizes, seed)
    prepared = read_prepared(found)
    pixels, emotion, usage = prepared["pixels"], prepared["emotion"], prepared["usage"]
    rows = {name: np.flatnonzero((usage == code) & (emotion != UNLABELLED))
            for code, name in enumerate(("train", "val", "test"))}
    source = readable(found)
    if not len(rows["val"]) and hold_out > 0:
        order = np.random.default_rng(0).permutation(rows["train"])
        held = round(hold_out * len(order))
        rows["val"], rows["train"] = np.sort(order[:held]), np.sort(order[held:])
        note = f"PublicTest has no labels: {held:,} rows of Training, drawn at random, are used to validate"
        source += f" ({note})"
        say(f"data: {note}")
    data = {"mean_image": prepared["mean_image"], "std": float(prepared["std"]), "class_names": EMOTIONS,
            "source": source, "source_sha256": str(prepared.get("source_sha256", "")), "synthetic": False}
    for name, chosen in rows.items():
        if len(chosen):
            data[f"X_{name}"] = normalise(pixels[chosen], data["mean_image"], data["std"])
            data[f"y_{name}"] = emotion[chosen].astype(np.int64)
            if "ferplus_votes" in prepared:
                data[f"votes_{name}"] = prepared["ferplus_votes"][chosen]
    return data


def find_data(path=None, say=print):
    """Path of a prepared HDF5 file, or None for the synthetic faces (a banner then says what to download).

    path   a prepared .h5, or anything that prepare reads (CSV, .zip, .tar.gz, folder): prepared once into
           data/cache/, under a name made of its path, size and time of change, and reused while these stay.
           "synthetic": None is returned, without a banner.
           None: the environment variable CS231N_FER_DATA, then the folder data/ of the working directory,
           then that of the repository.
    Raises FileNotFoundError if a path that was given does not exist; ValueError if a file has bad rows.
    """
    for given, name in ((path, "data"), (os.environ.get(VARIABLE) or None, VARIABLE)):
        if given == SYNTHETIC:
            return None
        if given is not None:
            given = pathlib.Path(given).expanduser()
            if not given.exists():
                raise FileNotFoundError(f"{name}: there is no {given}\n{WHERE_TO_GET_IT}")
            return given if given.is_file() and is_hdf5(given) else _prepared_once(given, say)
    for folder in data_folders():
        if (folder / "fer2013.h5").is_file():
            return folder / "fer2013.h5"
    for folder in data_folders():
        if download := _download_in(folder):
            say(f"data: found {readable(download)}, preparing it once")
            prepare(download, folder / "fer2013.h5", say=say)
            return folder / "fer2013.h5"
    say(f"{'=' * 100}\nNO REAL DATA FOUND: using the built-in SYNTHETIC faces. Results say nothing about "
        f"real faces.\n{WHERE_TO_GET_IT}\n{'=' * 100}")
    return None


def data_folders():
    """The folders data/ that exist: in the working directory, then beside the package."""
    folders = [pathlib.Path.cwd() / "data", pathlib.Path(__file__).resolve().parents[2] / "data"]
    return [folder for folder in dict.fromkeys(folders) if folder.is_dir()]


def _download_in(folder):
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


def _prepared_once(source, say):
    """The prepared file of a download, made now unless one of the same path, size and time is there."""
    files = source_files(source)
    if source.name.lower() == "train.csv":
        files += [file for file in [source.with_name("test.csv")] if file.is_file()]
    # "sealed": what was prepared before there were seals can't be read, and has another name.
    stats = [(file.resolve(), file.stat()) for file in files]
    stamp = "sealed\0" + "".join(f"{path}\0{stat.st_size}\0{stat.st_mtime_ns}\0" for path, stat in stats)
    digest = hashlib.sha256(stamp.encode("utf-8", "surrogateescape")).hexdigest()[:16]
    folder = next(iter(data_folders()), pathlib.Path.cwd() / "data") / "cache"
    prepared = folder / f"{source.name.split('.')[0]}-{digest}.h5"
    if prepared.is_file():
        say(f"data: {readable(source)} was prepared before as {readable(prepared)}")
    else:
        say(f"data: preparing {readable(source)} once, as {readable(prepared)}")
        prepare(source, prepared, say=say)
    return prepared


def _synthetic(sizes, seed):
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
