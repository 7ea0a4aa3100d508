"""Where a training diverged: the first layer whose output or gradient is infinite or NaN.

The batch is run again through a copy of the network whose layers check what they return. Fused
layers are replaced by their parts, which run one by one in NumPy.
"""
from __future__ import annotations

from collections.abc import Mapping
from copy import deepcopy
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ..arrays.flat import Flat
from ..nets.chain import Chain, Residual
from ..nets.layer import Layer, Mode
from ..nets.network import Network
from ..nets.sandwich import Sandwich
from ..types import Array, Arrays, Cache, Labels, Model
from .run_state import RunState

__all__ = ["LOWER", "Finding", "Step", "cause", "diverged", "finite"]


def finite(arrays: Mapping[str, Array]) -> bool:
    """Return whether all numbers in a dict of arrays are finite."""
    if isinstance(arrays, Flat) and arrays.is_whole():
        return arrays.finite
    return all(bool(np.isfinite(array).all()) for array in arrays.values())


@dataclass(frozen=True)
class Finding:
    """Where numbers became infinite or NaN, and what helps against it.

    where    text that follows "it began in", such as "the output of block2/conv (Conv)"
    advice   what to do
    """

    where: str
    advice: str


@dataclass(frozen=True)
class Step:
    """A training step that can be run again.

    X, y        the batch as the model got it
    raw         the same samples before their augmentation
    number      of the step, counted from 1 over the whole training
    rng_state   of the bit generator of model.rng before the step, for the same dropout masks; None:
                its present state
    """

    X: Array
    y: Labels
    raw: Array
    number: int
    rng_state: Mapping[str, Any] | None = None


LOWER = "train with a lower learning rate"
STANDARDIZE = "scale the samples, as in (X - X.mean(axis=0)) / X.std()"


def cause(model: Model, step: Step) -> Finding:
    """Return where in a training step the first infinite or NaN number occurred, and what helps.

    model   is not changed
    """
    if not finite({"X": step.raw}):
        return Finding("the images of the batch",
                       "leave out such samples; X_train has been changed since Solver checked it")
    if not finite({"X": step.X}):
        return Finding("the augmentation of the batch", "fix the augmentation")
    if not isinstance(model, Network):
        return Finding("the model", f"check its loss and its gradients, or {LOWER}")
    with np.errstate(all="ignore"):
        images = np.asarray(step.X).astype(model.dtype, copy=False)
        if not finite({"X": images}):
            return Finding(f"the conversion of the batch to {model.dtype}", STANDARDIZE)
        for name, array in model.params.items():
            if not finite({name: array}):
                return (Finding(f"the update of {name} in the step before", LOWER)
                        if step.number > 1 else
                        Finding(f"the initial values of {name}", "give it finite values"))
        return in_layers(model, step, images)


def diverged(what: str, state: RunState, learning_rate: float, found: Finding, number: int) -> str:
    """Return the message about a run that diverged.

    what            became infinite or NaN
    state           of the run
    learning_rate   of the step
    found           where it began, and what helps
    number          of the step, counted from 1
    """
    epoch = state.saved_epoch
    saved = "none" if epoch is None else f"last.h5, of epoch {epoch}"
    return (f"{what} in epoch {state.epoch + 1}, step {number}, at learning rate "
            f"{learning_rate:g}; it began in {found.where}; last good checkpoint: {saved}; "
            f"{found.advice}")


def in_layers(model: Network, step: Step, images: Array) -> Finding:
    """Find the cause if the batch and the parameters are finite: run the step again."""
    rng = deepcopy(model.rng)
    if step.rng_state:
        rng.bit_generator.state = step.rng_state
    found: list[str] = []
    layer = traced(model.layer, "", found)
    params = {path: model.params[name] for path, name in model.names.items()}
    buffers = {name: buffer.copy() for name, buffer in model.buffers.items()}
    scores, cache = layer.forward(params, buffers, images, Mode(True, rng))
    taught = () if model.teacher is None else (model.teacher(step.X),)
    if not found and not all(finite({"taught": array}) for array in taught):
        return Finding("the probabilities of the teacher", "check the teacher's weights")
    loss, dscores = model.loss_function(scores, step.y, *taught)
    if not found and not finite({"loss": np.asarray(loss), "dscores": dscores}):
        return Finding("the loss function", f"check it and its arguments, or {LOWER}")
    if not found:
        layer.gradients(dscores, cache)
    if found:
        return Finding(found[0], LOWER if step.number > 1 else
                       f"no step has been done yet: use smaller initial weights, or {STANDARDIZE}")
    return Finding("the L2 regularization", f"use a smaller reg, or {LOWER}")


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
