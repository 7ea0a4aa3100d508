"""Samples and labels that Solver and check_accuracy refuse with advice, or convert."""
import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from toys import Recorder, faces

from cs231n_fer.classifiers import FullyConnectedNet
from cs231n_fer.shapes import samples_and_labels
from cs231n_fer.solver import Solver

N = 6
Y = np.arange(N) % 2
X = np.linspace(-1, 1, 2 * N).reshape(N, 2)


def with_value(value, dtype=float):
    """Return samples of which the last holds a value."""
    samples = X.astype(dtype)
    samples[-1, -1] = value
    return samples


BAD_LABELS = {  # case: (labels, the advice in the error); NAME stands for the argument
    "a column": (Y[:, None], "NAME.ravel()"),
    "a row of images": (Y.reshape(N, 1, 1), "NAME.ravel()"),
    "one-hot": (np.eye(2, dtype=int)[Y], "np.argmax(NAME, axis=1)"),
    "one-hot floats": (np.eye(3)[Y], "np.argmax(NAME, axis=1)"),
    "masked": (np.ma.masked_array(Y, Y == 1), ".filled(value)"),
    "text": (np.array(["sad", "angry"])[Y], "np.unique(NAME, return_inverse=True)[1]"),
    "text in a list": (["sad", "angry"] * 3, "np.unique(NAME, return_inverse=True)[1]"),
    "objects": (np.array([None, *Y[1:]]), "np.unique(NAME, return_inverse=True)[1]"),
    "bool": (Y == 1, "NAME.astype(int)"),
    "floats": (Y.astype(float), "NAME.astype(int)"),
    "negative": (Y - 1, "the smallest label is -1"),
    "of different lengths": ([[0], [1, 2], [0], [1], [0], [1]], "NAME: cannot be converted"),
    "a number": (1, "0 labels"),
    "a dict": ({0: 1}, "0 labels"),
    "too few": (Y[1:], "6 samples and 5 labels"),
}
BAD_SAMPLES = {
    "NaN": (with_value(np.nan), "NAME: sample 5 holds a NaN"),
    "infinite": (with_value(-np.inf, np.float32), "NAME: sample 5 holds a NaN or an infinite"),
    "NaN in float16": (with_value(np.nan, np.float16), "NAME: sample 5 holds a NaN"),
    "masked": (np.ma.masked_array(X, X < 0), ".filled(value)"),
    "text": (X.astype(str), "NAME.astype(np.float32)"),
    "objects": (X.astype(object), "NAME.astype(np.float32)"),
    "complex": (X + 1j, "NAME.astype(np.float32)"),
    "of different lengths": ([[1.0, 2.0], [3.0]] * 3, "NAME: cannot be converted"),
    "a number": (1.0, "0 samples"),
    "too many": (np.zeros((7, 2)), "7 samples and 6 labels"),
}


def data_with(**changes):
    """Return data of a Solver in which some entries are replaced."""
    return {"X_train": X, "y_train": Y, "X_val": X, "y_val": Y, **changes}


@pytest.mark.parametrize("split", ["train", "val"])
@pytest.mark.parametrize("name", BAD_LABELS)
def test_solver_refuses_labels_and_says_how_to_mend_them(name, split):
    labels, message = BAD_LABELS[name]
    argument = f"y_{split}"
    with pytest.raises(ValueError, match=argument) as caught:
        Solver(Recorder(), data_with(**{argument: labels}))
    assert message.replace("NAME", argument) in str(caught.value)


@pytest.mark.parametrize("split", ["train", "val"])
@pytest.mark.parametrize("name", BAD_SAMPLES)
def test_solver_refuses_samples_and_says_what_is_wrong(name, split):
    samples, message = BAD_SAMPLES[name]
    argument = f"X_{split}"
    with pytest.raises(ValueError, match=argument) as caught:
        Solver(Recorder(), data_with(**{argument: samples}))
    assert message.replace("NAME", argument) in str(caught.value)


@pytest.mark.parametrize("argument, case", [*(("y", case) for case in BAD_LABELS),
                                            *(("X", case) for case in BAD_SAMPLES)])
def test_check_accuracy_refuses_the_same(argument, case):
    bad, message = (BAD_LABELS if argument == "y" else BAD_SAMPLES)[case]
    given_arguments = {"X": X, "y": Y} | {argument: bad}
    with pytest.raises(ValueError, match=re.escape(message.replace("NAME", argument))):
        Solver(Recorder(), data_with()).check_accuracy(**given_arguments)


class Column:
    """A column of a table that is no array but converts to one, like that of pandas."""

    def __init__(self, values):
        self.values = values

    def __len__(self):
        return len(self.values)

    def __array__(self, dtype=None, copy=None):
        return np.array(self.values, dtype)


@pytest.mark.parametrize("convert", [np.ndarray.tolist, Column, np.asfortranarray])
@pytest.mark.parametrize("dtype", [np.int64, np.uint8, np.int32, ">i2"])
def test_lists_and_what_gives_an_array_train_to_the_same_bits(convert, dtype):
    data = faces(12)
    data = {name: array.astype(dtype) if name[0] == "y" else array for name, array in data.items()}
    ends = []
    for change in (lambda array: array, convert):
        net = FullyConnectedNet([4], input_dim=64, num_classes=2, seed=0)
        given_data = {name: change(array) for name, array in data.items()}
        solver = Solver(net, given_data, batch_size=5, num_epochs=2, verbose=False)
        solver.train()
        accuracy = solver.check_accuracy(given_data["X_val"], given_data["y_val"])
        ends.append((solver.loss_history, solver.val_acc_history, accuracy))
    assert ends[0] == ends[1]


@pytest.mark.parametrize("split", ["train", "val"])
def test_labels_beyond_the_classes_are_refused_at_the_first_scoring_wherever_they_are(split):
    labels = np.zeros(N, int)
    labels[-1] = 2
    solver = Solver(Recorder(), data_with(**{f"y_{split}": labels}), num_train_samples=1,
                    num_val_samples=1, verbose=False)
    message = f"y_{split}: the largest label is 2, expected labels from 0 to 1; use a model of 3"
    with pytest.raises(ValueError, match=message):
        solver.train()
    assert not solver.loss_history
    with pytest.raises(ValueError, match="y: the largest label is 2"):
        solver.check_accuracy(X, labels, num_samples=1)


@given(rows=st.integers(1, 3000), bad=st.integers(0, 2999), value=st.sampled_from([np.nan, np.inf]),
       dtype=st.sampled_from([np.float16, np.float32, np.float64]))
def test_the_first_sample_that_is_not_finite_is_named_and_finite_ones_stay(rows, bad, value, dtype):
    samples = np.zeros((rows, 2), dtype)
    labels = np.zeros(rows, np.uint8)
    found = samples_and_labels(samples, labels)
    assert found[0] is samples and found[1] is labels
    bad %= rows
    samples[bad:, 1] = value
    with pytest.raises(ValueError, match=f"X: sample {bad} holds"):
        samples_and_labels(samples, labels)
