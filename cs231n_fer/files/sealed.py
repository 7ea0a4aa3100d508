"""HDF5 files with a seal: read whole and unchanged or not at all, and without the HDF5 library.

Behind the HDF5 data, where other programs don't look, stand a table of contents (where the numbers of each array lie)
and the SHA-256 of all before it. read_sealed believes nothing else: libhdf5 crashes or hangs on about one in 500
damaged files, and reads another third of them as if they were whole. A seal is no signature: who makes a file to
deceive can seal it, so every number of the table is checked before memory is taken.
"""
import hashlib
import io
import json
import math
import os
from pathlib import Path

import h5py
import numpy as np

from ..shapes import check

SIGNATURE = b"\x89HDF\r\n\x1a\n"
MAGIC = b"\ncs231n_fer seal 1\n"
TAIL = 64 + len(MAGIC)  # the digest in hexadecimal digits, and the magic
LENGTH = 16  # hexadecimal digits that say how long the table is
LARGEST = 1 << 32  # bytes
DTYPES = {np.dtype(name).newbyteorder(order).str for name in ("i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", "f2",
                                                             "f4", "f8") for order in "<>"}


def is_hdf5(path):
    """Whether a file is meant as HDF5: by its first bytes, or by its name."""
    with open(path, "rb") as file:
        return file.read(len(SIGNATURE)) == SIGNATURE or Path(path).suffix.lower() in (".h5", ".hdf5")


def plain(value):
    """Turn a NumPy scalar into the Python number that JSON can hold."""
    check(isinstance(value, np.generic), f"info: JSON cannot hold {value!r}, expected numbers, texts, lists and dicts")
    return value.item()


def write_sealed(path, fill, info):
    """Write an HDF5 file and its seal; the HDF5 library writes to memory, as it crashes where the disk is full.

    fill   function that is given the open h5py.File and puts contiguous arrays into it
    info   what read_sealed gives back beside the arrays: anything that JSON can hold, and NumPy scalars
    """
    arrays, image = {}, io.BytesIO()

    def note(name, item):
        if isinstance(item, h5py.Dataset) and item.dtype.kind != "O":  # texts are left to info
            check(item.dtype.str in DTYPES, f"{name}: has dtype {item.dtype}, expected whole numbers or floats")
            arrays[name] = [item.dtype.str, item.shape, item.id.get_offset() if item.size else 0]

    with h5py.File(image, "w") as file:
        fill(file)
        file.visititems(note)
    table = json.dumps({"arrays": arrays, "info": info}, default=plain).encode()
    image.seek(0, io.SEEK_END)
    image.write(table + b"%0*x" % (LENGTH, len(table)))
    image.write(hashlib.sha256(image.getbuffer()).hexdigest().encode() + MAGIC)
    Path(path).write_bytes(image.getbuffer())


def read_sealed(path):
    """Return (arrays, info) of a sealed file: {name: ndarray} in C order, and what seal was given.

    Raises FileNotFoundError if there is no file, ValueError, without its name, if it is not whole and unchanged.
    """
    size = os.stat(path).st_size
    check(Path(path).is_file(), "is no file")
    check(size <= LARGEST, f"has {size:,} bytes, expected at most {LARGEST:,}")
    check(size >= LENGTH + TAIL, f"has {size:,} bytes, and no seal fits into that: it is cut off")
    with open(path, "rb") as file:
        file.seek(size - TAIL)
        tail = file.read(TAIL)
        check(tail.endswith(MAGIC),
              "does not end with a seal: it is cut off, of an earlier version, or of another program")
        file.seek(0)
        content = np.fromfile(file, np.uint8, size - TAIL)
    check(hashlib.sha256(content).hexdigest().encode() == tail[:64], "is damaged: its SHA-256 is not that of its seal")
    try:
        end = len(content) - LENGTH - int(bytes(content[-LENGTH:]), 16)
        check(end > 0, "is longer than the file")
        table = json.loads(bytes(content[end:-LENGTH]))
        check(isinstance(table, dict) and isinstance(table.get("arrays"), dict) and "info" in table,
              "holds no arrays and info")
        return _arrays(table["arrays"], content[:end]), table["info"]
    except (ValueError, TypeError, OverflowError, RecursionError) as error:
        raise ValueError(f"has a table of contents that cannot be used ({error})") from error


def _arrays(entries, data):
    """Copies of the arrays that the table names, after a check of all of them."""
    places, total = {}, 0
    for name, (dtype, shape, start) in entries.items():
        check(dtype in DTYPES, f"{name} has dtype {dtype!r}, expected whole numbers or floats")
        check(all(type(n) is int and 0 <= n <= len(data) for n in [*shape, start]) and len(shape) <= 32,
              f"{name} has shape {shape} at byte {start} of {len(data)}")
        count = math.prod(shape) * np.dtype(dtype).itemsize
        total += count
        check(start + count <= len(data) >= total, f"{name} declares {count:,} bytes, the file has {len(data):,}")
        places[name] = slice(start, start + count), dtype, shape
    return {name: data[place].copy().view(dtype).reshape(shape) for name, (place, dtype, shape) in places.items()}
