"""A network: a layer, usually a Chain, with its arrays, a loss and L2 regularization."""
from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from math import prod
from os import PathLike
from pathlib import Path
from typing import Any, Literal, TypedDict, overload

import numpy as np
from numpy.typing import DTypeLike

from ..arrays.copying import Independent, packed, unpacked
from ..fast_layers.gradients import l2_gradients
from ..fast_layers.losses import softmax_loss_fast
from ..files.checkpoint import check_fits, load_checkpoint, restore, save_checkpoint
from ..shapes import check, real_numbers
from ..types import Array, Arrays, Cache, Labels, Shape
from .description import described, loss_name
from .layer import TEST, Layer, Mode, check_shapes

__all__ = ["LossOptions", "Network", "NetworkOptions", "network_input"]


def network_input(X: Array, dtype: DTypeLike) -> Array:
    """Return X in the dtype of a network; warn about pixels that were not normalized.

    Raises ValueError for an array of anything but real numbers.
    """
    if isinstance(X, np.ndarray) and X.dtype == np.uint8:
        warnings.warn("X: holds uint8 pixels, which a network takes as numbers up to 255; "
                      "normalize them first, for example by data_utils.normalise",
                      UserWarning, stacklevel=4)
    return real_numbers(X, dtype, "X")


class LossOptions(TypedDict, total=False):
    """The keyword arguments that the course's networks pass on to Network, which documents them."""

    loss: Callable[..., tuple[float, Array]]
    max_params: int | None


class NetworkOptions(LossOptions, total=False):
    """The keyword arguments that the other named networks pass on."""

    reg: float
    dtype: DTypeLike
    seed: int | np.random.Generator | None


