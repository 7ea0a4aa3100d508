"""Tests of the built-in faces: reproducible one by one, with correct masks and action units."""
import hashlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cs231n_fer.faces.drawing import SIZE, draw_faces
from cs231n_fer.faces.synthetic import (
    ACTION_UNITS,
    CLASS_NAMES,
    HEAD,
    MASK_NAMES,
    PROTOTYPES,
    emotions_of,
    make_faces,
)

FIELDS = ("pixels", "emotion", "masks", "action_units")
BROWS, EYES, MOUTH = range(3)
# Of the first 40 faces of seed 0
DIGEST = "54c5b45830cbafb7377f206b622bed31ac7374a4545e724c2ac2a5d2c23c1457"


@pytest.fixture(scope="module")
def faces():
    return make_faces(0, range(700))


def middle_face(**intensities):
    """One head in the middle of every range, bald, without glasses, beard or noise, with the given
    units."""
    head = {name: np.full((1, 1, 1), (low + high) / 2, np.float32)
            for name, (low, high) in HEAD.items()}
    head["bald"] += 0.5
    units = {name: np.full((1, 1, 1), intensities.get(name, 0), np.float32)
             for name in ACTION_UNITS}
    pixels, masks = draw_faces(head, units, np.zeros((1, SIZE, SIZE), np.float32))
    return pixels[0].astype(float), masks[0]


def height(mask):
    """Return the mean row of a mask."""
    return np.nonzero(mask)[0].mean()


def width(mask):
    """Return the number of columns that a mask touches."""
    return mask.any(axis=0).sum()


def corners_above_middle(mask):
    """Return how much higher the outer columns of a mask are than its middle ones, in pixels."""
    rows, columns = np.nonzero(mask)
    distance = np.abs(columns - columns.mean())
    outer = distance > 0.75 * distance.max()
    return rows[distance < 0.25 * distance.max()].mean() - rows[outer].mean()


def test_faces_have_the_documented_shapes_and_dtypes(faces):
    expected = {"pixels": ((700, 48, 48), np.uint8), "emotion": ((700,), np.uint8),
                "masks": ((700, 3, 48, 48), bool), "action_units": ((700, 15), np.float32)}
    for field, (shape, dtype) in expected.items():
        array = getattr(faces, field)
        assert (array.shape, array.dtype) == (shape, np.dtype(dtype)), field
    assert faces.action_units.min() >= 0 and faces.action_units.max() <= 1
    assert len(ACTION_UNITS) == 15 and len(MASK_NAMES) == 3 and tuple(PROTOTYPES) == CLASS_NAMES


@settings(max_examples=10, deadline=None)
@given(st.lists(st.integers(0, 699), max_size=40))
def test_a_sample_depends_on_seed_and_index_only(faces, indices):
    indices = np.array(indices, np.int64)
    indices.setflags(write=False)
    again = make_faces(0, indices)
    for field in FIELDS:
        np.testing.assert_array_equal(getattr(again, field), getattr(faces, field)[indices],
                                      err_msg=field)
    np.testing.assert_array_equal(emotions_of(0, indices), faces.emotion[indices])


def test_the_faces_are_the_same_bits_on_every_machine():
    faces = make_faces(0, range(40))
    digest = hashlib.sha256(b"".join(getattr(faces, field).tobytes()
                                     for field in FIELDS)).hexdigest()
    assert digest == DIGEST, "the built-in faces changed: every number measured on them is void"


def test_no_two_samples_share_pixels_noise_or_expression(faces):
    other = make_faces(1, range(700))
    for field in ("pixels", "action_units"):
        rows = np.concatenate([getattr(faces, field), getattr(other, field)]).reshape(1400, -1)
        assert len(np.unique(rows, axis=0)) == 1400, field


def test_emotions_are_equally_likely_and_indices_may_be_large():
    n = 70_000
    counts = np.bincount(emotions_of(3, np.arange(n) + 2 ** 40), minlength=7)
    deviation = np.sqrt(n * (1 / 7) * (6 / 7))
    assert np.abs(counts - n / 7).max() < 5 * deviation


def test_action_units_follow_the_prototypes_of_their_emotion(faces):
    for e, name in enumerate(CLASS_NAMES):
        mean = faces.action_units[faces.emotion == e].mean(axis=0)
        assert np.corrcoef(mean, np.mean(PROTOTYPES[name], axis=0))[0, 1] > 0.9, name


