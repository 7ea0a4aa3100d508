"""With np.random.seed, the course's nets and dropout give the numbers that its notebooks print."""
import copy
from multiprocessing.reduction import ForkingPickler

import numpy as np
import pytest

from cs231n_fer.classifiers import (
    FinalConvNet,
    FullyConnectedNet,
    ThreeLayerConvNet,
    TwoLayerNet,
    load_model,
)
from cs231n_fer.files.checkpoint import save_checkpoint
from cs231n_fer.layers import dropout_forward, dropout_forward_naive
from cs231n_fer.layers.course_random import GlobalGenerator
from cs231n_fer.solver import RunFolder, Solver
from cs231n_fer.solver.diagnosis import Step, cause

# The course's numbers come from NumPy's global generator, so these tests seed it.


@pytest.fixture(autouse=True)
def seeded():
    """Seed NumPy's global generator as the notebooks do, and put its state back."""
    state = np.random.get_state()  # noqa: NPY002
    np.random.seed(231)  # noqa: NPY002
    yield
    np.random.set_state(state)  # noqa: NPY002


def randn(*shape):
    return np.random.randn(*shape)  # noqa: NPY002


@pytest.mark.parametrize("options, losses", [
    ({}, (2.3004790897684924, 7.052114776533016)),
    ({"normalization": "batchnorm"}, (2.26119551013, 6.99653322011)),
    ({"use_batchnorm": True}, (2.26119551013, 6.99653322011))], ids=str)
def test_a_fully_connected_net_starts_at_the_losses_that_the_notebooks_print(options, losses):
    X = randn(2, 15)
    y = np.random.randint(10, size=2)  # noqa: NPY002
    for reg, printed in zip((0, 3.14), losses, strict=True):
        model = FullyConnectedNet([20, 30], input_dim=15, num_classes=10, reg=reg,
                                  weight_scale=5e-2, dtype=np.float64, **options)
        # The losses with batchnorm were printed by Python 2, with twelve digits.
        assert model.loss(X, y)[0] == pytest.approx(printed, rel=4e-12 if options else 1e-15)


def test_dropout_without_a_seed_gives_the_means_that_the_notebooks_print():
    x = randn(500, 500) + 10
    printed = {0.25: 10.014059116977283, 0.4: 9.977917658761159, 0.7: 9.987811912159426}
    for p, mean in printed.items():
        out, _ = dropout_forward(x, {"mode": "train", "p": p})
        assert out.mean() == pytest.approx(mean, rel=1e-14)


def test_naive_dropout_draws_the_same_numbers():
    x = np.ones((5, 7))
    masks = []
    for forward in (dropout_forward, dropout_forward_naive):
        np.random.seed(3)  # noqa: NPY002
        masks.append(forward(x, {"mode": "train", "p": 0.5})[1])
    np.testing.assert_array_equal(*masks)


def test_a_convolutional_net_starts_at_the_loss_that_the_notebook_prints():
    for shape in ((2, 3, 8, 8), (3, 3, 3, 3), (3,), (2, 3, 8, 8)):  # what an earlier cell draws
        randn(*shape)
    model = ThreeLayerConvNet()
    X = randn(50, 3, 32, 32)
    y = np.random.randint(10, size=50)  # noqa: NPY002
    assert model.loss(X, y)[0] == pytest.approx(2.302586071243987, rel=1e-6)  # ours is float32
    model.reg = 0.5
    assert model.loss(X, y)[0] == pytest.approx(2.508255638232932, rel=1e-6)


def test_weights_are_the_numbers_of_randn_in_the_order_of_the_layers():
    model = ThreeLayerConvNet((3, 4, 6), 2, 3, 5, 4, weight_scale=0.5, dtype=np.float64)
    np.random.seed(231)  # noqa: NPY002
    for name, array in model.params.items():
        expected = 0.5 * randn(*array.shape) if name.startswith("W") else np.zeros(array.shape)
        np.testing.assert_array_equal(array, expected)
    assert model.params["W1"].transpose(2, 3, 1, 0).flags.c_contiguous  # channels last


