"""Names for the types in annotations: arrays, caches, the course's settings, protocols."""
from typing import Any, Literal, Protocol, TypeAlias, TypedDict

import numpy as np
from numpy.typing import NDArray

__all__ = [
    "Array", "Labels", "Pixels", "Arrays", "Shape", "Cache", "Draws",
    "ConvParam", "PoolParam", "BatchnormParam", "NormParam", "DropoutParam",
    "Loss", "UpdateRule", "Augmentation", "Model", "Schedule",
]

Array: TypeAlias = NDArray[np.floating[Any]]  # float32 or float64
Labels: TypeAlias = NDArray[np.integer[Any]]  # (N,), classes from 0 to C - 1
Pixels: TypeAlias = NDArray[np.uint8]         # images before they are normalized
Arrays: TypeAlias = dict[str, Array]          # parameters, gradients or buffers by name
Shape: TypeAlias = tuple[int, ...]
Cache: TypeAlias = Any                        # what a forward pass keeps for its backward pass
Draws: TypeAlias = NDArray[np.float64]        # random numbers of an augmentation, one row per image


class ConvParam(TypedDict):
    """Settings of a convolution: the stride of the windows, and the zeros added around an image."""

    stride: int
    pad: int


class PoolParam(TypedDict):
    """Settings of a pooling layer: the size of the windows and their stride."""

    pool_height: int
    pool_width: int
    stride: int


class BatchnormParam(TypedDict, total=False):
    """Settings of batch normalization; training mode updates the running averages in place."""

    mode: Literal["train", "test"]
    eps: float
    momentum: float
    running_mean: Array
    running_var: Array


class NormParam(TypedDict, total=False):
    """Settings of layer and group normalization."""

    eps: float


class DropoutParam(TypedDict, total=False):
    """Settings of dropout; p is the probability of keeping a number."""

    p: float
    mode: Literal["train", "test"]
    seed: int | None
    rng: np.random.Generator | None


class Loss(Protocol):
    """A loss of scores (N, C) and labels (N,); a call returns the loss and its gradient (N, C)."""

    def __call__(self, x: Array, y: Labels, /) -> tuple[float, Array]: ...


class UpdateRule(Protocol):
    """A rule of optim; a call returns the next weights, and the config with its updated state."""

    def __call__(self, w: Array, dw: Array, config: dict[str, Any] | None = None, /
                 ) -> tuple[Array, dict[str, Any]]: ...


class Augmentation(Protocol):
    """A random change of images; its random numbers are drawn first, so it can be repeated."""

    columns: int

    def draw(self, rng: np.random.Generator, n: int) -> Draws:
        """Return the random numbers for n images, (n, columns)."""

    def apply(self, images: Array, draws: Draws) -> Array:
        """Return new images, changed according to the random numbers in draws."""


class Model(Protocol):
    """What Solver trains: parameters by name, and a loss with its gradients."""

    params: Arrays

    def loss(self, X: Array, y: Labels | None = None) -> Any:
        """Return the scores (N, C) if y is None, else the loss and the gradients by name."""


class Schedule(Protocol):
    """A factor for the learning rate, given the epochs done, all epochs, the accuracies so far."""

    def __call__(self, epoch: float, epochs: int, accuracies: list[float], /) -> float: ...
