"""Tests of class shares, class weights and samplers against their definitions."""
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cs231n_fer.solver.samplers import Balanced, Shuffle, class_shares, class_weights

FER2013 = [3995, 436, 4097, 7215, 4830, 3171, 4965]  # number of faces of every emotion in Training
problems = {"counts": st.lists(st.integers(0, 40), min_size=1, max_size=7).filter(any),
            "strength": st.floats(0, 1), "seed": st.integers(0, 99)}


def labels_of(counts, seed):
    """Return shuffled labels with the given number of samples per class."""
    labels = np.random.default_rng(seed).permutation(np.repeat(np.arange(len(counts)), counts))
    labels.setflags(write=False)
    return labels


def test_shares_and_weights_by_hand():
    np.testing.assert_allclose(class_shares([1, 4, 0, 16], 0.5), [1 / 7, 2 / 7, 0, 4 / 7],
                               rtol=1e-15)
    np.testing.assert_allclose(class_shares([1, 4, 0, 16], 1), [1 / 3, 1 / 3, 0, 1 / 3], rtol=1e-15)
    weights = class_weights(labels_of(FER2013, 0), 7)
    np.testing.assert_allclose(weights, 28709 / (7 * np.array(FER2013)), rtol=1e-14)
    assert weights[1] == pytest.approx(9.4066, abs=5e-5)


@given(**problems)
def test_weighted_samples_add_up_to_the_shares(counts, strength, seed):
    labels = labels_of(counts, seed)
    shares = class_shares(counts, strength)
    weights = class_weights(labels, len(counts), strength)
    np.testing.assert_allclose(weights * counts / sum(counts), shares, rtol=1e-13)
    assert weights.min() > 0 and (weights[np.array(counts) == 0] == 1).all()
    assert shares.sum() == pytest.approx(1)


@settings(deadline=None)
@given(**problems)
def test_a_balanced_epoch_shows_each_class_by_its_share_and_its_samples_equally_often(
        counts, strength, seed):
    labels = labels_of(counts, seed)
    order = Balanced(strength).order(np.random.default_rng(seed), labels)
    assert len(order) == len(labels)
    shown = np.bincount(labels[order], minlength=len(counts))
    # A running total is rounded at both ends of a class, each by at most half a sample.
    assert (abs(shown - class_shares(counts, strength) * len(labels)) <= 1 + 1e-9).all()
    times = np.bincount(order, minlength=len(labels))
    for label in np.flatnonzero(counts):
        assert np.ptp(times[labels == label]) <= 1


@given(**problems)
def test_strength_0_shows_every_sample_once_as_a_shuffle_does(counts, strength, seed):
    labels = labels_of(counts, seed)
    for sampler in (Balanced(0), Shuffle()):
        order = sampler.order(np.random.default_rng(seed), labels)
        np.testing.assert_array_equal(np.sort(order), np.arange(len(labels)))


def test_an_order_is_a_function_of_its_generator_and_mixes_the_classes():
    labels = np.repeat([0, 1], [30, 300])
    first, same, other = (Balanced().order(np.random.default_rng(seed), labels)
                          for seed in (1, 1, 2))
    assert first.tolist() == same.tolist() != other.tolist()
    assert set(first) != set(other)  # different samples of the large class are left out
    half = labels[first[:165]].mean()
    assert abs(half - 0.5) < 6 * 0.5 / 165 ** 0.5  # six standard errors of a share


@pytest.mark.parametrize("call, message", [
    (lambda: Balanced(1.5), "strength: got 1.5"),
    (lambda: class_shares([1, 2], -1), "strength: got -1"),
    (lambda: class_shares([0, 0]), r"counts: got \[0.0, 0.0\]"),
    (lambda: class_shares([1, -1]), "counts: got"),
    (lambda: class_weights(np.array([0, 3]), 3),
     "labels: reach to 3, expected less than 3 classes"),
    (lambda: class_shares([1, np.nan]), "counts: got"),
    (lambda: class_shares([1, np.inf]), "counts: got"),
    (lambda: class_shares([1e308, 1e308]), "counts: got"),
    (lambda: class_shares(np.ma.masked_array([1, 2], [0, 1])), "counts: got a masked array"),
    (lambda: class_weights(np.ma.masked_array([0, 1], [0, 1]), 2), "labels: got a masked array"),
    (lambda: class_weights(np.array([-1, 0]), 2), "labels: got int64"),
    (lambda: class_weights(np.array([0.0, 1.0]), 2), "labels: got float64"),
])
def test_bad_input_gets_an_error_that_names_it(call, message):
    with pytest.raises(ValueError, match=message):
        call()
