"""Tests of augmentations: exact identities, known motions, equal rungs, and given random draws."""
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hostile import LAYOUTS, REFUSED, plain
from hypothesis import given, settings
from hypothesis import strategies as st

from cs231n_fer.data_utils.augment import (
    BrightnessContrast,
    Compose,
    HorizontalFlip,
    RandomErasing,
    RandomSimilarity,
    warp_fast,
    warp_numpy,
)

RUNGS = ("numpy", "fast")
DTYPES = (np.float32, np.float64)
ALL = [
    HorizontalFlip(),
    RandomSimilarity(),
    RandomSimilarity(rung="numpy", outside="edge"),
    RandomErasing(),
    BrightnessContrast(),
    Compose((HorizontalFlip(), RandomSimilarity(), RandomErasing(p=1), BrightnessContrast())),
]
SHIFT_DOWN, SHIFT_RIGHT, TURN, ZOOM = range(4)


def batch(shape=(4, 2, 6, 5), dtype=np.float64, channels_last=False, seed=0):
    """Return write-protected random images."""
    images = np.random.default_rng(seed).standard_normal(shape).astype(dtype)
    if channels_last:
        images = np.ascontiguousarray(images.transpose(0, 2, 3, 1)).transpose(0, 3, 1, 2)
    images.setflags(write=False)
    return images


def only(column, value, n=4):
    """Return draws of RandomSimilarity with one number set in every row."""
    draws = np.zeros((n, 4))
    draws[:, column] = value
    return draws


@pytest.mark.parametrize("channels_last", [False, True])
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("augmentation", ALL, ids=repr)
def test_shape_dtype_layout_and_inputs_are_kept(augmentation, dtype, channels_last):
    images = batch(dtype=dtype, channels_last=channels_last)
    before = images.copy()
    out = augmentation(images, np.random.default_rng(0))
    assert out.shape == images.shape and out.dtype == dtype and out.strides == images.strides
    assert not np.shares_memory(out, images) and out.flags.writeable
    np.testing.assert_array_equal(images, before)
    assert (out != images).any()


@pytest.mark.parametrize("augmentation", ALL, ids=repr)
def test_what_happens_to_an_image_depends_on_its_own_draws_only(augmentation):
    images = batch((7, 1, 6, 5))
    draws = augmentation.draw(np.random.default_rng(3), 7)
    assert draws.shape == (7, augmentation.columns) and draws.dtype == np.float64
    order = np.array([5, 0, 3])
    np.testing.assert_array_equal(augmentation.apply(images[order], draws[order]),
                                  augmentation.apply(images, draws)[order])
    called = augmentation(images, np.random.default_rng(3))
    np.testing.assert_array_equal(called, augmentation.apply(images, draws))


NOTHING = [
    (HorizontalFlip(p=0), np.zeros((4, 1))),
    (RandomErasing(p=0), np.zeros((4, 5))),
    (BrightnessContrast(), np.zeros((4, 2))),
    (Compose(()), np.zeros((4, 0))),
    *((RandomSimilarity(rung=rung, outside=outside), np.zeros((4, 4)))
      for rung in RUNGS for outside in ("zero", "edge")),
]


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(("augmentation", "draws"), NOTHING)
def test_identity_parameters_return_exactly_the_images(augmentation, draws, dtype):
    for shape in ((4, 2, 6, 5), (4, 1, 1, 1), (4, 1, 5, 2)):
        images = batch(shape, dtype)
        np.testing.assert_array_equal(augmentation.apply(images, draws), images)


@pytest.mark.parametrize("dtype", DTYPES)
def test_a_flip_is_its_own_inverse_and_mirrors_the_chosen_images(dtype):
    images = batch(dtype=dtype)
    draws = np.array([[0.49], [0.5], [0.0], [0.9]])
    flipped = HorizontalFlip(p=0.5).apply(images, draws)
    np.testing.assert_array_equal(flipped[[0, 2]], images[[0, 2], :, :, ::-1])
    np.testing.assert_array_equal(flipped[[1, 3]], images[[1, 3]])
    np.testing.assert_array_equal(HorizontalFlip(p=0.5).apply(flipped, draws), images)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("rung", RUNGS)
