"""Every rung of every layer against the rung below, on random shapes, layouts and dtypes; losses, errors, memory."""
from collections import namedtuple

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cs231n_fer import layers as L
from cs231n_fer.gradient_check import gradient_error, spaced
from cs231n_fer.layers.batchnorm import as_rows
from cs231n_fer.layers.initializers import fans

DTYPES = [np.float32, np.float64]
# Largest error allowed: eps(dtype) * terms * factor. Partial sums of n numbers of about 1 wander to sqrt(n), so n
# roundings of them add up to eps * n, however near to 0 the sum ends. Largest factor in 12,000 draws of each row
# (4,000 for conv): norms, which divide by a standard deviation, 8.1, losses 3.3, the rest 1.0.
FACTORS = {"norm": 32, "loss": 16, "": 4}


def channels_last(array):
    """Store (N, C, H, W) as (N, H, W, C)."""
    order = (0, *range(2, array.ndim), 1)[:array.ndim]
    return np.ascontiguousarray(array.transpose(order)).transpose(np.argsort(order))


def strided(array):
    """Store the array in every second place of a larger one."""
    view = np.empty([2 * n for n in array.shape], array.dtype)[tuple(slice(None, None, 2) for _ in array.shape)]
    view[...] = array
    return view


LAYOUTS = {"C": np.ascontiguousarray, "Fortran": np.asfortranarray, "channels-last": channels_last, "strided": strided}


def protected(value, layout="C", dtype=None):
    """Return an array in the layout and dtype, write-protected; labels keep their dtype, other values pass."""
    if not isinstance(value, np.ndarray):
        return value
    array = LAYOUTS[layout](value.astype(dtype if value.dtype.kind == "f" and dtype else value.dtype))
    array.setflags(write=False)
    return array


VECTORS, IMAGES_OF = (lambda size: (size(0), size(1))), (lambda size: (size(0), size(1), size(2), size(3)))


def draw_affine(rng, size):
    D, M = size(0) * size(1) * size(2), size(3)
    x = rng.standard_normal((size(3), size(0), size(1), size(2)))
    return x, rng.standard_normal((D, M)), rng.standard_normal(M)


def norm_of(shape, *rest, channels=lambda x: x.shape[1]):
    """Draw the arguments of a norm; x is spaced, so that no variance nears 0, and at most 1."""
    def draw(rng, size):
        x = spaced(rng, shape(size))
        return x / abs(x).max(), *(rng.standard_normal(channels(x)) for _ in range(2)), *(f(size) for f in rest)
    return draw


draw_vector_norm = norm_of(VECTORS, lambda size: {"mode": "train"})
draw_image_norm = norm_of(IMAGES_OF, lambda size: {"mode": "train"})
draw_layernorm = norm_of(VECTORS, lambda size: {"eps": 1e-3})
draw_groupnorm = norm_of(lambda size: (size(2), size(0) * size(1), size(1), size(3)), lambda size: size(0),
                         lambda size: {}, channels=lambda x: (1, x.shape[1], 1, 1))


def in_test_mode(draw):
    def drawn(rng, size):
        x, gamma, beta, _ = draw(rng, size)
        mean, var = rng.standard_normal(gamma.shape), rng.random(gamma.shape) + 0.5
        return x, gamma, beta, {"mode": "test", "running_mean": mean, "running_var": var}
    return drawn


def draw_dropout(rng, size):
    return spaced(rng, IMAGES_OF(size)), {"p": float(rng.uniform(0.1, 1)), "mode": "train", "seed": size(0)}


def draw_conv(rng, size):
    N, C, F, HH, WW = size(0), size(1), size(2), size(2), size(3)
    x = rng.standard_normal((N, C, HH + size(1) - 1, WW + size(0) - 1))
    return x, rng.standard_normal((F, C, HH, WW)), rng.standard_normal(F), {"stride": size(3), "pad": size(1) - 1}


def draw_pool(rng, size):
    # Few different values: windows full of zeros, and ties of positive ones.
    x = np.maximum(rng.integers(-2, 3, (size(3), size(0), size(1) + size(2), size(2) + size(3))), 0.0)
    return x, {"pool_height": size(1), "pool_width": size(2), "stride": size(0)}


def draw_tiling_pool(rng, size):
    x = np.maximum(rng.integers(-2, 3, (size(3), size(0), size(1) * size(2), size(1) * size(3))), 0.0)
    return x, {"pool_height": size(1), "pool_width": size(1), "stride": size(1)}


