"""Tests of saliency maps on models with known gradients, and of reading picture files for a net."""

import functools
import importlib.util
import pathlib

import numpy as np
import pytest
from PIL import Image

from cs231n_fer.analysis.saliency import (
    choose_examples,
    occlusion_map,
    saliency_map,
    share_inside,
    smooth_grad,
)
from cs231n_fer.nets.layer import TEST

MAPS = [saliency_map, smooth_grad, functools.partial(occlusion_map, size=2, stride=2)]
SCRIPT = pathlib.Path(__file__).parents[2] / "experiments" / "saliency_maps.py"


class LinearModel:
    """scores = x @ w: the saliency of class c is |w[:, c]| for every image."""

    def __init__(self, rng, shape, classes, dtype):
        self.w = rng.standard_normal((int(np.prod(shape)), classes)).astype(dtype)
        self.w.setflags(write=False)
        self.batch_sizes = []

    def forward(self, X, mode):
        assert mode is TEST
        self.batch_sizes.append(len(X))
        return X.reshape(len(X), -1) @ self.w, X.shape

    def backward(self, dscores, cache):
        assert dscores.dtype == self.w.dtype
        return (dscores @ self.w.T).reshape(cache), {}


class SquareModel(LinearModel):
    """scores = x**2 @ w: the saliency of class c is |2 x w[:, c]|, another one for every image."""

    def forward(self, X, mode):
        return super().forward(X**2, mode)[0], X

    def backward(self, dscores, X):
        return 2 * X * super().backward(dscores, X.shape)[0], {}


def images(rng, shape, dtype):
    X = rng.standard_normal(shape).astype(dtype)
    y = rng.integers(0, 7, len(X))
    X.setflags(write=False)
    y.setflags(write=False)
    return X, y


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("shape", [(1, 1, 4, 5), (5, 1, 6, 6), (7, 3, 4, 3)])
def test_saliency_of_a_linear_model_is_the_weight_of_the_class(shape, dtype):
    rng = np.random.default_rng(1)
    X, y = images(rng, shape, dtype)
    model = LinearModel(rng, shape[1:], 7, dtype)
    maps = saliency_map(model, X, y)
    assert maps.dtype == dtype
    expected = np.abs(model.w.T.reshape(7, *shape[1:]))[y].max(axis=1)
    np.testing.assert_array_equal(maps, expected)


@pytest.mark.parametrize("batch_size", [1, 3, 7, 100])
def test_the_batch_size_leaves_the_maps_as_they_are_and_bounds_the_passes(batch_size):
    rng = np.random.default_rng(2)
    X, y = images(rng, (7, 2, 4, 4), np.float64)
    model = SquareModel(rng, X.shape[1:], 7, np.float64)
    maps = saliency_map(model, X, y, batch_size)
    weights = model.w.T.reshape(7, 2, 4, 4)[y]
    np.testing.assert_allclose(maps, np.abs(2 * X * weights).max(axis=1), rtol=1e-14)
    assert sum(model.batch_sizes) == 7 and max(model.batch_sizes) == min(batch_size, 7)


def test_the_mean_gradient_over_noisy_copies_is_the_gradient_where_there_is_no_noise():
    rng = np.random.default_rng(3)
    X, y = images(rng, (5, 2, 4, 5), np.float64)
    model = SquareModel(rng, X.shape[1:], 7, np.float64)
    maps = saliency_map(model, X, y)
    np.testing.assert_allclose(smooth_grad(model, X, y, copies=3, noise=0), maps, rtol=1e-14)
    assert np.abs(smooth_grad(model, X, y, copies=3, noise=0.2) / maps - 1).max() > 0.01


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_the_mean_gradient_is_that_of_the_mean_copy_whose_noise_has_the_given_deviation(dtype):
    """The gradient 2 x w of SquareModel is linear in x: map / |2 w| is |x + mean noise|."""
    rng = np.random.default_rng(4)
    X, y = images(rng, (40, 1, 12, 12), dtype)
    X = X + 100  # far from the kink of abs
    model = SquareModel(rng, X.shape[1:], 7, dtype)
    copies, noise = 4, 0.1
    maps = smooth_grad(model, X, y, copies=copies, noise=noise)
    assert maps.dtype == dtype
    drawn = (maps / np.abs(2 * model.w.T.reshape(7, 12, 12)[y])
             - X[:, 0]) / np.ptp(X, axis=(1, 2, 3))[:, None, None]
    # 5,760 draws: five standard errors of a standard deviation are 5 / sqrt(2 * 5760) of it, of a
    # mean 5 / sqrt(5760)
    assert drawn.std() == pytest.approx(noise / copies**0.5, rel=5 / (2 * drawn.size) ** 0.5)
    assert abs(drawn.mean()) < 5 * noise / copies**0.5 / drawn.size**0.5


