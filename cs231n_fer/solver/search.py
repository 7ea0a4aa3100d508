"""Random search (Bergstra & Bengio 2012) by any number of processes that share a folder.

A trial is a function of (seed, number): draw() returns its settings, whichever process runs it. A
folder holds

    0007.claim-0    made by the process that runs trial 7; names its host and process id
    0007.json       settings and result of trial 7, written atomically

A process touches its claim as long as it works. A claim that has not been touched for `stale`
seconds, by the clock of the file system, belongs to a dead process: the process that then creates
0007.claim-1 takes the trial over. The same holds for a claim that lies further than that in the
future, made before a clock was set back: a living process would have touched it. Claims are created
exclusively and never removed or renamed, so that two processes can at no moment both succeed. A
process that was not dead but suspended finds the younger claim when it has finished, and leaves the
result to its successor. An interrupted process makes its claim old, so that no other one waits.

successive_halving() drops poor trials early: all trials are trained briefly, the best of them
longer, and so on. The processes wait for each other at the end of a rung, so that the choice of the
trials that continue depends on the results alone.
"""
from __future__ import annotations

import json
import math
import os
import socket
import tempfile
import threading
import time
import zlib
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from ..files.checkpoint import write_text
from ..files.sealed import FilePath, plain
from ..shapes import check

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

STALE = 120.0  # seconds; network file systems may show modification times that are a minute old
BEATS = 10  # touches in that time

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


def claim(folder: FilePath, number: int, stale: float = STALE) -> Path | None:
    """Claim a trial for this process; return the path of the claim, None if the trial is taken.

    folder   of the trials
    number   of the trial
    stale    seconds after which an untouched claim is considered abandoned
    """
    folder = Path(folder)
    generation = 0
    folder.mkdir(parents=True, exist_ok=True)
    while _claim_path(folder, number, generation).exists():
        generation += 1
    # A claim from the future, made before a clock was set back, would never become old.
    if generation and abs(age(_claim_path(folder, number, generation - 1))) < stale:
        return None
    path = _claim_path(folder, number, generation)
    try:
        with open(path, "x", encoding="utf-8") as file:  # O_CREAT | O_EXCL: fails if it exists
            file.write(f"{socket.gethostname()} {os.getpid()}\n")
    except FileExistsError:
        return None
    # Checked after the claim is made: otherwise the result could appear between the two.
    return None if _result_path(folder, number).exists() else path


def age(path: Path) -> float:
    """Return the seconds since a file was touched, by the clock of its file system.

    All machines share this clock. A negative age means that the file is from the future.
    """
    with tempfile.TemporaryFile(dir=path.parent) as now:
        return os.fstat(now.fileno()).st_mtime - path.stat().st_mtime


@contextmanager
def working(path: Path, stale: float = STALE) -> Iterator[None]:
    """Touch a claim regularly while the context lasts; make it old if that is interrupted."""
    done = threading.Event()

    def touch() -> None:
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
    settings, or if the result of a trial is no such dict, and passes on what evaluate raises.
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
              f"evaluate: gave {result!r} for trial {number}, expected a dict")
        text = as_json({"number": number, "settings": settings, "result": result})
    generation = int(mine.suffix.removeprefix(".claim-"))
    if not _claim_path(folder, number, generation + 1).exists():
        write_text(_result_path(folder, number), text + "\n")
    return True


def results(folder: FilePath) -> dict[int, dict[str, Any]]:
    """Return the finished trials of a folder in order, {number: {"number", "settings", "result"}}.

    Raises ValueError for a file that is no result of a trial.
    """
    found: dict[int, dict[str, Any]] = {}
    for path in Path(folder).glob("*.json"):
        try:
            trial = json.loads(path.read_text(encoding="utf-8"))
            check(isinstance(trial, dict) and isinstance(trial.get("settings"), dict)
                  and isinstance(trial.get("result"), dict),
                  "it holds no settings and no result; remove it to run the trial again")
            number = trial.get("number")
            check(isinstance(number, int) and path == _result_path(folder, number),
                  f"it is of trial {number!r}")
        except (ValueError, RecursionError, IsADirectoryError) as error:
            raise ValueError(f"folder: {path} is no result of a trial: {error}") from error
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
    raise ValueError(f"evaluate: gave {result} for trial {number}, "
                     "expected a dict with a number as 'score'")


def _claim_path(folder: FilePath, number: int, generation: int) -> Path:
    return Path(folder) / f"{number:04}.claim-{generation}"


def _result_path(folder: FilePath, number: int) -> Path:
    return Path(folder) / f"{number:04}.json"