# (forward, backward) of one operation on a rung and on the one below it; draw(rng, size) makes float64 arguments.
Rungs = namedtuple("Rungs", "name draw tested below")


def pair(name, tested, draw, below=None, back=None):
    """A row by the course's names; the rung below is name_naive, back names another backward pass."""
    forward, backward, below = tested.format("forward"), back or tested.format("backward"), below or name + "_{}_naive"
    return Rungs(backward, draw, (getattr(L, forward), getattr(L, backward)),
                 (getattr(L, below.format("forward")), getattr(L, below.format("backward"))))


RUNGS = [
    pair("affine", "affine_{}", draw_affine),
    pair("relu", "relu_{}", lambda rng, size: (spaced(rng, IMAGES_OF(size)),)),
    pair("leaky_relu", "leaky_relu_{}", lambda rng, size: (spaced(rng, IMAGES_OF(size)), float(rng.random()))),
    pair("conv", "conv_{}_im2col", draw_conv),
    pair("max_pool", "max_pool_{}_im2col", draw_pool),
    pair("max_pool", "max_pool_{}_reshape", draw_tiling_pool, below="max_pool_{}_im2col"),
    pair("avg_pool", "avg_pool_{}_im2col", draw_pool),
    pair("batchnorm", "batchnorm_{}", draw_vector_norm),
    pair("batchnorm", "batchnorm_{}", draw_vector_norm, back="batchnorm_backward_alt"),
    pair("batchnorm", "batchnorm_{}", in_test_mode(draw_vector_norm)),
    pair("batchnorm", "batchnorm_{}", in_test_mode(draw_vector_norm), back="batchnorm_backward_alt"),
    pair("spatial_batchnorm", "spatial_batchnorm_{}", draw_image_norm),
    pair("spatial_batchnorm", "spatial_batchnorm_{}", in_test_mode(draw_image_norm)),
    pair("layernorm", "layernorm_{}", draw_layernorm),
    pair("spatial_groupnorm", "spatial_groupnorm_{}", draw_groupnorm),
    pair("dropout", "dropout_{}", draw_dropout),
    pair("dropout", "dropout_{}", lambda rng, size: (spaced(rng, IMAGES_OF(size)), {"p": 0.5, "mode": "test"})),
]


def arguments(drawn, layout, dtype):
    """Protect what was drawn, except the running averages, which a layer may write on: it gets its own copies."""
    return [{key: value.astype(dtype) if isinstance(value, np.ndarray) else value for key, value in v.items()}
            if isinstance(v, dict) else protected(v, layout, dtype) for v in drawn]


def assert_close(got, expected, terms, name):
    """Compare two arrays of one shape and dtype to within rounding; NaN fails."""
    factor = next(factor for part, factor in FACTORS.items() if part in name)
    assert got.dtype == expected.dtype and got.shape == expected.shape
    assert gradient_error(got, expected, tiny=1.0) <= float(np.finfo(got.dtype).eps) * terms * factor


problems = {"dtype": st.sampled_from(DTYPES), "layout": st.sampled_from(sorted(LAYOUTS)),
            "sizes": st.lists(st.integers(1, 4), min_size=4, max_size=4), "seed": st.integers(0, 2 ** 32 - 1)}


@pytest.mark.parametrize("rungs", RUNGS, ids=lambda rungs: rungs.name)
@settings(max_examples=40, deadline=None)
@given(**problems)
def test_every_rung_equals_the_rung_below(rungs, dtype, layout, sizes, seed):
    rng = np.random.default_rng(seed)
    drawn = rungs.draw(rng, sizes.__getitem__)
    args, args_below = arguments(drawn, layout, dtype), arguments(drawn, "C", dtype)
    (out, cache), (out_below, cache_below) = rungs.tested[0](*args), rungs.below[0](*args_below)
    terms = max(a.size for a in (out, *drawn) if isinstance(a, np.ndarray))
    assert_close(out, out_below, terms, rungs.name)
    dout = rng.standard_normal(out.shape)
    both = (rungs.tested[1](protected(dout, layout, dtype), cache),
            rungs.below[1](protected(dout, dtype=dtype), cache_below))
    grads, grads_below = (g if isinstance(g, tuple) else (g,) for g in both)
    assert [g.shape for g in grads] == [a.shape for a in args if isinstance(a, np.ndarray)]
    for grad, below in zip(grads, grads_below, strict=True):
        assert grad.dtype == dtype
        assert_close(grad, below, terms, rungs.name)
    averages, averages_below = ([a[key] for a in some if isinstance(a, dict) for key in a if "running" in key]
                                for some in (args, args_below))
    for average, below in zip(averages, averages_below, strict=True):
        assert_close(average, below, terms, rungs.name)


