"""Exported files compute what the network computes, in ONNX Runtime and after an import."""
import json
from dataclasses import dataclass

import numpy as np
import pytest
from onnx_graphs import assert_near, onnx, run

from cs231n_fer import load_pretrained
from cs231n_fer.classifiers import (
    DeepConvNet,
    FinalConvNet,
    FullyConnectedNet,
    ResidualNet,
    ThreeLayerConvNet,
    TwoLayerNet,
)
from cs231n_fer.exchange.onnx_export import OPSET, WRITERS, export_onnx
from cs231n_fer.exchange.onnx_import import import_onnx
from cs231n_fer.nets.chain import Chain, Residual
from cs231n_fer.nets.grouped import GroupedConv
from cs231n_fer.nets.layer import Layer
from cs231n_fer.nets.network import Network
from cs231n_fer.nets.norms import BatchNorm, GroupNorm, LayerNorm
from cs231n_fer.nets.records import (
    Affine,
    AvgPool,
    Conv,
    Dropout,
    GlobalAvgPool,
    LeakyReLU,
    MaxPool,
    ReLU,
)
from cs231n_fer.nets.sandwich import fuse
from cs231n_fer.nets.shaping import Flatten, Pad


def own_net():
    """A net of every record."""
    block = Residual(Chain((("conv", Conv(8, bias=False)), ("norm", GroupNorm(2)))),
                     Chain((("conv", Conv(8, 1)), ("bn", BatchNorm()))))
    layers = (("conv", Conv(6, 5, stride=2)), ("bn", BatchNorm(eps=1e-3)), ("relu", ReLU()),
              ("pad", Pad(1, -np.inf)), ("pool", MaxPool(3, 2)), ("block", block),
              ("grouped", GroupedConv(8, 4)), ("wise", GroupedConv(16, 8, 3, 1, 0, bias=False)),
              ("leaky", LeakyReLU(0.2)), ("zeros", Pad(1)), ("mean", AvgPool(2, 1)),
              ("flat", Flatten()), ("ln", LayerNorm()), ("drop", Dropout(0.7)),
              ("twice", Residual(Chain(()))), ("scores", Affine(5)))
    return Network(fuse(Chain(layers)), (3, 22, 18), seed=0)


def averaging_net():
    """A net without an affine layer, whose scores are means of channels."""
    return Network(Chain((("conv", Conv(4)), ("mean", GlobalAvgPool()))), (2, 5, 7), seed=0)


NETS = {
    "FinalConvNet": lambda: FinalConvNet(batchnorm=True, dropout_keep_ratio=0.5, seed=0),
    "ThreeLayerConvNet": lambda: ThreeLayerConvNet(seed=0),
    "FullyConnectedNet": lambda: FullyConnectedNet([9, 8], 7, 4, weight_scale=1, seed=0),
    "layernorm": lambda: FullyConnectedNet([9], 7, 4, normalization="layernorm", weight_scale=1,
                                           seed=0),
    "batchnorm": lambda: FullyConnectedNet([9], 7, 4, normalization="batchnorm", weight_scale=1,
                                           seed=0),
    "TwoLayerNet": lambda: TwoLayerNet(12, 10, 5, weight_scale=1, seed=0),
    "DeepConvNet": lambda: DeepConvNet((1, 16, 16), ((4, 5), (6, 6)), 8, seed=0),
    "ResidualNet": lambda: ResidualNet((1, 16, 16), 4, ((4,), (6, 6)), seed=0),
    "float64": lambda: FinalConvNet((1, 16, 16), (2, 3, 4, 5), hidden_dim=6, dtype=np.float64,
                                    seed=0),
    "own": own_net,
    "averaging": averaging_net,
}


def trained(net):
    """Give a net biases, scales and running averages that are not the initial ones."""
    rng = np.random.default_rng(1)
    for array in net.params.values():
        array += (0.1 * rng.standard_normal(array.shape)).astype(array.dtype)
    for array in net.buffers.values():
        array[...] = rng.uniform(0.5, 2, array.shape)
    return net


