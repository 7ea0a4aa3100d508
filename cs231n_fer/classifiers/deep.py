"""Deeper networks than the paper's, from the same records: its future work, "more layers and more filters".

Height and width are halved by 2x2 max-pools alone: every convolution is 3x3 with stride 1, which Winograd's kernels
compute.
"""
import numpy as np

from ..fast_layers.losses import softmax_loss_fast
from ..nets.chain import Chain, Residual
from ..nets.network import Network
from ..nets.norms import BatchNorm
from ..nets.records import Affine, Conv, Dropout, GlobalAvgPool, MaxPool, ReLU
from ..nets.sandwich import fuse
from ..shapes import check

FACE_SHAPE = (1, 48, 48)
NUM_EMOTIONS = 7
SCORE_SCALE = 1e-3


def conv_layers(number, filters, batchnorm, size=3, rung="auto"):
    """conv [- batchnorm] - ReLU as (name, layer) pairs with a number in their names."""
    norm = ((f"bn{number}", BatchNorm()),) if batchnorm else ()
    return (f"conv{number}", Conv(filters, size, bias=not batchnorm, rung=rung)), *norm, (f"relu{number}", ReLU(rung))


def convs_and_pool(filters, batchnorm, rung="auto"):
    """conv [- batchnorm] - ReLU for each entry of filters, then a 2x2 max-pool, fused where possible."""
    layers = [layer for i, F in enumerate(filters, start=1) for layer in conv_layers(i, F, batchnorm, rung=rung)]
    return fuse(Chain((*layers, ("pool", MaxPool(rung=rung)))))


def head(hidden_dim, num_classes, dropout_keep_ratio, rung="auto"):
    """From features to scores: a hidden affine layer, or the mean of each channel where hidden_dim is 0.

    Dropout comes right before the scores.
    """
    hidden = (("affine1", Affine(hidden_dim, rung=rung)), ("relu", ReLU(rung))) if hidden_dim else (
        ("average", GlobalAvgPool()),)
    dropout = (("dropout", Dropout(dropout_keep_ratio)),) if dropout_keep_ratio != 1 else ()
    return *hidden, *dropout, ("scores", Affine(num_classes, SCORE_SCALE, rung))


class DeepConvNet(Network):
    """{{conv [- batchnorm] - ReLU} x n - 2x2 max-pool} x blocks, then a hidden layer or global average pooling.

    blocks               for each block the filters of its convolutions, ((32,), (32, 64)): one, then two
    hidden_dim           units of the hidden affine layer; 0: global average pooling (Lin et al. 2014) in its place
    batchnorm            after every convolution, which then has no bias
    dropout_keep_ratio   probability to keep a feature before the scores; 1 means no dropout
    """

    def __init__(self, input_dim=FACE_SHAPE, blocks=((32, 32), (64, 64), (128, 128)), hidden_dim=0,
                 num_classes=NUM_EMOTIONS, batchnorm=True, dropout_keep_ratio=1, reg=0.0, dtype=np.float32, seed=None,
                 loss=softmax_loss_fast, rung="auto", max_params=None):
        check(len(blocks) > 0 and all(blocks), f"blocks: got {blocks!r}, expected at least one convolution in each")
        chains = tuple((f"block{i}", convs_and_pool(filters, batchnorm, rung))
                       for i, filters in enumerate(blocks, start=1))
        layer = Chain((*chains, *head(hidden_dim, num_classes, dropout_keep_ratio, rung)))
        super().__init__(layer, input_dim, loss=loss, reg=reg, dtype=dtype, seed=seed,
                         max_params=max_params)


def residual_block(channels, filters, rung="auto"):
    """ReLU(x + conv-bn-ReLU-conv-bn(x)) (He et al. 2016, figure 2); a 1x1 conv-bn on the short cut changes channels."""
    body = (*conv_layers(1, filters, True, rung=rung), ("conv2", Conv(filters, bias=False, rung=rung)),
            ("bn2", BatchNorm()))
    shortcut = () if channels == filters else (("conv", Conv(filters, 1, bias=False, rung=rung)), ("bn", BatchNorm()))
    return Chain((("sum", Residual(fuse(Chain(body)), Chain(shortcut))), ("relu", ReLU(rung))))


class ResidualNet(Network):
    """conv-bn-ReLU, 2x2 max-pool, then stages of residual blocks with 2x2 max-pools between (He et al. 2016).

    stem                 filters of the first convolution
    stages               for each stage the filters of its blocks, ((32,), (64, 64)): one block, then two
    dropout_keep_ratio   probability to keep a feature before the scores, behind global average pooling
    He et al. halve the size with strides of 2; here a pool does.
    """

    def __init__(self, input_dim=FACE_SHAPE, stem=32, stages=((32,), (64,), (128,)), num_classes=NUM_EMOTIONS,
                 dropout_keep_ratio=1, reg=0.0, dtype=np.float32, seed=None, loss=softmax_loss_fast, rung="auto",
                 max_params=None):
        check(len(stages) > 0 and all(stages), f"stages: got {stages!r}, expected at least one block in each")
        layers, channels = [("stem", convs_and_pool((stem,), True, rung))], stem
        for i, stage in enumerate(stages, start=1):
            if i > 1:
                layers.append((f"pool{i}", MaxPool(rung=rung)))
            for j, filters in enumerate(stage, start=1):
                layers.append((f"stage{i}/block{j}", residual_block(channels, filters, rung)))
                channels = filters
        layer = Chain((*layers, *head(0, num_classes, dropout_keep_ratio, rung)))
        super().__init__(layer, input_dim, loss=loss, reg=reg, dtype=dtype, seed=seed,
                         max_params=max_params)
