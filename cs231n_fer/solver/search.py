"""Random search (Bergstra & Bengio 2012) by any number of processes that share a folder.

A trial is a function of (seed, number): draw() returns its settings, whichever process runs it. The
module claims says how a process claims a trial. A folder holds

    0007.claim-0    made by the process that runs trial 7; names its host and process id
    0007.json       settings and result of trial 7, written atomically

successive_halving() drops poor trials early: all trials are trained briefly, the best of them
longer, and so on. The processes wait for each other at the end of a rung, so that the choice of the
trials that continue depends on the results alone.
"""
from __future__ import annotations

import json
import math
import time
import zlib
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from ..files.checkpoint import write_text
from ..files.sealed import FilePath, plain
from ..shapes import check
from .claims import STALE, claim, claim_path, result_path, working

if TYPE_CHECKING:
    from pandas import DataFrame

__all__ = [
    "Choice",
    "LogUniform",
    "Uniform",
    "claim",
    "draw",
    "results",
    "results_frame",
    "run_trials",
    "successive_halving",
    "survivors",
]

Settings = dict[str, Any]  # of a trial; JSON can hold them
Result = dict[str, Any]  # of a trial; JSON can hold it


class Variable(Protocol):
    """A distribution from which a setting is drawn."""

    def value(self, u: float, /) -> Any:
        """Return the value at the quantile u in [0, 1)."""


@dataclass(frozen=True)
class Uniform:
    """Numbers distributed uniformly from low to high."""

    low: float
    high: float

    def __post_init__(self) -> None:
        check(-math.inf < self.low <= self.high < math.inf,
              f"Uniform: got {self.low} to {self.high}, "
              "expected two numbers, the lower one first")

    def value(self, u: float) -> float:
        """Return the number at the quantile u in [0, 1)."""
        return self.low + (self.high - self.low) * u


@dataclass(frozen=True)
class LogUniform:
    """Positive numbers from low to high whose logarithm is distributed uniformly."""

    low: float
    high: float

    def __post_init__(self) -> None:
        check(0 < self.low <= self.high < math.inf,
              f"LogUniform: got {self.low} to {self.high}, "
              "expected two numbers above 0, the lower one first")

    def value(self, u: float) -> float:
        """Return the number at the quantile u in [0, 1)."""
        # The rounded power can lie just outside of the range.
        number: float = self.low * (self.high / self.low) ** u
        return min(max(number, self.low), self.high)


@dataclass(frozen=True)
class Choice:
    """One of some values, all equally likely."""

    values: tuple[Any, ...]

    def __post_init__(self) -> None:
        object.__setattr__(self, "values", tuple(self.values))  # a list could be changed
        check(len(self.values) > 0, "Choice: got no values, expected at least one")

    def value(self, u: float) -> Any:
        """Return the value at the quantile u in [0, 1) of the list."""
        return self.values[int(u * len(self.values))]


def draw(space: Mapping[str, Variable], seed: int, number: int) -> Settings:
    """Return the settings {name: value} of a trial, a pure function of its arguments.

    space           {name: LogUniform, Uniform or Choice}
    seed, number    ints of at least 0
    Every name has its own random stream: adding or removing others changes none of the settings.
    """
    for argument, value in (("seed", seed), ("number", number)):
        check(isinstance(value, int | np.integer) and value >= 0,
              f"{argument}: got {value!r}, expected an int >= 0")
    return {name: variable.value(_uniform(seed, number, name)) for name, variable in space.items()}


def _uniform(seed: int, number: int, name: str) -> float:
    """Return the random number in [0, 1) of a setting of a trial."""
    return float(np.random.default_rng([seed, number, zlib.crc32(name.encode())]).random())


def run_trials(folder: FilePath, trials: Mapping[int, Settings],
               evaluate: Callable[[int, Settings], Result], stale: float = STALE,
               poll: float = 1.0) -> dict[int, Result]:
    """Run the trials that no other process runs until all are finished; return {number: result}.

    folder      shared by all processes that work on these trials
    trials      {number: settings}, dicts that JSON can hold; NumPy's numbers and arrays are
                returned as numbers and lists
    evaluate    function (number, settings) -> dict of the same kind, equal in every process
    stale       age of an untouched claim, in seconds, at which a trial is taken over
    poll        seconds to wait before checking again for trials that other processes run
    The results are in order of number. Raises ValueError if the folder holds trials with other
    settings, or if evaluate returns anything else; exceptions of evaluate are passed on.
    """
    while True:
        stored = results(folder)
        for number in trials.keys() & stored.keys():
            # Compared as texts, in which a NaN is equal to itself.
            expected = as_json(json.loads(as_json(trials[number])), sort=True)
            found = stored[number]["settings"]
            check(as_json(found, sort=True) == expected,
                  f"folder: {folder} holds trial {number} of another search, with {found}, "
                  f"expected {trials[number]}")
        missing = sorted(trials.keys() - stored.keys())
        if not missing:
            return {number: stored[number]["result"] for number in sorted(trials)}
        # All of them are tried: if the first ones are taken, a later one may be free.
        done = [_run_trial(folder, number, trials[number], evaluate, stale) for number in missing]
        if not any(done):
            time.sleep(poll)


