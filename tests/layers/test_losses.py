"""Tests of losses against their definitions, against hand-made values and against each other."""
import re

import numpy as np
import pytest
from hypothesis import given, settings
from layouts import PROBLEMS, arguments, assert_close, protected

from cs231n_fer import layers as L
from cs231n_fer.fast_layers.losses import softmax_loss_fast


def loss_arguments(name, rng, N, C):
    """Return scores, labels and further arguments:

    class weights, or a teacher, alpha and T. The teacher is certain of some samples.
    """
    x = 3 * rng.standard_normal((N, C))
    y = rng.integers(C, size=N)
    if name == WEIGHTED:
        return x, y, rng.uniform(0.1, 10, C)
    if name != "distillation_loss":
        return x, y
    teacher = np.exp(3 * rng.standard_normal((N, C))) * (rng.random((N, C)) < 0.7)
    teacher[np.arange(N), rng.integers(C, size=N)] = 1
    teacher = teacher / teacher.sum(axis=1, keepdims=True)
    alpha = float(rng.random())
    temperature = float(rng.uniform(0.5, 4))
    return x, y, teacher, alpha, temperature


WEIGHTED = "softmax_loss, class weights"
LOSSES = ["softmax_loss", WEIGHTED, "svm_loss", "l2_svm_loss", "distillation_loss"]


@pytest.mark.parametrize("name", LOSSES)
@settings(max_examples=40, deadline=None)
@given(**PROBLEMS)
def test_every_loss_equals_its_definition(name, dtype, layout, sizes, seed):
    drawn = loss_arguments(name, np.random.default_rng(seed), sizes[0], sizes[1])
    args = arguments(drawn, layout, dtype)
    (loss, dx), (below, dx_below) = (getattr(L, name.split(",")[0] + rung)(*args)
                                     for rung in ("", "_naive"))
    assert type(loss) is type(below) is float and dx.dtype == dtype
    assert_close(np.array(loss, dtype), np.array(below, dtype), drawn[0].size, name)
    assert_close(dx, dx_below, drawn[0].size, name)


@pytest.mark.parametrize("name", ["softmax_loss", WEIGHTED])
@settings(max_examples=60, deadline=None)
@given(**PROBLEMS)
def test_the_compiled_loss_equals_the_one_in_numpy(name, dtype, layout, sizes, seed):
    drawn = loss_arguments(name, np.random.default_rng(seed), sizes[0], sizes[1])
    args = arguments(drawn, layout, dtype)
    loss, dx = softmax_loss_fast(*args)
    below, dx_below = L.softmax_loss(*args)
    assert type(loss) is float and dx.dtype == dtype and dx.shape == args[0].shape
    assert_close(np.array(loss, dtype), np.array(below, dtype), drawn[0].size, name)
    assert_close(dx, dx_below, drawn[0].size, name)


def test_the_compiled_loss_takes_labels_of_any_type_and_scores_of_any_size():
    x = 1e4 * np.random.default_rng(0).standard_normal((6, 7))
    y = np.arange(6)
    loss, dx = softmax_loss_fast(x, y)
    assert np.isfinite(loss)
    assert np.isfinite(dx).all()
    assert loss == pytest.approx(L.softmax_loss(x, y)[0])
    for kind in (np.uint8, np.int32, np.uint64):
        assert softmax_loss_fast(x, y.astype(kind))[0] == loss
    # Float16 is widened
    assert softmax_loss_fast(x.astype(np.float16) / 1e4, y)[1].dtype == np.float32
    x[2, 3] = np.nan
    loss, dx = softmax_loss_fast(x, y)
    assert np.isnan(loss) and np.isnan(dx[2]).all() and np.isfinite(np.delete(dx, 2, axis=0)).all()


