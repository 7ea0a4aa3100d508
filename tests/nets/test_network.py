"""Tests of networks: parameter names at any depth, loss, regularization, gradients, summary."""
import numpy as np
import pytest

from cs231n_fer.classifiers import DeepConvNet, FinalConvNet, ResidualNet, ThreeLayerConvNet
from cs231n_fer.gradient_check import directional_check
from cs231n_fer.layers import l2_svm_loss, softmax_loss
from cs231n_fer.nets.chain import Chain, Residual
from cs231n_fer.nets.inference import Predictor
from cs231n_fer.nets.layer import TEST, Mode
from cs231n_fer.nets.network import Network
from cs231n_fer.nets.norms import BatchNorm, GroupNorm, LayerNorm
from cs231n_fer.nets.paths import INLINE, join, pick, put
from cs231n_fer.nets.records import Affine, Conv, Dropout, GlobalAvgPool, MaxPool, ReLU
from cs231n_fer.nets.sandwich import Sandwich

SHAPE = (2, 8, 6)


def unit(filters, stride=1):
    """Return the body of a residual block (He et al. 2016): conv, batchnorm, ReLU, conv, batchnorm.

    (He et al. 2016.)
    """
    return Chain((("conv1", Conv(filters, stride=stride, bias=False)), ("bn1", BatchNorm()),
                  ("relu", ReLU()), ("conv2", Conv(filters, bias=False)), ("bn2", BatchNorm())))


def residual_chain():
    """Return a chain with chains in residual blocks, so that all ways of nesting occur."""
    down = Chain((("conv", Conv(4, 1, stride=2, bias=False)), ("bn", BatchNorm())))
    return Chain((
        ("stem", Chain((("conv", Conv(3)), ("norm", GroupNorm(3)), ("relu", ReLU())))),
        ("unit1", Residual(unit(3))), ("relu1", ReLU()),
        ("unit2", Residual(unit(4, stride=2), down)), ("relu2", ReLU()),
        ("unit3", Residual(Residual(Conv(4)), Residual(ReLU()))),
        ("head",
         Chain((("pool", GlobalAvgPool()), ("drop", Dropout(0.7, seed=1)), ("affine", Affine(5)),
                        ("norm", LayerNorm()), ("affine2", Affine(3)))))))


def network(**options):
    return Network(residual_chain(), SHAPE, **{"seed": 0, "reg": 0.1, **options})


def batch(dtype, N=4):
    rng = np.random.default_rng(3)
    X = rng.standard_normal((N, *SHAPE)).astype(dtype)
    y = rng.integers(0, 3, N)
    X.setflags(write=False)
    y.setflags(write=False)
    return X, y


def test_parameters_are_named_by_their_paths():
    model = network()
    assert list(model.params) == [
        "stem/conv/w", "stem/conv/b", "stem/norm/gamma", "stem/norm/beta",
        *(f"unit1/body/{name}"
          for name in ("conv1/w", "bn1/gamma", "bn1/beta", "conv2/w", "bn2/gamma", "bn2/beta")),
        *(f"unit2/body/{name}"
          for name in ("conv1/w", "bn1/gamma", "bn1/beta", "conv2/w", "bn2/gamma", "bn2/beta")),
        "unit2/shortcut/conv/w", "unit2/shortcut/bn/gamma", "unit2/shortcut/bn/beta",
        "unit3/body/body/w", "unit3/body/body/b",
        "head/affine/w", "head/affine/b", "head/norm/gamma", "head/norm/beta", "head/affine2/w",
        "head/affine2/b"]
    assert list(model.buffers) == [f"{unit}/{way}/running_{kind}" for unit, way in [
        ("unit1", "body/bn1"), ("unit1", "body/bn2"), ("unit2", "body/bn1"), ("unit2", "body/bn2"),
        ("unit2", "shortcut/bn")] for kind in ("mean", "var")]


def test_pick_undoes_put_and_leaves_longer_names_alone():
    assert pick({**put("conv", {"w": 1, "b/c": 2}), "conv2/w": 3, "conv": 4},
                "conv") == {"w": 1, "b/c": 2}


