"""What a run has achieved so far, by the names that the course's Solver has for it."""
from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..types import Arrays
from .recipe import History
from .run_folder import HISTORY_COLUMNS
from .run_state import RunState

if TYPE_CHECKING:
    from pandas import DataFrame

__all__ = ["RunResults"]


class RunResults:
    """Attributes of a Solver that read the state of its run."""

    state: RunState

    @property
    def epoch(self) -> int:
        """Number of completed epochs."""
        return self.state.epoch

    @property
    def loss_history(self) -> list[float]:
        """Loss of every step."""
        return self.state.loss_history

    @property
    def train_acc_history(self) -> list[float]:
        """Training accuracy before training and after every epoch."""
        return self.state.train_acc_history

    @property
    def val_acc_history(self) -> list[float]:
        """Validation accuracy before training and after every epoch."""
        return self.state.val_acc_history

    @property
    def history(self) -> History:
        """A dict for every epoch: the rows of history.csv."""
        return self.state.history

    @property
    def history_frame(self) -> DataFrame:
        """The history as a pandas.DataFrame: a row for every epoch, epoch as its index.

        Columns are loss, train_acc, val_acc, learning_rate, seconds and images_per_second.
        """
        import pandas as pd  # only here, so that training starts without it
        return pd.DataFrame(self.history, columns=HISTORY_COLUMNS).set_index("epoch")

    @property
    def optim_configs(self) -> dict[str, dict[str, Any]]:
        """The config of every parameter: hyper-parameters of the last step, and read-only state."""
        return self.state.update.configs(self.state.model.params)

    @property
    def best_val_acc(self) -> float:
        """The best validation accuracy so far."""
        return self.state.best_val_acc

    @property
    def best_epoch(self) -> int:
        """The first epoch with the best validation accuracy."""
        return self.state.best_epoch

    @property
    def best_params(self) -> Arrays:
        """Copies of the parameters of that epoch, by name."""
        return self.state.best_params
