"""The layer records keep the contract of records.py, on every rung, in float32 and float64."""
import dataclasses

import numpy as np
import pytest

from cs231n_fer.gradient_check import directional_check, spaced
from cs231n_fer.nets.chain import Chain, Residual
from cs231n_fer.nets.grouped import GroupedConv
from cs231n_fer.nets.ladder import LADDER
from cs231n_fer.nets.layer import TEST, Mode
from cs231n_fer.nets.norms import BatchNorm, GroupNorm, LayerNorm
from cs231n_fer.nets.records import (
    Affine,
    AvgPool,
    Conv,
    Dropout,
    GlobalAvgPool,
    LeakyReLU,
    MaxPool,
    ReLU,
)
from cs231n_fer.nets.sandwich import Sandwich
from cs231n_fer.nets.shaping import Flatten, Pad

IMAGE = (4, 6, 5)
VECTOR = (6,)
SHORTCUT = Chain((("conv", Conv(5, 1, stride=2)),))
# (record, input shape, output shape, FLOPs by hand)
CASES = [
    (Conv(5), IMAGE, (5, 6, 5), 2 * (5 * 6 * 5) * (4 * 3 * 3)),
    (Conv(5, 5), IMAGE, (5, 6, 5), 2 * (5 * 6 * 5) * (4 * 5 * 5)),
    (Conv(3, 3, stride=2, pad=0), IMAGE, (3, 2, 2), 2 * (3 * 2 * 2) * (4 * 3 * 3)),
    (Conv(1, 1, bias=False, weight_scale=0.3), (1, 6, 5), (1, 6, 5), 2 * 6 * 5),
    (GroupedConv(6, 2), IMAGE, (6, 6, 5), 2 * (6 * 6 * 5) * (2 * 3 * 3)),
    (GroupedConv(8, 4, 3, 2, 0, bias=False), IMAGE, (8, 2, 2), 2 * (8 * 2 * 2) * (3 * 3)),
    (Flatten(), IMAGE, (120,), 0),
    (Flatten(), VECTOR, VECTOR, 0),
    (Pad(2, 0.5), IMAGE, (4, 10, 9), 0),
    (Affine(7), VECTOR, (7,), 2 * 6 * 7),
    (Affine(7, weight_scale=0.5), IMAGE, (7,), 2 * 120 * 7),
    (ReLU(), IMAGE, IMAGE, 0),
    (LeakyReLU(0.1), VECTOR, VECTOR, 0),
    (MaxPool(), IMAGE, (4, 3, 2), 0),
    (MaxPool(3, 2), IMAGE, (4, 2, 2), 0),
    (AvgPool(3, 1), IMAGE, (4, 4, 3), 0),
    (GlobalAvgPool(), IMAGE, (4,), 0),
    (BatchNorm(), IMAGE, IMAGE, 0),
    (BatchNorm(eps=1e-3), VECTOR, VECTOR, 0),
    (LayerNorm(), VECTOR, VECTOR, 0),
    (GroupNorm(2), IMAGE, IMAGE, 0),
    (Dropout(0.6), IMAGE, IMAGE, 0),
    (Dropout(0.6, seed=3), VECTOR, VECTOR, 0),
    (Chain((("conv", Conv(5)), ("bn", BatchNorm()), ("pool", MaxPool()))), IMAGE, (5, 3, 2),
     2 * 150 * 36),
    (Chain(()), IMAGE, IMAGE, 0),
    (Sandwich((("conv", Conv(5, rung="im2col")), ("relu", ReLU()), ("pool", MaxPool()))), IMAGE,
     (5, 3, 2), 10800),
    (Residual(Chain((("conv", Conv(4, bias=False)), ("bn", BatchNorm())))), IMAGE, IMAGE,
     2 * 120 * 36),
    (Residual(Chain((("conv", Conv(4)), ("relu", ReLU())))), IMAGE, IMAGE, 2 * 120 * 36),
    (Residual(Conv(5, stride=2), SHORTCUT), IMAGE, (5, 3, 3), 2 * 45 * 36 + 2 * 45 * 4),
]
IDS = [f"{type(record).__name__}-{i}" for i, (record, *_) in enumerate(CASES)]
every_case = pytest.mark.parametrize("record, shape, out_shape, flops", CASES, ids=IDS)
both_dtypes = pytest.mark.parametrize("dtype", [np.float32, np.float64])


def protect(arrays):
    for array in arrays.values():
        array.setflags(write=False)
    return arrays


def prepared(record, shape, dtype, N=3, seed=0):
    """Return write-protected parameters, buffers and x, whose values are far from kinks."""
    rng = np.random.default_rng(seed)
    params, buffers = record.init(rng, shape, dtype)
    params = {name: (array + 0.1 * rng.standard_normal(array.shape)).astype(dtype)
              for name, array in params.items()}
    return protect(params), buffers, protect({"x": spaced(rng, (N, *shape)).astype(dtype)})["x"]


