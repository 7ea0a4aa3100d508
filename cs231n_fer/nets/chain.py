"""Layers made of layers: Chain runs them one after the other, Residual adds a shortcut.

Both are layers themselves and nest to any depth. Parameters are named by paths, which are unique at
any depth.
"""
from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import TypeAlias

from numpy.random import Generator
from numpy.typing import DTypeLike

from ..shapes import check
from ..types import Array, Arrays, Cache, Shape
from .layer import Layer, Mode, Row, Shapes, shape_after
from .paths import INLINE, Value, join, pick, put

__all__ = ["Chain", "NamedLayer", "Residual"]

NamedLayer: TypeAlias = tuple[str, Layer]


@dataclass(frozen=True, init=False)
class Chain(Layer):
    """Layers that run one after the other.

    layers   tuple of (name, layer) pairs; the paths of a layer's arrays begin with its name, except
             for the name paths.INLINE
    """
    layers: tuple[NamedLayer, ...]

    def __init__(self, layers: Iterable[Layer | NamedLayer]) -> None:
        """Name the layers given without a name: Chain((Conv(8), ReLU())) has conv1 and relu1.

        Raises ValueError if two layers have the same name, or if a name is the beginning of another
        layer's path, because such layers would share parameters, or if an entry isn't a layer.
        """
        object.__setattr__(self, "layers", _named(layers))  # the dataclass is frozen
        names = sorted(name + "/" for name in self.inner_names())
        shared = [name for name, later in pairwise(names) if later.startswith(name)]
        check(not shared, f"layers: several have the path {', '.join(shared)}; "
                          "give each layer a name of its own")

    def out_shape(self, shape: Shape) -> Shape:
        """Return the output shape of the last layer."""
        for _, layer in self.layers:
            shape = layer.out_shape(shape)
        return shape

    def init(self, rng: Generator, shape: Shape, dtype: DTypeLike) -> tuple[Arrays, Arrays]:
        """Return the parameters and buffers of all layers, with the layer's name in their paths."""
        params: Arrays = {}
        buffers: Arrays = {}
        for name, layer in self.layers:
            new_params, new_buffers = layer.init(rng, shape, dtype)
            params.update(put(name, new_params))
            buffers.update(put(name, new_buffers))
            shape = layer.out_shape(shape)
        return params, buffers

    def array_shapes(self, shape: Shape) -> tuple[Shapes, Shapes]:
        """Return the shapes of the parameters and buffers of all layers."""
        params: Shapes = {}
        buffers: Shapes = {}
        for name, layer in self.layers:
            param_shapes, buffer_shapes = layer.array_shapes(shape)
            params.update(put(name, param_shapes))
            buffers.update(put(name, buffer_shapes))
            shape = layer.out_shape(shape)
        return params, buffers

    def forward(self, params: Arrays, buffers: Arrays, x: Array, mode: Mode) -> tuple[Array, Cache]:
        """Pass the output of each layer to the next; return the last output and all caches."""
        caches = []
        for name, layer in self.layers:
            x, cache = layer.forward(pick(params, name), pick(buffers, name), x, mode)
            caches.append(cache)
        return x, caches

    def backward(self, dout: Array, cache: Cache) -> tuple[Array, Arrays]:
        """Backpropagate through the layers, from the last to the first.

        dout    gradient of the loss with respect to the output of the chain, of the same shape
        cache   list of caches returned by forward, one for each layer
        Returns (dx, grads): the gradient with respect to the input, and the gradients of the
        parameters by path.

        This is the chain rule: if layer i computes x_i = f_i(x_{i-1}), then dL/dx_{i-1} is dL/dx_i
        times the Jacobian of f_i. So the dx of a layer is the dout of the layer before it, and no
        layer needs to know its neighbors.
        """
        return _backpropagate(self.layers, dout, cache)

    def gradients(self, dout: Array, cache: Cache) -> Arrays:
        """Return the gradients of the parameters; the first layer doesn't compute dx."""
        if not self.layers:
            return {}
        name, first = self.layers[0]
        dout, grads = _backpropagate(self.layers[1:], dout, cache[1:])
        grads.update(put(name, first.gradients(dout, cache[0])))
        return grads

    def flops(self, shape: Shape) -> int:
        """Return the sum over the layers."""
        total = 0
        for _, layer in self.layers:
            total += layer.flops(shape)
            shape = layer.out_shape(shape)
        return total

    def replace_inner(self, change: Callable[[Layer], Layer]) -> Layer:
        """Return a Chain of the changed layers under the same names."""
        return Chain(tuple((name, change(layer)) for name, layer in self.layers))

    def inner_names(self) -> list[str]:
        """Return the names of the layers; for INLINE, those of the layers inside it instead."""
        found: list[str] = []
        for name, layer in self.layers:
            found += layer.inner_names() if name == INLINE else [name]
        return found

    def rows(self, path: str, shape: Shape) -> Iterator[Row]:
        """Yield the rows of the layers in order."""
        for name, layer in self.layers:
            yield from layer.rows(join(path, name), shape)
            shape = shape_after(layer, join(path, name), shape)


