"""Random problems for gradient checks, with shapes and values that are likely to break a layer.

draw(rng) returns the arguments to differentiate with respect to, float64 arrays by name, and a
tuple of the other arguments. Sizes are small, because a numerical gradient takes two calls per
entry, and odd: one sample, one filter, height different from width, strides that don't divide the
image, padding of 0 and of a whole window.
"""
from __future__ import annotations

from collections.abc import Callable
from math import prod
from typing import Any, TypeAlias

import numpy as np
from numpy.random import Generator

from ..types import Arrays, Shape
from .checks import GAP, spaced

__all__ = ["Draw", "Problem", "draw_affine", "draw_conv", "draw_conv_3x3", "draw_distillation",
           "draw_grouped_conv", "draw_groupnorm", "draw_image_norm", "draw_images", "draw_large",
           "draw_layernorm", "draw_pad", "draw_pool", "draw_scores", "draw_spaced",
           "draw_spaced_scores", "draw_test_mode", "draw_tiling_pool", "draw_vector_norm",
           "draw_weighted_scores", "oddities"]

Problem: TypeAlias = tuple[Arrays, tuple[Any, ...]]  # (arguments, rest)
Draw: TypeAlias = Callable[[Generator], Problem]


def oddities(arguments: Arrays, rest: tuple[Any, ...]) -> set[str]:
    """Return the names of what is odd about the shapes of a problem."""
    x = next(iter(arguments.values()))
    w = arguments.get("w", np.empty(()))
    parameters = {key: value for param in rest if isinstance(param, dict)
                  for key, value in param.items()}
    window = w.shape[2:]
    if w.ndim != 4:
        window = parameters.get("pool_height"), parameters.get("pool_width")
    images = x.ndim == 4
    odd = {
        "N = 1": x.ndim > 1 and len(x) == 1,
        "H != W": images and x.shape[2] != x.shape[3],
        "one filter": w.ndim == 4 and len(w) == 1,
        "stride other than window":
            images and "stride" in parameters and parameters["stride"] not in window,
        "pad at least the window": "pad" in parameters and parameters["pad"] >= max(window),
    }
    return {name for name, is_so in odd.items() if is_so}


def size(rng: Generator, low: int, high: int) -> int:
    """Draw an integer from low to high - 1."""
    return int(rng.integers(low, high))


def draw_affine(rng: Generator) -> Problem:
    """Draw x with two to four axes, w, b."""
    shape = tuple(rng.integers(1, 4, size(rng, 1, 4)))
    N = size(rng, 1, 5)
    M = size(rng, 1, 5)
    x = rng.normal(size=(N, *shape))
    return {"x": x, "w": rng.normal(size=(prod(shape), M)), "b": rng.normal(size=(M,))}, ()


def draw_spaced(*rest: Any) -> Draw:
    """Return a draw of x with one to four axes and no ties or values near 0, followed by rest."""
    def draw(rng: Generator) -> Problem:
        return {"x": spaced(rng, tuple(rng.integers(1, 5, size(rng, 1, 5))))}, rest

    return draw


def draw_large(rng: Generator) -> Problem:
    """Draw x (N, C, H, W) like draw_spaced, but so large that ReLU runs in a kernel."""
    N = size(rng, 1, 3)
    C = size(rng, 1, 3)
    H = size(rng, 160, 190)
    W = size(rng, 210, 240)
    return {"x": spaced(rng, (N, C, H, W))}, ()


def draw_conv(rng: Generator) -> Problem:
    """Draw x, w, b: images and windows that aren't square, any stride and padding."""
    N, C, F, HH, WW = rng.integers(1, 4, 5)
    H = HH + size(rng, 0, 4)
    W = WW + size(rng, 0, 4)
    arguments = {"x": rng.normal(size=(N, C, H, W)), "w": rng.normal(size=(F, C, HH, WW)),
                 "b": rng.normal(size=F)}
    stride = size(rng, 1, 4)
    pad = int(rng.choice([0, 1, max(HH, WW)]))
    return arguments, ({"stride": stride, "pad": pad},)


def draw_grouped_conv(rng: Generator) -> Problem:
    """Draw x, w, b of draw_conv for each of some groups; groups of one channel are depthwise."""
    arguments, (conv_param,) = draw_conv(rng)
    groups = size(rng, 1, 4)
    N, C, H, W = arguments["x"].shape
    F, _, HH, WW = arguments["w"].shape
    return {"x": rng.normal(size=(N, groups * C, H, W)),
            "w": rng.normal(size=(groups * F, C, HH, WW)),
            "b": rng.normal(size=groups * F)}, (conv_param, groups)


def draw_pad(rng: Generator) -> Problem:
    """Draw x (N, C, H, W), a width of the border and its value."""
    return {"x": rng.normal(size=rng.integers(1, 4, 4))}, (size(rng, 0, 4), float(rng.normal()))


def draw_conv_3x3(rng: Generator) -> Problem:
    """Draw x, w, b for Winograd's algorithm: images that tiles don't divide evenly as well."""
    N, C, F = rng.integers(1, 4, 3)
    H = size(rng, 3, 9)
    W = size(rng, 3, 9)
    arguments = {"x": rng.normal(size=(N, C, H, W)), "w": rng.normal(size=(F, C, 3, 3)),
                 "b": rng.normal(size=F)}
    return arguments, ({"stride": 1, "pad": size(rng, 0, 4)},)