def train_mode():
    return Mode(train=True, rng=np.random.default_rng(7))


@every_case
def test_the_shapes_of_the_arrays_are_those_that_init_makes(record, shape, out_shape, flops):
    made = record.init(np.random.default_rng(0), shape, np.float32)
    expected = tuple({name: array.shape for name, array in arrays.items()} for arrays in made)
    assert record.array_shapes(shape) == expected


@both_dtypes
@pytest.mark.parametrize("N", [1, 3])
@every_case
def test_shapes_and_dtypes_are_as_promised_and_nothing_writes_on_its_inputs(
        record, shape, out_shape, flops, N, dtype):
    params, buffers, x = prepared(record, shape, dtype, N)
    assert record.out_shape(shape) == out_shape and record.flops(shape) == flops
    for mode in (train_mode(), TEST):
        out, cache = record.forward(params, buffers, x, mode)
        assert out.shape == (N, *out_shape) and out.dtype == dtype
        dout = np.random.default_rng(1).standard_normal(out.shape).astype(dtype)
        dout.setflags(write=False)
        dx, grads = record.backward(dout, cache)
        assert dx.shape == x.shape and dx.dtype == dtype
        assert {name: (array.shape, array.dtype) for name, array in grads.items()} == {
            name: (array.shape, array.dtype) for name, array in params.items()}
        assert all(buffer.dtype == dtype for buffer in buffers.values())


@every_case
def test_gradients_are_the_derivatives(record, shape, out_shape, flops):
    params, buffers, x = prepared(record, shape, np.float64)
    rng = np.random.default_rng(2)
    dout = rng.standard_normal((3, *out_shape))
    dx, grads = record.backward(dout, record.forward(params, buffers, x, train_mode())[1])

    def out(changed):
        arrays = {**params, "x": x, **changed}
        return record.forward(arrays, buffers, arrays.pop("x"), train_mode())[0]
    for name, gradient in {**grads, "x": dx}.items():
        error = directional_check(lambda array, name=name: out({name: array}),
                                  {**params, "x": x}[name], dout, gradient, "kinked", rng)
        assert error < 1e-8, name


@every_case
def test_records_keep_nothing_so_passes_may_be_nested(record, shape, out_shape, flops):
    params, buffers, x = prepared(record, shape, np.float64)
    _, _, other = prepared(record, shape, np.float64, N=2, seed=5)
    dout = np.random.default_rng(3).standard_normal((3, *out_shape))
    alone = record.backward(dout, record.forward(params, buffers, x, train_mode())[1])
    first = record.forward(params, buffers, x, train_mode())[1]
    second = record.forward(params, buffers, other, train_mode())[1]
    record.backward(dout[:2], second)
    nested = record.backward(dout, first)
    np.testing.assert_array_equal(nested[0], alone[0])
    for name, gradient in alone[1].items():
        np.testing.assert_array_equal(nested[1][name], gradient)


@every_case
def test_the_gradients_of_the_parameters_alone_are_those_of_the_whole_way_back(
        record, shape, out_shape, flops):
    params, buffers, x = prepared(record, shape, np.float64)
    dout = np.random.default_rng(3).standard_normal((3, *out_shape))
    cache = record.forward(params, buffers, x, train_mode())[1]
    alone = record.gradients(dout, cache)
    _, grads = record.backward(dout, cache)
    assert alone.keys() == grads.keys()
    for name, gradient in grads.items():
        np.testing.assert_array_equal(alone[name], gradient)


@both_dtypes
@every_case
def test_only_training_moves_the_buffers(record, shape, out_shape, flops, dtype):
    params, buffers, x = prepared(record, shape, dtype)
    before = {name: buffer.copy() for name, buffer in buffers.items()}
    record.forward(params, buffers, x, TEST)
    for name, buffer in buffers.items():
        np.testing.assert_array_equal(buffer, before[name])
    record.forward(params, buffers, x, train_mode())
    assert all((buffer != before[name]).any() for name, buffer in buffers.items())


@every_case
def test_records_are_frozen_values(record, shape, out_shape, flops):
    twin = dataclasses.replace(record)
    assert twin == record and hash(twin) == hash(record) and twin is not record
    for field in dataclasses.fields(record):
        with pytest.raises(dataclasses.FrozenInstanceError):
            setattr(record, field.name, None)


@both_dtypes
def test_initial_arrays_have_their_dtype_and_come_from_the_generator(dtype):
    for record, shape, *_ in CASES:
        first, second = (record.init(np.random.default_rng(0), shape, dtype) for _ in range(2))
        for arrays, again in zip(first, second, strict=True):
            assert arrays.keys() == again.keys()
            assert all(array.dtype == dtype for array in arrays.values())
            for name, array in arrays.items():
                np.testing.assert_array_equal(array, again[name])
    w = Conv(6, 3).init(np.random.default_rng(0), (5, 8, 8), dtype)[0]["w"]
    assert w.shape == (6, 5, 3, 3) and w.transpose(2, 3, 1, 0).flags.c_contiguous  # channels last


