"""Dropout (Srivastava et al. 2014): in training, every number is kept with probability p only.

    out = x * mask,    mask = 1/p with probability p, else 0

The scale 1/p makes the expected output equal to the input ("inverted" dropout):

    E[mask] = p * 1/p + (1 - p) * 0 = 1,    E[out] = x * E[mask] = x

so that test mode, out = x, needs no scale. (A mask of ones and zeros would give E[out] = p * x, and
test mode would have to multiply by p.) For a given mask the layer is linear:

    d out / d x = mask,    dx = dout * mask
"""
import numpy as np

from ..shapes import check, checked_cache, common_floats, gradient_like
from ..types import Array, Cache, DropoutParam
from .course_random import GlobalGenerator

__all__ = [
    "dropout_forward_naive", "dropout_backward_naive",
    "dropout_forward", "dropout_backward",
]


def dropout_forward_naive(x: Array, dropout_param: DropoutParam) -> tuple[Array, Cache]:
    """Drop random numbers of x, looking at one number at a time; in test mode, return x.

    See dropout_forward, which draws the same random numbers, for arguments, results and errors.
    """
    (x,) = common_floats("dropout", x=x)
    p, mode, rng = dropout_settings(dropout_param)
    if mode == "test":
        return x, None
    uniform = rng.random(x.shape)
    mask = np.zeros_like(x)
    out = np.zeros_like(x)
    for index in np.ndindex(x.shape):
        if uniform[index] < p:
            mask[index] = 1 / p
            out[index] = x[index] * mask[index]
    return out, mask


def dropout_backward_naive(dout: Array, cache: Cache) -> Array:
    """Return dx = dout * mask, one number at a time; in test mode, return dout."""
    if cache is None:
        return common_floats("dropout", dout=dout)[0]
    mask: Array = checked_cache(cache, np.ndarray, "dropout")
    dout = gradient_like(dout, mask.shape, mask.dtype, "dropout")
    dx = np.empty_like(dout)
    for index in np.ndindex(dout.shape):
        dx[index] = dout[index] * mask[index]
    return dx


def dropout_forward(x: Array, dropout_param: DropoutParam) -> tuple[Array, Cache]:
    """Drop random numbers of x in training mode; in test mode, return x.

    x              any shape
    dropout_param  {"p": probability of KEEPING a number, above 0 and at most 1,
                   "mode": "train" or "test",
                   "rng": np.random.Generator that draws the mask,
                   "seed": int, used without an rng; gives the same mask in every call}; without
                   both, NumPy's global random numbers draw it, as in the course
    Returns out and the cache, which is the mask, or None in test mode. Raises ValueError if p or
    mode is missing or out of range.
    """
    (x,) = common_floats("dropout", x=x)
    p, mode, rng = dropout_settings(dropout_param)
    if mode == "test":
        return x, None
    mask = np.empty_like(x)  # has the dtype and the strides of x, and so has out
    np.multiply(rng.random(x.shape) < p, 1 / p, out=mask, casting="same_kind")
    return x * mask, mask


def dropout_backward(dout: Array, cache: Cache) -> Array:
    """Return dx = dout * mask; in test mode, return dout."""
    if cache is None:
        return common_floats("dropout", dout=dout)[0]
    mask: Array = checked_cache(cache, np.ndarray, "dropout")
    dx: Array = gradient_like(dout, mask.shape, mask.dtype, "dropout") * mask
    return dx


def dropout_settings(dropout_param: DropoutParam) -> tuple[float, str, np.random.Generator]:
    """Return p, mode and the generator of the mask; raises ValueError if p or mode is invalid."""
    p = dropout_param.get("p")
    mode = dropout_param.get("mode")
    if p is None or not 0 < p <= 1:
        raise ValueError(f"dropout_param: p is {p}, expected the probability of keeping a number, "
                         "above 0 and at most 1")
    check(mode in ("train", "test"), f"dropout_param: mode is {mode!r}, expected 'train' or 'test'")
    seed = dropout_param.get("seed")
    unseeded = GlobalGenerator() if seed is None else np.random.default_rng(seed)
    return float(p), str(mode), dropout_param.get("rng") or unseeded
