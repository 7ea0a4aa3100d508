"""Tests of clips, in which one person starts neutral, shows an emotion and stops."""
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cs231n_fer.faces.clips import (
    BINS,
    LONGEST,
    SHORTEST,
    clip_bins,
    clip_mean,
    expression_strength,
    make_clip,
)
from cs231n_fer.faces.synthetic import CLASS_NAMES, action_units_of, emotions_of, make_faces

NEUTRAL = CLASS_NAMES.index("Neutral")


@pytest.fixture(scope="module")
def clips():
    return [make_clip(0, index) for index in range(20)]


def test_a_clip_depends_on_seed_and_number_only(clips):
    again = make_clip(0, 7)
    np.testing.assert_array_equal(again.pixels, clips[7].pixels)
    np.testing.assert_array_equal(again.strength, clips[7].strength)
    assert not np.array_equal(make_clip(1, 7).pixels[:6], again.pixels[:6])
    assert [clip.emotion for clip in clips] == emotions_of(0, range(20)).tolist()
    assert len({len(clip.strength) for clip in clips}) > 5


def test_a_clip_starts_with_the_person_at_rest_and_differs_from_it_as_the_expression_is_shown(
    clips,
):
    rest = make_faces(0, range(20), action_units_of(0, range(20), NEUTRAL)).pixels.astype(float)
    for index, clip in enumerate(clips):
        assert clip.pixels.dtype == np.uint8 and clip.pixels.shape == (len(clip.strength), 48, 48)
        change = np.abs(clip.pixels - rest[index]).mean(axis=(1, 2))
        assert change[0] == 0
        if clip.emotion == NEUTRAL:
            assert (change == 0).all()
        else:
            assert change.argmax() in np.flatnonzero(clip.strength == clip.strength.max())
            # Rounding to gray levels.
            assert (np.diff(change[np.argsort(clip.strength)]) >= -0.2).all()


def test_at_its_apex_a_clip_is_the_still_face_of_the_same_number(clips):
    still = make_faces(0, range(20)).pixels
    whole = [index for index, clip in enumerate(clips) if clip.strength.max() == 1]
    assert len(whole) > 10
    for index in whole:  # rest + 1 * (shown - rest) equals shown except for rounding
        apex = clips[index].pixels[clips[index].strength.argmax()]
        assert np.abs(apex.astype(int) - still[index]).max() <= 1


@settings(max_examples=50, deadline=None)
@given(seed=st.integers(0, 10 ** 6), num_frames=st.integers(SHORTEST, LONGEST))
def test_an_expression_rises_from_nothing_once_and_falls_once(seed, num_frames):
    strength = expression_strength(np.random.default_rng(seed), num_frames)
    assert strength.shape == (num_frames,) and strength.dtype == np.float32 and strength[0] == 0
    assert 0 <= strength.min() and strength.max() <= 1
    top = strength.argmax()
    assert (np.diff(strength[:top + 1]) >= 0).all() and (np.diff(strength[top:]) <= 0).all()
    if num_frames >= 20:
        # The shortest onset takes 0.95 of the 19 steps, the shortest apex 0.38
        assert strength.max() > 0.74


def test_most_clips_end_neutral_and_some_before(clips):
    ended = [clip.strength[-1] == 0 for clip in clips]
    assert 10 <= sum(ended) < 20


def test_clips_are_shorter_and_longer_than_the_bins():
    lengths = [int(np.random.default_rng([0, index]).integers(SHORTEST, LONGEST + 1))
               for index in range(500)]
    assert min(lengths) == SHORTEST < BINS < LONGEST == max(lengths)


def test_action_units_of_are_those_of_the_faces_and_of_another_emotion_in_the_same_person():
    np.testing.assert_array_equal(action_units_of(0, range(20)),
                                  make_faces(0, range(20)).action_units)
    others = action_units_of(0, range(20), NEUTRAL)
    np.testing.assert_array_equal(others, action_units_of(0, range(20), np.full(20, NEUTRAL)))
    emotions = emotions_of(0, range(20))
    assert ((others == action_units_of(0, range(20))).all(axis=1) == (emotions == NEUTRAL)).all()


@given(frames=st.integers(1, 60), bins=st.integers(1, 15))
def test_bins_are_even_and_in_order_and_hold_every_frame(frames, bins):
    weights = clip_bins(np.eye(frames), bins).reshape(bins, frames)  # of each frame in each bin
    np.testing.assert_allclose(weights.sum(axis=1), 1)
    held = weights > 0
    assert held.any(axis=0).all() and (held.sum(axis=0) == 1).all() == (frames >= bins)
    for counts in (held.sum(axis=1), held.sum(axis=0)):  # frames of a bin, bins of a frame
        assert counts.max() - counts.min() <= 1
    assert all(np.ptp(row[row > 0]) == 0 and np.ptp(np.flatnonzero(row)) == (row > 0).sum() - 1
               for row in weights)
    assert (np.diff(weights.argmax(axis=1)) >= 0).all()


def test_the_mean_forgets_the_order_of_the_frames_and_the_bins_do_not():
    frames = np.random.default_rng(0).uniform(size=(20, 7)).astype(np.float32)
    np.testing.assert_allclose(clip_mean(frames), clip_mean(frames[::-1]), rtol=1e-6)
    assert np.abs(clip_bins(frames) - clip_bins(frames[::-1])).max() > 0.1
    np.testing.assert_allclose(clip_bins(frames).reshape(10, 7).mean(axis=0), clip_mean(frames),
                               rtol=1e-6)
    assert clip_mean(frames).dtype == clip_bins(frames).dtype == np.float32
    np.testing.assert_array_equal(clip_bins(frames, 1), clip_mean(frames))


@pytest.mark.parametrize("call, message", [
    (lambda: clip_bins(np.zeros((0, 7))), r"probabilities: got shape \(0, 7\)"),
    (lambda: clip_mean(np.zeros(7)), r"probabilities: got shape \(7,\)"),
    (lambda: clip_bins(np.zeros((3, 7)), 0), "bins: got 0"),
    (lambda: make_clip(-1, 0), "seed: got -1"), (lambda: make_clip(0, -1), "indices: got shape"),
    (lambda: action_units_of(0, [1], 7), "emotion: got int64"),
    (lambda: action_units_of(0, [1], 0.5), "emotion: got"),
])
def test_bad_arguments_are_named(call, message):
    with pytest.raises(ValueError, match=message):
        call()
