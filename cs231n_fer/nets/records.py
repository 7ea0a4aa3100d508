"""The layers of networks: records of hyperparameters, which call the functions of the ladder.

Normalization layers are in norms.py. layer.py describes the arguments and results of the methods.
"""
from __future__ import annotations

from dataclasses import dataclass
from math import prod
from typing import ClassVar

import numpy as np
from numpy.random import Generator
from numpy.typing import DTypeLike

from .. import layers as L
from ..shapes import check, conv_output_size
from ..types import Array, Arrays, Cache, ConvParam, DropoutParam, PoolParam, Shape
from .ladder import functions
from .layer import Layer, Mode, Shapes

__all__ = ["Affine", "AvgPool", "Conv", "Dropout", "GlobalAvgPool", "LeakyReLU", "MaxPool", "ReLU"]


def initial_weights(rng: Generator, shape: Shape, dtype: DTypeLike, scale: float | None) -> Array:
    """Return weights drawn by He's rule if scale is None, else with standard deviation scale."""
    if scale is None:
        return L.he_normal(rng, shape, dtype)
    return L.scaled_normal(rng, shape, scale, dtype)


class _Convolution(Layer):
    """What Conv and GroupedConv share; the fields are declared there, in the order of each."""
    filters: int
    size: int
    stride: int
    pad: int | None
    bias: bool
    weight_scale: float | None

    @property
    def conv_param(self) -> ConvParam:
        """Stride and padding as the course's dictionary."""
        pad = (self.size - 1) // 2 if self.pad is None else self.pad
        return {"stride": self.stride, "pad": pad}

    def init(self, rng: Generator, shape: Shape, dtype: DTypeLike) -> tuple[Arrays, Arrays]:
        """Draw w (F, C, HH, WW), stored as (HH, WW, C, F); b (F,) is zero."""
        shapes, _ = self.array_shapes(shape)
        params = {"w": initial_weights(rng, shapes["w"], dtype, self.weight_scale)}
        if self.bias:
            params["b"] = np.zeros(self.filters, dtype)
        return params, {}

    def bias_of(self, params: Arrays, x: Array) -> Array:
        """Return b, or zeros if there is none."""
        return params["b"] if self.bias else np.zeros(self.filters, x.dtype)

    def named(self, dw: Array, db: Array) -> Arrays:
        """Return the gradients of the parameters by name."""
        return {"w": dw, "b": db} if self.bias else {"w": dw}


@dataclass(frozen=True)
class Conv(_Convolution):
    """Convolution.

    filters        number of filters
    size           height and width of a filter
    stride, pad    see layers.conv; with pad None, an odd size and stride 1 keep height and width
    bias           False omits b from the parameters; for use before a batchnorm, which cancels it
    weight_scale   standard deviation of the initial weights; None: He's rule
    rung           rung of the ladder
    """
    filters: int
    size: int = 3
    stride: int = 1
    pad: int | None = None
    bias: bool = True
    weight_scale: float | None = None
    rung: str = "auto"

    def out_shape(self, shape: Shape) -> Shape:
        """Return (F, Ho, Wo) for (C, H, W)."""
        check(self.filters >= 1, f"filters: got {self.filters}, expected 1 or more")
        check(len(shape) == 3, f"Conv: input shape is {shape}, expected (C, H, W); "
                               "Conv must come before Affine")
        sizes = (conv_output_size(side, self.size, **self.conv_param) for side in shape[1:])
        return (self.filters, *sizes)

    def array_shapes(self, shape: Shape) -> tuple[Shapes, Shapes]:
        """Return the shapes of w and, if there is a bias, b."""
        shapes: Shapes = {"w": (self.filters, shape[0], self.size, self.size)}
        if self.bias:
            shapes["b"] = (self.filters,)
        return shapes, {}

    def forward(self, params: Arrays, buffers: Arrays, x: Array, mode: Mode) -> tuple[Array, Cache]:
        """Convolve x (N, C, H, W)."""
        b = self.bias_of(params, x)
        return functions("conv", self.rung).forward(x, params["w"], b, self.conv_param)

    def backward(self, dout: Array, cache: Cache) -> tuple[Array, Arrays]:
        """Return dx and the gradients of w and b."""
        dx, dw, db = functions("conv", self.rung).backward(dout, cache)
        return dx, self.named(dw, db)

    def gradients(self, dout: Array, cache: Cache) -> Arrays:
        """Return the gradients of w and b; dx is not computed, except on the naive rung."""
        if self.rung == "naive":
            return super().gradients(dout, cache)
        _, dw, db = functions("conv", self.rung).backward(dout, cache, want_dx=False)
        return self.named(dw, db)

    def flops(self, shape: Shape) -> int:
        """Return 2 for every product of a weight and a pixel."""
        return 2 * prod(self.out_shape(shape)) * shape[0] * self.size ** 2


