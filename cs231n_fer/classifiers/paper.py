"""The networks of the paper: its baseline and its final network."""
from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from ..nets.chain import Chain
from ..nets.network import Network, NetworkOptions
from ..nets.norms import BatchNorm
from ..nets.records import Affine, Conv, Dropout, MaxPool, ReLU
from ..nets.sandwich import Sandwich
from ..types import Shape
from .cnn import ThreeLayerConvNet
from .deep import FACE_SHAPE, NUM_EMOTIONS, SCORE_SCALE

if TYPE_CHECKING:
    from typing_extensions import Unpack

__all__ = ["FinalConvNet", "baseline_net"]


def baseline_net(**options: Any) -> ThreeLayerConvNet:
    """Return the paper's baseline (section 3.2): a ThreeLayerConvNet for seven emotions.

    It has 5x5 filters for faces of 48x48 pixels. options are keywords of ThreeLayerConvNet.
    """
    defaults = {"input_dim": FACE_SHAPE, "filter_size": 5, "num_classes": NUM_EMOTIONS,
                "weight_scale": None}
    net = ThreeLayerConvNet(**{**defaults, **options})
    net.on_divergence = "raise"  # a net of the paper, not of the course
    return net


def conv_block(filters: int, batchnorm: bool, size: int = 3, rung: str = "auto") -> Sandwich:
    """Return conv [- batchnorm] - ReLU - 2x2 max-pool, fused: a block of the final network."""
    norm = (("bn", BatchNorm()),) if batchnorm else ()
    return Sandwich((("conv", Conv(filters, size, bias=not batchnorm, rung=rung)),
                     *norm,
                     ("relu", ReLU(rung)),
                     ("pool", MaxPool(rung=rung))))


class FinalConvNet(Network):
    """The paper's final net (section 3.4): {conv - ReLU - pool} x 4 - affine - ReLU - affine.

    input_dim            shape (C, H, W) of one image
    num_filters          filters of the convolution of each block
    filter_size          height and width of a filter
    hidden_dim           units of the hidden affine layer
    num_classes          number of scores
    batchnorm            after every convolution (section 4.2), which then has no bias
    dropout_keep_ratio   probability of keeping a hidden unit; 1: no dropout
    rung                 of all layers, see nets/ladder.py
    options              loss, reg, dtype, seed, max_params: see Network
    Weights are drawn by He's rule except those of the scores, which start near 0, so that the first
    loss is ln 7. With the defaults there are 416,935 parameters.
    """

    def __init__(self, input_dim: Shape = FACE_SHAPE,
                 num_filters: Sequence[int] = (32, 64, 96, 128), filter_size: int = 3,
                 hidden_dim: int = 200, num_classes: int = NUM_EMOTIONS, *,
                 batchnorm: bool = False, dropout_keep_ratio: float = 1, rung: str = "auto",
                 **options: Unpack[NetworkOptions]) -> None:
        blocks = tuple((f"block{i}", conv_block(filters, batchnorm, filter_size, rung))
                       for i, filters in enumerate(num_filters, start=1))
        dropout = () if dropout_keep_ratio == 1 else (("dropout", Dropout(dropout_keep_ratio)),)
        layer = Chain((*blocks,
                       ("affine1", Affine(hidden_dim, rung=rung)),
                       ("relu", ReLU(rung)),
                       *dropout,
                       ("affine2", Affine(num_classes, SCORE_SCALE, rung))))
        super().__init__(layer, input_dim, **options)