def loss_arguments(name, rng, N, C):
    """Scores, labels and: weights of the classes; a teacher that is certain of some samples, alpha and T."""
    x, y = 3 * rng.standard_normal((N, C)), rng.integers(C, size=N)
    if name == WEIGHTED:
        return x, y, rng.uniform(0.1, 10, C)
    if name != "distillation_loss":
        return x, y
    teacher = np.exp(3 * rng.standard_normal((N, C))) * (rng.random((N, C)) < 0.7)
    teacher[np.arange(N), rng.integers(C, size=N)] = 1
    return x, y, teacher / teacher.sum(axis=1, keepdims=True), float(rng.random()), float(rng.uniform(0.5, 4))


WEIGHTED = "softmax_loss, class weights"
LOSSES = ["softmax_loss", WEIGHTED, "svm_loss", "l2_svm_loss", "distillation_loss"]


@pytest.mark.parametrize("name", LOSSES)
@settings(max_examples=40, deadline=None)
@given(**problems)
def test_every_loss_equals_its_definition(name, dtype, layout, sizes, seed):
    drawn = loss_arguments(name, np.random.default_rng(seed), sizes[0], sizes[1])
    args = arguments(drawn, layout, dtype)
    (loss, dx), (below, dx_below) = (getattr(L, name.split(",")[0] + rung)(*args) for rung in ("", "_naive"))
    assert type(loss) is type(below) is float and dx.dtype == dtype
    assert_close(np.array(loss, dtype), np.array(below, dtype), drawn[0].size, name)
    assert_close(dx, dx_below, drawn[0].size, name)


@pytest.mark.parametrize("name", LOSSES)
def test_losses_survive_huge_scores_and_their_gradients_sum_to_zero_where_only_differences_count(name):
    drawn = loss_arguments(name, np.random.default_rng(0), 6, 7)
    loss, dx = getattr(L, name.split(",")[0])(*arguments((1e4 * drawn[0], *drawn[1:]), "C", np.float32))
    assert np.isfinite(loss) and np.isfinite(dx).all()
    if name != "l2_svm_loss":
        np.testing.assert_allclose(dx.sum(axis=1), 0, atol=1e-5)


def test_losses_by_hand():
    x, y = protected(np.array([[1.0, 3.0, 0.5]])), protected(np.array([0]))
    assert L.svm_loss(x, y)[0] == pytest.approx(3 + 0.5)
    assert L.l2_svm_loss(x, y)[0] == pytest.approx(0 + 4 ** 2 + 1.5 ** 2)
    assert L.softmax_loss(protected(np.zeros((5, 7))), np.arange(5))[0] == pytest.approx(np.log(7))
    assert L.l2_loss(x, 0.5)[0] == pytest.approx(0.25 * 10.25)
    np.testing.assert_array_equal(L.l2_loss(x, 0.5)[1], 0.5 * x)


@settings(max_examples=30, deadline=None)
@given(**problems)
def test_a_sample_of_class_weight_w_counts_as_w_samples(dtype, layout, sizes, seed):
    rng = np.random.default_rng(seed)
    x, y = loss_arguments("softmax_loss", rng, sizes[0], sizes[1])
    weights = rng.integers(1, 6, sizes[1])
    loss, dx = L.softmax_loss(*arguments((x, y, weights / rng.uniform(1, 9)), layout, dtype))
    rows = np.repeat(np.arange(len(x)), weights[y])
    repeated, d_repeated = L.softmax_loss(*arguments((x[rows], y[rows]), layout, dtype))
    assert_close(np.array(loss, dtype), np.array(repeated, dtype), 6 * x.size, "softmax_loss")
    summed = np.zeros(x.shape, dtype)
    np.add.at(summed, rows, d_repeated)
    assert_close(dx, summed, 6 * x.size, "softmax_loss")


def test_class_weights_of_1_change_no_bit():
    x, y = arguments(loss_arguments("softmax_loss", np.random.default_rng(3), 50, 7), "C", np.float32)
    (loss, dx), (weighted, d_weighted) = L.softmax_loss(x, y), L.softmax_loss(x, y, np.ones(7))
    assert weighted == loss and d_weighted.tobytes() == dx.tobytes()