def test_a_layer_that_is_inline_adds_nothing_to_the_paths_of_its_arrays():
    arrays = {"conv/w": 1, "bn/gamma": 2}
    assert pick(arrays, INLINE) == put(INLINE, arrays) == arrays
    assert [join(*parts)
            for parts in [("a", "b"), ("a", INLINE), (INLINE, "b"), (INLINE, INLINE)]] == [
        "a/b", "a", "b", INLINE]
    layers = Chain((("fc", Affine(4)), (INLINE, Chain((("relu", ReLU()), ("scores", Affine(3)))))))
    assert list(Network(layers, (5,)).params) == ["fc/w", "fc/b", "scores/w", "scores/b"]
    assert list(Network(Chain(((INLINE, Affine(4)),)), (5,)).params) == ["w", "b"]
    assert [path for path, *_ in layers.rows("net", (5,))] == ["net/fc", "net/relu", "net/scores"]


def test_what_is_inline_must_not_share_the_branches_of_a_residual_either():
    with pytest.raises(ValueError, match="several have the path body/"):
        Chain(((INLINE, Residual(ReLU())), ("body", ReLU())))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("loss", [softmax_loss, l2_svm_loss])
def test_the_dtype_never_drifts_and_inputs_and_params_are_never_written(dtype, loss):
    model = network(dtype=dtype, loss=loss)
    for array in model.params.values():
        array.setflags(write=False)
    for given in (np.float32, np.float64):  # pictures of another dtype are converted
        X, y = batch(given)
        value, grads = model.loss(X, y)
        assert type(value) is float and model.loss(X).dtype == dtype
        assert {name: (grad.shape, grad.dtype) for name, grad in grads.items()} == {
            name: (array.shape, dtype) for name, array in model.params.items()}
        assert all(buffer.dtype == dtype for buffer in model.buffers.values())
        scores, cache = model.forward(X)
        dX, _ = model.backward(np.ones_like(scores), cache)
        assert scores.dtype == dX.dtype == dtype and dX.shape == X.shape


def test_the_gradient_of_a_deep_net_is_the_derivative_of_its_loss():
    model = network(dtype=np.float64)
    X, y = batch(np.float64)
    rng = np.random.default_rng(1)
    grads = model.loss(X, y)[1]
    for name, array in list(model.params.items()):
        def loss(changed, name=name):
            model.params[name] = changed
            return np.array(model.loss(X, y)[0])
        assert directional_check(loss, array, np.array(1.0), grads[name], "kinked",
                                 rng) < 1e-6, name
        model.params[name] = array


def test_the_gradient_of_the_scores_reaches_the_pictures():
    model = network(dtype=np.float64)
    X, _ = batch(np.float64)
    rng = np.random.default_rng(1)
    scores, cache = model.forward(X)
    dscores = rng.standard_normal(scores.shape)
    dX, _ = model.backward(dscores, cache)
    assert directional_check(lambda X: model.forward(X)[0], X, dscores, dX, "kinked", rng) < 1e-6


def test_l2_reaches_the_weights_of_conv_and_affine_and_nothing_else():
    (X, y) = batch(np.float64)
    plain = network(dtype=np.float64, reg=0)
    strong = network(dtype=np.float64, reg=3.0)
    weights = {name: array for name, array in plain.params.items() if name.endswith("/w")}
    assert plain.regularised() == [] and strong.regularised() == list(weights)
    loss, grads = plain.loss(X, y)
    more, strong_grads = strong.loss(X, y)
    assert more - loss == pytest.approx(1.5 * sum(np.sum(w ** 2) for w in weights.values()),
                                        rel=1e-13)
    for name, grad in grads.items():
        np.testing.assert_allclose(strong_grads[name],
                                   grad + 3.0 * weights[name] if name in weights else grad,
                                   rtol=1e-12, atol=1e-13)


def test_the_same_seed_gives_the_same_net_and_the_same_dropout_masks():
    def run(seed):
        model = Network(Chain((("drop", Dropout(0.5)), ("affine", Affine(3)))), (40,), seed=seed)
        X = np.ones((6, 40))
        return [model.loss(X, np.zeros(6, int))[0]
                for _ in range(3)], model.params["affine/w"].tolist()
    assert run(1) == run(1) and run(1) != run(2) and len(set(run(1)[0])) == 3


