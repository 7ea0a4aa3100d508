"""Every operation on hostile arrays gives the numbers of plain arrays, or a ValueError."""
import copy
import zlib

import numpy as np
import pytest
from hostile import CHANGED_SHAPES, DTYPES, LAYOUTS, REFUSED, common, plain
from layouts import compiled

from cs231n_fer import layers as L
from cs231n_fer import optim
from cs231n_fer.fast_layers import COMPILED
from cs231n_fer.fast_layers.gradients import l2_gradients
from cs231n_fer.fast_layers.losses import softmax_loss_fast
from cs231n_fer.layer_utils import affine_relu_backward, affine_relu_forward
from cs231n_fer.nets.ladder import LADDER

CONV = {"stride": 1, "pad": 1}
STRIDED = {"stride": 2, "pad": 0}
POOL = {"pool_height": 2, "pool_width": 2, "stride": 2}
OVERLAPPING = {"pool_height": 3, "pool_width": 2, "stride": 1}
# 272 numbers: an index does not fit into a byte.
LARGE_WINDOW = {"pool_height": 17, "pool_width": 16, "stride": 1}
IMAGES = (4, 3, 6, 8)
FILTERS = (5, 3, 3, 3)
GRAY = (4, 1, 6, 8)
GRAY_FILTERS = (5, 1, 3, 3)
VECTOR = (5,)
BATCHNORM = {"eps": 0.1}


def batchnorm(mode, features):
    """Return a bn_param with running averages that are not the initial ones."""
    return {"mode": mode, "eps": 0.1, "running_mean": np.linspace(-1, 1, features),
            "running_var": np.linspace(0.5, 2, features)}


# operation -> rows of (what is special, shapes of the arrays, settings)
ROWS = {
    "affine": [("small", ((4, 2, 3), (6, 5), VECTOR), ()),
               ("images", ((4, 3, 2, 2), (12, 5), VECTOR), ())],
    "relu": [("small", (IMAGES,), ())],
    "conv": [("3 x 3", (IMAGES, FILTERS, VECTOR), (CONV,)),
             ("stride 2", (IMAGES, FILTERS, VECTOR), (STRIDED,)),
             ("one channel", (GRAY, GRAY_FILTERS, VECTOR), (CONV,))],
    "grouped_conv": [("3 groups", ((4, 6, 6, 8), (9, 2, 3, 3), (9,)), (CONV, 3)),
                     ("depthwise", (IMAGES, (3, 1, 3, 3), (3,)), (CONV, 3)),
                     ("two filters a channel", (IMAGES, (6, 1, 3, 2), (6,)), (STRIDED, 3))],
    "max_pool": [("2 x 2", (IMAGES,), (POOL,)), ("overlapping", (IMAGES,), (OVERLAPPING,)),
                 ("large window", ((2, 1, 18, 17),), (LARGE_WINDOW,))],
    "avg_pool": [("2 x 2", (IMAGES,), (POOL,)),
                 ("large window", ((2, 1, 18, 17),), (LARGE_WINDOW,))],
    "spatial_batchnorm": [(mode, (IMAGES, (3,), (3,)), (batchnorm(mode, 3),))
                          for mode in ("train", "test")],
    "spatial_groupnorm": [("3 groups", ((4, 6, 3, 2), (1, 6, 1, 1), (1, 6, 1, 1)),
                           (3, {"eps": 0.1}))],
    "conv_relu": [("3 x 3", (IMAGES, FILTERS, VECTOR), (CONV,))],
    "conv_relu_pool": [("2 x 2", (IMAGES, FILTERS, VECTOR), (CONV, POOL)),
                       ("overlapping", (IMAGES, FILTERS, VECTOR), (CONV, OVERLAPPING))],
    "conv_bn_relu": [(f"{mode}, {what}", (x, w, VECTOR, VECTOR, VECTOR), (CONV, batchnorm(mode, 5)))
                     for mode in ("train", "test")
                     for what, x,
                     w in (("one channel", GRAY, GRAY_FILTERS), ("3 channels", IMAGES, FILTERS))],
    "conv_bn_relu_pool": [(f"{mode}, {what}", (x, w, VECTOR, VECTOR, VECTOR),
                           (CONV, batchnorm(mode, 5), POOL))
                          for mode in ("train", "test")
                          for what, x, w in (("one channel", GRAY, GRAY_FILTERS),
                                             ("3 channels", IMAGES, FILTERS))],
}
# Operations with a single rung, or with rungs that the ladder does not list.
OTHERS = {
    "affine_relu": (affine_relu_forward, affine_relu_backward, ((4, 6), (6, 5), VECTOR), ()),
    "conv numpy": (L.conv_forward_im2col, L.conv_backward_im2col, (IMAGES, FILTERS, VECTOR),
                   (CONV,)),
    "leaky_relu": (L.leaky_relu_forward, L.leaky_relu_backward, (IMAGES,), ()),
    "leaky_relu naive": (L.leaky_relu_forward_naive, L.leaky_relu_backward_naive, (IMAGES,), ()),
    "pad": (L.pad_forward, L.pad_backward, (IMAGES,), (2, 0.5)),
    "pad naive": (L.pad_forward_naive, L.pad_backward_naive, (IMAGES,), (2, 0.5)),
    "global_avg_pool": (L.global_avg_pool_forward, L.global_avg_pool_backward, (IMAGES,), ()),
    "max_pool reshape": (L.max_pool_forward_reshape, L.max_pool_backward_reshape, (IMAGES,),
                         (POOL,)),
    "layernorm": (L.layernorm_forward, L.layernorm_backward, ((4, 5), VECTOR, VECTOR),
                  (BATCHNORM,)),
    "layernorm naive": (L.layernorm_forward_naive, L.layernorm_backward_naive,
                        ((4, 5), VECTOR, VECTOR), (BATCHNORM,)),
    "batchnorm": (L.batchnorm_forward, L.batchnorm_backward, ((4, 5), VECTOR, VECTOR),
                  (batchnorm("train", 5),)),
    "batchnorm test": (L.batchnorm_forward, L.batchnorm_backward_alt, ((4, 5), VECTOR, VECTOR),
                       (batchnorm("test", 5),)),
    "batchnorm naive": (L.batchnorm_forward_naive, L.batchnorm_backward_naive,
                        ((4, 5), VECTOR, VECTOR), (batchnorm("train", 5),)),
    "dropout": (L.dropout_forward, L.dropout_backward, (IMAGES,),
                ({"p": 0.5, "mode": "train", "seed": 1},)),
    "dropout naive": (L.dropout_forward_naive, L.dropout_backward_naive, (IMAGES,),
                      ({"p": 0.5, "mode": "train", "seed": 1},)),
}
# Without compilation, kernels are Python functions, and all of this would take 20 minutes.
RUNGS = {operation: [rung for rung in LADDER[operation] if COMPILED or rung in ("naive", "im2col")]
         for operation in ROWS}