def test_a_shift_by_whole_pixels_moves_the_images_down_and_right(rung, dtype):
    images = batch(dtype=dtype)
    draws = only(SHIFT_DOWN, 0.5) + only(SHIFT_RIGHT, 1)
    zero = RandomSimilarity(max_shift=2, rung=rung).apply(images, draws)
    edge = RandomSimilarity(max_shift=2, rung=rung, outside="edge").apply(images, draws)
    padding = (0, 0), (0, 0), (1, 0), (2, 0)
    np.testing.assert_array_equal(zero, np.pad(images, padding)[:, :, :-1, :-2])
    np.testing.assert_array_equal(edge, np.pad(images, padding, mode="edge")[:, :, :-1, :-2])


@pytest.mark.parametrize("rung", RUNGS)
def test_a_quarter_turn_is_counter_clockwise(rung):
    images = batch((4, 2, 5, 5))
    turned = RandomSimilarity(max_rotation=90, rung=rung).apply(images, only(TURN, 1))
    np.testing.assert_allclose(turned, np.rot90(images, axes=(2, 3)), rtol=0, atol=1e-13)


@pytest.mark.parametrize("rung", RUNGS)
@settings(max_examples=40, deadline=None)
@given(draws=st.tuples(*[st.floats(-1, 1)] * 4), H=st.integers(1, 9), W=st.integers(1, 9))
def test_a_plane_is_resampled_exactly_at_the_point_that_the_motion_brings_there(rung, draws, H, W):
    y, x = np.indices((H, W), dtype=float)
    plane = 2 + 3 * y - 5 * x
    warp = RandomSimilarity(max_shift=2, max_rotation=30, max_log_scale=0.5, rung=rung)
    out = warp.apply(plane[None, None], np.array([draws]))[0, 0]
    # a complex number x - iy turns counter-clockwise when it is multiplied by exp(i angle)
    centre = (W - 1) / 2 - 1j * (H - 1) / 2
    shift = 2 * (draws[1] - 1j * draws[0])
    motion = np.exp(0.5 * draws[3] + 1j * np.radians(30) * draws[2])
    point = (x - 1j * y - centre - shift) / motion + centre
    inside = (point.real >= 0) & (point.real <= W - 1) & (-point.imag >= 0) & (-point.imag <= H - 1)
    np.testing.assert_allclose(out[inside], (2 - 3 * point.imag - 5 * point.real)[inside], rtol=0,
                               atol=1e-11)
    beyond = (point.real < -1) | (point.real > W) | (-point.imag < -1) | (-point.imag > H)
    assert (out[beyond] == 0).all()


@pytest.mark.parametrize("channels_last", [False, True])
@pytest.mark.parametrize("dtype", DTYPES)
@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 2**32), H=st.integers(1, 8), W=st.integers(1, 8),
       outside=st.sampled_from(["zero", "edge"]))
def test_the_fast_rung_equals_the_numpy_rung(dtype, channels_last, seed, H, W, outside):
    images = batch((3, 2, H, W), dtype, channels_last, seed)
    warps = [RandomSimilarity(4, 180, 1, outside, rung) for rung in RUNGS]
    draws = warps[0].draw(np.random.default_rng(seed), 3)
    slow, fast = (warp.apply(images, draws) for warp in warps)
    # a coordinate errs by a few eps * (size and shift, scaled by at most e), a slope is at most 2
    # max|x|
    atol = 8 * np.finfo(dtype).eps * np.e * (H + W + 8) * 4 * np.abs(images).max()
    np.testing.assert_allclose(fast, slow, rtol=0, atol=atol)


@given(draws=st.tuples(*[st.floats(0, 1, exclude_max=True)] * 5), H=st.integers(1, 12),
       W=st.integers(1, 12))