def samples(net, N=3):
    return np.random.default_rng(2).standard_normal((N, *net.input_shape)).astype(np.float32)


def test_the_own_net_has_every_record_that_can_be_written():
    kinds = set()

    def collect(layer):
        kinds.add(type(layer))
        layer.replace_inner(lambda inner: collect(inner) or inner)
        for _, inner in getattr(layer, "layers", ()):
            collect(inner)
    collect(own_net().layer)
    collect(averaging_net().layer)
    assert kinds == set(WRITERS)


@pytest.mark.parametrize("name", NETS)
def test_onnx_runtime_computes_the_scores_of_the_network(name, tmp_path):
    net = trained(NETS[name]())
    path = tmp_path / "net.onnx"
    export_onnx(net, path)
    for N in (1, 3):
        X = samples(net, N)
        assert_near(run(path, X), net.predict(X).astype(np.float32))


@pytest.mark.parametrize("name", NETS)
def test_an_exported_network_comes_back_with_the_same_scores(name, tmp_path):
    net = trained(NETS[name]())
    path = tmp_path / "net.onnx"
    export_onnx(net, path)
    back = import_onnx(path)
    X = samples(net)
    assert_near(back.predict(X), net.predict(X).astype(np.float32))
    sizes = {net: sum(array.size for array in net.params.values()) for net in (net, back)}
    assert sizes[back] == sizes[net]
    # The kinds of layers are the same: a Residual without layers has no rows.
    kinds = {net: [type(layer) for _, layer, *_ in net.layer.rows("", net.input_shape)]
             for net in (net, back)}
    assert kinds[back] == kinds[net]


def test_a_file_says_its_opset_its_batch_is_open_and_the_checker_accepts_it(tmp_path):
    export_onnx(own_net(), tmp_path / "net.onnx")
    model = onnx.load(str(tmp_path / "net.onnx"))
    onnx.checker.check_model(model, full_check=True)
    assert [entry.version for entry in model.opset_import] == [OPSET] == [17]
    first = model.graph.input[0]
    axes = first.type.tensor_type.shape.dim
    assert first.name == "x" and axes[0].dim_param
    assert [axis.dim_value for axis in axes[1:]] == [3, 22, 18]
    assert model.graph.output[0].type.tensor_type.shape.dim[1].dim_value == 5


@pytest.mark.parametrize("mirrored", [False, True])
def test_the_pretrained_net_takes_uint8_images_and_returns_its_probabilities(mirrored, tmp_path):
    net = load_pretrained()
    export_onnx(net, tmp_path / "faces.onnx")
    rng = np.random.default_rng(0)
    for N in (1, 4):
        # A few bright blocks, so that images and their mirror images differ.
        images = np.kron(rng.integers(0, 256, (N, 6, 6)), np.ones((8, 8))).astype(np.uint8)
        images = images[..., ::-1] if mirrored else images
        got = run(tmp_path / "faces.onnx", np.ascontiguousarray(images))
        np.testing.assert_allclose(got, net.predict(images), rtol=0, atol=1e-5)
        assert np.abs(net.predict(images, mirror=False) - got).max() > 1e-3
    properties = onnx.load(str(tmp_path / "faces.onnx")).metadata_props
    found = {entry.key: entry.value for entry in properties}
    assert json.loads(found["class_names"]) == list(net.class_names)


def test_a_layer_without_a_counterpart_is_named(tmp_path):
    @dataclass(frozen=True)
    class Sine(Layer):
        def forward(self, params, buffers, x, mode):
            return np.sin(x), x

        def backward(self, dout, cache):
            return dout * np.cos(cache), {}
    net = Network(Chain((("affine", Affine(3)), ("wave", Sine()))), (4,))
    with pytest.raises(ValueError, match="net/wave: a Sine cannot be written as ONNX; expected"):
        export_onnx(net, tmp_path / "net.onnx")
    assert not list(tmp_path.iterdir())
