"""Random search, in log space where that is wanted (Bergstra & Bengio 2012), by any number of
processes on one folder.

A trial is a function of (seed, number): draw() says what it tries, whoever runs it. A folder holds

    0007.claim-0    whoever creates it, exclusively, does trial 7; it names the host and the process
    0007.json       the settings and the result of trial 7, written whole

A process touches its claim all the time that it works. A claim that nobody has touched for `stale`
seconds, by the clock of the file system, is one of a dead process: who then creates 0007.claim-1,
exclusively again, takes the trial over. So is a claim that lies further than that in the future, of
a clock that was set back: a living process would have touched it. Claims are never removed or
renamed, so at no moment can two processes both succeed. A process that was not dead but only asleep
finds the younger claim when it is done, and leaves the result to its heir. One that is interrupted
makes its claim old, so nobody waits for it.

successive_halving() gives up the hopeless: all trials are trained shortly, the best of them longer,
and so on. All processes wait for each other at the end of a rung, so which trials go on is a
function of their results alone.
"""
import json
import math
import os
import socket
import tempfile
import threading
import time
import zlib
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from ..files.checkpoint import write_text
from ..files.sealed import plain
from ..shapes import check

STALE = 120.0  # seconds; network file systems may show a time of change that is a minute old
BEATS = 10  # touches in that time


@dataclass(frozen=True)
class Uniform:
    """Numbers from low to high, all equally likely."""

    low: float
    high: float

    def __post_init__(self):
        check(-math.inf < self.low <= self.high < math.inf,
              f"Uniform: got {self.low} to {self.high}, expected two numbers, the lower one first")

    def value(self, u):
        """Return the number at u in [0, 1) of the range."""
        return self.low + (self.high - self.low) * u


@dataclass(frozen=True)
class LogUniform:
    """Numbers from low to high above 0 whose logarithm is uniform: each factor of 10 is equally likely."""

    low: float
    high: float

    def __post_init__(self):
        check(0 < self.low <= self.high < math.inf,
              f"LogUniform: got {self.low} to {self.high}, expected two numbers above 0, the lower one first")

    def value(self, u):
        """Return the number at u in [0, 1) of the range of logarithms."""
        # The power can be rounded to just beyond an end.
        return min(max(self.low * (self.high / self.low) ** u, self.low), self.high)


@dataclass(frozen=True)
class Choice:
    """One of some values, all equally likely."""

    values: tuple

    def __post_init__(self):
        object.__setattr__(self, "values", tuple(self.values))  # a list could be changed
        check(len(self.values) > 0, "Choice: got no values, expected at least one")

    def value(self, u):
        """Return the value at u in [0, 1) of the list."""
        return self.values[int(u * len(self.values))]


def draw(space, seed, number):
    """Return the settings {name: value} of a trial, a pure function of its arguments.

    space           {name: LogUniform, Uniform or Choice}
    seed, number    ints of at least 0
    Every name has a random stream of its own: no setting changes when others are added to the space
    or left out.
    """
    for argument, value in (("seed", seed), ("number", number)):
        check(isinstance(value, int | np.integer) and value >= 0, f"{argument}: got {value!r}, expected an int >= 0")
    return {name: variable.value(float(np.random.default_rng([seed, number, zlib.crc32(name.encode())]).random()))
            for name, variable in space.items()}


def claim(folder, number, stale=STALE):
    """Try to become the one process that does a trial; returns the Path of the claim, None if another has or did it."""
    folder, generation = Path(folder), 0
    folder.mkdir(parents=True, exist_ok=True)
    while _claim_path(folder, number, generation).exists():
        generation += 1
    # A claim from the future, of a clock that was set back, would never become old.
    if generation and abs(age(_claim_path(folder, number, generation - 1))) < stale:
        return None
    path = _claim_path(folder, number, generation)
    try:
        with open(path, "x", encoding="utf-8") as file:  # O_CREAT | O_EXCL: it fails where the file exists
            file.write(f"{socket.gethostname()} {os.getpid()}\n")
    except FileExistsError:
        return None
    # Looked for after the claim: before it, the result could come between the two.
    return None if _result_path(folder, number).exists() else path


def age(path):
    """Return the seconds since a file was touched, by the clock of its file system.

    All machines share this clock. Below 0 the file is from the future.
    """
    with tempfile.TemporaryFile(dir=path.parent) as now:
        return os.fstat(now.fileno()).st_mtime - path.stat().st_mtime


@contextmanager
def working(path, stale=STALE):
    """Touch a claim again and again while the body runs; if the body is interrupted, make the claim old."""
    done = threading.Event()

    def touch():
        while not done.wait(stale / BEATS):
            os.utime(path)
    thread = threading.Thread(target=touch, daemon=True)
    thread.start()
    interrupted = True
    try:
        yield
        interrupted = False
    finally:
        done.set()
        thread.join()
        if interrupted:
            os.utime(path, (0, 0))


