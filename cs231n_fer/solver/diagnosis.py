"""Where a training diverged: the first layer whose output or gradient is infinite or NaN.

The batch is run again through a copy of the network whose layers check what they return. Fused
layers are replaced by their parts, which run one by one in NumPy.
"""
from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ..arrays.flat import Flat
from ..nets.chain import Chain, Residual
from ..nets.layer import Layer, Mode
from ..nets.network import Network
from ..nets.sandwich import Sandwich
from ..types import Array, Arrays, Cache, Labels, Model

__all__ = ["finite", "origin"]


def finite(arrays: Mapping[str, Array]) -> bool:
    """Return whether all numbers in a dict of arrays are finite."""
    if isinstance(arrays, Flat) and arrays.is_whole():
        return arrays.finite
    return all(bool(np.isfinite(array).all()) for array in arrays.values())


def origin(model: Model, X: Array, y: Labels, rng_state: Mapping[str, Any] | None = None) -> str:
    """Return where in a training step the first infinite or NaN number occurred.

    model       is not changed
    X, y        the batch
    rng_state   of the bit generator of model.rng before the step, for the same dropout masks
    Returns a text, such as "the output of block2/conv (Conv)".
    """
    if not isinstance(model, Network):
        return "the model"
    if not finite({"X": X}):
        return "the images of the batch"
    spoiled = [name for name, array in model.params.items() if not finite({name: array})]
    if spoiled:
        return f"the update of {spoiled[0]} in the step before"
    rng = np.random.default_rng(0)
    rng.bit_generator.state = rng_state or model.rng.bit_generator.state
    found: list[str] = []
    with np.errstate(all="ignore"):
        layer = traced(model.layer, "", found)
        params = {path: model.params[name] for path, name in model.names.items()}
        buffers = {name: buffer.copy() for name, buffer in model.buffers.items()}
        images = np.asarray(X).astype(model.dtype, copy=False)
        scores, cache = layer.forward(params, buffers, images, Mode(True, rng))
        taught = () if model.teacher is None else (model.teacher(X),)
        loss, dscores = model.loss_function(scores, y, *taught)
        if not found and not finite({"loss": np.asarray(loss), "dscores": dscores}):
            return "the loss function"
        if not found:
            layer.gradients(dscores, cache)
    return found[0] if found else "the L2 regularisation"


def traced(layer: Layer, path: str, found: list[str]) -> Layer:
    """Return a layer in which all layers, at any depth, are wrapped in Traced.

    path    name of the layer
    found   list to which Traced appends
    """
    if isinstance(layer, Residual):
        return Residual(traced(layer.body, f"{path}/body", found),
                        traced(layer.shortcut, f"{path}/shortcut", found))
    if isinstance(layer, Chain) and not isinstance(layer, Sandwich):
        return Chain(tuple((name, traced(inner, f"{path}/{name}" if name else path, found))
                           for name, inner in layer.layers))
    return Traced(layer, path, found)


@dataclass(frozen=True)
class Traced(Layer):
    """A layer that appends its name to `found` if its output or a gradient is not finite."""

    layer: Layer
    path: str
    found: list[str]

    def forward(self, params: Arrays, buffers: Arrays, x: Array, mode: Mode) -> tuple[Array, Cache]:
        """Run the layer and check its output."""
        out, cache = self.layer.forward(params, buffers, x, mode)
        if not self.found and not finite({"out": out}):
            if isinstance(self.layer, Sandwich):
                self.in_parts(self.layer).forward(params, buffers, x, mode)
            self.note("output")
        return out, (cache, params, buffers, x, mode)

    def backward(self, dout: Array, cache: Cache) -> tuple[Array, Arrays]:
        """Run the backward pass of the layer and check its gradients."""
        dx, grads = self.layer.backward(dout, cache[0])
        gradients = {**grads, "x": dx}
        spoiled = [name for name, array in gradients.items() if not finite({name: array})]
        if not self.found and spoiled:
            if isinstance(self.layer, Sandwich):
                parts = self.in_parts(self.layer)
                parts.backward(dout, parts.forward(*cache[1:])[1])
            self.note(f"gradient of {spoiled[0]}")
        return dx, grads

    def note(self, what: str) -> None:
        """Record what is not finite, unless a part of this layer has been recorded."""
        if not self.found:
            where = self.path.strip("/") or "the net"
            self.found.append(f"the {what} of {where} ({type(self.layer).__name__})")

    def in_parts(self, fused: Sandwich) -> Layer:
        """Return the parts of a fused layer as a chain, on the rung that needs no compiler."""
        plain: dict[str, Any] = {"rung": "im2col"}
        parts = tuple((name, replace(part, **plain) if hasattr(part, "rung") else part)
                      for name, part in fused.layers)
        return traced(Chain(parts), self.path, self.found)
