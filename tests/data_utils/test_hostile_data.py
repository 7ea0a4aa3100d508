"""Faces as lists, masked arrays and subclasses give the results of plain arrays, or a named error.
"""
import numpy as np
import pytest
from hostile import LAYOUTS, REFUSED, plain

from cs231n_fer.data_utils import normalise, restore_pixels
from cs231n_fer.data_utils.ferplus import emotion_votes
from cs231n_fer.data_utils.prepared import read_prepared, statistics, write_prepared
from cs231n_fer.data_utils.summary import format_summary, occur_in, summarise

PIXELS = np.zeros((6, 48, 48), np.uint8)
PIXELS += np.random.default_rng(0).integers(0, 4, (6, 1, 1), np.uint8)
PIXELS[:, 0, 0] += 1
EMOTION = np.array([0, 3, 3, 6, 255, 1], np.uint8)
USAGE = np.array([0, 0, 0, 0, 1, 2], np.uint8)
MEAN = np.linspace(1, 2, 48 * 48, dtype=np.float32).reshape(48, 48)
X = normalise(PIXELS, MEAN, 2.0)
VOTES = np.arange(30).reshape(3, 10)
LISTS = LAYOUTS | {"a list": lambda array: array.tolist()}
CALLS = {
    "normalise: pixels": (lambda given: normalise(given, MEAN, 2.0), PIXELS),
    "normalise: mean_image": (lambda given: normalise(PIXELS, given, 2.0), MEAN),
    "restore_pixels: x": (lambda given: restore_pixels(given, MEAN, 2.0), X),
    "restore_pixels: mean_image": (lambda given: restore_pixels(X, given, 2.0), MEAN),
    "statistics: pixels": (lambda given: statistics(given)[0], PIXELS),
    "summarise: pixels": (lambda given: format_summary(summarise(given, EMOTION, USAGE)), PIXELS),
    "summarise: emotion": (lambda given: format_summary(summarise(PIXELS, given, USAGE)), EMOTION),
    "summarise: usage": (lambda given: format_summary(summarise(PIXELS, EMOTION, given)), USAGE),
    "occur_in: images": (lambda given: occur_in(given, np.array(plain(given)[:1])), PIXELS),
    "occur_in: others": (lambda given: occur_in(np.array(plain(given)[:1]), given), PIXELS),
    "emotion_votes: votes": (emotion_votes, VOTES),
}


@pytest.mark.parametrize("kind", LISTS)
@pytest.mark.parametrize("name", CALLS)
def test_hostile_arrays_of_faces_give_the_result_of_their_plain_copies(name, kind):
    call, array = CALLS[name]
    given = LISTS[kind](array)
    np.testing.assert_array_equal(call(given), call(plain(given)))


@pytest.mark.parametrize("kind", ["complex128", "text", "object", "masked"])
@pytest.mark.parametrize("name", CALLS)
def test_arrays_of_faces_that_are_not_real_numbers_are_named(name, kind):
    call, array = CALLS[name]
    with pytest.raises(ValueError, match=name.split(": ")[1]):
        call(REFUSED[kind](array))


@pytest.mark.parametrize("kind", LAYOUTS)
@pytest.mark.parametrize("place", range(3))
def test_a_prepared_file_of_hostile_arrays_holds_their_plain_copies(tmp_path, kind, place):
    arrays = [PIXELS, EMOTION, USAGE]
    arrays[place] = LAYOUTS[kind](arrays[place])
    write_prepared(tmp_path / "a.h5", *arrays)
    found = read_prepared(tmp_path / "a.h5")
    for name, array in zip(("pixels", "emotion", "usage"), arrays, strict=True):
        np.testing.assert_array_equal(found[name], plain(array))


@pytest.mark.parametrize("kind", REFUSED)
@pytest.mark.parametrize("place, name", list(enumerate(["pixels", "emotion", "usage", "votes"])))
def test_a_prepared_file_of_other_arrays_is_not_written(tmp_path, kind, place, name):
    arrays = [PIXELS, EMOTION, USAGE, np.zeros((6, 10), np.uint8)]
    arrays[place] = REFUSED[kind](arrays[place])
    with pytest.raises(ValueError, match=name):
        write_prepared(tmp_path / "a.h5", *arrays)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("x", [X[:, 0], X[:, :, 1:], np.where(X < 0, np.nan, X), X[0, 0]])
def test_what_normalise_did_not_return_is_not_restored(x):
    with pytest.raises(ValueError, match="restore_pixels: x"):
        restore_pixels(x, MEAN, 2.0)


@pytest.mark.parametrize("pixels", [PIXELS[:0], PIXELS / 255, 3])
def test_statistics_of_no_faces_and_of_fractions_are_refused(pixels):
    with pytest.raises(ValueError, match="pixels: got"):
        statistics(pixels)


@pytest.mark.parametrize("std", [0, -1, np.nan, np.inf, "2", None, 2j, [2.0], np.ones(2)])
def test_a_standard_deviation_that_is_none_is_named(std):
    for call in (normalise, restore_pixels):
        with pytest.raises(ValueError, match="std .*finite std > 0"):
            call(PIXELS[:, None], MEAN, std)


def test_a_standard_deviation_may_be_any_real_number():
    for std in (2, np.float32(2), np.int64(2), np.array(2.0)):
        x = normalise(PIXELS, MEAN, std)
        np.testing.assert_array_equal(restore_pixels(x, MEAN, std), PIXELS)
