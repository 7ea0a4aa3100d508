"""ConvNetClassifier: training and prediction with the interface of scikit-learn.

An estimator holds its settings as they were passed, so that clone, Pipeline, GridSearchCV and
cross_val_score can copy and change them; what it learns has names that end with an underscore.
"""
from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

try:
    from sklearn.base import BaseEstimator, ClassifierMixin
    from sklearn.utils import check_random_state
    from sklearn.utils.multiclass import check_classification_targets
    from sklearn.utils.validation import _check_sample_weight, check_is_fitted, validate_data
except ImportError as error:
    raise ImportError(f"ConvNetClassifier needs scikit-learn 1.6 or later ({error}); "
                      'pip install "cs231n_fer[sklearn]"') from error

from ..fast_layers.gradients import l2_gradients
from ..fast_layers.losses import softmax_loss_fast
from ..layers.losses import log_softmax
from ..nets.chain import Chain, NamedLayer
from ..nets.layer import Mode
from ..nets.network import Network
from ..nets.records import Affine, Conv, MaxPool, ReLU
from ..nets.sandwich import fuse
from ..optim import check_config
from ..shapes import check
from ..solver.arguments import check_numbers
from ..solver.diagnosis import finite
from ..solver.flat_update import FlatUpdate
from ..types import Array, Labels, Shape

__all__ = ["ConvNetClassifier", "MakeNetwork", "small_net"]

MakeNetwork: TypeAlias = Callable[..., Network]
"""(input_shape, num_classes, *, dtype, seed, reg) -> a Network with one score for each class"""


def small_net(input_shape: Shape, num_classes: int, **options: Any) -> Network:
    """Return a small net for images or for vectors.

    input_shape   (C, H, W): {conv 3 x 3 - ReLU - 2 x 2 max-pool} x 2 - affine, with 16 and 32
                  filters; (D,): affine - ReLU - affine, with 64 units
    options       keywords of Network
    Images are pooled only while the shorter side is at least 2 pixels.
    """
    if len(input_shape) == 1:
        hidden: list[NamedLayer] = [("affine1", Affine(64)), ("relu1", ReLU())]
        return Network(Chain((*hidden, ("scores", Affine(num_classes)))), input_shape, **options)
    layers: list[NamedLayer] = []
    smallest = min(input_shape[1:])
    for i, filters in enumerate((16, 32), start=1):
        layers += [(f"conv{i}", Conv(filters)), (f"relu{i}", ReLU())]
        if smallest >= 2 ** i:
            layers.append((f"pool{i}", MaxPool()))
    return Network(fuse(Chain((*layers, ("scores", Affine(num_classes))))), input_shape, **options)


