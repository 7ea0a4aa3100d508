"""The compiled grouped convolution against the rung below, on shapes that reach all its paths."""
from multiprocessing.reduction import ForkingPickler

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from layouts import LAYOUTS, assert_close, protected

from cs231n_fer.fast_layers import COMPILED, set_threads, threads
from cs231n_fer.fast_layers.grouped import grouped_conv_backward, groups_joined
from cs231n_fer.layers import grouped_conv_backward_im2col, grouped_conv_forward_im2col
from cs231n_fer.nets.ladder import LADDER

LARGEST = 40 if COMPILED else 5  # of the groups: more than two vectors


def drawn(rng, N, groups, channels, filters, window, stride, pad, more):
    """Arguments of a convolution whose images are as small as its windows, and some pixels more."""
    sides = [max(1, side - 2 * pad) + extra for side, extra in zip(window, more, strict=True)]
    x = rng.standard_normal((N, groups * channels, *sides))
    w = rng.standard_normal((groups * filters, channels, *window))
    b = rng.standard_normal(groups * filters)
    return [x, w, b], ({"stride": stride, "pad": pad}, groups)


SIZES = {"N": st.integers(0, 2), "groups": st.integers(1, LARGEST), "channels": st.integers(1, 3),
         "filters": st.integers(1, 3), "window": st.tuples(st.integers(1, 4), st.integers(1, 4)),
         "stride": st.integers(1, 3), "pad": st.integers(0, 4),
         "more": st.tuples(st.integers(0, 6), st.integers(0, 13))}


@pytest.mark.parametrize("rung", ["fast", "winograd", "auto"])
@settings(max_examples=60 if COMPILED else 5, deadline=None)
@given(sizes=st.fixed_dictionaries(SIZES), dtype=st.sampled_from([np.float32, np.float64]),
       layout=st.sampled_from(sorted(LAYOUTS)), seed=st.integers(0, 2 ** 32 - 1))
@example(sizes={"N": 2, "groups": LARGEST, "channels": 1, "filters": 1, "window": (3, 3),
                "stride": 1, "pad": 1, "more": (6, 13)}, dtype=np.float32, layout="C", seed=0)
@example(sizes={"N": 1, "groups": LARGEST, "channels": 1, "filters": 2, "window": (2, 3),
                "stride": 2, "pad": 1, "more": (6, 13)}, dtype=np.float64, layout="C", seed=0)
@example(sizes={"N": 2, "groups": 4, "channels": 3, "filters": 2, "window": (3, 3),
                "stride": 1, "pad": 1, "more": (3, 4)}, dtype=np.float32, layout="C", seed=0)
def test_outputs_and_gradients_are_those_of_im2col(rung, sizes, dtype, layout, seed):
    rng = np.random.default_rng(seed)
    arrays, rest = drawn(rng, **sizes)
    mine = [protected(array, layout, dtype) for array in arrays]
    plain = [protected(array, "C", dtype) for array in arrays]
    forward, backward = LADDER["grouped_conv"][rung]
    out, cache = forward(*mine, *rest)
    right, right_cache = grouped_conv_forward_im2col(*plain, *rest)
    # Winograd's rounding is ten times that of others.
    terms = 16 * max(right.size, *(array.size for array in arrays), 1)
    assert_close(out, right, terms, "grouped")
    dout = protected(rng.standard_normal(right.shape), layout, dtype)
    found = backward(dout, cache)
    for got, expected in zip(found, grouped_conv_backward_im2col(dout, right_cache), strict=True):
        assert_close(got, expected, terms, "grouped")


@pytest.mark.parametrize("channels, filters", [(1, 1), (1, 2), (2, 3)])
def test_the_number_of_threads_changes_no_bit_and_copies_of_a_cache_serve_as_well(
        channels, filters):
    rng = np.random.default_rng(0)
    arrays, rest = drawn(rng, 5, 3, channels, filters, (3, 3), 1, 1, (4, 5))
    before = threads()
    results = []
    for count in (1, 2):
        set_threads(min(count, before))
        out, cache = LADDER["grouped_conv"]["auto"][0](*arrays, *rest)
        results.append([out, *grouped_conv_backward(out, cache)])
    set_threads(before)
    copied = ForkingPickler.loads(ForkingPickler.dumps(cache))
    results.append([out, *grouped_conv_backward(out, copied)])
    for other in results[1:]:
        for got, expected in zip(other, results[0], strict=True):
            np.testing.assert_array_equal(got, expected)


def test_small_groups_are_convolved_together_and_large_ones_alone():
    for groups in range(1, 40):
        for size in range(2, 40):
            joined = groups_joined(groups, size, np.dtype(np.float32))
            assert groups % joined == 0
            assert joined == 1 or size * joined <= 32
    assert groups_joined(32, 2, np.dtype(np.float64)) >= 2
