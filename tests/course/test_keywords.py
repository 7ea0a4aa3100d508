"""Keywords, positional arguments and attributes of the course's nets, in the years' meanings."""
import warnings

import numpy as np
import pytest

from cs231n_fer.classifiers import FullyConnectedNet, ThreeLayerConvNet, TwoLayerNet
from cs231n_fer.layers import (
    batchnorm_forward,
    conv_forward_im2col,
    conv_forward_naive,
    layernorm_forward,
    max_pool_forward_im2col,
    max_pool_forward_naive,
    spatial_batchnorm_forward,
)


def small(**options):
    return FullyConnectedNet([6, 5], input_dim=4, num_classes=3, seed=0, **options)


@pytest.mark.parametrize("options, keep, norm", [
    ({}, 1, None),
    ({"dropout": 0}, 1, None),                                # 2016, 2017: none
    ({"dropout": 1}, 1, None),                                # 2018 to 2020: none
    ({"dropout": 0, "use_batchnorm": True}, 1, "batchnorm"),
    ({"dropout": 0.25, "use_batchnorm": True}, 0.75, "batchnorm"),  # the probability to drop
    ({"dropout": 0.25, "use_batchnorm": False}, 0.75, None),
    ({"use_batchnorm": False}, 1, None),
    ({"use_batchnorm": True, "normalization": "batchnorm"}, 1, "batchnorm"),
    ({"dropout_keep_ratio": 0.25, "normalization": "layernorm"}, 0.25, "layernorm")], ids=str)
def test_keywords_of_every_year_have_the_meaning_of_their_year(options, keep, norm):
    model = small(**options)
    assert model.normalization == norm and model.use_dropout == (keep != 1)
    assert model.dropout_param == ({"mode": "train", "p": keep, "seed": 0} if keep != 1 else {})
    expected = small(dropout_keep_ratio=keep, normalization=norm)
    assert model.layer == expected.layer


def test_dropout_alone_is_the_probability_of_keeping_and_a_warning_says_so():
    with pytest.warns(UserWarning, match="2016 and 2017 it was that of dropping.*"
                                         "dropout_keep_ratio=0.25 or 0.75") as found:
        model = small(dropout=0.25)
    assert model.dropout_param["p"] == 0.25
    assert len(found) == 1


@pytest.mark.parametrize("options, message", [
    ({"dropout": 0.5, "dropout_keep_ratio": 0.5},
     "dropout: got 0.5 as well as dropout_keep_ratio 0.5"),
    ({"dropout": -1}, "dropout: got -1, expected a probability; write dropout_keep_ratio="),
    ({"dropout": 1.5}, "dropout: got 1.5"),
    ({"use_batchnorm": True, "normalization": "layernorm"},
     "use_batchnorm: got True as well as normalization 'layernorm'; leave it out"),
    ({"use_batchnorm": False, "normalization": "batchnorm"}, "use_batchnorm: got False as well")],
    ids=str)
def test_keywords_that_disagree_are_refused(options, message):
    with pytest.raises(ValueError) as error:
        small(**options)
    assert str(error.value).startswith(message)


def test_positional_arguments_stand_in_the_order_of_the_course():
    net = FullyConnectedNet([6], 4, 3, 0.5, "layernorm", 0.1, 2e-2, np.float64, 7)
    assert (net.normalization, net.reg, net.dtype) == ("layernorm", 0.1, np.float64)
    assert net.dropout_param == {"mode": "train", "p": 0.5, "seed": 7}
    net = TwoLayerNet(4, 6, 3, 0.5, 0.25)
    assert net.params["W1"].shape == (4, 6) and net.reg == 0.25
    net = ThreeLayerConvNet((3, 8, 8), 2, 3, 5, 4, 1e-2, 0.5, np.float64)
    assert net.params["W1"].shape == (2, 3, 3, 3) and (net.reg, net.dtype) == (0.5, np.float64)


def test_a_net_has_the_courses_attributes():
    model = small(normalization="batchnorm", dropout_keep_ratio=0.5, reg=0.5)
    assert model.num_layers == 3 and model.use_dropout and model.reg == 0.5
    assert model.dtype == np.float32 and len(model.bn_params) == 2
    model.loss(np.ones((2, 4)) * [[1], [2]], np.array([0, 1]))
    mean = model.bn_params[0]["running_mean"]
    assert mean.any() and mean is model.buffers["norm1/running_mean"]
    assert small(normalization="layernorm").bn_params == [{}, {}] and small().bn_params == []
    for name in ("num_layers", "use_dropout", "normalization", "bn_params", "dropout_param"):
        with pytest.raises(AttributeError):
            setattr(model, name, None)  # it would have no effect


@pytest.mark.parametrize("call", [
    lambda: conv_forward_naive(np.ones((1, 1, 3, 3)), np.ones((1, 1, 3, 3)), np.ones(1),
                               {"stride": 1, "pad": 1, "dilation": 2}),
    lambda: conv_forward_im2col(np.ones((1, 1, 3, 3)), np.ones((1, 1, 3, 3)), np.ones(1),
                                {"stride": 1, "pad": 1, "x": 0}),
    lambda: max_pool_forward_naive(np.ones((1, 1, 2, 2)), {"pool_height": 2, "pool_width": 2,
                                                           "stride": 2, "pad": 0}),
    lambda: max_pool_forward_im2col(np.ones((1, 1, 2, 2)), {"pool_height": 2, "pool_width": 2,
                                                            "stride": 2, "pad": 0}),
    lambda: batchnorm_forward(np.ones((2, 3)), np.ones(3), np.ones(3),
                              {"mode": "train", "momentun": 0.5}),
    lambda: spatial_batchnorm_forward(np.ones((2, 3, 1, 1)), np.ones(3), np.ones(3),
                                      {"mode": "test", "layer": 1})])
def test_keys_that_nothing_reads_warn_and_change_nothing(call):
    with pytest.warns(UserWarning, match="_param: has unknown keys .*, which are ignored"):
        out, _ = call()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        np.testing.assert_array_equal(out, call()[0])


def test_the_normalization_of_samples_takes_a_mode_as_the_notebook_gives_it():
    out, _ = layernorm_forward(np.array([[1.0, 3.0]]), np.ones(2), np.zeros(2), {"mode": "train"})
    np.testing.assert_allclose(out, [[-1, 1]], rtol=1e-5)
