"""Affine (fully connected) layer: every output is a weighted sum of all inputs.

    out[n, m] = b[m] + sum over d of x[n, d] * w[d, m]              out = x w + b

x may have any shape behind N; it is flattened in logical order (C, H, W) first.
"""
import numpy as np

from ..shapes import check, common_floats, gradient_like


def affine_arguments(x, w, b):
    """Return x (N, d1, ..., dk), w (D, M) and b (M,) in one dtype; raises ValueError where they don't fit together."""
    x, w, b = common_floats("affine", x=x, w=w, b=b)
    if x.ndim >= 2 and w.ndim == 2 and b.shape == w.shape[1:] and x.size == len(x) * len(w) > 0:
        return x, w, b
    check(x.ndim >= 2, f"affine: x has shape {x.shape}, expected (N, d1, ..., dk)")
    check(w.ndim == 2 and b.shape == w.shape[1:],
          f"affine: w has shape {w.shape} and b {b.shape}, expected (D, M) and (M,)")
    D = int(np.prod(x.shape[1:]))
    check(D == w.shape[0],
          f"affine: a sample of x has {D} numbers but w expects {w.shape[0]} (x {x.shape}, w {w.shape})")
    return x, w, b


def affine_forward_naive(x, w, b):
    """Compute out by the definition: one dot product for each sample and output.

    x (N, d1, ..., dk), w (D, M) with D = d1 * ... * dk, b (M,). Returns out (N, M) and the cache (x, w, b).
    """
    x, w, b = affine_arguments(x, w, b)
    rows = x.reshape(len(x), len(w))
    out = np.empty((len(x), len(b)), dtype=x.dtype)
    for n in range(len(x)):
        for m in range(len(b)):
            out[n, m] = np.sum(rows[n] * w[:, m]) + b[m]
    return out, (x, w, b)


def affine_backward_naive(dout, cache):
    """Each output is sum(x * w) + b, so dout * w goes to x, dout * x to w and dout to b; returns dx, dw, db."""
    x, w, b = cache
    dout = gradient_like(dout, (len(x), len(b)), x.dtype, "affine")
    rows = x.reshape(len(x), len(w))
    drows, dw, db = np.zeros_like(rows), np.zeros_like(w), np.zeros_like(b)
    for n in range(len(x)):
        for m in range(len(b)):
            drows[n] += dout[n, m] * w[:, m]
            dw[:, m] += dout[n, m] * rows[n]
            db[m] += dout[n, m]
    return drows.reshape(x.shape), dw, db


def affine_forward(x, w, b):
    """Compute out = x w + b as one matrix product; arguments and returns as affine_forward_naive."""
    x, w, b = affine_arguments(x, w, b)
    return x.reshape(len(x), len(w)) @ w + b, (x, w, b)


def affine_backward(dout, cache):
    """Backward of out = x w + b: dx = dout w^T, dw = x^T dout, db = column sums of dout; returns dx, dw, db."""
    x, w, b = cache
    dout = gradient_like(dout, (len(x), len(b)), x.dtype, "affine")
    return (dout @ w.T).reshape(x.shape), x.reshape(len(x), len(w)).T @ dout, dout.sum(axis=0)