def test_brows_lie_above_eyes_above_mouth_in_every_face_and_do_not_overlap(faces):
    seen = faces.masks.any(axis=(2, 3))
    # A fringe may hide the brows
    assert seen[:, [EYES, MOUTH]].all() and seen[:, BROWS].mean() > 0.9
    for masks in faces.masks[seen.all(axis=1)]:
        assert height(masks[BROWS]) < height(masks[EYES]) < height(masks[MOUTH])
    assert not (faces.masks[:, MOUTH] & faces.masks[:, :MOUTH].any(axis=1)).any()
    assert 0.02 < faces.masks.any(axis=1).mean() < 0.2


@pytest.mark.parametrize("unit, part, measure, sign", [
    ("inner_brow_raise", BROWS, height, -1),
    ("outer_brow_raise", BROWS, height, -1),
    ("brow_lower", BROWS, height, +1),
    ("upper_lid_raise", EYES, np.sum, +1),
    ("cheek_raise", EYES, np.sum, -1),
    ("lid_tighten", EYES, np.sum, -1),
    ("nose_wrinkle", BROWS, height, +1),
    ("upper_lip_raise", MOUTH, height, -1),
    ("lip_corner_pull", MOUTH, corners_above_middle, +1),
    ("lip_corner_pull", MOUTH, width, +1),
    ("lip_corner_depress", MOUTH, corners_above_middle, -1),
    ("chin_raise", MOUTH, corners_above_middle, -1),
    ("lip_stretch", MOUTH, width, +1),
    ("lip_press", MOUTH, np.sum, -1),
    ("lips_part", MOUTH, np.sum, +1),
    ("jaw_drop", MOUTH, np.sum, +1),
])
def test_an_action_unit_moves_its_mask_and_is_seen_in_the_pixels(unit, part, measure, sign):
    rest_pixels, rest = middle_face()
    pixels, masks = middle_face(**{unit: 1})
    assert sign * (float(measure(masks[part])) - float(measure(rest[part]))) > 0
    assert np.abs(pixels - rest_pixels).max() > 15


def test_a_face_without_turn_tilt_or_light_from_the_side_is_its_own_mirror_image():
    pixels, masks = middle_face(lip_corner_pull=1, brow_lower=1)
    np.testing.assert_array_equal(masks, masks[:, :, ::-1])
    # Both eyes reflect the same lamp, on the same side
    brows_and_mouth = masks[BROWS] | masks[MOUTH]
    np.testing.assert_allclose(pixels[brows_and_mouth], pixels[:, ::-1][brows_and_mouth], atol=1)


def test_a_linear_classifier_sees_something_but_stays_under_60_percent():
    faces = make_faces(0, range(3600))
    x = faces.pixels.reshape(3600, -1).astype(np.float32)
    train = slice(0, 3000)
    val = slice(3000, 3600)
    x = (x - x[train].mean(axis=0)) / x[train].std()
    targets = np.eye(7, dtype=np.float32)[faces.emotion[train]] - np.float32(1 / 7)
    gram = x[train] @ x[train].T  # ridge regression in its dual form
    for strength in (1e2, 1e3, 1e4):
        weights = np.linalg.solve(gram + np.float32(strength) * np.eye(3000, dtype=np.float32),
                                  targets)
        accuracy = (((x[val] @ x[train].T) @ weights).argmax(axis=1) == faces.emotion[val]).mean()
        assert 0.25 < accuracy < 0.6, (strength, accuracy)


def test_no_indices_give_no_faces():
    assert make_faces(0, []).pixels.shape == (0, 48, 48)


@pytest.mark.parametrize("seed, indices, message", [
    (-1, [0], "seed: got -1"),
    (0.5, [0], "seed: got 0.5"),
    (0, 7, "indices: got shape ()"),
    (0, [[1, 2]], "indices: got shape (1, 2)"),
    (0, [0.0, 1.0], "indices: got shape (2,) of float64"),
    (0, [3, -1], "indices: got shape (2,)"),
])
def test_bad_seeds_and_indices_are_named(seed, indices, message):
    for function in (make_faces, emotions_of):
        with pytest.raises(ValueError) as error:
            function(seed, indices)
        assert message in str(error.value)
