"""The nets of the paper: its baseline and its final net."""
import numpy as np

from ..fast_layers.losses import softmax_loss_fast
from ..nets.chain import Chain
from ..nets.network import Network
from ..nets.norms import BatchNorm
from ..nets.records import Affine, Conv, Dropout, MaxPool, ReLU
from ..nets.sandwich import Sandwich
from .cnn import ThreeLayerConvNet
from .deep import FACE_SHAPE, NUM_EMOTIONS, SCORE_SCALE


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
