"""The named networks: the paper's baseline and final net, the course's fully connected nets, and the way back from a
checkpoint to any of ours."""
from pathlib import Path

import numpy as np

from .checkpoint import load_checkpoint, restore
from .deep_nets import FACE_SHAPE, NUM_EMOTIONS, SCORE_SCALE, DeepConvNet, ResidualNet
from .fast_losses import softmax_loss_fast
from .ladder import RUNGS
from .network import Chain, Network, Sandwich, fuse
from .records import Affine, BatchNorm, Conv, Dropout, LayerNorm, MaxPool, ReLU
from .shapes import check


def course_names(layer, input_shape):
    """Map paths to the names of the course: weights and biases W1, b1, W2..., and gamma1, beta1... in order."""
    params, _ = layer.array_shapes(input_shape)
    letters, counts, names = {"w": "W", "b": "b"}, {}, {}
    for path in params:
        kind = path.split("/")[-1]
        counts[kind] = counts.get(kind, 0) + 1
        names[path] = f"{letters.get(kind, kind)}{counts[kind]}"
    return names


class TwoLayerNet(Network):
    """affine - ReLU - affine - softmax, with the course's parameters W1, b1, W2, b2 (assignment 2)."""

    def __init__(self, input_dim=3 * 32 * 32, hidden_dim=100, num_classes=10, weight_scale=1e-3, reg=0.0,
                 dtype=np.float64, seed=None, max_params=None):
        layer = Chain((("affine1", Affine(hidden_dim, weight_scale)), ("relu1", ReLU()),
                       ("affine2", Affine(num_classes, weight_scale))))
        super().__init__(layer, (input_dim,), reg=reg, dtype=dtype, seed=seed,
                         max_params=max_params, names=course_names(layer, (input_dim,)))


class FullyConnectedNet(Network):
    """{affine - [batchnorm or layernorm] - ReLU - [dropout]} x (L - 1) - affine - softmax (assignment 2).

    hidden_dims          list of the sizes of the hidden layers
    dropout_keep_ratio   probability to keep a value; 1 means no dropout
    normalization        None, "batchnorm" or "layernorm"
    seed                 of the weights; if given, every dropout mask is drawn anew from it, as in the course
    """

    def __init__(self, hidden_dims, input_dim=3 * 32 * 32, num_classes=10, dropout_keep_ratio=1, normalization=None,
                 reg=0.0, weight_scale=1e-2, dtype=np.float32, seed=None,
                 max_params=None):
        norms = {None: None, "batchnorm": BatchNorm(), "layernorm": LayerNorm()}
        check(normalization in norms, f"normalization: got {normalization!r}, expected one of {list(norms)}")
        layers = []
        for i, units in enumerate(hidden_dims, start=1):
            layers.append((f"affine{i}", Affine(units, weight_scale)))
            if normalization:
                layers.append((f"norm{i}", norms[normalization]))
            layers.append((f"relu{i}", ReLU()))
            if dropout_keep_ratio != 1:
                layers.append((f"dropout{i}", Dropout(dropout_keep_ratio, seed)))
        layer = Chain((*layers, (f"affine{len(hidden_dims) + 1}", Affine(num_classes, weight_scale))))
        super().__init__(layer, (input_dim,), reg=reg, dtype=dtype, seed=seed,
                         max_params=max_params, names=course_names(layer, (input_dim,)))


class ThreeLayerConvNet(Network):
    """conv - ReLU - 2x2 max-pool - affine - ReLU - affine - softmax, with the course's W1, b1 ... W3, b3.

    The defaults are the course's (assignment 2); the paper's baseline is baseline_net(). weight_scale None draws by
    He's rule.
    """

    def __init__(self, input_dim=(3, 32, 32), num_filters=32, filter_size=7, hidden_dim=100, num_classes=10,
                 weight_scale=1e-3, reg=0.0, dtype=np.float32, seed=None, loss=softmax_loss_fast, rung="auto",
                 max_params=None):
        layer = fuse(Chain((("conv", Conv(num_filters, filter_size, weight_scale=weight_scale, rung=rung)),
                            ("relu1", ReLU(rung)), ("pool", MaxPool(rung=rung)),
                            ("affine1", Affine(hidden_dim, weight_scale, rung)), ("relu2", ReLU(rung)),
                            ("affine2", Affine(num_classes, weight_scale, rung)))))
        super().__init__(layer, input_dim, loss=loss, reg=reg, dtype=dtype, seed=seed,
                         max_params=max_params, names=course_names(layer, input_dim))


def baseline_net(**options):
    """The paper's baseline, section 3.2: a ThreeLayerConvNet of 5x5 filters on 48x48 faces with seven emotions."""
    return ThreeLayerConvNet(**{"input_dim": FACE_SHAPE, "filter_size": 5, "num_classes": NUM_EMOTIONS,
                                "weight_scale": None, **options})


def conv_block(filters, batchnorm, size=3, rung="auto"):
    """conv [- batchnorm] - ReLU - 2x2 max-pool, fused: one block of the paper's final net."""
    norm = (("bn", BatchNorm()),) if batchnorm else ()
    return Sandwich((("conv", Conv(filters, size, bias=not batchnorm, rung=rung)), *norm,
                     ("relu", ReLU(rung)), ("pool", MaxPool(rung=rung))))


class FinalConvNet(Network):
    """The paper's final net, section 3.4: one conv_block for each entry of num_filters, affine, ReLU, affine.

    num_filters          filters of each block
    hidden_dim           units of the hidden affine layer
    batchnorm            after every convolution (section 4.2), which then has no bias: batchnorm cancels it
    dropout_keep_ratio   probability to keep a hidden unit; 1 means no dropout
    Weights by He's rule, but for the scores, which start near 0: the first loss is ln 7. With the defaults there are
    416,935 parameters.
    """

    def __init__(self, input_dim=FACE_SHAPE, num_filters=(32, 64, 96, 128), filter_size=3, hidden_dim=200,
                 num_classes=NUM_EMOTIONS, batchnorm=False, dropout_keep_ratio=1, reg=0.0, dtype=np.float32, seed=None,
                 loss=softmax_loss_fast, rung="auto", max_params=None):
        blocks = tuple((f"block{i}", conv_block(filters, batchnorm, filter_size, rung))
                       for i, filters in enumerate(num_filters, start=1))
        dropout = (("dropout", Dropout(dropout_keep_ratio)),) if dropout_keep_ratio != 1 else ()
        layer = Chain((*blocks, ("affine1", Affine(hidden_dim, rung=rung)), ("relu", ReLU(rung)), *dropout,
                       ("affine2", Affine(num_classes, SCORE_SCALE, rung))))
        super().__init__(layer, input_dim, loss=loss, reg=reg, dtype=dtype, seed=seed,
                         max_params=max_params)


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