def _run_trial(folder: FilePath, number: int, settings: Settings,
               evaluate: Callable[[int, Settings], Result], stale: float) -> bool:
    """Run a trial if it can be claimed, and return whether it could."""
    mine = claim(folder, number, stale)
    if mine is None:
        return False
    with working(mine, stale):
        result = evaluate(number, settings)
        check(isinstance(result, dict),
              f"evaluate: returned {result!r} for trial {number}, expected a dict")
        text = as_json({"number": number, "settings": settings, "result": result})
    generation = int(mine.suffix.removeprefix(".claim-"))
    if not claim_path(folder, number, generation + 1).exists():
        write_text(result_path(folder, number), text + "\n")
    return True


def results(folder: FilePath) -> dict[int, dict[str, Any]]:
    """Return the finished trials of a folder in order, {number: {"number", "settings", "result"}}.

    Raises ValueError for a file that is not the result of a trial.
    """
    found: dict[int, dict[str, Any]] = {}
    for path in Path(folder).glob("*.json"):
        try:
            trial = json.loads(path.read_text(encoding="utf-8"))
            check(isinstance(trial, dict) and isinstance(trial.get("settings"), dict)
                  and isinstance(trial.get("result"), dict),
                  "it has no settings or no result; remove it to run the trial again")
            number = trial.get("number")
            check(isinstance(number, int) and path == result_path(folder, number),
                  f"it is of trial {number!r}")
        except (ValueError, RecursionError, IsADirectoryError) as error:
            raise ValueError(f"folder: {path} is not the result of a trial: {error}") from error
        found[number] = trial
    return dict(sorted(found.items()))


def results_frame(folder: FilePath) -> DataFrame:
    """Return the finished trials of a folder as a pandas.DataFrame, the number as its index.

    Columns are settings.NAME and result.NAME, with a further .NAME for what lies in a dict; a cell
    is NaN where a trial lacks it. Raises ValueError as results does.
    """
    import pandas as pd  # only here, so that a search starts without it
    trials = list(results(folder).values())
    frame = pd.json_normalize(trials) if trials else pd.DataFrame(columns=["number"])
    return frame.set_index("number")


def as_json(value: Any, sort: bool = False) -> str:
    """Return a JSON text of a value, with NumPy's numbers and arrays as numbers and lists.

    sort    sort the keys of dicts
    Raises ValueError for what JSON cannot hold.
    """
    def listed(item: object) -> Any:
        return item.tolist() if isinstance(item, np.ndarray) else plain(item)

    try:
        return json.dumps(value, default=listed, indent=1, sort_keys=sort)
    except TypeError as error:
        raise ValueError(f"JSON cannot hold {value!r}: {error}") from error


def survivors(scores: Mapping[int, float], keep: int) -> list[int]:
    """Return the numbers of the `keep` highest of scores {number: float}, best first.

    Ties are broken by the lower number. Scores that are not finite, of trials that diverged, come
    last. Raises ValueError if none is finite.
    """
    finite = {number: score for number, score in scores.items() if math.isfinite(score)}
    check(finite or not scores, f"scores: got {scores}, expected at least one finite number")
    last = sorted(scores.keys() - finite.keys())
    return [*sorted(finite, key=lambda number: (-finite[number], number)), *last][:keep]


def successive_halving(folder: FilePath, trials: Mapping[int, Settings],
                       rungs: Sequence[tuple[int, int]], evaluate: Callable[..., Result],
                       always: Collection[int] = (), **options: float
                       ) -> dict[int, dict[int, Result]]:
    """Run all trials on the first rung, the best of them on the next (Jamieson & Talwalkar 2016).

    rungs       ((budget, number of trials that reach this rung), ...), the budget for example in
                epochs
    evaluate    function (number, settings, budget) -> dict with a "score"; higher is better
    always      numbers of trials that reach every rung, in addition to those that are counted
    options     stale and poll of run_trials
    Returns {budget: {number: result}}. The folder holds a folder of trials for every rung.
    """
    scores = dict.fromkeys(trials, 0.0)
    found = {}
    for budget, count in rungs:
        competing = {number: score for number, score in scores.items() if number not in always}
        numbers = sorted([*survivors(competing, count), *always])
        chosen = {number: trials[number] for number in numbers}
        found[budget] = run_trials(Path(folder) / f"rung-{budget}", chosen,
                                   partial(evaluate, budget=budget), **options)
        scores = {number: score_of(number, result) for number, result in found[budget].items()}
    return found


def score_of(number: int, result: Result) -> float:
    """Return the score of a result; raise ValueError if it is no number."""
    score = result.get("score")
    if isinstance(score, int | float):
        return score
    raise ValueError(f"evaluate: returned {result} for trial {number}, "
                     "expected a dict with a number as 'score'")
