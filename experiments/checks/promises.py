"""Run the tests behind those promises that no other script checks, and record the results.

    python experiments/checks/promises.py                  all of them; takes some minutes
    python experiments/checks/promises.py bits diverging   only these

Writes one JSON file per promise; reliability.py turns these into tables. Exits with 1 if a case
fails, or if no case of a promise was run.
"""
import sys
from pathlib import Path

if __package__ is None:  # started as a file, not with -m
    sys.path[0] = str(Path(__file__).resolve().parents[2])

import pytest

from cs231n_fer.files.checkpoint import write_text
from experiments import flags
from experiments.bench.report import RESULTS, ROOT, json_text

PROMISES = {  # name: (promise, test files, expression for pytest -k, "" for all tests)
    "bits": ("The same seed gives the same bits on 1, 2 and 4 threads; the batch size changes "
             "scores only by rounding", ["test_promises", "test_engine", "test_optim"],
             "sha256 or same_bits or batch_size_of_evaluation"),
    "bad_data": ("Invalid files and arrays give one clear error or are skipped and counted; tested "
                 "with CSV files, archives, images, HDF5 files and arrays",
                 ["test_bad_csv", "test_bad_archives", "test_bad_images", "test_bad_hdf5",
                  "test_bad_arrays"], ""),
    "safe_files": ("No file is executed as code, and no archive writes outside its folder",
                   ["test_safe_files", "test_bad_archives"], ""),
    "full_disk": ("A full disk or read-only folder leaves the last good checkpoint intact; one "
                  "clear error is raised",
                  ["test_run_folder"], "disk"),
    "diverging": ("Diverging training reports epoch, step, layer and the last good checkpoint",
                  ["test_diverging"], ""),
    "interrupt": ("Ctrl-C finishes the step, saves a checkpoint and prints how to resume",
                  ["test_run_folder"], "ctrl_c or signals"),
    "learning": ("Training passes its sanity checks; the initial loss is ln 7, 50 faces are "
                 "memorized, update rules minimize three test functions, and 50 steps in float32 "
                 "end where 50 steps in float64 do", ["test_promises", "test_optim"],
                 "first_loss or by_heart or toy or fifty_steps"),
    "memory": ("Memory use does not grow during training; 2,000 steps need no more than 500, and "
               "no large array is allocated",
               ["test_promises", "test_engine"], "two_thousand or allocates_nothing"),
    "threads": ("Threads that share a network get the same bits as a single thread; also "
                "pretrained nets, augmentations and copies, and Numba's workqueue threading layer",
                ["test_promises", "test_engine", "test_threads"],
                "share_a_network or threads_of_a_program or what_threads_share or do_so_as_well "
                "or first_kernels"),
    "pictures": ("A picture of any mode, depth and orientation is read exactly or refused; color "
                 "under transparent pixels changes nothing",
                 ["test_pictures", "test_picture_metadata"], ""),
    "discovery": ("Downloaded data is found where people unpack it; a replaced source is noticed, "
                  "and of several downloads the choice is printed",
                  ["test_choice", "test_stale_data"], "")}



class Counts:
    """A plugin of pytest that counts passed, failed and skipped cases."""

    def __init__(self):
        self.passed = self.failed = self.skipped = 0

    def pytest_runtest_logreport(self, report):
        if report.failed:
            self.failed += 1
        elif report.skipped:
            self.skipped += 1
        elif report.when == "call":
            self.passed += 1


def run(files, expression):
    """Run the cases that an expression selects from files of tests/, and return their Counts."""
    counts = Counts()
    paths = [str(path) for file in files for path in (ROOT / "tests").rglob(f"{file}.py")]
    pytest.main(["-q", "-p", "no:cacheprovider", "-k", expression, *paths], plugins=[counts])
    return counts


def main():
    parser = flags.Parser(__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME",
                        help=f"one of {', '.join(PROMISES)} (default: all)")
    chosen = parser.parse_args().names or list(PROMISES)
    if unknown := set(chosen) - set(PROMISES):
        parser.error(f"got {', '.join(sorted(unknown))}, expected names of {', '.join(PROMISES)}")
    broken = []
    for name in chosen:
        promise, files, expression = PROMISES[name]
        counts = run(files, expression)
        print(f"{name}: {counts.passed} passed, {counts.failed} failed, {counts.skipped} skipped",
              flush=True)
        if counts.failed or not counts.passed:
            broken.append(name)
            continue
        result = {"promise": promise, "measured": f"{counts.passed} of {counts.passed} cases",
                  "command": f"python experiments/checks/promises.py {name}",
                  "skipped": counts.skipped}
        path = RESULTS / "reliability" / f"{name}.json"
        write_text(path, json_text(result))
    if broken:
        print(f"promises: broken: {', '.join(broken)}")
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
