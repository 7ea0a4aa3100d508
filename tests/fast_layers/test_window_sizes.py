"""Max-pool over windows of up to 400 numbers stores the argmax in an integer that is large enough.
"""
import numpy as np
import pytest
from layouts import protected

from cs231n_fer import layers as L
from cs231n_fer.nets.ladder import RUNGS, functions

SIZES = [(15, 17), (16, 16), (16, 17), (17, 16), (1, 256), (1, 257), (17, 17), (20, 20)]
RESHAPE = L.max_pool_forward_reshape, L.max_pool_backward_reshape


def pairs(HH, WW):
    """Return (forward, backward) of every rung that supports the window."""
    found = [functions("max_pool", rung) for rung in (*RUNGS, "auto")]
    return [*found, RESHAPE] if HH == WW else found


def pool_param(HH, WW):
    return {"pool_height": HH, "pool_width": WW, "stride": max(HH, WW)}


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(("HH", "WW"), SIZES)
def test_the_maximum_is_found_again_in_every_corner_of_a_window(HH, WW, dtype):
    drawn = np.random.default_rng(HH).standard_normal((1, 2, HH, WW))
    for row in (0, HH - 1):
        for column in (0, WW - 1):
            x = drawn.copy()
            x[0, :, row, column] = 9, 7
            expected = np.zeros_like(x)
            expected[0, :, row, column] = 3, -5
            dout = protected(np.array([3.0, -5]).reshape(1, 2, 1, 1), dtype=dtype)
            for forward, backward in pairs(HH, WW):
                out, cache = forward(protected(x, dtype=dtype), pool_param(HH, WW))
                np.testing.assert_array_equal(out.ravel(), [9, 7])
                np.testing.assert_array_equal(backward(dout, cache), expected)


@pytest.mark.parametrize(("HH", "WW"), SIZES)
def test_every_number_of_a_window_can_win(HH, WW):
    count = HH * WW
    x = np.full((1, count, HH, WW), -1.0)
    np.fill_diagonal(x.reshape(count, count), 1)  # channel k has its maximum at k
    protected_x = protected(x)
    dout = protected(np.ones((1, count, 1, 1)))
    for rung in ("im2col", "fast"):
        forward, backward = functions("max_pool", rung)
        out, cache = forward(protected_x, pool_param(HH, WW))
        np.testing.assert_array_equal(out, dout)
        np.testing.assert_array_equal(backward(dout, cache), x > 0)


@pytest.mark.parametrize(("HH", "WW"), SIZES)
def test_of_equal_numbers_in_a_large_window_the_first_wins(HH, WW):
    x = protected(np.ones((1, 1, HH, WW)))
    expected = np.zeros_like(x)
    expected[0, 0, 0, 0] = 1
    for forward, backward in pairs(HH, WW):
        out, cache = forward(x, pool_param(HH, WW))
        np.testing.assert_array_equal(backward(out, cache), expected)
