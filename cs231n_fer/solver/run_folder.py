"""The folder of a run: the files that Solver writes after every epoch, and that it resumes from.

    last.h5       the complete state of the run: weights, running averages, state of the update rule
                  and of the generators, histories, and the best weights so far below best/
    before.h5     the previous last.h5, in case last.h5 is damaged
    best.h5       the best weights so far
    history.csv   a row for every epoch

At any moment last.h5 is a complete checkpoint, whatever happens while it is written.
"""
from __future__ import annotations

import csv
import io
import os
import shutil
import stat
import warnings
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..files.checkpoint import (
    below,
    check_fits,
    load_checkpoint,
    replacing,
    restore,
    save_checkpoint,
    write_text,
)
from ..shapes import check
from .fingerprint import excerpts
from .model_parts import buffers_of, generator_of, generator_state
from .recipe import History
from .run_state import RunState

__all__ = [
    "BEFORE",
    "BEST",
    "HISTORY",
    "HISTORY_COLUMNS",
    "LAST",
    "RunFolder",
    "contents_of",
    "duplicate",
    "load_newest",
]

HISTORY_COLUMNS = ("epoch", "loss", "train_acc", "val_acc", "learning_rate", "seconds",
                   "images_per_second")
LAST = "last.h5"
BEFORE = "before.h5"
BEST = "best.h5"
HISTORY = "history.csv"
FILES = (LAST, BEFORE, BEST, HISTORY)

Contents = dict[str, NDArray[Any]]  # arrays of a checkpoint by name


