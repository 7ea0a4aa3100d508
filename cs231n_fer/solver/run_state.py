"""RunState: everything that a checkpoint holds and that a resumed training continues from."""
from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from ..types import Arrays, Model
from .averaging import WeightAverage
from .flat_update import FlatUpdate
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
    loss_history        loss of every step
    train_acc_history   training accuracy before training and after every epoch
    val_acc_history     validation accuracy, likewise
    history             rows of history.csv
    best_val_acc, best_epoch, best_params, best_buffers   the best epoch on validation so far
    """

    model: Model
    update: FlatUpdate
    average: WeightAverage | None
    settings: dict[str, Any]
    fingerprint: dict[str, str] = field(default_factory=dict)
    epoch: int = 0
    step: int = 0
    saved_epoch: int | None = None
    loss_history: list[float] = field(default_factory=list)
    train_acc_history: list[float] = field(default_factory=list)
    val_acc_history: list[float] = field(default_factory=list)
    history: History = field(default_factory=list)
    best_val_acc: float = -1.0
    best_epoch: int = 0
    best_params: Arrays = field(default_factory=dict)
    best_buffers: Arrays = field(default_factory=dict)