def run_trials(folder, trials, evaluate, stale=STALE, poll=1.0):
    """Do the trials that no other process does, until all are done; returns {number: result} in
    order of number.

    folder      shared by all processes that work on these trials
    trials      {number: settings}, dicts that JSON can hold; NumPy's numbers and arrays come back
                as numbers and lists
    evaluate    function (number, settings) -> dict of the same kind, the same whoever calls it
    stale       age of an untouched claim, in seconds, at which a trial is taken over
    poll        seconds between looks at trials that others do
    Raises ValueError if the folder holds trials with other settings, or the result of a trial is no
    such dict, and whatever evaluate raises.
    """
    while True:
        stored = results(folder)
        for number in trials.keys() & stored.keys():
            # As texts, where a NaN is equal to itself.
            wanted = as_json(json.loads(as_json(trials[number])), sort=True)
            check(as_json(stored[number]["settings"], sort=True) == wanted,
                  f"folder: {folder} holds trial {number} of another search, with {stored[number]['settings']}, "
                  f"expected {trials[number]}")
        missing = sorted(trials.keys() - stored.keys())
        if not missing:
            return {number: stored[number]["result"] for number in sorted(trials)}
        # All are tried: if the first ones are taken, a later one may be free.
        if not any([_do(folder, number, trials[number], evaluate, stale) for number in missing]):
            time.sleep(poll)


def _do(folder, number, settings, evaluate, stale):
    """Do a trial if it can be claimed; returns whether it could."""
    mine = claim(folder, number, stale)
    if mine is None:
        return False
    with working(mine, stale):
        result = evaluate(number, settings)
        check(isinstance(result, dict), f"evaluate: gave {result!r} for trial {number}, expected a dict")
        text = as_json({"number": number, "settings": settings, "result": result})
    generation = int(mine.suffix.removeprefix(".claim-"))
    if not _claim_path(folder, number, generation + 1).exists():
        write_text(_result_path(folder, number), text + "\n")
    return True


def results(folder):
    """Return the finished trials of a folder, {number: {"number", "settings", "result"}}, in order of number."""
    found = {}
    for path in Path(folder).glob("*.json"):
        try:
            trial = json.loads(path.read_text(encoding="utf-8"))
            check(isinstance(trial, dict) and isinstance(trial.get("settings"), dict)
                  and isinstance(trial.get("result"), dict),
                  "it holds no settings and no result; remove it, and the trial is done again")
            number = trial.get("number")
            check(isinstance(number, int) and path == _result_path(folder, number),
                  f"it is of trial {number!r}")
        except (ValueError, RecursionError, IsADirectoryError) as error:
            raise ValueError(f"folder: {path} is no result of a trial: {error}") from error
        found[number] = trial
    return dict(sorted(found.items()))


def as_json(value, sort=False):
    """Return a JSON text of a value, with NumPy's numbers and arrays as numbers and lists.

    sort    put the keys of each dict in order
    Raises ValueError for what JSON cannot hold.
    """
    def listed(each):
        return each.tolist() if isinstance(each, np.ndarray) else plain(each)
    try:
        return json.dumps(value, default=listed, indent=1, sort_keys=sort)
    except TypeError as error:
        raise ValueError(f"JSON cannot hold {value!r}: {error}") from error


def survivors(scores, keep):
    """Return the numbers of the `keep` highest of scores {number: float}, best first.

    Of equal ones the lower number is first. Scores that aren't finite come last: such trials
    diverged.
    Raises ValueError where none is finite.
    """
    finite = {number: score for number, score in scores.items() if math.isfinite(score)}
    check(finite or not scores, f"scores: got {scores}, expected at least one finite number")
    last = sorted(scores.keys() - finite.keys())
    return [*sorted(finite, key=lambda number: (-finite[number], number)), *last][:keep]


def successive_halving(folder, trials, rungs, evaluate, always=(), **options):
    """Run all trials on the first rung, the best of them on the next, and so on (Jamieson &
    Talwalkar 2016).

    rungs       ((budget, trials that reach this rung), ...), the budget in epochs, say
    evaluate    function (number, settings, budget) -> dict with a "score", the higher the better
    always      numbers of trials that reach every rung, beside those that are counted
    options     stale and poll of run_trials
    Returns {budget: {number: result}}. The folder holds one folder of trials for each rung.
    """
    scores, found = dict.fromkeys(trials, 0.0), {}
    for budget, count in rungs:
        contest = {number: score for number, score in scores.items() if number not in always}
        chosen = {number: trials[number] for number in sorted([*survivors(contest, count), *always])}
        found[budget] = run_trials(Path(folder) / f"rung-{budget}", chosen, partial(evaluate, budget=budget), **options)
        scores = {number: score_of(number, result) for number, result in found[budget].items()}
    return found


def score_of(number, result):
    """Return the score of a result; ValueError where it has none that is a number."""
    score = result.get("score")
    check(isinstance(score, int | float),
          f"evaluate: gave {result} for trial {number}, expected a dict with a number as 'score'")
    return score


def _claim_path(folder, number, generation):
    return Path(folder) / f"{number:04}.claim-{generation}"


def _result_path(folder, number):
    return Path(folder) / f"{number:04}.json"