def test_erasing_covers_one_rectangle_of_the_asked_area(draws, H, W):
    erase = RandomErasing(p=1, min_area=0.1, max_area=0.4, max_aspect=2)
    erased = erase.apply(np.ones((1, 2, H, W)), np.array([draws]))
    hole = erased[0, 0] == 0
    rows = hole.any(axis=1)
    columns = hole.any(axis=0)
    np.testing.assert_array_equal(erased[0],
                                  np.broadcast_to(1 - np.outer(rows, columns), (2, H, W)))
    for line in (rows, columns):
        assert np.count_nonzero(np.diff(line.astype(int), prepend=0, append=0)) <= 2  # one interval
    target = H * W * (0.1 + 0.3 * draws[1])
    height = rows.sum()
    width = columns.sum()
    if 0 < height < H and 0 < width < W:  # neither clipped by the image nor rounded to 0
        assert (height - 0.5) * (width - 0.5) <= target * (1 + 1e-12)
        assert target * (1 - 1e-12) <= (height + 0.5) * (width + 0.5)


# The largest draw in [0, 1), which a generator practically never returns.
LARGEST = np.nextafter(1.0, 0)


def spans(erased):
    """Return the first and last erased row, and the first and last erased column, of every image.
    """
    rows = (erased == 0).all(axis=1).any(axis=2)
    columns = (erased == 0).all(axis=1).any(axis=1)
    return [(line.argmax(), len(line) - 1 - line[::-1].argmax())
            for pair in zip(rows, columns, strict=True) for line in pair]


@pytest.mark.parametrize("H, W", [(1, 1), (5, 8), (8, 5), (48, 48)])
def test_erasing_reaches_the_first_and_the_last_row_and_column(H, W):
    erase = RandomErasing(p=1, min_area=1 / (H * W), max_area=1 / (H * W), max_aspect=1)
    corners = [(0, 0), (0, LARGEST), (LARGEST, 0), (LARGEST, LARGEST)]
    draws = np.array([[0, 0.5, 0.5, top, left] for top, left in corners])
    erased = erase.apply(np.ones((4, 1, H, W)), draws)
    for image, (top, left) in zip(erased, corners, strict=True):
        expected = np.ones((1, H, W))
        expected[0, -1 if top else 0, -1 if left else 0] = 0
        np.testing.assert_array_equal(image, expected)


@given(H=st.integers(1, 20), W=st.integers(1, 20), area=st.floats(0, 1), aspect=st.floats(0, 1),
       start=st.sampled_from([0.0, LARGEST]))
def test_a_rectangle_of_any_size_touches_the_border_where_its_draw_ends(H, W, area, aspect, start):
    erase = RandomErasing(p=1, min_area=0.1, max_area=0.9, max_aspect=4)
    draws = np.array([[0, min(area, LARGEST), min(aspect, LARGEST), start, start]])
    erased = erase.apply(np.ones((1, 1, H, W)), draws)
    if (erased == 0).any():
        for (first, last), length in zip(spans(erased), (H, W), strict=True):
            assert last == length - 1 if start else first == 0


def test_erasing_of_every_place_is_equally_likely():
    H, W, n = 5, 8, 20_000
    erase = RandomErasing(p=1, min_area=1 / (H * W), max_area=1 / (H * W), max_aspect=1)
    times = (erase(np.ones((n, 1, H, W)), np.random.default_rng(0)) == 0).sum(axis=(0, 1))
    expected = n / (H * W)
    assert times.sum() == n and np.abs(times - expected).max() < 5 * np.sqrt(expected)


@given(aspect=st.sampled_from([0.0, LARGEST]), area=st.sampled_from([0.0, LARGEST]))
def test_erasing_reaches_both_ends_of_area_and_aspect(aspect, area):
    erase = RandomErasing(p=1, min_area=0.04, max_area=0.16, max_aspect=4)
    erased = erase.apply(np.ones((1, 1, 100, 100)), np.array([[0, area, aspect, 0, 0]]))
    side = 100 * (0.4 if area else 0.2)
    (_, bottom), (_, right) = spans(erased)
    assert (bottom + 1, right + 1) == ((2 * side, side / 2) if aspect else (side / 2, 2 * side))


