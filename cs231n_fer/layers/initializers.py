"""Initial weights: normal numbers whose spread keeps the size of the signal from layer to layer.

    He        standard deviation sqrt(2 / fan_in), for layers before a ReLU
    Xavier    standard deviation sqrt(2 / (fan_in + fan_out)), for layers before tanh or nothing
    scaled    a given standard deviation, the course's weight_scale

An output is a sum of fan_in products of a weight and an input. The weights are independent and have
mean 0, so the variances of the products add up:

    Var[out] = fan_in * Var[w] * E[x^2]

Weights of variance 1 / fan_in keep the size of the signal. A ReLU halves the mean square of a
symmetric input, hence He's 2 / fan_in. In the backward pass the sums have fan_out terms, and
Xavier's rule is a compromise between the two.

A shape is (D, M) for an affine layer and (F, C, HH, WW) for a convolution. Filters are drawn as a
matrix (HH * WW * C, F) with one column per filter, see conv.filters_as_matrix.
"""
import numpy as np
from numpy.typing import DTypeLike

from ..shapes import check
from ..types import Array, Shape
from .course_random import GlobalGenerator

__all__ = ["he_normal", "xavier_normal", "scaled_normal"]


def he_normal(rng: np.random.Generator, shape: Shape, dtype: DTypeLike = np.float32) -> Array:
    """Draw weights by He's rule (He et al. 2015, eq. 10); see scaled_normal for the arguments."""
    fan_in, _ = fans(shape)
    return scaled_normal(rng, shape, (2 / fan_in) ** 0.5, dtype)


def xavier_normal(rng: np.random.Generator, shape: Shape, dtype: DTypeLike = np.float32) -> Array:
    """Draw weights by Xavier's rule (Glorot & Bengio 2010, eq. 12), with a normal distribution.

    See scaled_normal for the arguments.
    """
    fan_in, fan_out = fans(shape)
    return scaled_normal(rng, shape, (2 / (fan_in + fan_out)) ** 0.5, dtype)


def scaled_normal(
        rng: np.random.Generator, shape: Shape, weight_scale: float,
        dtype: DTypeLike = np.float32) -> Array:
    """Draw weights from a normal distribution of mean 0 and standard deviation weight_scale.

    rng     generator that draws the numbers
    shape   (D, M) or (F, C, HH, WW)
    dtype   float32 or float64
    Raises ValueError if weight_scale is negative.
    """
    check(weight_scale >= 0,
          f"weight_scale: got {weight_scale}, expected a standard deviation of at least 0")
    if len(shape) == 2:
        return (rng.standard_normal(shape) * weight_scale).astype(dtype)
    F, C, HH, WW = shape
    numbers = rng.standard_normal((HH, WW, C, F))
    if isinstance(rng, GlobalGenerator):  # the course draws them in the order of the shape
        numbers = numbers.reshape(shape).transpose(2, 3, 1, 0)
    filters = np.multiply(numbers, weight_scale, order="C").astype(dtype)
    return filters.transpose(3, 2, 0, 1)


def fans(shape: Shape) -> tuple[int, int]:
    """Return fan_in, the number of inputs of an output, and fan_out, the outputs that use an input.

    Raises ValueError unless shape has two or four axes.
    """
    check(len(shape) in (2, 4), f"shape: got {shape}, expected (D, M) or (F, C, HH, WW)")
    if len(shape) == 2:
        D, M = shape
        return D, M
    F, C, HH, WW = shape
    return C * HH * WW, F * HH * WW