def test_scores_come_from_test_mode_and_do_not_depend_on_the_batch():
    model = network(dtype=np.float64)
    X, y = batch(np.float64, 7)
    model.loss(X, y)
    buffers = {name: buffer.copy() for name, buffer in model.buffers.items()}
    scores = model.loss(X)
    # Sums of up to 36 products, whose order depends on the batch size.
    np.testing.assert_allclose(model.predict(X, batch_size=3), scores, rtol=1e-12, atol=1e-13)
    assert all((model.buffers[name] == buffers[name]).all() for name in buffers)
    assert not np.allclose(model.forward(X, Mode(train=True, rng=np.random.default_rng(0)))[0],
                           scores)


def test_params_may_be_replaced_and_may_have_other_names():
    layer = Chain((("affine1", Affine(4)), ("relu", ReLU()), ("affine2", Affine(3))))
    model = Network(layer, (5,), dtype=np.float64, reg=0.5,
                    names={"affine1/w": "W1", "affine2/w": "W2"})
    assert list(model.params) == ["W1", "affine1/b", "W2", "affine2/b"]
    assert model.regularised() == ["W1", "W2"]
    model.params["W2"] = np.zeros((4, 3))
    model.params["affine2/b"] = np.array([1.0, 2.0, 3.0])
    X = np.ones((2, 5))
    y = np.array([0, 1])
    np.testing.assert_array_equal(model.loss(X), [[1, 2, 3], [1, 2, 3]])
    assert model.loss(X, y)[1].keys() == model.params.keys()
    # No way back through zeros
    np.testing.assert_array_equal(model.loss(X, y)[1]["W1"], 0.5 * model.params["W1"])


def test_an_affine_layer_takes_pictures_as_it_takes_vectors():
    model = Network(Affine(3), (1, 4, 4), seed=0)
    X = np.random.default_rng(0).standard_normal((2, 1, 4, 4))
    vector = Network(Affine(3), (16,), seed=0)
    np.testing.assert_array_equal(vector.loss(X), model.loss(X))


def test_the_summary_lists_layers_shapes_parameters_and_flops():
    assert len({len(line) for line in network().summary().splitlines()}) == 1
    rows = [line.split() for line in network().summary().splitlines()]
    assert rows[0] == ["layer", "kind", "output", "parameters", "MFLOP"]
    table = {row[0]: (row[1], " ".join(row[2:-2]), int(row[-2].replace(",", "")))
             for row in rows[1:-1]}
    assert table["stem/conv"] == ("Conv", "3 x 8 x 6", 3 * 2 * 9 + 3)
    assert table["unit2/shortcut/conv"] == ("Conv", "4 x 4 x 3", 12)
    assert table["unit2/body/relu"][2] == 0
    assert table["unit3/body/body"] == ("Conv", "4 x 4 x 3", 4 * 4 * 9 + 4)
    assert table["head/pool"][1] == "4"
    total = sum(array.size for array in network().params.values())
    assert sum(count for *_, count in table.values()) == total == int(rows[-1][-2].replace(",", ""))
    assert rows[-1][0] == "total" and rows[-1][-1] == f"{residual_chain().flops(SHAPE) / 1e6:.2f}"


ERRORS = {
    "reg: got -1": lambda: network(reg=-1),
    "dtype: got int64": lambda: network(dtype=np.int64),
    "X: has shape (0, 2, 8, 6)": lambda: network().loss(np.zeros((0, *SHAPE))),
    "X: one sample has shape (2, 8, 7), expected (2, 8, 6)":
        lambda: network().loss(np.zeros((3, 2, 8, 7))),
    "X: one sample has shape (2, 6, 8), expected (2, 8, 6)":
        lambda: network().loss(np.zeros((3, 2, 6, 8))),
    "X: one sample has shape (1, 16, 6), expected (2, 8, 6)":
        lambda: network().loss(np.zeros((3, 1, 16, 6))),
    "X: one sample has shape (2, 8, 6, 1), expected (2, 8, 6)":
        lambda: network().loss(np.zeros((3, 2, 8, 6, 1))),
    "X: one sample has shape (8, 6), expected (2, 8, 6)":
        lambda: network().loss(np.zeros((2, 8, 6))),
    "y: labels reach from 0 to 3": lambda: network().loss(batch(np.float32)[0], np.arange(4)),
    "y: labels have shape (3,)": lambda: network().loss(batch(np.float32)[0], np.zeros(3, int)),
    "Residual: body gives (4, 8, 6)": lambda: Network(Chain((("a", Residual(Conv(4))),)), SHAPE),
    "Residual: body gives (4, 8, 6) but": lambda: Network(Residual(Conv(4)), SHAPE),
    "Conv: input shape is (5,)": lambda: Network(Chain((("a", Affine(5)), ("c", Conv(4)))), SHAPE),
    "window: size 2 does not fit into 1":
        lambda: Network(Chain((("p", MaxPool(6)), ("q", MaxPool()))), SHAPE),
    "layers: entry 2 is <class": lambda: Chain((Conv(3), ReLU)),
    "layers: entry 1 is ('a', 3)": lambda: Chain((("a", 3),)),
    "layers: several have the path conv1/": lambda: Chain((Conv(3), ("conv1", Conv(3)))),
}


