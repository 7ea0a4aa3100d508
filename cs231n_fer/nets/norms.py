"""Normalization layers: records of hyperparameters, see layer.py."""
from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.random import Generator
from numpy.typing import DTypeLike

from .. import layers as L
from ..types import Array, Arrays, BatchnormParam, Cache, Shape
from .ladder import functions
from .layer import Layer, Mode, Shapes

__all__ = ["BatchNorm", "GroupNorm", "LayerNorm"]


@dataclass(frozen=True)
class BatchNorm(Layer):
    """Batch normalization (Ioffe & Szegedy 2015) of vectors (N, D), or of images over N, H, W.

    eps        added to the variance
    momentum   weight of the old running averages when a training step updates them
    rung       rung of the ladder, for images
    """
    eps: float = 1e-5
    momentum: float = 0.9
    rung: str = "auto"

    def bn_param(self, mode: Mode, averages: Arrays) -> BatchnormParam:
        """Return the course's dictionary for a pass that reads or updates the running averages."""
        return {"mode": mode.name, "eps": self.eps, "momentum": self.momentum,
                "running_mean": averages["running_mean"], "running_var": averages["running_var"]}

    def init(self, rng: Generator, shape: Shape, dtype: DTypeLike) -> tuple[Arrays, Arrays]:
        """Return gamma = 1 and beta = 0; as buffers, running_mean = 0 and running_var = 1."""
        C = shape[0]
        params: Arrays = {"gamma": np.ones(C, dtype), "beta": np.zeros(C, dtype)}
        return params, {"running_mean": np.zeros(C, dtype), "running_var": np.ones(C, dtype)}

    def array_shapes(self, shape: Shape) -> tuple[Shapes, Shapes]:
        """Return the shape (C,) of the two parameters and the two buffers."""
        C = shape[:1]
        return {"gamma": C, "beta": C}, {"running_mean": C, "running_var": C}

    def forward(self, params: Arrays, buffers: Arrays, x: Array, mode: Mode) -> tuple[Array, Cache]:
        """Normalize x; training mode updates the running averages in place."""
        forward = L.batchnorm_forward
        if x.ndim == 4:
            forward = functions("spatial_batchnorm", self.rung).forward
        return forward(x, params["gamma"], params["beta"], self.bn_param(mode, buffers))

    def backward(self, dout: Array, cache: Cache) -> tuple[Array, Arrays]:
        """Return dx and the gradients of gamma and beta."""
        backward = L.batchnorm_backward_alt
        if dout.ndim == 4:
            backward = functions("spatial_batchnorm", self.rung).backward
        dx, dgamma, dbeta = backward(dout, cache)
        return dx, {"gamma": dgamma, "beta": dbeta}


@dataclass(frozen=True)
class LayerNorm(Layer):
    """Layer normalization of vectors (Ba et al. 2016); eps is added to the variance."""
    eps: float = 1e-5

    def init(self, rng: Generator, shape: Shape, dtype: DTypeLike) -> tuple[Arrays, Arrays]:
        """Return gamma = 1 and beta = 0."""
        D = shape[0]
        return {"gamma": np.ones(D, dtype), "beta": np.zeros(D, dtype)}, {}

    def array_shapes(self, shape: Shape) -> tuple[Shapes, Shapes]:
        """Return the shape (D,) of both parameters."""
        return {"gamma": shape[:1], "beta": shape[:1]}, {}

    def forward(self, params: Arrays, buffers: Arrays, x: Array, mode: Mode) -> tuple[Array, Cache]:
        """Normalize every sample of x (N, D)."""
        return L.layernorm_forward(x, params["gamma"], params["beta"], {"eps": self.eps})

    def backward(self, dout: Array, cache: Cache) -> tuple[Array, Arrays]:
        """Return dx and the gradients of gamma and beta."""
        dx, dgamma, dbeta = L.layernorm_backward(dout, cache)
        return dx, {"gamma": dgamma, "beta": dbeta}


@dataclass(frozen=True)
class GroupNorm(Layer):
    """Group normalization of images (Wu & He 2018).

    groups   number of groups, a divisor of C; the channels of a group are normalized together
    eps      added to the variance
    rung     rung of the ladder
    """
    groups: int
    eps: float = 1e-5
    rung: str = "auto"

    def init(self, rng: Generator, shape: Shape, dtype: DTypeLike) -> tuple[Arrays, Arrays]:
        """Return gamma = 1 and beta = 0, of shape (1, C, 1, 1) as in the course."""
        C = shape[0]
        return {"gamma": np.ones((1, C, 1, 1), dtype), "beta": np.zeros((1, C, 1, 1), dtype)}, {}

    def array_shapes(self, shape: Shape) -> tuple[Shapes, Shapes]:
        """Return the shape (1, C, 1, 1) of both parameters."""
        return {"gamma": (1, shape[0], 1, 1), "beta": (1, shape[0], 1, 1)}, {}

    def forward(self, params: Arrays, buffers: Arrays, x: Array, mode: Mode) -> tuple[Array, Cache]:
        """Normalize every group of channels of every sample of x (N, C, H, W)."""
        forward = functions("spatial_groupnorm", self.rung).forward
        return forward(x, params["gamma"], params["beta"], self.groups, {"eps": self.eps})

    def backward(self, dout: Array, cache: Cache) -> tuple[Array, Arrays]:
        """Return dx and the gradients of gamma and beta."""
        dx, dgamma, dbeta = functions("spatial_groupnorm", self.rung).backward(dout, cache)
        return dx, {"gamma": dgamma, "beta": dbeta}
