"""Tests of gradients in one flat array: L2 regularization as in layers.l2_loss, and finiteness."""
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.lib.stride_tricks import as_strided

from cs231n_fer.arrays.flat import Flat
from cs231n_fer.fast_layers import COMPILED
from cs231n_fer.fast_layers.gradients import blocks_of, in_one_pass, l2_gradients, one_by_one
from cs231n_fer.kernels.update import BLOCK, as_it_lies
from cs231n_fer.kernels.vectors.machine import set_threads, threads
from cs231n_fer.layers import l2_loss

WAYS = {"numpy": one_by_one, "kernel": in_one_pass}
SHAPES = st.lists(st.lists(st.integers(0, 5), max_size=4)
                  | st.lists(st.integers(1, 150), min_size=1, max_size=1), min_size=1, max_size=6)


def draw(seed, shapes, dtype):
    """Arrays by name, write-protected, each with axes in some order of memory, some with gaps
    between the numbers."""
    rng = np.random.default_rng(seed)
    arrays = {}
    for i, shape in enumerate(shapes):
        order = rng.permutation(len(shape))
        step = rng.integers(1, 3)
        memory = rng.standard_normal([shape[axis] * step for axis in order]).astype(dtype)
        array = memory[(..., *[slice(None, None, step)]
                        * len(shape))].transpose(np.argsort(order).astype(int))
        array.setflags(write=False)
        arrays[f"layer{i}/w"] = array
    return arrays


@pytest.mark.parametrize("way", WAYS)
@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 2 ** 32), shapes=SHAPES, dtype=st.sampled_from([np.float32, np.float64]),
       strength=st.floats(1e-6, 10))
def test_both_ways_equal_the_layer_array_by_array(way, seed, shapes, dtype, strength):
    params = draw(seed, shapes, dtype)
    grads = draw(seed + 1, shapes, dtype)
    # Every second one has none
    strengths = {name: strength * i for i, name in enumerate(params) if i % 2}
    flat = Flat(params)
    loss = WAYS[way](params, grads, strengths, flat)
    exact = math.fsum(0.5 * strengths.get(name, 0) * float(number) ** 2
                      for name, w in params.items() for number in w.ravel())
    assert type(loss) is float
    assert abs(loss
               - exact) <= 4 * np.finfo(np.float64).eps * math.sqrt(1 + flat.numbers.size) * exact
    eps = np.finfo(dtype).eps
    tiny = np.finfo(dtype).tiny
    for name, w in params.items():
        reg = strengths.get(name, 0)
        bound = 4 * (eps * (np.abs(grads[name]) + reg * np.abs(w)) + tiny) if reg else 0
        assert (np.abs(flat[name] - (grads[name] + l2_loss(w, reg)[1])) <= bound).all(), name


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.float16])
def test_arrays_of_more_than_a_block_and_of_any_float_type(dtype):
    rng = np.random.default_rng(3)
    sizes = {"w": 2 * BLOCK + 5, "b": 3,
             "v": BLOCK} if dtype != np.float16 else {"w": 50, "b": 3, "v": 7}
    params, grads = ({name: rng.standard_normal(size).astype(dtype) for name, size in sizes.items()}
                     for _ in "pg")
    loss, flat = l2_gradients(params, grads, {"w": 0.5, "v": 0.25})
    assert isinstance(flat, Flat) and flat.numbers.dtype == dtype and list(flat) == list(params)
    np.testing.assert_array_equal(flat["b"], grads["b"])
    for name, reg in (("w", dtype(0.5)), ("v", dtype(0.25))):
        np.testing.assert_allclose(flat[name], grads[name] + reg * params[name], rtol=0,
                                   atol=8 * np.finfo(dtype).eps)
    expected = 0.25 * math.fsum(params["w"].astype(float) ** 2) + 0.125 * math.fsum(
        params["v"].astype(float) ** 2
    )
    assert loss == pytest.approx(expected, rel=1e-12)


