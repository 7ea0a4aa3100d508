"""The course's convolutional network (assignment 2)."""
from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from ..nets.chain import Chain
from ..nets.network import Network, NetworkOptions
from ..nets.records import Affine, Conv, MaxPool, ReLU
from ..nets.sandwich import fuse
from ..types import Shape
from .fc_net import course_names

if TYPE_CHECKING:
    from typing_extensions import Unpack

__all__ = ["ThreeLayerConvNet"]


class ThreeLayerConvNet(Network):
    """conv - ReLU - 2x2 max-pool - affine - ReLU - affine - softmax, with parameters W1 ... b3.

    input_dim      shape (C, H, W) of one image
    num_filters    filters of the convolution, of filter_size x filter_size
    hidden_dim     units of the hidden affine layer
    num_classes    number of scores
    weight_scale   standard deviation of the initial weights; None: He's rule
    rung           of all layers, see nets/ladder.py
    options        loss, reg, dtype, seed, max_params: see Network
    The defaults are the course's (assignment 2); baseline_net builds the paper's baseline.
    """

    on_divergence: Literal["raise", "continue"] = "continue"  # as in the course

    def __init__(self, input_dim: Shape = (3, 32, 32), num_filters: int = 32, filter_size: int = 7,
                 hidden_dim: int = 100, num_classes: int = 10, *,
                 weight_scale: float | None = 1e-3, rung: str = "auto",
                 **options: Unpack[NetworkOptions]) -> None:
        conv = Conv(num_filters, filter_size, weight_scale=weight_scale, rung=rung)
        layer = fuse(Chain((("conv", conv),
                            ("relu1", ReLU(rung)),
                            ("pool", MaxPool(rung=rung)),
                            ("affine1", Affine(hidden_dim, weight_scale, rung)),
                            ("relu2", ReLU(rung)),
                            ("affine2", Affine(num_classes, weight_scale, rung)))))
        super().__init__(layer, input_dim, names=course_names(layer, input_dim), **options)
