"""Crash-safe files: after a crash a file holds either its complete old or its complete new content.

A checkpoint holds arrays by name, where slashes become HDF5 groups, and one JSON text for the rest.
It is sealed, and no pickle is involved.
"""
from __future__ import annotations

import errno
import json
import os
import stat
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import numpy as np

from ..shapes import check
from .sealed import File, FilePath, Stored, plain, read_sealed, write_sealed

__all__ = [
    "below",
    "check_fits",
    "load_checkpoint",
    "replacing",
    "restore",
    "save_checkpoint",
    "write_bytes",
    "write_text",
]

FORMAT = "cs231n_fer checkpoint 1"


# Errors of file systems that cannot flush: SMB, some FUSE, folders on Windows.
CANNOT_FLUSH = {errno.EINVAL, errno.ENOTSUP, errno.ENOSYS, errno.EBADF, errno.EACCES, errno.EPERM}


@contextmanager
def replacing(path: FilePath, mode: int | None = None) -> Iterator[Path]:
    """Yield a temporary path in the same folder; on success flush it to disk and rename it to path.

    path   file to create or to replace; for a symbolic link, its target
    mode   permission bits; None: those of the file that is replaced, if there is one
    A reader sees either the old file or the complete new one, even after a crash or a power cut.
    Raises OSError naming path if the disk is full or the folder is not writable; the message says
    whether the file was replaced.
    """
    target = Path(os.path.realpath(path))
    temporary = target.with_name(f".{target.name}.{os.getpid()}.tmp")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        found = mode_of(target)
        if found is not None:  # only those who may read the old content may read the new
            os.close(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600))
        yield temporary
        flush(temporary)  # before the rename: a name must never refer to data not yet on disk
        wanted = found if mode is None else mode
        if wanted is not None:
            with suppress(OSError):  # a file system without permissions
                os.chmod(temporary, wanted)
        os.replace(temporary, target)
    except OSError as error:
        raise named(error, f"could not write {path}", "nothing was changed") from error
    finally:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)
    try:
        flush(target.parent)
    except OSError as error:
        raise named(error, f"wrote {path}, but could not flush its folder",
                    "after a power cut, the previous content may be back") from error


def mode_of(target: Path) -> int | None:
    """Return the permission bits of a file; None if it does not exist.

    Raises OSError if there is something else in its place, such as a folder or a device.
    """
    try:
        found = target.lstat()
    except FileNotFoundError:
        return None
    if not stat.S_ISREG(found.st_mode):
        code = errno.EISDIR if stat.S_ISDIR(found.st_mode) else errno.EINVAL
        raise OSError(code, "not a regular file")
    return stat.S_IMODE(found.st_mode)


def flush(path: Path) -> None:
    """Wait until a file, or the entries of a folder, are on disk, if the file system can."""
    try:
        handle = os.open(path, os.O_RDWR if os.name == "nt" else os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
    except OSError as error:
        if error.errno not in CANNOT_FLUSH:
            raise


def named(error: OSError, what: str, state: str) -> OSError:
    """Return an OSError of the same number whose message says what failed, and the state now."""
    reason = error.strerror or (os.strerror(error.errno) if error.errno else error)
    return OSError(error.errno, f"{what} ({reason}); {state}")


def write_text(path: FilePath, text: str) -> None:
    """Write a text file in UTF-8; a crash leaves either the old file or the new one."""
    with replacing(path) as temporary:
        temporary.write_text(text, encoding="utf-8", newline="\n")


def write_bytes(path: FilePath, content: bytes) -> None:
    """Write a binary file; a crash leaves either the old file or the new one."""
    with replacing(path) as temporary:
        temporary.write_bytes(content)


def save_checkpoint(path: FilePath, arrays: Mapping[str, Stored], info: Mapping[str, Any]) -> None:
    """Write arrays by name, and info, to a sealed HDF5 file.

    path     file to create or to replace
    arrays   {name: array of integers or floats}; slashes in a name make groups
    info     dict of what JSON can hold, and of NumPy scalars
    Raises OSError naming path if the disk is full or the folder is not writable,
    ValueError for a name that HDF5 would change, lose or refuse, such as "/a", "a//b" or "".
    """
    check_names(arrays)

    def fill(file: File) -> None:
        file.attrs["format"] = FORMAT
        file["info"] = json.dumps(info, default=plain)
        group = file.create_group("arrays")
        for name, array in arrays.items():
            group[name] = array

    with replacing(path) as temporary:
        write_sealed(temporary, fill, {"format": FORMAT, "info": info})


def check_names(names: Mapping[str, object]) -> None:
    """Raise ValueError unless names are words between slashes and none is a group of another."""
    for name in names:
        check(isinstance(name, str), f"arrays: got the name {name!r}, expected a string")
        parts = name.split("/")
        good = "\0" not in name and name.encode("utf-8", "replace").decode() == name
        check(good and not {"", "."} & set(parts),
              f"arrays: got the name {name!r}, expected words between slashes, "
              "such as 'params/conv/w'")
        for end in range(1, len(parts)):
            above = "/".join(parts[:end])
            check(above not in names,
                  f"arrays: {name!r} lies below {above!r}, which is an array as well")


def load_checkpoint(path: FilePath) -> tuple[dict[str, Stored], dict[str, Any]]:
    """Return (arrays, info) of a checkpoint as they were saved, with arrays in C order.

    Raises FileNotFoundError if there is no file, ValueError if it is not a complete, unchanged
    checkpoint of this format.
    """
    if not Path(path).is_file():
        raise FileNotFoundError(f"no checkpoint at {path}; "
                                "expected the file best.h5 or last.h5 of a training run")
    try:
        arrays, found = read_sealed(path)
        came = found.get("format") if isinstance(found, dict) else found
        check(came == FORMAT, f"format is {came!r}, expected {FORMAT!r}")
        check(isinstance(found.get("info"), dict), "holds no info")
    except (OSError, ValueError) as error:
        raise ValueError(f"{path} is not a readable checkpoint: {error}") from error
    return below(arrays, "arrays"), found["info"]


def below(arrays: Mapping[str, Stored], group: str) -> dict[str, Stored]:
    """Return the arrays whose names start with "group/", without that prefix."""
    prefix = group + "/"
    return {name.removeprefix(prefix): array
            for name, array in arrays.items() if name.startswith(prefix)}


def check_fits(target: Mapping[str, Stored], arrays: Mapping[str, Stored], group: str,
               path: FilePath) -> dict[str, Stored]:
    """Return the arrays of a group of a checkpoint that can replace those of target.

    target   arrays of a network by name
    arrays   arrays of the checkpoint
    group    first part of their names, such as "params"
    path     of the checkpoint, for error messages
    Raises ValueError if names, shapes or dtypes differ: the checkpoint is of another network.
    """
    source = below(arrays, group)
    check(source.keys() == target.keys(),
          f"{path}: holds {group} {sorted(source)}, but the network has {sorted(target)}; "
          "it is of another network")
    for name, array in target.items():
        found = source[name]
        expected = np.asarray(array)
        check((found.shape, found.dtype) == (expected.shape, expected.dtype),
              f"{path}: {group}/{name} is {found.dtype} {found.shape}, "
              f"the network has {expected.dtype} {expected.shape}")
    return source


def restore(target: Mapping[str, Stored], arrays: Mapping[str, Stored], group: str,
            path: FilePath) -> None:
    """Copy the arrays of a group into the arrays of target, whose memory layout is kept.

    Arguments and errors are those of check_fits; nothing is written before all are checked.
    """
    source = check_fits(target, arrays, group, path)
    for name in target:
        target[name][...] = source[name]