def draw_pool(rng: Generator) -> Problem:
    """Draw x without ties, and windows that overlap, leave gaps, or don't reach the border."""
    N, C, HH, WW = rng.integers(1, 4, 4)
    H = HH + size(rng, 0, 5)
    W = WW + size(rng, 0, 5)
    x = spaced(rng, (N, C, H, W))
    stride = size(rng, 1, 4)
    return {"x": x}, ({"pool_height": int(HH), "pool_width": int(WW), "stride": stride},)


def draw_tiling_pool(rng: Generator) -> Problem:
    """Draw x without ties, and square windows that tile it, as the reshape rung requires."""
    N, C, side, rows, columns = (int(k) for k in rng.integers(1, 4, 5))
    x = spaced(rng, (N, C, side * rows, side * columns))
    return {"x": x}, ({"pool_height": side, "pool_width": side, "stride": side},)


def draw_images(rng: Generator) -> Problem:
    """Draw x (N, C, H, W)."""
    return {"x": rng.normal(size=rng.integers(1, 5, 4))}, ()


def draw_vector_norm(rng: Generator) -> Problem:
    """Draw x (N, D), gamma, beta.

    N is never 2 or 3: two values are always normalized to +1 and -1, so the gradient nearly
    vanishes.
    """
    N = int(rng.choice([1, 4, 5, 9]))
    D = size(rng, 1, 5)
    return norm_arguments(rng, (N, D), (D,)), ({"mode": "train", "eps": 1e-5, "momentum": 0.9},)


def draw_layernorm(rng: Generator) -> Problem:
    """Draw x (N, D), gamma, beta; D is never 2 or 3, see draw_vector_norm."""
    N = size(rng, 1, 5)
    D = int(rng.choice([1, 4, 5, 9]))
    return norm_arguments(rng, (N, D), (D,)), ({"eps": 1e-5},)


def draw_image_norm(rng: Generator) -> Problem:
    """Draw x (N, C, H, W) with at least 6 values in each channel, gamma, beta."""
    N = size(rng, 1, 4)
    C = size(rng, 1, 4)
    H = size(rng, 2, 4)
    W = size(rng, 3, 6)
    arguments = norm_arguments(rng, (N, C, H, W), (C,))
    return arguments, ({"mode": "train", "eps": 1e-5, "momentum": 0.9},)


def draw_groupnorm(rng: Generator) -> Problem:
    """Draw x (N, C, H, W), gamma and beta (1, C, 1, 1), and the number of groups."""
    N = size(rng, 1, 4)
    groups, channels = (int(k) for k in rng.integers(1, 3, 2))
    H = size(rng, 2, 4)
    W = size(rng, 3, 6)
    C = groups * channels
    arguments = norm_arguments(rng, (N, C, H, W), (1, C, 1, 1))
    return arguments, (groups, {"eps": 1e-5})


def norm_arguments(rng: Generator, shape: Shape, channels: Shape) -> Arrays:
    """Draw x with mean 1 and standard deviation 3, gamma and beta."""
    return {"x": 3 * rng.normal(size=shape) + 1, "gamma": rng.normal(size=channels),
            "beta": rng.normal(size=channels)}


def draw_test_mode(draw: Draw) -> Draw:
    """Return a draw in test mode, with running averages that differ from the statistics of x."""
    def with_running_averages(rng: Generator) -> Problem:
        arguments, _ = draw(rng)
        C = arguments["gamma"].size
        return arguments, ({"mode": "test", "eps": 1e-5, "momentum": 0.9,
                            "running_mean": rng.normal(size=C),
                            "running_var": rng.uniform(0.5, 2, size=C)},)

    return with_running_averages


def draw_scores(rng: Generator) -> Problem:
    """Draw scores x (N, C) and labels y (N,)."""
    N = size(rng, 1, 6)
    C = size(rng, 1, 8)
    return {"x": 2 * rng.normal(size=(N, C))}, (rng.integers(0, C, N),)


def draw_weighted_scores(rng: Generator) -> Problem:
    """Draw scores, labels, and class weights (C,)."""
    arguments, (y,) = draw_scores(rng)
    return arguments, (y, rng.uniform(0.1, 10, arguments["x"].shape[1]))


def draw_spaced_scores(gap: float) -> Draw:
    """Return a draw of scores and labels, with scores that are multiples of gap apart.

    gap must keep every margin of the loss away from its kink.
    """
    def draw(rng: Generator) -> Problem:
        arguments, rest = draw_scores(rng)
        return {"x": spaced(rng, arguments["x"].shape) * (gap / GAP)}, rest

    return draw


def draw_distillation(rng: Generator) -> Problem:
    """Draw scores, labels, the probabilities of a teacher, alpha and T."""
    arguments, (y,) = draw_scores(rng)
    teacher = np.exp(rng.normal(size=arguments["x"].shape))
    teacher /= teacher.sum(axis=1, keepdims=True)
    return arguments, (y, teacher, rng.uniform(), rng.uniform(1, 4))