@pytest.mark.parametrize(("x", "y", "weights"), [
    (np.zeros((3, 4)), np.array([0, 1, 4]), None), (np.zeros((3, 4)), np.array([0, -1, 2]), None),
    (np.zeros((3, 4)), np.array([0, 1]), None), (np.zeros(4), np.array([0]), None),
    (np.zeros((0, 4)), np.zeros(0, int), None), (np.zeros((3, 4)), np.array([0.0, 1.0, 2.0]), None),
    (np.zeros((3, 4)), np.array([0, 1, 9]), [1, 1, 1, 1]),
    (np.zeros((3, 4)), np.array([0, 1, 2]), [1, 0, 1, 1]),
])
def test_the_compiled_loss_refuses_what_the_one_in_numpy_refuses(x, y, weights):
    with pytest.raises(ValueError) as below:
        L.softmax_loss(x, y, weights)
    with pytest.raises(ValueError, match=re.escape(str(below.value))):
        softmax_loss_fast(x, y, weights)


@pytest.mark.parametrize("name", LOSSES)
def test_losses_survive_huge_scores_and_their_gradients_sum_to_zero_where_only_differences_count(
    name,
):
    drawn = loss_arguments(name, np.random.default_rng(0), 6, 7)
    args = arguments((1e4 * drawn[0], *drawn[1:]), "C", np.float32)
    loss, dx = getattr(L, name.split(",")[0])(*args)
    assert np.isfinite(loss) and np.isfinite(dx).all()
    if name != "l2_svm_loss":
        np.testing.assert_allclose(dx.sum(axis=1), 0, atol=1e-5)


def test_losses_by_hand():
    x = protected(np.array([[1.0, 3.0, 0.5]]))
    y = protected(np.array([0]))
    assert L.svm_loss(x, y)[0] == pytest.approx(3 + 0.5)
    assert L.l2_svm_loss(x, y)[0] == pytest.approx(0 + 4 ** 2 + 1.5 ** 2)
    assert L.softmax_loss(protected(np.zeros((5, 7))), np.arange(5))[0] == pytest.approx(np.log(7))
    assert L.l2_loss(x, 0.5)[0] == pytest.approx(0.25 * 10.25)
    np.testing.assert_array_equal(L.l2_loss(x, 0.5)[1], 0.5 * x)


@settings(max_examples=30, deadline=None)
@given(**PROBLEMS)
def test_a_sample_of_class_weight_w_counts_as_w_samples(dtype, layout, sizes, seed):
    rng = np.random.default_rng(seed)
    x, y = loss_arguments("softmax_loss", rng, sizes[0], sizes[1])
    weights = rng.integers(1, 6, sizes[1])
    loss, dx = L.softmax_loss(*arguments((x, y, weights / rng.uniform(1, 9)), layout, dtype))
    rows = np.repeat(np.arange(len(x)), weights[y])
    repeated, d_repeated = L.softmax_loss(*arguments((x[rows], y[rows]), layout, dtype))
    assert_close(np.array(loss, dtype), np.array(repeated, dtype), 6 * x.size, "softmax_loss")
    summed = np.zeros(x.shape, dtype)
    np.add.at(summed, rows, d_repeated)
    assert_close(dx, summed, 6 * x.size, "softmax_loss")


def test_class_weights_of_1_change_no_bit():
    x, y = arguments(loss_arguments("softmax_loss", np.random.default_rng(3), 50, 7), "C",
                     np.float32)
    loss, dx = L.softmax_loss(x, y)
    weighted, d_weighted = L.softmax_loss(x, y, np.ones(7))
    assert weighted == loss and d_weighted.tobytes() == dx.tobytes()


@pytest.mark.parametrize("factor", [2.0 ** 1023, 2.0 ** -1074, 2.0 ** 130, 2.0 ** -130])
@pytest.mark.parametrize("loss_function",
                         [L.softmax_loss_naive, L.softmax_loss, softmax_loss_fast])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_power_of_2_as_factor_of_class_weights_changes_no_bit_however_extreme(
        dtype, loss_function, factor):
    x, y = arguments(loss_arguments("softmax_loss", np.random.default_rng(3), 50, 7), "C", dtype)
    loss, dx = loss_function(x, y, np.ones(7))
    weighted, d_weighted = loss_function(x, y, np.full(7, factor))
    assert weighted == loss and d_weighted.tobytes() == dx.tobytes()


