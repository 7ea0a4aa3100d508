"""The advice to a training that diverged follows from the cause, and the course's nets go on."""
import warnings

import numpy as np
import pytest
from toys import Scripted, faces, numbers

from cs231n_fer.classifiers import (
    FinalConvNet,
    FullyConnectedNet,
    ThreeLayerConvNet,
    TwoLayerNet,
    baseline_net,
)
from cs231n_fer.data_utils.augment import HorizontalFlip
from cs231n_fer.files.checkpoint import load_checkpoint
from cs231n_fer.layers import distillation_loss, softmax_loss
from cs231n_fer.solver import Recipe, RunFolder, Solver
from cs231n_fer.solver.diagnosis import LOWER, Step, cause
from cs231n_fer.solver.search import survivors


def net(**options):
    return FinalConvNet((1, 8, 8), (4,), hidden_dim=8, num_classes=2, seed=5, rung="im2col",
                        **options)


def writable():
    return {name: array.copy() for name, array in faces(40).items()}


def solver_of(model, data=None, recipe=None, learning_rate=0.01, **options):
    return Solver(model, data or writable(), batch_size=9, num_epochs=2, verbose=False,
                  optim_config={"learning_rate": learning_rate}, recipe=recipe, **options)


class Spoiling(HorizontalFlip):
    """An augmentation that divides by 0."""

    def apply(self, images, draws):
        with np.errstate(all="ignore"):
            return images / np.float32(0)


def pixel():
    data = writable()
    solver = solver_of(net(), data)
    solver.X_train[7, 0, 3, 3] = np.nan  # after the check of all samples
    return solver


def augmentation():
    return solver_of(net(), recipe=Recipe(Spoiling()))


def conversion():
    data = writable()
    data["X_train"] = data["X_train"].astype(np.float64) * 1e300
    data["X_val"] = data["X_val"].astype(np.float64)
    return solver_of(net(), data, num_train_samples=1)


def large_samples():
    data = writable()
    data["X_train"] *= np.float32(8e37)
    return solver_of(net(), data)


def initial_weights():
    model = net()
    model.params["affine1/w"][...] = 3e38
    return solver_of(model)


def loss_function():
    model = net()
    model.loss_function = lambda scores, y: (np.nan, softmax_loss(scores, y)[1])
    return solver_of(model)


def teacher():
    model = net()
    model.teacher = lambda X: np.full((len(X), 2), np.nan)
    model.loss_function = lambda scores, y, taught: (
        float(taught.sum()), distillation_loss(scores, y, np.full((len(y), 2), 0.5), 0.5)[1])
    return solver_of(model)


def regularization():
    model = net(reg=1.0)
    model.reg = 1e308
    model.params["affine1/w"] *= 1e10
    return solver_of(model)


def learning_rate():
    return solver_of(net(), learning_rate=1e30)


def other_model():
    model = Scripted([0.1] * 9)
    model.loss = lambda X, y=None: (np.zeros((len(X), 2)) if y is None
                                    else (np.inf, {"w": np.ones(1)}))
    return Solver(model, numbers(4), verbose=False)


SCALE = "scale the samples"
CAUSES = {  # make: (where it began, the advice)
    pixel: ("the images of the batch", "leave out such samples"),
    augmentation: ("the augmentation of the batch", "fix the augmentation"),
    conversion: ("the conversion of the batch to float32", SCALE),
    large_samples: ("the output of ", "no step has been done yet: use smaller initial "),
    initial_weights: ("the output of affine1", "no step has been done yet: use smaller initial "),
    loss_function: ("the loss function", "check it and its arguments"),
    teacher: ("the probabilities of the teacher", "check the teacher's weights"),
    regularization: ("the L2 regularization", "use a smaller reg"),
    learning_rate: ("the ", LOWER),
    other_model: ("the model", "check its loss and its gradients"),
}


