"""Schedules: the factor that multiplies the base learning rate at a point of the training.

A schedule is a frozen record of hyper-parameters, called as
`schedule(epoch, num_epochs, val_acc_history) -> factor`:

    epoch            float, epochs since the start, 0 <= epoch <= num_epochs (3.5: half of the 4th)
    num_epochs       int, total number of epochs
    val_acc_history  validation accuracies so far, oldest first; only Plateau reads them

A schedule has no state: equal arguments give equal factors, so a resumed training follows the same
curve. Hyper-parameters and epochs that are out of range raise ValueError.
"""
from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from ..shapes import check

__all__ = ["CosineWarmup", "Exponential", "Plateau", "Step"]

Accuracies = Sequence[float]  # validation accuracies, oldest first


@dataclass(frozen=True)
class Exponential:
    """Multiply the learning rate by `decay` after every epoch, like the course's lr_decay.

    decay:  float in (0, 1]; 1 keeps the learning rate constant
    """

    decay: float = 0.95

    def __post_init__(self) -> None:
        _check_factor("Exponential: decay", self.decay)

    def __call__(self, epoch: float, num_epochs: int, val_acc_history: Accuracies = ()) -> float:
        """Return decay ** (completed epochs)."""
        _check_epoch(epoch, num_epochs)
        return float(self.decay) ** math.floor(epoch)


@dataclass(frozen=True)
class Step:
    """Multiply the learning rate by `factor` after every `every` epochs.

    every:   int of at least 1, in epochs
    factor:  float in (0, 1]
    """

    every: int = 10
    factor: float = 0.1

    def __post_init__(self) -> None:
        _check_count("Step: every", self.every, least=1)
        _check_factor("Step: factor", self.factor)

    def __call__(self, epoch: float, num_epochs: int, val_acc_history: Accuracies = ()) -> float:
        """Return factor ** (completed periods of `every` epochs)."""
        _check_epoch(epoch, num_epochs)
        return float(self.factor) ** (math.floor(epoch) // self.every)


@dataclass(frozen=True)
class CosineWarmup:
    """Increase linearly from `floor` to 1, then decrease to `floor` along half a cosine.

    warmup_epochs:  float of at least 0 and less than num_epochs, in epochs
    floor:          float in [0, 1], the smallest factor; if 0, a warm-up starts at rate 0
    Source: Loshchilov and Hutter 2017, eq. 5, without restarts.
    """

    warmup_epochs: float = 1.0
    floor: float = 0.0

    def __post_init__(self) -> None:
        check(0 <= self.warmup_epochs < math.inf,
              f"CosineWarmup: warmup_epochs is {self.warmup_epochs!r}, "
              "expected a number of at least 0")
        check(0 <= self.floor <= 1,
              f"CosineWarmup: floor is {self.floor!r}, expected a number in [0, 1]")

    def __call__(self, epoch: float, num_epochs: int, val_acc_history: Accuracies = ()) -> float:
        """Return the factor at `epoch`."""
        _check_epoch(epoch, num_epochs)
        check(self.warmup_epochs < num_epochs,
              f"CosineWarmup: warmup_epochs is {self.warmup_epochs}, "
              f"expected under num_epochs {num_epochs}")
        if epoch < self.warmup_epochs:
            height = epoch / self.warmup_epochs
        else:
            done = (epoch - self.warmup_epochs) / (num_epochs - self.warmup_epochs)
            height = 0.5 * (1 + math.cos(math.pi * done))
        return float(self.floor + (1 - self.floor) * height)


@dataclass(frozen=True)
class Plateau:
    """Multiply the learning rate by `factor` after `patience` accuracies without a new best.

    patience:   int of at least 1, a number of accuracies; the count restarts after a reduction.
                The last of them already reduces the rate, whereas PyTorch's ReduceLROnPlateau waits
                for one more: patience=p here is patience=p - 1 there
    factor:     float in (0, 1]
    min_delta:  float of at least 0; a new best must exceed the old one by more than this
    """

    patience: int = 5
    factor: float = 0.5
    min_delta: float = 0.0

    def __post_init__(self) -> None:
        _check_count("Plateau: patience", self.patience, least=1)
        _check_factor("Plateau: factor", self.factor)
        check(0 <= self.min_delta < math.inf,
              f"Plateau: min_delta is {self.min_delta!r}, expected a finite number of at least 0")

    def __call__(self, epoch: float, num_epochs: int, val_acc_history: Accuracies = ()) -> float:
        """Return factor ** (number of reductions in the whole history)."""
        _check_epoch(epoch, num_epochs)
        best = -math.inf
        waited = 0
        reductions = 0
        for accuracy in val_acc_history:
            if accuracy > best + self.min_delta:
                best = accuracy
                waited = 0
            else:
                waited += 1
            if waited == self.patience:
                waited = 0
                reductions += 1
        return float(self.factor) ** reductions


def _check_epoch(epoch: float, num_epochs: int) -> None:
    """Raise ValueError unless 0 <= epoch <= num_epochs."""
    check(0 <= epoch <= num_epochs,
          f"epoch is {epoch!r}, expected a number from 0 to num_epochs = {num_epochs!r}")


def _check_factor(name: str, value: float) -> None:
    """Raise ValueError unless the value is in (0, 1]."""
    check(0 < value <= 1, f"{name} is {value!r}, expected a number in (0, 1]")


def _check_count(name: str, value: float, least: int) -> None:
    """Raise ValueError unless the value is a whole number of at least `least`."""
    check(least <= value < math.inf and value == int(value),
          f"{name} is {value!r}, expected a whole number of at least {least}")
