"""The compiled rung of affine layers, and its matrix products; the contract of layers/affine.py."""
from math import prod
from typing import Any, TypeAlias

import numpy as np

from ..arrays import arena
from ..arrays.seam import channels_first, contiguous, dense, padded
from ..kernels import product
from ..kernels.shape import VECTORS
from ..kernels.vectors.machine import MOST_THREADS, lanes_of
from ..layers.affine import affine_arguments
from ..shapes import checked_cache, gradient_like
from ..types import Array, Shape

__all__ = ["affine_backward_fast", "affine_forward_fast", "matrix_product", "product_call",
           "rows_of"]

SMALL = 2 ** 18  # multiplications: up to here OpenBLAS uses one thread
AffineCache: TypeAlias = tuple[Shape, Array, Array]  # shape of x, rows (N, D), w (D, M)


def affine_forward_fast(x: Array, w: Array, b: Array) -> tuple[Array, AffineCache]:
    """Compute out = x w + b; arguments, returns and errors as layers.affine_forward_naive.

    The cache keeps the shape of x, x as rows (N, D), and w.
    """
    x, w, b = affine_arguments(x, w, b)
    rows = rows_of(x)
    out = product_of(rows, w)
    out += b
    return out, (x.shape, rows, w)


def affine_backward_fast(dout: Array, cache: AffineCache) -> tuple[Array, Array, Array]:
    """Return dx, dw, db of affine_forward_fast; dout (N, M)."""
    shape, rows, w = checked_cache(cache, (tuple, np.ndarray, np.ndarray), "affine")
    dout = gradient_like(dout, (len(rows), w.shape[1]), w.dtype, "affine")
    return gradient_of_rows(w, dout, shape), product_of(rows.T, dout), dout.sum(axis=0)


def rows_of(x: Array) -> Array:
    """Return x as rows (N, D) in logical order.

    A kernel transposes images that are stored as (N, H, W, C).
    """
    turned = x.ndim == 4 and x.shape[1] > 1 and x.transpose(0, 2, 3, 1).flags.c_contiguous
    if not turned or not x.size:
        return x.reshape(len(x), prod(x.shape[1:]))
    N, C, H, W = x.shape
    rows = arena.empty((N, C * H * W), x.dtype)
    x_strides = product.MatrixStrides(matrix=C * H * W, row=C)
    row_strides = product.MatrixStrides(matrix=C * H * W, row=H * W)
    images = contiguous(x, (0, 2, 3, 1)).reshape(-1)
    product.transpose(images, x_strides, rows.reshape(-1), row_strides,
                      N, C, H * W, lanes_of(x.dtype))
    return rows


def gradient_of_rows(w: Array, dout: Array, shape: Shape) -> Array:
    """Return dx = dout w^T in the shape of x; that of images is stored as (N, H, W, C).

    It is computed as (w dout^T)^T, as the kernel reads vectors from rows, and w^T has none.
    """
    if len(shape) != 4 or not dout.size or not w.size:
        return product_of(w, dout.T).T.reshape(shape)
    arguments, turned = product_call(dense(w), dout.T)
    product.product(*arguments)
    N, C, H, W = shape
    images = arena.empty((N, H, W, C), turned.dtype)
    columns = turned.shape[1]
    turned_strides = product.MatrixStrides(matrix=columns, row=H * W * columns)
    image_strides = product.MatrixStrides(matrix=C, row=C * H * W)
    product.transpose(turned.reshape(-1), turned_strides, images.reshape(-1), image_strides,
                      H * W, N, C, lanes_of(turned.dtype))
    return channels_first(images)


def product_of(a: Array, b: Array) -> Array:
    """Return a b; the result has the same bits for any number of threads.

    A small product is left to NumPy's BLAS, which finishes before a kernel has its arguments (22 us
    instead of 55). Its bits don't depend on the number of threads either.
    """
    if a.size * b.shape[1] <= SMALL:
        return a @ b
    return matrix_product(a, b)


def matrix_product(a: Array, b: Array) -> Array:
    """Return a b for matrices (R, K) and (K, M) of one dtype, which may have any strides."""
    if not a.size or not b.size:
        return np.zeros((len(a), b.shape[1]), a.dtype)
    arguments, out = product_call(dense(a), b)
    product.product(*arguments)
    return out[:, :b.shape[1]]


def product_call(a: Array, b: Array) -> tuple[tuple[Any, ...], Array]:
    """Return the arguments with which kernels.product.product writes a b to `out`, and `out`.

    a   (R, K), dense, as the arguments refer to its memory and not to a copy
    b   (K, M)
    out has at least as many columns as a register tile; those beyond M are zeros.
    """
    rows = len(a)
    lanes = lanes_of(a.dtype)
    b = padded(b, max(b.shape[1], VECTORS * lanes))
    parts = product.parts_of_steps(rows, len(b))
    c = arena.empty((parts, rows, b.shape[1]), a.dtype)
    scratch_size = product.scratch_size(rows, len(b), parts, lanes)
    scratch = arena.empty((MOST_THREADS, scratch_size), a.dtype)
    size = product.ProductSize(
        rows=rows, steps=len(b), columns=b.shape[1],
        a_row=a.strides[0] // a.itemsize, a_step=a.strides[1] // a.itemsize,
        lanes=lanes, parts=parts, block=product.block_of(rows))
    address = product.product_part.address(a.dtype)
    arguments = (address, size, a.ravel(order="K"), b.reshape(-1), c.reshape(-1), scratch)
    return arguments, c[0]
