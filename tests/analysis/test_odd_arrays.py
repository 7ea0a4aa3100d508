"""Arrays and settings that a measure can't use give an error that names them; any layout is read.
"""
import functools

import numpy as np
import pytest
from hostile import LAYOUTS, REFUSED
from test_saliency import LinearModel, SquareModel

from cs231n_fer.analysis.empath import fit_pca, gabor_magnitudes
from cs231n_fer.analysis.linear_svm import fit_linear_svm
from cs231n_fer.analysis.metrics import (
    accuracy,
    confusion_matrix,
    per_class_accuracy,
    rank_correlation,
    wilson_interval,
)
from cs231n_fer.analysis.saliency import (
    choose_examples,
    occlusion_map,
    saliency_map,
    share_inside,
    smooth_grad,
)

MAPS = {
    "saliency_map": saliency_map,
    "smooth_grad": smooth_grad,
    "occlusion_map": functools.partial(occlusion_map, size=2, stride=2),
}
NO_NUMBERS = {**REFUSED, "datetime": lambda array: np.rint(array).astype("datetime64[s]")}
X = np.random.default_rng(0).standard_normal((3, 2, 4, 4)).astype(np.float32)
Y = np.array([0, 3, 6])
SCORES = np.random.default_rng(1).standard_normal((3, 7))
COUNTS = np.array([[3, 1], [0, 2]])
MASKS = np.ones((3, 4, 4), bool)
BANK = np.ones((2, 16, 5), np.float32)
for array in (X, Y, SCORES, COUNTS, MASKS, BANK):
    array.setflags(write=False)


def masked(array):
    """Return the array with a mask on its first number."""
    mask = np.zeros(array.shape, bool)
    mask.flat[0] = True
    return np.ma.MaskedArray(array, mask)


def square_model(dtype=np.float32):
    return SquareModel(np.random.default_rng(2), X.shape[1:], 7, dtype)


@pytest.mark.parametrize("kind", NO_NUMBERS)
@pytest.mark.parametrize("name", MAPS)
def test_images_that_are_no_plain_real_numbers_are_refused(name, kind):
    with pytest.raises(ValueError, match=f"X: got a masked array|{name}: .* has dtype"):
        MAPS[name](square_model(), NO_NUMBERS[kind](X), Y)


@pytest.mark.parametrize("name", MAPS)
@pytest.mark.parametrize("batch_size", [0, -1, 2.5, None, "8"])
def test_a_batch_size_that_is_no_positive_integer_is_refused_by_name(name, batch_size):
    with pytest.raises(ValueError, match=f"batch_size: got {batch_size!r}, expected an integer"):
        MAPS[name](square_model(), X, Y, batch_size=batch_size)


@pytest.mark.parametrize("make, setting, value", [
    (smooth_grad, "copies", 2.5),
    (smooth_grad, "copies", None),
    (smooth_grad, "seed", -1),
    (smooth_grad, "seed", 0.5),
    (smooth_grad, "seed", None),
    (smooth_grad, "noise", np.nan),
    (smooth_grad, "noise", np.inf),
    (occlusion_map, "size", 2.5),
    (occlusion_map, "size", None),
    (functools.partial(occlusion_map, size=2), "stride", 1.5),
    (functools.partial(occlusion_map, size=2), "stride", None),
])
def test_a_setting_of_a_map_that_is_no_number_of_its_kind_is_refused_by_name(make, setting, value):
    with pytest.raises(ValueError, match=f"{setting}: got {value!r}"):
        make(square_model(), X, Y, **{setting: value})


@pytest.mark.parametrize("count", [-1, 1.5, None])
def test_a_count_of_examples_that_is_no_integer_is_refused_by_name(count):
    with pytest.raises(ValueError, match=f"count: got {count}, expected an integer"):
        choose_examples(SCORES, Y, count)


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("name", MAPS)
def test_the_layout_of_the_images_leaves_the_bits_of_the_maps_alone(name, dtype, layout):
    odd = LAYOUTS[layout](X.astype(dtype))
    plain = np.array(odd, dtype, order="C", subok=False)
    model = square_model(dtype)
    maps = MAPS[name](model, odd, Y)
    assert type(maps) is np.ndarray and maps.dtype == dtype and maps.dtype.isnative
    np.testing.assert_array_equal(maps, MAPS[name](model, plain, Y))


