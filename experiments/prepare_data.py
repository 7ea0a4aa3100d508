"""Turn a downloaded FER2013 into the validated HDF5 file that training reads.

python experiments/prepare_data.py SOURCE [SOURCE ...] [--ferplus CSV] [--out FILE] [--skip-bad]
"""
import sys
from pathlib import Path

if __package__ is None:  # started as a file, not with -m
    sys.path[0] = str(Path(__file__).resolve().parents[1])

import time

from cs231n_fer.data_utils import prepare
from experiments import flags


def main() -> None:
    parser = flags.Parser(__doc__)
    add = parser.add_argument
    add("source", nargs="+",
        help="fer2013.csv, icml_face_data.csv, train.csv (test.csv beside it is read too), a .zip "
             "or .tar.gz with them, a folder of them, or one of pictures train/<emotion>/*.png")
    add("--ferplus", metavar="CSV", type=flags.existing,
        help="fer2013new.csv of FER+: ten votes for each row (default: no votes)")
    add("--out", metavar="FILE", type=flags.target, default="data/fer2013.h5",
        help="file to write (default: %(default)s)")
    add("--skip-bad", action="store_true",
        help="list bad rows and leave them out; without it, nothing is written if any row is bad")
    settings = parser.parse_args()
    for name, value in vars(settings).items():
        print(f"{name}: {value}")
    start = time.perf_counter()
    try:
        prepare(settings.source, settings.out, settings.ferplus, settings.skip_bad)
    except (ValueError, OSError) as error:
        sys.exit(f"prepare_data: {error}")
    print(f"seconds: {time.perf_counter() - start:.1f}")


if __name__ == "__main__":
    main()