CASES = OTHERS | {f"{operation} {rung}, {what}": (*LADDER[operation][rung], shapes, settings)
                  for operation, rows in ROWS.items() for rung in RUNGS[operation]
                  for what, shapes, settings in rows}
LOSSES = {
    "softmax": lambda x: L.softmax_loss(x, LABELS),
    "softmax naive": lambda x: L.softmax_loss_naive(x, LABELS),
    "softmax fast": lambda x: softmax_loss_fast(x, LABELS),
    "svm": lambda x: L.svm_loss(x, LABELS),
    "l2_svm": lambda x: L.l2_svm_loss(x, LABELS),
    "smoothed": lambda x: L.smoothed_softmax_loss(x, LABELS),
    "l2": lambda x: L.l2_loss(x, 0.1),
}
LABELS = np.array([0, 3, 2, 1])
HOSTILE = LAYOUTS | DTYPES


def drawn(name, shapes):
    """Return arrays of some shapes, the same in every run."""
    rng = np.random.default_rng(zlib.crc32(name.encode()))
    return [rng.standard_normal(shape) for shape in shapes]


def run(forward, arrays, settings):
    """Run a forward pass on its own copy of the settings, which hold running averages."""
    return forward(*arrays, *copy.deepcopy(settings))


def assert_same(got, expected, what):
    """Compare arrays or tuples of them, to within the rounding of another order of summation."""
    if not isinstance(expected, tuple):
        got = (got,)
        expected = (expected,)
    assert len(got) == len(expected)
    for mine, right in zip(got, expected, strict=True):
        if right is None:
            assert mine is None
            continue
        mine = np.asarray(mine)
        right = np.asarray(right)
        assert mine.shape == right.shape and mine.dtype == right.dtype, what
        # Some 100 terms in a sum; Winograd's rounding is ten times that of others.
        tolerance = 1000 * np.finfo(right.dtype).eps * max(1.0, float(np.abs(right).max(initial=0)))
        np.testing.assert_allclose(mine, right, rtol=0, atol=tolerance, err_msg=what)


