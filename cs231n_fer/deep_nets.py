"""Deeper networks than the paper's, from the same records: its future work, "more layers and more filters".

Height and width are halved by 2x2 max-pools alone: every convolution is 3x3 with stride 1, which Winograd's kernels
compute.
"""
import numpy as np

from .layers import softmax_loss
from .network import Chain, Network, fuse
from .records import Affine, BatchNorm, Conv, Dropout, GlobalAvgPool, MaxPool, ReLU
from .shapes import check

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
                 loss=softmax_loss, rung="auto"):
        check(len(blocks) > 0 and all(blocks), f"blocks: got {blocks!r}, expected at least one convolution in each")
        chains = tuple((f"block{i}", convs_and_pool(filters, batchnorm, rung))
                       for i, filters in enumerate(blocks, start=1))
        layer = Chain((*chains, *head(hidden_dim, num_classes, dropout_keep_ratio, rung)))
        super().__init__(layer, input_dim, loss=loss, reg=reg, dtype=dtype, seed=seed)
