"""A convolutional-network engine written from scratch, for facial expression recognition on
FER2013.

The rooms in reading order. Each room imports only from those before it; its docstring says what it
is for and how to extend it:

    types              names for the types of arguments and results
    shapes             output sizes and argument checks
    layers/            the book: the forward and backward pass of every layer, in NumPy alone
    layer_utils        sandwiches of layers, as in the course: the definitions of fused operations
    im2col             layers/im2col with the names and arguments of the course
    arrays/            arrays in memory that is reused, and arrays that share one block of memory
    kernels/           the engine: compiled loops, in Numba alone, written with vectors/
    fast_layers/       compiled layers: kernels with the interface of layers/
    optim/             update rules and learning-rate schedules
    files/             files that are read intact or not at all; crash-safe checkpoints
    faces/             synthetic faces, so that everything runs without a download
    data_utils/        from downloaded files to arrays for training
    nets/              layers as frozen records, networks made of them, and fast inference
    classifiers/       the networks of the course and of the paper, deeper ones, and a trained one
    solver/            the training loop and its parts
    gradient_check/    numerical gradients, and the table of all gradient checks
    analysis/          metrics of a trained network, and what it looks at
    vis_utils/         figures, and the report of a finished run
    photos/            faces in photos, and the emotions that they show
    exchange/          ONNX files, scikit-learn and model hubs; needs extras, see its docstring
    web/               a page in the browser that shows it live; needs an extra, see its docstring
    commands/          the command line, a thin layer over the functions of the other rooms
    __main__           python -m cs231n_fer

Importing this package imports none of them; `cs231n_fer.layers` imports a room when it is named.
"""
from importlib import import_module

TYPE_CHECKING = False  # true for type checkers, which know the name; typing need not be imported
if TYPE_CHECKING:
    import os
    from typing import Any

    from .classifiers.pretrained import PretrainedNet

__all__ = ["__version__", "load_pretrained"]

__version__ = "0.3.0"

ROOMS = frozenset((
    "analysis", "arrays", "classifiers", "commands", "data_utils", "exchange", "faces",
    "fast_layers", "files", "gradient_check", "im2col", "kernels", "layer_utils", "layers", "nets",
    "optim", "photos", "shapes", "solver", "types", "vis_utils", "web"))


def load_pretrained(path: "str | os.PathLike[str] | None" = None) -> "PretrainedNet":
    """Return the trained network with its preprocessing.

    This calls classifiers.pretrained.load_pretrained, which is imported on the first call.
    """
    from .classifiers.pretrained import load_pretrained

    return load_pretrained(path)


def __getattr__(name: str) -> "Any":
    """Import a room when it is first named: importing all of them takes 1.5 seconds."""
    if name in ROOMS:
        return import_module(f"{__name__}.{name}")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}; "
                         "help(cs231n_fer) lists its rooms")