@pytest.mark.parametrize("low, augmentation", [
    (0.0, HorizontalFlip()), (0.0, RandomErasing()),
    (-1.0, RandomSimilarity()), (-1.0, BrightnessContrast())])
def test_draws_fill_their_range_and_columns_are_independent(low, augmentation):
    n = 20_000
    draws = augmentation.draw(np.random.default_rng(0), n)
    near = 20 * (1 - low) / n  # the probability that no draw is this close to an end is exp(-20)
    assert (draws >= low).all() and (draws < 1).all()
    assert (draws.min(axis=0) < low + near).all() and (draws.max(axis=0) > 1 - near).all()
    others = np.corrcoef(draws.T).reshape(draws.shape[1], -1) - np.eye(draws.shape[1])
    assert np.abs(others).max() < 6 / np.sqrt(n)


@pytest.mark.parametrize("rung", RUNGS)
def test_the_ends_of_a_similarity_are_its_maxima(rung):
    images = batch((4, 1, 7, 7))
    warp = RandomSimilarity(max_shift=3, max_rotation=90, max_log_scale=np.log(2), rung=rung)
    for column, axis in ((SHIFT_DOWN, 2), (SHIFT_RIGHT, 3)):
        for end in (-1, 1):
            moved = np.zeros_like(images)
            kept = slice(3, None), slice(None, -3)
            to, start = kept if end > 0 else kept[::-1]
            places = [slice(None)] * 4, [slice(None)] * 4
            places[0][axis] = to
            places[1][axis] = start
            moved[tuple(places[0])] = images[tuple(places[1])]
            np.testing.assert_array_equal(warp.apply(images, only(column, end)), moved)
    for end in (-1, 1):
        np.testing.assert_allclose(warp.apply(images, only(TURN, end)),
                                   np.rot90(images, end, axes=(2, 3)), rtol=0, atol=1e-13)
    np.testing.assert_array_equal(warp.apply(images, only(ZOOM, -1))[:, :, 2:5, 2:5],
                                  images[:, :, 1:6:2, 1:6:2])


@pytest.mark.parametrize("p, below", [(0, False), (1, True)])
def test_a_probability_of_0_or_1_changes_no_or_every_image(p, below):
    draws = np.full((4, 5), LARGEST if below else 0)
    draws[:, 1:] = 0.5
    images = batch()
    assert (HorizontalFlip(p).apply(images, draws[:, :1]) != images).any() == below
    changed = RandomErasing(p=p, min_area=0.2).apply(images, draws) != images
    assert (changed.any(axis=(1, 2, 3)) == below).all()


def test_erasing_leaves_images_alone_whose_draw_is_not_below_p():
    images = batch()
    draws = np.full((4, 5), 0.5)
    draws[:2, 0] = 0.1
    erased = RandomErasing(p=0.5, min_area=0.2).apply(images, draws)
    changed = (erased != images).any(axis=(1, 2, 3))
    np.testing.assert_array_equal(changed, [True, True, False, False])


def test_brightness_shifts_the_mean_and_contrast_stretches_about_it():
    images = batch((3, 1, 6, 5))
    draws = np.array([[1.0, 0.0], [0.0, 1.0], [-0.5, -1.0]])
    out = BrightnessContrast(max_brightness=0.3, max_log_contrast=np.log(2)).apply(images, draws)
    for n, (shift, factor) in enumerate([(0.3, 1), (0, 2), (-0.15, 0.5)]):
        mean = images[n].mean()
        np.testing.assert_allclose(out[n], mean + factor * (images[n] - mean) + shift, rtol=0,
                                   atol=1e-14)


