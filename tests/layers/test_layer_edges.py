"""Edge cases of layers and losses: refused arguments and messages, defaults, kinks, sizes."""
import inspect

import numpy as np
import pytest
from layouts import protected

from cs231n_fer import layers as L
from cs231n_fer.layers.im2col import with_border
from cs231n_fer.layers.losses import log_softmax

X = protected(np.arange(12.0).reshape(3, 4))
Y = protected(np.array([0, 1, 2]))
ONES = protected(np.ones(4))
IMAGES = protected(np.ones((2, 4, 3, 3)))
C1 = protected(np.ones((1, 4, 1, 1)))
Q = protected(np.full((3, 4), 0.25))
RNG = np.random.default_rng(0)
POOL = {"pool_height": 2, "pool_width": 2, "stride": 2}
CONV = {"stride": 1, "pad": 0}
BAD_INPUTS = [
    ("affine: x has shape (4,), expected (N, d1, ..., dk)",
     lambda: L.affine_forward(X[0], np.ones((4, 2)), np.ones(2))),
    ("affine: a sample of x has 4 numbers but w expects 3 (x (3, 4), w (3, 2))",
     lambda: L.affine_forward(X, np.ones((3, 2)), np.ones(2))),
    ("affine: w has shape (4, 2) and b (3,), expected (D, M) and (M,)",
     lambda: L.affine_forward(X, np.ones((4, 2)), np.ones(3))),
    ("affine: w has shape (4,) and b (3,), expected (D, M) and (M,)",
     lambda: L.affine_forward(X, ONES, np.ones(3))),
    ("batchnorm: gamma has shape (3,) and beta (4,), expected (4,), one number per feature of x",
     lambda: L.batchnorm_forward(X, np.ones(3), ONES, {"mode": "train"})),
    ("batchnorm: gamma has shape (4,) and beta (3,), expected (4,), one number per feature of x",
     lambda: L.batchnorm_forward(X, ONES, np.ones(3), {"mode": "train"})),
    ("bn_param: mode is None, expected 'train' or 'test'",
     lambda: L.batchnorm_forward(X, ONES, ONES, {})),
    ("bn_param: running_mean is list, expected a float array (4,), one number per feature",
     lambda: L.batchnorm_forward(X, ONES, ONES, {"mode": "test", "running_mean": [0, 0, 0, 0]})),
    ("bn_param: running_var is float64 (3,), expected a float array (4,), one number per feature",
     lambda: L.batchnorm_forward(X, ONES, ONES, {"mode": "test", "running_var": np.ones(3)})),
    ("bn_param: running_var is int64 (4,), expected a float array (4,), one number per feature",
     lambda: L.batchnorm_forward_naive(X, ONES, ONES,
                                       {"mode": "test", "running_var": np.arange(4)})),
    ("bn_param: running_mean is read-only, but training mode updates it in place; give a copy",
     lambda: L.batchnorm_forward(X, ONES, ONES, {"mode": "train", "running_mean": ONES})),
    ("batchnorm: x has shape (0, 4), expected (N, D) with N of at least 1",
     lambda: L.batchnorm_forward(X[:0], ONES, ONES, {"mode": "train"})),
    ("batchnorm: x has shape (1, 3, 4), expected (N, D) with N of at least 1",
     lambda: L.batchnorm_forward(X[None], ONES, ONES, {"mode": "train"})),
    ("spatial_batchnorm: x has shape (3, 4), expected four axes (N, C, H, W)",
     lambda: L.spatial_batchnorm_forward(X, ONES, ONES, {"mode": "train"})),
    ("spatial_batchnorm: x has shape (3, 4), expected four axes (N, C, H, W)",
     lambda: L.spatial_batchnorm_forward_naive(X, ONES, ONES, {"mode": "train"})),
    ("layernorm: gamma has shape (3,) and beta (4,), expected (4,), one number per feature of x",
     lambda: L.layernorm_forward(X, np.ones(3), ONES, {})),
    ("layernorm: gamma has shape (4,) and beta (3,), expected (4,), one number per feature of x",
     lambda: L.layernorm_forward(X, ONES, np.ones(3), {})),
    ("layernorm: x has shape (0, 4), expected (N, D), not empty",
     lambda: L.layernorm_forward(X[:0], ONES, ONES, {})),
    ("layernorm: x has shape (2, 4, 3, 3), expected (N, D), not empty",
     lambda: L.layernorm_forward(IMAGES, ONES, ONES, {})),
    ("spatial_groupnorm: x has shape (3, 4), expected four axes (N, C, H, W)",
     lambda: L.spatial_groupnorm_forward(X, C1, C1, 2, {})),
    ("G: got 3 groups, expected a divisor of the 4 channels",
     lambda: L.spatial_groupnorm_forward(IMAGES, C1, C1, 3, {})),
    ("G: got -2 groups, expected a divisor of the 4 channels",
     lambda: L.spatial_groupnorm_forward(IMAGES, C1, C1, -2, {})),
    ("spatial_groupnorm: gamma has shape (4,) and beta (1, 4, 1, 1), expected (1, 4, 1, 1)",
     lambda: L.spatial_groupnorm_forward(IMAGES, ONES, C1, 2, {})),
    ("spatial_groupnorm: gamma has shape (1, 4, 1, 1) and beta (4,), expected (1, 4, 1, 1)",
     lambda: L.spatial_groupnorm_forward(IMAGES, C1, ONES, 2, {})),
    ("dropout_param: p is 0, expected the probability of keeping a number, above 0 and at most 1",
     lambda: L.dropout_forward(X, {"p": 0, "mode": "train"})),
    ("dropout_param: p is 1.5, expected the probability of keeping a number, above 0 and at most 1",
     lambda: L.dropout_forward(X, {"p": 1.5, "mode": "train"})),
    ("dropout_param: p is None, expected the probability of keeping a number, above 0 and at most "
     "1",
     lambda: L.dropout_forward(X, {"mode": "train"})),
    ("dropout_param: mode is 'eval', expected 'train' or 'test'",
     lambda: L.dropout_forward_naive(X, {"p": 0.5, "mode": "eval"})),
    ("slope: got 1, expected at least 0 and below 1", lambda: L.leaky_relu_forward(X, 1)),
    ("slope: got -0.1, expected at least 0 and below 1",
     lambda: L.leaky_relu_forward_naive(X, -0.1)),
    ("pool_param: the reshape rung needs windows that tile the image, got 2 x 2, stride 2 on 3 x "
     "3; "
     "use "
     "max_pool_forward_im2col",
     lambda: L.max_pool_forward_reshape(IMAGES, POOL)),
    ("pool_param: the reshape rung needs windows that tile the image, got 2 x 2, stride 2 on 2 x "
     "3; "
     "use "
     "max_pool_forward_im2col",
     lambda: L.max_pool_forward_reshape(IMAGES[:, :, :2], POOL)),
    ("pool_param: the reshape rung needs windows that tile the image, got 2 x 2, stride 1 on 4 x "
     "4; "
     "use "
     "max_pool_forward_im2col",
     lambda: L.max_pool_forward_reshape(np.ones((1, 1, 4, 4)), {**POOL, "stride": 1})),
    ("pool_param: the reshape rung needs windows that tile the image, got 2 x 1, stride 1 on 3 x "
     "3; "
     "use "
     "max_pool_forward_im2col",
     lambda: L.max_pool_forward_reshape(IMAGES, {**POOL, "pool_width": 1, "stride": 1})),
    ("pool: x has shape (3, 4), expected four axes (N, C, H, W)",
     lambda: L.max_pool_forward_naive(X, POOL)),
    ("grouped_conv: x has shape (3, 4), expected four axes (N, C, H, W)",
     lambda: L.grouped_conv_forward_naive(X, C1, ONES, CONV, 2)),
    ("grouped_conv: w has shape (4,), expected (F, C / groups, HH, WW), none empty",
     lambda: L.grouped_conv_forward_im2col(IMAGES, ONES, ONES, CONV, 2)),
    ("groups: got 3, expected a divisor of the 4 channels and the 1 filters",
     lambda: L.grouped_conv_forward_naive(IMAGES, C1, ONES, CONV, 3)),
    ("groups: got 1.0, expected an integer of at least 1",
     lambda: L.grouped_conv_forward_im2col(IMAGES, C1, ONES, CONV, 1.0)),
    ("grouped_conv: w has shape (4, 4, 1, 1), expected 2 channels, the 4 of x in 2 groups",
     lambda: L.grouped_conv_forward_naive(IMAGES, np.ones((4, 4, 1, 1)), ONES, CONV, 2)),
    ("grouped_conv: b has shape (3,), expected (4,)",
     lambda: L.grouped_conv_forward_im2col(IMAGES, np.ones((4, 2, 1, 1)), np.ones(3), CONV, 2)),
    ("pad: x has shape (3, 4), expected four axes (N, C, H, W)", lambda: L.pad_forward(X, 1)),
    ("pad: got -1, expected an integer of at least 0", lambda: L.pad_forward_naive(IMAGES, -1)),
    ("pad: got 0.5, expected an integer of at least 0", lambda: L.pad_forward(IMAGES, 0.5)),
    ("pool_param: missing keys ['stride'], unknown keys []; expected exactly ['pool_height', "
     "'pool_width', 'stride']",
     lambda: L.avg_pool_forward_im2col(IMAGES, {"pool_height": 2, "pool_width": 2})),
    ("global_avg_pool: x has shape (3, 4), expected four axes (N, C, H, W)",
     lambda: L.global_avg_pool_forward(X)),
    ("y: labels reach from 0 to 4, expected 0 to 3",
     lambda: L.softmax_loss(X, np.array([0, 1, 4]))),
    ("y: labels reach from -1 to 1, expected 0 to 3", lambda: L.svm_loss(X, np.array([0, 1, -1]))),
    ("y: labels have shape (2,), expected (3,), one per row of x", lambda: L.l2_svm_loss(X, Y[:2])),
    ("y: labels have dtype float64, expected integers; cast with y.astype(int)",
     lambda: L.softmax_loss(X, Y.astype(float))),
    ("x: scores have shape (0, 4), expected (N, C) with at least one row and one class",
     lambda: L.softmax_loss(X[:0], Y[:0])),
    ("class_weights: got [1.0, 2.0], expected 4 numbers above 0, one for each class",
     lambda: L.softmax_loss(X, Y, [1, 2])),
    ("class_weights: got [1.0, 1.0, 1.0, 1.0, 1.0], expected 4 numbers above 0, one for each class",
     lambda: L.softmax_loss(X, Y, [1] * 5)),
    ("class_weights: got [1.0, 0.0, 1.0, 1.0], expected 4 numbers above 0, one for each class",
     lambda: L.softmax_loss(X, Y, [1, 0, 1, 1])),
    ("class_weights: got [1.0, 1.0, inf, 1.0], expected 4 numbers above 0, one for each class",
     lambda: L.softmax_loss(X, Y, [1, 1, np.inf, 1])),
    ("class_weights: got [1.0, nan, 1.0, 1.0], expected 4 numbers above 0, one for each class",
     lambda: L.softmax_loss_naive(X, Y, [1, np.nan, 1, 1])),
    ("teacher_probs: has shape (2, 4), expected (3, 4), the shape of the scores",
     lambda: L.distillation_loss(X, Y, X[:2])),
    ("teacher_probs: the smallest is 0 and the row sums are from 6 to 38, "
     "expected probabilities: at least 0, row sums of 1",
     lambda: L.distillation_loss(X, Y, X)),
    ("teacher_probs: the smallest is 0.375 and the row sums are from 1.5 to 1.5, "
     "expected probabilities: at least 0, row sums of 1",
     lambda: L.distillation_loss(X, Y, 1.5 * Q)),
    ("teacher_probs: the smallest is 0.2495 and the row sums are from 0.998 to 0.998, "
     "expected probabilities: at least 0, row sums of 1",
     lambda: L.distillation_loss(X, Y, 0.998 * Q)),
    ("teacher_probs: the smallest is -0.25 and the row sums are from 1 to 1, "
     "expected probabilities: at least 0, row sums of 1",
     lambda: L.distillation_loss(X, Y, Q + [0.5, -0.5, 0, 0])),
    ("alpha: got 2, expected a number from 0 to 1", lambda: L.distillation_loss(X, Y, Q, alpha=2)),
    ("alpha: got -0.5, expected a number from 0 to 1",
     lambda: L.distillation_loss(X, Y, Q, alpha=-0.5)),
    ("T: got 0, expected a temperature above 0", lambda: L.distillation_loss(X, Y, Q, T=0)),
    ("T: got -1, expected a temperature above 0", lambda: L.distillation_loss(X, Y, Q, T=-1)),
    ("reg: got -1, expected 0 or more", lambda: L.l2_loss(X, -1)),
    ("shape: got (3,), expected (D, M) or (F, C, HH, WW)", lambda: L.he_normal(RNG, (3,))),
    ("shape: got (3, 4, 5), expected (D, M) or (F, C, HH, WW)",
     lambda: L.xavier_normal(RNG, (3, 4, 5))),
    ("weight_scale: got -1, expected a standard deviation of at least 0",
     lambda: L.scaled_normal(RNG, (3, 4), -1)),
]


