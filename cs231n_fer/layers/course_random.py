"""NumPy's global random numbers, which the course uses: np.random.seed and np.random.randn.

With np.random.seed(231), the notebooks print the same numbers here. Everything else in this package
uses generators passed as arguments.
"""
import numpy as np

from ..types import Array, Shape

__all__ = ["GlobalGenerator"]


class GlobalGenerator(np.random.Generator):
    """NumPy's global random numbers as a Generator, which np.random.seed seeds.

    random() gives the numbers of np.random.rand, standard_normal() those of np.random.randn. A copy
    continues independently from the same state.
    """

    def __init__(self) -> None:
        super().__init__(np.random.get_bit_generator())  # type: ignore[attr-defined]

    # Generator.standard_normal uses another algorithm.
    def standard_normal(self, size: Shape, /) -> Array:  # type: ignore[override]
        """Return a float64 array of the numbers that np.random.randn would return."""
        return np.random.standard_normal(size)  # noqa: NPY002 (the course's numbers)
