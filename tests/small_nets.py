"""Small nets and 8 x 8 pictures for the tests of threads and copies."""
import numpy as np

from cs231n_fer.classifiers import FinalConvNet
from cs231n_fer.classifiers.pretrained import PretrainedNet
from cs231n_fer.nets.chain import Chain, Residual
from cs231n_fer.nets.network import Network
from cs231n_fer.nets.norms import BatchNorm, GroupNorm
from cs231n_fer.nets.records import Affine, Conv, Dropout, GlobalAvgPool, LeakyReLU, MaxPool, ReLU


def final_net(seed=0, **options):
    """Return a small net of all sandwiches, with running averages that are not the initial ones."""
    net = FinalConvNet((1, 8, 8), (4, 6), hidden_dim=8, num_classes=3, batchnorm=True, seed=seed,
                       **options)
    net.loss(pictures(9), np.arange(9) % 3)
    return net


def mixed_net():
    """A net with layers of every kind that a Predictor runs in its own way, and of those that it
    runs as they are."""
    body = Chain((("conv", Conv(4)), ("norm", GroupNorm(2)), ("relu", LeakyReLU())))
    layers = (("conv", Conv(4)), ("bn", BatchNorm(eps=0.1)), ("relu", ReLU()), ("pool", MaxPool()),
              ("res", Residual(body)), ("drop", Dropout(0.5)), ("relu2", ReLU()),
              ("mean", GlobalAvgPool()), ("scores", Affine(3)))
    return Network(Chain(layers), (1, 8, 8), seed=1)


def pictures(n, seed=0):
    """Return noise (n, 1, 8, 8)."""
    return np.random.default_rng(seed).standard_normal((n, 1, 8, 8)).astype(np.float32)


def packaged(net):
    """Return the PretrainedNet of a net."""
    return PretrainedNet(net, {"class_names": list("ABC"),
                               "mean_image": np.full((8, 8), 128, np.float32), "std": 60.0})


def grey(X):
    """Return pictures in the format that PretrainedNet takes."""
    return np.clip(40 * X[:, 0] + 128, 0, 255).astype(np.uint8)
