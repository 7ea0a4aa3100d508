"""Tests of measures as DataFrames: their numbers are those of the arrays, under the right names."""
import numpy as np
import pandas as pd
import pytest

from cs231n_fer.analysis.frames import accuracy_frame, confusion_frame
from cs231n_fer.analysis.metrics import confusion_matrix, per_class_accuracy, wilson_interval

NAMES = ["Anger", "Fear", "Happy", "Sad"]
Y = np.array([0, 0, 0, 1, 1, 2, 2, 2])
GUESS = np.array([0, 1, 0, 1, 2, 2, 2, 0])


def test_a_confusion_frame_holds_the_matrix_with_true_classes_as_rows():
    frame = confusion_frame(Y, GUESS, NAMES)
    np.testing.assert_array_equal(frame, confusion_matrix(Y, GUESS, 4))
    assert frame.loc["Anger", "Fear"] == 1 and frame.loc["Fear", "Anger"] == 0
    assert (frame.index.name, frame.columns.name) == ("true", "predicted")


@pytest.mark.parametrize("given", [confusion_frame(Y, GUESS, NAMES), confusion_matrix(Y, GUESS, 4)])
def test_an_accuracy_frame_holds_the_accuracy_of_each_class_and_its_interval(given):
    frame = accuracy_frame(given, None if isinstance(given, pd.DataFrame) else NAMES)
    assert list(frame.index) == NAMES and frame.images.tolist() == [3, 2, 3, 0]
    np.testing.assert_array_equal(frame.accuracy, per_class_accuracy(np.asarray(given)))
    assert np.isnan(frame.accuracy["Sad"])
    low, high = wilson_interval([2, 1, 2, 0], [3, 2, 3, 0])
    np.testing.assert_array_equal(frame[["low", "high"]], np.stack([low, high], 1))


@pytest.mark.parametrize("call", [
    lambda: confusion_frame(Y, GUESS, []), lambda: confusion_frame(Y, GUESS, ["a", "b", "c", "a"]),
    lambda: accuracy_frame(confusion_matrix(Y, GUESS, 4), ["a"])])
def test_names_that_do_not_fit_the_classes_are_refused(call):
    with pytest.raises(ValueError, match="names: got"):
        call()


def test_classes_without_names_are_numbered():
    assert list(accuracy_frame(np.eye(3, dtype=int)).index) == [0, 1, 2]
