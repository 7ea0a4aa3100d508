"""Networks deeper than the paper's, which are its future work: "more layers and more filters".

Only 2x2 max-pools halve height and width: every convolution is 3x3 with stride 1, which Winograd's
algorithm computes.
"""
from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, TypeAlias

from ..nets.chain import Chain, NamedLayer, Residual
from ..nets.layer import Layer
from ..nets.network import Network, NetworkOptions
from ..nets.norms import BatchNorm
from ..nets.records import Affine, Conv, Dropout, GlobalAvgPool, MaxPool, ReLU
from ..nets.sandwich import fuse
from ..shapes import check
from ..types import Shape

if TYPE_CHECKING:
    from typing_extensions import Unpack

__all__ = ["FACE_SHAPE", "NUM_EMOTIONS", "SCORE_SCALE", "DeepConvNet", "ResidualNet"]

NamedLayers: TypeAlias = tuple[NamedLayer, ...]

FACE_SHAPE = (1, 48, 48)
NUM_EMOTIONS = 7
SCORE_SCALE = 1e-3


def conv_layers(number: int, filters: int, batchnorm: bool, rung: str = "auto") -> NamedLayers:
    """Return 3x3 conv [- batchnorm] - ReLU with a number in their names."""
    norm = ((f"bn{number}", BatchNorm()),) if batchnorm else ()
    conv = Conv(filters, bias=not batchnorm, rung=rung)
    return (f"conv{number}", conv), *norm, (f"relu{number}", ReLU(rung))


def convs_and_pool(filters: Sequence[int], batchnorm: bool, rung: str = "auto") -> Layer:
    """Return {conv [- batchnorm] - ReLU} for each entry of filters, and a 2x2 max-pool, fused."""
    layers = [layer for i, count in enumerate(filters, start=1)
              for layer in conv_layers(i, count, batchnorm, rung)]
    return fuse(Chain((*layers, ("pool", MaxPool(rung=rung)))))


def head(hidden_dim: int, num_classes: int, dropout_keep_ratio: float, rung: str = "auto"
         ) -> NamedLayers:
    """Return the layers from the last feature maps to the scores: hidden layer, dropout, affine.

    hidden_dim 0 replaces the hidden affine layer with the mean of each channel.
    """
    hidden: NamedLayers = (("average", GlobalAvgPool()),)
    if hidden_dim:
        hidden = (("affine1", Affine(hidden_dim, rung=rung)), ("relu", ReLU(rung)))
    dropout = () if dropout_keep_ratio == 1 else (("dropout", Dropout(dropout_keep_ratio)),)
    return *hidden, *dropout, ("scores", Affine(num_classes, SCORE_SCALE, rung))


class DeepConvNet(Network):
    """{{conv [- batchnorm] - ReLU} x n - 2x2 max-pool} x blocks - hidden layer - affine.

    input_dim            shape (C, H, W) of one image
    blocks               the filters of all convolutions of each block: ((32,), (32, 64)) is a block
                         of one convolution, then a block of two
    hidden_dim           units of the hidden affine layer; 0 replaces it with global average pooling
                         (Lin et al. 2014)
    num_classes          number of scores
    batchnorm            after every convolution, which then has no bias
    dropout_keep_ratio   probability of keeping a feature before the scores; 1: no dropout
    rung                 of all layers, see nets/ladder.py
    options              loss, reg, dtype, seed, max_params: see Network
    """

    def __init__(self, input_dim: Shape = FACE_SHAPE,
                 blocks: Sequence[Sequence[int]] = ((32, 32), (64, 64), (128, 128)),
                 hidden_dim: int = 0, num_classes: int = NUM_EMOTIONS, *, batchnorm: bool = True,
                 dropout_keep_ratio: float = 1, rung: str = "auto",
                 **options: Unpack[NetworkOptions]) -> None:
        check(len(blocks) > 0 and all(blocks),
              f"blocks: got {blocks!r}, expected at least one convolution in each")
        chains = tuple((f"block{i}", convs_and_pool(filters, batchnorm, rung))
                       for i, filters in enumerate(blocks, start=1))
        layer = Chain((*chains, *head(hidden_dim, num_classes, dropout_keep_ratio, rung)))
        super().__init__(layer, input_dim, **options)


def residual_block(channels: int, filters: int, rung: str = "auto") -> Chain:
    """Return ReLU(x + conv-bn-ReLU-conv-bn(x)) (He et al. 2016, figure 2).

    Where the number of channels changes, a 1x1 conv-bn on the shortcut changes it too.
    """
    conv = Conv(filters, bias=False, rung=rung)
    body = (*conv_layers(1, filters, True, rung), ("conv2", conv), ("bn2", BatchNorm()))
    shortcut: NamedLayers = ()
    if channels != filters:
        shortcut = (("conv", Conv(filters, 1, bias=False, rung=rung)), ("bn", BatchNorm()))
    return Chain((("sum", Residual(fuse(Chain(body)), Chain(shortcut))), ("relu", ReLU(rung))))


class ResidualNet(Network):
    """conv-bn-ReLU, 2x2 max-pool, then stages of residual blocks (He et al. 2016).

    input_dim            shape (C, H, W) of one image
    stem                 filters of the first convolution
    stages               the filters of the blocks of each stage: ((32,), (64, 64)) is a stage of
                         one block, then a stage of two
    num_classes          number of scores
    dropout_keep_ratio   probability of keeping a feature before the scores, after global average
                         pooling; 1: no dropout
    rung                 of all layers, see nets/ladder.py
    options              loss, reg, dtype, seed, max_params: see Network
    Between stages a 2x2 max-pool halves height and width, where He et al. use a stride of 2.
    """

    def __init__(self, input_dim: Shape = FACE_SHAPE, stem: int = 32,
                 stages: Sequence[Sequence[int]] = ((32,), (64,), (128,)),
                 num_classes: int = NUM_EMOTIONS, *, dropout_keep_ratio: float = 1,
                 rung: str = "auto", **options: Unpack[NetworkOptions]) -> None:
        check(len(stages) > 0 and all(stages),
              f"stages: got {stages!r}, expected at least one block in each")
        layers: list[NamedLayer] = [("stem", convs_and_pool((stem,), True, rung))]
        channels = stem
        for i, stage in enumerate(stages, start=1):
            if i > 1:
                layers.append((f"pool{i}", MaxPool(rung=rung)))
            for j, filters in enumerate(stage, start=1):
                layers.append((f"stage{i}/block{j}", residual_block(channels, filters, rung)))
                channels = filters
        layer = Chain((*layers, *head(0, num_classes, dropout_keep_ratio, rung)))
        super().__init__(layer, input_dim, **options)
