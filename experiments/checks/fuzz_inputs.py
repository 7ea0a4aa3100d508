"""Read mutated files of every format, which must give valid data, a counted skip or a clear error.

    python experiments/checks/fuzz_inputs.py --files 10000    all formats; writes
                                                              results/reliability/fuzz.json
    python experiments/checks/fuzz_inputs.py --files 200 --formats CSV zip    two formats
    python experiments/checks/fuzz_inputs.py --formats PNG --only 17    one file, by its number

Everything else is a failure: another exception, wrong data, more than 5 s of CPU time, more than
256 MiB of memory, or the death of the process. Exits with 1 if there is a failure. In tar.gz, PNG
and HDF5, every second file has checksums that match the changes, like a file made to deceive.
"""
import sys
from pathlib import Path

if __package__ is None:  # started as a file, not with -m
    sys.path[0] = str(Path(__file__).resolve().parents[2])

import argparse
import json
import platform
import shlex
import tempfile
import time
from collections import Counter

import h5py
import numpy as np
import PIL

from cs231n_fer.files.checkpoint import write_text
from experiments import flags
from experiments.bench.report import table
from experiments.checks.fuzzing import pool
from experiments.checks.fuzzing.formats import formats

RESULT = Path(__file__).parents[1] / "results" / "reliability" / "fuzz.json"
OUTCOMES = ("loaded", "skipped", "refused", "failure")
NAMES = ("CSV", "zip", "tar.gz", "PNG", "JPEG", "GIF", "BMP", "TIFF", "WebP", "HDF5 data",
         "HDF5 checkpoint")


def parse(argv):
    parser = flags.Parser(__doc__)
    add = parser.add_argument
    add("--files", type=flags.whole(1), default=1000,
        help="number of files per format (default: %(default)s)")
    add("--seed", type=flags.whole(), default=0,
        help="seed of the changes to the files (default: %(default)s)")
    add("--formats", nargs="+", choices=NAMES, default=list(NAMES),
        help="formats of the files (default: all)")
    add("--only", type=flags.whole(),
        help="number of the only file to read, of one format (default: all files)")
    add("--out", type=flags.target, default=RESULT,
        help="file of the result (default: experiments/results/reliability/fuzz.json)")
    add("--worker", help=argparse.SUPPRESS)
    return parser.parse_args(argv)


def fuzz(names, files, seed, command):
    """Read mutated files of some formats, and return (rows of the table, failures).

    names      of the formats
    files      number of files per format
    command    starts a worker; see fuzzing.pool.outcomes
    """
    counts = {name: Counter() for name in names}
    failures = []
    seconds = Counter()
    last = time.perf_counter()
    for answer in pool.outcomes(command, {"formats": names, "files": files, "seed": seed}):
        place, number = divmod(answer["index"], files)
        name = names[place]
        counts[name][answer["outcome"]] += 1
        if answer["outcome"] == "failure":
            failures.append({"format": name, "number": number, "seed": seed, "why": answer["why"]})
            print(f"FAILURE {name} --seed {seed} --only {number}: {answer['why']}", flush=True)
        now = time.perf_counter()
        seconds[name] += now - last
        last = now
    return [{"format": name, "files": files,
             **{outcome: counts[name][outcome] for outcome in OUTCOMES},
             "seconds": round(seconds[name], 1)} for name in names], failures


def main(argv=None):
    args = parse(argv)
    if args.worker:
        return pool.work(json.loads(args.worker))
    if args.only is not None:
        with tempfile.TemporaryDirectory() as folder:
            kinds = formats(Path(folder))
            pool.workplace(Path(folder))
            print(*pool.read_one(kinds[args.formats[0]], Path(folder), args.only, args.seed),
                  sep=": ")
        return 0
    versions = {"python": platform.python_version(), "numpy": np.__version__,
                "pillow": PIL.__version__, "h5py": h5py.__version__,
                "hdf5": h5py.version.hdf5_version}
    print(f"files {args.files} of each format, seed {args.seed}, {versions}", flush=True)
    rows, failures = fuzz(args.formats, args.files, args.seed,
                          [sys.executable, __file__, "--worker"])
    print(table(rows[0], [row.values() for row in rows]))
    some = [] if args.formats == list(NAMES) else ["--formats", *args.formats]
    command = shlex.join(["python", "experiments/checks/fuzz_inputs.py", "--files", str(args.files),
                          "--seed", str(args.seed), *some])
    result = {"command": command, "versions": versions, "rows": rows, "failures": failures}
    write_text(args.out, json.dumps(result, indent=1) + "\n")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