@pytest.mark.parametrize("make", CAUSES, ids=lambda make: make.__name__)
def test_the_advice_follows_from_the_cause(make):
    where, advice = CAUSES[make]
    with np.errstate(all="ignore"), pytest.raises(FloatingPointError) as caught:
        make().train()
    message = str(caught.value)
    assert f"it began in {where}" in message and f"; {advice}" in message
    assert LOWER in message or make in (pixel, augmentation, conversion, large_samples,
                                        initial_weights, teacher)


def test_initial_values_that_are_not_finite_are_refused_before_the_first_step():
    for group, name in (("params", "affine1/w"), ("buffers", "block1/bn/running_var")):
        model = net(batchnorm=True)
        getattr(model, group)[name].flat[0] = np.nan
        solver = solver_of(model)
        with pytest.raises(ValueError, match=f"model: {name} holds a NaN .* before the first step"):
            solver.train()
        assert not solver.val_acc_history
    model = net()
    model.params["affine1/w"].flat[0] = np.nan
    X = writable()["X_train"][:5]
    found = cause(model, Step(X, np.zeros(5, int), X, 1))
    assert found.where == "the initial values of affine1/w"


COURSE = {
    "FullyConnectedNet": lambda: FullyConnectedNet([7], 64, 2, seed=0),
    "TwoLayerNet": lambda: TwoLayerNet(64, 7, 2, seed=0),
    "ThreeLayerConvNet": lambda: ThreeLayerConvNet((1, 8, 8), 2, 3, 4, 2, seed=0),
}
OURS = {"FinalConvNet": net,
        "baseline_net": lambda: baseline_net(input_dim=(1, 8, 8), num_filters=2, hidden_dim=4,
                                             num_classes=2, seed=0)}


@pytest.mark.parametrize("name", COURSE)
def test_a_net_of_the_course_goes_on_with_nan_and_warns_once_what_happened(tmp_path, name):
    solver = solver_of(COURSE[name](), learning_rate=1e30, folder=RunFolder(tmp_path))
    with pytest.warns(UserWarning, match="became .* in epoch ., step .* began in .* continuing, "
                                         r"see Recipe\(on_divergence=\.\.\.\)") as caught:
        solver.train()
    assert len(caught) == 1 and len(solver.loss_history) == 10 and len(solver.history) == 2
    assert np.isnan(solver.loss_history[-1]) and 0 <= solver.val_acc_history[-1] <= 1
    assert np.isnan(load_checkpoint(tmp_path / "last.h5")[0]["loss_history"][-1])


@pytest.mark.parametrize("name", OURS)
def test_a_net_of_ours_ends_with_an_error(name):
    with pytest.raises(FloatingPointError), np.errstate(all="ignore"):
        solver_of(OURS[name](), learning_rate=1e30).train()


@pytest.mark.parametrize("make", [COURSE["TwoLayerNet"], net])
def test_the_recipe_decides_before_the_net(make):
    with pytest.raises(FloatingPointError), np.errstate(all="ignore"):
        solver_of(make(), learning_rate=1e30, recipe=Recipe(on_divergence="raise")).train()
    solver = solver_of(make(), learning_rate=1e30, recipe=Recipe(on_divergence="continue"))
    with pytest.warns(UserWarning, match="continuing"):
        solver.train()
    assert solver.epoch == 2


def test_a_search_of_the_learning_rate_as_in_the_course_finds_the_best_of_those_that_diverge():
    found = {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for number, rate in enumerate((1e30, 1e-2, 1e10)):
            solver = solver_of(COURSE["FullyConnectedNet"](), learning_rate=rate)
            solver.train()
            found[number] = -solver.loss_history[-1]
    assert survivors(found, 1) == [1]


def test_a_model_that_goes_on_is_trained_to_the_same_bits_as_long_as_nothing_diverges():
    ends = []
    for choice in ("raise", "continue"):
        solver = solver_of(net(), recipe=Recipe(on_divergence=choice))
        solver.train()
        ends.append([array.tobytes() for array in solver.model.params.values()])
    assert ends[0] == ends[1]
