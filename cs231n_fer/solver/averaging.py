"""A running average of a model's weights, which is judged and kept in their place (Polyak & Juditsky 1992).

Steps of stochastic gradient descent wander about a minimum; the average of where they were lies nearer to it.
"""
from contextlib import contextmanager

from ..arrays.copying import Independent
from ..files.checkpoint import restore


def copies(arrays):
    """Copy a dict of arrays, memory layouts and all."""
    return {name: array.copy(order="K") for name, array in arrays.items()}


class WeightAverage(Independent):
    """The average of a model's params, and of its buffers where it has some, over the steps of a training.

    model   has params, and may have buffers: dicts of arrays
    decay   in (0, 1), close to 1: the latest step counts 1 - decay
    """

    def __init__(self, model, decay):
        self.decay = decay
        self.params, self.buffers = copies(model.params), copies(getattr(model, "buffers", {}))

    def follow(self, model, steps):
        """Move towards the model after so many steps: a += (1 - d) (w - a), d = min(decay, (1 + steps) / (10 + steps)).

        The first steps count more, so that the initial weights fade soon.
        """
        rate = 1 - min(self.decay, (1 + steps) / (10 + steps))
        for averages, arrays in ((self.params, model.params), (self.buffers, getattr(model, "buffers", {}))):
            for name, array in arrays.items():
                averages[name] += array.dtype.type(rate) * (array - averages[name])

    @contextmanager
    def lent_to(self, model):
        """Let the model hold the average while the context lasts."""
        own = model.params, getattr(model, "buffers", {})
        try:
            model.params, model.buffers = self.params, self.buffers
            yield
        finally:
            model.params, model.buffers = own

    def arrays(self):
        """Return all arrays, as a checkpoint keeps them."""
        return {**{f"average/params/{name}": array for name, array in self.params.items()},
                **{f"average/buffers/{name}": array for name, array in self.buffers.items()}}

    def restore(self, arrays, path):
        """Take the arrays of a checkpoint, whose path errors name."""
        restore(self.params, arrays, "average/params", path)
        restore(self.buffers, arrays, "average/buffers", path)
