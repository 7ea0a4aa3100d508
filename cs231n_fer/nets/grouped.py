"""Grouped and depthwise convolution: a record of hyperparameters, see layer.py."""
from __future__ import annotations

from dataclasses import dataclass
from math import prod

from ..shapes import check, conv_output_size
from ..types import Array, Arrays, Cache, Shape
from .ladder import functions
from .layer import Mode, Shapes
from .records import _Convolution

__all__ = ["GroupedConv"]


@dataclass(frozen=True)
class GroupedConv(_Convolution):
    """Convolution within groups of channels (Krizhevsky et al. 2012).

    filters        number of filters
    groups         a divisor of channels and filters; as many as channels for depthwise convolution
    size           height and width of a filter
    stride, pad    see layers.conv; with pad None, an odd size and stride 1 keep height and width
    bias           False omits b from the parameters; for use before a batchnorm, which cancels it
    weight_scale   standard deviation of the initial weights; None: He's rule
    rung           rung of the ladder
    """
    filters: int
    groups: int
    size: int = 3
    stride: int = 1
    pad: int | None = None
    bias: bool = True
    weight_scale: float | None = None
    rung: str = "auto"

    def out_shape(self, shape: Shape) -> Shape:
        """Return (F, Ho, Wo) for (C, H, W)."""
        check(len(shape) == 3, f"GroupedConv: input shape is {shape}, expected (C, H, W); "
                               "GroupedConv must come before Affine")
        fits = self.groups >= 1 and self.filters >= 1
        check(fits and shape[0] % self.groups == 0 and self.filters % self.groups == 0,
              f"groups: got {self.groups}, expected a divisor of the {shape[0]} channels and the "
              f"{self.filters} filters")
        sizes = (conv_output_size(side, self.size, **self.conv_param) for side in shape[1:])
        return (self.filters, *sizes)

    def array_shapes(self, shape: Shape) -> tuple[Shapes, Shapes]:
        """Return the shapes of w and, if there is a bias, b."""
        shapes: Shapes = {"w": (self.filters, shape[0] // self.groups, self.size, self.size)}
        if self.bias:
            shapes["b"] = (self.filters,)
        return shapes, {}

    def forward(self, params: Arrays, buffers: Arrays, x: Array, mode: Mode) -> tuple[Array, Cache]:
        """Convolve x (N, C, H, W)."""
        forward = functions("grouped_conv", self.rung).forward
        return forward(x, params["w"], self.bias_of(params, x), self.conv_param, self.groups)

    def backward(self, dout: Array, cache: Cache) -> tuple[Array, Arrays]:
        """Return dx and the gradients of w and b."""
        dx, dw, db = functions("grouped_conv", self.rung).backward(dout, cache)
        return dx, self.named(dw, db)

    def flops(self, shape: Shape) -> int:
        """Return 2 for every product of a weight and a pixel."""
        return 2 * prod(self.out_shape(shape)) * shape[0] // self.groups * self.size ** 2
