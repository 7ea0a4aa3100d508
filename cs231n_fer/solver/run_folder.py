"""The folder of a run: what a Solver keeps there after each epoch, and what it goes on from.

    last.h5       the whole state of the run: weights, running averages, state of the update rule and of the generators,
                  histories, and the best weights so far below best/
    before.h5     the last.h5 before it, for the day when last.h5 is damaged
    best.h5       the best weights so far, in their places
    history.csv   a row for each epoch

At every moment last.h5 is a whole checkpoint, whatever happens while it is written.
"""
import csv
import io
import os
import shutil
import warnings

import numpy as np

from ..arrays.flat import Flat, flattened
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

HISTORY_COLUMNS = ("epoch", "loss", "train_acc", "val_acc", "learning_rate", "seconds", "images_per_second")
LAST, BEFORE, BEST, HISTORY = "last.h5", "before.h5", "best.h5", "history.csv"
PLAIN_STATE = ("epoch", "best_val_acc", "best_epoch", "train_acc_history", "val_acc_history", "history")


def save_epoch(solver, improved):
    """Write the files of a whole epoch, best.h5 only where it improved or is not there."""
    if solver.checkpoint_name:
        save_checkpoint(f"{solver.checkpoint_name}_epoch_{solver.epoch}.h5", *state_of(solver))
    if solver.checkpoint_dir:
        if improved or not (solver.checkpoint_dir / BEST).exists():
            arrays, info = state_of(solver)
            save_checkpoint(solver.checkpoint_dir / BEST, {**arrays, **best_of(solver)}, info)
        save_last(solver)


def save_last(solver):
    """Write last.h5 with all that a run remembers, after the one before it got another name, and history.csv."""
    folder = solver.checkpoint_dir
    if (folder / LAST).exists():
        duplicate(folder / LAST, folder / BEFORE)
    arrays, info = state_of(solver)
    save_checkpoint(folder / LAST, {**arrays, **{f"best/{name}": a for name, a in best_of(solver).items()}}, info)
    solver.saved_epoch = solver.epoch
    write_text(folder / HISTORY, history_csv(solver.history))


def duplicate(path, other):
    """Give a file another name too, or a copy where the disk knows no second names; `other` may exist."""
    with replacing(other) as temporary:
        try:
            os.link(path, temporary)
        except OSError:
            shutil.copyfile(path, temporary)


def history_csv(history):
    """The text of history.csv."""
    text = io.StringIO()
    writer = csv.DictWriter(text, HISTORY_COLUMNS, lineterminator="\n")
    writer.writeheader()
    writer.writerows(history)
    return text.getvalue()


def best_of(solver):
    """The best weights and running averages so far, by the names of a checkpoint."""
    return {f"{group}/{name}": array for group in ("params", "buffers")
            for name, array in getattr(solver, f"best_{group}").items()}


def state_of(solver):
    """Return (arrays, info): all that decides how a run goes on, without its best weights."""
    model, config = solver.model, solver.rule_state()
    arrays = {f"params/{name}": array for name, array in model.params.items()}
    arrays |= {f"buffers/{name}": array for name, array in getattr(model, "buffers", {}).items()}
    numbers = {key: value for key, value in config.items() if not isinstance(value, Flat)}
    for key in config.keys() - numbers.keys():
        arrays |= {f"optim/{key}/{name}": array for name, array in config[key].items()}
    arrays |= solver.average.arrays() if solver.average else {}
    arrays |= {"loss_history": np.array(solver.loss_history), **solver.info_arrays}
    rng = getattr(model, "rng", None)
    return arrays, {**solver.info, **{key: getattr(solver, key) for key in PLAIN_STATE}, "step": solver.step,
                    "settings": solver.settings, "fingerprint": solver.fingerprint,
                    "optim_numbers": numbers, "rng": rng.bit_generator.state if rng else None}


def resume_run(solver):
    """Let a new Solver take over the state in its folder, if there is one.

    Raises ValueError if it is of another run, or damaged together with the one before.
    """
    folder = solver.checkpoint_dir
    for name in (LAST, BEFORE, BEST, HISTORY):  # what a killed process had begun to write
        for leftover in folder.glob(f".{name}.*.tmp"):
            leftover.unlink(missing_ok=True)
    if not (folder / LAST).exists():
        return
    arrays, info = load_newest(folder)
    path = folder / LAST
    check("settings" in info, f"resume: {path} holds no run of a Solver")
    check_fits(solver.model.params, arrays, "params", path)
    try:
        check_same_run(solver, info, path)
        take_state(solver, arrays, info, path)
    except (AttributeError, LookupError, TypeError, ValueError) as error:
        if str(path) in str(error):  # it says already what is wrong with the file
            raise
        raise ValueError(f"resume: {path} holds no run of a Solver ({error!r})") from error
    best = below(arrays, "best") or load_checkpoint(folder / BEST)[0]  # older ones hold it in best.h5 alone
    solver.best_params, solver.best_buffers = below(best, "params"), below(best, "buffers")
    solver.saved_epoch = solver.epoch
    try:
        load_checkpoint(folder / BEST)
    except (ValueError, FileNotFoundError):
        (folder / BEST).unlink(missing_ok=True)  # so that the next epoch writes it anew


def check_same_run(solver, info, path):
    """Raise ValueError unless the settings and the fingerprint of a checkpoint are a Solver's."""
    now, before = dict(solver.settings), dict(info["settings"])
    if info.get("fingerprint"):  # replaces the reprs in the settings, which may hold addresses
        now |= solver.fingerprint
        before |= info["fingerprint"]
    for name in {**now, **before}:
        if now.get(name) != before.get(name):
            came, expected = excerpts(str(now.get(name)), str(before.get(name)))
            raise ValueError(f"{name}: got {came}, but {path} was trained with {expected}")


def take_state(solver, arrays, info, path):
    """Take over what state_of gave; the path is for errors."""
    model = solver.model
    restore(model.params, arrays, "params", path)
    restore(getattr(model, "buffers", {}), arrays, "buffers", path)
    if solver.average:
        solver.average.restore(arrays, path)
    solver.optim_config = dict(info["optim_numbers"])
    for key in {name.split("/")[1] for name in arrays if name.startswith("optim/")}:
        solver.optim_config[key] = flattened(below(arrays, f"optim/{key}"), model.params).numbers
    if info["rng"] is not None:
        model.rng.bit_generator.state = info["rng"]
    solver.loss_history = arrays["loss_history"].tolist()
    for key in PLAIN_STATE:
        setattr(solver, key, info[key])
    solver.step = info.get("step", 0)


def load_newest(folder):
    """Return (arrays, info) of last.h5, or where it is damaged of before.h5, which then takes its place.

    Warns if it does. Raises ValueError if both are damaged.
    """
    try:
        return load_checkpoint(folder / LAST)
    except ValueError as error:
        damage = error
    try:
        found = load_checkpoint(folder / BEFORE)
    except (FileNotFoundError, ValueError) as error:
        raise ValueError(f"{damage}; nor is there a whole {BEFORE}; begin anew without resume") from error
    warnings.warn(f"{damage}; going on from {BEFORE}, of epoch {found[1].get('epoch')}", stacklevel=2)
    duplicate(folder / BEFORE, folder / LAST)
    return found
