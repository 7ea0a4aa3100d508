"""The compiled rung of affine layers, the contract of layers/affine.py, and the products below them."""
from math import prod

import numpy as np

from ..arrays import arena
from ..arrays.seam import contiguous, dense, flattened, padded
from ..kernels import product
from ..kernels.shape import VECTORS
from ..kernels.vectors.machine import MOST_THREADS, lanes_of
from ..layers.affine import affine_arguments
from ..shapes import gradient_like


def matrix_product(a, b):
    """Return a b for matrices (R, K) and (K, M) of one dtype, which may have any strides."""
    if not a.size or not b.size:
        return np.zeros((len(a), b.shape[1]), a.dtype)
    arguments, out = product_call(dense(a), b)
    product.product(*arguments)
    return out[:, :b.shape[1]]


def product_of(a, b):
    """Return a b; NumPy's BLAS finishes a small product before a kernel of ours has its arguments (22 us beside 55).

    Its bits don't depend on the number of threads either.
    """
    return a @ b if a.size * b.shape[1] <= SMALL else matrix_product(a, b)


SMALL = 2 ** 18  # multiplications: up to here OpenBLAS takes one thread


def product_call(a, b):
    """Return (arguments, out): with them kernels.product.product writes the product of a (R, K) and b (K, M) to out.

    a must be dense, as the arguments hold its memory and no copy of it. out has the columns of a register tile at
    least; those beyond M are zeros.
    """
    rows, columns, lanes, itemsize = len(a), b.shape[1], lanes_of(a.dtype), a.itemsize
    b = padded(b, max(columns, VECTORS * lanes))
    parts = product.parts_of_steps(rows, len(b))
    c = arena.empty((parts, rows, b.shape[1]), a.dtype)
    scratch = arena.empty((MOST_THREADS, product.scratch_size(rows, len(b), parts, lanes)), a.dtype)
    size = product.ProductSize(
        rows=rows, steps=len(b), columns=b.shape[1],
        a_row=a.strides[0] // itemsize, a_step=a.strides[1] // itemsize,
        lanes=lanes, parts=parts, block=product.block_of(rows))
    address = product.product_part.address(a.dtype)
    return (address, size, flattened(a), b.reshape(-1), c.reshape(-1), scratch), c[0]


def affine_forward_fast(x, w, b):
    """Compute out = x w + b; arguments, returns and errors as layers.affine_forward_naive."""
    x, w, b = affine_arguments(x, w, b)
    rows = rows_of(x)
    out = product_of(rows, w)
    out += b
    return out, (x.shape, rows, w)


def rows_of(x):
    """Return x as rows (N, D) in logical order; images that lie in memory as (N, H, W, C) are turned by a kernel."""
    if x.ndim != 4 or x.shape[1] == 1 or not x.transpose(0, 2, 3, 1).flags.c_contiguous or not x.size:
        return x.reshape(len(x), prod(x.shape[1:]))
    N, C, H, W = x.shape
    rows = arena.empty((N, C * H * W), x.dtype)
    x_strides = product.MatrixStrides(matrix=C * H * W, row=C)
    row_strides = product.MatrixStrides(matrix=C * H * W, row=H * W)
    images = contiguous(x, (0, 2, 3, 1)).reshape(-1)
    product.transpose(images, x_strides, rows.reshape(-1), row_strides,
                      N, C, H * W, lanes_of(x.dtype))
    return rows


def affine_backward_fast(dout, cache):
    """Return dx, dw, db of affine_forward_fast; dx is (w dout^T)^T, as w^T has no rows to read vectors from."""
    shape, rows, w = cache
    dout = gradient_like(dout, (len(rows), w.shape[1]), w.dtype, "affine")
    return gradient_of_rows(w, dout, shape), product_of(rows.T, dout), dout.sum(axis=0)


def gradient_of_rows(w, dout, shape):
    """Return dx = dout w^T in a shape; images lie in memory as (N, H, W, C)."""
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
    return images.transpose(0, 3, 1, 2)
