"""Folders for model hubs: what was saved comes back with the same bits, all else is refused."""
import copy
import hashlib
import json

import numpy as np
import pytest
from small_nets import grey, pictures

safetensors = pytest.importorskip("safetensors.numpy")

from cs231n_fer import load_pretrained  # noqa: E402
from cs231n_fer.classifiers import MODELS, FinalConvNet, FullyConnectedNet  # noqa: E402
from cs231n_fer.classifiers.pretrained import PretrainedNet  # noqa: E402
from cs231n_fer.exchange.hub import load_folder, save_folder  # noqa: E402
from cs231n_fer.nets.chain import Chain, Residual  # noqa: E402
from cs231n_fer.nets.description import KINDS, described, layer_of  # noqa: E402
from cs231n_fer.nets.grouped import GroupedConv  # noqa: E402
from cs231n_fer.nets.network import Network  # noqa: E402
from cs231n_fer.nets.norms import BatchNorm, GroupNorm, LayerNorm  # noqa: E402
from cs231n_fer.nets.records import (  # noqa: E402
    Affine,
    AvgPool,
    Conv,
    Dropout,
    GlobalAvgPool,
    LeakyReLU,
    MaxPool,
    ReLU,
)
from cs231n_fer.nets.sandwich import Sandwich  # noqa: E402
from cs231n_fer.nets.shaping import Flatten, Pad  # noqa: E402

FACES = (1, 16, 16)
NETS = {
    "FinalConvNet": lambda: FinalConvNet(FACES, (2, 3, 4, 5), hidden_dim=6, batchnorm=True,
                                         dropout_keep_ratio=0.5, reg=0.1, seed=1),
    "ThreeLayerConvNet": lambda: MODELS["ThreeLayerConvNet"](FACES, 3, 5, 6, 7, seed=1),
    "FullyConnectedNet": lambda: FullyConnectedNet([5, 4], 9, 3, normalization="layernorm",
                                                   dtype=np.float64, seed=1),
    "TwoLayerNet": lambda: MODELS["TwoLayerNet"](12, 10, 5, seed=1),
    "DeepConvNet": lambda: MODELS["DeepConvNet"](FACES, ((3, 4), (4,)), 8, seed=1),
    "ResidualNet": lambda: MODELS["ResidualNet"](FACES, 4, ((4,), (6,)), seed=1),
    "own": lambda: Network(Chain((("pad", Pad(1, -np.inf)), ("pool", MaxPool(3, 1)),
                                  ("conv", GroupedConv(np.int64(4), 2)), ("flat", Flatten()),
                                  ("scores", Affine(3, weight_scale=0.1)))), (2, 5, 4), seed=1),
}


def trained(net):
    """Give a net running averages that are not the initial ones."""
    X = np.random.default_rng(0).standard_normal((5, *net.input_shape))
    net.loss(X, np.arange(5) % 3)
    return net


def test_every_named_network_is_among_the_nets_of_this_file():
    assert set(MODELS) <= set(NETS)


@pytest.mark.parametrize("name", NETS)
def test_a_network_comes_back_with_the_same_bits(name, tmp_path):
    net = trained(NETS[name]())
    save_folder(net, tmp_path / "folder")
    back = load_folder(tmp_path / "folder")
    assert sorted(path.name for path in (tmp_path / "folder").iterdir()) == [
        "README.md", "config.json", "model.safetensors"]
    assert back.layer == net.layer and back.names == net.names and back.reg == net.reg
    assert list(back.params) == list(net.params) and back.dtype == net.dtype
    X = np.random.default_rng(3).standard_normal((4, *net.input_shape)).astype(net.dtype)
    np.testing.assert_array_equal(back.predict(X), net.predict(X))
    y = np.arange(4) % 3
    assert back.loss(X, y)[1].keys() == net.loss(X, y)[1].keys()


def test_the_pretrained_net_comes_back_with_its_preprocessing(tmp_path):
    net = load_pretrained()
    save_folder(net, tmp_path)
    back = load_folder(tmp_path)
    assert isinstance(back, PretrainedNet) and back.class_names == net.class_names
    images = np.random.default_rng(0).integers(0, 256, (3, 48, 48), dtype=np.uint8)
    np.testing.assert_array_equal(back.predict(images), net.predict(images))
    config = json.loads((tmp_path / "config.json").read_text())
    assert config["id2label"]["3"] == net.class_names[3]
    assert config["architectures"] == ["FinalConvNet"] or config["architectures"][0] in MODELS
    card = (tmp_path / "README.md").read_text()
    assert card.startswith("---\nlibrary_name: cs231n_fer\n") and net.class_names[0] in card


