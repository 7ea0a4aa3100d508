"""The compiled rungs of grouped convolution.

The contract is that of layers/grouped.py. Where every filter sees one channel, a kernel of its own
takes vectors of channels; if a channel has several filters, its pixels are repeated for them. Else
each group is an ordinary convolution, see conv.
"""
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..arrays import arena
from ..arrays.seam import channels_first, contiguous
from ..kernels import depthwise as kernels
from ..kernels.vectors.calls import flat
from ..kernels.vectors.machine import VECTOR_BYTES, lanes_of
from ..layers.grouped import grouped_conv_arguments
from ..shapes import conv_geometry, conv_output_size, gradient_like
from ..types import Array, Cache, ConvParam, Shape
from .conv import conv_backward, conv_forward
from .copies import rebuilt
from .plans import ConvCache

__all__ = ["grouped_conv_backward", "grouped_conv_forward"]


class DepthwiseCache(NamedTuple):
    """What the backward pass of a depthwise convolution needs."""
    x: Array                    # (N, H, W, F), every channel once for each of its filters
    w: Array                    # (HH, WW, F)
    out_shape: Shape            # (N, F, Ho, Wo)
    filters: int                # of one channel
    numbers: NDArray[np.int64]  # flat(Depthwise)

    def __reduce__(self) -> tuple[Any, ...]:
        """Refuse a copy where vectors have another size."""
        return rebuilt, (VECTOR_BYTES, DepthwiseCache, *self)


class GroupsCache(NamedTuple):
    """The caches of the groups, and the shape and dtype of the output of all."""
    groups: tuple[ConvCache, ...]
    out_shape: Shape
    dtype: np.dtype[Any]


def grouped_conv_forward(x: Array, w: Array, b: Array, conv_param: ConvParam, groups: int,
                         rung: str = "auto") -> tuple[Array, Cache]:
    """Convolve every group of channels; arguments, out and errors are those of
    layers.grouped_conv_forward_naive.

    rung   "fast", "winograd" or "auto", see plans; of groups with several channels
    """
    x, w, b, groups = grouped_conv_arguments(x, w, b, groups)
    stride, pad = conv_geometry(conv_param)
    F, channels, HH, WW = w.shape
    Ho = conv_output_size(x.shape[2], HH, stride, pad)
    Wo = conv_output_size(x.shape[3], WW, stride, pad)
    out = arena.empty((len(x), Ho, Wo, F), x.dtype)
    if channels == 1:
        return depthwise_forward(x, w, b, out, stride, pad)
    caches: list[ConvCache] = []
    for channel, filters in slices(groups, channels, F // groups):
        part, cache = conv_forward(x[:, channel], w[filters], b[filters], conv_param, rung)
        out[..., filters] = part.transpose(0, 2, 3, 1)
        caches.append(cache)
    out = channels_first(out)
    return out, GroupsCache(tuple(caches), out.shape, x.dtype)


def slices(groups: int, channels: int, filters: int) -> list[tuple[slice, slice]]:
    """Return the channels and the filters of every group."""
    return [(slice(g * channels, (g + 1) * channels), slice(g * filters, (g + 1) * filters))
            for g in range(groups)]


def grouped_conv_backward(dout: Array, cache: Cache) -> tuple[Array, Array, Array]:
    """Return dx, dw, db of grouped_conv_forward."""
    if isinstance(cache, DepthwiseCache):
        return depthwise_backward(dout, cache)
    dout = gradient_like(dout, cache.out_shape, cache.dtype, "grouped_conv")
    size = cache.groups[0].size
    groups = len(cache.groups)
    N = len(dout)
    dx = arena.empty((N, size.H, size.W, groups * size.C), cache.dtype)
    dw = arena.empty((groups * size.F, size.C, size.HH, size.WW), cache.dtype)
    db = arena.empty(groups * size.F, cache.dtype)
    parts = zip(cache.groups, slices(groups, size.C, size.F), strict=True)
    for part, (channels, filters) in parts:
        dpart, dw[filters], db[filters] = conv_backward(dout[:, filters], part)
        channels_first(dx)[:, channels] = dpart
    return channels_first(dx), dw, db


def depthwise_forward(x: Array, w: Array, b: Array, out: Array, stride: int, pad: int
                      ) -> tuple[Array, DepthwiseCache]:
    """Convolve every channel with its own filters into out (N, Ho, Wo, F)."""
    F, _, HH, WW = w.shape
    _, Ho, Wo, _ = out.shape
    filters = F // x.shape[1]
    x = contiguous(x if filters == 1 else x.repeat(filters, axis=1), (0, 2, 3, 1))
    w = contiguous(w, (2, 3, 1, 0)).reshape(HH, WW, F)
    numbers = flat(kernels.depthwise_of(x.shape, HH, WW, stride, pad, Ho, Wo, lanes_of(x.dtype)))
    kernels.convolve_images(kernels.convolve.address(x.dtype), x.reshape(-1), w.reshape(-1),
                            contiguous(b, (0,)), out.reshape(-1), numbers, len(x))
    out = channels_first(out)
    return out, DepthwiseCache(x, w, out.shape, filters, numbers)


def depthwise_backward(dout: Array, cache: DepthwiseCache) -> tuple[Array, Array, Array]:
    """Return dx, dw, db of a depthwise convolution.

    dw is summed over the images in their order, so that threads don't change its bits.
    """
    x = cache.x
    N, H, W, F = x.shape
    HH, WW, _ = cache.w.shape
    dout = gradient_like(dout, cache.out_shape, x.dtype, "grouped_conv")
    rows = contiguous(dout, (0, 2, 3, 1)).reshape(-1)
    parts = arena.empty((N, HH * WW + 1, F), x.dtype)
    kernels.over_images(kernels.gradient_of_filters.address(x.dtype), x.reshape(-1), rows,
                        parts.reshape(-1), cache.numbers, N)
    total = parts.sum(axis=0)
    dw = total[:-1].reshape(HH, WW, 1, F).transpose(3, 2, 0, 1)
    dx = arena.empty(x.shape, x.dtype)
    kernels.over_images(kernels.gradient_of_images.address(x.dtype), rows, cache.w.reshape(-1),
                        dx.reshape(-1), cache.numbers, N)
    if cache.filters > 1:
        dx = dx.reshape(N, H, W, F // cache.filters, cache.filters).sum(axis=-1)
    return channels_first(dx), dw, total[-1]
