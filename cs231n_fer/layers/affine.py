"""Affine (fully connected) layer: every output is a weighted sum of all inputs.

    out[n, m] = b[m] + sum over d of x[n, d] * w[d, m]              out = x w + b

For the backward pass, follow each number to where it is used. The input x[n, d] is used in every
output of sample n, times w[d, m]; the weight w[d, m] in output m of every sample, times x[n, d];
the bias b[m] in output m of every sample:

    dx[n, d] = sum over m of dout[n, m] * w[d, m]                   dx = dout w^T
    dw[d, m] = sum over n of x[n, d] * dout[n, m]                   dw = x^T dout
    db[m]    = sum over n of dout[n, m]

A sample may have any shape, for example (C, H, W); it is flattened to D numbers first.
"""
import numpy as np

from ..shapes import check, checked_cache, common_floats, gradient_like
from ..types import Array, Cache

__all__ = [
    "affine_forward_naive", "affine_backward_naive",
    "affine_forward", "affine_backward",
]

CACHE = (np.ndarray, np.ndarray, np.ndarray)  # x, w, b


def affine_forward_naive(x: Array, w: Array, b: Array) -> tuple[Array, Cache]:
    """Compute out = x w + b by the definition: one sum per output.

    x   (N, d1, ..., dk), where d1 * ... * dk = D
    w   (D, M)
    b   (M,)
    Returns out (N, M) and the cache (x, w, b). Raises ValueError if the shapes don't fit together.
    """
    x, w, b = affine_arguments(x, w, b)
    rows = x.reshape(len(x), len(w))
    out = np.empty((len(x), len(b)), dtype=x.dtype)
    for n in range(len(x)):
        for m in range(len(b)):
            out[n, m] = np.sum(rows[n] * w[:, m]) + b[m]
    return out, (x, w, b)


def affine_backward_naive(dout: Array, cache: Cache) -> tuple[Array, Array, Array]:
    """Return dx, dw, db: every dout (N, M) adds dout * w to dx, dout * x to dw and dout to db."""
    x, w, b = checked_cache(cache, CACHE, "affine")
    dout = gradient_like(dout, (len(x), len(b)), x.dtype, "affine")
    rows = x.reshape(len(x), len(w))
    drows = np.zeros_like(rows)
    dw = np.zeros_like(w)
    db = np.zeros_like(b)
    for n in range(len(x)):
        for m in range(len(b)):
            drows[n] += dout[n, m] * w[:, m]
            dw[:, m] += dout[n, m] * rows[n]
            db[m] += dout[n, m]
    return drows.reshape(x.shape), dw, db


def affine_forward(x: Array, w: Array, b: Array) -> tuple[Array, Cache]:
    """Compute out = x w + b as one matrix product; see affine_forward_naive for the arguments."""
    x, w, b = affine_arguments(x, w, b)
    rows = x.reshape(len(x), len(w))
    return rows @ w + b, (x, w, b)


def affine_backward(dout: Array, cache: Cache) -> tuple[Array, Array, Array]:
    """Return dx = dout w^T, dw = x^T dout, and db, the sums of the columns of dout (N, M)."""
    x, w, b = checked_cache(cache, CACHE, "affine")
    dout = gradient_like(dout, (len(x), len(b)), x.dtype, "affine")
    rows = x.reshape(len(x), len(w))
    return (dout @ w.T).reshape(x.shape), rows.T @ dout, dout.sum(axis=0)


def affine_arguments(x: Array, w: Array, b: Array) -> tuple[Array, Array, Array]:
    """Return x (N, d1, ..., dk), w (D, M) and b (M,) in one dtype.

    Raises ValueError if the shapes don't fit together.
    """
    x, w, b = common_floats("affine", x=x, w=w, b=b)
    if x.ndim >= 2 and w.ndim == 2 and b.shape == w.shape[1:] and x.size == len(x) * len(w) > 0:
        return x, w, b
    check(x.ndim >= 2, f"affine: x has shape {x.shape}, expected (N, d1, ..., dk)")
    check(w.ndim == 2 and b.shape == w.shape[1:],
          f"affine: w has shape {w.shape} and b {b.shape}, expected (D, M) and (M,)")
    D = int(np.prod(x.shape[1:]))
    check(D == w.shape[0],
          f"affine: a sample of x has {D} numbers but w expects {w.shape[0]} "
          f"(x {x.shape}, w {w.shape})")
    return x, w, b
