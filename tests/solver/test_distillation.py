"""Tests of distillation: which teachers, which faces, and that a run resumes exactly."""
import numpy as np
import pytest
from toys import faces

from cs231n_fer.classifiers import FinalConvNet
from cs231n_fer.data_utils.augment import HorizontalFlip
from cs231n_fer.layers import distillation_loss, softmax_loss
from cs231n_fer.nets.layer import Mode
from cs231n_fer.solver import Recipe, RunFolder, Solver
from cs231n_fer.solver.distillation import distil, teacher_of


def net(seed, scale=50.0):
    """Return a small net without dropout, with scores that differ."""
    model = FinalConvNet((1, 8, 8), (4,), hidden_dim=8, num_classes=2, batchnorm=True, seed=seed)
    model.params["affine2/w"] *= np.float32(scale)
    return model


def batch(n=6):
    rng = np.random.default_rng(0)
    return rng.standard_normal((n, 1, 8, 8)).astype(np.float32), rng.integers(0, 2, n)


def softmax(scores):
    return np.exp(scores) / np.exp(scores).sum(axis=1, keepdims=True)


@pytest.mark.parametrize("T", [1.0, 3.0])
def test_a_teacher_is_the_mean_of_the_probabilities_of_its_networks_at_a_temperature(T):
    X, _ = batch()
    nets = [net(1), net(2)]
    expected = (softmax(nets[0].loss(X) / T) + softmax(nets[1].loss(X) / T)) / 2
    found = teacher_of(nets, T)(X)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, expected, atol=1e-6)


def test_the_loss_is_the_distillation_loss_with_what_the_teachers_say_of_this_very_batch():
    X, y = batch()
    teacher = net(1)
    for view in (X, X[::-1], X[..., ::-1]):
        scores = net(0).forward(view, Mode(train=True))[0]
        expected, dscores = distillation_loss(scores, y, softmax(teacher.loss(view) / 2), 0.3, 2.0)
        student = distil(net(0), [teacher], alpha=0.3, T=2.0)
        loss, grads = student.loss(view, y)
        assert loss == pytest.approx(expected, rel=1e-5)
        assert loss != pytest.approx(softmax_loss(scores, y)[0], rel=1e-3)
        np.testing.assert_allclose(grads["affine2/b"], dscores.sum(axis=0), atol=1e-6)


def test_a_student_of_itself_at_alpha_0_has_nothing_to_learn_and_labels_alone_count_at_alpha_1():
    X, y = batch()
    alone = net(3)
    labels = distil(net(3), [net(4)], alpha=1.0)
    assert labels.loss(X, y)[0] == pytest.approx(alone.loss(X, y)[0])
    # Without batchnorm, the output for a face does not depend on its batch.
    model = FinalConvNet((1, 8, 8), (4,), hidden_dim=8, num_classes=2, seed=3)
    model.params["affine2/w"] *= np.float32(50)
    loss, grads = distil(model, [model], alpha=0.0).loss(X, y)
    assert loss == pytest.approx(0, abs=1e-6)
    assert max(np.abs(grad).max() for grad in grads.values()) < 1e-5


def test_teachers_do_not_change_when_the_student_does():
    X, y = batch()
    model = net(5)
    student = distil(model, [model])
    before = student.teacher(X)
    model.params = {name: array + np.float32(1) for name, array in model.params.items()}
    np.testing.assert_array_equal(student.teacher(X), before)


def test_a_distilled_run_that_is_interrupted_ends_with_the_same_bits(tmp_path):
    def start(folder, epochs, resume=False):
        return Solver(distil(net(0), [net(1)], 0.5, 2.0), faces(40), batch_size=9,
                      num_epochs=epochs, verbose=False,
                      recipe=Recipe(HorizontalFlip()), folder=RunFolder(folder, resume))
    whole = start(tmp_path / "whole", 3)
    whole.train()
    start(tmp_path / "cut", 2).train()
    resumed = start(tmp_path / "cut", 3, resume=True)
    resumed.train()
    assert resumed.loss_history == whole.loss_history
    for name, array in whole.model.params.items():
        np.testing.assert_array_equal(resumed.model.params[name], array)


def test_no_teachers_and_no_temperature_are_errors():
    with pytest.raises(ValueError, match="networks, T: got 0 and 1.0"):
        teacher_of([])
    with pytest.raises(ValueError, match="networks, T: got 1 and 0"):
        teacher_of([net(0)], 0)
