"""Functions for the processes of test_search.py.

They are spawned, so the functions are in a module that is quick to import.
"""
import time
from pathlib import Path

from cs231n_fer.solver.search import LogUniform, claim, draw, run_trials, successive_halving

SPACE = {"learning_rate": LogUniform(1e-5, 1e-1), "reg": LogUniform(1e-6, 1e-1)}
TRIALS = {number: draw(SPACE, 5, number) for number in range(12)}
RUNGS = ((1, 12), (4, 5), (16, 2))


def claim_all(barrier, folder, numbers, out):
    """Write the numbers whose claim succeeds to a file; all processes start together."""
    barrier.wait()
    Path(out).write_text(" ".join(str(number) for number in numbers if claim(folder, number)))


def score(number, settings, budget):
    """Return a score that depends on the arguments only."""
    return {"score": -abs(settings["learning_rate"] - 1e-3) + 0.01 * budget * settings["reg"]}


def halve(barrier, folder, out):
    """Run a search and write every evaluation to a file; all processes start together."""
    def evaluate(number, settings, budget):
        with open(out, "a") as file:
            file.write(f"{budget} {number}\n")
        return score(number, settings, budget)
    barrier.wait()
    successive_halving(folder, TRIALS, RUNGS, evaluate, always=(0,), poll=0.01)


def hang(folder, started):
    """Run trial 0, then claim trial 1 and never return."""
    def evaluate(number, settings):
        if number == 1:
            Path(started).touch()
            time.sleep(600)
        return {"number": number}
    run_trials(folder, TRIALS, evaluate)
