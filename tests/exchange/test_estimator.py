"""ConvNetClassifier keeps the contract of scikit-learn's estimators."""
from multiprocessing.reduction import ForkingPickler

import numpy as np
import pytest

pytest.importorskip("sklearn")
from sklearn.base import clone  # noqa: E402
from sklearn.model_selection import GridSearchCV, cross_val_score  # noqa: E402
from sklearn.pipeline import make_pipeline  # noqa: E402
from sklearn.preprocessing import StandardScaler  # noqa: E402
from sklearn.utils.estimator_checks import estimator_checks_generator  # noqa: E402

from cs231n_fer.classifiers import FinalConvNet, FullyConnectedNet  # noqa: E402
from cs231n_fer.exchange.estimator import ConvNetClassifier, small_net  # noqa: E402

SHAPE = (1, 6, 5)


def images(N=60, dtype=np.float32, seed=0):
    """Rows of images with one bright line, and where it is."""
    rng = np.random.default_rng(seed)
    places = rng.integers(0, 3, N)
    X = 0.3 * rng.standard_normal((N, *SHAPE))
    X[np.arange(N), 0, 2 * places] += 1
    return X.reshape(N, -1).astype(dtype), np.array(["top", "centre", "bottom"])[places]


def dropout_net(input_shape, num_classes, **options):
    return FullyConnectedNet([32], input_shape[0], num_classes, dropout_keep_ratio=0.9,
                             weight_scale=0.2, **options)


def course_net(input_shape, num_classes, **options):
    return FinalConvNet(input_shape, (8,), hidden_dim=16, num_classes=num_classes, **options)


CHECKS = list(estimator_checks_generator(ConvNetClassifier(), legacy=True, mark="skip"))


def name_of(check):
    """The name of a check, which may be a partial function."""
    keywords = "".join(f", {value}" for value in getattr(check, "keywords", {}).values())
    return getattr(check, "func", check).__name__ + keywords


def test_scikit_learn_has_checks_for_this_kind_of_estimator():
    assert len(CHECKS) > 50


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("estimator, check", CHECKS, ids=lambda value: name_of(value)
                         if callable(value) else "")
def test_the_estimator_passes_the_checks_of_scikit_learn(estimator, check):
    check(estimator)


@pytest.mark.parametrize("image_shape, network", [
    (None, None), (SHAPE, None), (None, dropout_net), (SHAPE, course_net)])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_fitted_estimator_knows_what_it_was_shown_and_what_it_was_not(
        image_shape, network, dtype):
    X, y = images(dtype=dtype)
    unseen, answers = images(dtype=dtype, seed=1)
    model = ConvNetClassifier(image_shape, network, num_epochs=40, random_state=0)
    assert model.fit(X, y) is model
    assert list(model.classes_) == ["bottom", "centre", "top"]
    assert model.score(X, y) > 0.95 and model.score(unseen, answers) > 0.8
    assert model.network_.dtype == dtype and model.n_features_in_ == 30
    probabilities = model.predict_proba(unseen)
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, rtol=1e-5)
    assert (model.classes_[probabilities.argmax(axis=1)] == model.predict(unseen)).all()


def test_the_rows_of_x_are_images_in_the_order_of_channels_rows_and_columns():
    X, y = images()
    model = ConvNetClassifier(SHAPE, num_epochs=1, random_state=0).fit(X, y)
    scores = model.network_.predict(X.reshape(-1, *SHAPE))
    assert (model.classes_[scores.argmax(axis=1)] == model.predict(X)).all()


@pytest.mark.parametrize("labels", [[0, 1, 2], [-5, 7, 10 ** 9], ["a", "b", "c"],
                                    [False, True, True], [1.0, 2.0, 5.0]])
def test_labels_of_any_type_come_back(labels):
    X, y = images()
    labels = np.asarray(labels)
    y = labels[np.unique(y, return_inverse=True)[1]]
    model = ConvNetClassifier(random_state=0, num_epochs=2).fit(X, y)
    predicted = model.predict(X)
    assert predicted.dtype == labels.dtype and set(predicted) <= set(labels)
    assert list(model.classes_) == sorted(set(labels))


def test_dataframes_and_series_are_taken_and_their_columns_remembered():
    pandas = pytest.importorskip("pandas")
    X, y = images()
    frame = pandas.DataFrame(X, columns=[f"pixel {i}" for i in range(30)])
    model = ConvNetClassifier(SHAPE, random_state=0, num_epochs=3).fit(frame, pandas.Series(y))
    assert model.feature_names_in_[7] == "pixel 7"
    twin = ConvNetClassifier(SHAPE, random_state=0, num_epochs=3).fit(X, y)
    np.testing.assert_array_equal(model.predict_proba(frame), twin.predict_proba(X))


def test_the_same_random_state_gives_the_same_bits_and_another_one_does_not():
    X, y = images()

    def fitted(state):
        model = ConvNetClassifier(None, dropout_net, num_epochs=3, random_state=state)
        return model.fit(X, y).predict_proba(X)
    np.testing.assert_array_equal(fitted(3), fitted(3))
    np.testing.assert_array_equal(fitted(np.random.RandomState(3)), fitted(3))
    assert (fitted(3) != fitted(4)).any()


def test_a_clone_has_the_settings_and_none_of_the_weights():
    X, y = images()
    model = ConvNetClassifier(SHAPE, course_net, reg=0.1, random_state=2, num_epochs=2).fit(X, y)
    twin = clone(model)
    assert twin.get_params() == model.get_params() and not hasattr(twin, "network_")
    np.testing.assert_array_equal(twin.fit(X, y).predict_proba(X), model.predict_proba(X))