def test_class_weights_weigh_the_mean_as_in_pytorch():
    torch = pytest.importorskip("torch")
    x, y, weights = loss_arguments(WEIGHTED, np.random.default_rng(4), 50, 7)
    scores = torch.tensor(x, requires_grad=True)
    expected = torch.nn.functional.cross_entropy(scores, torch.tensor(y), torch.tensor(weights))
    expected.backward()
    loss, dx = L.softmax_loss(x, y, weights)
    assert loss == pytest.approx(expected.item(), rel=1e-12)
    np.testing.assert_allclose(dx, scores.grad.numpy(), rtol=1e-10, atol=1e-15)


def test_distillation_at_temperature_1_is_the_papers_equation_1():
    x, y, teacher, *_ = loss_arguments("distillation_loss", np.random.default_rng(1), 5, 7)
    loss, expected = L.distillation_loss(x, y, teacher, 0.8)[0], 0
    for f, label, p in zip(x, y, teacher, strict=True):
        log_sum = np.log(np.exp(f).sum())
        kl = sum(q * (np.log(q) - (score - log_sum)) for q, score in zip(p, f, strict=True) if q > 0)
        expected += (0.8 * (-f[label] + log_sum) + 0.2 * kl) / len(x)
    assert loss == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("T", [1.0, 3.0])
def test_a_student_that_agrees_with_its_teacher_has_no_distillation_loss(T):
    x, y, *_ = loss_arguments("softmax_loss", np.random.default_rng(2), 5, 7)
    teacher = np.exp(x / T) / np.exp(x / T).sum(axis=1, keepdims=True)
    loss, dx = L.distillation_loss(x, y, teacher, alpha=0.0, T=T)
    np.testing.assert_allclose([loss, *dx.ravel()], 0, atol=1e-12)
    assert L.distillation_loss(x, y, teacher[::-1], alpha=1.0, T=T)[0] == L.softmax_loss(x, y)[0]


@pytest.mark.parametrize("smoothing", [0.0, 0.3, 1.0])
def test_label_smoothing_mixes_the_label_with_all_classes_alike(smoothing):
    x, y = loss_arguments("softmax_loss", np.random.default_rng(2), 5, 7)
    targets = (1 - smoothing) * np.eye(7)[y] + smoothing / 7
    log_p = x - np.log(np.exp(x).sum(axis=1, keepdims=True))
    loss, dx = L.smoothed_softmax_loss(protected(x), y, smoothing)
    assert loss == pytest.approx(-(targets * log_p).sum() / 5 - smoothing * np.log(7))
    np.testing.assert_allclose(dx, (np.exp(log_p) - targets) / 5, atol=1e-15)
    assert L.smoothed_softmax_loss(x.astype(np.float32), y)[1].dtype == np.float32


X = protected(np.arange(12.0).reshape(3, 4))
Y, ONES, IMAGES = protected(np.array([0, 1, 2])), protected(np.ones(4)), protected(np.ones((2, 4, 3, 3)))
C1, RNG = protected(np.ones((1, 4, 1, 1))), np.random.default_rng(0)
BAD_INPUTS = {
    "affine: a sample of x has 4": lambda: L.affine_forward(X, np.ones((3, 2)), np.ones(2)),
    "affine: w has shape": lambda: L.affine_forward(X, np.ones((4, 2)), np.ones(3)),
    "batchnorm: gamma is": lambda: L.batchnorm_forward(X, np.ones(3), ONES, {"mode": "train"}),
    "bn_param: mode is None": lambda: L.batchnorm_forward(X, ONES, ONES, {}),
    "batchnorm: x has shape": lambda: L.batchnorm_forward(X[:0], ONES, ONES, {"mode": "train"}),
    "spatial_batchnorm: x has shape": lambda: L.spatial_batchnorm_forward(X, ONES, ONES, {"mode": "train"}),
    "layernorm: gamma is": lambda: L.layernorm_forward(X, np.ones(3), ONES, {}),
    "layernorm: x has shape": lambda: L.layernorm_forward(IMAGES, ONES, ONES, {}),
    "G: got 3 groups": lambda: L.spatial_groupnorm_forward(IMAGES, C1, C1, 3, {}),
    "spatial_groupnorm: gamma is": lambda: L.spatial_groupnorm_forward(IMAGES, ONES, C1, 2, {}),
    "dropout_param: p is 0,": lambda: L.dropout_forward(X, {"p": 0, "mode": "train"}),
    "dropout_param: p is None": lambda: L.dropout_forward(X, {"mode": "train"}),
    "dropout_param: mode is 'eval'": lambda: L.dropout_forward_naive(X, {"p": 0.5, "mode": "eval"}),
    "slope: got 1": lambda: L.leaky_relu_forward(X, 1),
    "y: labels reach from 0 to 4": lambda: L.softmax_loss(X, np.array([0, 1, 4])),
    "y: labels reach from -1": lambda: L.svm_loss(X, np.array([0, 1, -1])),
    "y: labels have shape": lambda: L.l2_svm_loss(X, Y[:2]),
    "y: labels have dtype float64": lambda: L.softmax_loss(X, Y.astype(float)),
    "x: scores have shape": lambda: L.softmax_loss(X[:0], Y[:0]),
    "class_weights: got [1.0, 2.0]": lambda: L.softmax_loss(X, Y, [1, 2]),
    "class_weights: got [1.0, 0.0, 1.0, 1.0]": lambda: L.softmax_loss(X, Y, [1, 0, 1, 1]),
    "class_weights: got [1.0, nan": lambda: L.softmax_loss_naive(X, Y, [1, np.nan, 1, 1]),
    "teacher_probs: have shape": lambda: L.distillation_loss(X, Y, X[:2]),
    "teacher_probs: the smallest is 0 and rows sum": lambda: L.distillation_loss(X, Y, X),
    "alpha: got 2": lambda: L.distillation_loss(X, Y, X * 0 + 0.25, alpha=2),
    "T: got temperature 0": lambda: L.distillation_loss(X, Y, X * 0 + 0.25, T=0),
    "reg: got -1": lambda: L.l2_loss(X, -1),
    "shape: got": lambda: L.he_normal(RNG, (3,)),
    "weight_scale: got -1": lambda: L.scaled_normal(RNG, (3, 4), -1),
}


