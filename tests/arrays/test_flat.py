"""Tests of flat arrays: views of one block, and updates of all parameters at once."""
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cs231n_fer.arrays.flat import Flat, flattened
from cs231n_fer.fast_layers.gradients import l2_gradients
from cs231n_fer.optim import UPDATE_RULES
from cs231n_fer.solver.diagnosis import finite

SHAPES = st.lists(st.lists(st.integers(0, 4), min_size=0, max_size=4), min_size=1, max_size=5)


def draw(seed, shapes, dtype):
    """Return arrays by name, each with its axes in a random order of memory."""
    rng = np.random.default_rng(seed)
    arrays = {}
    for i, shape in enumerate(shapes):
        order = rng.permutation(len(shape))
        array = rng.standard_normal([shape[axis] for axis in order]).astype(dtype)
        arrays[f"block{i}/w"] = array.transpose(np.argsort(order))
    return arrays


@settings(max_examples=100, deadline=None)
@given(seed=st.integers(0, 2 ** 32), shapes=SHAPES, dtype=st.sampled_from([np.float32, np.float64]))
def test_flat_arrays_keep_values_shapes_and_memory_orders_and_are_one_block(seed, shapes, dtype):
    arrays = draw(seed, shapes, dtype)
    flat = flattened(arrays)
    assert list(flat) == list(arrays) and flat.numbers.dtype == dtype
    at = flat.numbers.ctypes.data
    for name, view in flat.items():
        np.testing.assert_array_equal(view, arrays[name])
        dense = arrays[name].size and 0 not in arrays[name].strides
        if dense and 1 not in view.shape:
            order = np.argsort(arrays[name].strides, kind="stable").tolist()
            assert np.argsort(view.strides, kind="stable").tolist() == order
        assert not view.size or view.ctypes.data == at
        at += view.nbytes
    assert flattened(flat, flat) is flat and flat.holds(flat) and not flat.holds(arrays)
    flat.numbers[...] = 7
    assert all((view == 7).all() for view in flat.values())


@pytest.mark.parametrize("change",
                         [lambda flat: flat.update(b=np.zeros(5)), lambda flat: flat.pop("b"),
                                    lambda flat: flat.update(d=np.ones(1))])
def test_an_array_in_the_place_of_a_view_is_not_lost(change):
    flat = flattened({"a": np.ones((2, 3)), "b": np.full(5, 7.0)})
    flat["a"] *= 2  # writes on the view
    assert flat.is_whole()
    assert flattened(flat) is flat
    assert flat.numbers.tolist() == [2.0] * 6 + [7.0] * 5
    change(flat)
    again = flattened(flat)
    assert not flat.is_whole() and again is not flat and again.is_whole()
    assert again.numbers.tolist() == [number for array in flat.values() for number in array.ravel()]


@pytest.mark.parametrize("rule", sorted(UPDATE_RULES))
def test_an_update_of_all_parameters_at_once_equals_one_of_each(rule):
    params = draw(0, [(3, 2, 3, 3), (5,), (4, 6)], np.float32)
    grads = draw(1, [(3, 2, 3, 3), (5,), (4, 6)], np.float32)
    flat = flattened(params)
    config = {}
    configs = {name: {} for name in params}
    for _ in range(3):
        numbers, config = UPDATE_RULES[rule](flat.numbers, flattened(grads, flat).numbers, config)
        flat = Flat(flat, numbers)
        for name in params:
            params[name], configs[name] = UPDATE_RULES[rule](
                params[name], grads[name], configs[name])
    for name in params:
        np.testing.assert_array_equal(flat[name], params[name])


def test_what_does_not_fit_gets_a_clear_error():
    params = {"w": np.ones((2, 3)), "b": np.ones(3)}
    with pytest.raises(ValueError, match=r"grads: have the names \['w'\], expected \['b', 'w'\]"):
        flattened({"w": np.ones((2, 3))}, params)
    with pytest.raises(ValueError, match=r"grads: b has shape \(1,\), expected \(3,\)"):
        flattened({"w": np.ones((2, 3)), "b": np.ones(1)}, params)
    with pytest.raises(ValueError, match="params: have dtypes .*float32.*float64.*expected one"):
        flattened({"w": np.ones((2, 3)), "b": np.ones(3, np.float32)})


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_a_number_written_on_a_view_is_seen_when_finite_is_asked(value):
    flat = l2_gradients({"w": np.ones(3), "b": np.ones(2)}, {"w": np.ones(3), "b": np.ones(2)},
                        {})[1]
    assert flat.finite
    flat["b"][1] = value
    assert not flat.finite and not finite(flat)
    flat["b"][1] = 0
    assert flat.finite and finite(flat)


@pytest.mark.parametrize("gradient, message", [
    (np.ma.masked_array(np.ones(3), [0, 1, 0]), "grads: w: got a masked array"),
    (np.ones(3) + 1j, "grads: w has dtype complex128, expected float64"),
    (np.array([None, 1, 2]), "grads: w has dtype object, expected float64"),
])
def test_a_gradient_of_which_something_would_be_lost_is_refused(gradient, message):
    with pytest.raises(ValueError, match=message):
        flattened({"w": gradient}, {"w": np.ones(3)})