@pytest.mark.parametrize("kind", HOSTILE)
@pytest.mark.parametrize("name", CASES)
def test_an_operation_takes_hostile_arrays_as_their_plain_copies(name, kind):
    forward, backward, shapes, settings = CASES[name]
    for dtype in (np.float32, np.float64):
        arrays = [array.astype(dtype) for array in drawn(name, shapes)]
        for which in range(len(arrays)):
            given = list(arrays)
            given[which] = HOSTILE[kind](arrays[which])
            real = common(given)
            what = f"argument {which} as {kind} among {np.dtype(dtype)}"
            out, cache = run(forward, given, settings)
            right, right_cache = run(forward, [plain(array, real) for array in given], settings)
            assert_same(out, right, what)
            assert out.dtype == real
            dout = np.random.default_rng(which).standard_normal(out.shape).astype(real)
            assert_same(backward(dout, cache), backward(dout, right_cache), what)
        hostile_dout = HOSTILE[kind](dout)
        assert_same(backward(hostile_dout, right_cache),
                    backward(plain(hostile_dout, real), right_cache), f"dout as {kind}")


@pytest.mark.parametrize("kind", REFUSED)
@pytest.mark.parametrize("name", CASES)
def test_an_operation_refuses_arrays_that_are_not_real_numbers(name, kind):
    forward, backward, shapes, settings = CASES[name]
    arrays = drawn(name, shapes)
    for which in range(len(arrays)):
        given = list(arrays)
        given[which] = REFUSED[kind](arrays[which])
        with pytest.raises(ValueError, match="expected|masked"):
            run(forward, given, settings)
    out, cache = run(forward, arrays, settings)
    with pytest.raises(ValueError, match="dout"):
        backward(REFUSED[kind](out), cache)


@pytest.mark.parametrize("kind", CHANGED_SHAPES)
@pytest.mark.parametrize("name", CASES)
def test_a_backward_pass_refuses_a_gradient_of_another_shape(name, kind):
    forward, backward, shapes, settings = CASES[name]
    out, cache = run(forward, drawn(name, shapes), settings)
    dout = CHANGED_SHAPES[kind](out)
    if dout.shape != out.shape:
        with pytest.raises(ValueError, match="dout"):
            backward(dout, cache)


@pytest.mark.parametrize("kind", CHANGED_SHAPES)
@pytest.mark.parametrize("name", CASES)
def test_a_forward_pass_of_another_shape_is_refused_or_that_of_the_first_rung(name, kind):
    forward, _, shapes, settings = CASES[name]
    first = FIRST_RUNG.get(name.split(", ")[0], forward)
    arrays = drawn(name, shapes)
    for which in range(len(arrays)):
        given = list(arrays)
        given[which] = CHANGED_SHAPES[kind](arrays[which])
        try:
            right = run(first, given, settings)[0]
        except ValueError:
            with pytest.raises(ValueError, match="expected|fit|has|needs"):
                run(forward, given, settings)
        else:
            try:
                out = run(forward, given, settings)[0]
            except ValueError as error:
                assert "empty" in str(error) or "tile" in str(error), error
            else:
                assert_same(out, right, f"argument {which} with {kind}")


FIRST_RUNG = {f"{operation} {rung}": next(iter(LADDER[operation].values()))[0]
              for operation in ROWS for rung in LADDER[operation]}


@pytest.mark.parametrize("kind", HOSTILE)
@pytest.mark.parametrize("name", LOSSES)
def test_a_loss_takes_hostile_scores_as_their_plain_copies(name, kind):
    for dtype in (np.float32, np.float64):
        scores = HOSTILE[kind](drawn(name, [(4, 5)])[0].astype(dtype))
        loss, dx = LOSSES[name](scores)
        right, right_dx = LOSSES[name](plain(scores, common([scores])))
        assert loss == pytest.approx(right, rel=1e-5)
        assert_same(dx, right_dx, kind)


@pytest.mark.parametrize("kind", REFUSED)
@pytest.mark.parametrize("name", LOSSES)
def test_a_loss_refuses_scores_that_are_not_real_numbers(name, kind):
    with pytest.raises(ValueError, match="expected|masked"):
        LOSSES[name](REFUSED[kind](drawn(name, [(4, 5)])[0]))


STATE = {"sgd": (), "sgd_momentum": ("velocity",), "nesterov": ("velocity",), "adagrad": ("cache",),
         "rmsprop": ("cache",), "adam": ("m", "v"), "adamw": ("m", "v")}
FLOATING = {*LAYOUTS, "float32", "float64"}


