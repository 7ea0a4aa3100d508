"""Tiny models and data for the tests of the training loop."""
import numpy as np


class Recorder:
    """A model that learns nothing and records the samples of every step; sample n is the number n.
    """

    def __init__(self):
        self.params = {"w": np.zeros(1)}
        self.batches = []

    def loss(self, X, y=None):
        if y is None:
            return np.zeros((len(X), 2))
        self.batches.append(X.ravel().tolist())
        return 1.0, {"w": np.zeros(1)}


class Scripted:
    """A model with given accuracies after every step; loss and parameter count the steps."""

    def __init__(self, accuracies):
        self.accuracies = accuracies
        self.params = {"w": np.zeros(1)}
        self.steps = 0

    def loss(self, X, y=None):
        if y is not None:
            self.steps += 1
            return float(self.steps), {"w": -np.ones(1)}
        right = X.ravel() < 10 * self.accuracies[self.steps]
        return np.stack([right, ~right], axis=1).astype(float)


def numbers(n, split_val=10):
    """Return data whose samples are their own numbers, all of class 0."""
    return {"X_train": np.arange(n)[:, None], "y_train": np.zeros(n, int),
            "X_val": np.arange(split_val)[:, None], "y_val": np.zeros(split_val, int)}


def faces(n, shape=(1, 8, 8), seed=0):
    """Return write-protected noise with learnable labels, the sign of a fixed projection."""
    rng = np.random.default_rng(seed)
    data = {}
    for split, count in (("train", n), ("val", 20)):
        X = rng.standard_normal((count, *shape)).astype(np.float32)
        data[f"X_{split}"] = X
        data[f"y_{split}"] = (X.reshape(count, -1)[:, ::3].sum(axis=1) > 0).astype(np.int64)
    for array in data.values():
        array.setflags(write=False)
    return data
