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

from .. import layers as L
from ..nets.network import Network
from ..shapes import conv_output_size
from ..types import Array, Arrays, BatchnormParam, PoolParam, Shape
from .checks import GAP, spaced

Problem: TypeAlias = tuple[Arrays, tuple[Any, ...]]  # (arguments, rest)
Draw: TypeAlias = Callable[[Generator], Problem]

# The smallest difference of numbers that a ReLU or a max-pool compares. It is far larger than
# rounding errors in float32, so both dtypes make the same decision.
MARGIN = 1e-3


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


def near_kinks(maps: Array, pool_param: PoolParam | None) -> bool:
    """Return whether a ReLU, or a max-pool after it, compares numbers closer than MARGIN.

    maps (N, F, Ho, Wo) is the input of the ReLU. Equal numbers don't count: they come from windows
    full of zeros, and from positions where a filter covers nothing but padding.
    """
    if np.abs(maps).min() < MARGIN:
        return True
    if pool_param is None:
        return False
    height = pool_param["pool_height"]
    width = pool_param["pool_width"]
    columns = L.im2col(np.maximum(maps, 0), height, width, pool_param["stride"])
    columns = columns.reshape(-1, height * width, maps.shape[1])
    gaps = columns.max(axis=1, keepdims=True) - columns
    return bool(((gaps > 1e-9) & (gaps < MARGIN)).any())


def draw_sandwich(*names: str, conv: Draw = draw_conv) -> Draw:
    """Return a draw for a fused convolution, repeated until no kink is near.

    names   which of "bn" and "pool" follow the convolution
    conv    draw for the convolution
    The pool has windows of 2 x 2, which kernels fuse, or of 2 x 3.
    """
    def draw_once(rng: Generator) -> tuple[bool, Problem]:
        arguments, (conv_param,) = conv(rng)
        if "bn" in names:
            # Four samples, so that a mean is over four numbers at least, see draw_vector_norm.
            arguments["x"] = rng.normal(size=(4, *arguments["x"].shape[1:]))
        F, _, HH, WW = arguments["w"].shape
        H, W = arguments["x"].shape[2:]
        Ho = conv_output_size(H, HH, **conv_param)
        Wo = conv_output_size(W, WW, **conv_param)
        width = min(int(rng.choice([2, 2, 3])), Wo)
        pool: PoolParam = {"pool_height": min(2, Ho), "pool_width": width, "stride": 2}
        # If all windows lie in the padding, the variance is 0, and eps = 1e-5 would multiply
        # rounding errors by 300.
        bn: BatchnormParam = {"mode": "train", "eps": 0.1, "momentum": 0.9}
        x, w, b = arguments.values()
        maps = L.conv_forward_im2col(x, w, b, conv_param)[0]
        if "bn" in names:
            gamma = rng.normal(size=(F,))
            beta = rng.normal(size=(F,))
            arguments.update(gamma=gamma, beta=beta)
            maps = L.spatial_batchnorm_forward(maps, gamma, beta, bn.copy())[0]
        near = near_kinks(maps, pool if "pool" in names else None)
        settings = {"bn": bn, "pool": pool}
        return near, (arguments, (conv_param, *(settings[name] for name in names)))

    def draw(rng: Generator) -> Problem:
        near = True
        while near:
            near, problem = draw_once(rng)
        return problem

    return draw


def draw_network(make: Callable[..., Network]) -> Draw:
    """Return a draw of a network's parameters as one vector; the rest is (network, X, y)."""
    def draw(rng: Generator) -> Problem:
        model = make(dtype=np.float64, seed=int(rng.integers(1 << 30)))
        X = rng.normal(size=(rng.integers(2, 4), *model.input_shape))
        y = rng.integers(0, model.predict(X).shape[1], len(X))
        # Biases of 0 and gammas of 1 would hide errors in the gradients of their layers.
        params = [array + 0.1 * rng.normal(size=array.shape) if array.ndim == 1 else array
                  for array in model.params.values()]
        return {"params": np.concatenate([array.ravel() for array in params])}, (model, X, y)

    return draw


def draw_picture(make: Callable[..., Network]) -> Draw:
    """Return a draw of images X for a network; the rest is (network,)."""
    def draw(rng: Generator) -> Problem:
        _, (model, X, _) = draw_network(make)(rng)
        return {"X": X}, (model,)

    return draw