@pytest.mark.parametrize("message, call", BAD_INPUTS, ids=[message for message, _ in BAD_INPUTS])
def test_bad_input_gets_an_error_that_says_what_came_and_what_was_expected(message, call):
    with pytest.raises(ValueError) as error:
        call()
    assert str(error.value) == message


@pytest.mark.parametrize("accepted", [
    lambda: L.leaky_relu_forward(X, 0), lambda: L.dropout_forward(X, {"p": 1, "mode": "train"}),
    lambda: L.l2_loss(X, 0), lambda: L.scaled_normal(RNG, (3, 4), 0),
    lambda: L.distillation_loss(X, Y, Q, 0, 0.1),
    lambda: L.distillation_loss(X, Y, Q, 1),
    lambda: L.distillation_loss(X, Y, np.eye(4)[:3] * 1.0009),
    lambda: L.softmax_loss(X, Y, np.full(4, 0.01)), lambda: L.softmax_loss(X[:1, :1], Y[:1]),
    lambda: L.batchnorm_forward(X[:1], ONES, ONES, {"mode": "train"}),
    lambda: L.layernorm_forward(X[:, :1], ONES[:1], ONES[:1], {}),
    lambda: L.spatial_groupnorm_forward(IMAGES, C1, C1, 1, {}),
    lambda: L.spatial_groupnorm_forward(IMAGES, C1, C1, 4, {}),
    lambda: L.affine_forward(X[:, :1], ONES[None], ONES)])
