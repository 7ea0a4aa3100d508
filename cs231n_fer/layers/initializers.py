"""Initial weights: normal numbers whose spread keeps the signal's size from layer to layer.

    He        standard deviation sqrt(2 / fan_in)                ReLU lets half of the variance through
    Xavier    standard deviation sqrt(2 / (fan_in + fan_out))    a compromise of the forward and the backward pass
    scaled    a fixed standard deviation, the course's weight_scale

A shape is (D, M) for an affine layer or (F, C, HH, WW) for filters, whose memory is then (HH, WW, C, F).
"""
import numpy as np

from ..shapes import check


def fans(shape):
    """Return (fan_in, fan_out): how many numbers feed one output, and how many outputs one number feeds."""
    check(len(shape) in (2, 4), f"shape: got {shape}, expected (D, M) or (F, C, HH, WW)")
    if len(shape) == 2:
        return shape
    F, C, HH, WW = shape
    return C * HH * WW, F * HH * WW


def scaled_normal(rng, shape, weight_scale, dtype=np.float32):
    """Draw weights of a shape from a normal distribution with mean 0 and standard deviation weight_scale."""
    check(weight_scale >= 0, f"weight_scale: got {weight_scale}, expected a standard deviation of at least 0")
    if len(shape) == 2:
        return (rng.standard_normal(shape) * weight_scale).astype(dtype)
    F, C, HH, WW = shape
    return (rng.standard_normal((HH, WW, C, F)) * weight_scale).astype(dtype).transpose(3, 2, 0, 1)


def he_normal(rng, shape, dtype=np.float32):
    """Draw weights by the rule of He et al. 2015, eq. 10: for layers before a ReLU."""
    return scaled_normal(rng, shape, (2 / fans(shape)[0]) ** 0.5, dtype)


def xavier_normal(rng, shape, dtype=np.float32):
    """Draw weights by the rule of Glorot & Bengio 2010, eq. 12: for layers before tanh or nothing."""
    return scaled_normal(rng, shape, (2 / sum(fans(shape))) ** 0.5, dtype)
