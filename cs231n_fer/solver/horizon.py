"""Training for longer: whether a schedule would have given past epochs the same learning rates."""
from __future__ import annotations

from ..shapes import check
from ..types import Schedule
from .run_state import RunState

__all__ = ["check_horizon"]


def check_horizon(schedule: Schedule, state: RunState, num_epochs: int) -> None:
    """Raise ValueError if another number of epochs changes the past of a schedule.

    A continued run gives the same bits as one long run. With a cosine schedule over another number
    of epochs it can't: past epochs had other learning rates, and the next rate would jump.
    schedule     of the run
    state        holds the number of epochs so far, and the accuracies that the schedule got
    num_epochs   new number of epochs
    """
    before = state.num_epochs
    if before in (None, num_epochs) or num_epochs <= state.epoch:
        return
    times = [float(epoch) for epoch in range(state.epoch)]
    if state.step:  # two points in the current epoch
        times += [float(state.epoch), state.epoch + 0.5]
    for time in times:
        accuracies = state.val_acc_history[:int(time) + 1]
        old = schedule(time, before, accuracies)
        new = schedule(time, num_epochs, accuracies)
        check(old == new,
              f"num_epochs: was {before}, and {num_epochs} changes the past of the schedule: at "
              f"epoch {time:g} its factor was {old:.4g} and would have been {new:.4g}; keep "
              "num_epochs, or start a new training from these weights")
