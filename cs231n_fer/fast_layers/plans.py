"""How a convolution of one size is computed: its plan, found again by its sizes, and its arguments.

`engine` is "fast" (direct convolution), "winograd", or "auto": Winograd for 3 x 3 filters of stride 1
and at least a vector of channels and filters, else direct.
"""
from functools import cache
from typing import NamedTuple

import numpy as np

from ..arrays.seam import contiguous
from ..kernels import conv as kernels
from ..kernels.direct import direct_plan
from ..kernels.shape import Plan, conv_size
from ..kernels.vectors.calls import flat
from ..kernels.vectors.machine import VECTOR_BYTES
from ..kernels.winograd import best_m, winograd_plan
from ..shapes import conv_arguments, conv_geometry
from .pool import moved


class Convolution(NamedTuple):
    """A convolution of one size: its plan, and what kernels are handed of it; found again by its sizes."""
    plan: Plan
    numbers: np.ndarray         # flat(plan)
    forward: tuple              # addresses of the steps of a forward pass
    nothing: np.ndarray         # (0,) for arrays that are not there
    no_bytes: np.ndarray
    ones: np.ndarray            # (Fp,)

    def __reduce__(self):
        """A copy is found again by its size: addresses are those of one process."""
        return moved, (VECTOR_BYTES, of_size, self.plan.size, self.plan.m, self.ones.dtype)


class ConvCache(NamedTuple):
    """A convolution's checked arguments, as its kernels take them, forward and backward."""
    x: np.ndarray   # (N, H, W, C) in memory
    w: np.ndarray   # (HH, WW, C, F) in memory
    conv: Convolution

    @property
    def size(self):
        """The ConvSize."""
        return self.conv.plan.size


PLAN_IMAGES = 16  # the size of Winograd's tiles is chosen for so many images at most


def find_convolution(x, w, conv_param, engine):
    """Return the Convolution of images x with filters w of one dtype; raises ValueError where conv_param is wrong."""
    stride, pad = conv_geometry(conv_param)
    return convolution(min(len(x), PLAN_IMAGES), x.shape[1:], w.shape, stride, pad, x.dtype, engine)


@cache
def convolution(images, image_shape, w_shape, stride, pad, dtype, engine):
    """The Convolution of images (C, H, W); compiles or loads the steps of its forward pass."""
    return of_plan(choose_plan(images, image_shape, w_shape, stride, pad, dtype, engine), dtype)


def of_plan(plan, dtype):
    """The Convolution of a plan."""
    return Convolution(plan, flat(plan), kernels.forward_addresses(plan.m, dtype), np.empty(0, dtype),
                       np.empty(0, np.uint8), np.ones(plan.size.Fp, dtype))


def of_size(size, m, dtype):
    """The Convolution of a ConvSize, by Winograd's tiles of m outputs or directly (m = 0)."""
    return of_plan(winograd_plan(size, m, dtype.itemsize) if m else direct_plan(size), dtype)


def choose_plan(images, image_shape, w_shape, stride, pad, dtype, engine):
    """The Plan of a convolution of images (C, H, W): which engine computes it, and in which blocks."""
    size = conv_size(image_shape, w_shape, stride, pad, dtype)
    possible = (size.HH, size.WW, size.stride) == (3, 3, 1)
    # Transforms cost about as much as a product with one vector of channels.
    worth_it = min(size.C, size.F) >= size.lanes
    if possible and (engine == "winograd" or (engine == "auto" and worth_it)):
        return winograd_plan(size, best_m(size, images), dtype.itemsize)
    return direct_plan(size)


def conv_cache(x, w, b, conv_param, engine):
    """Check the arguments of a convolution; return its ConvCache, and b in the same dtype."""
    x, w, b = conv_arguments(x, w, b)
    found = find_convolution(x, w, conv_param, engine)
    return ConvCache(contiguous(x, (0, 2, 3, 1)), contiguous(w, (2, 3, 1, 0)), found), b
