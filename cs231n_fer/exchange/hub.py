"""Networks as folders in the layout that model hubs expect.

    config.json         the layers, the preprocessing, and the hash of the weights
    model.safetensors   the weights
    README.md           the model card

Nothing is unpickled: one file is JSON, and the other holds numbers alone.
"""
from __future__ import annotations

import hashlib
import json
from math import prod
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

try:
    from safetensors import numpy as safetensors
except ImportError as error:
    raise ImportError(f"folders for hubs need the library safetensors ({error}); "
                      'pip install "cs231n_fer[safetensors]"') from error

from .. import __version__
from ..classifiers.pretrained import PretrainedNet
from ..files.checkpoint import restore, write_bytes, write_text
from ..files.sealed import plain
from ..nets.description import check_sizes, described, layer_of
from ..nets.network import Network
from ..shapes import check
from ..types import Arrays

__all__ = ["load_folder", "save_folder"]

FORMAT = "cs231n_fer folder 1"
CONFIG = "config.json"
WEIGHTS = "model.safetensors"
CARD = "README.md"

CARD_TEXT = """---
library_name: cs231n_fer
pipeline_tag: image-classification
---
# {name}

    from cs231n_fer.exchange.hub import load_folder

    net = load_folder("path of this folder")
    {call}

{classes}
## Layers

```
{summary}
```
"""


def save_folder(net: Network | PretrainedNet, folder: str | PathLike[str]) -> None:
    """Write a network, or one with its preprocessing, to a folder.

    net      a Network of layers of this package; its loss function is not written
    folder   created if missing; an existing README.md is kept
    Each file is replaced atomically, config.json last. Raises ValueError for a layer that is not of
    this package, and OSError if the folder cannot be written.
    """
    folder = Path(folder)
    model = net.model if isinstance(net, PretrainedNet) else net
    arrays: Arrays = {f"params/{name}": array for name, array in model.params.items()}
    arrays.update({f"buffers/{name}": array for name, array in model.buffers.items()})
    config = config_of(model)
    if isinstance(net, PretrainedNet):
        arrays["mean_image"] = net.info["mean_image"]
        config["info"] = {key: value for key, value in net.info.items() if key != "mean_image"}
        config["id2label"] = {str(i): name for i, name in enumerate(net.class_names)}
    dense = {name: np.ascontiguousarray(array) for name, array in arrays.items()}
    weights = safetensors.save(dense, metadata={"format": "np"})
    config["sha256"] = hashlib.sha256(weights).hexdigest()
    text = json.dumps(config, indent=1, default=plain, allow_nan=False) + "\n"
    write_bytes(folder / WEIGHTS, weights)
    if not (folder / CARD).exists():
        write_text(folder / CARD, card_of(net, model))
    write_text(folder / CONFIG, text)


def config_of(model: Network) -> dict[str, Any]:
    """Return the config of a network; the name of its class is only for human readers."""
    return {
        "format": FORMAT, "library_name": "cs231n_fer", "version": __version__,
        "architectures": [type(model).__name__], "input_shape": list(model.input_shape),
        "dtype": model.dtype.name, "reg": model.reg, "layer": described(model.layer),
        "names": {path: name for path, name in model.names.items() if name != path}}


def card_of(net: Network | PretrainedNet, model: Network) -> str:
    """Return the text of a model card."""
    call = "scores = net.predict(X)    # X: (N, {}), {}".format(
        ", ".join(map(str, model.input_shape)), model.dtype)
    classes = ""
    if isinstance(net, PretrainedNet):
        call = "probabilities = net.predict(images)    # uint8, (N, {}, {})".format(
            *model.input_shape[1:])
        classes = f"Classes: {', '.join(net.class_names)}.\n"
    return CARD_TEXT.format(name=type(model).__name__, call=call, classes=classes,
                            summary=model.summary())


def load_folder(folder: str | PathLike[str]) -> Network | PretrainedNet:
    """Return the Network or PretrainedNet that save_folder wrote to a folder.

    A network of a named class, such as FinalConvNet, comes back as a Network of the same layers and
    parameters. Raises FileNotFoundError if a file is missing, and ValueError for a file of another
    kind or weights other than those that config.json records. A network with more parameters than
    the file of weights is refused before memory is allocated.
    """
    folder = Path(folder)
    for name in (CONFIG, WEIGHTS):
        if not (folder / name).is_file():
            raise FileNotFoundError(f"no {name} in {folder}; expected a folder that save_folder "
                                    "wrote")
    try:
        config = json.loads((folder / CONFIG).read_text(encoding="utf-8"))
        check(isinstance(config, dict) and config.get("format") == FORMAT,
              f"its format is not {FORMAT!r}")
        arrays = weights_of(folder / WEIGHTS, config.get("sha256"))
        model = network_of(config, sum(array.size for array in arrays.values()))
        mean_image = arrays.pop("mean_image", None)
        arrays = {name: array.astype(model.dtype) if array.dtype.kind == "f" else array
                  for name, array in arrays.items()}
        restore(model.params, arrays, "params", WEIGHTS)
        restore(model.buffers, arrays, "buffers", WEIGHTS)
        return model if "info" not in config else pretrained(model, config["info"], mean_image)
    except Exception as error:  # malformed files can raise anything, and nothing else runs here
        raise ValueError(f"{folder} is not a readable folder of save_folder: {error}") from error


def weights_of(path: Path, sha256: object) -> dict[str, NDArray[Any]]:
    """Return the arrays of a file; sha256 is the expected hash of the file, None accepts any."""
    contents = path.read_bytes()
    found = hashlib.sha256(contents).hexdigest()
    check(sha256 in (None, found),
          f"{WEIGHTS} has the hash {found}, but {CONFIG} records another; save the folder again, "
          f"or remove sha256 from {CONFIG} if the weights were changed on purpose")
    arrays: dict[str, NDArray[Any]] = safetensors.load(contents)
    return arrays


def network_of(config: dict[str, Any], most: int) -> Network:
    """Return the Network that a config describes, with at most `most` parameters."""
    shape = config["input_shape"]
    check(isinstance(shape, list) and len(shape) in (1, 3)
          and all(isinstance(side, int) and side > 0 for side in shape),
          f"input_shape: got {shape!r}, expected [C, H, W] or [D]")
    layer = layer_of(config["layer"])
    check_sizes(layer, tuple(shape))
    names = config["names"]
    known, _ = layer.array_shapes(tuple(shape))
    check(isinstance(names, dict) and names.keys() <= known.keys()
          and len({names.get(path, path) for path in known}) == len(known),
          f"names: got {names!r}, expected different names of parameters by path")
    return Network(layer, tuple(shape), reg=config["reg"], dtype=config["dtype"], seed=0,
                   names=names, max_params=most)


def pretrained(model: Network, info: Any, mean_image: NDArray[Any] | None) -> PretrainedNet:
    """Return a network with its preprocessing."""
    check(isinstance(info, dict), f"info: got {info!r}, expected a dictionary")
    names = info.get("class_names")
    classes = prod(model.layer.out_shape(model.input_shape))
    check(isinstance(names, list) and len(names) == classes
          and all(isinstance(name, str) for name in names),
          f"class_names: got {names!r}, expected {classes} strings")
    std = info.get("std")
    check(isinstance(std, int | float) and std > 0, f"std: got {std!r}, expected a positive number")
    expected = model.input_shape[1:]
    check(mean_image is not None and mean_image.shape == expected,
          f"mean_image: got {None if mean_image is None else mean_image.shape}, expected "
          f"{expected}")
    return PretrainedNet(model, {**info, "mean_image": mean_image})