class Network(Independent):
    """A layer with its parameters and buffers, a loss function and L2 regularization.

    layer         a Layer, usually a Chain
    input_shape   shape of one sample, (C, H, W) or (D,)
    loss          (scores (N, C), y (N,)) -> (loss, dscores), a loss of layers or fast_layers
    reg           strength of the L2 regularization, which adds 0.5 * reg * sum(w ** 2) for the
                  weights of every convolutional and affine layer
    dtype         float32 or float64
    seed          seed of the initial parameters and the dropout masks, or a Generator that draws
                  them; None: a random seed
    names         {path: public name} of parameters whose name isn't their path, such as "W1" in the
                  course for "affine1/w"
    max_params    largest number of parameters; a larger network raises ValueError before memory is
                  allocated, which protects load_model from files that ask for too much

    params and buffers are dictionaries of arrays. New arrays may be assigned to params at any time;
    the next pass uses them. teacher is None, or, for distillation, a function that returns the
    probabilities (N, C) for a batch, which the loss function then gets as its third argument.
    Copies share no parameters, buffers or random generator. on_divergence is what a Solver does
    if numbers become infinite or NaN, unless its Recipe says otherwise.
    """

    on_divergence: Literal["raise", "continue"] = "raise"

    def __init__(self, layer: Layer, input_shape: Shape, *,
                 loss: Callable[..., tuple[float, Array]] = softmax_loss_fast, reg: float = 0.0,
                 dtype: DTypeLike = np.float32,
                 seed: int | np.random.Generator | None = None,
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
        check_shapes(layer, self.input_shape)
        param_shapes, _ = layer.array_shapes(self.input_shape)
        self.names = {path: (names or {}).get(path, path) for path in param_shapes}
        if max_params is not None:
            total = sum(map(prod, param_shapes.values()))
            check(total <= max_params, f"the network has {total:,} parameters, expected at most "
                                       f"max_params {max_params:,}")
        params, self.buffers = layer.init(self.rng, self.input_shape, self.dtype)
        self._weights = [name for path, name in self.names.items() if path.split("/")[-1] == "w"]
        self.params = {self.names[path]: array for path, array in params.items()}

    def __repr__(self) -> str:
        """Describe the input, the output and the size of the network; summary lists the layers."""
        taken = " x ".join(map(str, self.input_shape))
        given = " x ".join(map(str, self.layer.out_shape(self.input_shape)))
        size = sum(array.size for array in self.params.values())
        return f"<{type(self).__name__}: {taken} -> {given}, {size:,} parameters, {self.dtype}>"

    def __getstate__(self) -> dict[str, Any]:
        """Pack the parameters, so that copies keep their memory order."""
        return {**self.__dict__, "params": packed(self.params)}

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Unpack the parameters."""
        self.__dict__.update(state, params=unpacked(state["params"]))

    def forward(self, X: Array, mode: Mode = TEST) -> tuple[Array, Cache]:
        """Return the scores (N, classes) of X (N, *input_shape), and the cache for backward.

        If input_shape is (D,), samples may have any shape of D numbers. Raises ValueError if X has
        another shape or no samples.
        """
        X = network_input(X, self.dtype)
        if not X.ndim or len(X) == 0:
            raise ValueError(f"X: has shape {X.shape}, expected at least one sample")
        # A network of vectors flattens its samples, as in the course; images keep their axes.
        shape = X.shape[1:]
        flat = X.ndim > 1 and self.input_shape == (prod(shape),)
        if shape != self.input_shape and not flat:
            raise ValueError(f"X: one sample has shape {shape}, expected {self.input_shape}")
        params = {path: self.params[name] for path, name in self.names.items()}
        return self.layer.forward(params, self.buffers, X, mode)

    def backward(self, dscores: Array, cache: Cache) -> tuple[Array, Arrays]:
        """Return dX and the gradients by name, without regularization.

        dscores (N, classes) is the gradient of the loss with respect to the scores from forward.
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

        X   (N, *input_shape), converted to the dtype of the network
        y   (N,) integer labels from 0 to classes - 1, or None
        With labels: (loss, grads). loss is a float, the mean loss of the batch plus the L2
        regularization. grads is a Flat of gradients with the names of params. Layers run in
        training mode: dropout draws masks from rng, batchnorm uses the statistics of the batch and
        updates the running averages in buffers. Parameters don't change.
        Without labels: scores (N, classes) in test mode, which changes nothing.
        Raises ValueError if X or y has another shape, or if a label is out of range.
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
        """Return the names of the parameters with L2 regularization: weights, but not biases."""
        return self._weights if self.reg else []

    def predict(self, X: Array, batch_size: int = 256) -> Array:
        """Return the test-time scores (N, classes) of X, computed in batches."""
        batches = [X[start:start + batch_size] for start in range(0, len(X), batch_size)]
        return np.concatenate([self.loss(batch) for batch in batches])

    def save(self, path: str | PathLike[str]) -> None:
        """Write parameters, buffers and layers to a checkpoint, which load and load_model read.

        Raises ValueError for a layer or a loss function that is not from this package, or for a
        parameter of another dtype than the network's, and OSError if the file cannot be written.
        """
        for name, array in self.params.items():
            check(np.asarray(array).dtype == self.dtype,
                  f"params: {name} is {np.asarray(array).dtype}, the network has {self.dtype}; "
                  f"convert it with astype(np.{self.dtype})")
        options = {"layer": described(self.layer), "input_shape": list(self.input_shape),
                   "loss": loss_name(self.loss_function), "reg": self.reg,
                   "dtype": str(self.dtype), "names": self.names}
        arrays = {f"params/{name}": array for name, array in self.params.items()}
        arrays |= {f"buffers/{name}": array for name, array in self.buffers.items()}
        save_checkpoint(path, arrays, {"model": {"kind": "Network", "options": options}})

    def load(self, path: str | PathLike[str]) -> bool:
        """Load the parameters and buffers of a checkpoint; return False if there is no file.

        Raises ValueError, and changes nothing, if the file is not a checkpoint of this network.
        """
        if not Path(path).exists():
            return False
        arrays, _ = load_checkpoint(path)
        check_fits(self.buffers, arrays, "buffers", path)
        restore(self.params, arrays, "params", path)
        restore(self.buffers, arrays, "buffers", path)
        return True

    def summary(self) -> str:
        """Return a table of the layers: output shapes, parameters, and FLOPs of a forward pass."""
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
