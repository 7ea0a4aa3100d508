"""Where a training went wrong: the first layer whose output or gradient is infinite or NaN.

The batch is run again through a copy of the net whose layers look at what they give. A fused sandwich is looked into
by running its parts one by one in NumPy.
"""
from dataclasses import dataclass, replace

import numpy as np

from ..arrays.flat import Flat
from ..nets.chain import Chain, Residual
from ..nets.layer import Layer, Mode
from ..nets.network import Network
from ..nets.sandwich import Sandwich


def finite(arrays):
    """Whether all numbers in a dict of arrays are finite."""
    if isinstance(arrays, Flat) and arrays.is_whole() and arrays.finite is not None:
        return arrays.finite
    return all(np.isfinite(array).all() for array in arrays.values())


def origin(model, X, y, masks=None):
    """Say where in a training step the first number came up that is infinite or NaN.

    X, y    the batch
    masks   state of the bit generator of model.rng before the step, for the same dropout masks
    Returns a text, such as "the output of block2/conv (Conv)". Nothing of the model is changed.
    """
    if not isinstance(model, Network):
        return "the model"
    if not finite({"X": X}):
        return "the images of the batch"
    spoiled = [name for name, array in model.params.items() if not finite({name: array})]
    if spoiled:
        return f"the update of {spoiled[0]} in the step before"
    rng = np.random.default_rng(0)
    rng.bit_generator.state = masks or model.rng.bit_generator.state
    found = []
    with np.errstate(all="ignore"):
        layer = traced(model.layer, "", found)
        params = {path: model.params[name] for path, name in model.names.items()}
        buffers = {name: buffer.copy() for name, buffer in model.buffers.items()}
        scores, cache = layer.forward(params, buffers, np.asarray(X).astype(model.dtype, copy=False), Mode(True, rng))
        taught = () if model.teacher is None else (model.teacher(X),)
        loss, dscores = model.loss_function(scores, y, *taught)
        if not found and not finite({"loss": loss, "dscores": dscores}):
            return "the loss function"
        if not found:
            layer.gradients(dscores, cache)
    return found[0] if found else "the L2 regularisation"


def traced(layer, path, found):
    """Return the layer with every layer in it, at any depth, as a Traced one."""
    if isinstance(layer, Residual):
        return Residual(traced(layer.body, f"{path}/body", found), traced(layer.shortcut, f"{path}/shortcut", found))
    if isinstance(layer, Chain) and not isinstance(layer, Sandwich):
        return Chain(tuple((name, traced(inner, f"{path}/{name}" if name else path, found))
                           for name, inner in layer.layers))
    return Traced(layer, path, found)


@dataclass(frozen=True)
class Traced(Layer):
    """A layer that appends a text to `found` where its output or a gradient is not finite."""
    layer: Layer
    path: str
    found: list

    def forward(self, params, buffers, x, mode):
        """Run the layer and look at its output."""
        out, cache = self.layer.forward(params, buffers, x, mode)
        if not self.found and not finite({"out": out}):
            if isinstance(self.layer, Sandwich):
                self.in_parts().forward(params, buffers, x, mode)
            self.note("output")
        return out, (cache, params, buffers, x, mode)

    def backward(self, dout, cache):
        """Run the layer backwards and look at the gradients."""
        dx, grads = self.layer.backward(dout, cache[0])
        spoiled = [name for name, array in {**grads, "x": dx}.items() if not finite({name: array})]
        if not self.found and spoiled:
            if isinstance(self.layer, Sandwich):
                parts = self.in_parts()
                parts.backward(dout, parts.forward(*cache[1:])[1])
            self.note(f"gradient of {spoiled[0]}")
        return dx, grads

    def note(self, what):
        """Say what is not finite, unless a part of this layer has said so."""
        if not self.found:
            self.found.append(f"the {what} of {self.path.strip('/') or 'the net'} ({type(self.layer).__name__})")

    def in_parts(self):
        """The parts of a fused layer, on the rung that needs no compiler."""
        return traced(Chain(tuple((name, replace(part, rung="im2col") if hasattr(part, "rung") else part)
                                  for name, part in self.layer.layers)), self.path, self.found)