@pytest.mark.parametrize("kind", HOSTILE)
@pytest.mark.parametrize("rung", ["numpy", "fast"])
@pytest.mark.parametrize("name", STATE)
def test_an_update_rule_takes_hostile_arrays_as_their_plain_copies(name, rung, kind):
    rule = optim.UPDATE_RULES[name]
    keys = ("w", "dw", *STATE[name])
    for dtype in (np.float32, np.float64):
        arrays = dict(zip(keys, (abs(array).astype(dtype)
                                 for array in drawn(name, [(4, 5)] * len(keys))), strict=True))
        for key in keys:
            if key == "w" and kind not in FLOATING:
                continue  # weights keep their dtype, so they must be floats
            given = arrays | {key: HOSTILE[kind](arrays[key])}
            real = given["w"].dtype.newbyteorder("=")
            copies = {key: plain(array, real) for key, array in given.items()}
            got, config = rule(given["w"], given["dw"], {key: given[key] for key in STATE[name]},
                               rung=rung)
            right, right_config = rule(copies["w"], copies["dw"],
                                       {key: copies[key] for key in STATE[name]}, rung="numpy")
            assert_same(got.astype(real), right, f"{key} as {kind}")
            for state in STATE[name]:
                assert_same(config[state].astype(real), right_config[state],
                            f"{state} after {key} as {kind}")


@pytest.mark.parametrize("kind", REFUSED)
@pytest.mark.parametrize("name", STATE)
def test_an_update_rule_refuses_arrays_that_are_not_real_numbers(name, kind):
    keys = ("w", "dw", *STATE[name])
    arrays = dict(zip(keys, drawn(name, [(4, 5)] * len(keys)), strict=True))
    for key in keys:
        given = arrays | {key: REFUSED[kind](arrays[key])}
        if (key, kind) == ("w", "longdouble"):
            continue  # NumPy's rung updates weights of any floating type
        with pytest.raises(ValueError, match="expected|masked"):
            optim.UPDATE_RULES[name](given["w"], given["dw"],
                                     {key: given[key] for key in STATE[name]})


@pytest.mark.parametrize("kind", LAYOUTS)
def test_gradients_are_gathered_from_hostile_arrays(kind):
    for dtype in (np.float32, np.float64):
        w, dw = (array.astype(dtype) for array in drawn(kind, [(6, 5)] * 2))
        loss, grads = l2_gradients({"w": LAYOUTS[kind](w)}, {"w": LAYOUTS[kind](dw)}, {"w": 0.5})
        w = plain(LAYOUTS[kind](w), dtype)
        dw = plain(LAYOUTS[kind](dw), dtype)
        assert loss == pytest.approx(0.25 * float(np.square(w, dtype=np.float64).sum()), rel=1e-6)
        assert_same(grads["w"].astype(dtype), dw + dtype(0.5) * w, kind)


# Sizes for which the code takes another path: products of at least 2 ** 18 multiplications and ReLU
# of at least 2 ** 15 numbers use our kernels, convolutions of 16 or more images choose other tiles,
# and outputs of 4 MiB are written past the caches.
LARGE = {
    "affine below the threshold": ("affine", ((60, 64), (64, 68), (68,)), ()),
    "affine above the threshold": ("affine", ((60, 64), (64, 69), (69,)), ()),
    "affine of many rows": ("affine", ((300, 100), (100, 30), (30,)), ()),
    "affine of images": ("affine", ((20, 16, 8, 8), (1024, 40), (40,)), ()),
    "relu": ("relu", ((8, 64, 65),), ()),
    "conv of 16 channels": ("conv", ((17, 16, 9, 7), (32, 16, 3, 3), (32,)), (CONV,)),
    "conv past the caches": ("conv", ((33, 4, 48, 48), (33, 4, 1, 1), (33,)),
                             ({"stride": 1, "pad": 0},)),
    "conv_bn_relu_pool": ("conv_bn_relu_pool",
                          ((17, 16, 8, 8), (32, 16, 3, 3), (32,), (32,), (32,)),
                          (CONV, batchnorm("train", 32), POOL)),
}


@compiled
@pytest.mark.parametrize("kind", ["a gap in the first axis", "a gap in the last axis",
                                  "a corner of a larger array",
                                  "a reversed first axis", "Fortran order", "one row for all",
                                  "another byte order",
                                  "misaligned", "read-only", "float64", "float16", "int64"])
@pytest.mark.parametrize("name", LARGE)
def test_a_large_operation_takes_hostile_arrays_as_their_plain_copies(name, kind):
    operation, shapes, settings = LARGE[name]
    forward, backward = LADDER[operation].get("auto") or LADDER[operation]["fast"]
    arrays = [array.astype(np.float32) for array in drawn(name, shapes)]
    for which in range(len(arrays)):
        given = list(arrays)
        given[which] = HOSTILE[kind](arrays[which])
        real = common(given)
        out, cache = run(forward, given, settings)
        right, right_cache = run(forward, [plain(array, real) for array in given], settings)
        assert_same(out, right, f"argument {which} as {kind}")
        dout = HOSTILE[kind](np.random.default_rng(which).standard_normal(out.shape).astype(real))
        assert_same(backward(dout, cache), backward(plain(dout, real), right_cache),
                    f"dout as {kind}")
