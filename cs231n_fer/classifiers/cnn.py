"""The course's convolutional network (assignment 2).

As in the course, a star import brings the layers, the fast layers and the sandwiches too.
"""
from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import DTypeLike

from .. import fast_layers, layer_utils, layers
from ..fast_layers import *  # noqa: F403 (names for the star import)
from ..layer_utils import *  # noqa: F403
from ..layers import *  # type: ignore[assignment]  # noqa: F403 (fast_layers names some as well)
from ..nets.chain import Chain
from ..nets.network import LossOptions, Network
from ..nets.records import Affine, Conv, MaxPool, ReLU
from ..nets.sandwich import fuse
from ..types import Shape
from .course_keywords import course_generator
from .fc_net import course_names

if TYPE_CHECKING:
    from typing_extensions import Unpack

__all__ = ["ThreeLayerConvNet"]
__all__ += layers.__all__
__all__ += fast_layers.__all__
__all__ += layer_utils.__all__


class ThreeLayerConvNet(Network):
    """conv - ReLU - 2x2 max-pool - affine - ReLU - affine - softmax, with parameters W1 ... b3.

    input_dim      shape (C, H, W) of one image
    num_filters    filters of the convolution, of filter_size x filter_size
    hidden_dim     units of the hidden affine layer
    num_classes    number of scores
    weight_scale   standard deviation of the initial weights; None: He's rule
    reg, dtype     see Network
    seed           see Network; None draws from NumPy's global generator, as in the course
    rung           of all layers, see nets/ladder.py
    options        loss, max_params: see Network
    The defaults are the course's (assignment 2); baseline_net builds the paper's baseline.
    """

    on_divergence: Literal["raise", "continue"] = "continue"  # as in the course

    def __init__(self, input_dim: Shape = (3, 32, 32), num_filters: int = 32, filter_size: int = 7,
                 hidden_dim: int = 100, num_classes: int = 10,
                 weight_scale: float | None = 1e-3, reg: float = 0.0,
                 dtype: DTypeLike = np.float32, *,
                 seed: int | np.random.Generator | None = None, rung: str = "auto",
                 **options: Unpack[LossOptions]) -> None:
        conv = Conv(num_filters, filter_size, weight_scale=weight_scale, rung=rung)
        layer = fuse(Chain((("conv", conv),
                            ("relu1", ReLU(rung)),
                            ("pool", MaxPool(rung=rung)),
                            ("affine1", Affine(hidden_dim, weight_scale, rung)),
                            ("relu2", ReLU(rung)),
                            ("affine2", Affine(num_classes, weight_scale, rung)))))
        super().__init__(layer, input_dim, names=course_names(layer, input_dim), reg=reg,
                         dtype=dtype, seed=course_generator(seed), **options)
