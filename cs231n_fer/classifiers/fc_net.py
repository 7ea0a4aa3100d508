"""The course's fully connected networks (assignment 2).

As in the course, a star import brings the layers and the sandwiches too.
"""
from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import DTypeLike

from .. import layer_utils, layers
from ..layer_utils import *  # noqa: F403 (names for the star import)
from ..layers import *  # noqa: F403
from ..nets.chain import Chain, NamedLayer
from ..nets.layer import Layer, check_shapes
from ..nets.network import LossOptions, Network
from ..nets.norms import BatchNorm, LayerNorm
from ..nets.records import Affine, Dropout, ReLU
from ..shapes import check
from ..types import BatchnormParam, DropoutParam, Shape
from .course_keywords import course_generator, keep_ratio, kind_of_norm

if TYPE_CHECKING:
    from typing_extensions import Unpack

__all__ = ["FullyConnectedNet", "TwoLayerNet"]
__all__ += layers.__all__
__all__ += layer_utils.__all__


def course_names(layer: Layer, input_shape: Shape) -> dict[str, str]:
    """Return {path: the course's name}, counted in the order of the layers: W1, b1, W2, b2.

    Raises ValueError if the layers don't fit together.
    """
    check_shapes(layer, input_shape)
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
    reg, dtype, max_params: see Network
    seed           see Network; None draws from NumPy's global generator, as in the course
    """

    on_divergence: Literal["raise", "continue"] = "continue"  # as in the course

    def __init__(self, input_dim: int = 3 * 32 * 32, hidden_dim: int = 100, num_classes: int = 10,
                 weight_scale: float = 1e-3, reg: float = 0.0, *, dtype: DTypeLike = np.float64,
                 seed: int | np.random.Generator | None = None,
                 max_params: int | None = None) -> None:
        layer = Chain((("affine1", Affine(hidden_dim, weight_scale)),
                       ("relu1", ReLU()),
                       ("affine2", Affine(num_classes, weight_scale))))
        names = course_names(layer, (input_dim,))
        super().__init__(layer, (input_dim,), reg=reg, dtype=dtype, seed=course_generator(seed),
                         names=names, max_params=max_params)


class FullyConnectedNet(Network):
    """{affine - [batchnorm or layernorm] - ReLU - [dropout]} x (L - 1) - affine - softmax.

    hidden_dims          sizes of the hidden layers
    input_dim            numbers of one sample
    num_classes          number of scores
    dropout_keep_ratio   probability of keeping a number; 1: no dropout
    normalization        None, "batchnorm" or "layernorm"
    reg, dtype           see Network
    weight_scale         standard deviation of the initial weights
    seed                 of the weights and of the dropout masks, which as in the course are the
                         same ones in every pass; None draws both from NumPy's global generator
    dropout              of the course until 2020, see course_keywords
    use_batchnorm        of the course until 2017
    options              loss, max_params: see Network
    Parameters have the course's names (assignment 2): W1, b1, gamma1, beta1, W2, ...
    """

    on_divergence: Literal["raise", "continue"] = "continue"  # as in the course

    def __init__(self, hidden_dims: Sequence[int], input_dim: int = 3 * 32 * 32,
                 num_classes: int = 10, dropout_keep_ratio: float = 1,
                 normalization: str | None = None, reg: float = 0.0, weight_scale: float = 1e-2,
                 dtype: DTypeLike = np.float32, seed: int | np.random.Generator | None = None, *,
                 dropout: float | None = None, use_batchnorm: bool | None = None,
                 **options: Unpack[LossOptions]) -> None:
        self._keep = keep_ratio(dropout, dropout_keep_ratio, use_batchnorm)
        self._norm = kind_of_norm(use_batchnorm, normalization)
        self._mask_seed = None if isinstance(seed, np.random.Generator) else seed
        norms: dict[str | None, Layer | None] = {
            None: None, "batchnorm": BatchNorm(), "layernorm": LayerNorm()}
        check(self._norm in norms,
              f"normalization: got {normalization!r}, expected one of {list(norms)}")
        norm = norms[self._norm]
        layers: list[NamedLayer] = []
        for i, units in enumerate(hidden_dims, start=1):
            layers.append((f"affine{i}", Affine(units, weight_scale)))
            if norm:
                layers.append((f"norm{i}", norm))
            layers.append((f"relu{i}", ReLU()))
            if self._keep != 1:
                layers.append((f"dropout{i}", Dropout(self._keep, self._mask_seed)))
        scores = Affine(num_classes, weight_scale)
        layer = Chain((*layers, (f"affine{len(hidden_dims) + 1}", scores)))
        self._num_layers = len(hidden_dims) + 1
        super().__init__(layer, (input_dim,), names=course_names(layer, (input_dim,)), reg=reg,
                         dtype=dtype, seed=course_generator(seed), **options)

    @property
    def num_layers(self) -> int:
        """The number of affine layers."""
        return self._num_layers

    @property
    def normalization(self) -> str | None:
        """None, "batchnorm" or "layernorm"."""
        return self._norm

    @property
    def use_dropout(self) -> bool:
        """Whether there are dropout layers."""
        return self._keep != 1

    @property
    def dropout_param(self) -> DropoutParam:
        """The course's dictionary of the dropout layers, {} without them; changes have no effect.
        """
        if not self.use_dropout:
            return {}
        param: DropoutParam = {"mode": "train", "p": self._keep}
        return param if self._mask_seed is None else {**param, "seed": self._mask_seed}

    @property
    def bn_params(self) -> list[BatchnormParam]:
        """The course's dictionaries of the normalization layers, {} for each layernorm.

        The arrays in them are the running averages themselves; what is assigned has no effect.
        """
        if self._norm is None:
            return []
        if self._norm == "layernorm":
            return [{} for _ in range(self._num_layers - 1)]
        return [{"mode": "train", "running_mean": self.buffers[f"norm{i}/running_mean"],
                 "running_var": self.buffers[f"norm{i}/running_var"]}
                for i in range(1, self._num_layers)]
