"""Tests of the named networks: sizes of the paper, names of the course, options, checkpoints."""
import math
import tracemalloc

import numpy as np
import pytest

from cs231n_fer.classifiers import (
    MODELS,
    FinalConvNet,
    FullyConnectedNet,
    ThreeLayerConvNet,
    TwoLayerNet,
    baseline_net,
    load_model,
    warm_start,
)
from cs231n_fer.fast_layers.losses import softmax_loss_fast
from cs231n_fer.files.checkpoint import save_checkpoint
from cs231n_fer.layers import l2_svm_loss
from cs231n_fer.optim import adam


def count(model):
    return sum(array.size for array in model.params.values())


def final_net_size(filters=(32, 64, 96, 128), size=3, hidden=200, classes=7, batchnorm=False,
                   side=48):
    """Return the number of parameters of the final net, counted by hand."""
    total, channels = 0, 1
    for F in filters:
        total += F * channels * size ** 2 + (2 * F if batchnorm else F)
        channels = F
        side = side // 2
    return total + (channels * side ** 2 + 1) * hidden + (hidden + 1) * classes


@pytest.mark.parametrize("options, by_hand, expected", [
    ({}, {}, 416_935),
    ({"batchnorm": True}, {"batchnorm": True}, 417_255),
    ({"num_filters": (8, 16), "hidden_dim": 30}, {"filters": (8, 16), "hidden": 30}, 70_615),
    ({"filter_size": 5, "num_classes": 10, "num_filters": [4]},
     {"filters": (4,), "size": 5, "classes": 10}, 463_114),
])
def test_the_final_net_has_the_papers_number_of_parameters(options, by_hand, expected):
    model = FinalConvNet(**options)
    assert count(model) == final_net_size(**by_hand) == expected
    assert f"{expected:,}" in model.summary().splitlines()[-1]


def test_weights_start_by_hes_rule_but_those_of_the_scores_start_near_0():
    for name, w in FinalConvNet(seed=0).params.items():
        if name.endswith("/w"):
            fan_in = w[0].size if w.ndim == 4 else len(w)
            deviation = 1e-3 if name == "affine2/w" else (2 / fan_in) ** 0.5
            # Six standard errors
            assert abs(w.std() / deviation - 1) < 6 / (2 * w.size) ** 0.5, name


def test_the_baseline_is_the_papers():
    model = baseline_net(seed=0)
    assert {name: array.shape for name, array in model.params.items()} == {
        "W1": (32, 1, 5, 5), "b1": (32,), "W2": (32 * 24 * 24, 100), "b2": (100,), "W3": (100, 7),
        "b3": (7,)}
    assert model.loss(np.zeros((2, 1, 48, 48))).shape == (2, 7)


def test_the_final_net_names_its_parameters_by_block_and_has_no_bias_before_a_batchnorm():
    tail = ["affine1/w", "affine1/b", "affine2/w", "affine2/b"]
    assert list(FinalConvNet().params) == [f"block{i}/conv/{name}" for i in (1, 2, 3, 4)
                                           for name in "wb"] + tail
    assert list(FinalConvNet(batchnorm=True).params) == [
        f"block{i}/{name}" for i in (1, 2, 3, 4)
        for name in ("conv/w", "bn/gamma", "bn/beta")] + tail


def test_the_course_names_count_weights_biases_and_norms_in_order():
    model = FullyConnectedNet([4, 5], input_dim=6, num_classes=3, normalization="batchnorm", seed=0)
    assert {name: array.shape for name, array in model.params.items()} == {
        "W1": (6, 4), "b1": (4,), "gamma1": (4,), "beta1": (4,), "W2": (4, 5), "b2": (5,),
        "gamma2": (5,), "beta2": (5,), "W3": (5, 3), "b3": (3,)}
    assert list(FullyConnectedNet([], input_dim=6).params) == ["W1", "b1"]


def small(N=6, shape=(1, 16, 16)):
    rng = np.random.default_rng(0)
    return rng.standard_normal((N, *shape)).astype(np.float32), rng.integers(0, 7, N)


SMALL = {"input_dim": (1, 16, 16), "num_filters": (3, 4, 5, 6), "hidden_dim": 20, "seed": 0}


