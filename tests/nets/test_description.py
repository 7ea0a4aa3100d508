"""Networks that a user composed come back from their files; what is not ours is refused."""
import copy
from dataclasses import dataclass, fields

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cs231n_fer.classifiers import (
    FullyConnectedNet,
    ResidualNet,
    ThreeLayerConvNet,
    TwoLayerNet,
    load_model,
)
from cs231n_fer.files.checkpoint import load_checkpoint, save_checkpoint
from cs231n_fer.layers import l2_svm_loss, softmax_loss
from cs231n_fer.nets import grouped, norms, records, shaping
from cs231n_fer.nets.chain import Chain, Residual
from cs231n_fer.nets.description import KINDS, described, layer_of
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
from cs231n_fer.nets.sandwich import Sandwich, fuse
from cs231n_fer.nets.shaping import Flatten, Pad

SHAPE = (2, 8, 6)
EVERYTHING = Chain((
    Pad(1, -np.inf), MaxPool(3, 1), GroupedConv(4, 2),
    Sandwich((Conv(4), BatchNorm(), ReLU(), MaxPool())), ("more", Conv(4, 1, pad=0, bias=False)),
    Residual(Chain((Conv(4), GroupNorm(2), LeakyReLU(0.1)))), AvgPool(2, 1), Dropout(0.7),
    Flatten(), Chain((Affine(6), LayerNorm(), ReLU())), Affine(3, 1e-2)))


def batch(shape=SHAPE, N=4):
    rng = np.random.default_rng(3)
    return rng.standard_normal((N, *shape)).astype(np.float32), rng.integers(0, 3, N)


def trained(net, shape=SHAPE):
    """Return a net whose parameters and running averages are no longer the initial ones."""
    net.loss(*batch(shape))
    net.params = {name: array + array.dtype.type(0.1) for name, array in net.params.items()}
    return net


@pytest.mark.parametrize("options", [
    {}, {"reg": 0.5, "dtype": np.float64, "loss": l2_svm_loss}, {"names": {"affine1/w": "scores"}}],
    ids=str)
@pytest.mark.parametrize("layer", [EVERYTHING, fuse(EVERYTHING), Affine(3)])
def test_a_composed_net_comes_back_with_the_same_layers_losses_and_scores(tmp_path, layer, options):
    net = trained(Network(layer, SHAPE, seed=0, **options))
    net.save(tmp_path / "net.h5")
    loaded, _ = load_model(tmp_path / "net.h5")
    assert loaded.layer == net.layer and loaded.params.keys() == net.params.keys()
    assert (loaded.reg, loaded.dtype, loaded.loss_function) == (net.reg, net.dtype,
                                                                net.loss_function)
    X, y = batch()
    np.testing.assert_array_equal(loaded.loss(X), net.loss(X))


@pytest.mark.parametrize("net, shape", [
    (TwoLayerNet(96, 5, 3, seed=0), (96,)),
    (FullyConnectedNet([5], 96, 3, normalization="batchnorm", seed=0), (96,)),
    (ThreeLayerConvNet(SHAPE, 3, 3, 5, 3, seed=0), SHAPE),
    (ResidualNet(SHAPE, 3, ((3,),), 3, seed=0), SHAPE)])
def test_a_named_net_takes_its_numbers_back_in_place(tmp_path, net, shape):
    X, _ = batch(shape)
    start = copy.deepcopy(net)
    trained(net, shape).save(tmp_path / "net.h5")
    arrays = dict(start.params)
    assert start.load(tmp_path / "net.h5") is True
    assert all(start.params[name] is array for name, array in arrays.items())
    np.testing.assert_array_equal(start.loss(X), net.loss(X))
    np.testing.assert_array_equal(load_model(tmp_path / "net.h5")[0].loss(X), net.loss(X))


def test_a_file_that_is_missing_is_not_loaded_as_in_the_course(tmp_path):
    assert TwoLayerNet(4, 3, 2, seed=0).load(tmp_path / "none.npy") is False


def test_a_file_of_another_net_changes_nothing(tmp_path):
    FullyConnectedNet([5], 4, 3, seed=0).save(tmp_path / "a.h5")
    net = FullyConnectedNet([5], 4, 3, normalization="batchnorm", seed=1)
    before = copy.deepcopy(net.params)
    with pytest.raises(ValueError, match="holds buffers"):
        net.load(tmp_path / "a.h5")
    with pytest.raises(ValueError, match="holds params"):
        FullyConnectedNet([5, 5], 4, 3, seed=1).load(tmp_path / "a.h5")
    assert all((net.params[name] == array).all() for name, array in before.items())


def test_every_record_of_ours_is_known():
    modules = (records, norms, grouped, shaping)
    ours = {kind for module in modules for kind in vars(module).values()
            if isinstance(kind, type) and issubclass(kind, Layer) and kind.__name__[0] != "_"}
    assert ours - {Layer} <= set(KINDS.values())
    assert all(name == kind.__name__ for name, kind in KINDS.items())


@dataclass(frozen=True)
class Mine(ReLU):
    """A layer of a user."""


class Affine2(Affine):
    """A subclass of ours without fields of its own."""


def my_loss(scores, y):
    return softmax_loss(scores, y)


@pytest.mark.parametrize("make, message", [
    (lambda: Network(Chain((Affine(3), Mine())), (4,)), "layer: got Mine(rung='auto'), expected"),
    (lambda: Network(Affine2(3), (4,)), "layer: got Affine2("),
    (lambda: Network(Chain((Residual(Affine2(4)),)), (4,)), "layer: got Affine2("),
    (lambda: Network(Affine(3), (4,), loss=my_loss), "loss: got <function my_loss")])
