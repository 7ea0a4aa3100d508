"""The interface of a layer: a frozen record of hyperparameters, without arrays or state.

The same record can therefore be used by many networks and threads. Arrays are passed in and
returned by name:

    out_shape(shape)                      -> shape of an output, given that of an input, without N
    init(rng, shape, dtype)               -> (params, buffers), new arrays
    array_shapes(shape)                   -> (params, buffers), the shapes of these arrays
    forward(params, buffers, x, mode)     -> (out, cache)
    backward(dout, cache)                 -> (dx, grads), where grads has the keys of params
    gradients(dout, cache)                -> grads; the first layer of a network needs no dx
    flops(shape)                          -> multiplications and additions to run one sample forward

Buffers are the running averages; a forward pass in training mode updates them in place. Parameters
are never written to.
"""
from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal, TypeAlias

from numpy.random import Generator
from numpy.typing import DTypeLike

from ..types import Array, Arrays, Cache, Shape

__all__ = ["TEST", "Layer", "Mode", "Row", "Shapes", "check_shapes", "shape_after"]

Shapes: TypeAlias = dict[str, Shape]
Row: TypeAlias = "tuple[str, Layer, Shape, Shape]"  # path, layer, input shape, output shape


@dataclass(frozen=True)
class Mode:
    """The mode of a forward pass: training or test, and the generator that draws dropout masks."""
    train: bool
    rng: Generator | None = None

    @property
    def name(self) -> Literal["train", "test"]:
        """Return "train" or "test", as in the course's parameter dictionaries."""
        return "train" if self.train else "test"


TEST = Mode(train=False)


@dataclass(frozen=True)
class Layer(ABC):
    """Base class of layers: without parameters, and with outputs in the shape of the inputs."""

    def out_shape(self, shape: Shape) -> Shape:
        """Return the shape of an output; raises ValueError if the input has too few axes."""
        return shape

    def init(self, rng: Generator, shape: Shape, dtype: DTypeLike) -> tuple[Arrays, Arrays]:
        """Return new parameters and buffers by name; rng draws the random ones."""
        return {}, {}

    def array_shapes(self, shape: Shape) -> tuple[Shapes, Shapes]:
        """Return the shapes of the parameters and buffers that init would create."""
        return {}, {}

    @abstractmethod
    def forward(self, params: Arrays, buffers: Arrays, x: Array, mode: Mode) -> tuple[Array, Cache]:
        """Return the output for a batch x (N, *shape), and the cache for backward."""

    @abstractmethod
    def backward(self, dout: Array, cache: Cache) -> tuple[Array, Arrays]:
        """Return dx and the gradients of the parameters by name."""

    def gradients(self, dout: Array, cache: Cache) -> Arrays:
        """Return the gradients of the parameters alone."""
        return self.backward(dout, cache)[1]

    def flops(self, shape: Shape) -> int:
        """Return 0: only matrix products and convolutions are counted."""
        return 0

    def replace_inner(self, change: Callable[[Layer], Layer]) -> Layer:
        """Return this layer with every layer directly inside it replaced by change(layer)."""
        return self

    def inner_names(self) -> list[str]:
        """Return the names of the layers inside this one."""
        return []

    def rows(self, path: str, shape: Shape) -> Iterator[Row]:
        """Yield a row for every layer inside it at any depth, or for itself if it has none."""
        yield path, self, shape, shape_after(self, path, shape)


def shape_after(layer: Layer, path: str, shape: Shape) -> Shape:
    """Return layer.out_shape(shape); an error names the path of the layer, and its input shape."""
    try:
        return layer.out_shape(shape)
    except ValueError as error:
        if not path:
            raise
        raise ValueError(f"{error} (layer {path!r}, whose input has shape {shape})") from error


def check_shapes(layer: Layer, shape: Shape) -> None:
    """Raise ValueError, naming the path of the layer, where layers inside it don't fit together."""
    for _ in layer.rows("", shape):
        pass
    layer.out_shape(shape)
