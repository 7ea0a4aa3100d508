"""Diverging training stops at once and says where it began; its last good checkpoint stays."""
import numpy as np
import pytest
from toys import Scripted, faces, numbers

from cs231n_fer.arrays.flat import Flat
from cs231n_fer.classifiers import FinalConvNet
from cs231n_fer.files.checkpoint import load_checkpoint
from cs231n_fer.layers import softmax_loss
from cs231n_fer.nets.chain import Chain, Residual
from cs231n_fer.nets.layer import Layer
from cs231n_fer.nets.network import Network
from cs231n_fer.nets.norms import BatchNorm
from cs231n_fer.nets.records import Affine, Conv, Dropout, MaxPool, ReLU
from cs231n_fer.nets.sandwich import fuse
from cs231n_fer.solver import Recipe, RunFolder, Solver
from cs231n_fer.solver.diagnosis import Step, cause, finite


def origin(model, X, y):
    """Return where numbers became infinite or NaN in a step that is not the first."""
    return cause(model, Step(X, y, X, 2)).where


class Spoiled(Layer):
    """A layer that writes a NaN into its output or its gradient."""

    def __init__(self, forward=False, backward=False):
        object.__setattr__(self, "spoils", (forward, backward))

    def forward(self, params, buffers, x, mode):
        return self.spoil(x, self.spoils[0]), None

    def backward(self, dout, cache):
        return self.spoil(dout, self.spoils[1]), {}

    @staticmethod
    def spoil(array, spoils):
        array = array.copy()
        array.flat[0] = np.nan if spoils else array.flat[0]
        return array


def net_with(spoiled, reg=0.0):
    inner = Chain((("conv2", Conv(3, rung="im2col")), ("spoiled", spoiled)))
    return Network(Chain((("conv1", Conv(3, rung="im2col")), ("bn", BatchNorm(rung="im2col")),
                          ("res", Residual(inner)),
                          ("relu", ReLU("im2col")), ("drop", Dropout(0.8)),
                          ("scores", Affine(2, rung="im2col")))),
                   (1, 8, 8), seed=0, reg=reg)


def spoil(name, value=np.nan):
    def change(model, X):
        model.params[name].flat[0] = value
    return change


def spoil_images(model, X):
    X[3, 0, 2, 2] = np.inf


def no_change(model, X):
    pass


def spoil_loss(model, X):
    model.loss_function = lambda scores, y: (np.inf, softmax_loss(scores, y)[1])


def spoil_scores(model, X):
    model.params["scores/w"][...] = 1e38


WHOLE = Spoiled()
BEGINNINGS = {
    "an output": (Spoiled(forward=True), no_change, "the output of res/body/spoiled (Spoiled)"),
    "a gradient": (Spoiled(backward=True), no_change,
                   "the gradient of x of res/body/spoiled (Spoiled)"),
    "the update before": (WHOLE, spoil("res/body/conv2/w"),
                          "the update of res/body/conv2/w in the step before"),
    "overflow": (WHOLE, spoil_scores, "the output of scores (Affine)"),
    "images": (WHOLE, spoil_images, "the images of the batch"),
    "the loss": (WHOLE, spoil_loss, "the loss function"),
    "regularisation": (WHOLE, no_change, "the L2 regularization"),
}


@pytest.mark.parametrize("name", BEGINNINGS)
def test_the_first_layer_that_gives_no_number_is_named(name):
    layer, change, expected = BEGINNINGS[name]
    data = faces(6)
    model = net_with(layer)
    X = data["X_train"].copy()
    change(model, X)
    before = {key: array.tobytes() for key, array in {**model.params, **model.buffers}.items()}
    assert origin(model, X, data["y_train"]) == expected
    assert {key: array.tobytes()
            for key, array in {**model.params, **model.buffers}.items()} == before


@pytest.mark.parametrize("rung", ["im2col", "auto"])
@pytest.mark.parametrize("name, part",
                         [("conv/w", "block2/conv (Conv)"), ("bn/gamma", "block2/bn (BatchNorm)")])
