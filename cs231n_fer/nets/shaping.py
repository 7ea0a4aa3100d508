"""Layers that rearrange numbers without computing any: Flatten and Pad, see layer.py."""
from __future__ import annotations

from dataclasses import dataclass
from math import prod

from .. import layers as L
from ..shapes import check, gradient_like, whole_number
from ..types import Array, Arrays, Cache, Shape
from .layer import Layer, Mode

__all__ = ["Flatten", "Pad"]


@dataclass(frozen=True)
class Flatten(Layer):
    """Images as vectors, in the order C, H, W. Affine flattens its input without this layer."""

    def out_shape(self, shape: Shape) -> Shape:
        """Return (C * H * W,) for (C, H, W)."""
        return (prod(shape),)

    def forward(self, params: Arrays, buffers: Arrays, x: Array, mode: Mode) -> tuple[Array, Cache]:
        """Return x as (N, D)."""
        return x.reshape(len(x), prod(x.shape[1:])), (x.shape, x.dtype)

    def backward(self, dout: Array, cache: Cache) -> tuple[Array, Arrays]:
        """Return dx in the shape of x, and no gradients."""
        shape, dtype = cache
        dout = gradient_like(dout, (shape[0], prod(shape[1:])), dtype, "flatten")
        return dout.reshape(shape), {}


@dataclass(frozen=True)
class Pad(Layer):
    """A border around every image, such as -inf before a MaxPool whose windows extend beyond it.

    pad     width of the border
    value   value of the border
    """
    pad: int
    value: float = 0.0

    def out_shape(self, shape: Shape) -> Shape:
        """Return (C, H + 2 pad, W + 2 pad) for (C, H, W)."""
        check(len(shape) == 3, f"Pad: input shape is {shape}, expected (C, H, W)")
        width = whole_number(self.pad, "pad", 0)
        return (shape[0], *(side + 2 * width for side in shape[1:]))

    def forward(self, params: Arrays, buffers: Arrays, x: Array, mode: Mode) -> tuple[Array, Cache]:
        """Return x with its border."""
        return L.pad_forward(x, self.pad, self.value)

    def backward(self, dout: Array, cache: Cache) -> tuple[Array, Arrays]:
        """Return dx, dout without its border, and no gradients."""
        return L.pad_backward(dout, cache), {}