def test_a_pickled_estimator_predicts_and_goes_on_training():
    X, y = images()
    model = ConvNetClassifier(random_state=0).partial_fit(X, y, classes=np.unique(y))
    twin = ForkingPickler.loads(ForkingPickler.dumps(model))
    np.testing.assert_array_equal(twin.predict_proba(X), model.predict_proba(X))
    np.testing.assert_array_equal(twin.partial_fit(X, y).predict_proba(X),
                                  model.partial_fit(X, y).predict_proba(X))


def test_epochs_of_partial_fit_are_those_of_fit():
    X, y = images()
    whole = ConvNetClassifier(random_state=0, num_epochs=4, batch_size=16).fit(X, y)
    parts = ConvNetClassifier(random_state=0, batch_size=16)
    for _ in range(4):
        parts.partial_fit(X, y, classes=["bottom", "centre", "top"])
    np.testing.assert_array_equal(parts.predict_proba(X), whole.predict_proba(X))


def test_a_fit_forgets_what_was_learned_before():
    X, y = images()
    model = ConvNetClassifier(random_state=0, num_epochs=2).fit(X[:, :20], y)
    again = model.fit(X, y).predict_proba(X)
    twin = ConvNetClassifier(random_state=0, num_epochs=2).fit(X, y)
    np.testing.assert_array_equal(again, twin.predict_proba(X))


def test_weights_are_copies_in_one_batch_and_relative_to_their_mean():
    X, y = images(20, np.float64)
    weights = np.arange(20) % 4

    def fitted(X, y, weights=None):
        model = ConvNetClassifier(random_state=0, num_epochs=10, batch_size=100)
        return model.fit(X, y, weights).predict_proba(X[:5])
    kept = np.repeat(np.arange(20), weights)
    head = np.arange(5)
    expected = ConvNetClassifier(random_state=0, num_epochs=10, batch_size=100).fit(
        X[kept], y[kept]).predict_proba(X[head])
    np.testing.assert_allclose(fitted(X, y, weights), expected, rtol=1e-8)
    np.testing.assert_allclose(fitted(X, y, 7.5 * weights), expected, rtol=1e-8)
    assert np.abs(fitted(X, y) - expected).max() > 1e-4


def test_a_pipeline_a_grid_search_and_a_cross_validation_run():
    X, y = images(90)
    pipeline = make_pipeline(StandardScaler(), ConvNetClassifier(SHAPE, random_state=0))
    scores = cross_val_score(pipeline, 200 * X + 100, y, cv=3)
    assert scores.shape == (3,) and scores.mean() > 0.8
    search = GridSearchCV(pipeline, {"convnetclassifier__learning_rate": [1e-6, 1e-2],
                                     "convnetclassifier__reg": [0.0, 1e-3]}, cv=2, n_jobs=1)
    search.fit(X, y)
    assert search.best_params_["convnetclassifier__learning_rate"] == 1e-2
    assert search.best_score_ > 0.8


@pytest.mark.parametrize("shape", [(1, 1, 1), (3, 2, 9), (1, 3, 3), (2, 8, 8)])
def test_the_small_net_takes_images_of_any_size(shape):
    net = small_net(shape, 4, seed=0)
    assert net.predict(np.zeros((2, *shape), np.float32)).shape == (2, 4)


X, Y = images(12)
ERRORS = {
    r"image_shape: got \(1, 5, 5\), expected .* = 30": lambda: ConvNetClassifier((1, 5, 5)).fit(
        X, Y),
    r"image_shape: got \(30,\), expected \(C, H, W\)": lambda: ConvNetClassifier((30,)).fit(X, Y),
    "network: got .*expected a Network of 3 scores": lambda: ConvNetClassifier(
        network=lambda shape, classes, **options: small_net(shape, 5, **options)).fit(X, Y),
    "num_epochs: got 0": lambda: ConvNetClassifier(num_epochs=0).fit(X, Y),
    "batch_size: got 2.5": lambda: ConvNetClassifier(batch_size=2.5).fit(X, Y),
    "update_rule: no rule 'adamant'": lambda: ConvNetClassifier(update_rule="adamant").fit(X, Y),
    "reg: got -1": lambda: ConvNetClassifier(reg=-1).fit(X, Y),
    "sample_weight: got negative": lambda: ConvNetClassifier().fit(X, Y, -np.ones(12)),
    # Recent versions of scikit-learn refuse zeros by themselves.
    "non-zero|sample_weight: got": lambda: ConvNetClassifier().fit(X, Y, np.zeros(12)),
    "classes: got None": lambda: ConvNetClassifier().partial_fit(X, Y),
    "y: has the labels": lambda: ConvNetClassifier().partial_fit(X, Y, classes=["top", "left"]),
    "classes: got .*expected those of the first call": lambda: ConvNetClassifier().partial_fit(
        X, Y, classes=np.unique(Y)).partial_fit(X, Y, classes=["a", "b"]),
}


@pytest.mark.parametrize("message", ERRORS)
def test_unsuitable_arguments_get_one_valueerror(message):
    with pytest.raises(ValueError, match=message):
        ERRORS[message]()


def test_training_that_diverges_ends_with_an_error():
    model = ConvNetClassifier(learning_rate=1e30, num_epochs=5, random_state=0, update_rule="sgd")
    with np.errstate(all="ignore"), pytest.raises(FloatingPointError, match="learning_rate"):
        model.fit(X, Y)