@pytest.mark.parametrize("options",
                         [{}, {"batchnorm": True}, {"dropout_keep_ratio": 0.8}, {"rung": "naive"},
                                     {"rung": "im2col"}, {"dtype": np.float64}], ids=str)
def test_the_final_net_starts_with_the_loss_of_a_guess_and_learns_a_handful_of_pictures(options):
    X, y = small()
    model = FinalConvNet(**{**SMALL, **options})
    first, grads = model.loss(X, y)
    assert abs(first - np.log(7)) < 0.02  # initial scores are near 0, but not 0
    for name, grad in grads.items():
        assert np.isfinite(grad).all() and grad.dtype == model.dtype, name
    if options.get("rung") == "naive":
        return
    configs = {name: {"learning_rate": 0.01} for name in model.params}
    for _ in range(60):
        _, grads = model.loss(X, y)
        for name, grad in grads.items():
            model.params[name], _ = adam(model.params[name], grad, configs[name])
    assert model.loss(X, y)[0] < first / 2


def test_options_reach_the_net():
    X, y = small()
    base = FinalConvNet(**SMALL)
    for options in ({"seed": 1}, {"reg": 1.0}, {"loss": l2_svm_loss}, {"dropout_keep_ratio": 0.5}):
        assert FinalConvNet(**{**SMALL, **options}).loss(X, y)[0] != base.loss(X, y)[0], options
    assert ThreeLayerConvNet(loss=l2_svm_loss).loss_function is l2_svm_loss
    assert ThreeLayerConvNet().loss_function is TwoLayerNet().loss_function is softmax_loss_fast
    assert TwoLayerNet().dtype == np.float64 and FullyConnectedNet([2]).dtype == np.float32
    with pytest.raises(ValueError, match="normalization: got 'group', expected one of"):
        FullyConnectedNet([3], normalization="group")


SAVED = {
    "FinalConvNet": {**SMALL, "batchnorm": True, "dropout_keep_ratio": 0.7},
    "ThreeLayerConvNet": {"input_dim": (1, 16, 16), "num_filters": 3, "filter_size": 5,
                          "num_classes": 7},
    "FullyConnectedNet": {"hidden_dims": [5], "input_dim": 256, "num_classes": 7,
                          "normalization": "batchnorm"},
    "TwoLayerNet": {"input_dim": 256, "num_classes": 7},
    "DeepConvNet": {"input_dim": (1, 16, 16), "blocks": [[3], [4, 5]], "dropout_keep_ratio": 0.7,
                    "seed": 0},
    "ResidualNet": {"input_dim": (1, 16, 16), "stem": 3, "stages": [[3], [4]], "seed": 0},
}


def save(path, kind, model, **info):
    arrays = {f"params/{name}": array for name, array in model.params.items()}
    arrays |= {f"buffers/{name}": array for name, array in model.buffers.items()}
    save_checkpoint(path, {**arrays, "mean_image": np.full((16, 16), 3.0)},
                    {"model": {"kind": kind, "options": SAVED[kind]}, **info})


@pytest.mark.parametrize("kind", SAVED)
def test_a_net_comes_back_from_its_checkpoint_with_the_same_scores(tmp_path, kind):
    assert SAVED.keys() == MODELS.keys()
    X, y = small()
    model = MODELS[kind](**SAVED[kind])
    X = X.reshape(len(X), -1) if len(model.input_shape) == 1 else X
    model.loss(X, y)  # updates the running averages
    model.params = {name: array + array.dtype.type(0.1) for name, array in model.params.items()}
    save(tmp_path / "a.h5", kind, model, std=2.5, class_names=["x"])
    loaded, info = load_model(tmp_path / "a.h5")
    assert type(loaded) is MODELS[kind] and info["std"] == 2.5 and info["class_names"] == ["x"]
    np.testing.assert_array_equal(info["mean_image"], np.full((16, 16), 3.0))
    np.testing.assert_array_equal(loaded.loss(X), model.loss(X))