@pytest.mark.parametrize("loss_function",
                         [L.softmax_loss_naive, L.softmax_loss, softmax_loss_fast])
@pytest.mark.parametrize("weights", [[1e308, 5e-324, 1.0], [1e39, 1e-45, 1e-300]])
def test_a_class_of_extreme_weight_counts_for_nothing_beside_others_and_fully_on_its_own(
        loss_function, weights):
    x = np.random.default_rng(0).standard_normal((4, 3)).astype(np.float32)
    alone = np.full(4, 1)
    for found, expected in zip(loss_function(x, alone, weights), loss_function(x, alone),
                               strict=True):
        np.testing.assert_allclose(found, expected, rtol=1e-6)
    _, dx = loss_function(x, np.array([0, 1, 1, 2]), weights)
    _, first = loss_function(x[:1], np.array([0]))
    np.testing.assert_allclose(dx, np.concatenate([first, np.zeros((3, 3), np.float32)]),
                               rtol=1e-6)


@pytest.mark.parametrize("weights", [np.ma.masked_array([1.0, 2.0, 1.0], [0, 1, 0]), [1j, 1, 1],
                                     ["a", "b", "c"], [None, 1, 2]], ids=str)
@pytest.mark.parametrize("loss_function",
                         [L.softmax_loss_naive, L.softmax_loss, softmax_loss_fast])
def test_class_weights_that_are_masked_or_no_real_numbers_are_refused(loss_function, weights):
    with pytest.raises(ValueError, match="class_weights: "):
        loss_function(np.zeros((2, 3)), np.array([0, 1]), weights)


def test_distillation_at_temperature_1_is_the_papers_equation_1():
    x, y, teacher, *_ = loss_arguments("distillation_loss", np.random.default_rng(1), 5, 7)
    loss = L.distillation_loss(x, y, teacher, 0.8)[0]
    expected = 0
    for f, label, p in zip(x, y, teacher, strict=True):
        log_sum = np.log(np.exp(f).sum())
        kl = sum(q * (np.log(q) - (score - log_sum))
                 for q, score in zip(p, f, strict=True) if q > 0)
        expected += (0.8 * (-f[label] + log_sum) + 0.2 * kl) / len(x)
    assert loss == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("T", [1.0, 3.0])
def test_a_student_that_agrees_with_its_teacher_has_no_distillation_loss(T):
    x, y, *_ = loss_arguments("softmax_loss", np.random.default_rng(2), 5, 7)
    teacher = np.exp(x / T) / np.exp(x / T).sum(axis=1, keepdims=True)
    loss, dx = L.distillation_loss(x, y, teacher, alpha=0.0, T=T)
    np.testing.assert_allclose([loss, *dx.ravel()], 0, atol=1e-12)
    assert L.distillation_loss(x, y, teacher[::-1], alpha=1.0, T=T)[0] == L.softmax_loss(x, y)[0]


@pytest.mark.parametrize("smoothing", [0.0, 0.3, 1.0])
def test_label_smoothing_mixes_the_label_with_all_classes_alike(smoothing):
    x, y = loss_arguments("softmax_loss", np.random.default_rng(2), 5, 7)
    targets = (1 - smoothing) * np.eye(7)[y] + smoothing / 7
    log_p = x - np.log(np.exp(x).sum(axis=1, keepdims=True))
    loss, dx = L.smoothed_softmax_loss(protected(x), y, smoothing)
    assert loss == pytest.approx(-(targets * log_p).sum() / 5 - smoothing * np.log(7))
    np.testing.assert_allclose(dx, (np.exp(log_p) - targets) / 5, atol=1e-15)
    assert L.smoothed_softmax_loss(x.astype(np.float32), y)[1].dtype == np.float32
