"""Named networks: the course's (fc_net, cnn), the paper's (paper), deeper ones (deep), a trained
one (pretrained). restore rebuilds networks from checkpoints; course_keywords knows the keywords of
the course's earlier years.

To add a network: a subclass of Network in a module here, and its name in MODELS of restore.py, so
that its checkpoints can be loaded.
"""
from .cnn import ThreeLayerConvNet
from .deep import DeepConvNet, ResidualNet
from .fc_net import FullyConnectedNet, TwoLayerNet
from .paper import FinalConvNet, baseline_net
from .restore import MODELS, load_model, warm_start

__all__ = [
    "DeepConvNet",
    "FinalConvNet",
    "FullyConnectedNet",
    "MODELS",
    "ResidualNet",
    "ThreeLayerConvNet",
    "TwoLayerNet",
    "baseline_net",
    "load_model",
    "warm_start",
]