def test_what_is_the_users_own_is_refused_before_a_file_is_written(tmp_path, make, message):
    with pytest.raises(ValueError) as error:
        make().save(tmp_path / "net.h5")
    assert str(error.value).startswith(message) and "user-defined" in str(error.value)
    assert not list(tmp_path.iterdir())


def test_a_parameter_of_another_dtype_is_refused(tmp_path):
    net = Network(Affine(3), (4,), seed=0)
    net.params["w"] = np.zeros((4, 3))
    with pytest.raises(ValueError, match=r"params: w is float64, the network has float32; convert "
                                         r"it with astype\(np.float32\)"):
        net.save(tmp_path / "net.h5")


def deep(count):
    """Return the description of a layer inside `count` chains."""
    layer = described(Affine(3))
    for _ in range(count):
        layer = {"kind": "Chain", "layers": [["a", layer]]}
    return layer


ODD = {
    "layer: got the kind 'Mine'": {"layer": {"kind": "Mine"}},
    "layer: got the kind None": {"layer": {}},
    "layer: got the kind 3": {"layer": 3},
    "Affine: got ['units'], expected": {"layer": {"kind": "Affine", "units": 3}},
    "Affine.units: got '3', expected int":
        {"layer": {"kind": "Affine", "units": "3", "weight_scale": None, "rung": "auto"}},
    "Affine.units: got True": {"layer": {"kind": "Affine", "units": True, "weight_scale": None,
                                         "rung": "auto"}},
    "Affine.rung: got 'x'": {"layer": {"kind": "Affine", "units": 3, "weight_scale": None,
                                       "rung": "x"}},
    "LayerNorm.eps: got nan": {"layer": {"kind": "LayerNorm", "eps": float("nan")}},
    "Dropout.keep: got 0": {"layer": {"kind": "Dropout", "keep": 0, "seed": None}},
    "Chain: its layers are not a list": {"layer": {"kind": "Chain", "layers": {}}},
    "loss: got 'exec'": {"loss": "exec"},
    "loss: got []": {"loss": []},
    "input_shape: got 4": {"input_shape": 4},
    "input_shape: got [-4]": {"input_shape": [-4]},
    "names: got {'w': 3}": {"names": {"w": 3}},
    "reg: got inf": {"reg": float("inf")},
    "reg: got '1'": {"reg": "1"},
    "options: got": {"colour": 1},
    "dtype: got int64": {"dtype": "int64"},
    "the network has 3,100,000,000 parameters": {"layer": described(Affine(10 ** 8)),
                                                 "input_shape": [30]},
    "layer: an output of 1,000,000,000 numbers": {"layer": described(Affine(10 ** 9))},
    "layer: is nested in 100 others": {"layer": deep(100)},
    "Affine.units: got 0": {"layer": {**described(Affine(3)), "units": 0}},
    "Pad.value: got 'x'": {"layer": {**described(Pad(1)), "value": "x"}},
}


@pytest.mark.parametrize("message", ODD)
def test_an_odd_description_in_a_file_is_refused_with_its_name(tmp_path, message):
    Network(Affine(3), (4,), seed=0).save(tmp_path / "net.h5")
    arrays, info = load_checkpoint(tmp_path / "net.h5")
    info["model"]["options"] |= ODD[message]
    save_checkpoint(tmp_path / "net.h5", arrays, info)
    with pytest.raises(ValueError) as error:
        load_model(tmp_path / "net.h5")
    expected = f"net.h5: its options do not make a Network: {message}"
    assert expected in str(error.value)


def test_a_description_of_a_thousand_layers_inside_each_other_is_refused(tmp_path):
    net = Network(Affine(3), (4,), seed=0)
    net.save(tmp_path / "net.h5")
    arrays, info = load_checkpoint(tmp_path / "net.h5")
    info["model"]["options"]["layer"] = deep(300)
    save_checkpoint(tmp_path / "net.h5", arrays, info)
    with pytest.raises(ValueError):
        load_model(tmp_path / "net.h5")


SIMPLE = st.one_of(
    st.builds(Affine, st.integers(1, 99), st.none() | st.floats(0, 1)),
    st.builds(Conv, st.integers(1, 9), st.integers(1, 9), st.integers(1, 3),
              st.none() | st.integers(0, 3), st.booleans()),
    st.builds(MaxPool, st.integers(1, 5), st.none() | st.integers(1, 5)),
    st.builds(AvgPool), st.builds(ReLU), st.builds(LeakyReLU, st.floats(-1, 1)),
    st.builds(Dropout, st.floats(0.1, 1), st.none() | st.integers(0, 9)),
    st.builds(BatchNorm, st.floats(1e-9, 1), st.floats(0, 1)), st.builds(LayerNorm),
    st.builds(GroupNorm, st.integers(1, 9)), st.builds(GlobalAvgPool))
LAYERS = st.recursive(SIMPLE, lambda inner: st.one_of(
    st.builds(Chain, st.lists(inner, max_size=4)), st.builds(Residual, inner, inner)), max_leaves=9)


@given(LAYERS)
def test_any_layer_is_what_its_description_makes(layer):
    assert layer_of(described(layer)) == layer


@given(LAYERS)
def test_a_description_names_every_field(layer):
    assert described(layer).keys() == {"kind", *(field.name for field in fields(layer))}


@pytest.mark.parametrize("found", ["Conv", "Chain", {"kind": "Chain", "layers": [["a", "Conv"]]}],
                         ids=str)
def test_the_name_of_a_kind_alone_is_no_description_of_a_layer(found):
    with pytest.raises(ValueError, match="layer: got '.*, expected a dict with a kind"):
        layer_of(found)
