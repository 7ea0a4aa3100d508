"""Turn a downloaded FER2013 into the validated HDF5 file that training reads.

python experiments/prepare_data.py SOURCE [SOURCE ...] [--ferplus CSV] [--out FILE] [--skip-bad]

An HDF5 file of another program, or of an early version, is a SOURCE too if it holds the arrays
pixels (N, 48, 48), or (N, 2304), 0 to 255; emotion (N,), 0 to 6, or 255 where it is unknown; and
usage (N,), 0 Training, 1 PublicTest, 2 PrivateTest. They are checked and written with a seal.
"""
import sys
from pathlib import Path

if __package__ is None:  # started as a file, not with -m
    sys.path[0] = str(Path(__file__).resolve().parents[1])

import math
import time

import h5py
import numpy as np

from cs231n_fer.data_utils import Rules, prepare
from cs231n_fer.data_utils.fer2013 import PIXELS, SIDE
from cs231n_fer.data_utils.prepared import write_prepared
from cs231n_fer.files.sealed import MAGIC, is_hdf5
from cs231n_fer.shapes import check
from experiments import flags

LARGEST = 1 << 32  # bytes of an array
OPTIONAL = ("ferplus_votes",)


def main(argv=None) -> None:
    parser = flags.Parser(__doc__)
    add = parser.add_argument
    add("source", nargs="+",
        help="fer2013.csv, icml_face_data.csv, train.csv (test.csv beside it is read too), also "
             "compressed; another table of faces (.csv, .tsv, .parquet, .npz); a .zip or "
             ".tar.gz with them; a folder of them, or one of pictures train/<emotion>/*.png; or an "
             "HDF5 file, see above")
    add("--ferplus", metavar="CSV", type=flags.existing,
        help="fer2013new.csv of FER+: ten votes for each row (default: no votes)")
    add("--out", metavar="FILE", type=flags.target, default="data/fer2013.h5",
        help="file to write (default: %(default)s)")
    add("--skip-bad", action="store_true",
        help="list bad rows and leave them out; without it, nothing is written if any row is bad")
    add("--resize", action="store_true",
        help="resize pictures of other sizes to 48 x 48, their central square")
    add("--further", choices=("refuse", "leave-out"), default="refuse",
        help="rows of a class that FER2013 does not have, such as contempt (default: %(default)s)")
    add("--split", nargs=3, type=float, metavar=("TRAIN", "VAL", "TEST"),
        help="draw splits anew with these fractions, such as 0.8 0.1 0.1: classes in the same "
             "proportions, equal pictures in one split (default: as the source says)")
    add("--seed", type=flags.whole(), default=0, help="of that draw (default: %(default)s)")
    settings = parser.parse_args(argv)
    for name, value in vars(settings).items():
        print(f"{name}: {value}")
    split = None if settings.split is None else tuple(settings.split)
    rules = Rules(settings.resize, settings.further == "leave-out", split, settings.seed)
    start = time.perf_counter()
    try:
        first = Path(settings.source[0])
        if len(settings.source) == 1 and first.is_file() and is_hdf5(first):
            check(settings.ferplus is None,
                  f"source: {first} is an HDF5 file, and --ferplus needs the CSV or the pictures")
            check(rules == Rules(seed=settings.seed),
                  f"source: {first} is an HDF5 file, and --resize, --further and --split need the "
                  "table or the pictures")
            seal(first, settings.out)
        else:
            prepare(settings.source, settings.out, settings.ferplus, settings.skip_bad, rules=rules)
    except (ValueError, OSError, MemoryError, RuntimeError) as error:  # the last is libhdf5's
        sys.exit(f"prepare_data: {error}")
    print(f"seconds: {time.perf_counter() - start:.1f}")


def seal(source: Path, out: str) -> None:
    """Write the arrays of an HDF5 file, which has no seal, as a prepared file.

    Raises ValueError for other arrays, and for a file with a seal: it is prepared, or damaged.
    """
    check(not Path(out).exists() or not source.samefile(out),
          f"--out: {out} is the source itself: give another name")
    with open(source, "rb") as file:
        file.seek(-min(len(MAGIC), source.stat().st_size), 2)
        check(file.read() != MAGIC,
              f"source: {source} has a seal already: give it to --data; if it is refused there, it "
              "is damaged, and must be prepared again from its download")
    with h5py.File(source, "r") as file:
        arrays = {name: read_array(file, name) for name in ("pixels", "emotion", "usage")}
        arrays |= {name: read_array(file, name) for name in OPTIONAL if name in file}
    pixels = arrays["pixels"]
    check(pixels.size == len(pixels) * PIXELS if pixels.ndim else False,
          f"source: {source} has pixels of shape {pixels.shape}, expected (N, {SIDE}, {SIDE})")
    votes = arrays.get("ferplus_votes")
    write_prepared(out, pixels.reshape(-1, SIDE, SIDE), arrays["emotion"], arrays["usage"], votes,
                   {"source": source.name})
    print(f"{len(pixels):,} rows\nwritten: {out}")


def read_array(file: h5py.File, name: str) -> np.ndarray:
    """Return an array of whole numbers 0 to 255 as uint8, if the file itself holds it."""
    place = f"source: {file.filename}"
    link = file.get(name, getlink=True)  # a link to another file must not be followed
    found = file.get(name) if isinstance(link, h5py.HardLink) else None
    check(isinstance(found, h5py.Dataset) and found.external is None and not found.is_virtual,
          f"{place} holds no array {name}, but {', '.join(file) or 'nothing'}")
    check(found.dtype.kind in "iuf" and math.prod(found.shape) * found.dtype.itemsize <= LARGEST,
          f"{place} has {found.dtype} {found.shape} as {name}, expected whole numbers 0 to 255")
    values = found[()]
    fits = ((values >= 0) & (values <= 255)).all() and (values == np.floor(values)).all()
    check(bool(fits), f"{place} has {name} of other numbers than the whole ones 0 to 255")
    return values.astype(np.uint8)


if __name__ == "__main__":
    main()
