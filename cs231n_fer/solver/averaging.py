"""A running average of weights, evaluated and kept in their place (Polyak & Juditsky 1992).

Steps of stochastic gradient descent fluctuate around a minimum; their average lies closer to it.
"""
from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from ..arrays.copying import Independent
from ..files.checkpoint import restore
from ..files.sealed import FilePath
from ..types import Array, Arrays, Model
from .model_parts import Buffered, buffers_of, copies

__all__ = ["WeightAverage"]


class WeightAverage(Independent):
    """The running average of a model's params and buffers over the steps of a training.

    model   has params and may have buffers: dicts of arrays
    decay   in (0, 1), close to 1: the latest step has the weight 1 - decay
    """

    def __init__(self, model: Model, decay: float) -> None:
        self.decay = decay
        self.params = copies(model.params)
        self.buffers = copies(buffers_of(model))

    def follow(self, model: Model, steps: int) -> None:
        """Move towards the model: a += (1 - d) (w - a), d = min(decay, (1 + steps) / (10 + steps)).

        steps   number of steps done; the first ones count more, so that the initial weights fade
        """
        rate = 1 - min(self.decay, (1 + steps) / (10 + steps))
        _move(self.params, model.params, rate)
        _move(self.buffers, buffers_of(model), rate)

    @contextmanager
    def lent_to(self, model: Model) -> Iterator[None]:
        """Let the model use the averages for the duration of the context."""
        own_params = model.params
        own_buffers = buffers_of(model)
        try:
            model.params = self.params
            if isinstance(model, Buffered):
                model.buffers = self.buffers
            yield
        finally:
            model.params = own_params
            if isinstance(model, Buffered):
                model.buffers = own_buffers

    def arrays(self) -> Arrays:
        """Return all arrays, by their names in a checkpoint."""
        return {**{f"average/params/{name}": array for name, array in self.params.items()},
                **{f"average/buffers/{name}": array for name, array in self.buffers.items()}}

    def restore(self, arrays: Mapping[str, Array], path: FilePath) -> None:
        """Copy the arrays of a checkpoint; error messages name its path."""
        restore(self.params, arrays, "average/params", path)
        restore(self.buffers, arrays, "average/buffers", path)


def _move(averages: Arrays, arrays: Arrays, rate: float) -> None:
    """Move averages in place towards arrays by a fraction of their distance."""
    for name, array in arrays.items():
        averages[name] += array.dtype.type(rate) * (array - averages[name])
