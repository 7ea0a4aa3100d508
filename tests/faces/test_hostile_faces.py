"""Lists, masked arrays and subclasses give the results of plain arrays, or a named error."""
import numpy as np
import pytest
from hostile import LAYOUTS, REFUSED

from cs231n_fer.faces.clips import clip_bins, clip_mean
from cs231n_fer.faces.regions import grow, strongest
from cs231n_fer.faces.synthetic import action_units_of, emotions_of, make_faces

NUMBERS = np.arange(4)
UNITS = np.linspace(0, 1, 4 * 15).reshape(4, 15)
MAPS = np.arange(24.0).reshape(2, 3, 4) % 7
KINDS = {name: kind for name, kind in LAYOUTS.items() if not name.startswith("one ")} | {
    "a list": lambda array: array.tolist()}
CALLS = {
    "make_faces: indices": (lambda given: make_faces(0, given).pixels, NUMBERS),
    "make_faces: action_units": (lambda given: make_faces(0, NUMBERS, given).pixels, UNITS),
    "emotions_of: indices": (lambda given: emotions_of(0, given), NUMBERS),
    "action_units_of: emotion": (lambda given: action_units_of(0, NUMBERS, given), NUMBERS),
    "grow: masks": (lambda given: grow(given, 1), MAPS > 3),
    "strongest: maps": (lambda given: strongest(given, 0.5), MAPS),
    "clip_mean: probabilities": (clip_mean, UNITS),
    "clip_bins: probabilities": (clip_bins, UNITS),
}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", CALLS)
def test_hostile_arguments_give_the_result_of_their_plain_copies(name, kind):
    call, plain = CALLS[name]
    result = call(KINDS[kind](plain))
    assert type(result) is np.ndarray
    np.testing.assert_array_equal(result, call(plain))


@pytest.mark.parametrize("kind", ["complex128", "text", "object", "masked"])
@pytest.mark.parametrize("name", CALLS)
def test_arguments_that_are_not_real_numbers_are_named(name, kind):
    call, plain = CALLS[name]
    with pytest.raises(ValueError, match=name.split(": ")[1]):
        call(REFUSED[kind](plain))


@pytest.mark.parametrize("emotion", [[0, 1], np.zeros((4, 1), int), []])
def test_emotions_of_another_number_of_samples_are_refused(emotion):
    with pytest.raises(ValueError, match="emotion: got"):
        action_units_of(0, NUMBERS, emotion)


@pytest.mark.parametrize("radius", [np.inf, np.nan, -1])
def test_a_radius_without_end_is_refused(radius):
    with pytest.raises(ValueError, match="radius: got"):
        grow(MAPS > 3, radius)
