"""A search whose trials are trainings of one net, shared by any number of processes."""
import os
import subprocess
import sys
from contextlib import contextmanager
from dataclasses import replace

from cs231n_fer.fast_layers import set_threads, threads
from cs231n_fer.solver.search import successive_halving

from .runs import digest, train


def run_of(base, number, settings):
    """Return the run of a trial: base with its learning_rate, reg and lr_decay."""
    run = replace(base, name=f"search{number:02}", reg=settings["reg"],
                  lr_decay=settings["lr_decay"])
    return run.with_optim(learning_rate=settings["learning_rate"])


def search(base, trials, rungs, data, folder, always=(), key=None):
    """Train trials {number: settings} rung by rung, see successive_halving; returns {epochs:
    {number: result}}.

    base     Run, of as many epochs as the last rung
    folder   of all runs; the trials are found again there by base, data and key (which tells
             searches apart)
    A result is a dict: score (the best accuracy until then, 0 if the training diverged), seconds,
    history.
    """
    def evaluate(number, settings, budget):
        print(f"trial {number}, to epoch {budget}: {settings}", flush=True)
        result = train(run_of(base, number, settings), data, folder,
                       stop=lambda history: len(history) >= budget)
        history = result["history"][:budget]  # all of it, unless a later rung has gone on
        score = max(row["val_acc"] for row in history) if len(history) == budget else 0.0
        return {"score": score, "seconds": sum(row["seconds"] for row in history),
                "history": history}

    name = f"search-{digest(replace(base, options={'search': key}), data)}"
    return successive_halving(folder / name, trials, rungs, evaluate, always)


def rungs(epochs, trials, shares, in_full):
    """Return ((epochs, trials that are trained so long), ...), the last one (epochs, in_full).

    shares   ((share of the epochs, share of the trials), ...); of rungs with as many epochs the
             first one counts
    """
    counts = {}
    for share, part in shares:
        counts.setdefault(max(1, round(share * epochs)), max(round(part * trials), in_full))
    return (*((budget, count) for budget, count in counts.items() if budget < epochs),
            (epochs, in_full))


def longest(found):
    """Return {number: (epochs, result)} of the longest training of each trial that search()
    found."""
    return {number: (budget, result) for budget, results in found.items() for number,
            result in results.items()}


@contextmanager
def workers(script, argv, count):
    """While the body runs, let `count` more processes run a script with --worker; each gets its
    part of the threads.

    When the body ends they are ended: they have nothing left to do, or shall not go on alone.
    """
    each = max(1, threads() // (count + 1))
    set_threads(each)
    command = [sys.executable, script, *argv, "--processes", "1", "--worker"]
    environment = {**os.environ, "NUMBA_NUM_THREADS": str(each)}
    processes = [subprocess.Popen(command, env=environment) for _ in range(count)]
    try:
        yield
    finally:
        for process in processes:
            process.terminate()
            process.wait()