@pytest.mark.parametrize("message", ERRORS)
def test_what_does_not_fit_gets_an_error_with_the_numbers(message):
    with pytest.raises(ValueError) as error:
        ERRORS[message]()
    assert str(error.value).startswith(message)


def test_a_chain_is_a_layer_so_a_network_needs_no_chain():
    model = Network(Conv(3), SHAPE, seed=0)
    X = np.ones((1, *SHAPE))
    scores, cache = model.forward(X, TEST)
    assert scores.shape == (1, 3, 8, 6) and list(model.params) == ["w", "b"]
    assert list(model.backward(np.ones_like(scores), cache)[1]) == ["w", "b"]


def test_layers_without_a_name_are_called_after_their_kind_and_number_at_every_depth():
    body = Chain([Conv(2), ReLU(), Conv(2)])
    layer = Chain((Conv(2), BatchNorm(), ReLU(), Residual(body), MaxPool(), ("last", Conv(3)),
                   Conv(4), Chain((Affine(5), Affine(3)))))
    assert layer.inner_names() == ["conv1", "batchnorm1", "relu1", "residual1", "maxpool1", "last",
                                   "conv3", "chain1"]
    assert body.inner_names() == ["conv1", "relu1", "conv2"]
    model = Network(layer, (2, 8, 6), seed=0)
    assert {"residual1/body/conv2/w", "conv3/b", "chain1/affine2/w"} <= model.params.keys()
    named = Chain((("conv1", Conv(2)), ("relu1", ReLU())))
    assert named == Chain((Conv(2), ReLU())) and hash(named) == hash(Chain((Conv(2), ReLU())))
    assert Sandwich((Conv(2), ReLU())).layers == named.layers
    with pytest.raises(ValueError, match="Sandwich: got"):
        Sandwich((Conv(2), Conv(2)))


@pytest.mark.parametrize("make, path, shape", [
    (lambda: FinalConvNet(num_filters=(2,) * 6), "block6/pool", (2, 1, 1)),
    (lambda: DeepConvNet(blocks=((2,),) * 6), "block6/pool", (2, 1, 1)),
    (lambda: ResidualNet((1, 2, 2), 2, ((2,), (2,))), "pool2", (2, 1, 1)),
    (lambda: ThreeLayerConvNet((3, 1, 1)), "pool", (32, 1, 1)),
    (lambda: ThreeLayerConvNet((30,)), "conv", (30,)),
    (lambda: Network(Chain((Affine(5), Conv(4))), SHAPE), "conv1", (5,)),
    (lambda: Network(Chain((Conv(2), Residual(Chain((Conv(4),))))), SHAPE), "residual1", SHAPE),
    (lambda: Network(Chain((Residual(Chain((MaxPool(9),))),)), SHAPE), "residual1/body/maxpool1",
     SHAPE)])
def test_an_error_of_shapes_names_the_layer_and_its_input(make, path, shape):
    with pytest.raises(ValueError) as error:
        make()
    assert str(error.value).endswith(f" (layer {path!r}, whose input has shape {shape})")


def test_a_network_of_a_single_layer_has_no_path_to_name():
    with pytest.raises(ValueError, match=r"must come before Affine$"):
        Network(Conv(3), (4,))


def test_uint8_pixels_warn_and_floats_do_not():
    model = Network(Affine(3), (4,), seed=0)
    y = np.array([0])
    with pytest.warns(UserWarning, match="X: holds uint8 pixels.*normalize them first"):
        loss, _ = model.loss(np.full((1, 4), 255, np.uint8), y)
    for predict in (model.predict, Predictor(model)):
        with pytest.warns(UserWarning, match="X: holds uint8 pixels"):
            predict(np.zeros((1, 4), np.uint8))
    assert model.loss(np.full((1, 4), 255.0), y)[0] == loss  # and this doesn't warn
