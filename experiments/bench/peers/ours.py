"""cs231n_fer on one rung. The training step is that of Solver.

It also gathers the batch from the training set and checks that the loss is finite, which the steps
of the other engines don't.
"""
import numpy as np

from cs231n_fer import classifiers
from cs231n_fer.classifiers import deep
from cs231n_fer.data_utils.augment import HorizontalFlip
from cs231n_fer.nets.chain import Chain
from cs231n_fer.nets.inference import Predictor
from cs231n_fer.nets.network import Network
from cs231n_fer.nets.norms import BatchNorm
from cs231n_fer.nets.records import Affine, Conv, MaxPool, ReLU
from cs231n_fer.nets.sandwich import fuse
from cs231n_fer.solver import Recipe, Solver

from ..nets import EMOTIONS, FACE_SHAPE, LEARNING_RATE, REG, Net
from ..reference import difference, faces, verdict, worst_difference
from . import Task


def build_network(net, rung, dtype=np.float32):
    """Build the network of a nets.Net on a rung."""
    options = {"reg": REG, "dtype": dtype, "seed": 0, "rung": rung}
    if net.classifier == "FinalConvNet":
        return classifiers.FinalConvNet(num_filters=tuple(filters for filters, in net.blocks),
                                        filter_size=net.size, hidden_dim=net.hidden,
                                        batchnorm=net.batchnorm, **options)
    if net.classifier == "baseline_net":
        (filters,), = net.blocks
        return classifiers.baseline_net(num_filters=filters, filter_size=net.size,
                                        hidden_dim=net.hidden, **options)
    blocks = [(f"block{i}", conv_block(filters, net, rung))
              for i, filters in enumerate(net.blocks, start=1)]
    layer = fuse(Chain((*blocks, ("affine1", Affine(net.hidden, rung=rung)), ("relu", ReLU(rung)),
                        ("affine2", Affine(EMOTIONS, deep.SCORE_SCALE, rung)))))
    return Network(layer, FACE_SHAPE, reg=REG, dtype=dtype, seed=0)


def conv_block(filters, net, rung):
    """Return the Chain of a block: {conv [- batchnorm] - ReLU} x convolutions - 2x2 max-pool."""
    layers = []
    for i, count in enumerate(filters, start=1):
        layers.append((f"conv{i}", Conv(count, net.size, bias=not net.batchnorm, rung=rung)))
        if net.batchnorm:
            layers.append((f"bn{i}", BatchNorm()))
        layers.append((f"relu{i}", ReLU(rung)))
    return Chain((*layers, ("pool", MaxPool(rung=rung))))


def public_names(net, network):
    """Return two dicts from neutral names to ours, of the parameters and of the buffers.

    Only the order and the last part of a path count ("block1/conv/w" is the first w), because fused
    records choose the rest themselves.
    """
    def match(neutral_names, paths):
        by_part = {}
        for path in paths:
            by_part.setdefault(path.split("/")[-1], []).append(path)
        return {name: by_part[name.split("/")[-1]].pop(0) for name in neutral_names}

    params = {neutral: network.names[path]
              for neutral, path in match(net.arrays(), network.names).items()}
    return params, match(net.arrays(buffers=True), network.buffers)


def flops(net):
    """Return the FLOPs of a forward pass of one image, with direct convolutions."""
    network = build_network(net, "im2col")
    return network.layer.flops(network.input_shape)


def build(spec):
    """Return the Task of a spec, which also has `rung` and, for an epoch, `images`."""
    net = Net(**spec["net"])
    network = build_network(net, spec["rung"])
    reference = np.load(spec["reference"]) if spec.get("reference") else None
    if spec["mode"] == "epoch":
        return Task(lambda: train_epoch(network, spec))
    X, y = faces(spec["batch"]) if reference is None else (reference["X"], reference["y"])
    if reference is not None:
        load(network, net, reference)
    if spec["mode"] == "inference":
        predictor = Predictor(network)
        return Task(lambda: predictor(X), lambda: check_scores(predictor, reference))
    solver = Solver(network, {"X_train": X, "y_train": y, "X_val": X, "y_val": y},
                    update_rule="adam", optim_config={"learning_rate": LEARNING_RATE},
                    batch_size=len(X))
    everything = np.arange(len(X))
    # train() would add the accuracies and checkpoints of an epoch to every step.
    return Task(lambda: solver._step(everything, None, 0.0),
                lambda: check_gradients(network, net, reference))


def load(network, net, reference):
    """Copy a reference's parameters and buffers to the network, in the network's memory layout."""
    params, buffers = public_names(net, network)
    for neutral, name in params.items():
        array = np.empty_like(network.params[name])
        array[...] = reference[f"params/{neutral}"]
        network.params[name] = array
    for neutral, path in buffers.items():
        network.buffers[path][...] = reference[f"buffers/{neutral}"]


def check_scores(predictor, reference):
    """Compare test-time scores with the reference."""
    if reference is None:
        return {}
    return verdict([{"error": difference(predictor(reference["X"]), reference["scores"]),
                     "at": "scores"}])


def check_gradients(network, net, reference):
    """Compare loss and gradients with the reference, and load its parameters again."""
    if reference is None:
        return {}
    load(network, net, reference)
    loss, grads = network.loss(reference["X"], reference["y"])
    params, _ = public_names(net, network)
    checks = [{"error": difference(loss, reference["loss"]), "at": "loss"},
              worst_difference({neutral: grads[name] for neutral, name in params.items()},
                               reference, "grads")]
    load(network, net, reference)
    return verdict(checks)


def train_epoch(network, spec):
    """Train for one epoch on spec["images"] faces, with flips."""
    X, y = faces(spec["images"])
    data = {"X_train": X, "y_train": y, "X_val": X[:100], "y_val": y[:100]}
    Solver(network, data, update_rule="adam", optim_config={"learning_rate": LEARNING_RATE},
           batch_size=spec["batch"], num_epochs=1, num_train_samples=100,
           recipe=Recipe(augmentation=HorizontalFlip()), verbose=False).train()