@pytest.mark.parametrize("message", BAD_INPUTS)
def test_bad_input_gets_an_error_that_names_the_argument(message):
    with pytest.raises(ValueError) as error:
        BAD_INPUTS[message]()
    assert str(error.value).startswith(message)


def test_channels_last_images_are_neither_copied_nor_returned_in_another_layout():
    x, ones = protected(np.random.default_rng(0).random((2, 4, 3, 5)), "channels-last"), np.ones(4)
    assert np.shares_memory(as_rows(x), x)
    for out, _ in (L.spatial_batchnorm_forward(x, ones, ones, {"mode": "train"}), L.relu_forward(x),
                   L.leaky_relu_forward(x), L.dropout_forward(x, {"p": 0.5, "mode": "train", "seed": 0})):
        assert out.strides == x.strides


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("make, deviation", [(L.he_normal, (2 / 450) ** 0.5), (L.xavier_normal, (2 / 1250) ** 0.5),
                                             (lambda *args: L.scaled_normal(*args[:2], 0.3, args[2]), 0.3)])
def test_initial_weights_have_their_deviation_and_channels_last_memory(make, deviation, dtype):
    w = make(np.random.default_rng(0), (32, 18, 5, 5), dtype)
    assert w.shape == (32, 18, 5, 5) and w.dtype == dtype and w.transpose(2, 3, 1, 0).flags.c_contiguous
    # Six standard errors of a mean and of a standard deviation of w.size numbers.
    assert abs(w.mean()) < 6 * deviation / w.size ** 0.5
    assert abs(w.std() / deviation - 1) < 6 / (2 * w.size) ** 0.5
    np.testing.assert_array_equal(w, make(np.random.default_rng(0), (32, 18, 5, 5), dtype))
    assert fans((32, 18, 5, 5)) == (450, 800) and fans((6, 3)) == (6, 3)


def test_numpy_scalars_in_the_settings_leave_float32_alone():
    x, ones, c1, s = X.astype(np.float32), np.ones(4, np.float32), C1.astype(np.float32), np.float64
    images, q = x.reshape(3, 4, 1, 1), np.full((3, 4), 0.25, np.float32)
    for array in (L.batchnorm_forward(x, ones, ones, {"mode": "train", "eps": s(1e-5), "momentum": s(0.9)})[0],
                  L.layernorm_forward(x, ones, ones, {"eps": s(1e-5)})[0], L.leaky_relu_forward(x, s(0.1))[0],
                  L.spatial_groupnorm_forward(images, c1, c1, 2, {"eps": s(1e-5)})[0], L.l2_loss(x, s(0.1))[1],
                  L.dropout_forward(x, {"p": s(0.5), "mode": "train", "seed": 0})[0],
                  L.distillation_loss(x, Y, q, s(0.8), s(2.0))[1]):
        assert array.dtype == np.float32
