"""Names for the types in annotations: arrays, caches, the course's parameter dictionaries, protocols."""
from __future__ import annotations

from typing import Any, Literal, Protocol, TypeAlias, TypedDict

import numpy as np
from numpy.typing import NDArray

Array: TypeAlias = NDArray[np.floating[Any]]    # float32 or float64
Labels: TypeAlias = NDArray[np.integer[Any]]    # (N,), from 0 to C - 1
Pixels: TypeAlias = NDArray[np.uint8]           # images before they are normalized
Arrays: TypeAlias = dict[str, Array]            # parameters, gradients or buffers by name
Shape: TypeAlias = tuple[int, ...]
Cache: TypeAlias = Any                          # what a forward pass hands to its backward pass
Draws: TypeAlias = NDArray[np.float64]          # random numbers of an augmentation, a row for each image


class ConvParam(TypedDict):
    """Settings of a convolution: the stride of the windows, and the zeros around an image."""

    stride: int
    pad: int


class PoolParam(TypedDict):
    """Settings of a pooling layer: the size of the windows and their stride."""

    pool_height: int
    pool_width: int
    stride: int


class BatchnormParam(TypedDict, total=False):
    """Settings of batch normalization; its running averages are updated in place in training mode."""

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
    """A loss of scores (N, C) and labels (N,): returns the loss and its gradient (N, C)."""

    def __call__(self, x: Array, y: Labels, /) -> tuple[float, Array]: ...


class UpdateRule(Protocol):
    """A rule of optim: returns the next weights, and the config with its state brought up to date."""

    def __call__(self, w: Array, dw: Array, config: dict[str, Any] | None = None, /
                 ) -> tuple[Array, dict[str, Any]]: ...


class Augmentation(Protocol):
    """A random change of images: all that is random is drawn first, so that it can be repeated."""

    columns: int

    def draw(self, rng: np.random.Generator, n: int) -> Draws:
        """Return the random numbers of n images, (n, columns)."""

    def apply(self, images: Array, draws: Draws) -> Array:
        """Return new images, changed as their draws say."""


class Model(Protocol):
    """What Solver trains: arrays by name, and a loss with its gradients."""

    params: Arrays

    def loss(self, X: Array, y: Labels | None = None) -> Any:
        """Return scores (N, C) without labels, else the loss and the gradients by name."""


class Schedule(Protocol):
    """A factor on the learning rate, from the epochs done, all epochs, and the accuracies so far."""

    def __call__(self, epoch: float, epochs: int, accuracies: list[float], /) -> float: ...
