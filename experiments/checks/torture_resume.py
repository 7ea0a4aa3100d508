"""Kill a training run repeatedly, resume it, and compare the result with an uninterrupted run.

    python experiments/checks/torture_resume.py --kills 200             about two minutes
    python experiments/checks/torture_resume.py --kills 200 --seed 1    at other moments

A child process trains a small net (batchnorm, dropout, flips, Adam, averaged weights) and saves
after every epoch. Half of the kills (SIGKILL) come at a random moment, half while a file is being
written: as soon as there is a temporary file, or up to 2 ms later. When a run ends, its last.h5 and
best.h5 must equal those of the uninterrupted run bit for bit, except for times. Then a new run
begins, until all kills are done. Children are forked from a parent that trains nothing, so they
know only what is on the disk. Exits with 1 if anything differs, or if a run can't be resumed.
"""
import sys
from pathlib import Path

if __package__ is None:  # started as a file, not with -m
    sys.path[0] = str(Path(__file__).resolve().parents[2])

import json
import os
import signal
import tempfile
import time
from collections import Counter

import numpy as np

from cs231n_fer.classifiers import FinalConvNet
from cs231n_fer.data_utils.augment import HorizontalFlip
from cs231n_fer.fast_layers import COMPILED
from cs231n_fer.files.checkpoint import load_checkpoint, write_text
from cs231n_fer.nets.ladder import RUNGS
from cs231n_fer.solver import Recipe, RunFolder, Solver
from cs231n_fer.solver.run_folder import BEST, LAST
from experiments import flags

RESULTS = Path(__file__).resolve().parents[1] / "results" / "reliability" / "resume.json"


def train(folder, epochs, seed, rung):
    """Start or resume the run in a folder, and train until it ends."""
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((60, 1, 8, 8)).astype(np.float32)
    y = rng.integers(0, 7, 60)
    net = FinalConvNet((1, 8, 8), (4, 6), hidden_dim=8, batchnorm=True, dropout_keep_ratio=0.7,
                       reg=1e-3, seed=seed, rung=rung)
    Solver(net, {"X_train": X[:40], "y_train": y[:40], "X_val": X[40:], "y_val": y[40:]},
           update_rule="adam", batch_size=9, num_epochs=epochs, seed=seed, verbose=False,
           folder=RunFolder(folder, resume=True),
           recipe=Recipe(augmentation=HorizontalFlip(), average_decay=0.9)).train()


def forked(function, *arguments):
    """Call a function in a child process, and return its process id."""
    child = os.fork()
    if child == 0:
        status = 1
        try:
            function(*arguments)
            status = 0
        except BaseException as error:
            print(f"the child failed: {type(error).__name__}: {error}", file=sys.stderr, flush=True)
        os._exit(status)
    return child


def writing(folder):
    """Return the names of the files that are being written."""
    return sorted(".".join(name.split(".")[1:3]) for name in os.listdir(folder)
                  if name.endswith(".tmp"))


def kill(child, folder, at_save, delay):
    """Kill a child after a delay, and return its wait status.

    at_save    whether the delay begins at the next save, or now
    """
    old = set(os.listdir(folder))
    while at_save and not any(name.endswith(".tmp") for name in set(os.listdir(folder)) - old):
        done, status = os.waitpid(child, os.WNOHANG)
        if done:
            return status
    time.sleep(delay)
    os.kill(child, signal.SIGKILL)
    return os.waitpid(child, 0)[1]


def difference(folder, whole):
    """Return the names of what differs between the checkpoints of two folders, except times."""
    found = []
    for file in (LAST, BEST):
        arrays, info = load_checkpoint(folder / file)
        true_arrays, true_info = load_checkpoint(whole / file)
        for kept in (info, true_info):
            kept["history"] = [{k: v for k, v in row.items() if "second" not in k}
                               for row in kept["history"]]
        found += [f"{file}: {name}" for name in arrays.keys() | true_arrays.keys()
                  if name not in arrays or name not in true_arrays
                  or (arrays[name].dtype, arrays[name].shape, arrays[name].tobytes())
                  != (true_arrays[name].dtype, true_arrays[name].shape,
                      true_arrays[name].tobytes())]
        found += [f"{file}: {key}" for key in info.keys() | true_info.keys()
                  if info.get(key) != true_info.get(key)]
    return found