def test_the_safetensors_file_is_read_by_its_library_alone(tmp_path):
    net = NETS["FinalConvNet"]()
    save_folder(net, tmp_path)
    arrays = safetensors.load_file(tmp_path / "model.safetensors")
    for name, array in net.params.items():
        np.testing.assert_array_equal(arrays[f"params/{name}"], array)
    assert len(arrays) == len(net.params) + len(net.buffers)


def test_a_card_that_was_edited_is_kept_and_weights_are_replaced(tmp_path):
    save_folder(NETS["TwoLayerNet"](), tmp_path)
    (tmp_path / "README.md").write_text("mine")
    net = MODELS["TwoLayerNet"](12, 10, 5, seed=9)
    save_folder(net, tmp_path)
    assert (tmp_path / "README.md").read_text() == "mine"
    np.testing.assert_array_equal(load_folder(tmp_path).params["W1"], net.params["W1"])


def test_every_record_is_described_by_what_json_holds_and_comes_back_equal():
    conv = Chain((("conv", Conv(3, rung="im2col")), ("relu", ReLU())))
    layers = [Affine(3), AvgPool(3, 1), BatchNorm(eps=1e-3), conv, Conv(np.int32(2), bias=False),
              Dropout(0.25, seed=0), Flatten(), GlobalAvgPool(), GroupNorm(2),
              GroupedConv(4, 2, pad=0, weight_scale=1), LayerNorm(), LeakyReLU(0),
              MaxPool(3, rung="naive"), Pad(0, np.inf), ReLU("fast"), Residual(conv, Chain(())),
              Sandwich(conv.layers)]
    assert {type(layer) for layer in layers} == set(KINDS.values())
    for layer in layers:
        text = json.dumps(described(layer), allow_nan=False)
        back = layer_of(json.loads(text))
        assert back == layer and type(back) is type(layer)


def test_a_layer_of_another_kind_is_refused(tmp_path):
    class Mine(ReLU):
        """A layer of a user."""
    with pytest.raises(ValueError, match="layer: got .*Mine"):
        save_folder(Network(Chain((("mine", Mine()),)), (3,)), tmp_path / "folder")
    assert not (tmp_path / "folder").exists()


def rewrite(folder, change):
    """Change the config of a folder."""
    config = json.loads((folder / "config.json").read_text())
    change(config)
    (folder / "config.json").write_text(json.dumps(config))


def setting(*path, value):
    """A change of one entry of a config, found by its path."""
    def change(config):
        for key in path[:-1]:
            config = config[key]
        config[path[-1]] = value
    return change


def deep(config):
    layer = config["layer"]
    for _ in range(200):
        layer = {"kind": "Chain", "layers": [["inner", layer]]}
    config["layer"] = layer


FIRST = ("layer", "layers", 0, 1, "layers", 0, 1)  # the first convolution
HOSTILE = {
    "another format": (setting("format", value="zip"), "format is not"),
    "an unknown layer": (setting(*FIRST, "kind", value="os.system"), "kind 'os.system'"),
    "no layer": (setting("layer", value=[]), "layer: got"),
    "an unknown setting": (setting(*FIRST, "colour", value=1), "Conv: got .*colour"),
    "a missing setting": (lambda config: setting(*FIRST, value={"kind": "Conv"})(config), "Conv:"),
    "a fraction of a filter": (setting(*FIRST, "filters", value=2.5), "filters: got 2.5"),
    "a truth of a filter": (setting(*FIRST, "filters", value=True), "filters: got True"),
    "no filters": (setting(*FIRST, "filters", value=0), "filters: got 0"),
    "too many filters": (setting(*FIRST, "filters", value=2 ** 30), "numbers for one sample"),
    "too many parameters": (setting("layer", "layers", -1, 1, "units", value=2 ** 20),
                            "max_params"),
    "a text": (setting(*FIRST, "filters", value="2"), "filters: got '2'"),
    "an unknown rung": (setting(*FIRST, "rung", value="cuda"), "rung: got 'cuda'"),
    "layers in layers": (deep, "is nested in 100 others"),
    "huge images": (setting("input_shape", value=[1, 2 ** 20, 2 ** 20]), "numbers for one sample"),
    "no images": (setting("input_shape", value=[]), "input_shape"),
    "a negative side": (setting("input_shape", value=[1, -48, 48]), "input_shape"),
    "another shape": (setting("input_shape", value=[1, 32, 32]), "params/affine1/w|max_params"),
    "other weights": (setting("sha256", value="0" * 64), "save the folder again"),
    "objects": (setting("dtype", value="O"), "dtype"),
    "a negative strength": (setting("reg", value=-1), "reg"),
    "names of others": (setting("names", value={"nobody/w": "W"}), "names: got"),
    "one name for two": (setting("names", value={"affine1/w": "affine2/w"}), "names: got"),
    "too few classes": (setting("info", "class_names", value=["A"]), "class_names: got"),
    "classes in a string": (setting("info", "class_names", value="ABC"), "class_names: got"),
    "no deviation": (setting("info", "std", value=0), "std: got 0"),
    "no preprocessing": (setting("info", value=7), "info: got 7"),
}


