"""Random problems for sandwiches and networks, whose kinks lie in unknown places; see draws."""
from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.random import Generator

from .. import layers as L
from ..nets.network import Network
from ..shapes import conv_output_size
from ..types import Array, BatchnormParam, PoolParam
from .draws import Draw, Problem, draw_conv

__all__ = ["draw_network", "draw_picture", "draw_sandwich"]

# The smallest difference of numbers that a ReLU or a max-pool compares. It is far larger than
# rounding errors in float32, so both dtypes make the same decision.
MARGIN = 1e-3


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