@dataclass(frozen=True, eq=False)
class RunFolder:
    """The folder of a run: Solver(model, data, folder=RunFolder(path, ...)).

    path          folder, made if needed; files are written after every epoch and upon Ctrl-C
    resume        continue from last.h5 in the folder, if there is one. Only num_epochs may differ:
                  other data, another network or other settings are refused
    overwrite     remove the files of an earlier run; without it and resume they are refused
    info          dict of what JSON can hold, kept in every checkpoint
    info_arrays   arrays by name, likewise
    Raises ValueError if path is no path, or for both resume and overwrite.
    """

    path: Path
    resume: bool = False
    overwrite: bool = False
    info: Mapping[str, Any] = field(default_factory=dict)
    info_arrays: Mapping[str, NDArray[Any]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        check(isinstance(self.path, str | os.PathLike) and str(self.path) != "",
              f"path: got {self.path!r}, expected the path of a folder")
        object.__setattr__(self, "path", Path(self.path))
        check(not (self.resume and self.overwrite),
              "resume, overwrite: got both, expected at most one: continue the run, or replace it")

    def begin(self, state: RunState) -> None:
        """Load the run to resume, or make sure that there is no other run.

        Raises ValueError if the folder holds files of a run that are neither to be resumed nor
        overwritten, or that can't be resumed.
        """
        check_writable(self.path)
        found = [name for name in FILES if (self.path / name).exists()]
        if self.resume or self.overwrite:
            for name in FILES:
                sweep(self.path / name)
        if self.resume:
            self.load(state)
            return
        check(self.overwrite or not found,
              f"folder: {self.path} holds {', '.join(found)} of another run; continue it with "
              "resume=True, replace it with overwrite=True, or use another folder")
        for name in found:
            (self.path / name).unlink()

    def save_epoch(self, state: RunState, improved: bool) -> None:
        """Write the files of a completed epoch; best.h5 only if it improved or does not exist."""
        if improved or not (self.path / BEST).exists():
            arrays, info = self.contents(state)
            save_checkpoint(self.path / BEST, {**arrays, **best_of(state)}, info)
        self.save_last(state)

    def save_last(self, state: RunState) -> None:
        """Write history.csv and last.h5, after the previous last.h5 was renamed to before.h5."""
        if (self.path / LAST).exists():
            duplicate(self.path / LAST, self.path / BEFORE)
        arrays, info = self.contents(state)
        best = {f"best/{name}": array for name, array in best_of(state).items()}
        info = {**info, "num_epochs": state.num_epochs}
        save_checkpoint(self.path / LAST, {**arrays, **best}, info)
        state.saved_epoch = state.epoch
        write_text(self.path / HISTORY, history_csv(state.history))

    def contents(self, state: RunState) -> tuple[Contents, dict[str, Any]]:
        """Return (arrays, info) of a checkpoint, with those of this folder."""
        arrays, info = contents_of(state)
        return {**arrays, **self.info_arrays}, {**self.info, **info}

    def load(self, state: RunState) -> None:
        """Replace the state of a new run by that of last.h5, if there is one.

        Raises ValueError if last.h5 is of another run, or damaged or lost together with before.h5.
        """
        path = self.path / LAST
        if not path.exists() and not (self.path / BEFORE).exists():
            self.check_begun(state)
            return
        arrays, info = load_newest(self.path)
        check("settings" in info, f"resume: {path} is not a run of a Solver")
        check_fits(state.model.params, arrays, "params", path)
        try:
            check_same_run(state, info, path)
            take_contents(state, arrays, info, path)
        except (AttributeError, LookupError, TypeError, ValueError) as error:
            if str(path) in str(error):  # the message names the file already
                raise
            raise ValueError(f"resume: {path} is not a run of a Solver ({error!r})") from error
        # Earlier versions kept the best weights in best.h5 only.
        best = below(arrays, "best") or load_checkpoint(self.path / BEST)[0]
        state.best_params = below(best, "params")
        state.best_buffers = below(best, "buffers")
        state.saved_epoch = state.epoch
        try:
            load_checkpoint(self.path / BEST)
        except (ValueError, FileNotFoundError):
            (self.path / BEST).unlink(missing_ok=True)  # so that the next epoch writes it again

    def check_begun(self, state: RunState) -> None:
        """Raise ValueError if best.h5 is alone and of another run, or of more than one epoch.

        A run that was killed in its first save leaves best.h5 alone; it begins again.
        """
        path = self.path / BEST
        if not path.exists():
            return
        _, info = load_checkpoint(path)
        check(info.get("epoch") == 1 and "settings" in info,
              f"resume: {self.path} holds {BEST}, but neither {LAST} nor {BEFORE}; start a new "
              "run in another folder")
        check_same_run(state, info, path)


def check_writable(path: Path) -> None:
    """Raise ValueError if a folder cannot be written to, or made: before an epoch is trained."""
    there = next(part for part in (path, *path.parents) if part.exists())
    check(there.is_dir(), f"folder: {there} is a file, expected a folder; give another path")
    check(os.access(there, os.W_OK | os.X_OK),
          f"folder: {there} cannot be written to; give another path or change its permissions")


def sweep(path: Path) -> None:
    """Remove the temporary files that a killed process has left next to a file."""
    file = Path(os.path.realpath(path))
    for leftover in file.parent.glob(f".{file.name}.*.tmp"):
        leftover.unlink(missing_ok=True)


def duplicate(path: Path, other: Path) -> None:
    """Give a file a second name, or a copy if the disk has no hard links; replace `other`."""
    source = os.path.realpath(path)  # a hard link to a symbolic link would follow the new file
    with replacing(other, mode=stat.S_IMODE(os.stat(source).st_mode)) as temporary:
        try:
            temporary.unlink(missing_ok=True)
            os.link(source, temporary)
        except OSError:
            shutil.copyfile(source, temporary)


def history_csv(history: History) -> str:
    """Return the text of history.csv."""
    text = io.StringIO()
    writer = csv.DictWriter(text, HISTORY_COLUMNS, lineterminator="\n")
    writer.writeheader()
    writer.writerows(history)
    return text.getvalue()


def best_of(state: RunState) -> Contents:
    """Return the best weights and buffers so far, by their names in a checkpoint."""
    return {**{f"params/{name}": array for name, array in state.best_params.items()},
            **{f"buffers/{name}": array for name, array in state.best_buffers.items()}}


def contents_of(state: RunState) -> tuple[Contents, dict[str, Any]]:
    """Return (arrays, info): everything that decides how a run continues, without best weights."""
    arrays: Contents = {f"params/{name}": array for name, array in state.model.params.items()}
    arrays |= {f"buffers/{name}": array for name, array in buffers_of(state.model).items()}
    update, numbers = state.update.stored()
    arrays |= {f"optim/{name}": array for name, array in update.items()}
    arrays |= state.average.arrays() if state.average else {}
    arrays["loss_history"] = np.array(state.loss_history)
    rng = generator_of(state.model)
    return arrays, {
        "epoch": state.epoch,
        "best_val_acc": state.best_val_acc,
        "best_epoch": state.best_epoch,
        "train_acc_history": state.train_acc_history,
        "val_acc_history": state.val_acc_history,
        "history": state.history,
        "step": state.step,
        "settings": state.settings,
        "fingerprint": state.fingerprint,
        "optim_numbers": numbers,
        "rng": generator_state(rng) if rng else None,
    }


def take_contents(state: RunState, arrays: Contents, info: Mapping[str, Any], path: Path) -> None:
    """Give a state what contents_of returned; error messages name the path."""
    restore(state.model.params, arrays, "params", path)
    restore(buffers_of(state.model), arrays, "buffers", path)
    if state.average:
        state.average.restore(arrays, path)
    state.update.restore(below(arrays, "optim"), info["optim_numbers"], state.model.params)
    if info["rng"] is not None:
        rng = generator_of(state.model)
        if rng is None:
            raise ValueError(f"{path}: holds a random generator, but the network has none")
        rng.bit_generator.state = info["rng"]
    state.loss_history = arrays["loss_history"].tolist()
    state.epoch = info["epoch"]
    state.step = info.get("step", 0)
    state.num_epochs = info.get("num_epochs")
    state.best_val_acc = info["best_val_acc"]
    state.best_epoch = info["best_epoch"]
    state.train_acc_history = info["train_acc_history"]
    state.val_acc_history = info["val_acc_history"]
    state.history = info["history"]


def check_same_run(state: RunState, info: Mapping[str, Any], path: Path) -> None:
    """Raise ValueError unless a checkpoint has the settings and the fingerprint of a state."""
    now = dict(state.settings)
    before = dict(info["settings"])
    if info.get("fingerprint"):  # replaces the reprs in the settings, which may hold addresses
        now |= state.fingerprint
        before |= info["fingerprint"]
    for name, value in before.items():  # an earlier version may have described less
        if now.get(name) != value:
            came, expected = excerpts(str(now.get(name)), str(value))
            raise ValueError(f"{name}: got {came}, but {path} was trained with {expected}")


def load_newest(folder: Path) -> tuple[Contents, dict[str, Any]]:
    """Return (arrays, info) of last.h5; if it can't be read, of before.h5, which then replaces it.

    Warns if last.h5 is damaged or lost. Raises ValueError if both are.
    """
    damage: Exception
    try:
        return load_checkpoint(folder / LAST)
    except (FileNotFoundError, ValueError) as error:
        damage = error
    try:
        found = load_checkpoint(folder / BEFORE)
    except (FileNotFoundError, ValueError) as error:
        raise ValueError(f"{damage}; nor is there a whole {BEFORE}; "
                         "start a new run without resume") from error
    warnings.warn(f"{damage}; going on from {BEFORE}, of epoch {found[1].get('epoch')}",
                  stacklevel=2)
    duplicate(folder / BEFORE, folder / LAST)
    return found