def _named(layers: Iterable[Layer | NamedLayer]) -> tuple[NamedLayer, ...]:
    """Return (name, layer) pairs; a layer without a name is named after its class and number."""
    found: list[NamedLayer] = []
    kinds: Counter[str] = Counter()
    for position, entry in enumerate(layers, start=1):
        name, layer = entry if isinstance(entry, tuple) and len(entry) == 2 else (None, entry)
        check(isinstance(layer, Layer) and isinstance(name, str | None),
              f"layers: entry {position} is {entry!r}, expected a layer or a pair (name, layer)")
        kind = type(layer).__name__.lower()
        kinds[kind] += 1
        found.append((f"{kind}{kinds[kind]}" if name is None else name, layer))
    return tuple(found)


def _backpropagate(layers: tuple[NamedLayer, ...], dout: Array, caches: list[Cache]
                   ) -> tuple[Array, Arrays]:
    """Return dx of the first of these layers, and the gradients of their parameters by path."""
    grads: Arrays = {}
    for (name, layer), cache in zip(reversed(layers), reversed(caches), strict=True):
        dout, layer_grads = layer.backward(dout, cache)
        grads.update(put(name, layer_grads))
    return dout, grads


@dataclass(frozen=True)
class Residual(Layer):
    """body(x) + shortcut(x) (He et al. 2016, equations 1 and 2).

    body       a layer, usually a Chain
    shortcut   an empty Chain is the identity; if the body changes the shape, a Chain with a 1 x 1
               Conv that changes it alike
    """
    body: Layer
    shortcut: Layer = Chain(())

    def out_shape(self, shape: Shape) -> Shape:
        """Return the output shape of both branches; raises ValueError if they differ."""
        body = self.body.out_shape(shape)
        shortcut = self.shortcut.out_shape(shape)
        check(body == shortcut,
              f"Residual: body gives {body} but shortcut gives {shortcut} for input {shape}; "
              "put a 1x1 Conv with the same stride into the shortcut")
        return body

    def init(self, rng: Generator, shape: Shape, dtype: DTypeLike) -> tuple[Arrays, Arrays]:
        """Return the parameters and buffers, with "body" or "shortcut" in their paths."""
        body_params, body_buffers = self.body.init(rng, shape, dtype)
        short_params, short_buffers = self.shortcut.init(rng, shape, dtype)
        return _both(body_params, short_params), _both(body_buffers, short_buffers)

    def array_shapes(self, shape: Shape) -> tuple[Shapes, Shapes]:
        """Return the shapes of the parameters and buffers, named as in init."""
        body_params, body_buffers = self.body.array_shapes(shape)
        short_params, short_buffers = self.shortcut.array_shapes(shape)
        return _both(body_params, short_params), _both(body_buffers, short_buffers)

    def forward(self, params: Arrays, buffers: Arrays, x: Array, mode: Mode) -> tuple[Array, Cache]:
        """Return the sum of both branches, and their caches."""
        outs = []
        caches = []
        for name, branch in ("body", self.body), ("shortcut", self.shortcut):
            out, cache = branch.forward(pick(params, name), pick(buffers, name), x, mode)
            outs.append(out)
            caches.append(cache)
        return outs[0] + outs[1], caches

    def backward(self, dout: Array, cache: Cache) -> tuple[Array, Arrays]:
        """Backpropagate dout through both branches; dx is the sum of their gradients."""
        body_cache, short_cache = cache
        dbody, body_grads = self.body.backward(dout, body_cache)
        dshort, short_grads = self.shortcut.backward(dout, short_cache)
        return dbody + dshort, _both(body_grads, short_grads)

    def flops(self, shape: Shape) -> int:
        """Return the sum of both branches."""
        return self.body.flops(shape) + self.shortcut.flops(shape)

    def replace_inner(self, change: Callable[[Layer], Layer]) -> Layer:
        """Return a Residual of the changed branches."""
        return Residual(change(self.body), change(self.shortcut))

    def inner_names(self) -> list[str]:
        """Return the names of both branches."""
        return ["body", "shortcut"]

    def rows(self, path: str, shape: Shape) -> Iterator[Row]:
        """Yield the rows of the body, then those of the shortcut."""
        yield from self.body.rows(join(path, "body"), shape)
        yield from self.shortcut.rows(join(path, "shortcut"), shape)


def _both(body: dict[str, Value], shortcut: dict[str, Value]) -> dict[str, Value]:
    """Return the entries of both branches of a Residual, with their names in the paths."""
    return {**put("body", body), **put("shortcut", shortcut)}