def test_the_ends_of_every_range_are_accepted(accepted):
    assert np.isfinite(accepted()[0]).all()


DEFAULTS = {"leaky_relu_forward": {"slope": 0.01}, "leaky_relu_forward_naive": {"slope": 0.01},
            "im2col": {"stride": 1, "pad": 0, "fill": 0}, "col2im": {"stride": 1, "pad": 0},
            "pad_forward": {"value": 0.0}, "pad_forward_naive": {"value": 0.0},
            "distillation_loss": {"alpha": 0.8, "T": 1.0},
            "distillation_loss_naive": {"alpha": 0.8, "T": 1.0},
            "smoothed_softmax_loss": {"smoothing": 0.1}, "softmax_loss": {"class_weights": None},
            "softmax_loss_naive": {"class_weights": None}, "he_normal": {"dtype": np.float32},
            "xavier_normal": {"dtype": np.float32}, "scaled_normal": {"dtype": np.float32}}


def test_defaults_are_as_documented():
    found = {}
    for name in dir(L):
        if inspect.isfunction(function := getattr(L, name)):
            parameters = inspect.signature(function).parameters.values()
            found[name] = {p.name: p.default for p in parameters if p.default is not p.empty}
    assert {name: defaults for name, defaults in found.items() if defaults} == DEFAULTS


