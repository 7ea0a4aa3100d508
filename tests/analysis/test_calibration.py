"""Tests of calibration: its error, the temperature, and what unsure predictions are worth."""
import numpy as np
import pytest

from cs231n_fer.analysis.calibration import (
    accuracy_above,
    expected_calibration_error,
    fit_temperature,
)
from cs231n_fer.classifiers.pretrained import tempered


def drawn(n=20_000, sharpness=2.0):
    """Return probabilities (n, 7) and labels that are drawn from them."""
    rng = np.random.default_rng(0)
    scores = sharpness * rng.standard_normal((n, 7))
    probabilities = np.exp(scores) / np.exp(scores).sum(axis=1, keepdims=True)
    y = (rng.random((n, 1)) > probabilities.cumsum(axis=1)).sum(axis=1).clip(0, 6)
    return probabilities, y


def test_the_error_is_that_of_a_calculation_by_hand():
    probabilities = np.array([[0.9, 0.1], [0.9, 0.1], [0.3, 0.7], [0.45, 0.55]])
    y = np.array([0, 1, 1, 0])
    # Bins of width 0.25: 0.9 twice, with accuracy 1/2; and 0.7 and 0.55, with accuracy 1/2.
    expected = 0.5 * abs(0.9 - 0.5) + 0.5 * abs(0.625 - 0.5)
    assert expected_calibration_error(probabilities, y, bins=4) == pytest.approx(expected)
    assert expected_calibration_error(probabilities, y, bins=1) == pytest.approx(0.7625 - 0.5)


def test_labels_drawn_from_the_probabilities_are_calibrated_and_have_temperature_1():
    probabilities, y = drawn()
    # Each of 15 bins errs by at most about 0.5 / sqrt(its rows).
    assert expected_calibration_error(probabilities, y) < 0.5 * 15 ** 0.5 / len(y) ** 0.5
    assert fit_temperature(probabilities, y) == pytest.approx(1, abs=0.03)


@pytest.mark.parametrize("temperature", [0.5, 0.9, 1.5, 3.0])
def test_the_temperature_undoes_a_change_of_temperature(temperature):
    probabilities, y = drawn()
    changed = tempered(probabilities, temperature)
    assert expected_calibration_error(changed, y) > expected_calibration_error(probabilities, y)
    found = fit_temperature(changed, y)
    assert found * temperature == pytest.approx(fit_temperature(probabilities, y), rel=1e-4)
    np.testing.assert_array_equal(changed.argmax(axis=1), probabilities.argmax(axis=1))
    np.testing.assert_allclose(tempered(changed, 1 / temperature), probabilities, rtol=1e-9)


def test_sure_predictions_are_right_more_often():
    probabilities, y = drawn()
    share, above, below = accuracy_above(probabilities, y, 0.5)
    sure = probabilities.max(axis=1) >= 0.5
    right = probabilities.argmax(axis=1) == y
    assert share == sure.mean()
    assert above == right[sure].mean() > 0.5 > right[~sure].mean() == below
    assert np.isnan(accuracy_above(probabilities, y, 0)[2])


@pytest.mark.parametrize("wrong", [np.ones((2, 3)) * 2, np.zeros((0, 3)), np.ones(3)])
def test_what_is_no_probability_gets_a_clear_error(wrong):
    with pytest.raises(ValueError):
        expected_calibration_error(wrong, np.zeros(len(wrong), int))
