"""Turn a downloaded FER2013 into the validated HDF5 file that training reads.

python experiments/prepare_data.py SOURCE [SOURCE ...] [--ferplus CSV] [--out FILE] [--skip-bad]
"""
import argparse
import sys
import time

from cs231n_fer.data_utils import prepare


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    add = parser.add_argument
    add("source", nargs="+",
        help="fer2013.csv, icml_face_data.csv, train.csv (test.csv beside it is read too), a .zip "
             "or .tar.gz with them, a folder of them, or one of pictures train/<emotion>/*.png")
    add("--ferplus", metavar="CSV", help="fer2013new.csv of FER+: ten votes for each row")
    add("--out", metavar="FILE", default="data/fer2013.h5",
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