def test_eps_is_1e_5_and_momentum_0_9_unless_told():
    x = np.array([[1.0, 0.001], [3.0, -0.001]])
    ones = np.ones(2)
    for forward in (L.batchnorm_forward, L.batchnorm_forward_naive):
        param = {"mode": "train"}
        out, _ = forward(x, ones, 0 * ones, param)
        np.testing.assert_allclose(out[0], [-1 / np.sqrt(1 + 1e-5), 0.001 / np.sqrt(1e-6 + 1e-5)],
                                   rtol=1e-12)
        np.testing.assert_allclose(param["running_mean"], [0.2, 0], atol=1e-15)
        np.testing.assert_allclose(param["running_var"], [0.1, 1e-7], rtol=1e-12)
    for forward in (L.layernorm_forward, L.layernorm_forward_naive):
        out, _ = forward(x.T, ones, 0 * ones, {})
        np.testing.assert_allclose(out[1], [0.001 / np.sqrt(1e-6 + 1e-5),
                                            -0.001 / np.sqrt(1e-6 + 1e-5)], rtol=1e-12)
    for forward in (L.spatial_groupnorm_forward, L.spatial_groupnorm_forward_naive):
        c1 = np.ones((1, 1, 1, 1))
        out, _ = forward(x.T[1].reshape(1, 1, 1, 2), c1, 0 * c1, 1, {})
        np.testing.assert_allclose(out.ravel()[0], 0.001 / np.sqrt(1e-6 + 1e-5), rtol=1e-12)


RELUS = [(L.relu_forward, L.relu_backward, 0), (L.relu_forward_naive, L.relu_backward_naive, 0),
         (L.leaky_relu_forward, L.leaky_relu_backward, 0.01),
         (L.leaky_relu_forward_naive, L.leaky_relu_backward_naive, 0.01)]