def test_compose_applies_its_parts_in_order_with_their_own_draws():
    parts = (RandomSimilarity(), HorizontalFlip(), BrightnessContrast())
    images = batch()
    rng = np.random.default_rng(5)
    draws = [part.draw(rng, 4) for part in parts]
    expected = images
    for part, own in zip(parts, draws, strict=True):
        expected = part.apply(expected, own)
    np.testing.assert_array_equal(Compose(list(parts))(images, np.random.default_rng(5)), expected)
    assert Compose(parts).columns == 7
    assert Compose(list(parts)) == Compose(parts) and hash(Compose(list(parts)))


BAD = [
    (HorizontalFlip, {"p": 1.1}, "HorizontalFlip: p is 1.1, expected a number from 0 to 1"),
    (RandomSimilarity, {"max_shift": -1}, "RandomSimilarity: max_shift is -1"),
    (RandomSimilarity, {"max_rotation": float("inf")}, "RandomSimilarity: max_rotation is inf"),
    (RandomSimilarity, {"max_log_scale": float("nan")}, "RandomSimilarity: max_log_scale is nan"),
    (RandomSimilarity, {"outside": "mirror"}, "outside is 'mirror', expected one of zero, edge"),
    (RandomSimilarity, {"rung": "naive"}, "rung is 'naive', expected one of fast, numpy"),
    (RandomErasing, {"min_area": 0.5}, "min_area is 0.5, expected a number from 0 to 0.2"),
    (RandomErasing, {"max_aspect": 0.5}, "max_aspect is 0.5"),
    (RandomErasing, {"max_aspect": 1e308},
     "max_aspect is 1e.308, expected a number from 1 to 1000"),
    (RandomSimilarity, {"max_log_scale": 100},
     "max_log_scale is 100, expected a number from 0 to 10"),
    (RandomSimilarity, {"max_shift": 1e308},
     "max_shift is 1e.308, expected a number from 0 to 10000"),
    (RandomSimilarity, {"max_rotation": 1e308},
     "max_rotation is 1e.308, expected a number from 0 to 360"),
    (BrightnessContrast, {"max_log_contrast": 1000},
     "max_log_contrast is 1000, expected a number from 0 to 10"),
    (BrightnessContrast, {"max_brightness": 1e300},
     "max_brightness is 1e.300, expected a number from 0 to 1000"),
    (BrightnessContrast, {"max_brightness": -1}, "max_brightness is -1"),
]


@pytest.mark.parametrize(("augmentation", "settings", "message"), BAD)
def test_a_hyper_parameter_out_of_range_is_named(augmentation, settings, message):
    with pytest.raises(ValueError, match=message):
        augmentation(**settings)


@pytest.mark.parametrize("augmentation", ALL, ids=repr)
def test_images_that_are_not_a_batch_of_floats_and_draws_that_do_not_fit_are_refused(augmentation):
    draws = augmentation.draw(np.random.default_rng(0), 4)
    wrong = (batch()[0], r"\(2, 6, 5\) of float64"), (np.zeros((4, 1, 6, 5), np.uint8), "of uint8")
    for images, problem in wrong:
        with pytest.raises(ValueError, match=f"images are .*{problem}"):
            augmentation.apply(images, draws)
    for misfit in (draws[:3], draws[:, 1:], np.full_like(draws, np.nan)):
        with pytest.raises(ValueError, match="draws have shape"):
            augmentation.apply(batch(), misfit)


def python(code, **environment):
    """Run code in a fresh interpreter and return what it printed."""
    root = Path(__file__).resolve().parents[2]
    result = subprocess.run([sys.executable, "-c", code], env={**os.environ, **environment},
                            capture_output=True, text=True, cwd=root)
    assert result.returncode == 0, result.stderr
    return result.stdout


def test_augmentations_without_a_kernel_do_not_import_numba():
    python("import sys, numpy as np; from cs231n_fer.data_utils.augment import *\n"
           "RandomSimilarity(rung='numpy')(np.zeros((1, 1, 4, 4)), np.random.default_rng(0))\n"
           "assert 'numba' not in sys.modules")


