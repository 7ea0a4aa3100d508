"""Saliency of models whose gradient is known in closed form, and of picture files on their way into a net."""

import importlib.util
import pathlib

import numpy as np
import pytest
from PIL import Image

from cs231n_fer.network import TEST
from cs231n_fer.saliency import choose_examples, saliency_map

SCRIPT = pathlib.Path(__file__).parents[1] / "experiments" / "saliency_maps.py"


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


def test_no_images_give_no_maps():
    model = LinearModel(np.random.default_rng(0), (1, 4, 4), 7, np.float32)
    assert saliency_map(model, np.zeros((0, 1, 4, 4), np.float32), np.zeros(0, int)).shape == (0, 4, 4)


@pytest.mark.parametrize("X, y, message", [
    (np.zeros((2, 4, 4)), np.zeros(2, int), "four axes"),
    (np.zeros((2, 1, 4, 4)), np.zeros(3, int), r"y: labels have shape \(3,\)"),
    (np.zeros((2, 1, 4, 4)), np.array([0, 7]), "expected 0 to 6"),
    (np.zeros((2, 1, 4, 4)), np.array([0, -1]), "expected 0 to 6"),
    (np.zeros((2, 1, 4, 4)), np.array([0.0, 1.0]), "expected integers"),
])
def test_bad_input_gets_an_error_that_names_it(X, y, message):
    model = LinearModel(np.random.default_rng(0), (1, 4, 4), 7, np.float64)
    with pytest.raises(ValueError, match=message):
        saliency_map(model, X, y)


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
    exif[0x0112] = 6                          # to be turned clockwise: the file's top is the picture's right
    picture.save(tmp_path / "turned.png", exif=exif)
    face = script.read_picture(tmp_path / "turned.png")
    assert face.shape == (48, 48) and face.dtype == np.uint8
    inner = face[3:-3]                        # the filter looks three pixels beyond the cut
    np.testing.assert_array_equal(inner[:, :20], 0)
    np.testing.assert_array_equal(inner[:, 28:], 200)


def test_sixteen_bit_pictures_keep_their_greys(script, tmp_path):
    Image.fromarray(np.full((50, 50), 100 * 256, np.uint16)).save(tmp_path / "deep.png")
    np.testing.assert_array_equal(script.read_picture(tmp_path / "deep.png"), 100)


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