@pytest.mark.parametrize("forward, backward, slope", RELUS)
def test_relu_at_zero_has_the_derivative_of_the_left_and_nan_stays_nan(forward, backward, slope):
    out, cache = forward(np.array([-2.0, 0.0, 3.0, np.nan]))
    np.testing.assert_array_equal(out, [-2 * slope, 0, 3, np.nan])
    np.testing.assert_array_equal(backward(np.array([5.0, 5.0, 5.0, 5.0]), cache)[:3],
                                  [5 * slope, 5 * slope, 5])


@pytest.mark.parametrize("loss", [L.svm_loss, L.svm_loss_naive])
def test_a_margin_of_exactly_1_is_not_violated(loss):
    value, dx = loss(np.array([[1.0, 0.0, 0.5]]), np.array([0]))
    assert value == 0.5
    np.testing.assert_array_equal(dx, [[-1, 0, 1]])


def test_log_softmax_takes_off_the_largest_score():
    np.testing.assert_array_equal(log_softmax(np.array([[-2000.0, -1000.0], [2000.0, 1000.0]])),
                                  [[-1000, 0], [0, -1000]])


@pytest.mark.parametrize("window, dtype", [(16, np.uint8), (17, np.uint16)])
def test_the_argmax_of_a_window_takes_one_byte_for_up_to_256_pixels(window, dtype):
    x = np.zeros((1, 1, window, window))
    x[..., -1, -1] = 1
    pool_param = {"pool_height": window, "pool_width": window, "stride": 1}
    out, cache = L.max_pool_forward_im2col(x, pool_param)
    assert out.item() == 1 and cache[1].dtype == dtype
    np.testing.assert_array_equal(L.max_pool_backward_im2col(out, cache), x)


def test_im2col_fills_the_padding_as_told():
    assert with_border(np.full((1, 1, 1, 1), 7.0), 1).sum() == 7
    columns = L.im2col(np.full((1, 1, 1, 1), 7.0), 2, 2, pad=1, fill=-1)
    np.testing.assert_array_equal(columns, [[-1, -1, -1, 7], [-1, -1, 7, -1], [-1, 7, -1, -1],
                                            [7, -1, -1, -1]])


def test_dropout_keeps_what_draws_below_p_and_hands_everything_on_in_test_mode():
    class Draws:
        def random(self, shape):
            return np.array([0.0, 0.25, 0.5, 0.75]).reshape(shape)
    for forward, backward in ((L.dropout_forward, L.dropout_backward),
                              (L.dropout_forward_naive, L.dropout_backward_naive)):
        out, cache = forward(ONES, {"p": 0.5, "mode": "train", "rng": Draws()})
        np.testing.assert_array_equal(out, [2, 2, 0, 0])
        np.testing.assert_array_equal(backward(ONES, cache), [2, 2, 0, 0])
        out, cache = forward(X, {"p": 0.5, "mode": "test"})
        assert out is X and cache is None and backward(X, cache) is X


def test_weights_are_normal_numbers_times_the_deviation_of_their_rule():
    for make, shape, deviation in ((L.he_normal, (6, 3), (2 / 6) ** 0.5),
                                   (L.xavier_normal, (6, 3), (2 / 9) ** 0.5),
                                   (L.he_normal, (5, 4, 3, 2), (2 / 24) ** 0.5),
                                   (L.xavier_normal, (5, 4, 3, 2), (2 / 54) ** 0.5)):
        order = (0, 1) if len(shape) == 2 else (2, 3, 1, 0)
        sizes = [shape[axis] for axis in order]
        drawn = np.random.default_rng(1).standard_normal(sizes) * deviation
        expected = drawn if len(shape) == 2 else drawn.transpose(3, 2, 0, 1)
        np.testing.assert_array_equal(make(np.random.default_rng(1), shape, np.float64), expected)


def test_l2_and_smoothing_by_hand():
    loss, dw = L.l2_loss(np.array([1.0, -3.0]), 0.5)
    assert loss == 2.5
    np.testing.assert_array_equal(dw, [0.5, -1.5])
    loss, dx = L.smoothed_softmax_loss(np.zeros((1, 4)), Y[:1])
    np.testing.assert_allclose(dx, [[0.25 - 0.925, *[0.25 - 0.025] * 3]])
    assert loss == pytest.approx(0.9 * np.log(4))