def test_load_model_says_what_is_wrong_with_a_checkpoint(tmp_path):
    save_checkpoint(tmp_path / "a.h5", {}, {"model": {"kind": "AlexNet", "options": {}}})
    with pytest.raises(ValueError,
                       match=r"a\.h5: holds a network of kind 'AlexNet', expected one of "
                             r"\['DeepConvNet'"):
        load_model(tmp_path / "a.h5")
    save_checkpoint(tmp_path / "a.h5", {},
                    {"model": {"kind": "FinalConvNet", "options": {"colour": 1}}})
    with pytest.raises(ValueError,
                       match=r"a\.h5: its options do not make a FinalConvNet: .*colour"):
        load_model(tmp_path / "a.h5")
    save_checkpoint(tmp_path / "a.h5", {}, {})
    with pytest.raises(ValueError, match="holds a network of kind None"):
        load_model(tmp_path / "a.h5")
    save(tmp_path / "a.h5", "TwoLayerNet", TwoLayerNet(input_dim=255, num_classes=7))
    with pytest.raises(ValueError,
                       match=r"params/W1 is float64 \(255, 100\), the network has float64 \(256, "
                             r"100\)"):
        load_model(tmp_path / "a.h5")
    with pytest.raises(FileNotFoundError, match="expected the file best.h5"):
        load_model(tmp_path / "missing.h5")


TINY = {"input_dim": 6, "hidden_dim": 2, "num_classes": 3}
ODD = {  # name: (what info holds as model, part of the error)
    "null": (None, "a network of kind None"), "a list": ([1], "a network of kind None"),
    "a text": ("FinalConvNet", "a network of kind None"), "a number": (3, "a network of kind None"),
    "a kind that is a list": ({"kind": ["TwoLayerNet"]}, r"a network of kind \['TwoLayerNet'\]"),
    "a kind that is a dict": ({"kind": {}}, "a network of kind {}"),
    "no options": ({"kind": "TwoLayerNet"}, "options: got None"),
    **{f"options {options!r}": ({"kind": "FinalConvNet", "options": options}, "options: got ")
       for options in (None, [], "x", 1)},
    **{f"{kind} {options}": ({"kind": kind, "options": options}, "its options do not make a ")
       for kind, options in (
        ("TwoLayerNet", {**TINY, "hidden_dim": 10**10}),
        ("TwoLayerNet", {**TINY, "hidden_dim": 1e300}),
        ("TwoLayerNet", {**TINY, "hidden_dim": 10**400}),
        ("TwoLayerNet", {**TINY, "input_dim": 2**40}),
        ("TwoLayerNet", {**TINY, "hidden_dim": -1}), ("TwoLayerNet", {**TINY, "hidden_dim": "2"}),
        ("TwoLayerNet", {**TINY, "hidden_dim": None}),
        ("TwoLayerNet", {**TINY, "hidden_dim": math.nan}),
        ("TwoLayerNet", {**TINY, "hidden_dim": 2.0}), ("TwoLayerNet", {**TINY, "dtype": "O"}),
        ("TwoLayerNet", {**TINY, "dtype": "float16"}), ("TwoLayerNet", {**TINY, "dtype": [1]}),
        ("TwoLayerNet", {**TINY, "reg": "x"}), ("TwoLayerNet", {**TINY, "reg": math.nan}),
        ("TwoLayerNet", {**TINY, "weight_scale": []}), ("TwoLayerNet", {**TINY, "seed": "x"}),
        ("TwoLayerNet", {**TINY, "max_params": 10**12}),
        ("FinalConvNet", {"names": {"affine1/w": "W1"}}), ("TwoLayerNet", {**TINY, "names": {}}),
        ("FullyConnectedNet", {"hidden_dims": [10**6] * 3}),
        ("FullyConnectedNet", {"hidden_dims": 3}),
        ("FullyConnectedNet", {"hidden_dims": [2], "normalization": "x"}),
        ("FullyConnectedNet", {"hidden_dims": [2], "normalization": []}),
        ("ThreeLayerConvNet", {"hidden_dim": 10**9}), ("ThreeLayerConvNet", {"filter_size": 10**9}),
        ("ThreeLayerConvNet", {"num_filters": 10**12}), ("ThreeLayerConvNet", {"input_dim": None}),
        ("FinalConvNet", {"num_filters": [2**40] * 4}),
        ("FinalConvNet", {"num_filters": {}, "hidden_dim": 10**9}),
        ("FinalConvNet", {"dropout_keep_ratio": 0}),
        ("FinalConvNet", {"dropout_keep_ratio": "0.5"}),
        ("FinalConvNet", {"rung": "x"}), ("FinalConvNet", {"rung": {}}),
        ("FinalConvNet", {"loss": "softmax"}),
        ("FinalConvNet", {"input_dim": [1, 10**6, 10**6]}), ("FinalConvNet", {"input_dim": [1, 2]}),
        ("DeepConvNet", {"blocks": [[10**8, 10**8]]}), ("DeepConvNet", {"blocks": 1}),
        ("DeepConvNet", {"blocks": [[None]]}), ("ResidualNet", {"stages": [[10**9]]}),
        ("ResidualNet", {"stem": "x"}), ("ResidualNet", {"stages": [[]]}))},
}


