"""What a training shows of its progress."""
from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import Any

from tqdm import tqdm

__all__ = ["epoch_line", "progress_bar"]


def progress_bar(epoch: int, num_epochs: int, steps: int, verbose: bool) -> tqdm:
    """Return the progress bar of an epoch, counted from 1; it shows nothing unless verbose."""
    interval = 0.1 if sys.stderr.isatty() else 30
    return tqdm(total=steps, desc=f"epoch {epoch:2}/{num_epochs}", disable=not verbose,
                mininterval=interval, bar_format="{desc} {percentage:3.0f}% {elapsed}{postfix}")


def epoch_line(row: Mapping[str, Any], seconds_left: float) -> str:
    """Return the text for a completed epoch.

    row            of the history
    seconds_left   until all epochs are completed
    """
    minutes, seconds = divmod(int(seconds_left), 60)
    return (f"loss {row['loss']:.4f}  train {row['train_acc']:.4f}  val {row['val_acc']:.4f}  "
            f"{row['images_per_second']:.0f} images/s  left {minutes}:{seconds:02}")