@pytest.mark.parametrize("name", MAPS)
def test_the_maps_of_float16_images_are_those_of_the_same_numbers_in_float32(name):
    half = X.astype(np.float16)
    maps = MAPS[name](square_model(), half, Y)
    assert maps.dtype == np.float32
    np.testing.assert_array_equal(maps, MAPS[name](square_model(), half.astype(np.float32), Y))


@pytest.mark.parametrize("grey, message", [
    (masked(np.zeros((2, 4, 4))), "grey: got a masked array"),
    (1j, "grey: grey has dtype complex128"),
    ("grey", "grey: grey has dtype <U4"),
    (np.zeros((3, 4, 4)), r"grey: got shape \(3, 4, 4\), .* broadcasts to \(2, 4, 4\)"),
])
def test_a_cover_that_is_no_image_is_refused(grey, message):
    with pytest.raises(ValueError, match=message):
        occlusion_map(square_model(), X, Y, 2, 2, grey)


REAL_NUMBERS = {  # name: (an array of the argument's shape, the call with an array in its place)
    "accuracy: scores": (SCORES, lambda scores: accuracy(scores, Y)),
    "per_class_accuracy: confusion": (COUNTS, per_class_accuracy),
    "wilson_interval: correct": (Y, lambda correct: wilson_interval(correct, Y + 1)),
    "wilson_interval: total": (Y, lambda total: wilson_interval(Y * 0, total)),
    "rank_correlation: first": (SCORES, lambda first: rank_correlation(first, SCORES)),
    "rank_correlation: second": (SCORES, lambda second: rank_correlation(SCORES, second)),
    "share_inside: maps": (MASKS * 1.0, lambda maps: share_inside(maps, MASKS, MASKS)),
    "choose_examples: x": (SCORES, lambda scores: choose_examples(scores, Y)),
    "gabor_magnitudes: faces": (X[:, 0], lambda faces: gabor_magnitudes(faces, BANK)),
}


@pytest.mark.parametrize("kind", NO_NUMBERS)
@pytest.mark.parametrize("name", REAL_NUMBERS)
def test_an_argument_of_a_measure_that_is_no_plain_real_array_is_refused(name, kind):
    array, call = REAL_NUMBERS[name]
    argument = name.split()[1]
    with pytest.raises(ValueError, match=f"{argument}: got a masked array|: {argument} has dtype"):
        call(NO_NUMBERS[kind](array))


NO_MASKS = {  # name: the call with a masked array in its place
    "saliency_map: y": lambda: saliency_map(square_model(), X, masked(Y)),
    "accuracy: y": lambda: accuracy(SCORES, masked(Y)),
    "confusion_matrix: y_true": lambda: confusion_matrix(masked(Y), Y, 7),
    "confusion_matrix: y_pred": lambda: confusion_matrix(Y, masked(Y), 7),
    "share_inside: regions": lambda: share_inside(MASKS * 1.0, masked(MASKS), MASKS),
    "share_inside: within": lambda: share_inside(MASKS * 1.0, MASKS, masked(MASKS)),
    "choose_examples: y": lambda: choose_examples(SCORES, masked(Y)),
    "fit_pca: batches": lambda: fit_pca([masked(SCORES)], 1),
    "fit_linear_svm: features": lambda: fit_linear_svm(masked(X), Y, num_steps=1),
    "fit_linear_svm: labels": lambda: fit_linear_svm(X, masked(Y), num_steps=1),
}


@pytest.mark.parametrize("name", NO_MASKS)
def test_a_mask_that_would_be_lost_is_refused(name):
    with pytest.raises(ValueError, match=f"^{name.split()[1]}: got a masked array, whose mask"):
        NO_MASKS[name]()


@pytest.mark.parametrize("labels", [Y * 1.0, Y.astype(str), Y.astype(complex), Y.astype(object)],
                         ids=lambda labels: str(labels.dtype))
def test_the_accuracy_of_labels_that_are_no_integers_is_refused(labels):
    with pytest.raises(ValueError, match="y: got dtype .*, expected integers"):
        accuracy(SCORES, labels)


def test_a_map_of_a_linear_model_takes_lists():
    model = LinearModel(np.random.default_rng(3), (1, 2, 2), 7, np.float64)
    images = [[[[0.0, 1.0], [2.0, 3.0]]]]
    maps = saliency_map(model, images, [2])
    np.testing.assert_array_equal(maps.ravel(), np.abs(model.w[:, 2]))
