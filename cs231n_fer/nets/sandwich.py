"""Sandwiches: convolution, batchnorm, ReLU and max-pooling as one fused operation."""
from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from ..shapes import check
from ..types import Array, Arrays, Cache
from .chain import Chain, NamedLayer
from .ladder import Pair, functions, is_fused
from .layer import Layer, Mode
from .norms import BatchNorm
from .paths import INLINE, paths_from
from .records import Conv, MaxPool, ReLU

__all__ = ["Sandwich", "fuse"]

# The longest first.
PATTERNS = ((Conv, BatchNorm, ReLU, MaxPool), (Conv, BatchNorm, ReLU),
            (Conv, ReLU, MaxPool), (Conv, ReLU))


@dataclass(frozen=True, init=False)
class Sandwich(Chain):
    """A Chain of conv [- batchnorm] - ReLU [- max-pool] that runs as one fused operation.

    Parameters and results are those of the Chain. If the rung of the convolution is "naive" or
    "im2col", which fuse nothing, the layers run one by one. Raises ValueError for other layers.
    """

    def __init__(self, layers: Iterable[Layer | NamedLayer]) -> None:
        """Raise ValueError for layers that aren't a sandwich."""
        super().__init__(layers)
        kinds = tuple(type(layer) for _, layer in self.layers)
        check(kinds in PATTERNS, f"Sandwich: got {[kind.__name__ for kind in kinds]}, "
                                 "expected Conv [, BatchNorm], ReLU [, MaxPool]")

    def __reduce__(self) -> tuple[type[Sandwich], tuple[tuple[NamedLayer, ...]]]:
        """Exclude the cached functions from copies: another process may have no compiler."""
        return type(self), (self.layers,)

    @cached_property
    def conv(self) -> Conv:
        """The convolution."""
        return next(layer for _, layer in self.layers if isinstance(layer, Conv))

    @cached_property
    def norm(self) -> BatchNorm | None:
        """The batchnorm, or None."""
        return next((layer for _, layer in self.layers if isinstance(layer, BatchNorm)), None)

    @cached_property
    def pool(self) -> MaxPool | None:
        """The max-pool, or None."""
        return next((layer for _, layer in self.layers if isinstance(layer, MaxPool)), None)

    @cached_property
    def paths(self) -> dict[str, str]:
        """The paths of the arrays: {"w": "conv/w", "gamma": "bn/gamma", ...}."""
        names = {Conv: ("w", "b") if self.conv.bias else ("w",),
                 BatchNorm: ("gamma", "beta", "running_mean", "running_var")}
        found: dict[str, str] = {}
        for path, layer in self.layers:
            own = names.get(type(layer), ())
            found.update(zip(own, paths_from(path, own), strict=True))
        return found

    @cached_property
    def functions(self) -> Pair:
        """The forward and backward functions of the fused operation."""
        norm = "_bn" if self.norm else ""
        pool = "_pool" if self.pool else ""
        return functions(f"conv{norm}_relu{pool}", self.conv.rung)

    def forward(self, params: Arrays, buffers: Arrays, x: Array, mode: Mode) -> tuple[Array, Cache]:
        """Run the fused operation, or the layers one by one if nothing is fused."""
        if not is_fused(self.conv.rung):
            return super().forward(params, buffers, x, mode)
        paths = self.paths
        w = params[paths["w"]]
        b = params[paths["b"]] if "b" in paths else np.zeros(len(w), w.dtype)
        arrays = [x, w, b]
        settings: list[object] = [self.conv.conv_param]
        if self.norm:
            arrays += [params[paths["gamma"]], params[paths["beta"]]]
            averages = {name: buffers[paths[name]] for name in ("running_mean", "running_var")}
            settings.append(self.norm.bn_param(mode, averages))
        if self.pool:
            settings.append(self.pool.pool_param)
        return self.functions.forward(*arrays, *settings)

    def backward(self, dout: Array, cache: Cache) -> tuple[Array, Arrays]:
        """Return dx and the gradients of the parameters by their paths in the Chain."""
        if not is_fused(self.conv.rung):
            return super().backward(dout, cache)
        return self._fused_backward(dout, cache, want_dx=True)

    def gradients(self, dout: Array, cache: Cache) -> Arrays:
        """Return the gradients of the parameters; dx is not computed if the layers are fused."""
        if not is_fused(self.conv.rung):
            return super().gradients(dout, cache)
        return self._fused_backward(dout, cache, want_dx=False)[1]

    def _fused_backward(self, dout: Array, cache: Cache, want_dx: bool) -> tuple[Array, Arrays]:
        """Return dx, or None unless want_dx, and the gradients of the parameters."""
        dx, *grads = self.functions.backward(dout, cache, want_dx=want_dx)
        names = ("w", "b", "gamma", "beta")[:len(grads)]
        found = dict(zip(names, grads, strict=True))
        return dx, {self.paths[name]: grad for name, grad in found.items() if name in self.paths}

    def replace_inner(self, change: Callable[[Layer], Layer]) -> Layer:
        """Return this layer: the layers of a sandwich are not replaced."""
        return self


def fuse(layer: Layer) -> Layer:
    """Return a layer with every conv [- batchnorm] - ReLU [- max-pool] in its Chains fused.

    Chains are searched at any depth. The paths of parameters stay the same. A Chain that consists
    of a single sandwich becomes that Sandwich.
    """
    inner = layer.replace_inner(fuse)
    if type(inner) is not Chain:
        return inner
    fused: list[NamedLayer] = []
    start = 0
    while start < len(inner.layers):
        length = _sandwich_length(inner.layers[start:])
        if length:
            fused.append((INLINE, Sandwich(inner.layers[start:start + length])))
        else:
            fused.append(inner.layers[start])
        start += max(length, 1)
    if len(fused) == 1 and fused[0][0] == INLINE:
        return fused[0][1]
    return Chain(tuple(fused))


def _sandwich_length(layers: tuple[NamedLayer, ...]) -> int:
    """Return the length of the longest sandwich at the beginning of some layers, or 0."""
    kinds = tuple(type(layer) for _, layer in layers)
    return next((len(pattern) for pattern in PATTERNS if kinds[:len(pattern)] == pattern), 0)
