"""Layers as JSON and back, so that a checkpoint describes the network that it holds.

A layer becomes {"kind": its class, and the name and value of every field}; layers inside it are
described in the same way. Numbers that JSON lacks are strings: "-inf". To add a kind, add its
class to KINDS.
"""
from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import fields
from math import prod
from typing import Any

import numpy as np

from .. import layers as L
from ..fast_layers.losses import softmax_loss_fast
from ..shapes import check
from ..types import Array, Shape
from .chain import Chain, Residual
from .grouped import GroupedConv
from .ladder import RUNGS
from .layer import Layer
from .norms import BatchNorm, GroupNorm, LayerNorm
from .records import Affine, AvgPool, Conv, Dropout, GlobalAvgPool, LeakyReLU, MaxPool, ReLU
from .sandwich import Sandwich
from .shaping import Flatten, Pad

__all__ = ["KINDS", "LOSSES", "MOST_NUMBERS", "check_sizes", "described", "layer_of", "loss_name"]

MOST_NUMBERS = 2 ** 28  # in the output of a layer for one sample: 1 GiB in float32
DEEPEST = 100           # layers within layers
# The smallest values of integers.
LEAST = {"filters": 1, "groups": 1, "size": 1, "stride": 1, "units": 1, "pad": 0, "seed": 0}

KINDS: dict[str, type[Layer]] = {
    "Affine": Affine, "AvgPool": AvgPool, "BatchNorm": BatchNorm, "Chain": Chain, "Conv": Conv,
    "Dropout": Dropout, "Flatten": Flatten, "GlobalAvgPool": GlobalAvgPool,
    "GroupNorm": GroupNorm, "GroupedConv": GroupedConv, "LayerNorm": LayerNorm,
    "LeakyReLU": LeakyReLU, "MaxPool": MaxPool, "Pad": Pad, "ReLU": ReLU, "Residual": Residual,
    "Sandwich": Sandwich,
}
LOSSES: dict[str, Callable[..., tuple[float, Array]]] = {
    "softmax_loss_fast": softmax_loss_fast, "softmax_loss": L.softmax_loss,
    "softmax_loss_naive": L.softmax_loss_naive, "svm_loss": L.svm_loss,
    "svm_loss_naive": L.svm_loss_naive, "l2_svm_loss": L.l2_svm_loss,
    "l2_svm_loss_naive": L.l2_svm_loss_naive, "distillation_loss": L.distillation_loss,
    "smoothed_softmax_loss": L.smoothed_softmax_loss,
}
TYPES = {"int": (int,), "int | None": (int, type(None)), "float": (int, float),
         "float | None": (int, float, type(None)), "bool": (bool,), "str": (str,)}


def described(layer: Layer) -> dict[str, Any]:
    """Return a layer as a dict that JSON can hold.

    Raises ValueError if it is, or contains, a layer of a class that is not in KINDS.
    """
    kind = type(layer).__name__
    check(KINDS.get(kind) is type(layer),
          f"layer: got {layer!r}, expected one of {sorted(KINDS)}; a user-defined layer cannot be "
          "rebuilt from a file, so save its arrays with files.checkpoint.save_checkpoint")
    if isinstance(layer, Chain):
        return {"kind": kind, "layers": [[name, described(inner)] for name, inner in layer.layers]}
    found: dict[str, Any] = {"kind": kind}
    for field in fields(layer):
        value = vars(layer)[field.name]
        found[field.name] = described(value) if isinstance(value, Layer) else plain(value)
    return found


def plain(value: Any) -> Any:
    """Return a number or a name in a form that JSON can hold."""
    number = value.item() if isinstance(value, np.generic) else value
    return str(number) if isinstance(number, float) and not math.isfinite(number) else number


def layer_of(description: Any, depth: int = 0) -> Layer:
    """Return the layer that described() described; raises ValueError for anything else.

    depth   number of layers that enclose this one
    """
    check(depth < DEEPEST, f"layer: is nested in {depth} others, expected fewer than {DEEPEST}")
    check(not isinstance(description, str),
          f"layer: got {str(description)[:60]!r}, expected a dict with a kind")
    kind = description.get("kind") if isinstance(description, dict) else description
    if not isinstance(kind, str) or kind not in KINDS:
        raise ValueError(f"layer: got the kind {kind!r}, expected one of {sorted(KINDS)}")
    make: Callable[..., Layer] = KINDS[kind]
    values = {name: value for name, value in description.items() if name != "kind"}
    types = {field.name: str(field.type) for field in fields(KINDS[kind])}
    check(values.keys() == types.keys(),
          f"{kind}: got {sorted(values)}, expected {sorted(types)}")
    if issubclass(KINDS[kind], Chain):
        check(isinstance(values["layers"], list)
              and all(isinstance(pair, list) and len(pair) == 2 for pair in values["layers"]),
              f"{kind}: its layers are not a list of pairs (name, layer)")
        return make([(name, layer_of(inner, depth + 1)) for name, inner in values["layers"]])
    found: dict[str, Any] = {}
    for name, value in values.items():
        inside = types[name] == "Layer"
        found[name] = (layer_of(value, depth + 1) if inside else
                       value_of(f"{kind}.{name}", value, types[name]))
    return make(**found)


def value_of(name: str, value: Any, annotation: str) -> Any:
    """Return the value of a field from its description; raises ValueError if it is out of range."""
    if name == "Pad.value" and value in ("inf", "-inf"):
        return float(value)
    check(type(value) in TYPES[annotation], f"{name}: got {value!r}, expected {annotation}")
    check(not isinstance(value, float) or math.isfinite(value),
          f"{name}: got {value}, expected a finite number")
    rungs = ("auto", *RUNGS)
    field = name.split(".")[1]
    check(field != "rung" or value in rungs, f"{name}: got {value!r}, expected one of {rungs}")
    check(field != "keep" or 0 < value <= 1,
          f"{name}: got {value!r}, expected a number above 0 and at most 1")
    check(field not in LEAST or value is None or LEAST[field] <= value < 2 ** 31,
          f"{name}: got {value!r}, expected at least {LEAST.get(field)}")
    return value


def check_sizes(layer: Layer, shape: Shape) -> None:
    """Raise ValueError if a layer's output for one sample is too large, or if layers don't fit.
    """
    for path, _, _, out in layer.rows("", shape):
        check(prod(out) <= MOST_NUMBERS, f"{path or 'layer'}: an output of {prod(out):,} numbers "
                                         f"for one sample, expected at most {MOST_NUMBERS:,}")


def loss_name(loss: Callable[..., Any]) -> str:
    """Return the name in LOSSES of a loss function; raises ValueError if it isn't there."""
    for name, known in LOSSES.items():
        if known is loss:
            return name
    raise ValueError(f"loss: got {loss!r}, expected one of {sorted(LOSSES)}; a user-defined loss "
                     "cannot be found again from a file")