def test_nets_with_a_seed_and_other_nets_leave_the_global_generator_alone(tmp_path):
    before = np.random.get_state()[1:3]  # noqa: NPY002
    for make in (TwoLayerNet, ThreeLayerConvNet):
        make(seed=0)
    net = FullyConnectedNet([5], input_dim=4, dropout_keep_ratio=0.5, seed=0)
    net.loss(np.ones((2, 4)), np.array([0, 1]))
    FinalConvNet(num_filters=(2,), hidden_dim=3)
    net.save(tmp_path / "net.h5")
    load_model(tmp_path / "net.h5")
    for options in ({}, {"seed": None}):  # a file of train_final.py names the class
        described = {"kind": "TwoLayerNet", "options": {"input_dim": 4, **options}}
        arrays = {f"params/{name}": array
                  for name, array in TwoLayerNet(4, seed=0).params.items()}
        save_checkpoint(tmp_path / "named.h5", arrays, {"model": described})
        load_model(tmp_path / "named.h5")
    after = np.random.get_state()[1:3]  # noqa: NPY002
    np.testing.assert_array_equal(before[0], after[0])
    assert before[1] == after[1]


@pytest.mark.parametrize("copied", [copy.copy, copy.deepcopy,
                                    lambda net: ForkingPickler.loads(ForkingPickler.dumps(net))])
def test_a_copy_of_an_unseeded_net_continues_with_numbers_of_its_own(copied):
    net = FullyConnectedNet([50], input_dim=4, dropout_keep_ratio=0.5, dtype=np.float64)
    other = copied(net)
    X = np.ones((3, 4))
    y = np.array([0, 1, 2])
    assert net.loss(X, y)[0] == other.loss(X, y)[0]
    randn(10)
    assert net.loss(X, y)[0] != other.loss(X, y)[0]


@pytest.mark.parametrize("seed", [None, "philox"])
def test_a_resumed_run_of_a_net_with_any_generator_gives_the_same_bits(tmp_path, seed):
    X = randn(20, 4)
    y = np.arange(20) % 3
    data = {"X_train": X, "y_train": y, "X_val": X, "y_val": y}

    def train(epochs, folder):
        np.random.seed(5)  # noqa: NPY002
        rng = np.random.Generator(np.random.Philox(3)) if seed else None
        net = FullyConnectedNet([8], input_dim=4, num_classes=3, dropout_keep_ratio=0.5, seed=rng)
        solver = Solver(net, data, batch_size=5, num_epochs=epochs, verbose=False,
                        folder=RunFolder(folder, resume=True))
        solver.train()
        return solver.loss_history

    whole = train(4, tmp_path / "whole")
    train(2, tmp_path / "parts")
    assert train(4, tmp_path / "parts") == whole


def test_the_search_for_a_divergence_takes_any_generator_and_leaves_it_alone():
    net = FullyConnectedNet([8], input_dim=4, num_classes=3, dropout_keep_ratio=0.5)
    net.params["W1"] = np.full((4, 8), 1e30, np.float32)
    net.params["W2"] = np.full((8, 3), 1e30, np.float32)
    state = net.rng.bit_generator.state
    X = np.ones((6, 4))
    found = cause(net, Step(X, np.arange(6) % 3, X, number=2, rng_state=state))
    assert found.where == "the output of affine2 (Affine)"
    np.testing.assert_array_equal(net.rng.random(3), np.random.Generator(mt19937(state)).random(3))


def mt19937(state):
    """Return a bit generator in a state."""
    bits = np.random.MT19937(0)
    bits.state = state
    return bits


def test_the_global_generator_gives_the_numbers_of_rand_and_randn():
    rng = GlobalGenerator()
    uniform = np.random.rand(3, 2)  # noqa: NPY002
    normal = randn(3)  # an odd number of them: the next one is left over from this draw
    more = randn(2, 2)
    np.random.seed(231)  # noqa: NPY002
    np.testing.assert_array_equal(rng.random((3, 2)), uniform)
    np.testing.assert_array_equal(rng.standard_normal((3,)), normal)
    np.testing.assert_array_equal(rng.standard_normal((2, 2)), more)