def test_a_parameter_without_regularisation_may_be_infinite():
    params = {"w": np.ones(3), "b": np.array([np.inf, np.nan])}
    grads = {"w": np.zeros(3), "b": np.array([1.0, 2.0])}
    loss, flat = l2_gradients(params, grads, {"w": 2.0})
    assert loss == 3.0
    np.testing.assert_array_equal(flat.numbers, [2, 2, 2, 1, 2])


@pytest.mark.parametrize(("strides", "same"), [((120, 40, 16, 8), True), ((40, 120, 16, 8), False)])
def test_an_array_is_copied_only_where_its_numbers_lie_otherwise(strides, same):
    like = np.ones((3, 3, 1, 5))
    # An axis of length 1 may have any stride
    other = as_strided(np.arange(45.0), like.shape, strides)
    found = as_it_lies(other, like)
    assert (found is other) == same and found.flags.c_contiguous
    np.testing.assert_array_equal(found, other)


def test_gradients_of_another_type_are_rounded_to_that_of_the_parameters():
    loss, flat = l2_gradients({"w": np.ones((2, 3), np.float32)}, {"w": np.full((2, 3), 1 / 3)}, {})
    assert loss == 0 and flat["w"].dtype == np.float32
    np.testing.assert_array_equal(flat["w"], np.float32(1 / 3))


@pytest.mark.parametrize(("grads", "text"), [
    ({"w": np.ones(3)},
     r"grads: w has shape \(3,\), expected \(2, 3\), the shape of the parameter"),
    ({"v": np.ones((2, 3))}, r"grads: have the names \['v'\], expected \['w'\]"),
])
def test_a_gradient_that_does_not_fit_is_refused(grads, text):
    with pytest.raises(ValueError, match=text):
        l2_gradients({"w": np.ones((2, 3))}, grads, {"w": 0.1})


@given(sizes=st.lists(st.integers(0, 3 * BLOCK), max_size=6))
def test_blocks_cover_every_number_once(sizes):
    blocks = blocks_of(tuple(sizes))
    ends = np.cumsum([0, *sizes])
    assert blocks[:, 2].sum() == sum(sizes)
    assert (blocks[:, 2] <= BLOCK).all()
    assert (blocks[:, 2] > 0).all()
    at = 0
    for which, begin, count, to in blocks:
        assert to == at == ends[which] + begin and begin + count <= sizes[which]
        at += count


@settings(max_examples=60, deadline=None)
@given(size=st.integers(0, 3 * BLOCK), where=st.floats(0, 1, exclude_max=True),
       strength=st.sampled_from([0.0, 0.1]),
       value=st.sampled_from([np.nan, np.inf, -np.inf]),
       dtype=st.sampled_from([np.float32, np.float64, np.float16]))
def test_one_number_that_is_not_finite_is_found(size, where, strength, value, dtype):
    # Whose sum is infinite
    params = {"w": np.zeros(size, dtype)}
    grads = {"w": np.full(size, np.finfo(dtype).max)}
    assert l2_gradients(params, grads, {"w": strength})[1].finite
    if size:
        grads["w"][int(where * size)] = value
        assert not l2_gradients(params, grads, {"w": strength})[1].finite


@pytest.mark.skipif(not COMPILED or threads() < 2,
                    reason="needs compiled kernels and two processors")
def test_one_and_two_threads_give_the_same_bits():
    params, grads = (
        {"w": rows}
        for rows in np.random.default_rng(4).standard_normal((2, 100_003)).astype(np.float32)
    )
    results = []
    before = threads()
    for count in (1, 2):
        set_threads(count)
        results.append(l2_gradients(params, grads, {"w": 0.1}))
    set_threads(before)
    assert results[0][0] == results[1][0]
    assert results[0][1].numbers.tobytes() == results[1][1].numbers.tobytes()
