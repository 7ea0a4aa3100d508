"""The way back from a checkpoint to any of our networks, and from one network to another."""
from pathlib import Path

import numpy as np

from ..files.checkpoint import load_checkpoint, restore
from ..nets.ladder import RUNGS
from ..shapes import check
from .cnn import ThreeLayerConvNet
from .deep import DeepConvNet, ResidualNet
from .fc_net import FullyConnectedNet, TwoLayerNet
from .paper import FinalConvNet

MODELS = {"FinalConvNet": FinalConvNet, "ThreeLayerConvNet": ThreeLayerConvNet,
          "FullyConnectedNet": FullyConnectedNet, "TwoLayerNet": TwoLayerNet, "DeepConvNet": DeepConvNet,
          "ResidualNet": ResidualNet}


def load_model(path):
    """Rebuild the network that a checkpoint of train_final.py holds; returns (model, info).

    info holds class_names, mean_image and std of the preprocessing, and the settings of the run.
    Raises ValueError if the file is no checkpoint or doesn't say which network it holds. A
    network of more numbers than the file has bytes is refused before memory is taken for it.
    """
    arrays, info = load_checkpoint(path)
    described = info["model"] if isinstance(info.get("model"), dict) else {}
    kind = described.get("kind")
    check(isinstance(kind, str) and kind in MODELS,
          f"{path}: holds a network of kind {kind!r}, expected one of {sorted(MODELS)}")
    try:
        model = network_of(kind, described.get("options"), Path(path).stat().st_size)
    except Exception as error:  # whatever odd options lead to; nothing else is at work here
        raise ValueError(f"{path}: its options do not make a {kind}: {error}") from error
    # Half precision is a way to store weights (pretrained.py): they are multiplied in the precision of the net.
    arrays = {name: array.astype(model.dtype) if array.dtype == np.float16 else array for name, array in arrays.items()}
    restore(model.params, arrays, "params", path)
    restore(model.buffers, arrays, "buffers", path)
    return model, {**info, "mean_image": arrays.get("mean_image")}


def network_of(kind, options, max_params):
    """Return the network of a kind whose options are those of a file: numbers, names and lists."""
    check(isinstance(options, dict), f"options: got {options!r}, expected a dict")
    check("loss" not in options, f"loss: got {options.get('loss')!r}, expected none in a file")
    keep, rung = options.get("dropout_keep_ratio", 1), options.get("rung", "auto")
    check(isinstance(keep, int | float) and 0 < keep <= 1,
          f"dropout_keep_ratio: got {keep!r}, expected a number above 0 and at most 1")
    check(rung in ("auto", *RUNGS), f"rung: got {rung!r}, expected one of {('auto', *RUNGS)}")
    return MODELS[kind](**options, max_params=max_params)


def warm_start(model, path):
    """Let a network start from a checkpoint of any other: layers whose name and shapes agree take over its arrays.

    A layer takes over all its arrays, weights and running averages, or none. Returns a sentence that says which layers
    did and which did not. Raises ValueError where no layer agrees.
    """
    arrays, _ = load_checkpoint(path)
    own = {f"{group}/{name}": array for group, held in (("params", model.params), ("buffers", model.buffers))
           for name, array in held.items()}
    layers = {}
    for name in own:
        parts = name.split("/")[1:]
        layers.setdefault("/".join(parts[:-1]) or parts[0], []).append(name)
    agree = [layer for layer, names in layers.items()
             if all(name in arrays and arrays[name].shape == own[name].shape for name in names)]
    check(agree, f"{path}: no layer agrees in name and shape; the network has {', '.join(layers)}, "
                 f"the checkpoint {', '.join(name for name in arrays if name.startswith('params/'))}")
    for name in (name for layer in agree for name in layers[layer]):
        own[name][...] = arrays[name]
    rest = [layer for layer in layers if layer not in agree]
    return f"started from {Path(path).name}: {', '.join(agree)}" + (f"; anew: {', '.join(rest)}" if rest else "")
