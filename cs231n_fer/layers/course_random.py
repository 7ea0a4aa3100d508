"""NumPy's global random numbers, from which the course draws: those of np.random.seed and randn.

With np.random.seed(231), the notebooks print the same numbers here. Everything else in this package
draws from generators that it is given.
"""
import numpy as np

from ..types import Array, Shape

__all__ = ["GlobalGenerator"]


class GlobalGenerator(np.random.Generator):
    """NumPy's global random numbers as a Generator, which np.random.seed seeds.

    random() gives the numbers of np.random.rand, standard_normal() those of np.random.randn. A copy
    continues from the same state, with numbers of its own.
    """

    def __init__(self) -> None:
        super().__init__(np.random.get_bit_generator())  # type: ignore[attr-defined]

    # Generator's own normal numbers are those of another algorithm.
    def standard_normal(self, size: Shape, /) -> Array:  # type: ignore[override]
        """Return an array of a shape, float64, of the numbers of np.random.randn."""
        return np.random.standard_normal(size)  # noqa: NPY002 (the course's numbers)
