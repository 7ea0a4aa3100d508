"""The course's fully connected networks (assignment 2)."""
from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import DTypeLike

from ..nets.chain import Chain, NamedLayer
from ..nets.layer import Layer
from ..nets.network import Network, NetworkOptions
from ..nets.norms import BatchNorm, LayerNorm
from ..nets.records import Affine, Dropout, ReLU
from ..shapes import check
from ..types import Shape

if TYPE_CHECKING:
    from typing_extensions import Unpack

__all__ = ["FullyConnectedNet", "TwoLayerNet"]


def course_names(layer: Layer, input_shape: Shape) -> dict[str, str]:
    """Return {path: the course's name}, counted in the order of the layers: W1, b1, W2, b2."""
    params, _ = layer.array_shapes(input_shape)
    letters = {"w": "W"}
    counts: Counter[str] = Counter()
    names = {}
    for path in params:
        kind = path.split("/")[-1]
        counts[kind] += 1
        names[path] = f"{letters.get(kind, kind)}{counts[kind]}"
    return names


class TwoLayerNet(Network):
    """affine - ReLU - affine - softmax, with parameters W1, b1, W2, b2 (assignment 2).

    input_dim      numbers of one sample
    hidden_dim     units of the hidden layer
    num_classes    number of scores
    weight_scale   standard deviation of the initial weights
    reg, dtype, seed, max_params: see Network
    """

    on_divergence: Literal["raise", "continue"] = "continue"  # as in the course

    def __init__(self, input_dim: int = 3 * 32 * 32, hidden_dim: int = 100, num_classes: int = 10,
                 *, weight_scale: float = 1e-3, reg: float = 0.0, dtype: DTypeLike = np.float64,
                 seed: int | None = None, max_params: int | None = None) -> None:
        layer = Chain((("affine1", Affine(hidden_dim, weight_scale)),
                       ("relu1", ReLU()),
                       ("affine2", Affine(num_classes, weight_scale))))
        names = course_names(layer, (input_dim,))
        super().__init__(layer, (input_dim,), reg=reg, dtype=dtype, seed=seed, names=names,
                         max_params=max_params)


class FullyConnectedNet(Network):
    """{affine - [batchnorm or layernorm] - ReLU - [dropout]} x (L - 1) - affine - softmax.

    hidden_dims          sizes of the hidden layers
    input_dim            numbers of one sample
    num_classes          number of scores
    dropout_keep_ratio   probability of keeping a number; 1: no dropout
    normalization        None, "batchnorm" or "layernorm"
    weight_scale         standard deviation of the initial weights
    options              loss, reg, dtype, seed, max_params: see Network; as in the course, a seed
                         also fixes the dropout masks, the same ones in every pass
    Parameters have the course's names (assignment 2): W1, b1, gamma1, beta1, W2, ...
    """

    on_divergence: Literal["raise", "continue"] = "continue"  # as in the course

    def __init__(self, hidden_dims: Sequence[int], input_dim: int = 3 * 32 * 32,
                 num_classes: int = 10, dropout_keep_ratio: float = 1, *,
                 normalization: str | None = None, weight_scale: float = 1e-2,
                 **options: Unpack[NetworkOptions]) -> None:
        norms: dict[str | None, Layer | None] = {
            None: None, "batchnorm": BatchNorm(), "layernorm": LayerNorm()}
        check(normalization in norms,
              f"normalization: got {normalization!r}, expected one of {list(norms)}")
        norm = norms[normalization]
        layers: list[NamedLayer] = []
        for i, units in enumerate(hidden_dims, start=1):
            layers.append((f"affine{i}", Affine(units, weight_scale)))
            if norm:
                layers.append((f"norm{i}", norm))
            layers.append((f"relu{i}", ReLU()))
            if dropout_keep_ratio != 1:
                layers.append((f"dropout{i}", Dropout(dropout_keep_ratio, options.get("seed"))))
        scores = Affine(num_classes, weight_scale)
        layer = Chain((*layers, (f"affine{len(hidden_dims) + 1}", scores)))
        names = course_names(layer, (input_dim,))
        super().__init__(layer, (input_dim,), names=names, **options)
