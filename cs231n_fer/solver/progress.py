"""How training shows its progress.

    Bar           on a terminal: a line that is rewritten, on standard error
    EpochLine     elsewhere (a pipe, a file, a notebook): one line per epoch
    CourseLines   if print_every is given: the course's lines, on standard output
    Silent        nothing, if verbose is false; the base class of the others

One object shows one epoch: begin, step after every step, evaluated, end; close in any case.
"""
from __future__ import annotations

import sys
import time
from collections.abc import Mapping
from typing import Any

from tqdm import tqdm

__all__ = ["Bar", "CourseLines", "EpochLine", "Silent", "epoch_line", "progress_of"]

SHOWN = 10  # steps between updates of the loss beside a bar


class Silent:
    """Show nothing."""

    def begin(self, epoch: int, num_epochs: int, steps: int, done: int) -> None:
        """Begin an epoch, counted from 1, of which some steps may have been done before."""

    def step(self, number: int, loss: float) -> None:
        """Show a step that has been done; steps are counted from 1 over the whole training."""

    def evaluated(self, epoch: int, num_epochs: int, train_acc: float, val_acc: float) -> None:
        """Show the accuracies after some epochs."""

    def end(self, row: Mapping[str, Any], seconds_left: float) -> None:
        """Show a row of the history, and the time until all epochs are completed."""

    def close(self) -> None:
        """Leave the line that is being written."""


class Bar(Silent):
    """A progress bar of one epoch."""

    def begin(self, epoch: int, num_epochs: int, steps: int, done: int) -> None:
        """Draw the bar."""
        self.bar = tqdm(total=steps, desc=title(epoch, num_epochs), mininterval=0.1, initial=done,
                        bar_format="{desc} {percentage:3.0f}% {elapsed}{postfix}")

    def step(self, number: int, loss: float) -> None:
        """Move the bar by a step, and show the loss now and then."""
        if self.bar.n % SHOWN == 0:
            self.bar.set_postfix_str(f"loss {loss:.4f}", refresh=False)
        self.bar.update()

    def end(self, row: Mapping[str, Any], seconds_left: float) -> None:
        """Show the results of the epoch behind the bar."""
        self.bar.set_postfix_str(epoch_line(row, seconds_left), refresh=False)

    def close(self) -> None:
        """End the line of the bar."""
        self.bar.close()


class EpochLine(Silent):
    """One line for a completed epoch, with the text that a bar ends with."""

    def begin(self, epoch: int, num_epochs: int, steps: int, done: int) -> None:
        """Note when the epoch began."""
        self.title = title(epoch, num_epochs)
        self.start = time.perf_counter()

    def end(self, row: Mapping[str, Any], seconds_left: float) -> None:
        """Print the line."""
        elapsed = tqdm.format_interval(time.perf_counter() - self.start)
        print(f"{self.title} 100% {elapsed}, {epoch_line(row, seconds_left)}", file=sys.stderr,
              flush=True)


class CourseLines(Silent):
    """The lines of the course's Solver: the loss of every few steps, the accuracies of epochs."""

    def __init__(self, print_every: int) -> None:
        self.print_every = print_every

    def begin(self, epoch: int, num_epochs: int, steps: int, done: int) -> None:
        """Note how many steps the whole training has."""
        self.iterations = num_epochs * steps

    def step(self, number: int, loss: float) -> None:
        """Print the loss of the first step, and of every print_every-th one after it."""
        if (number - 1) % self.print_every == 0:
            print(f"(Iteration {number} / {self.iterations}) loss: {loss:f}", flush=True)

    def evaluated(self, epoch: int, num_epochs: int, train_acc: float, val_acc: float) -> None:
        """Print both accuracies."""
        print(f"(Epoch {epoch} / {num_epochs}) train acc: {train_acc:f}; val_acc: {val_acc:f}",
              flush=True)


def progress_of(verbose: bool, print_every: int | None) -> Silent:
    """Return what shows an epoch of a Solver with these keywords."""
    if not verbose:
        return Silent()
    if print_every is not None:
        return CourseLines(print_every)
    return Bar() if sys.stderr is not None and sys.stderr.isatty() else EpochLine()


def title(epoch: int, num_epochs: int) -> str:
    """Return the beginning of the line of an epoch, counted from 1."""
    return f"epoch {epoch:2}/{num_epochs}"


def epoch_line(row: Mapping[str, Any], seconds_left: float) -> str:
    """Return the text for a completed epoch.

    row            of the history
    seconds_left   until all epochs are completed
    """
    minutes, seconds = divmod(int(seconds_left), 60)
    return (f"loss {row['loss']:.4f}  train {row['train_acc']:.4f}  val {row['val_acc']:.4f}  "
            f"{row['images_per_second']:.0f} images/s  left {minutes}:{seconds:02}")