@pytest.mark.skipif(os.environ.get("NUMBA_DISABLE_JIT") == "1",
                    reason="nothing is compiled, nor cached")
@pytest.mark.parametrize("ending", ["nbi", "nbc"])
def test_a_corrupt_cache_of_compiled_code_never_breaks_a_run_and_heals(tmp_path, ending):
    code = ("import numpy as np; from cs231n_fer.data_utils.augment import *\n"
            "from cs231n_fer.kernels.warp import warp\n"
            "RandomSimilarity()(np.ones((1, 1, 4, 4)), np.random.default_rng(0))\n"
            "print(sum(warp.stats.cache_hits.values()))")
    assert python(code, NUMBA_CACHE_DIR=str(tmp_path)).strip() == "0"
    for file in tmp_path.rglob(f"*.{ending}"):
        file.write_bytes(b"not what Numba wrote")
    assert python(code, NUMBA_CACHE_DIR=str(tmp_path)).strip() == "0"
    assert python(code, NUMBA_CACHE_DIR=str(tmp_path)).strip() == "1"


@pytest.mark.parametrize("rung", RUNGS)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_the_largest_settings_give_finite_images(rung, dtype):
    images = np.random.default_rng(0).standard_normal((4, 1, 48, 48)).astype(dtype)
    for outside in ("zero", "edge"):
        warp = RandomSimilarity(10_000, 360, 10, outside, rung)
        for sign in (-1, 1):
            assert np.isfinite(warp.apply(images, np.full((4, 4), sign * 1.0))).all()
    changed = BrightnessContrast(1000, 10).apply(images, np.ones((4, 2)))
    assert np.isfinite(changed).all()


@pytest.mark.parametrize("augmentation", [RandomSimilarity(), RandomErasing(), BrightnessContrast(),
                                          HorizontalFlip()])
@pytest.mark.parametrize("draw", [1.5, -1.5, 1e30, np.nan])
def test_draws_out_of_their_range_are_refused(augmentation, draw):
    draws = augmentation.draw(np.random.default_rng(0), 2)
    draws[1, -1] = draw
    with pytest.raises(ValueError, match="draws have shape .*, all finite from"):
        augmentation.apply(np.zeros((2, 1, 4, 4), np.float32), draws)


@pytest.mark.parametrize("warp", [warp_numpy, warp_fast])
@pytest.mark.parametrize("maps", [np.full((2, 2, 3), np.nan, np.float32),
                                  np.full((2, 2, 3), 1e30, np.float32),
                                  np.zeros((1, 2, 3), np.float32), np.zeros((2, 2, 3))])
def test_maps_that_point_nowhere_are_refused(warp, maps):
    with pytest.raises(ValueError, match="maps: got "):
        warp(np.zeros((2, 1, 4, 4), np.float32), maps, 1)


# Arguments that callers pass as arrays: other layouts, another byte order, a subclass, a list.
HOSTILE = LAYOUTS | {"a list": lambda array: array.tolist()}
# Draws may also have another real type; these numbers are exact in all of them.
DRAWS = HOSTILE | {name: lambda array, dtype=name: array.astype(dtype)
                   for name in ("float16", "float32", "int64")}


def assert_same(got, images, expected):
    """Compare with the result of plain images; other strides round the mean in another order."""
    images = np.asarray(images)
    assert type(got) is np.ndarray and got.dtype == images.dtype.newbyteorder("=")
    np.testing.assert_allclose(got, expected, rtol=0, atol=20 * np.finfo(got.dtype).eps)


@pytest.mark.parametrize("kind", HOSTILE)
@pytest.mark.parametrize("augmentation", ALL, ids=repr)
def test_hostile_images_are_changed_as_their_plain_copies(augmentation, kind):
    for dtype in DTYPES:
        images = HOSTILE[kind](batch(dtype=dtype))
        draws = augmentation.draw(np.random.default_rng(0), 4)
        expected = augmentation.apply(plain(images), draws)
        assert_same(augmentation.apply(images, draws), images, expected)
        assert_same(augmentation(images, np.random.default_rng(0)), images, expected)


