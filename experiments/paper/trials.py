"""A search over trainings of one net, shared by any number of processes."""
import os
import subprocess
import sys
from contextlib import contextmanager
from dataclasses import replace

from cs231n_fer.fast_layers import set_threads, threads
from cs231n_fer.solver.search import successive_halving

from .runs import digest, train


def run_of(base, number, settings):
    """Return the run of a trial: base with the trial's learning_rate, reg and lr_decay."""
    run = replace(base, name=f"search{number:02}", reg=settings["reg"],
                  lr_decay=settings["lr_decay"])
    return run.with_optim(learning_rate=settings["learning_rate"])


def search(base, trials, rungs, data, folder, always=(), key=None):
    """Train trials rung by rung with successive_halving; returns {epochs: {number: result}}.

    base     Run with the epochs of the last rung
    trials   {number: settings}
    rungs    of rungs()
    folder   of all runs, where finished trials are found again by base, data and key
    always   numbers of the trials that reach every rung
    key      JSON value that distinguishes searches with the same base and data
    A result is a dict of score (the best accuracy so far, 0 if the training diverged), seconds and
    history.
    """
    def evaluate(number, settings, budget):
        print(f"trial {number}, to epoch {budget}: {settings}", flush=True)
        result = train(run_of(base, number, settings), data, folder,
                       stop=lambda history: len(history) >= budget)
        history = result["history"][:budget]  # a later rung may have trained for longer
        score = max(row["val_acc"] for row in history) if len(history) == budget else 0.0
        return {"score": score, "seconds": sum(row["seconds"] for row in history),
                "history": history}

    name = f"search-{digest(replace(base, options={'search': key}), data)}"
    return successive_halving(folder / name, trials, rungs, evaluate, always)


def rungs(epochs, trials, shares, in_full):
    """Return ((epochs, number of trials), ...), a pair for each rung.

    The last pair is (epochs, in_full).

    shares   ((share of the epochs, share of the trials), ...); of rungs with the same number of
             epochs the first one is kept
    """
    counts = {}
    for of_epochs, of_trials in shares:
        budget = max(1, round(of_epochs * epochs))
        counts.setdefault(budget, max(round(of_trials * trials), in_full))
    return (*((budget, count) for budget, count in counts.items() if budget < epochs),
            (epochs, in_full))


def longest(found):
    """Return {number: (epochs, result)} of the longest training of each trial.

    found   of search()
    """
    return {number: (budget, result)
            for budget, results in found.items() for number, result in results.items()}


@contextmanager
def workers(script, argv, count):
    """Run a script with --worker in `count` more processes while the body runs.

    All processes share the threads equally. The workers are terminated when the body ends: either
    nothing is left to do, or they should not continue alone after an error.
    """
    share = max(1, threads() // (count + 1))
    set_threads(share)
    command = [sys.executable, script, *argv, "--processes", "1", "--worker"]
    environment = {**os.environ, "NUMBA_NUM_THREADS": str(share)}
    processes = [subprocess.Popen(command, env=environment) for _ in range(count)]
    try:
        yield
    finally:
        for process in processes:
            process.terminate()
            process.wait()
