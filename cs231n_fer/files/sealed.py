"""HDF5 files with a seal: read complete and unchanged or not at all, without libhdf5.

Behind the HDF5 data, where other programs don't look, follow a table of contents (the position of
every array) and the SHA-256 digest of everything before it. read_sealed relies on nothing else:
libhdf5 crashes or hangs on about one in 500 damaged files, and reads another third of them as if
they were intact. A seal is no signature: anyone can seal a forged file, so every number in the
table is checked before memory is allocated.
"""
from __future__ import annotations

import hashlib
import io
import json
import math
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeAlias

import h5py
import numpy as np
from numpy.typing import NDArray

from ..shapes import check

__all__ = ["is_hdf5", "plain", "read_sealed", "write_sealed"]

File: TypeAlias = h5py.File
FilePath: TypeAlias = str | os.PathLike[str]
Stored: TypeAlias = NDArray[Any]  # an array of integers or floats

SIGNATURE = b"\x89HDF\r\n\x1a\n"
MAGIC = b"\ncs231n_fer seal 1\n"
TAIL = 64 + len(MAGIC)  # the digest in hexadecimal digits, and the magic
LENGTH = 16  # hexadecimal digits of the length of the table
LARGEST = 1 << 32  # bytes
NUMBERS = ("i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", "f2", "f4", "f8")
DTYPES = {np.dtype(name).newbyteorder(order).str for name in NUMBERS for order in ("<", ">")}


def is_hdf5(path: FilePath) -> bool:
    """Return whether a file is meant to be HDF5, judged by its first bytes or its name."""
    with open(path, "rb") as file:
        begin = file.read(len(SIGNATURE))
    return begin == SIGNATURE or Path(path).suffix.lower() in (".h5", ".hdf5")


def plain(value: object) -> Any:
    """Return a NumPy scalar as a Python number for JSON; raise ValueError for other objects."""
    if isinstance(value, np.generic):
        return value.item()
    raise ValueError(f"info: JSON cannot hold {value!r}, "
                     "expected numbers, strings, lists and dicts")


def write_sealed(path: FilePath, fill: Callable[[File], None], info: Any) -> None:
    """Write an HDF5 file and its seal.

    path   file to write
    fill   function that puts contiguous arrays into the open h5py.File that it gets
    info   what read_sealed returns besides the arrays: what JSON can hold, and NumPy scalars
    The HDF5 library writes to memory, because it crashes when the disk is full.
    """
    arrays: dict[str, list[Any]] = {}
    image = io.BytesIO()

    def note(name: str, item: object) -> None:
        if isinstance(item, h5py.Dataset) and item.dtype.kind != "O":  # strings are left to info
            check(item.dtype.str in DTYPES,
                  f"{name}: has dtype {item.dtype}, expected integers or floats")
            arrays[name] = [item.dtype.str, item.shape, item.id.get_offset() if item.size else 0]

    with h5py.File(image, "w") as file:
        fill(file)
        file.visititems(note)
    table = json.dumps({"arrays": arrays, "info": info}, default=plain).encode()
    image.seek(0, io.SEEK_END)
    image.write(table + b"%0*x" % (LENGTH, len(table)))
    image.write(hashlib.sha256(image.getbuffer()).hexdigest().encode() + MAGIC)
    Path(path).write_bytes(image.getbuffer())


def read_sealed(path: FilePath) -> tuple[dict[str, Stored], Any]:
    """Return (arrays, info) of a sealed file: {name: array} in C order, and its info.

    Raises FileNotFoundError if there is no file, and ValueError, whose message does not name the
    file, if it is not complete and unchanged.
    """
    size = os.stat(path).st_size
    check(Path(path).is_file(), "is no file")
    check(size <= LARGEST, f"has {size:,} bytes, expected at most {LARGEST:,}")
    check(size >= LENGTH + TAIL, f"has {size:,} bytes, too few for a seal: it is cut off")
    with open(path, "rb") as file:
        file.seek(size - TAIL)
        tail = file.read(TAIL)
        check(tail.endswith(MAGIC),
              "does not end with a seal: it is cut off, of an earlier version, "
              "or of another program")
        file.seek(0)
        content = np.fromfile(file, np.uint8, size - TAIL)
    check(hashlib.sha256(content.data).hexdigest().encode() == tail[:64],
          "is damaged: its SHA-256 is not that of its seal")
    try:
        end = len(content) - LENGTH - int(bytes(content[-LENGTH:]), 16)
        check(end > 0, "is longer than the file")
        table = json.loads(bytes(content[end:-LENGTH]))
        check(isinstance(table, dict) and isinstance(table.get("arrays"), dict) and "info" in table,
              "holds no arrays and info")
        return _arrays(table["arrays"], content[:end]), table["info"]
    except (ValueError, TypeError, OverflowError, RecursionError) as error:
        raise ValueError(f"has a table of contents that cannot be used ({error})") from error


def _arrays(entries: Mapping[str, Any], data: NDArray[np.uint8]) -> dict[str, Stored]:
    """Return copies of the arrays listed in the table, after checking all of its entries.

    entries   {name: (dtype, shape, position of the first byte)}
    data      (number of bytes,) content of the file before the table
    """
    total = 0
    for name, (dtype, shape, start) in entries.items():
        check(dtype in DTYPES, f"{name} has dtype {dtype!r}, expected integers or floats")
        check(len(shape) <= 32
              and all(type(n) is int and 0 <= n <= len(data) for n in [*shape, start]),
              f"{name} has shape {shape} at byte {start} of {len(data)}")
        count = math.prod(shape) * np.dtype(dtype).itemsize
        total += count
        check(start + count <= len(data) >= total,
              f"{name} declares {count:,} bytes, the file has {len(data):,}")
    return {name: _copied(data, dtype, shape, start)
            for name, (dtype, shape, start) in entries.items()}


def _copied(data: NDArray[np.uint8], dtype: str, shape: list[int], start: int) -> Stored:
    """Return a copy of the array whose first byte is data[start]."""
    stop = start + math.prod(shape) * np.dtype(dtype).itemsize
    return data[start:stop].copy().view(dtype).reshape(shape)
