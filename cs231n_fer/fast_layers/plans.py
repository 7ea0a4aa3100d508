"""Plans: how a convolution of one size is computed. They are made once and found again by size.

`rung` is "fast" (direct convolution), "winograd", or "auto": Winograd's algorithm for 3 x 3 filters
of stride 1 with at least one vector of channels and of filters, else direct convolution.
"""
from functools import cache
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..arrays.seam import contiguous
from ..kernels import conv as kernels
from ..kernels.direct import direct_plan
from ..kernels.shape import ConvSize, Plan, conv_size
from ..kernels.vectors.calls import flat
from ..kernels.vectors.machine import VECTOR_BYTES
from ..kernels.winograd import best_m, winograd_plan
from ..shapes import conv_arguments, conv_geometry
from ..types import Array, ConvParam, Shape
from .copies import rebuilt

__all__ = ["PLAN_IMAGES", "ConvCache", "Convolution", "choose_plan", "conv_cache",
           "find_convolution"]

PLAN_IMAGES = 16  # the size of Winograd's tiles is chosen for at most this many images


class Convolution(NamedTuple):
    """A convolution of one size: its plan, and what kernels are handed with it."""
    plan: Plan
    numbers: NDArray[np.int64]     # flat(plan)
    forward: kernels.ForwardSteps  # addresses
    nothing: Array                 # (0,), in place of an array that a kernel doesn't need
    no_bytes: NDArray[np.uint8]    # (0,), the same
    ones: Array                    # (Fp,)

    def __reduce__(self) -> tuple[Any, ...]:
        """Find a copy again by its size, as addresses are valid in one process only."""
        return rebuilt, (VECTOR_BYTES, of_size, self.plan.size, self.plan.m, self.ones.dtype)


class ConvCache(NamedTuple):
    """The checked arguments of a convolution, as both passes take them."""
    x: Array   # (N, H, W, C)
    w: Array   # (HH, WW, C, F)
    conv: Convolution

    @property
    def size(self) -> ConvSize:
        """The ConvSize of the convolution."""
        return self.conv.plan.size


def conv_cache(x: Array, w: Array, b: Array, conv_param: ConvParam, rung: str,
               ) -> tuple[ConvCache, Array]:
    """Check the arguments of a convolution; return its ConvCache, and b in the common dtype.

    x (N, C, H, W), w (F, C, HH, WW), b (F,). Raises ValueError where they don't fit together.
    """
    x, w, b = conv_arguments(x, w, b)
    found = find_convolution(x, w, conv_param, rung)
    return ConvCache(contiguous(x, (0, 2, 3, 1)), contiguous(w, (2, 3, 1, 0)), found), b


def find_convolution(x: Array, w: Array, conv_param: ConvParam, rung: str) -> Convolution:
    """Return the Convolution of images x (N, C, H, W) and filters w (F, C, HH, WW) of one dtype.

    Raises ValueError for a wrong conv_param.
    """
    stride, pad = conv_geometry(conv_param)
    count = min(len(x), PLAN_IMAGES)
    return convolution(count, x.shape[1:], w.shape, stride, pad, x.dtype, rung)


@cache
def convolution(count: int, image_shape: Shape, w_shape: Shape, stride: int, pad: int,
                dtype: np.dtype[Any], rung: str) -> Convolution:
    """Return a Convolution, see choose_plan; its forward steps are compiled or loaded from disk."""
    return of_plan(choose_plan(count, image_shape, w_shape, stride, pad, dtype, rung), dtype)


def choose_plan(count: int, image_shape: Shape, w_shape: Shape, stride: int, pad: int,
                dtype: np.dtype[Any], rung: str) -> Plan:
    """Choose the algorithm of a convolution and its blocks; return its Plan.

    count         images in a batch, at most PLAN_IMAGES
    image_shape   (C, H, W)
    w_shape       (F, C, HH, WW)
    """
    size = conv_size(image_shape, w_shape, stride, pad, dtype)
    possible = (size.HH, size.WW, size.stride) == (3, 3, 1)
    # Winograd's transforms cost about as much as a product with one vector of channels.
    worth_it = min(size.C, size.F) >= size.lanes
    if possible and (rung == "winograd" or (rung == "auto" and worth_it)):
        plan: Plan = winograd_plan(size, best_m(size, count), dtype.itemsize)
    else:
        plan = direct_plan(size)
    return plan


def of_plan(plan: Plan, dtype: np.dtype[Any]) -> Convolution:
    """Return the Convolution of a plan."""
    return Convolution(
        plan=plan, numbers=flat(plan), forward=kernels.forward_addresses(plan.m, dtype),
        nothing=np.empty(0, dtype), no_bytes=np.empty(0, np.uint8),
        ones=np.ones(plan.size.Fp, dtype))


def of_size(size: ConvSize, m: int, dtype: np.dtype[Any]) -> Convolution:
    """Return the Convolution of a size, by Winograd's tiles of m outputs or directly (m = 0)."""
    return of_plan(winograd_plan(size, m, dtype.itemsize) if m else direct_plan(size), dtype)
