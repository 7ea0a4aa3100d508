"""Tests of the masks of built-in faces: they match the drawing and depend on nothing else."""
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cs231n_fer.faces.drawing import PIXEL, SIZE, draw_faces
from cs231n_fer.faces.regions import expression_change, grow, strongest
from cs231n_fer.faces.synthetic import ACTION_UNITS, CLASS_NAMES, HEAD, MASK_NAMES, make_faces

BROWS, EYES, MOUTH, FACE = range(4)


def masks_of(**differences):
    """(4, 48, 48) masks of the middle of all heads, bald and level, but for the differences."""
    values = {name: (low + high) / 2
              for name, (low, high) in HEAD.items()} | {"bald": 1, "scale": 1} | differences
    head = {name: np.full((1, 1, 1), value, np.float32) for name, value in values.items()}
    units = {name: np.zeros((1, 1, 1), np.float32) for name in ACTION_UNITS}
    return draw_faces(head, units, np.zeros((1, SIZE, SIZE), np.float32))[1][0]


def centre(mask):
    """Middle of a mask, x and y from the middle of the picture, in pixels."""
    rows, columns = np.nonzero(mask)
    return np.array([PIXEL[columns].mean(), PIXEL[rows].mean()])


@pytest.mark.parametrize("dx, dy", [(2, 0), (-1, 2), (0, -2)])
def test_masks_move_with_the_head_pixel_by_pixel(dx, dy):
    np.testing.assert_array_equal(masks_of(shift_x=dx, shift_y=dy),
                                  np.roll(masks_of(), (dy, dx), axis=(1, 2)))


@pytest.mark.parametrize("part", [BROWS, EYES, MOUTH, FACE])
@pytest.mark.parametrize("scale, slope", [(1.2, 0), (1, 0.2), (1.1, -0.2)])
def test_masks_grow_and_turn_with_the_head(part, scale, slope):
    before = masks_of()[part]
    after = masks_of(scale=scale, slope=slope)[part]
    turn = np.array([[1, -slope], [slope, 1]]) / np.sqrt(1 + slope**2)
    np.testing.assert_allclose(centre(after), scale * turn @ centre(before), atol=0.4)
    # Of about 40 to 900 pixels, those on the edge are inside or outside by chance.
    edge = (grow(before, 1) & ~before).sum()
    assert after.sum() == pytest.approx(scale**2 * before.sum(), abs=3 * edge**0.5)


@pytest.mark.parametrize("yaw, pitch", [(0.6, 0), (0, 0.8), (-0.5, -0.8)])
def test_brows_eyes_and_mouth_slide_over_the_head_as_it_turns_and_nods(yaw, pitch):
    before = masks_of()
    after = masks_of(yaw=yaw, pitch=pitch)
    np.testing.assert_array_equal(after[FACE], before[FACE])
    for part in (BROWS, EYES, MOUTH):
        x = PIXEL[np.nonzero(before[part])[1]]
        width = 1 - 0.028 * yaw * x  # width of a former pixel: the far side gets narrower
        across = np.average(x - 0.014 * yaw * x * x, weights=width) + 4.5 * yaw
        np.testing.assert_allclose(centre(after[part]),
                                   (across, centre(before[part])[1] + 2 * pitch), atol=0.5)


@pytest.fixture(scope="module")
def people():
    """Return 200 numbers of faces, and these faces at rest."""
    return np.arange(200), make_faces(7, range(200), np.zeros((200, 15)))


def test_the_whole_face_holds_its_parts_and_covers_half_of_the_picture(people):
    faces = people[1]
    assert not (faces.masks & ~faces.face[:, None]).any()
    assert 0.4 < faces.face.mean() < 0.55


