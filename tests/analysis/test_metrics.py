"""Tests of the metrics against counts made by hand and against their definitions."""

from statistics import NormalDist

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cs231n_fer.analysis.metrics import (
    accuracy,
    confusion_matrix,
    per_class_accuracy,
    rank_correlation,
    wilson_interval,
)

pairs = st.integers(1, 6).flatmap(lambda classes: st.tuples(st.just(classes), st.lists(
    st.tuples(st.integers(0, classes - 1), st.integers(0, classes - 1)), min_size=1, max_size=40)))


def frozen(values, dtype=None):
    array = np.array(values, dtype=dtype)
    array.setflags(write=False)
    return array


def test_accuracy_is_the_share_of_rows_whose_highest_score_is_the_true_class():
    scores = frozen([[1, 2, 0], [5, 1, 1], [0, 0, 9], [3, 2, 1]], np.float32)
    assert accuracy(scores, frozen([1, 0, 2, 2])) == 0.75
    assert isinstance(accuracy(scores, frozen([1, 0, 2, 2])), float)


def test_rows_of_the_confusion_matrix_are_true_and_columns_predicted():
    y_true = frozen([0, 0, 0, 1, 2, 2], np.uint8)
    y_pred = frozen([0, 2, 2, 1, 0, 2], np.uint8)
    np.testing.assert_array_equal(confusion_matrix(y_true, y_pred, 4),
                                  [[1, 0, 2, 0], [0, 1, 0, 0], [1, 0, 1, 0], [0, 0, 0, 0]])


def test_small_label_types_do_not_overflow_with_many_classes():
    labels = frozen([255], np.uint8)
    confusion = confusion_matrix(labels, labels, 256)
    assert confusion[255, 255] == confusion.sum() == 1


@given(pairs)
def test_every_image_is_counted_once_and_the_diagonal_gives_the_accuracy(case):
    classes, labels = case
    y_true, y_pred = frozen(labels).T
    confusion = confusion_matrix(y_true, y_pred, classes)
    np.testing.assert_array_equal(confusion.sum(axis=1), np.bincount(y_true, minlength=classes))
    np.testing.assert_array_equal(confusion.sum(axis=0), np.bincount(y_pred, minlength=classes))
    scores = np.eye(classes)[y_pred]
    assert np.trace(confusion) / len(labels) == pytest.approx(accuracy(scores, y_true), abs=1e-15)


def test_accuracy_per_class_is_nan_without_images_and_warns_nothing():
    with np.errstate(all="raise"):
        result = per_class_accuracy(frozen([[3, 1, 0], [0, 0, 0], [5, 0, 0]]))
    np.testing.assert_array_equal(result, [0.75, np.nan, 0])


@pytest.mark.parametrize("correct, total, low, high", [
    (81, 263, 0.2553, 0.3662),    # these four: Newcombe 1998, table I, method 3
    (15, 148, 0.0624, 0.1605),
    (0, 20, 0.0000, 0.1611),
    (1, 29, 0.0061, 0.1718),
    (0, 0, 0.0, 1.0),             # without images, nothing is known
])
def test_the_wilson_interval_has_its_published_values(correct, total, low, high):
    np.testing.assert_allclose(wilson_interval(correct, total), (low, high), rtol=0, atol=5e-5)


@given(st.integers(1, 5000), st.floats(0, 1), st.floats(0.5, 0.999))
def test_the_wilson_bounds_are_where_the_score_test_just_rejects(total, share, confidence):
    """Its definition: |p - p0| = z sqrt(p0 (1 - p0) / n) at both bounds p0."""
    correct = round(share * total)
    z = NormalDist().inv_cdf(0.5 + confidence / 2)
    for bound in wilson_interval(correct, total, confidence):
        assert 0 <= bound <= 1
        np.testing.assert_allclose((correct / total - bound) ** 2,
                                   z**2 * bound * (1 - bound) / total, rtol=1e-9, atol=1e-14)


def test_the_wilson_interval_takes_arrays():
    low, high = wilson_interval(frozen([1, 0]), frozen([29, 20]))
    np.testing.assert_allclose(low, [0.0061, 0], atol=5e-5)
    np.testing.assert_allclose(high, [0.1718, 0.1611], atol=5e-5)


@pytest.mark.parametrize("call, message", [
    (lambda: accuracy(np.zeros((2, 3)), np.zeros(3, int)), r"scores: got \(2, 3\) with y \(3,\)"),
    (lambda: accuracy(np.zeros((0, 3)), np.zeros(0, int)), "scores: got"),
    (lambda: accuracy(np.array([[0, np.nan], [1, 0]]), np.array([0, 0])), "1 of 2 rows hold NaN"),
    (lambda: confusion_matrix([0, 1], [0], 2), "y_true, y_pred: got"),
    (lambda: confusion_matrix([0, 2], [0, 1], 2),
     "y_true: labels reach from 0 to 2, expected 0 to 1"),
    (lambda: confusion_matrix([0, 1], [0, -1], 2), "y_pred: labels reach from -1"),
    (lambda: confusion_matrix([0, 1], [0.0, 1.0], 2), "y_pred: got dtype float64"),
    (lambda: per_class_accuracy(np.zeros((2, 3))), "confusion: got shape"),
    (lambda: wilson_interval(5, 4), "correct, total: got 5.0 of 4.0"),
    (lambda: wilson_interval(1, 4, confidence=95), "confidence: got 95"),
])
def test_bad_input_gets_an_error_that_names_it(call, message):
    with pytest.raises(ValueError, match=message):
        call()


rows = st.lists(st.tuples(st.integers(-4, 4), st.integers(-4, 4)), min_size=2, max_size=12)


def correlation_of_ranks_by_counting(a, b):
    """Return Pearson's correlation of mean ranks, which are counted pair by pair."""
    ranks = [[sum(w < v for w in row) + sum(w == v for w in row) / 2 for v in row]
             for row in (a, b)]
    return np.corrcoef(ranks)[0, 1]


@given(rows)
def test_rank_correlation_is_that_of_the_mean_ranks(pairs):
    a, b = (frozen(values, np.float64) for values in zip(*pairs, strict=True))
    result = rank_correlation(a, b)
    if len(set(a)) == 1 or len(set(b)) == 1:
        assert np.isnan(result)
        return
    assert result == pytest.approx(correlation_of_ranks_by_counting(a, b), abs=1e-12)
    # Increasing functions preserve ranks.
    assert result == pytest.approx(rank_correlation(np.exp(a), b**3), abs=1e-12)
    assert result == pytest.approx(-rank_correlation(-a, b), abs=1e-12)


def test_rank_correlation_goes_along_the_last_axis():
    rng = np.random.default_rng(0)
    first, second = rng.integers(0, 9, (2, 3, 4, 20))
    result = rank_correlation(first, second)
    assert result.shape == (3, 4)
    for place in np.ndindex(3, 4):
        assert result[place] == rank_correlation(first[place], second[place])


def test_rank_correlation_is_scipys():
    stats = pytest.importorskip("scipy.stats")
    first, second = np.random.default_rng(1).integers(0, 30, (2, 100))
    expected = stats.spearmanr(first, second).statistic
    assert rank_correlation(first, second) == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("first, second", [([1, 2], [1, 2, 3]), ([1, np.nan], [1, 2]), (1, 2)])
def test_rank_correlation_refuses_what_does_not_fit(first, second):
    with pytest.raises(ValueError, match="first, second: got shapes"):
        rank_correlation(first, second)