def test_the_noise_of_an_image_depends_on_the_seed_and_its_number_only():
    rng = np.random.default_rng(5)
    X, y = images(rng, (7, 1, 4, 4), np.float64)
    model = SquareModel(rng, X.shape[1:], 7, np.float64)
    maps = smooth_grad(model, X, y, seed=1)
    for batch_size in (1, 3, 100):
        np.testing.assert_allclose(smooth_grad(model, X, y, seed=1, batch_size=batch_size), maps,
                                   rtol=1e-13)
    np.testing.assert_allclose(smooth_grad(model, X[:4], y[:4], seed=1), maps[:4], rtol=1e-13)
    assert not np.allclose(smooth_grad(model, X, y, seed=2), maps, rtol=1e-3)


@pytest.mark.parametrize("grey", [0, 0.5, "image"])
@pytest.mark.parametrize("shape, size, stride", [
    ((3, 1, 6, 6), 2, 2),      # patches side by side
    ((3, 2, 7, 5), 3, 2),      # patches overlap; the last row doesn't follow the stride
    ((2, 1, 5, 8), 3, 3),
    ((2, 1, 4, 4), 4, 1),      # one patch
    ((2, 1, 3, 4), 1, 1),      # pixel by pixel
])
def test_occlusion_of_a_linear_model_is_what_the_patches_held_times_its_weights(
        shape, size, stride, grey):
    rng = np.random.default_rng(6)
    X, y = images(rng, shape, np.float64)
    model = LinearModel(rng, shape[1:], 7, np.float64)
    grey = rng.standard_normal(shape[1:]) if grey == "image" else grey
    held = ((X - grey) * model.w.T.reshape(7, *shape[1:])[y]).sum(axis=1)
    drops = [[] for _ in np.ndindex(*held.shape)]  # by pixel: the drop of each patch that covers it
    for top in {*range(0, shape[2] - size, stride), shape[2] - size}:
        for left in {*range(0, shape[3] - size, stride), shape[3] - size}:
            for n, i, j in np.ndindex(shape[0], size, size):
                pixel = np.ravel_multi_index((n, top + i, left + j), held.shape)
                drops[pixel].append(held[n, top:top + size, left:left + size].sum())
    expected = np.reshape([np.mean(drop) for drop in drops], held.shape)
    for batch_size in (1, 2, 100):
        maps = occlusion_map(model, X, y, size, stride, grey, batch_size)
        np.testing.assert_allclose(maps, expected, atol=1e-13)


@pytest.mark.parametrize("make", MAPS)
def test_no_images_give_no_maps(make):
    model = LinearModel(np.random.default_rng(0), (1, 4, 4), 7, np.float32)
    maps = make(model, np.zeros((0, 1, 4, 4), np.float32), np.zeros(0, int))
    assert maps.shape == (0, 4, 4) and maps.dtype == np.float32


def test_the_share_inside_a_region_counts_what_lies_within_the_face_only():
    maps = np.array([[[1, 2], [3, 10]], [[1, 1], [1, 1]], [[0, 0], [0, 5]]])
    regions = np.array([[[1, 0], [0, 1]], [[1, 1], [0, 1]], [[1, 0], [0, 0]]], bool)
    within = np.array([[[1, 1], [1, 0]]] * 3, bool)
    with np.errstate(all="raise"):
        np.testing.assert_allclose(share_inside(maps, regions, within), [1 / 6, 2 / 3, np.nan])


@pytest.mark.parametrize("X, y, message", [
    (np.zeros((2, 4, 4)), np.zeros(2, int), "four axes"),
    (np.zeros((2, 1, 4, 4), int), np.zeros(2, int), "dtype int64, expected normalized floats"),
    (np.zeros((2, 1, 4, 4)), np.zeros(3, int), r"y: labels have shape \(3,\)"),
    (np.zeros((2, 1, 4, 4)), np.array([0, 7]), "expected 0 to 6"),
    (np.zeros((2, 1, 4, 4)), np.array([0, -1]), "expected 0 to 6"),
    (np.zeros((2, 1, 4, 4)), np.array([0.0, 1.0]), "expected integers"),
])
@pytest.mark.parametrize("make", MAPS)
def test_bad_input_gets_an_error_that_names_it(make, X, y, message):
    model = LinearModel(np.random.default_rng(0), (1, 4, 4), 7, np.float64)
    with pytest.raises(ValueError, match=message):
        make(model, X, y)


@pytest.mark.parametrize("make, options, message", [
    (saliency_map, {"batch_size": 0}, "batch_size: got 0"),
    (smooth_grad, {"copies": 0}, "copies: got 0"),
    (smooth_grad, {"noise": -0.1}, "noise: got -0.1"),
    (occlusion_map, {"size": 5}, "size: got 5, expected 1 to 4"),
    (occlusion_map, {"size": 0}, "size: got 0, expected 1 to 4"),
    (occlusion_map, {"size": 2, "stride": 3}, "stride: got 3, expected 1 to 2"),
    (occlusion_map, {"size": 2, "stride": 0}, "stride: got 0"),
])
def test_bad_settings_get_an_error_that_names_them(make, options, message):
    model = LinearModel(np.random.default_rng(0), (1, 4, 4), 7, np.float64)
    with pytest.raises(ValueError, match=message):
        make(model, np.zeros((2, 1, 4, 4)), np.zeros(2, int), **options)


