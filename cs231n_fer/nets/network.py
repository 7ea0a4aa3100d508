"""A network: a layer, in most cases a Chain, with its arrays, a loss and L2 regularization."""
from __future__ import annotations

from collections.abc import Callable, Mapping
from math import prod
from typing import Any, Literal, TypedDict, overload

import numpy as np
from numpy.typing import DTypeLike

from ..arrays.copying import Independent, packed, unpacked
from ..fast_layers.gradients import l2_gradients
from ..fast_layers.losses import softmax_loss_fast
from ..shapes import check, real_numbers
from ..types import Array, Arrays, Cache, Labels, Shape
from .layer import TEST, Layer, Mode

__all__ = ["Network", "NetworkOptions"]


class NetworkOptions(TypedDict, total=False):
    """The keywords that named networks hand on to Network, which explains them."""

    loss: Callable[..., tuple[float, Array]]
    reg: float
    dtype: DTypeLike
    seed: int | None
    max_params: int | None


class Network(Independent):
    """A layer with its parameters and buffers, a loss function and L2 regularization.

    layer         a Layer, in most cases a Chain
    input_shape   shape of one sample, (C, H, W) or (D,)
    loss          (scores (N, C), y (N,)) -> (loss, dscores), a loss of layers or fast_layers
    reg           strength of the regularization 0.5 * reg * sum(w ** 2) of the weights of
                  convolutional and affine layers
    dtype         float32 or float64
    seed          of the initial parameters and the dropout masks; None takes a random one
    names         {path: public name} for parameters with names of their own: the course says "W1"
                  where the path is "affine1/w"
    max_params    largest number of parameters; a larger network is refused before its memory is
                  allocated, as load_model requires for what a file asks for

    params and buffers are dictionaries of arrays. New arrays may be assigned to params at any time;
    the next pass uses them. teacher is None, or for distillation a function that returns the
    probabilities (N, C) of a batch: the loss function then gets them as a third argument.
    A copy has parameters, buffers and a random generator of its own. on_divergence is what a Solver
    does where numbers become infinite or NaN, unless its Recipe says otherwise.
    """

    on_divergence: Literal["raise", "continue"] = "raise"

    def __init__(self, layer: Layer, input_shape: Shape, *,
                 loss: Callable[..., tuple[float, Array]] = softmax_loss_fast, reg: float = 0.0,
                 dtype: DTypeLike = np.float32, seed: int | None = None,
                 names: Mapping[str, str] | None = None, max_params: int | None = None) -> None:
        self.layer = layer
        self.input_shape = tuple(input_shape)
        self.loss_function = loss
        self.teacher: Callable[[Array], Array] | None = None
        self.reg = reg
        self.dtype = np.dtype(dtype)
        self.rng = np.random.default_rng(seed)
        check(reg >= 0, f"reg: got {reg}, expected 0 or more")
        check(self.dtype in (np.float32, np.float64),
              f"dtype: got {self.dtype}, expected float32 or float64")
        layer.out_shape(self.input_shape)  # layers that don't fit together raise their error here
        param_shapes, _ = layer.array_shapes(self.input_shape)
        self.names = {path: (names or {}).get(path, path) for path in param_shapes}
        if max_params is not None:
            total = sum(map(prod, param_shapes.values()))
            check(total <= max_params, f"the network has {total:,} parameters, expected at most "
                                       f"max_params {max_params:,}")
        params, self.buffers = layer.init(self.rng, self.input_shape, self.dtype)
        self._weights = [name for path, name in self.names.items() if path.split("/")[-1] == "w"]
        self.params = {self.names[path]: array for path, array in params.items()}

    def __getstate__(self) -> dict[str, Any]:
        """Pack the parameters, which keep their memory order in a copy."""
        return {**self.__dict__, "params": packed(self.params)}

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Unpack the parameters."""
        self.__dict__.update(state, params=unpacked(state["params"]))

    def forward(self, X: Array, mode: Mode = TEST) -> tuple[Array, Cache]:
        """Return the scores (N, classes) of X (N, *input_shape), and the cache for backward.

        Where input_shape is (D,), samples may have any shape of D numbers. Raises ValueError if X
        has another shape or no samples.
        """
        X = real_numbers(X, self.dtype, "X")
        if not X.ndim or len(X) == 0:
            raise ValueError(f"X: has shape {X.shape}, expected at least one sample")
        # A net of vectors flattens its samples, as in the course; images keep their axes.
        shape = X.shape[1:]
        flat = X.ndim > 1 and self.input_shape == (prod(shape),)
        if shape != self.input_shape and not flat:
            raise ValueError(f"X: one sample has shape {shape}, expected {self.input_shape}")
        params = {path: self.params[name] for path, name in self.names.items()}
        return self.layer.forward(params, self.buffers, X, mode)

    def backward(self, dscores: Array, cache: Cache) -> tuple[Array, Arrays]:
        """Return dX and the gradients by name, without regularization.

        dscores (N, classes) is the gradient of the loss with respect to the scores of forward.
        """
        dX, grads = self.layer.backward(dscores, cache)
        return dX, {self.names[path]: grads[path] for path in self.names}

    @overload
    def loss(self, X: Array, y: None = None) -> Array: ...
    @overload
    def loss(self, X: Array, y: Labels) -> tuple[float, Arrays]: ...
    @overload
    def loss(self, X: Array, y: Labels | None = None) -> Any: ...

    def loss(self, X: Array, y: Labels | None = None) -> Array | tuple[float, Arrays]:
        """Return the training loss and its gradients, or the test-time scores if y is None.

        X   (N, *input_shape), converted to the network's dtype
        y   (N,) integer labels from 0 to classes - 1, or None
        With labels: (loss, grads). loss is a float, the mean loss of the batch plus 0.5 * reg *
        sum(w ** 2). grads are its gradients under the names of params, as a Flat. The layers run in
        training mode: dropout draws masks from rng, batchnorm uses the statistics of the batch and
        updates the running averages in buffers. Parameters stay as they are.
        Without labels: scores (N, classes) in test mode, which changes nothing.
        Raises ValueError if X or y has another shape, or y a label out of range.
        """
        if y is None:
            return self.forward(X)[0]
        scores, cache = self.forward(X, Mode(train=True, rng=self.rng))
        taught = () if self.teacher is None else (self.teacher(X),)
        loss, dscores = self.loss_function(scores, y, *taught)
        layer_grads = self.layer.gradients(dscores, cache)
        grads = {name: layer_grads[path] for path, name in self.names.items()}
        reg = dict.fromkeys(self.regularised(), self.reg)
        added, grads = l2_gradients(self.params, grads, reg)
        return loss + added, grads

    def regularised(self) -> list[str]:
        """Return the names of the parameters with L2 regularization: weights, but no biases."""
        return self._weights if self.reg else []

    def predict(self, X: Array, batch_size: int = 256) -> Array:
        """Return the test-time scores (N, classes) of X, computed in batches."""
        batches = [X[start:start + batch_size] for start in range(0, len(X), batch_size)]
        return np.concatenate([self.loss(batch) for batch in batches])

    def summary(self) -> str:
        """Return a table of the layers: output shapes, parameters, FLOPs for one sample forward."""
        rows = list(self.layer.rows("", self.input_shape))
        path_width = max(len(path) for path, *_ in rows)
        kind_width = max(len(type(layer).__name__) for _, layer, *_ in rows)

        def line(path: str, kind: str, out: str, count: str, mflop: str) -> str:
            return f"{path:{path_width}}  {kind:{kind_width}} {out:>15} {count:>12} {mflop:>8}"

        lines = [line("layer", "kind", "output", "parameters", "MFLOP")]
        for path, layer, shape, out_shape in rows:
            count = sum(self.params[name].size for full, name in self.names.items()
                        if full.startswith(path + "/"))
            lines.append(line(path, type(layer).__name__, " x ".join(map(str, out_shape)),
                              f"{count:,}", f"{layer.flops(shape) / 1e6:.2f}"))
        total = sum(array.size for array in self.params.values())
        flops = self.layer.flops(self.input_shape)
        lines.append(line("total", "", "", f"{total:,}", f"{flops / 1e6:.2f}"))
        return "\n".join(lines)
