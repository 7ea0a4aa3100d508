"""Crash-safe files: a checkpoint is either the old one or the new one, whole, and needs no pickle.

A checkpoint holds named arrays, whose slashes become HDF5 groups, and one JSON text for the rest; it is sealed.
"""
import json
import os
from contextlib import contextmanager, suppress
from pathlib import Path

import numpy as np

from ..shapes import check
from .sealed import plain, read_sealed, write_sealed

FORMAT = "cs231n_fer checkpoint 1"


@contextmanager
def replacing(path):
    """Yield a temporary path in the same folder; on success it is flushed to disk and renamed to path.

    Whoever reads path sees the old file or the complete new one, also after a crash or power cut at any moment.
    Raises OSError that names path where the disk is full or the folder may not be written on.
    """
    path = Path(path)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield temporary
        flush(temporary)  # before the rename: a name must never point at data that is not on the disk yet
        os.replace(temporary, path)
        flush(path.parent)
    except OSError as error:
        reason = os.strerror(error.errno) if error.errno else error
        raise OSError(error.errno, f"could not write {path} ({reason}); what was there is unchanged") from error
    finally:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)


def flush(path):
    """Wait until a file, or the names in a folder, are on the disk."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def write_text(path, text):
    """Write a text file so that a crash leaves the old or the new one."""
    with replacing(path) as temporary:
        temporary.write_text(text, encoding="utf-8", newline="\n")


def save_checkpoint(path, arrays, info):
    """Write arrays {name: ndarray} and info (anything that JSON can hold, and NumPy scalars) to an HDF5 file.

    Raises OSError that names path where the disk is full or the folder may not be written on,
    ValueError for a name that HDF5 would change, lose or refuse, such as "/a", "a//b" or "".
    """
    check_names(arrays)

    def fill(file):
        file.attrs["format"] = FORMAT
        file["info"] = json.dumps(info, default=plain)
        group = file.create_group("arrays")
        for name, array in arrays.items():
            group[name] = array

    with replacing(path) as temporary:
        write_sealed(temporary, fill, {"format": FORMAT, "info": info})


def check_names(names):
    """Raise ValueError unless every name consists of words between slashes, and none lies below another."""
    for name in names:
        check(isinstance(name, str), f"arrays: got the name {name!r}, expected a text")
        parts = name.split("/")
        good = "\0" not in name and name.encode("utf-8", "replace").decode() == name
        check(good and not {"", "."} & set(parts),
              f"arrays: got the name {name!r}, expected words between slashes, such as 'params/conv/w'")
        for end in range(1, len(parts)):
            above = "/".join(parts[:end])
            check(above not in names, f"arrays: {name!r} lies below {above!r}, which is an array as well")


def load_checkpoint(path):
    """Read a checkpoint; returns (arrays, info) as they were saved, arrays in C order.

    Raises FileNotFoundError if there is no file, ValueError if it is not a whole, unchanged checkpoint of this format.
    """
    if not Path(path).is_file():
        raise FileNotFoundError(f"no checkpoint at {path}; expected the file best.h5 or last.h5 of a training run")
    try:
        arrays, found = read_sealed(path)
        came = found.get("format") if isinstance(found, dict) else found
        check(came == FORMAT, f"format is {came!r}, expected {FORMAT!r}")
        check(isinstance(found.get("info"), dict), "holds no info")
    except (OSError, ValueError) as error:
        raise ValueError(f"{path} is not a readable checkpoint: {error}") from error
    return below(arrays, "arrays"), found["info"]


def below(arrays, group):
    """Return the arrays whose names start with "group/", without that prefix."""
    return {name[len(group) + 1:]: array for name, array in arrays.items() if name.startswith(group + "/")}


def check_fits(target, arrays, group, path):
    """Return the arrays of a group, by the names of the dict target whose place they can take.

    Raises ValueError where names, shapes or dtypes differ: a checkpoint of another network.
    """
    source = below(arrays, group)
    check(source.keys() == target.keys(),
          f"{path}: holds {group} {sorted(source)}, but the network has {sorted(target)}; it is of another network")
    for name, array in target.items():
        found, wanted = source[name], np.asarray(array)
        check((found.shape, found.dtype) == (wanted.shape, wanted.dtype),
              f"{path}: {group}/{name} is {found.dtype} {found.shape}, the network has {wanted.dtype} {wanted.shape}")
    return source


def restore(target, arrays, group, path):
    """Copy the arrays of a group into the arrays of the dict target, whose memory layout stays.

    Raises ValueError as check_fits does, before anything is written.
    """
    source = check_fits(target, arrays, group, path)
    for name in target:
        target[name][...] = source[name]
