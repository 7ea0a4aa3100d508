"""Tests of the deeper networks: their sizes, and that fusing them changes no number."""
import numpy as np
import pytest

from cs231n_fer.classifiers import DeepConvNet, FinalConvNet, FullyConnectedNet, ResidualNet
from cs231n_fer.nets.chain import Chain
from cs231n_fer.nets.inference import Predictor, features
from cs231n_fer.nets.layer import Mode
from cs231n_fer.nets.network import Network
from cs231n_fer.nets.records import Conv


def count(model):
    return sum(array.size for array in model.params.values())


def deep_net_size(blocks, hidden, batchnorm, side=48, classes=7):
    """Return the number of parameters of a DeepConvNet, counted by hand."""
    total, channels = 0, 1
    for filters in blocks:
        for F in filters:
            total += F * channels * 9 + (2 * F if batchnorm else F)
            channels = F
        side //= 2
    features = hidden or channels
    return total + hidden * (channels * side ** 2 + 1) + (features + 1) * classes


@pytest.mark.parametrize("options, expected", [
    ({"blocks": ((32,), (64,), (96, 96), (128, 128, 192)), "hidden_dim": 0, "batchnorm": True},
     639_015),
    ({"blocks": ((32,), (32, 64), (96, 96), (128, 128)), "hidden_dim": 256, "batchnorm": True},
     722_343),
    ({"blocks": ((8, 8), (16,)), "hidden_dim": 20, "batchnorm": False}, 48_079),
])
def test_a_deep_net_has_as_many_parameters_as_counted_by_hand(options, expected):
    counted = deep_net_size(options["blocks"], options["hidden_dim"], options["batchnorm"])
    assert count(DeepConvNet(**options)) == counted == expected


@pytest.mark.parametrize("stem, stages, expected",
                         [(32, ((32,), (64, 64), (128, 128)), 677_095), (4, ((4,),), 383)])
def test_a_residual_net_has_as_many_parameters_as_counted_by_hand(stem, stages, expected):
    total = 11 * stem
    channels = stem
    for F in (F for stage in stages for F in stage):
        total += 9 * F * (channels + F) + 4 * F + (channels != F) * (channels * F + 2 * F)
        channels = F
    model = ResidualNet(stem=stem, stages=stages)
    assert count(model) == total + (channels + 1) * 7 == expected


NETS = {
    "average": lambda rung: DeepConvNet(
        (1, 16, 16), ((3, 4), (5, 6, 7)), dtype=np.float64, seed=0, rung=rung),
    "hidden layer": lambda rung: DeepConvNet(
        (1, 16, 16), ((3,), (5, 6)), 9, batchnorm=False, dtype=np.float64, seed=0, rung=rung),
    "residual": lambda rung: ResidualNet(
        (1, 16, 16), 3, ((3,), (4,)), dtype=np.float64, seed=0, rung=rung),
}


@pytest.mark.parametrize("name", NETS)
def test_fused_kernels_give_the_scores_and_gradients_of_the_plain_layers(name):
    rng = np.random.default_rng(0)
    X = rng.standard_normal((5, 1, 16, 16))
    y = rng.integers(0, 7, 5)
    fused = NETS[name]("auto")
    plain = NETS[name]("im2col")
    assert list(fused.params) == list(plain.params)
    loss, grads = fused.loss(X, y)
    plain_loss, plain_grads = plain.loss(X, y)
    np.testing.assert_allclose(loss, plain_loss, rtol=1e-10)
    for path in grads:
        np.testing.assert_allclose(grads[path], plain_grads[path], atol=1e-10, err_msg=path)
    np.testing.assert_allclose(fused.loss(X), plain.loss(X), atol=1e-10)
    np.testing.assert_allclose(Predictor(fused)(X), plain.loss(X), atol=1e-10)


def test_dropout_acts_right_before_the_scores():
    net = DeepConvNet((1, 8, 8), ((4,),), dropout_keep_ratio=0.5, seed=0)
    X = np.random.default_rng(0).standard_normal((3, 1, 8, 8)).astype(np.float32)
    runs = [net.forward(X, Mode(train=True, rng=np.random.default_rng(seed)))[0]
            for seed in (0, 0, 1)]
    np.testing.assert_array_equal(runs[0], runs[1])
    assert (runs[0] != runs[2]).any() and list(net.params)[-2:] == ["scores/w", "scores/b"]


def test_a_residual_block_whose_convolutions_are_0_hands_on_what_it_gets():
    net = ResidualNet((1, 8, 8), 4, ((4, 4),), seed=0)
    X = np.random.default_rng(0).standard_normal((3, 1, 8, 8)).astype(np.float32)
    stem = net.layer.layers[0][1].forward(
        {name.removeprefix("stem/"): array
         for name, array in net.params.items() if name.startswith("stem/")},
        {name.removeprefix("stem/"): array
         for name, array in net.buffers.items() if name.startswith("stem/")},
        X, Mode(train=False))[0]
    net.params |= {name: 0 * array for name, array in net.params.items() if "/sum/" in name}
    scores = stem.mean(axis=(2, 3)) @ net.params["scores/w"] + net.params["scores/b"]
    np.testing.assert_allclose(net.loss(X), scores, rtol=1e-5, atol=1e-8)


@pytest.mark.parametrize("net, shape", [
    (DeepConvNet((1, 16, 16), ((3, 4), (5, 6)), seed=0), (6, 4, 4)),
    (ResidualNet((1, 16, 16), 3, ((4,),)), (4, 8, 8)),
    (DeepConvNet((1, 16, 16), ((3,),), hidden_dim=9, seed=0), (3, 8, 8)),
    (FinalConvNet((1, 16, 16), (3, 4), hidden_dim=5, batchnorm=True, seed=0), (4, 4, 4))])
def test_features_are_what_the_head_of_a_net_turns_into_its_scores(net, shape):
    X = np.random.default_rng(0).standard_normal((5, 1, 16, 16)).astype(np.float32)
    found = features(net, X, batch_size=2)
    assert found.shape == (5, *shape)
    names = [name for name, _ in net.layer.layers]
    heads = [name for name in names if name in ("affine1", "average")]
    head = Chain(net.layer.layers[names.index(heads[0]):])
    np.testing.assert_allclose(head.forward(net.params, net.buffers, found, Mode(train=False))[0],
                               net.loss(X), rtol=1e-4, atol=1e-7)


def test_a_net_without_a_head_has_no_features():
    with pytest.raises(
        ValueError, match="network: has no affine or averaging layer, expected one after 'conv'"
    ):
        features(Network(Chain((("conv", Conv(3)),)), (1, 8, 8)),
                 np.zeros((1, 1, 8, 8), np.float32))
    with pytest.raises(ValueError,
                       match="until: got 'affine9', expected one of affine1, relu1, affine2"):
        Predictor(FullyConnectedNet([3], input_dim=4), until="affine9")


def test_a_predictor_that_stops_before_the_first_layer_gives_back_its_input():
    net = FullyConnectedNet([3], input_dim=4, dtype=np.float64)
    X = np.arange(8.0).reshape(2, 4)
    np.testing.assert_array_equal(Predictor(net, until="affine1")(X), X)


def test_an_empty_block_is_refused():
    with pytest.raises(ValueError,
                       match="blocks: got .*, expected at least one convolution in each"):
        DeepConvNet(blocks=((32,), ()))
    with pytest.raises(ValueError, match="stages: got .*, expected at least one block in each"):
        ResidualNet(stages=())
