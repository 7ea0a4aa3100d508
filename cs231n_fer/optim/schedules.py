"""Schedules: by which factor the base learning rate is multiplied at a point of the training.

A schedule is a frozen record of hyper-parameters: `schedule(epoch, num_epochs, val_acc_history) -> factor`

    epoch            float, epochs since the start, 0 <= epoch <= num_epochs (3.5: in the middle of the 4th)
    num_epochs       int, length of the whole training
    val_acc_history  validation accuracies so far, oldest first; only Plateau reads them

It keeps no state: the same arguments give the same factor, so a resumed training continues on the same curve.
Out-of-range hyper-parameters and epochs raise ValueError.
"""
import math
from dataclasses import dataclass


@dataclass(frozen=True)
class Exponential:
    """Multiply by `decay` after every finished epoch: the course's lr_decay.

    decay:  float in (0, 1]; 1 keeps the learning rate constant
    """

    decay: float = 0.95

    def __post_init__(self):
        _check_factor("Exponential: decay", self.decay)

    def __call__(self, epoch, num_epochs, val_acc_history=()):
        """Return decay ** (finished epochs)."""
        _check_epoch(epoch, num_epochs)
        return float(self.decay) ** math.floor(epoch)


@dataclass(frozen=True)
class Step:
    """Multiply by `factor` after every `every` finished epochs.

    every:   int of at least 1, in epochs
    factor:  float in (0, 1]
    """

    every: int = 10
    factor: float = 0.1

    def __post_init__(self):
        _check_count("Step: every", self.every, least=1)
        _check_factor("Step: factor", self.factor)

    def __call__(self, epoch, num_epochs, val_acc_history=()):
        """Return factor ** (finished periods of `every` epochs)."""
        _check_epoch(epoch, num_epochs)
        return float(self.factor) ** (math.floor(epoch) // self.every)


@dataclass(frozen=True)
class CosineWarmup:
    """Rise linearly from `floor` to 1, then fall along half a cosine to `floor` at the end.

    warmup_epochs:  float of at least 0 and less than num_epochs, in epochs
    floor:          float in [0, 1], the smallest factor; with 0 and a warm-up the very first step is zero
    Source: Loshchilov and Hutter 2017, eq. 5, without restarts.
    """

    warmup_epochs: float = 1.0
    floor: float = 0.0

    def __post_init__(self):
        _check(0 <= self.warmup_epochs < math.inf,
               f"CosineWarmup: warmup_epochs is {self.warmup_epochs!r}, expected a number of at least 0")
        _check(0 <= self.floor <= 1, f"CosineWarmup: floor is {self.floor!r}, expected a number in [0, 1]")

    def __call__(self, epoch, num_epochs, val_acc_history=()):
        """Return the height of the curve at `epoch`."""
        _check_epoch(epoch, num_epochs)
        _check(self.warmup_epochs < num_epochs,
               f"CosineWarmup: warmup_epochs is {self.warmup_epochs}, expected under num_epochs {num_epochs}")
        if epoch < self.warmup_epochs:
            height = epoch / self.warmup_epochs
        else:
            done = (epoch - self.warmup_epochs) / (num_epochs - self.warmup_epochs)
            height = 0.5 * (1 + math.cos(math.pi * done))
        return float(self.floor + (1 - self.floor) * height)


@dataclass(frozen=True)
class Plateau:
    """Multiply by `factor` whenever `patience` accuracies in a row bring no new best.

    patience:   int of at least 1, a number of validation accuracies; counted from 0 again after a reduction
    factor:     float in (0, 1]
    min_delta:  float of at least 0; a new best is more than the old best + min_delta (a NaN never is)
    """

    patience: int = 5
    factor: float = 0.5
    min_delta: float = 0.0

    def __post_init__(self):
        _check_count("Plateau: patience", self.patience, least=1)
        _check_factor("Plateau: factor", self.factor)
        _check(0 <= self.min_delta < math.inf,
               f"Plateau: min_delta is {self.min_delta!r}, expected a finite number of at least 0")

    def __call__(self, epoch, num_epochs, val_acc_history=()):
        """Return factor ** (reductions), counted afresh from the whole history."""
        _check_epoch(epoch, num_epochs)
        best, waited, reductions = -math.inf, 0, 0
        for accuracy in val_acc_history:
            if accuracy > best + self.min_delta:
                best, waited = accuracy, 0
            else:
                waited += 1
            if waited == self.patience:
                waited, reductions = 0, reductions + 1
        return float(self.factor) ** reductions


def _check(condition, message):
    """Raise ValueError(message) unless condition holds (not from shapes.py, which has the same rank)."""
    if not condition:
        raise ValueError(message)


def _check_epoch(epoch, num_epochs):
    """Raise ValueError unless 0 <= epoch <= num_epochs."""
    _check(0 <= epoch <= num_epochs,
           f"epoch is {epoch!r}, expected a number from 0 to num_epochs = {num_epochs!r}")


def _check_factor(name, value):
    """Raise ValueError unless the value is in (0, 1]."""
    _check(0 < value <= 1, f"{name} is {value!r}, expected a number in (0, 1]")


def _check_count(name, value, least):
    """Raise ValueError unless the value is a whole number of at least `least`."""
    _check(least <= value < math.inf and value == int(value),
           f"{name} is {value!r}, expected a whole number of at least {least}")