class ConvNetClassifier(ClassifierMixin, BaseEstimator):
    """A network as a scikit-learn classifier, trained with the softmax loss.

    image_shape     (C, H, W): the rows of X are images, flattened in this order; None: vectors
    network         function (input_shape, num_classes, *, dtype, seed, reg) -> Network; None:
                    small_net
    num_epochs      passes over the samples in fit; partial_fit makes a single one
    batch_size      largest number of samples in a step; batch sizes differ by at most one
    update_rule     name of a rule in optim.rules
    learning_rate   of that rule
    reg             strength of L2 regularization
    random_state    of the initial weights, the order of the samples and the dropout masks: an int,
                    a RandomState or None

    X (N, D) may be an array or a DataFrame; labels y (N,) may be of any type, such as strings.
    Training uses float32 if X is float32, which takes about half the time, and float64 otherwise.
    sample_weight multiplies the loss of a sample, relative to the mean weight; samples of weight 0
    are left out. If a batch holds all samples, an integer weight is equivalent to that many copies
    of a sample; in smaller batches, the copies could fall into different steps. X is not scaled
    here: use, for example, a StandardScaler in a Pipeline.

    After fit: classes_, the sorted labels; network_, the Network; n_features_in_, and
    feature_names_in_ for a DataFrame. Raises ValueError for unsuitable arguments, and
    FloatingPointError if training diverges.
    """

    def __init__(self, image_shape: Shape | None = None, network: MakeNetwork | None = None, *,
                 num_epochs: int = 20, batch_size: int = 64, update_rule: str = "adam",
                 learning_rate: float = 3e-3, reg: float = 0.0,
                 random_state: int | np.random.RandomState | None = None) -> None:
        self.image_shape = image_shape
        self.network = network
        self.num_epochs = num_epochs
        self.batch_size = batch_size
        self.update_rule = update_rule
        self.learning_rate = learning_rate
        self.reg = reg
        self.random_state = random_state

    def fit(self, X: ArrayLike, y: ArrayLike, sample_weight: ArrayLike | None = None
            ) -> ConvNetClassifier:
        """Train a new network on X (N, D) and labels y (N,); return self."""
        check_numbers(num_epochs=self.num_epochs)
        check(self.num_epochs > 0, "num_epochs: got 0, expected an int of at least 1")
        samples, labels, weights = self._checked(X, y, sample_weight, reset=True)
        self._begin(np.unique(labels), samples.dtype)
        for _ in range(self.num_epochs):
            self._epoch(samples, np.searchsorted(self.classes_, labels), weights)
        return self

    def partial_fit(self, X: ArrayLike, y: ArrayLike, classes: ArrayLike | None = None,
                    sample_weight: ArrayLike | None = None) -> ConvNetClassifier:
        """Train for one epoch on X (N, D) and y (N,), from where the last call ended.

        classes   all labels that will occur; needed in the first call
        """
        first = not hasattr(self, "classes_")
        samples, labels, weights = self._checked(X, y, sample_weight, reset=first)
        if first:
            check(classes is not None, "classes: got None, expected all labels in the first call "
                                       "of partial_fit")
            self._begin(np.unique(np.asarray(classes)), samples.dtype)
        elif classes is not None:
            check(np.array_equal(np.unique(np.asarray(classes)), self.classes_),
                  f"classes: got {classes}, expected those of the first call, {self.classes_}")
        unknown = np.setdiff1d(labels, self.classes_)
        check(not len(unknown), f"y: has the labels {unknown}, expected some of {self.classes_}")
        self._epoch(samples, np.searchsorted(self.classes_, labels), weights)
        return self

    def predict(self, X: ArrayLike) -> NDArray[Any]:
        """Return the label (N,) of every row of X (N, D)."""
        highest = self._scores(X).argmax(axis=1)
        labels: NDArray[Any] = self.classes_[highest]
        return labels

    def predict_proba(self, X: ArrayLike) -> Array:
        """Return the probabilities (N, classes) of X (N, D), in the order of classes_."""
        return np.exp(log_softmax(self._scores(X)))

    def _scores(self, X: ArrayLike) -> Array:
        """Return the scores (N, classes) of X (N, D)."""
        check_is_fitted(self)
        samples = validate_data(self, X, reset=False, dtype=[np.float64, np.float32])
        return self.network_.predict(samples.reshape(len(samples), *self.network_.input_shape))

    def _checked(self, X: ArrayLike, y: ArrayLike, sample_weight: ArrayLike | None, reset: bool
                 ) -> tuple[Array, NDArray[Any], Array]:
        """Return samples (N, *input_shape), labels, and weights of mean 1; weight 0 is left out.

        reset   whether X defines the features, as in a new fit
        """
        check_numbers(batch_size=self.batch_size)
        data, labels = validate_data(self, X, y, reset=reset, dtype=[np.float64, np.float32])
        check_classification_targets(labels)
        weights = _check_sample_weight(sample_weight, data)
        check((weights >= 0).all() and (weights > 0).any(),
              "sample_weight: got negative weights or only zeros, expected weights of at least 0, "
              "not all 0")
        chosen = weights > 0
        samples = data[chosen].reshape(-1, *self._input_shape(data.shape[1]))
        return samples, labels[chosen], weights[chosen] / weights[chosen].mean()

    def _input_shape(self, features: int) -> Shape:
        """Return the shape of one sample; raises ValueError unless it holds all features."""
        if self.image_shape is None:
            return (features,)
        shape = tuple(self.image_shape)
        check(len(shape) == 3 and math.prod(shape) == features,
              f"image_shape: got {shape}, expected (C, H, W) with C * H * W = {features}, the "
              "number of features of X")
        return shape

    def _begin(self, classes: NDArray[Any], dtype: np.dtype[Any]) -> None:
        """Make a new network, its random generators and the state of its update rule."""
        check_config(self.update_rule, {"learning_rate": self.learning_rate})
        seed = int(check_random_state(self.random_state).randint(2 ** 31 - 1))
        shape = self._input_shape(self.n_features_in_)
        make = small_net if self.network is None else self.network
        network = make(shape, len(classes), dtype=dtype, seed=seed, reg=self.reg)
        check(isinstance(network, Network) and network.layer.out_shape(shape) == (len(classes),),
              f"network: got {network!r}, expected a Network of {len(classes)} scores for samples "
              f"of shape {shape}")
        self.classes_ = classes
        self.network_ = network
        self._order = np.random.default_rng(seed)
        self._update = FlatUpdate(self.update_rule, {}, network.params)

    def _epoch(self, X: Array, y: Labels, weights: Array) -> None:
        """Train on all samples once, in random order."""
        order = self._order.permutation(len(X))
        for batch in np.array_split(order, math.ceil(len(X) / self.batch_size)):
            self._step(X[batch], y[batch], weights[batch])
        if not finite(self.network_.params):
            raise FloatingPointError(
                "the weights became infinite or NaN; scale X, or use a learning_rate below "
                f"{self.learning_rate:g}")

    def _step(self, X: Array, y: Labels, weights: Array) -> None:
        """Train on one batch, with the gradient of each sample's loss scaled by its weight."""
        network = self.network_
        scores, cache = network.forward(X, Mode(train=True, rng=network.rng))
        _, dscores = softmax_loss_fast(scores, y)
        _, grads = network.backward(dscores * weights[:, None].astype(network.dtype), cache)
        strengths = dict.fromkeys(network.regularised(), network.reg)
        _, grads = l2_gradients(network.params, grads, strengths)
        self._update.apply(network.params, grads, self.learning_rate)
