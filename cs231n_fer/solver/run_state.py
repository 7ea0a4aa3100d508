"""RunState: everything that a checkpoint holds and that a resumed training continues from."""
from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ..types import Arrays, Model
from .averaging import WeightAverage
from .model_parts import buffers_of, copies, laid_out_like
from .own_update import Update
from .recipe import History

__all__ = ["RunState"]


@dataclass
class RunState:
    """The state of a training: Solver changes it, run_folder writes and reads it.

    model               its params, buffers and random generator
    update              the update rule with its state
    average             running average of the weights, if there is one
    settings            {name: value} of what decides the bits of the run; resuming requires equal
                        ones
    fingerprint         the same for data, model and recipe, see fingerprint.py; {} without a folder
    epoch, step         completed epochs, and completed steps of the current one
    saved_epoch         epoch of last.h5; None before it is written
    num_epochs          number of epochs that the schedule was given; None before training
    diverged            whether a number has become infinite or NaN, and training continued
    loss_history        loss of every step
    train_acc_history   training accuracy before training and after every epoch
    val_acc_history     validation accuracy, likewise
    history             rows of history.csv
    best_val_acc, best_epoch, best_params, best_buffers   the best epoch on validation so far
    last_params, last_buffers   those of the last step, while the model has the best ones
    """

    model: Model
    update: Update
    average: WeightAverage | None
    settings: dict[str, Any]
    fingerprint: dict[str, str] = field(default_factory=dict)
    epoch: int = 0
    step: int = 0
    saved_epoch: int | None = None
    num_epochs: int | None = None
    diverged: bool = False
    loss_history: list[float] = field(default_factory=list)
    train_acc_history: list[float] = field(default_factory=list)
    val_acc_history: list[float] = field(default_factory=list)
    history: History = field(default_factory=list)
    best_val_acc: float = -1.0
    best_epoch: int = 0
    best_params: Arrays = field(default_factory=dict)
    best_buffers: Arrays = field(default_factory=dict)
    last_params: Arrays = field(default_factory=dict)
    last_buffers: Arrays = field(default_factory=dict)

    def note_accuracies(self, train_acc: float, val_acc: float) -> bool:
        """Append both accuracies; if they are the best, keep the parameters and return True."""
        self.train_acc_history.append(train_acc)
        self.val_acc_history.append(val_acc)
        improved = val_acc > self.best_val_acc
        if improved:
            self.best_val_acc = val_acc
            self.best_epoch = self.epoch
            self.best_params = copies(self.model.params)
            self.best_buffers = copies(buffers_of(self.model))
        return improved

    def note_epoch(self, steps: int, learning_rate: float, seconds: float, images: float) -> None:
        """Append the row of a completed epoch to the history.

        steps           of the epoch, the last ones in loss_history
        learning_rate   at its beginning
        seconds         that its steps took, since the training was resumed
        images          that were shown in that time
        """
        with np.errstate(invalid="ignore"):  # inf - inf, if training continues
            loss = float(np.mean(self.loss_history[-steps:]))
        self.history.append({
            "epoch": self.epoch,
            "loss": loss,
            "train_acc": self.train_acc_history[-1],
            "val_acc": self.val_acc_history[-1],
            "learning_rate": learning_rate,
            "seconds": round(seconds, 3),
            "images_per_second": round(images / seconds, 1),
        })

    def give_best(self) -> None:
        """Give the model its best parameters and buffers, and keep those of the last step."""
        if not self.best_params:  # nothing has been measured yet
            return
        if not self.shows_best():
            self.last_params = copies(self.model.params)
            self.last_buffers = copies(buffers_of(self.model))
        self._give(self.best_params, self.best_buffers)

    def give_last(self) -> None:
        """Undo give_best, unless the model has been changed since."""
        if self.last_params and self.shows_best():
            self._give(self.last_params, self.last_buffers)
        self.last_params = {}
        self.last_buffers = {}

    def shows_best(self) -> bool:
        """Return whether the model has its best parameters and buffers."""
        return (same(self.model.params, self.best_params)
                and same(buffers_of(self.model), self.best_buffers))

    def _give(self, params: Arrays, buffers: Arrays) -> None:
        """Give the model parameters in its own memory layouts, and buffers in place."""
        for name, array in params.items():
            self.model.params[name] = laid_out_like(self.model.params[name], array)
        own = buffers_of(self.model)
        for name, array in buffers.items():
            own[name][...] = array


def same(arrays: Arrays, others: Arrays) -> bool:
    """Return whether two dicts hold equal arrays by the same names."""
    return arrays.keys() == others.keys() and all(
        np.array_equal(array, others[name], equal_nan=True) for name, array in arrays.items())