@dataclass(frozen=True)
class Affine(Layer):
    """out = x w + b; images (C, H, W) are flattened in this order.

    units          number of outputs
    weight_scale   standard deviation of the initial weights; None: He's rule
    rung           rung of the ladder
    """
    units: int
    weight_scale: float | None = None
    rung: str = "auto"

    def out_shape(self, shape: Shape) -> Shape:
        """Return (units,) for any shape."""
        check(self.units >= 1, f"units: got {self.units}, expected 1 or more")
        return (self.units,)

    def init(self, rng: Generator, shape: Shape, dtype: DTypeLike) -> tuple[Arrays, Arrays]:
        """Draw w (D, M); b (M,) is zero."""
        w = initial_weights(rng, (prod(shape), self.units), dtype, self.weight_scale)
        return {"w": w, "b": np.zeros(self.units, dtype)}, {}

    def array_shapes(self, shape: Shape) -> tuple[Shapes, Shapes]:
        """Return the shapes of w and b."""
        return {"w": (prod(shape), self.units), "b": (self.units,)}, {}

    def forward(self, params: Arrays, buffers: Arrays, x: Array, mode: Mode) -> tuple[Array, Cache]:
        """Return x w + b."""
        return functions("affine", self.rung).forward(x, params["w"], params["b"])

    def backward(self, dout: Array, cache: Cache) -> tuple[Array, Arrays]:
        """Return dx and the gradients of w and b."""
        dx, dw, db = functions("affine", self.rung).backward(dout, cache)
        return dx, {"w": dw, "b": db}

    def flops(self, shape: Shape) -> int:
        """Return 2 for every weight."""
        return 2 * prod(shape) * self.units


@dataclass(frozen=True)
class ReLU(Layer):
    """max(x, 0)."""
    rung: str = "auto"

    def forward(self, params: Arrays, buffers: Arrays, x: Array, mode: Mode) -> tuple[Array, Cache]:
        """Return max(x, 0)."""
        return functions("relu", self.rung).forward(x)

    def backward(self, dout: Array, cache: Cache) -> tuple[Array, Arrays]:
        """Return dx and no gradients."""
        return functions("relu", self.rung).backward(dout, cache), {}


@dataclass(frozen=True)
class LeakyReLU(Layer):
    """x where x is positive, slope * x elsewhere (Maas et al. 2013)."""
    slope: float = 0.01

    def forward(self, params: Arrays, buffers: Arrays, x: Array, mode: Mode) -> tuple[Array, Cache]:
        """Multiply negative numbers by slope."""
        return L.leaky_relu_forward(x, self.slope)

    def backward(self, dout: Array, cache: Cache) -> tuple[Array, Arrays]:
        """Return dx and no gradients."""
        return L.leaky_relu_backward(dout, cache), {}


@dataclass(frozen=True)
class _Pool(Layer):
    """Pooling over windows of size x size; stride None: size, so that windows don't overlap."""
    size: int = 2
    stride: int | None = None
    rung: str = "auto"
    operation: ClassVar[str]

    @property
    def pool_param(self) -> PoolParam:
        """Window and stride as the course's dictionary."""
        stride = self.stride or self.size
        return {"pool_height": self.size, "pool_width": self.size, "stride": stride}

    def out_shape(self, shape: Shape) -> Shape:
        """Return (C, Ho, Wo) for (C, H, W)."""
        check(len(shape) == 3, f"pool: input shape is {shape}, expected (C, H, W); "
                               "pooling must come before Affine")
        stride = self.pool_param["stride"]
        return (shape[0], *(conv_output_size(side, self.size, stride, 0) for side in shape[1:]))

    def forward(self, params: Arrays, buffers: Arrays, x: Array, mode: Mode) -> tuple[Array, Cache]:
        """Pool x (N, C, H, W)."""
        return functions(self.operation, self.rung).forward(x, self.pool_param)

    def backward(self, dout: Array, cache: Cache) -> tuple[Array, Arrays]:
        """Return dx and no gradients."""
        return functions(self.operation, self.rung).backward(dout, cache), {}


class MaxPool(_Pool):
    """The maximum of each window; the gradient goes to the first maximum in row-major order."""
    operation = "max_pool"


class AvgPool(_Pool):
    """The mean of each window."""
    operation = "avg_pool"


@dataclass(frozen=True)
class GlobalAvgPool(Layer):
    """The mean of each channel (Lin et al. 2014)."""

    def out_shape(self, shape: Shape) -> Shape:
        """Return (C,) for (C, H, W)."""
        return shape[:1]

    def forward(self, params: Arrays, buffers: Arrays, x: Array, mode: Mode) -> tuple[Array, Cache]:
        """Average x (N, C, H, W) over height and width."""
        return L.global_avg_pool_forward(x)

    def backward(self, dout: Array, cache: Cache) -> tuple[Array, Arrays]:
        """Return dx and no gradients."""
        return L.global_avg_pool_backward(dout, cache), {}


@dataclass(frozen=True)
class Dropout(Layer):
    """Inverted dropout (Srivastava et al. 2014).

    keep   probability of keeping a number
    seed   None: the generator of the mode draws the masks; with a seed, every pass has the same
           mask, as numerical gradient checks require
    """
    keep: float = 0.5
    seed: int | None = None

    def forward(self, params: Arrays, buffers: Arrays, x: Array, mode: Mode) -> tuple[Array, Cache]:
        """Drop random numbers of x in training mode; return x in test mode."""
        settings: DropoutParam = {"p": self.keep, "mode": mode.name}
        if self.seed is None:
            settings["rng"] = mode.rng
        else:
            settings["seed"] = self.seed
        return L.dropout_forward(x, settings)

    def backward(self, dout: Array, cache: Cache) -> tuple[Array, Arrays]:
        """Return dx and no gradients."""
        return L.dropout_backward(dout, cache), {}