@pytest.fixture
def folder(tmp_path):
    """A folder of a small net with preprocessing."""
    info = {"class_names": list("ABC"), "mean_image": np.full((16, 16), 128, np.float32),
            "std": np.float32(60), "best_epoch": 3}
    net = FinalConvNet(FACES, (2, 3, 4, 5), hidden_dim=6, num_classes=3, seed=1)
    save_folder(PretrainedNet(net, info), tmp_path)
    return tmp_path


@pytest.mark.parametrize("what", HOSTILE)
def test_a_hostile_config_gets_one_valueerror(what, folder):
    change, message = HOSTILE[what]
    rewrite(folder, change)
    with pytest.raises(ValueError, match=message):
        load_folder(folder)


def rewrite_weights(folder, change):
    """Change the arrays of a folder, and the hash in its config."""
    arrays = dict(safetensors.load_file(folder / "model.safetensors"))
    change(arrays)
    contents = safetensors.save(arrays)
    (folder / "model.safetensors").write_bytes(contents)
    rewrite(folder, setting("sha256", value=hashlib.sha256(contents).hexdigest()))


ARRAYS = {
    "one less": lambda arrays: arrays.pop("params/affine1/b"),
    "one more": lambda arrays: arrays.update({"params/other": np.zeros(3)}),
    "another shape": lambda arrays: arrays.update({"params/affine1/b": np.zeros(9)}),
    "integers": lambda arrays: arrays.update({"params/affine1/b": np.zeros(6, int)}),
    "no mean image": lambda arrays: arrays.pop("mean_image"),
    "another mean image": lambda arrays: arrays.update({"mean_image": np.zeros((3, 3))}),
}


@pytest.mark.parametrize("what", ARRAYS)
def test_other_arrays_get_one_valueerror(what, folder):
    rewrite_weights(folder, ARRAYS[what])
    with pytest.raises(ValueError, match="not a readable folder"):
        load_folder(folder)


def test_weights_in_half_precision_are_read(folder):
    before = load_folder(folder)

    def halve(arrays):
        arrays.update({name: array.astype(np.float16) for name, array in arrays.items()})
    rewrite_weights(folder, halve)
    back = load_folder(folder)
    assert back.model.params["affine1/w"].dtype == np.float32
    images = grey(np.kron(pictures(3), np.ones((1, 1, 2, 2))))
    # Weights of 11 bits in 6 layers.
    np.testing.assert_allclose(back.predict(images), before.predict(images), atol=6 * 2 ** -10)


CONTENTS = {"empty": b"", "text": b"weights", "a long header": b"\xff" * 7 + b"\x7f" + b"{}",
            "a pickle": b"\x80\x04cos\nsystem\n."}


@pytest.mark.parametrize("file", ["config.json", "model.safetensors"])
@pytest.mark.parametrize("what", CONTENTS)
def test_a_file_of_another_kind_is_refused(file, what, folder):
    (folder / file).write_bytes(CONTENTS[what])
    rewrite_hash = file == "model.safetensors"
    if rewrite_hash:
        rewrite(folder, setting("sha256", value=None))
    with pytest.raises(ValueError, match="not a readable folder"):
        load_folder(folder)


@pytest.mark.parametrize("file", ["config.json", "model.safetensors"])
def test_a_missing_file_is_named(file, folder):
    (folder / file).unlink()
    with pytest.raises(FileNotFoundError, match=file):
        load_folder(folder)


def test_json_that_nests_deeper_than_the_stack_is_refused(folder):
    (folder / "config.json").write_text("[" * 100_000)
    with pytest.raises(ValueError, match="not a readable folder"):
        load_folder(folder)


def test_saving_changes_neither_the_network_nor_its_info(tmp_path):
    net = load_pretrained()
    before = copy.deepcopy(net.info)
    save_folder(net, tmp_path)
    assert net.info.keys() == before.keys()
    np.testing.assert_array_equal(net.info["mean_image"], before["mean_image"])
