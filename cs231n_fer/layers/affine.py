"""Affine (fully connected) layer: every output is a weighted sum of all inputs.

    out[n, m] = b[m] + sum over d of x[n, d] * w[d, m]              out = x w + b

x may have any shape behind N; it is flattened in logical order (C, H, W) first.
"""
import numpy as np

from ..shapes import check


def check_affine(x, w, b):
    """Raise ValueError unless x (N, d1, ..., dk), w (D, M) and b (M,) fit together."""
    if x.ndim >= 2 and w.ndim == 2 and b.shape == w.shape[1:] and x.size == len(x) * len(w) > 0:
        return
    check(x.ndim >= 2, f"affine: x has shape {x.shape}, expected (N, d1, ..., dk)")
    check(w.ndim == 2 and b.shape == w.shape[1:],
          f"affine: w has shape {w.shape} and b {b.shape}, expected (D, M) and (M,)")
    D = int(np.prod(x.shape[1:]))
    check(D == w.shape[0],
          f"affine: a sample of x has {D} numbers but w expects {w.shape[0]} (x {x.shape}, w {w.shape})")


def flatten_samples(x, w, b):
    """Check that x, w, b fit together and return x as (N, D). Raises ValueError where they don't."""
    check_affine(x, w, b)
    return x.reshape(len(x), len(w))


def affine_forward_naive(x, w, b):
    """Compute out by the definition: one dot product for each sample and output.

    x (N, d1, ..., dk), w (D, M) with D = d1 * ... * dk, b (M,). Returns out (N, M) and the cache (x, w, b).
    """
    rows = flatten_samples(x, w, b)
    out = np.empty((len(x), len(b)), dtype=x.dtype)
    for n in range(len(x)):
        for m in range(len(b)):
            out[n, m] = np.sum(rows[n] * w[:, m]) + b[m]
    return out, (x, w, b)


def affine_backward_naive(dout, cache):
    """Each output is sum(x * w) + b, so dout * w goes to x, dout * x to w and dout to b; returns dx, dw, db."""
    x, w, b = cache
    rows, dw, db = flatten_samples(x, w, b), np.zeros_like(w), np.zeros_like(b)
    drows = np.zeros_like(rows)
    for n in range(len(x)):
        for m in range(len(b)):
            drows[n] += dout[n, m] * w[:, m]
            dw[:, m] += dout[n, m] * rows[n]
            db[m] += dout[n, m]
    return drows.reshape(x.shape), dw, db


def affine_forward(x, w, b):
    """Compute out = x w + b as one matrix product; arguments and returns as affine_forward_naive."""
    return flatten_samples(x, w, b) @ w + b, (x, w, b)


def affine_backward(dout, cache):
    """Backward of out = x w + b: dx = dout w^T, dw = x^T dout, db = column sums of dout; returns dx, dw, db."""
    x, w, b = cache
    return (dout @ w.T).reshape(x.shape), flatten_samples(x, w, b).T @ dout, dout.sum(axis=0)
