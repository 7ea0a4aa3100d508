"""Dropout (Srivastava et al. 2014), inverted: in training each number is kept with probability p, then divided by p.

    out = x * mask,    mask = (u < p) / p,    u uniform in [0, 1)

E[mask] = 1, so the expectation of out is x, and test time needs no change.
"""
import numpy as np

from ..shapes import check, common_floats, gradient_like


def dropout_settings(dropout_param):
    """Check dropout_param; return p, mode and the generator that draws the mask. Raises ValueError."""
    p, mode = dropout_param.get("p"), dropout_param.get("mode")
    check(p is not None and 0 < p <= 1,
          f"dropout_param: p is {p}, the probability to keep a number, expected above 0 and at most 1")
    check(mode in ("train", "test"), f"dropout_param: mode is {mode!r}, expected 'train' or 'test'")
    return float(p), mode, dropout_param.get("rng") or np.random.default_rng(dropout_param.get("seed"))


def dropout_forward(x, dropout_param):
    """Drop numbers of x in training mode; in test mode hand x on.

    x              any shape
    dropout_param  {"p": probability to KEEP a number, in (0, 1], "mode": "train" or "test",
                   "rng": np.random.Generator, or "seed": int, which gives the same mask on every call}
    Returns out and the cache mask (None in test mode).
    """
    (x,) = common_floats("dropout", x=x)
    p, mode, rng = dropout_settings(dropout_param)
    if mode == "test":
        return x, None
    mask = np.empty_like(x)  # in the memory order of x, so that out is as well
    np.multiply(rng.random(x.shape) < p, 1 / p, out=mask, casting="same_kind")
    return x * mask, mask


def dropout_backward(dout, cache):
    """Hand dout on where x was kept, divided by p as well; returns dx. The layer is linear for a given mask."""
    return dout if cache is None else gradient_like(dout, cache.shape, cache.dtype, "dropout") * cache


def dropout_forward_naive(x, dropout_param):
    """Drop one number after the other with the same random numbers; arguments and returns as dropout_forward."""
    (x,) = common_floats("dropout", x=x)
    p, mode, rng = dropout_settings(dropout_param)
    if mode == "test":
        return x, None
    uniform, mask, out = rng.random(x.shape), np.zeros_like(x), np.zeros_like(x)
    for index in np.ndindex(x.shape):
        if uniform[index] < p:
            mask[index] = 1 / p
            out[index] = x[index] * mask[index]
    return out, mask


def dropout_backward_naive(dout, cache):
    """Hand one number after the other on; returns dx."""
    if cache is None:
        return dout
    dout = gradient_like(dout, cache.shape, cache.dtype, "dropout")
    dx = np.empty_like(dout)
    for index in np.ndindex(dout.shape):
        dx[index] = dout[index] * cache[index]
    return dx
