"""Grouped convolution: the channels are split into groups, each of which has its own filters.

    x (N, C, H, W)                           w (F, C / groups, HH, WW)
    channels of group g: C / groups          filters of group g: F / groups

Group g of the output is the convolution of group g of x with group g of the filters (Krizhevsky et
al. 2012, section 3.5). With groups = C, every filter sees a single channel: this is depthwise
convolution (Howard et al. 2017). Weights and multiplications are fewer by a factor of
`groups`.

No number of a group is used in another group, so the backward pass is that of an ordinary
convolution, group by group.

Rungs: naive, the definition, and im2col, one batched matrix product.
"""
import numpy as np

from ..shapes import (
    check,
    check_images,
    checked_cache,
    common_floats,
    conv_geometry,
    conv_output_size,
    gradient_like,
    whole_number,
)
from ..types import Array, Cache, ConvParam, Shape
from .conv import conv_backward_naive, conv_forward_naive
from .im2col import col2im, im2col

__all__ = [
    "grouped_conv_forward_naive", "grouped_conv_backward_naive",
    "grouped_conv_forward_im2col", "grouped_conv_backward_im2col",
    "grouped_conv_arguments",
]

CACHE = (np.ndarray, np.ndarray, tuple, int)  # x, w, (stride, pad), groups; of im2col


def grouped_conv_arguments(x: Array, w: Array, b: Array, groups: int
                           ) -> tuple[Array, Array, Array, int]:
    """Return x, w and b in one dtype, and groups as an int.

    Raises ValueError if the shapes don't fit together, or if groups doesn't divide C and F.
    """
    x, w, b = common_floats("grouped_conv", x=x, w=w, b=b)
    groups = whole_number(groups, "groups", 1)
    check_images(x, "grouped_conv")
    check(w.ndim == 4 and w.size > 0,
          f"grouped_conv: w has shape {w.shape}, expected (F, C / groups, HH, WW), none empty")
    C = x.shape[1]
    F = len(w)
    check(C % groups == 0 and F % groups == 0,
          f"groups: got {groups}, expected a divisor of the {C} channels and the {F} filters")
    check(w.shape[1] == C // groups,
          f"grouped_conv: w has shape {w.shape}, expected {C // groups} channels, "
          f"the {C} of x in {groups} groups")
    check(b.shape == (F,), f"grouped_conv: b has shape {b.shape}, expected ({F},)")
    return x, w, b, groups


def grouped_conv_forward_naive(x: Array, w: Array, b: Array, conv_param: ConvParam, groups: int
                               ) -> tuple[Array, Cache]:
    """Convolve every group of channels with its own filters, by the definition.

    x           (N, C, H, W) images, float32 or float64
    w           (F, C / groups, HH, WW) filters
    b           (F,) biases
    conv_param  {"stride": distance between windows, "pad": width of the border of zeros}
    groups      a divisor of C and F; filter f belongs to group f // (F / groups)
    Returns out (N, F, Ho, Wo) and the caches of the groups. Raises ValueError if the shapes don't
    fit together.
    """
    x, w, b, groups = grouped_conv_arguments(x, w, b, groups)
    parts = zip(np.split(x, groups, axis=1), np.split(w, groups), np.split(b, groups), strict=True)
    outs, caches = zip(*(conv_forward_naive(*part, conv_param) for part in parts), strict=True)
    out = np.concatenate(outs, axis=1)
    return out, (caches, out.shape, out.dtype)


def grouped_conv_backward_naive(dout: Array, cache: Cache) -> tuple[Array, Array, Array]:
    """Return dx, dw, db for dout (N, F, Ho, Wo): those of the groups, concatenated."""
    caches, shape, dtype = checked_cache(cache, (tuple, tuple, np.dtype), "grouped_conv")
    dout = gradient_like(dout, shape, dtype, "grouped_conv")
    parts = zip(np.split(dout, len(caches), axis=1), caches, strict=True)
    dx, dw, db = zip(*(conv_backward_naive(*part) for part in parts), strict=True)
    return np.concatenate(dx, axis=1), np.concatenate(dw), np.concatenate(db)


def _out_shape(x: Array, w: Array, geometry: tuple[int, int]) -> Shape:
    """Return the shape (N, F, Ho, Wo) of the output."""
    N, _, H, W = x.shape
    F, _, HH, WW = w.shape
    return (N, F, conv_output_size(H, HH, *geometry), conv_output_size(W, WW, *geometry))


def grouped_conv_forward_im2col(x: Array, w: Array, b: Array, conv_param: ConvParam, groups: int
                                ) -> tuple[Array, Cache]:
    """Convolve all groups by one batched matrix product.

    Arguments, out and errors are those of grouped_conv_forward_naive; the cache is
    (x, w, (stride, pad), groups).
    """
    x, w, b, groups = grouped_conv_arguments(x, w, b, groups)
    stride, pad = conv_geometry(conv_param)
    shape = _out_shape(x, w, (stride, pad))
    out = _columns(x, w, stride, pad, groups) @ _filters(w, groups)  # (groups, rows, F / groups)
    N, F, Ho, Wo = shape
    out = out.transpose(1, 0, 2).reshape(N, Ho, Wo, F) + b
    return out.transpose(0, 3, 1, 2), (x, w, (stride, pad), groups)


def grouped_conv_backward_im2col(dout: Array, cache: Cache) -> tuple[Array, Array, Array]:
    """Return dx, dw, db for dout (N, F, Ho, Wo): the backward pass of cols @ filters + b.

    See conv_backward_im2col for the derivation.
    """
    x, w, (stride, pad), groups = checked_cache(cache, CACHE, "grouped_conv")
    N, F, Ho, Wo = _out_shape(x, w, (stride, pad))
    dout = gradient_like(dout, (N, F, Ho, Wo), x.dtype, "grouped_conv").transpose(0, 2, 3, 1)
    rows = dout.reshape(N * Ho * Wo, groups, F // groups).transpose(1, 0, 2)
    HH = w.shape[2]
    WW = w.shape[3]
    C = w.shape[1]  # channels of a group
    dfilters = _columns(x, w, stride, pad, groups).transpose(0, 2, 1) @ rows
    dw = dfilters.reshape(groups, HH, WW, C, F // groups).transpose(0, 4, 3, 1, 2).reshape(w.shape)
    db = dout.sum(axis=(0, 1, 2))
    dcols = rows @ _filters(w, groups).transpose(0, 2, 1)  # (groups, rows, HH * WW * C)
    dcols = dcols.reshape(groups, -1, HH * WW, C).transpose(1, 2, 0, 3)
    dcols = dcols.reshape(len(dcols), HH * WW * groups * C)
    return col2im(dcols, x.shape, HH, WW, stride, pad), dw, db


def _columns(x: Array, w: Array, stride: int, pad: int, groups: int) -> Array:
    """Return the columns (groups, N * Ho * Wo, HH * WW * C / groups) of x, group by group."""
    _, C, HH, WW = w.shape
    cols = im2col(x, HH, WW, stride, pad)
    cols = cols.reshape(len(cols), HH * WW, groups, C).transpose(2, 0, 1, 3)
    return cols.reshape(groups, -1, HH * WW * C)


def _filters(w: Array, groups: int) -> Array:
    """Return the filters of every group as a matrix, (groups, HH * WW * C / groups, F / groups)."""
    F, C, HH, WW = w.shape
    return w.reshape(groups, F // groups, C, HH, WW).transpose(0, 3, 4, 2, 1).reshape(
        groups, HH * WW * C, F // groups)