RUNGS = [(record, shape, rung) for record, shape, operation in [
    (Conv(5, 3, stride=2), IMAGE, "conv"), (Affine(7), IMAGE, "affine"), (ReLU(), IMAGE, "relu"),
    (GroupedConv(6, 2), IMAGE, "grouped_conv"),
    (GroupedConv(8, 4, 3, 2), IMAGE, "grouped_conv"),
    (MaxPool(), IMAGE, "max_pool"), (AvgPool(3, 1), IMAGE, "avg_pool"),
] for rung in LADDER[operation]]


@pytest.mark.parametrize("record, shape, rung", RUNGS,
                         ids=lambda value: getattr(value, "__name__", str(value)))
def test_every_rung_of_the_ladder_trains_the_same_record(record, shape, rung):
    params, buffers, x = prepared(record, shape, np.float64)
    on_rung = dataclasses.replace(record, rung=rung)
    out, cache = on_rung.forward(params, buffers, x, TEST)
    expected, expected_cache = record.forward(params, buffers, x, TEST)
    dout = np.random.default_rng(3).standard_normal(out.shape)
    (dx, grads) = on_rung.backward(dout, cache)
    (expected_dx, expected_grads) = record.backward(dout, expected_cache)
    # Sums of at most 120 products of numbers below 8.
    bound = {"rtol": 1e-12, "atol": np.finfo(float).eps * 120 * 8}
    np.testing.assert_allclose(out, expected, **bound)
    np.testing.assert_allclose(dx, expected_dx, **bound)
    for name, gradient in expected_grads.items():
        np.testing.assert_allclose(grads[name], gradient, **bound)


def test_dropout_draws_from_the_modes_generator_or_always_the_same_from_its_seed():
    x = np.ones((50, 20))

    def masks(record, *modes):
        return [record.forward({}, {}, x, mode)[0] for mode in modes]
    mode = train_mode()
    first, second, again = masks(Dropout(0.5), mode, mode, train_mode())
    assert (first != second).any() and (first == again).all()
    first, second = masks(Dropout(0.5, seed=1), mode, mode)
    assert (first == second).all()
    np.testing.assert_array_equal(masks(Dropout(0.5, seed=1), TEST)[0], x)


ERRORS = {
    "Conv: input shape is (6,)": lambda: Conv(3).out_shape(VECTOR),
    "GroupedConv: input shape is (6,)": lambda: GroupedConv(4, 2).out_shape(VECTOR),
    "groups: got 3, expected a divisor of the 4 channels": lambda: GroupedConv(
        6, 3).out_shape(IMAGE),
    "groups: got 4, expected a divisor of the 4 channels and the 6 filters": lambda: GroupedConv(
        6, 4).out_shape(IMAGE),
    "groups: got 0": lambda: GroupedConv(6, 0).out_shape(IMAGE),
    "Pad: input shape is (6,)": lambda: Pad(1).out_shape(VECTOR),
    "pad: got -1": lambda: Pad(-1).out_shape(IMAGE),
    "flatten: dout has shape (2, 5)": lambda: Flatten().backward(
        np.zeros((2, 5)), Flatten().forward({}, {}, np.zeros((2, 1, 2, 3)), TEST)[1]),
    "pool: input shape is (6,)": lambda: MaxPool().out_shape(VECTOR),
    "window: size 9 does not fit into 5": lambda: MaxPool(9).out_shape((1, 5, 5)),
    "filters: got 0": lambda: Conv(0).out_shape(IMAGE),
    "units: got 0": lambda: Affine(0).out_shape(IMAGE),
    "stride: got 0": lambda: Conv(3, stride=0).out_shape(IMAGE),
    "rung: got 'cuda'":
        lambda: Conv(3, rung="cuda").forward({"w": 0, "b": 0}, {}, np.zeros(1), TEST),
    "conv: x has 2 channels but w expects 4": lambda: Conv(3).forward(
        Conv(3).init(np.random.default_rng(0), IMAGE, float)[0], {}, np.zeros((1, 2, 6, 5)), TEST),
    "Residual: body gives (5, 3, 3) but shortcut gives (4, 6, 5)":
        lambda: Residual(Conv(5, stride=2)).out_shape(IMAGE),
}


@pytest.mark.parametrize("message", ERRORS)
def test_what_does_not_fit_gets_an_error_with_the_numbers(message):
    with pytest.raises(ValueError) as error:
        ERRORS[message]()
    assert str(error.value).startswith(message)
