"""Layers as JSON and back: the kind of a record and its hyperparameters, nested as the layers are.

    {"kind": "Conv", "filters": 32, "size": 3}
    {"kind": "Chain", "layers": [["conv", {...}], ["relu", {...}]]}

Settings that are the defaults are left out. Numbers that JSON doesn't have are strings: "-inf".
"""
from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import MISSING, fields
from math import prod
from typing import Any

import numpy as np

from ..nets.chain import Chain, Residual
from ..nets.grouped import GroupedConv
from ..nets.ladder import RUNGS
from ..nets.layer import Layer
from ..nets.norms import BatchNorm, GroupNorm, LayerNorm
from ..nets.records import (
    Affine,
    AvgPool,
    Conv,
    Dropout,
    GlobalAvgPool,
    LeakyReLU,
    MaxPool,
    ReLU,
)
from ..nets.sandwich import Sandwich
from ..nets.shaping import Flatten, Pad
from ..shapes import check
from ..types import Shape

__all__ = ["LAYERS", "MOST_NUMBERS", "check_sizes", "described", "layer_of"]

MOST_NUMBERS = 2 ** 28  # in the output of a layer for one sample: 1 GiB in float32
DEEPEST = 100           # layers within layers
# The settings that are integers, and their smallest values; None is allowed as well.
LEAST = {"filters": 1, "groups": 1, "size": 1, "stride": 1, "units": 1, "pad": 0, "seed": 0}

LAYERS: Mapping[str, type[Layer]] = {kind.__name__: kind for kind in (
    Affine, AvgPool, BatchNorm, Chain, Conv, Dropout, Flatten, GlobalAvgPool, GroupNorm,
    GroupedConv, LayerNorm, LeakyReLU, MaxPool, Pad, ReLU, Residual, Sandwich)}


def described(layer: Layer) -> dict[str, Any]:
    """Return a layer as what JSON can hold; raises ValueError for one that is not in LAYERS."""
    kind = type(layer).__name__
    check(LAYERS.get(kind) is type(layer),
          f"a {kind} cannot be described; expected one of {', '.join(LAYERS)}")
    found: dict[str, Any] = {"kind": kind}
    for field in fields(layer):
        value = vars(layer)[field.name]
        if field.default is MISSING or value != field.default:
            found[field.name] = plain(value)
    return found


def plain(value: Any) -> Any:
    """Return a setting of a layer as what JSON can hold."""
    if isinstance(value, Layer):
        return described(value)
    if isinstance(value, tuple):
        return [[name, described(layer)] for name, layer in value]
    if isinstance(value, np.generic):
        value = value.item()
    return str(value) if isinstance(value, float) and not math.isfinite(value) else value


def layer_of(found: Any, depth: int = 0) -> Layer:
    """Return the layer that `described` described; raises ValueError for anything else."""
    check(isinstance(found, dict) and depth < DEEPEST,
          f"layer: got {str(found)[:60]}, expected a dictionary with a kind and settings, in at "
          f"most {DEEPEST} others")
    kind = found.get("kind")
    check(isinstance(kind, str) and kind in LAYERS,
          f"kind: got {kind!r}, expected one of {', '.join(LAYERS)}")
    settings = {name: setting_of(name, value, depth) for name, value in found.items()
                if name != "kind"}
    try:
        return LAYERS[str(kind)](**settings)
    except (TypeError, AttributeError) as error:  # of missing, unknown or odd settings
        raise ValueError(f"{kind}: {error}") from error


def setting_of(name: str, value: Any, depth: int) -> Any:
    """Return a setting of a layer: a number, the name of a rung, a layer, or a tuple of layers."""
    if isinstance(value, dict):
        return layer_of(value, depth + 1)
    if isinstance(value, list):
        check(all(isinstance(pair, list) and len(pair) == 2 and isinstance(pair[0], str)
                  for pair in value), f"{name}: expected pairs of a name and a layer")
        return tuple((inner, layer_of(layer, depth + 1)) for inner, layer in value)
    if name == "rung":
        check(value in ("auto", *RUNGS), f"rung: got {value!r}, expected 'auto' or one of {RUNGS}")
        return value
    if value in ("inf", "-inf"):
        return float(value)
    if name in LEAST:
        good = value is None or (type(value) is int and LEAST[name] <= value < 2 ** 31)
        check(good, f"{name}: got {value!r}, expected an integer of at least {LEAST[name]}")
    check(value is None or isinstance(value, bool | int | float),
          f"{name}: got {value!r}, expected a number")
    return value


def check_sizes(layer: Layer, shape: Shape) -> None:
    """Raise ValueError if the output of a layer is larger than memory, for one sample of a shape.

    That is also the error of layers that don't fit together.
    """
    for path, _, _, out in layer.rows("", shape):
        check(prod(out) <= MOST_NUMBERS, f"{path}: an output of {prod(out):,} numbers for one "
                                         f"sample, expected at most {MOST_NUMBERS:,}")
