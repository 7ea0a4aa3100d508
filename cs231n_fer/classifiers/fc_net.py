"""The course's fully connected nets (assignment 2)."""
import numpy as np

from ..nets.chain import Chain
from ..nets.network import Network
from ..nets.norms import BatchNorm, LayerNorm
from ..nets.records import Affine, Dropout, ReLU
from ..shapes import check


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
