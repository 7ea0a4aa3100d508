"""A convolutional-network engine written from scratch, for facial expression recognition on
FER2013.

The rooms, in reading order. Each imports only from those before it; its docstring says what it is
for, and how to add one thing more:

    types              names for the types of arguments and results
    shapes             output sizes and argument checks
    arrays/            arrays whose memory is used again, and that share one block of it
    files/             files that are read unchanged or not at all; checkpoints that survive a crash
    layers/            the book: every layer's forward and backward pass, NumPy only
    kernels/           the engine: compiled loops, Numba only, in the small language of vectors/
    faces/             built-in faces, so that everything runs with no download
    layer_utils        the course's sandwiches of layers: the definition of every fused operation
    fast_layers/       the kernels behind the contract of layers/
    optim/             update rules and learning rates
    data_utils/        from what people download to arrays for training
    nets/              layers as frozen records, networks of them, and nets made ready for inference
    classifiers/       the networks of the course and of the paper, deeper ones, and a trained one
    solver/            the training loop, and what belongs to it
    gradient_check/    numeric gradients, and the table of all gradient checks
    analysis/          what a trained net can do, and what it looks at
    vis_utils/         figures, and the report of a finished run
    photos/            faces in photos, and the emotions that they show
    commands/          the command line, a thin layer over the functions of the other rooms
    __main__           python -m cs231n_fer

Importing this package imports none of them.
"""

TYPE_CHECKING = False  # true for type checkers, which know the name; typing need not be imported
if TYPE_CHECKING:
    import os

    from .classifiers.pretrained import PretrainedNet

__version__ = "0.2.0"


def load_pretrained(path: "str | os.PathLike[str] | None" = None) -> "PretrainedNet":
    """Return the trained net with its preprocessing.

    This is classifiers.pretrained.load_pretrained, which is imported when it is called.
    """
    from .classifiers.pretrained import load_pretrained

    return load_pretrained(path)
