"""From a checkpoint back to any of the named networks, and from one network to another."""
from __future__ import annotations

import math
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np

from ..files.checkpoint import load_checkpoint, restore
from ..nets.description import LOSSES, check_sizes, layer_of
from ..nets.ladder import RUNGS
from ..nets.network import Network
from ..shapes import check
from .cnn import ThreeLayerConvNet
from .deep import DeepConvNet, ResidualNet
from .fc_net import FullyConnectedNet, TwoLayerNet
from .paper import FinalConvNet

__all__ = ["MODELS", "load_model", "warm_start"]

MODELS: dict[str, type[Network]] = {
    "FinalConvNet": FinalConvNet,
    "ThreeLayerConvNet": ThreeLayerConvNet,
    "FullyConnectedNet": FullyConnectedNet,
    "TwoLayerNet": TwoLayerNet,
    "DeepConvNet": DeepConvNet,
    "ResidualNet": ResidualNet,
}

COMPOSED = "Network"  # the kind of a network that Network.save described layer by layer
NOT_IN_A_FILE = ("loss", "names")  # options whose values are no numbers, names and lists


def load_model(path: str | PathLike[str]) -> tuple[Network, dict[str, Any]]:
    """Rebuild the network of a checkpoint that train_final.py or Network.save wrote.

    Returns (model, info). For Network.save, the model is a Network with the same layers
    and names.
    info holds class_names, mean_image and std of the preprocessing, and the settings of the run.
    Raises ValueError if the file is no checkpoint or doesn't say which network it holds. A network
    with more parameters than the file has bytes is refused before its memory is allocated.
    """
    arrays, info = load_checkpoint(path)
    described = info["model"] if isinstance(info.get("model"), dict) else {}
    kind = described.get("kind")
    if not isinstance(kind, str) or kind not in (*MODELS, COMPOSED):
        raise ValueError(f"{path}: holds a network of kind {kind!r}, "
                         f"expected one of {[*sorted(MODELS), COMPOSED]}")
    try:
        model = network_of(kind, described.get("options"), Path(path).stat().st_size)
    except Exception as error:  # odd options can raise anything, and nothing else runs here
        raise ValueError(f"{path}: its options do not make a {kind}: {error}") from error
    # An exported file stores weights in half precision, see pretrained.py.
    arrays = {name: array.astype(model.dtype) if array.dtype == np.float16 else array
              for name, array in arrays.items()}
    restore(model.params, arrays, "params", path)
    restore(model.buffers, arrays, "buffers", path)
    return model, {**info, "mean_image": arrays.get("mean_image")}


def network_of(kind: str, options: Any, max_params: int) -> Network:
    """Return the network of a kind, with options from a file: numbers, names and lists.

    Raises ValueError, or what the network raises for odd options.
    """
    check(isinstance(options, dict), f"options: got {options!r}, expected a dict")
    if kind == COMPOSED:
        return composed_network(options, max_params)
    for name in NOT_IN_A_FILE:
        check(name not in options, f"{name}: got {options.get(name)!r}, expected none in a file")
    keep = options.get("dropout_keep_ratio", 1)
    rung = options.get("rung", "auto")
    check(isinstance(keep, int | float) and 0 < keep <= 1,
          f"dropout_keep_ratio: got {keep!r}, expected a number above 0 and at most 1")
    rungs = ("auto", *RUNGS)
    check(rung in rungs, f"rung: got {rung!r}, expected one of {rungs}")
    # The weights come from the file: the course's nets must not draw from np.random for them.
    seed = options.get("seed")
    options = {**options, "seed": np.random.default_rng() if seed is None else seed}
    return MODELS[kind](**options, max_params=max_params)


def composed_network(options: dict[str, Any], max_params: int) -> Network:
    """Return the network that Network.save described; raises ValueError for odd options."""
    expected = ["dtype", "input_shape", "layer", "loss", "names", "reg"]
    check(sorted(options) == expected, f"options: got {sorted(options)}, expected {expected}")
    loss = options["loss"]
    check(isinstance(loss, str) and loss in LOSSES,
          f"loss: got {loss!r}, expected one of {sorted(LOSSES)}")
    shape = options["input_shape"]
    check(isinstance(shape, list) and all(type(side) is int and side > 0 for side in shape),
          f"input_shape: got {shape!r}, expected a list of positive integers")
    names = options["names"]
    check(isinstance(names, dict) and all(isinstance(name, str) for name in names.values()),
          f"names: got {names!r}, expected a dict of names")
    reg = options["reg"]
    check(isinstance(reg, int | float) and math.isfinite(reg),
          f"reg: got {reg!r}, expected a finite number")
    layer = layer_of(options["layer"])
    check_sizes(layer, tuple(shape))
    return Network(layer, tuple(shape), loss=LOSSES[loss], reg=reg,
                   dtype=options["dtype"], names=names, max_params=max_params)


def warm_start(model: Network, path: str | PathLike[str]) -> str:
    """Initialize a network from the layers of a checkpoint that agree in name and shapes.

    The checkpoint may be of any other network. A layer takes over all its arrays, parameters and
    running averages, or none; arrays are written in place. Returns a sentence that lists the layers
    that were taken over and those that weren't. Raises ValueError if no layer agrees.
    """
    arrays, _ = load_checkpoint(path)
    own = {f"{group}/{name}": array
           for group, held in (("params", model.params), ("buffers", model.buffers))
           for name, array in held.items()}
    layers: dict[str, list[str]] = {}
    for name in own:
        parts = name.split("/")[1:]
        layers.setdefault("/".join(parts[:-1]) or parts[0], []).append(name)
    agree = [layer for layer, names in layers.items()
             if all(name in arrays and arrays[name].shape == own[name].shape for name in names)]
    stored = ", ".join(name for name in arrays if name.startswith("params/"))
    check(agree, f"{path}: no layer agrees in name and shape; "
                 f"the network has {', '.join(layers)}, the checkpoint {stored}")
    for layer in agree:
        for name in layers[layer]:
            own[name][...] = arrays[name]
    rest = ", ".join(layer for layer in layers if layer not in agree)
    sentence = f"started from {Path(path).name}: {', '.join(agree)}"
    return f"{sentence}; newly initialized: {rest}" if rest else sentence
