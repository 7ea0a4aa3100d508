"""The course's small helpers: im2col with its arguments, blobs, grids of pictures, dtypes."""
from types import SimpleNamespace

import numpy as np
import pytest

from cs231n_fer.fast_layers import conv_forward_fast, conv_forward_im2col, max_pool_forward_fast
from cs231n_fer.gradient_check import eval_numerical_gradient_blobs, eval_numerical_gradient_net
from cs231n_fer.im2col import col2im_indices, get_im2col_indices, im2col_indices
from cs231n_fer.layers import affine_backward, affine_forward, conv_forward_naive
from cs231n_fer.vis_utils import vis_grid, vis_nn


def normal(*shape, seed=0):
    array = np.random.default_rng(seed).standard_normal(shape)
    array.setflags(write=False)
    return array


SHAPES = [((2, 3, 5, 4), 3, 2, 1, 1), ((1, 1, 4, 4), 2, 2, 0, 2), ((3, 2, 6, 5), 4, 3, 2, 1)]


@pytest.mark.parametrize("shape, HH, WW, padding, stride", SHAPES)
def test_columns_of_im2col_are_windows_channel_by_channel(shape, HH, WW, padding, stride):
    x = normal(*shape)
    cols = im2col_indices(x, HH, WW, padding=padding, stride=stride)
    padded = np.pad(x, ((0, 0), (0, 0), (padding, padding), (padding, padding)))
    k, i, j = get_im2col_indices(shape, HH, WW, padding, stride)
    indexed = padded[:, k, i, j]
    assert len(cols) == shape[1] * HH * WW
    np.testing.assert_array_equal(indexed.transpose(1, 2, 0).reshape(len(cols), -1), cols)
    w = normal(4, shape[1], HH, WW, seed=1)
    out, _ = conv_forward_naive(x, w, np.zeros(4), {"stride": stride, "pad": padding})
    found = (w.reshape(4, -1) @ cols).reshape(4, *out.shape[2:], shape[0]).transpose(3, 0, 1, 2)
    np.testing.assert_allclose(found, out, rtol=1e-12, atol=1e-13)


@pytest.mark.parametrize("shape, HH, WW, padding, stride", SHAPES)
def test_col2im_is_the_transpose_of_im2col(shape, HH, WW, padding, stride):
    x = normal(*shape)
    cols = im2col_indices(x, HH, WW, padding, stride)
    other = normal(*cols.shape, seed=1)
    back = col2im_indices(other, shape, HH, WW, padding, stride)
    assert back.shape == shape
    np.testing.assert_allclose(np.sum(cols * other), np.sum(x * back), rtol=1e-10)


def test_gradients_of_blobs_are_those_of_the_layer():
    x, w, b, dout = normal(3, 4), normal(4, 2, seed=1), normal(2, seed=2), normal(3, 2, seed=3)
    blobs = tuple(SimpleNamespace(vals=array.copy(), diffs=np.zeros_like(array))
                  for array in (x, w, b))
    output = SimpleNamespace(vals=np.zeros((3, 2)), diffs=dout)

    def forward(x, w, b, out):
        out.vals[...] = affine_forward(x.vals, w.vals, b.vals)[0]

    net = SimpleNamespace(forward=lambda: forward(*blobs, output))
    expected = affine_backward(dout, affine_forward(x, w, b)[1])
    for found in (eval_numerical_gradient_blobs(forward, blobs, output),
                  eval_numerical_gradient_net(net, blobs, output)):
        for gradient, right in zip(found, expected, strict=True):
            np.testing.assert_allclose(gradient, right, rtol=1e-8, atol=1e-9)
    for blob, array in zip(blobs, (x, w, b), strict=True):
        np.testing.assert_array_equal(blob.vals, array)


def test_vis_grid_tiles_a_square_and_stretches_all_images_together():
    images = np.arange(5 * 2 * 3 * 1, dtype=float).reshape(5, 2, 3, 1) - 7
    grid = vis_grid(images)
    assert grid.shape == (3 * 3, 3 * 4, 1)
    for n, image in enumerate(images):
        top, left = n // 3 * 3, n % 3 * 4
        np.testing.assert_allclose(grid[top:top + 2, left:left + 3], (image + 7) / 29)
    assert not grid[2].any() and not grid[6:, 4 * 2:].any()
    assert not vis_grid(np.full((2, 1, 1, 3), 9, np.uint8)).any()


def test_vis_nn_tiles_rows_of_images_with_lines_of_ones():
    rows = [[np.full((1, 2, 3), 2.0), np.full((1, 2, 3), 3.0)],
            [np.full((1, 2, 3), 5.0), np.full((1, 2, 3), 1.0)]]
    grid = vis_nn(rows)
    assert grid.shape == (4, 6, 3)
    np.testing.assert_array_equal(grid[:, :, 0], [[0.25, 0.25, 0, 0.5, 0.5, 0], [0] * 6,
                                                  [1, 1, 0, 0, 0, 0], [0] * 6])


@pytest.mark.parametrize("call, message", [
    (lambda: vis_grid(np.zeros((3, 3))), "Xs: got shape (3, 3), expected (N, H, W, C)"),
    (lambda: vis_nn([]), "rows: got none"),
    (lambda: vis_nn([[np.zeros((1, 1, 3))], []]), "rows: got [1, 0] images"),
    (lambda: vis_nn([[np.zeros((1, 1, 3)), np.zeros((1, 2, 3))]]), "rows: got [2] images of")])
def test_other_pictures_are_refused(call, message):
    with pytest.raises(ValueError) as error:
        call()
    assert str(error.value).startswith(message)


@pytest.mark.parametrize("dtypes", [(np.float64, np.float32, np.float64),
                                    (np.float32, np.float64, np.float32),
                                    (np.float32, np.float32, np.float64),
                                    (np.float32, np.float32, np.float32)])
@pytest.mark.parametrize("forward", [conv_forward_fast, conv_forward_im2col, conv_forward_naive])
def test_a_convolution_promotes_as_numpy_does(forward, dtypes):
    arrays = [normal(*shape).astype(dtype) for shape, dtype in
              zip([(2, 3, 6, 5), (4, 3, 3, 3), (4,)], dtypes, strict=True)]
    out, _ = forward(*arrays, {"stride": 1, "pad": 1})
    promoted = np.result_type(*dtypes)
    assert out.dtype == promoted
    exact, _ = conv_forward_naive(*(a.astype(np.float64) for a in arrays), {"stride": 1, "pad": 1})
    # sums of 27 products
    np.testing.assert_allclose(out, exact, rtol=0, atol=100 * 27 * np.finfo(promoted).eps)


def test_a_pool_keeps_the_dtype_of_its_input():
    for dtype in (np.float32, np.float64):
        x = normal(1, 2, 4, 4).astype(dtype)
        pooled, _ = max_pool_forward_fast(x, {"pool_height": 2, "pool_width": 2, "stride": 2})
        assert pooled.dtype == dtype
