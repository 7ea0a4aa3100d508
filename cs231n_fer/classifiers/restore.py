"""From a checkpoint back to any of the named networks, and from one network to another."""
from __future__ import annotations

from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np

from ..files.checkpoint import load_checkpoint, restore
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

NOT_IN_A_FILE = ("loss", "names")  # options whose values are no numbers, names and lists


def load_model(path: str | PathLike[str]) -> tuple[Network, dict[str, Any]]:
    """Rebuild the network of a checkpoint that train_final.py wrote; return (model, info).

    info holds class_names, mean_image and std of the preprocessing, and the settings of the run.
    Raises ValueError if the file is no checkpoint or doesn't say which network it holds. A network
    with more parameters than the file has bytes is refused before its memory is allocated.
    """
    arrays, info = load_checkpoint(path)
    described = info["model"] if isinstance(info.get("model"), dict) else {}
    kind = described.get("kind")
    if not isinstance(kind, str) or kind not in MODELS:
        raise ValueError(f"{path}: holds a network of kind {kind!r}, "
                         f"expected one of {sorted(MODELS)}")
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
    for name in NOT_IN_A_FILE:
        check(name not in options, f"{name}: got {options.get(name)!r}, expected none in a file")
    keep = options.get("dropout_keep_ratio", 1)
    rung = options.get("rung", "auto")
    check(isinstance(keep, int | float) and 0 < keep <= 1,
          f"dropout_keep_ratio: got {keep!r}, expected a number above 0 and at most 1")
    rungs = ("auto", *RUNGS)
    check(rung in rungs, f"rung: got {rung!r}, expected one of {rungs}")
    return MODELS[kind](**options, max_params=max_params)


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
