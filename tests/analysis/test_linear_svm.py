"""Tests of the linear SVM: its minimum is that of Newton's method, and bad input is refused."""
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cs231n_fer.analysis.linear_svm import fit_linear_svm, standardise
from cs231n_fer.analysis.metrics import accuracy
from cs231n_fer.layers import l2_svm_loss

CLASSES = 3


def problem(n=400, d=10, seed=0, dtype=np.float64):
    """Return write-protected correlated features (n, d), and labels of a noisy linear rule."""
    rng = np.random.default_rng(seed)
    features = (rng.standard_normal((n, d)) @ rng.standard_normal((d, d))
                + rng.uniform(-3, 3, d)).astype(dtype)
    rule = np.random.default_rng(1).standard_normal((d, CLASSES))  # the same for every seed
    labels = ((features - features.mean(axis=0)) @ rule + 3
              * rng.standard_normal((n, CLASSES))).argmax(axis=1)
    for array in (features, labels):
        array.setflags(write=False)
    return features, labels


def newton(X, labels, reg, steps=30):
    """Return the minimum of the L2-SVM objective and its scores.

    Newton steps on the violated margins are taken for every class.
    """
    A = np.hstack([X, np.ones((len(X), 1))])
    ridge = np.append(np.full(X.shape[1], reg), 0)  # no regularization of the bias
    columns = []
    for c in range(CLASSES):
        t = np.where(labels == c, 1, -1)
        w = np.zeros(A.shape[1])
        for _ in range(steps):
            margin = np.maximum(0, 1 - t * (A @ w))
            violated = A[margin > 0]
            gradient = ridge * w - 2 / len(A) * A.T @ (t * margin)
            w = w - np.linalg.solve(2 / len(A) * violated.T @ violated + np.diag(ridge), gradient)
        columns.append(w)
    w = np.stack(columns, axis=1)
    return l2_svm_loss(A @ w, labels)[0] + 0.5 * reg * (w[:-1] ** 2).sum(), A @ w


@pytest.mark.parametrize("dtype, reg", [(np.float32, 1e-2), (np.float64, 1e-1)])
def test_it_finds_the_minimum_that_newtons_method_finds(dtype, reg):
    features, labels = problem(dtype=dtype)
    net = fit_linear_svm(features, labels, reg)
    scores = net.predict(features)
    assert scores.dtype == dtype and net.reg == reg
    X, _, scale = standardise(features)
    smallest, best_scores = newton(X.astype(np.float64), labels, reg)
    w = net.params["scores/w"] * scale[:, None]  # in standardized units, in which it is regularized
    found = l2_svm_loss(scores, labels)[0] + 0.5 * reg * (w ** 2).sum()
    assert smallest <= found * (1 + 1e-4) and found <= 1.01 * smallest
    assert (scores.argmax(axis=1) == best_scores.argmax(axis=1)).mean() > 0.98


@settings(max_examples=5, deadline=None)
@given(shift=st.floats(-100, 100), log_scale=st.floats(-5, 5))
def test_units_of_the_features_do_not_matter(shift, log_scale):
    features, labels = problem()
    there = features * np.exp(log_scale) + shift
    first, second = (fit_linear_svm(x, labels, num_steps=100).predict(x) for x in (features, there))
    np.testing.assert_allclose(second, first, rtol=1e-6, atol=1e-8)


def test_it_depends_on_its_seed_and_on_nothing_else():
    features, labels = problem()
    first, again, other = (fit_linear_svm(features, labels, num_steps=20,
                                          seed=seed).params["scores/w"]
                           for seed in (3, 3, 4))
    np.testing.assert_array_equal(first, again)
    assert (first != other).any()


def test_a_constant_feature_is_ignored_and_images_are_flattened():
    features, labels = problem(d=9)
    constant = np.concatenate([features[:, :8], np.full((len(features), 1), np.float64(0.1))],
                              axis=1)
    net = fit_linear_svm(constant.reshape(-1, 1, 3, 3), labels, num_steps=50, num_classes=5)
    assert (net.params["scores/w"][8] == 0).all() and net.params["scores/w"].shape == (9, 5)
    assert np.isfinite(net.predict(constant.reshape(-1, 1, 3, 3))).all()


def test_of_several_strengths_the_best_on_validation_is_chosen():
    features, labels = problem(n=40, d=30, dtype=np.float32)
    validation = problem(n=300, d=30, seed=2, dtype=np.float32)
    strengths = [1e-4, 1e-1, 1e4]
    accuracies = [accuracy(fit_linear_svm(features, labels, reg,
                                          num_steps=200).predict(validation[0]), validation[1])
                  for reg in strengths]
    chosen = fit_linear_svm(features, labels, strengths, validation, num_steps=200)
    assert chosen.reg == strengths[int(np.argmax(accuracies))] and len(set(accuracies)) > 1
    assert accuracy(chosen.predict(validation[0]), validation[1]) == max(accuracies)


@pytest.mark.parametrize("change, message", [
    ({"features": np.zeros((3, 2), int)}, "features: got int64"),
    ({"features": np.full((3, 2), np.nan)}, "features: sample 0 holds a NaN"),
    ({"features": np.zeros(3)}, r"features: got float64 \(3,\), expected float32 or float64"),
    ({"labels": np.zeros(2, int)}, "got 3 samples and 2 labels, expected as many of both"),
    ({"labels": np.zeros(3)}, "labels: labels have dtype float64"),
    ({"reg": [1, 2]}, "reg: got 2 strengths and no validation"),
    ({"reg": -1}, "reg: got -1"),
    ({"num_classes": 1, "labels": np.array([0, 1, 1])},
     "num_classes: got 1, expected more than the largest label, 1"),
])
def test_bad_arguments_are_named(change, message):
    with pytest.raises(ValueError, match=message):
        fit_linear_svm(**{"features": np.ones((3, 2)), "labels": np.array([0, 1, 1]),
                          "num_steps": 1, **change})
