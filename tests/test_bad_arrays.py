"""Invalid arrays give an error that names the argument, at every public entry point."""
import numpy as np
import pytest

from cs231n_fer import layers as L
from cs231n_fer.analysis.metrics import accuracy, confusion_matrix
from cs231n_fer.data_utils import normalise
from cs231n_fer.data_utils.ferplus import emotion_votes
from cs231n_fer.data_utils.prepared import write_prepared
from cs231n_fer.data_utils.summary import occur_in
from cs231n_fer.nets.chain import Chain
from cs231n_fer.nets.network import Network
from cs231n_fer.nets.records import Affine

PIXELS = np.zeros((4, 48, 48), np.uint8)
EMOTION = np.zeros(4, np.uint8)
USAGE = np.array([0, 0, 1, 2], np.uint8)
X = np.ones((3, 1, 4, 4), np.float32)
Y = np.array([0, 1, 2])
MEAN = np.zeros((48, 48), np.float32)
NET = Network(Chain((("affine", Affine(3)),)), (1, 4, 4), seed=0)
SCORES = np.zeros((3, 7))
for array in (PIXELS, EMOTION, USAGE, X, Y, MEAN, SCORES):
    array.setflags(write=False)


def spoiled(array, value, dtype=np.float32):
    """Return the array with one number changed."""
    copy = array.astype(dtype)
    copy.flat[1] = value
    return copy


def write(pixels=PIXELS, emotion=EMOTION, usage=USAGE, votes=None):
    return lambda path: write_prepared(path / "a.h5", pixels, emotion, usage, votes)


BAD_ARRAYS = {  # name: (call with a folder, part of the error)
    "to prepare: floats": (write(PIXELS / 255),
                           "has float64 (4, 48, 48) as pixels, expected uint8 (4, 48, 48)"),
    "to prepare: NaN": (write(spoiled(PIXELS, np.nan)), "has float32 (4, 48, 48) as pixels"),
    "to prepare: one picture": (write(PIXELS[0]),
                                "has uint8 (48, 48) as pixels, expected uint8 (48, 48, 48)"),
    "to prepare: a channel": (write(PIXELS[:, None]),
                              "has uint8 (4, 1, 48, 48) as pixels, expected uint8 (4, 48, 48)"),
    "to prepare: a list": (write(PIXELS.tolist()), "has nothing as pixels"),
    "to prepare: nothing": (write(PIXELS[:0], EMOTION[:0], USAGE[:0]), "no row is of Training"),
    "to prepare: fewer labels": (write(emotion=EMOTION[:3]),
                                 "has uint8 (3,) as emotion, expected uint8 (4,)"),
    "to prepare: int64 labels": (write(emotion=EMOTION.astype(int)),
                                 "has int64 (4,) as emotion, expected uint8 (4,)"),
    "to prepare: label 7": (write(emotion=EMOTION + np.uint8(7)),
                            "has an emotion or a usage out of range, expected 0"),
    "to prepare: usage 3": (write(usage=USAGE + np.uint8(1)),
                            "has an emotion or a usage out of range"),
    "to prepare: no training": (write(usage=USAGE | np.uint8(1)),
                                "has an emotion or a usage out of range"),
    "to prepare: tests only": (write(usage=np.ones(4, np.uint8)),
                               "no row is of Training, expected some"),
    "to prepare: seven votes": (write(votes=np.zeros((4, 7), np.uint8)),
                                "(4, 7) as ferplus_votes, expected uint8 (4"),
    "to normalise: NaN": (lambda _: normalise(spoiled(PIXELS, np.nan), MEAN, 1),
                          "normalise: pixels are float32"),
    "to normalise: inf": (lambda _: normalise(spoiled(PIXELS, np.inf), MEAN, 1),
                          "not all finite numbers"),
    "to normalise: a mean of NaN": (lambda _: normalise(PIXELS, spoiled(MEAN, np.nan), 1),
                                    "normalise: mean_image are"),
    "to normalise: std inf": (lambda _: normalise(PIXELS, MEAN, np.inf), "std inf; expected"),
    "to normalise: std NaN": (lambda _: normalise(PIXELS, MEAN, np.nan), "std nan; expected"),
    "to normalise: std -1": (lambda _: normalise(PIXELS, MEAN, -1), "std -1; expected"),
    "to normalise: colour": (lambda _: normalise(np.zeros((2, 3, 48, 48)), MEAN, 1),
                             "have 3 channels, expected 1"),
    "to normalise: one picture": (lambda _: normalise(PIXELS[0], MEAN, 1),
                                  "normalise: pixels (48, 48)"),
    "to normalise: words": (lambda _: normalise(np.full((1, 48, 48), "a"), MEAN, 1),
                            "not all finite numbers"),
    "to a net: an empty batch": (lambda _: NET.loss(X[:0], Y[:0]),
                                 "X: has shape (0, 1, 4, 4), expected at least one"),
    "to a net: an empty batch without labels": (lambda _: NET.loss(X[:0]),
                                                "X: has shape (0, 1, 4, 4)"),
    "to a net: another size": (lambda _: NET.loss(X[:, :, :3]),
                               "X: one sample has shape (1, 3, 4), expected"),
    "to a net: an image without its axes": (lambda _: NET.loss(X[0, 0]),
                                            "X: one sample has shape (4,), expected"),
    "to a net: too few labels": (lambda _: NET.loss(X, Y[:2]),
                                 "y: labels have shape (2,), expected (3,)"),
    "to a net: label 3": (lambda _: NET.loss(X, Y + 1),
                          "y: labels reach from 1 to 3, expected 0 to 2"),
    "to a net: label -1": (lambda _: NET.loss(X, Y - 1),
                           "y: labels reach from -1 to 1, expected 0 to 2"),
    "to a net: labels of floats": (lambda _: NET.loss(X, Y / 2),
                                   "y: labels have dtype float64, expected integers"),
    "to a net: one-hot labels": (lambda _: NET.loss(X, np.eye(3, dtype=int)),
                                 "y: labels have shape (3, 3), exp"),
    "to a loss: one row": (lambda _: L.softmax_loss(SCORES[0], Y),
                           "x: scores have shape (7,), expected (N, C)"),
    "to metrics: NaN": (lambda _: accuracy(spoiled(SCORES, np.nan), Y),
                        "scores: 1 of 3 rows hold NaN"),
    "to metrics: nothing": (lambda _: accuracy(SCORES[:0], Y[:0]),
                            "scores: got (0, 7) with y (0,)"),
    "to metrics: label 7": (lambda _: confusion_matrix(Y, Y + 5, 7),
                            "y_pred: labels reach from 5 to 7, exp"),
    "to compare: other dtypes": (lambda _: occur_in(PIXELS, MEAN[None]),
                                 "images, others: got uint8"),
    "votes: nine": (lambda _: emotion_votes(np.zeros((2, 9))),
                    "votes: got shape (2, 9), expected (..., 10)"),
    "votes: a number": (lambda _: emotion_votes(3), "votes: got shape (), expected (..., 10)"),
}


@pytest.mark.parametrize("name", BAD_ARRAYS)
def test_a_bad_array_gets_an_error_that_says_what_came_and_what_was_expected(tmp_path, name):
    call, reason = BAD_ARRAYS[name]
    with pytest.raises(ValueError) as caught:
        call(tmp_path)
    assert reason in str(caught.value), str(caught.value)
    assert not list(tmp_path.iterdir())
