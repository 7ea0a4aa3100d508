"""Recipe: the choices of a training that go beyond the course's keywords of Solver."""
from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

from ..shapes import check
from ..types import Augmentation, Schedule
from .samplers import Sampler, Shuffle

__all__ = ["History", "Recipe"]

History = list[dict[str, Any]]  # a dict for every epoch: the rows of history.csv


@dataclass(frozen=True)
class Recipe:
    """How Solver trains, beyond the course: Solver(model, data, recipe=Recipe(...)).

    augmentation    random change of every training batch, see data_utils.augment; None: no change
    schedule        factor on the learning rate, see optim.schedules; None: lr_decay of Solver
    sampler         chooses and orders the samples of an epoch, see samplers
    average_decay   in [0, 1), such as 0.999: evaluate and keep a running average of the weights
                    (see averaging) instead of the weights themselves; 0: no average
    stop            function of the history, which has one dict per epoch (the rows of history.csv);
                    it is called after every epoch and ends the training by returning a true value
    keep            "best": train() leaves the parameters with the best validation accuracy in the
                    model; "last": those of the last step
    on_divergence   "raise": a loss, gradient or weight that is infinite or NaN ends the training
                    with a FloatingPointError; "continue": training continues after a
                    warning, as in the course; None: what the model's attribute on_divergence says,
                    which is "continue" for the course's nets, else "raise"
    Raises ValueError for a value out of range.
    """

    augmentation: Augmentation | None = None
    schedule: Schedule | None = None
    sampler: Sampler = Shuffle()
    average_decay: float = 0.0
    stop: Callable[[History], object] | None = None
    keep: Literal["best", "last"] = "best"
    on_divergence: Literal["raise", "continue"] | None = None

    def __post_init__(self) -> None:
        check(0 <= self.average_decay < 1,
              f"average_decay: got {self.average_decay!r}, expected a number in [0, 1)")
        check(self.keep in ("best", "last"), f"keep: got {self.keep!r}, expected 'best' or 'last'")
        check(self.on_divergence in (None, "raise", "continue"),
              f"on_divergence: got {self.on_divergence!r}, expected 'raise', 'continue' or None")
