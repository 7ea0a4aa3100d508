"""The course's convolutional net (assignment 2)."""
import numpy as np

from ..fast_layers.losses import softmax_loss_fast
from ..nets.chain import Chain
from ..nets.network import Network
from ..nets.records import Affine, Conv, MaxPool, ReLU
from ..nets.sandwich import fuse
from .fc_net import course_names


class ThreeLayerConvNet(Network):
    """conv - ReLU - 2x2 max-pool - affine - ReLU - affine - softmax, with the course's W1, b1 ... W3, b3.

    The defaults are the course's (assignment 2); the paper's baseline is baseline_net(). weight_scale None draws by
    He's rule.
    """

    def __init__(self, input_dim=(3, 32, 32), num_filters=32, filter_size=7, hidden_dim=100, num_classes=10,
                 weight_scale=1e-3, reg=0.0, dtype=np.float32, seed=None, loss=softmax_loss_fast, rung="auto",
                 max_params=None):
        layer = fuse(Chain((("conv", Conv(num_filters, filter_size, weight_scale=weight_scale, rung=rung)),
                            ("relu1", ReLU(rung)), ("pool", MaxPool(rung=rung)),
                            ("affine1", Affine(hidden_dim, weight_scale, rung)), ("relu2", ReLU(rung)),
                            ("affine2", Affine(num_classes, weight_scale, rung)))))
        super().__init__(layer, input_dim, loss=loss, reg=reg, dtype=dtype, seed=seed,
                         max_params=max_params, names=course_names(layer, input_dim))
