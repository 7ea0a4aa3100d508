"""The compiled rungs of grouped convolution.

The contract is that of layers/grouped.py. If every filter sees one channel, a dedicated kernel
works on vectors of channels; if a channel has several filters, its pixels are repeated for them.
Otherwise groups are ordinary convolutions, see conv: as many small groups are joined in one as fill
its register tile, with filters that are zero in the channels of the other groups. The tile would be
computed anyway.
"""
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..arrays import arena
from ..arrays.seam import channels_first, contiguous
from ..kernels import depthwise as kernels
from ..kernels.shape import VECTORS
from ..kernels.vectors.calls import flat
from ..kernels.vectors.machine import VECTOR_BYTES, lanes_of
from ..layers.grouped import grouped_conv_arguments
from ..shapes import checked_cache, conv_geometry, conv_output_size, gradient_like
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
    """The caches of the convolutions, and the shape and dtype of the output of all."""
    parts: tuple[ConvCache, ...]
    joined: int       # groups in each convolution
    out_shape: Shape  # (N, F, Ho, Wo)
    dtype: np.dtype[Any]


def grouped_conv_forward(x: Array, w: Array, b: Array, conv_param: ConvParam, groups: int,
                         rung: str = "auto") -> tuple[Array, Cache]:
    """Convolve every group of channels; arguments, out and errors are those of
    layers.grouped_conv_forward_naive.

    rung   "fast", "winograd" or "auto", see plans; for groups with several channels
    A NaN or infinity in x spreads over the groups that are convolved together.
    """
    x, w, b, groups = grouped_conv_arguments(x, w, b, groups)
    stride, pad = conv_geometry(conv_param)
    F, channels, HH, WW = w.shape
    Ho = conv_output_size(x.shape[2], HH, stride, pad)
    Wo = conv_output_size(x.shape[3], WW, stride, pad)
    out = arena.empty((len(x), Ho, Wo, F), x.dtype)
    if channels == 1:
        return depthwise_forward(x, w, b, out, stride, pad)
    joined = groups_joined(groups, max(channels, F // groups), x.dtype)
    caches: list[ConvCache] = []
    for part, filters in slices(groups // joined, joined * channels, joined * F // groups):
        found, cache = conv_forward(x[:, part], with_zeros(w[filters], joined), b[filters],
                                    conv_param, rung)
        out[..., filters] = found.transpose(0, 2, 3, 1)
        caches.append(cache)
    out = channels_first(out)
    return out, GroupsCache(tuple(caches), joined, out.shape, x.dtype)


def groups_joined(groups: int, size: int, dtype: np.dtype[Any]) -> int:
    """Return how many groups of `size` channels or filters are convolved together: a divisor."""
    most = VECTORS * lanes_of(dtype) // size
    return max(count for count in range(1, groups + 1)
               if groups % count == 0 and count <= max(most, 1))


def with_zeros(w: Array, joined: int) -> Array:
    """Return filters (F, C, HH, WW) of some groups as (F, joined * C, HH, WW): zeros elsewhere."""
    if joined == 1:
        return w
    F, C, HH, WW = w.shape
    wide = np.zeros((joined, F // joined, joined, C, HH, WW), w.dtype)
    every = np.arange(joined)
    wide[every, :, every] = w.reshape(joined, F // joined, C, HH, WW)
    return wide.reshape(F, joined * C, HH, WW)


def without_zeros(dw: Array, joined: int) -> Array:
    """Return the gradient (F, C, HH, WW) of filters from that of with_zeros."""
    F, wide, HH, WW = dw.shape
    every = np.arange(joined)
    parts = dw.reshape(joined, F // joined, joined, wide // joined, HH, WW)[every, :, every]
    return parts.reshape(F, wide // joined, HH, WW)


def slices(parts: int, channels: int, filters: int) -> list[tuple[slice, slice]]:
    """Return which channels and filters belong to every part."""
    return [(slice(k * channels, (k + 1) * channels), slice(k * filters, (k + 1) * filters))
            for k in range(parts)]


def grouped_conv_backward(dout: Array, cache: Cache) -> tuple[Array, Array, Array]:
    """Return dx, dw, db of grouped_conv_forward."""
    if isinstance(cache, DepthwiseCache):
        return depthwise_backward(dout, cache)
    cache = checked_cache(cache, GroupsCache, "grouped_conv")
    dout = gradient_like(dout, cache.out_shape, cache.dtype, "grouped_conv")
    size = cache.parts[0].size
    count = len(cache.parts)
    N, F, _, _ = cache.out_shape
    dx = arena.empty((N, size.H, size.W, count * size.C), cache.dtype)
    dw = arena.empty((F, size.C // cache.joined, size.HH, size.WW), cache.dtype)
    db = arena.empty(F, cache.dtype)
    for part, (channels, filters) in zip(cache.parts, slices(count, size.C, size.F), strict=True):
        dpart, dwide, db[filters] = conv_backward(dout[:, filters], part)
        dw[filters] = without_zeros(dwide, cache.joined)
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
