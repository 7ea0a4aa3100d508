"""The im2col rung of networks gives the results of the book, with channels last in memory."""
import numpy as np
import pytest
from hypothesis import given, settings
from layouts import PROBLEMS, assert_close, protected

from cs231n_fer import fast_layers as F
from cs231n_fer import layers as L
from cs231n_fer.fast_layers import im2col
from cs231n_fer.nets.records import Conv


def test_blocks_hold_at_most_2_to_the_18_numbers_but_one_image_at_least():
    assert im2col.blocks_of_images(5, 2 ** 17) == [slice(0, 2), slice(2, 4), slice(4, 6)]
    assert im2col.blocks_of_images(2, 2 ** 19) == [slice(0, 1), slice(1, 2)]


@pytest.mark.parametrize("most", [1, 2, 9])
@settings(max_examples=30, deadline=None)
@given(**PROBLEMS)
def test_convolution_in_blocks_equals_the_book(most, dtype, layout, sizes, seed):
    rng = np.random.default_rng(seed)
    N, C, filters, HH = sizes
    x = protected(rng.standard_normal((N, C, HH + 3, HH + 2)), layout, dtype)
    w = protected(rng.standard_normal((filters, C, HH, HH)), layout, dtype)
    b = protected(rng.standard_normal(filters), dtype=dtype)
    conv_param = {"stride": 1 + seed % 3, "pad": seed % 2}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(im2col, "blocks_of_images",
                      lambda N, _: [slice(i, i + most) for i in range(0, N, most)])
        out, cache = F.conv_forward_im2col(x, w, b, conv_param)
        dout = protected(rng.standard_normal(out.shape), layout, dtype)
        gradients = F.conv_backward_im2col(dout, cache)
        dx, *others = F.conv_backward_im2col(dout, cache, want_dx=False)
    true, true_cache = L.conv_forward_im2col(x, w, b, conv_param)
    for got, expected in zip((out, *gradients), (true, *L.conv_backward_im2col(dout, true_cache)),
                             strict=True):
        assert_close(got, expected, x.size + dout.size, "conv")
    assert dx is None
    assert [a.tobytes() for a in others] == [a.tobytes() for a in gradients[1:]]


def test_the_rung_stores_images_with_their_channels_last():
    x = np.ones((2, 3, 5, 4))
    w = np.ones((6, 3, 2, 2))
    out, cache = F.conv_forward_im2col(x, w, np.ones(6), {"stride": 1, "pad": 1})
    dx, _, _ = F.conv_backward_im2col(out, cache)
    assert all(array.transpose(0, 2, 3, 1).flags.c_contiguous for array in (out, dx))
    pooled, pool_cache = L.avg_pool_forward_im2col(
        x, {"pool_height": 2, "pool_width": 2, "stride": 1})
    dx = im2col.avg_pool_backward_im2col(pooled, pool_cache)
    assert dx.transpose(0, 2, 3, 1).flags.c_contiguous
    np.testing.assert_array_equal(dx, L.avg_pool_backward_im2col(pooled, pool_cache))


@pytest.mark.parametrize("rung", ["naive", "im2col", "auto"])
def test_a_first_convolution_returns_the_gradients_of_its_weights_on_every_rung(rung):
    rng = np.random.default_rng(0)
    conv = Conv(3, size=2, rung=rung)
    params, _ = conv.init(rng, (2, 5, 4), np.float64)
    out, cache = conv.forward(params, {}, rng.standard_normal((2, 2, 5, 4)), None)
    grads = conv.gradients(np.ones_like(out), cache)
    expected = conv.backward(np.ones_like(out), cache)[1]
    assert grads.keys() == expected.keys()
    assert all((grads[name] == expected[name]).all() for name in grads)