@pytest.mark.parametrize("maps, regions, within, message", [
    (np.ones((1, 2, 2)), np.ones((1, 2, 2)), np.ones((1, 2, 2), bool), "regions: got float64"),
    (np.ones((1, 2, 2)), np.ones((1, 2, 2), bool), np.ones((2, 2), bool),
     r"within: got bool \(2, 2\)"),
    (-np.ones((1, 2, 2)), np.ones((1, 2, 2), bool), np.ones((1, 2, 2), bool),
     "maps: got values below 0"),
])
def test_shares_of_bad_maps_or_masks_are_errors(maps, regions, within, message):
    with pytest.raises(ValueError, match=message):
        share_inside(maps, regions, within)


def test_examples_are_the_surest_of_each_predicted_class():
    scores = np.array([[9, 0, 0], [5, 0, 0], [0, 1, 0], [0, 7, 0], [0, 0, 3], [4, 0, 0]])
    y = np.array([0, 0, 1, 1, 1, 2])
    right, wrong = choose_examples(scores, y)
    assert right.tolist() == [0, 3] and wrong.tolist() == [5, 4]
    assert choose_examples(scores, y, count=1)[0].tolist() == [0]


@pytest.fixture(scope="module")
def script():
    specification = importlib.util.spec_from_file_location("saliency_maps", SCRIPT)
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module


def test_a_picture_is_turned_upright_and_its_middle_square_cut_out(script, tmp_path):
    stored = np.zeros((60, 100, 3), np.uint8)
    stored[:, :20] = stored[:, 80:] = 255     # outside of the middle square
    stored[:30, 20:80] = 200
    picture = Image.fromarray(stored)
    exif = Image.Exif()
    # To be rotated clockwise: the top of the file is the right of the picture.
    exif[0x0112] = 6
    picture.save(tmp_path / "turned.png", exif=exif)
    face = script.read_picture(tmp_path / "turned.png")
    assert face.shape == (48, 48) and face.dtype == np.uint8
    inner = face[3:-3]                        # the filter looks three pixels beyond the cut
    np.testing.assert_array_equal(inner[:, :20], 0)
    np.testing.assert_array_equal(inner[:, 28:], 200)


def test_sixteen_bit_pictures_keep_their_greys(script, tmp_path):
    Image.fromarray(np.full((50, 50), 100 * 256, np.uint16)).save(tmp_path / "deep.png")
    np.testing.assert_array_equal(script.read_picture(tmp_path / "deep.png"), 100)


def test_what_transparency_hides_changes_no_grey(script, tmp_path):
    for hidden in (0, 255):
        stored = np.full((48, 48, 4), hidden, np.uint8)
        stored[:, :, 3] = 0
        stored[10:30, 10:30] = (90, 90, 90, 255)
        Image.fromarray(stored).save(tmp_path / "cut_out.png")
        face = script.read_picture(tmp_path / "cut_out.png")
        assert (face[10:30, 10:30] == 90).all() and (face[:10] == 255).all()


def test_a_sideways_picture_with_a_malformed_exif_tag_is_turned(script, tmp_path):
    exif = (b"Exif\0\0MM\0*\0\0\0\x08\0\2" + b"\1\x12\0\3\0\0\0\1\0\6\0\0"
            + b"\1\x1a\0\2\0\0\0\4abc\0" + bytes(4))  # the resolution is a text
    stored = np.zeros((48, 48), np.uint8)
    stored[:24] = 255
    Image.fromarray(stored).save(tmp_path / "phone.png", exif=exif)
    np.testing.assert_array_equal(script.read_picture(tmp_path / "phone.png"),
                                  np.rot90(stored, -1))


def test_floats_keep_their_greys(script, tmp_path):
    Image.fromarray(np.full((50, 50), 0.2, np.float32)).save(tmp_path / "a.tif")
    np.testing.assert_array_equal(script.read_picture(tmp_path / "a.tif"), 51)


def write_truncated(path):
    noise = np.random.default_rng(0).integers(0, 256, (64, 64), np.uint8)
    Image.fromarray(noise).save(path)
    path.write_bytes(path.read_bytes()[:1000])


@pytest.mark.parametrize("write", [
    pytest.param(lambda path: None, id="missing"),
    pytest.param(lambda path: path.write_text("no picture"), id="text"),
    pytest.param(pathlib.Path.mkdir, id="folder"),
    pytest.param(write_truncated, id="truncated"),
])
def test_an_unreadable_picture_gets_an_error_that_names_the_file(script, tmp_path, write):
    path = tmp_path / "face.png"
    write(path)
    with pytest.raises(ValueError, match=r"face\.png: not a readable picture"):
        script.read_picture(path)