# Part, radius, and the smallest share of the change inside it: a brow also moves folds, a mouth
# also moves cheeks and chin.
@pytest.mark.parametrize("unit, part, least", [
    ("inner_brow_raise", BROWS, 0.85), ("outer_brow_raise", BROWS, 0.8),
    ("brow_lower", BROWS, 0.85), ("upper_lid_raise", EYES, 0.9), ("lid_tighten", EYES, 0.85),
    ("lips_part", MOUTH, 0.8), ("lip_stretch", MOUTH, 0.55), ("lip_press", MOUTH, 0.55),
])
def test_what_moves_one_part_changes_pixels_almost_only_there(people, unit, part, least):
    numbers, rest = people
    units = np.zeros((len(numbers), len(ACTION_UNITS)))
    units[:, ACTION_UNITS.index(unit)] = 1
    moved = make_faces(7, numbers, units)
    change = np.abs(moved.pixels.astype(float) - rest.pixels)
    regions = grow(moved.masks | rest.masks, 1)
    shares = [(change * regions[:, k]).sum() / change.sum() for k in range(len(MASK_NAMES))]
    assert shares[part] > least and max(np.delete(shares, part)) < 0.1, shares
    np.testing.assert_array_equal(np.delete(moved.masks, part, axis=1),
                                  np.delete(rest.masks, part, axis=1))


def test_the_same_action_units_give_the_same_faces_and_others_leave_the_person():
    faces = make_faces(3, range(50))
    again = make_faces(3, range(50), faces.action_units)
    for field in ("pixels", "masks", "face", "emotion"):
        np.testing.assert_array_equal(getattr(again, field), getattr(faces, field))
    change = expression_change(3, range(50))
    assert change.shape == (50, 48, 48) and change.dtype == np.float32
    outside = ~grow(faces.face, 1) & (PIXEL[:, None] < 0)  # above a dropped chin
    assert change[outside].sum() < 0.02 * change.sum()
    emotional = faces.emotion != CLASS_NAMES.index("Neutral")
    assert change[emotional].mean() > 3 * change[~emotional].mean()


masks = st.integers(0, 2**25 - 1).map(
    lambda bits: np.array([bits >> k & 1 for k in range(25)], bool).reshape(5, 5))


@settings(max_examples=30, deadline=None)
@given(masks, st.sampled_from([0, 1, 1.5, 2]))
def test_a_grown_mask_holds_what_lies_near_enough(mask, radius):
    inside = np.argwhere(mask)
    expected = [[any((y - i) ** 2 + (x - j) ** 2 <= radius**2 for i, j in inside) for x in range(5)]
                for y in range(5)]
    np.testing.assert_array_equal(grow(np.stack([mask, ~mask]), radius)[0], expected)


@settings(max_examples=30, deadline=None)
@given(st.lists(st.integers(0, 5), min_size=12, max_size=12), st.floats(0, 1))
def test_the_strongest_pixels_hold_the_share_and_none_can_be_spared(values, share):
    maps = np.reshape(values, (1, 3, 4))
    chosen = strongest(maps, share)
    held = maps[chosen].sum()
    total = maps.sum()
    assert held >= share * total - 1e-12
    assert not chosen.any() or maps[chosen].min() >= maps[~chosen].max(initial=0)
    assert not chosen.any() or held - maps[chosen].min() < share * total


@pytest.mark.parametrize("call, message", [
    (lambda: grow(np.zeros((4, 4)), 1), r"masks: got float64 \(4, 4\)"),
    (lambda: grow(np.zeros((4, 4), bool), -1), "radius: got -1"),
    (lambda: strongest(np.zeros((4, 4)), 0.5), r"maps: got shape \(4, 4\)"),
    (lambda: strongest(np.zeros((1, 4, 4)), 1.5), "share: got 1.5"),
    (lambda: make_faces(0, [1], np.zeros((1, 3))),
     r"action_units: got shape \(1, 3\), expected \(1, 15\)"),
    (lambda: make_faces(0, [1], np.full((1, 15), 1.5)), "action_units"),
    (lambda: make_faces(0, [1], np.full((1, 15), np.nan)), "action_units"),
])
def test_bad_input_gets_an_error_that_names_it(call, message):
    with pytest.raises(ValueError, match=message):
        call()