def test_a_fused_layer_is_looked_into(rung, name, part):
    net = FinalConvNet((1, 16, 16), (4, 4), hidden_dim=5, batchnorm=True, seed=0, rung=rung)
    net.params[f"block2/{name}"][...] = 3e38
    assert origin(net, faces(8, (1, 16, 16))["X_train"],
                  np.arange(8) % 7) == f"the output of {part}"


class Steep(Layer):
    """A layer that passes its input on, and multiplies its gradient by 1e38."""

    def forward(self, params, buffers, x, mode):
        return x, None

    def backward(self, dout, cache):
        return np.float32(1e38) * dout, {}


def test_the_gradient_of_a_fused_layer_is_looked_into():
    parts = ("conv", Conv(4)), ("bn", BatchNorm()), ("relu", ReLU()), ("pool", MaxPool())
    layer = Chain((("block", fuse(Chain(parts))), ("steep", Steep()), ("scores", Affine(2))))
    net = Network(layer, (1, 16, 16), seed=0)
    net.params["block/bn/gamma"] *= 1000
    began = origin(net, faces(8, (1, 16, 16))["X_train"], np.arange(8) % 2)
    assert began in [f"the gradient of {name} of block/{layer}"
                     for name in ("x", "w", "b", "gamma", "beta")
                     for layer in ("bn (BatchNorm)", "conv (Conv)")]


def test_one_number_that_is_infinite_or_nan_is_found_and_large_ones_are_none():
    large = np.full(4, 3e38, np.float32)
    assert finite({"a": large}) and finite(Flat({"a": large}, large)) and finite({})
    for number in (np.nan, np.inf, -np.inf):
        assert not finite({"a": np.zeros(3), "b": np.array([0, number, 1])})
        assert not finite(Flat({"a": large}, np.array([0, number, 1, -number])))


def diverging(folder, learning_rate, epochs=3):
    net = FinalConvNet((1, 8, 8), (4, 6), hidden_dim=8, num_classes=2, batchnorm=False, seed=5)
    return Solver(net, faces(40), batch_size=9, num_epochs=epochs, verbose=False,
                  folder=RunFolder(folder, resume=True),
                  recipe=Recipe(schedule=lambda epoch, *_: 1.0 if epoch < 1.5 else learning_rate))


def test_a_diverging_run_names_epoch_step_layer_and_checkpoint_which_holds_finite_weights(tmp_path):
    message = (r"in epoch 2, step \d+, at learning rate 1e\+3\d; it began in the .* of \w+.*; "
               r"last good checkpoint: last.h5, of epoch 1")
    with pytest.raises(FloatingPointError, match=message), np.errstate(all="ignore"):
        diverging(tmp_path, 1e35).train()
    arrays, info = load_checkpoint(tmp_path / "last.h5")
    assert info["epoch"] == 1 and finite({name: array for name, array in arrays.items()})


def test_an_update_that_spoils_the_last_weights_of_an_epoch_leaves_no_checkpoint(tmp_path):
    model = Scripted([0.1, 0.2, 0.3])
    loss = model.loss
    model.loss = lambda X, y=None: (
        loss(X, y) if y is None or model.steps < 1 else (1.0, {"w": np.full(1, -1e308)})
    )
    solver = Solver(model, numbers(4), num_epochs=2, verbose=False, folder=RunFolder(tmp_path),
                    optim_config={"learning_rate": 1e5})
    with pytest.raises(FloatingPointError,
                       match="weights: became .* step 2, .* it began in the update of this step; "
                                                 "last good checkpoint: last.h5, of epoch 1"), \
            np.errstate(all="ignore"):
        solver.train()
    assert load_checkpoint(tmp_path / "last.h5")[1]["epoch"] == 1


def test_a_gradient_that_is_no_number_stops_the_training_though_its_loss_is_one():
    model = Scripted([0.1, 0.2])
    model.loss = lambda X, y=None: np.zeros((len(X),
                                             2)) if y is None else (1.0, {"w": np.array([np.nan])})
    with pytest.raises(FloatingPointError,
                       match="gradient: .* epoch 1, step 1, .* in the model; .* checkpoint: none"):
        Solver(model, numbers(4), num_epochs=1, verbose=False).train()