@pytest.mark.parametrize("kind", DRAWS)
@pytest.mark.parametrize("augmentation", ALL, ids=repr)
def test_hostile_draws_change_images_as_their_plain_copies(augmentation, kind):
    images = batch()
    draws = np.full((4, augmentation.columns), 0.25)
    draws[1:3] = 0
    draws[3] = 1
    draws = DRAWS[kind](draws)
    expected = augmentation.apply(images, plain(draws, np.float64))
    np.testing.assert_array_equal(augmentation.apply(images, draws), expected)


@pytest.mark.parametrize("kind", REFUSED)
@pytest.mark.parametrize("augmentation", ALL, ids=repr)
def test_images_and_draws_that_are_not_real_numbers_are_refused(augmentation, kind):
    images = batch()
    draws = augmentation.draw(np.random.default_rng(0), 4)
    with pytest.raises(ValueError, match="images"):
        augmentation.apply(REFUSED[kind](images), draws)
    with pytest.raises(ValueError, match="images"):
        augmentation(REFUSED[kind](images), np.random.default_rng(0))
    with pytest.raises(ValueError, match="draws"):
        augmentation.apply(images, REFUSED[kind](draws))


@pytest.mark.parametrize("shape", [(4, 0, 6, 5), (4, 2, 0, 5), (4, 2, 6, 0), (), (4,)])
@pytest.mark.parametrize("augmentation", ALL, ids=repr)
def test_images_without_pixels_are_refused_and_no_images_stay_none(augmentation, shape):
    draws = augmentation.draw(np.random.default_rng(0), 4)
    with pytest.raises(ValueError, match="images are"):
        augmentation.apply(np.zeros(shape), draws)
    with pytest.raises(ValueError, match="images are"):
        augmentation(np.zeros(shape), np.random.default_rng(0))
    assert augmentation.apply(batch((0, 2, 6, 5)), draws[:0]).shape == (0, 2, 6, 5)


@pytest.mark.parametrize("kind", HOSTILE)
@pytest.mark.parametrize("warp", [warp_numpy, warp_fast])
def test_hostile_images_and_maps_are_warped_as_their_plain_copies(warp, kind):
    images = batch()
    maps = RandomSimilarity().maps(RandomSimilarity().draw(np.random.default_rng(0), 4), (6, 5))
    given = HOSTILE[kind](images)
    points = HOSTILE[kind](maps)
    np.testing.assert_array_equal(warp(given, maps, 1), warp(plain(given), maps, 1))
    np.testing.assert_array_equal(warp(images, points, 1), warp(images, plain(points), 1))


@pytest.mark.parametrize("kind", REFUSED)
@pytest.mark.parametrize("warp", [warp_numpy, warp_fast])
def test_images_and_maps_that_are_not_real_numbers_are_refused(warp, kind):
    images = batch()
    maps = np.zeros((4, 2, 3))
    with pytest.raises(ValueError, match="images"):
        warp(REFUSED[kind](images), maps, 1)
    with pytest.raises(ValueError, match="maps"):
        warp(images, REFUSED[kind](maps), 1)


@pytest.mark.parametrize("margin", [-1, 2, 0.5, None])
@pytest.mark.parametrize("warp", [warp_numpy, warp_fast])
def test_a_margin_that_would_read_beyond_the_border_is_refused(warp, margin):
    with pytest.raises(ValueError, match="margin: got"):
        warp(batch(), np.zeros((4, 2, 3)), margin)


@pytest.mark.parametrize("value", ["0.5", None, [0.5], np.array([0.5, 0.5]), 0.5j, np.ma.masked])
def test_a_hyper_parameter_that_is_no_number_is_named(value):
    with pytest.raises(ValueError, match="HorizontalFlip: p is"):
        HorizontalFlip(p=value)
    with pytest.raises(ValueError, match="RandomSimilarity: outside is"):
        RandomSimilarity(outside=value)