def moment_of(folder):
    """Return the moment at which the run in a folder was killed, as text."""
    if writing(folder):
        return f"while {', '.join(writing(folder))} was written"
    return "between two saves" if (folder / LAST).exists() else "before the first checkpoint"


def torture(kills, seed, epochs, rung, work):
    """Return (numbers of kills by moment, number of runs that ended, differences and failures).

    work    an empty folder
    """
    rng = np.random.default_rng(seed)
    counts = Counter()
    wrong = []
    runs = 0
    for name in ("again", "whole"):  # the first one may compile
        begin = time.perf_counter()
        _, status = os.waitpid(forked(train, work / name, epochs, seed, rung), 0)
        assert status == 0, "the uninterrupted run failed"
        seconds = time.perf_counter() - begin
    wrong += difference(work / "again", work / "whole")
    while not wrong and (runs == 0 or counts.total() < kills):
        folder = work / f"run{runs}"
        folder.mkdir()
        ended = False
        while not ended and not wrong:
            child = forked(train, folder, epochs, seed, rung)
            left = kills - counts.total()
            if left > 0:
                at_save = bool(left % 2)
                delay = rng.uniform(0, 0.002 if at_save else seconds / 2)
                status = kill(child, folder, at_save, delay)
            else:
                _, status = os.waitpid(child, 0)
            ended = status == 0
            if os.WIFSIGNALED(status):
                counts[moment_of(folder)] += 1
            elif status:
                wrong.append(f"run {runs}: a child could not go on")
        if ended:
            wrong += [f"run {runs}: {name}" for name in difference(folder, work / "whole")]
        runs += 1
        print(f"{runs} runs, {counts.total()} kills", flush=True)
    return counts, runs, wrong


def main():
    parser = flags.Parser(__doc__)
    parser.add_argument("--kills", type=flags.whole(1), default=200,
                        help="number of kills (default: %(default)s)")
    parser.add_argument("--epochs", type=flags.whole(1), default=12,
                        help="number of epochs per run (default: %(default)s)")
    parser.add_argument("--seed", type=flags.whole(), default=0,
                        help="seed of the runs and the kills (default: %(default)s)")
    parser.add_argument("--rung", choices=("auto", *RUNGS), default="im2col",
                        help="rung of the net; auto loads compiled kernels after every kill "
                             "(default: %(default)s)")
    parser.add_argument("--out", type=flags.target, default=RESULTS,
                        help="file of the result (default: "
                             "experiments/results/reliability/resume.json)")
    args = parser.parse_args()
    print(f"torture_resume: kills {args.kills}, epochs {args.epochs}, seed {args.seed}, rung "
          f"{args.rung}, compiled {COMPILED}, NumPy {np.__version__}", flush=True)
    begin = time.perf_counter()
    with tempfile.TemporaryDirectory() as work:
        counts, runs, wrong = torture(args.kills, args.seed, args.epochs, args.rung, Path(work))
    width = max(map(len, counts), default=0)
    for moment, count in counts.most_common():
        print(f"{moment:{width}}  {count:4}")
    print(f"{counts.total()} kills in {runs} runs, {time.perf_counter() - begin:.0f} s")
    print("\n".join(wrong) if wrong else "every run ended with the bits of the uninterrupted one")
    write_text(args.out, json.dumps({
        "command": f"{'' if COMPILED else 'NUMBA_DISABLE_JIT=1 '}python "
                   "experiments/checks/torture_resume.py --kills "
                   f"{args.kills} --epochs {args.epochs} --seed {args.seed} --rung {args.rung}",
        "epochs": args.epochs, "rung": args.rung, "compiled": COMPILED, "kills": counts.total(),
        "in_a_save": sum(count for moment, count in counts.items() if moment.startswith("while")),
        "moments": dict(counts.most_common()), "runs": runs, "wrong": wrong}, indent=1) + "\n")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