@pytest.mark.parametrize("name", ODD)
def test_a_sealed_file_with_odd_contents_gets_one_clear_error_and_no_memory(tmp_path, name):
    model, message = ODD[name]
    save_checkpoint(tmp_path / "a.h5", {"params/W1": np.zeros((6, 2))}, {"model": model})
    tracemalloc.start()
    with pytest.raises(ValueError, match=rf"a\.h5: .*{message}"):
        load_model(tmp_path / "a.h5")
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert most < 2 * 2**20


@pytest.mark.parametrize("kind", SAVED)
def test_the_shapes_of_the_arrays_of_a_net_are_known_without_them(kind):
    model = MODELS[kind](**SAVED[kind])
    params, buffers = model.layer.array_shapes(model.input_shape)
    assert {model.names[path]: shape for path, shape in params.items()} == {
        name: array.shape for name, array in model.params.items()}
    assert buffers == {name: array.shape for name, array in model.buffers.items()}
    total = sum(array.size for array in model.params.values())
    assert MODELS[kind](**SAVED[kind], max_params=total).params.keys() == model.params.keys()
    with pytest.raises(
        ValueError, match=f"has {total:,} parameters, expected at most max_params {total - 1:,}"
    ):
        MODELS[kind](**SAVED[kind], max_params=total - 1)


def test_a_net_starts_from_the_layers_of_another_that_agree_in_name_and_shape(tmp_path):
    old = FinalConvNet(**SAVED["FinalConvNet"])
    for arrays in (old.params, old.buffers):
        arrays |= {name: array + array.dtype.type(0.5) for name, array in arrays.items()}
    save(tmp_path / "a.h5", "FinalConvNet", old)
    options = {**SAVED["FinalConvNet"], "num_filters": (3, 4, 7, 6), "num_classes": 5, "seed": 9}
    model = FinalConvNet(**options)
    fresh = FinalConvNet(**options)
    assert warm_start(model, tmp_path / "a.h5") == (
        "started from a.h5: block1/conv, block1/bn, block2/conv, block2/bn, block4/bn, affine1; "
        "newly initialized: block3/conv, block3/bn, block4/conv, affine2")
    for own, found, source in ((model.params, fresh.params, old.params),
                               (model.buffers, fresh.buffers, old.buffers)):
        for name, array in own.items():
            is_new = name.startswith(("block3", "block4/conv", "affine2"))
            np.testing.assert_array_equal(array, (found if is_new else source)[name], err_msg=name)
    with pytest.raises(ValueError,
                       match=r"a.h5: no layer agrees in name and shape; the network has W1, b1"):
        warm_start(TwoLayerNet(), tmp_path / "a.h5")


def test_a_layer_takes_over_all_of_its_arrays_or_none(tmp_path):
    old = FinalConvNet(**SAVED["FinalConvNet"])
    old.params["affine1/b"] = np.ones(3, np.float32)
    save(tmp_path / "a.h5", "FinalConvNet", old)
    model = FinalConvNet(**{**SAVED["FinalConvNet"], "seed": 9})
    before = model.params["affine1/w"].copy()
    assert warm_start(model, tmp_path / "a.h5").endswith("; newly initialized: affine1")
    np.testing.assert_array_equal(model.params["affine1/w"], before)
