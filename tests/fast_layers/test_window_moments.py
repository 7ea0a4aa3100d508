"""Tests of batchnorm after one-channel images, on images for which a variance is hard to compute.

They are smooth, constant, far from zero or faint, and filters take away what they have.
"""
from typing import NamedTuple

import numpy as np
import pytest
from layouts import DTYPES, compiled, protected

from cs231n_fer import layer_utils as U
from cs231n_fer import layers as L
from cs231n_fer.fast_layers import batchnorm as B

N, SIZE, TAPS, MOMENTUM = 3, 48, 9, 0.75
# The largest ratio between the terms of a variance and the variance, which is their sum.
MOST_LOST = {np.float32: 2 ** 10, np.float64: 2 ** 20}
POOL = {"pool_height": 2, "pool_width": 2, "stride": 2}
FUNCTIONS = {False: (B.conv_bn_relu_forward, U.conv_bn_relu_forward, U.conv_bn_relu_backward),
             True: (B.conv_bn_relu_pool_forward, U.conv_bn_relu_pool_forward,
                    U.conv_bn_relu_pool_backward)}
DOWN, RIGHT = np.meshgrid(np.linspace(0, 10, SIZE), np.linspace(0, 10, SIZE), indexing="ij")
NOISE = np.random.default_rng(5).standard_normal((N, SIZE, SIZE))
EACH = np.arange(1, N + 1)[:, None, None]  # makes the images differ
IMAGES = {
    "noise": NOISE,
    "ramp to the right": RIGHT * np.ones_like(EACH),
    "ramp down": DOWN * EACH,
    "ramp across": RIGHT - 2 * DOWN + EACH,
    "smooth": 10 * np.sin(RIGHT * EACH / 10) * np.cos(DOWN / 5),
    "smooth with some noise": 10 * np.sin(RIGHT / 10) + 0.01 * NOISE,
    "zeros": 0 * NOISE,
    "constant": 0.1 + 0 * NOISE,
    "a constant each": 0.1 * EACH + 0 * NOISE,
    "far from zero": 1e4 + NOISE,
    "a ramp far from zero": 1e4 + RIGHT * EACH,
    "faint": 0.5 + 1e-4 * NOISE,
    "one bright pixel": 100.0 * (np.arange(SIZE * SIZE).reshape(SIZE, SIZE) == 1000) * EACH,
}


def filters():
    """Differences, and random filters with and without a mean, small and large: (24, 1, 3, 3)."""
    first = np.array([-1.0, 0, 1])
    second = np.array([1.0, -2, 1])
    middle = np.array([0.0, 1, 0])
    rng = np.random.default_rng(6)
    random = rng.standard_normal((6, 3, 3))
    random[:3] -= random[:3].mean(axis=(1, 2), keepdims=True)
    shapes = [np.outer(middle, second), np.outer(second, middle),
              np.outer([0.3, -0.8, 0.7], second), np.outer(second, second),
              np.outer(middle, first), np.outer(first, [1, 2, 1]), *random]
    return np.concatenate([np.stack(shapes), 6 * np.stack(shapes)])[:, None]


class Problem(NamedTuple):
    """The arguments of both implementations, in one dtype and write-protected."""
    arrays: list
    pad: int
    pools: bool
    eps: float

    def forward(self, function, dtype):
        """Run one implementation, and return (out, cache, running averages)."""
        bn_param = {"mode": "train", "eps": self.eps, "momentum": MOMENTUM}
        arrays = [a.astype(dtype) for a in self.arrays]
        settings = [{"stride": 1, "pad": self.pad}, bn_param, *([POOL] if self.pools else [])]
        out, cache = function(*arrays, *settings)
        return out, cache, (bn_param["running_mean"], bn_param["running_var"])


def problem(image, pad, dtype, pools, eps=1e-5):
    rng = np.random.default_rng(7)
    w = filters()
    F = len(w)
    beta = rng.uniform(0.5, 2, F) * rng.choice([-1, 1], F)
    arrays = [IMAGES[image][:, None], w, rng.standard_normal(F), rng.standard_normal(F), beta]
    return Problem([protected(a, dtype=dtype) for a in arrays], pad, pools, eps)


class Truth(NamedTuple):
    """Results of batchnorm in float64 and effects of rounding; arrays (F,) unless stated."""
    xhat: np.ndarray    # (N, F, Ho, Wo)
    y: np.ndarray       # (N, F, Ho, Wo) before ReLU
    rstd: np.ndarray
    var: np.ndarray
    of_z: np.ndarray    # rounding of an output of the convolution
    of_var: np.ndarray  # of the variance, relative to var + eps


def truth(given, dtype):
    """Return the Truth.

    An output is a sum of TAPS products, each rounded to eps of |w| |x|. A variance of outputs that
    are off by d is off by 2 sqrt(var) d + d^2, and one by windows by 4 eps times the terms that it
    is a sum of, which may be MOST_LOST times var + eps: of constant images with a border it was 3.
    """
    x, w, b, gamma, beta = (a.astype(np.float64) for a in given.arrays)
    u = float(np.finfo(dtype).eps)
    z, _ = L.conv_forward_im2col(x, w, b, {"stride": 1, "pad": given.pad})
    centred = z - z.mean(axis=(0, 2, 3), keepdims=True)
    var = np.square(centred).mean(axis=(0, 2, 3))
    rstd = 1 / np.sqrt(var + given.eps)
    xhat = centred * rstd[:, None, None]
    largest = np.abs(w).sum(axis=(1, 2, 3)) * np.abs(x).max() + np.abs(b)
    of_means = 64 * np.finfo(float).eps  # rounding of the composition's means of 7,000 numbers
    of_z = ((TAPS + 2) * u + of_means) * largest
    windows = L.im2col(x, 3, 3, 1, given.pad)
    windows = (windows - windows.mean(axis=0)).reshape(-1, TAPS)
    rows = w.reshape(-1, TAPS)
    covariance = windows.T @ windows / len(windows)
    terms = np.einsum("fa,ab,fb->f", np.abs(rows), np.abs(covariance), np.abs(rows))
    lost = np.minimum(terms * rstd ** 2, MOST_LOST[dtype])
    of_var = (2 * np.sqrt(var) * of_z + of_z ** 2) * rstd ** 2 + 4 * u * lost
    return Truth(xhat, gamma[:, None, None] * xhat + beta[:, None, None], rstd, var, of_z, of_var)


def assert_within(found, true, limit, name):
    """Compare with a limit that is broadcast; NaN fails."""
    over = np.abs(found.astype(np.float64) - true) / np.maximum(limit, 1e-300)
    assert np.isfinite(found).all() and over.max() <= 1, f"{name}: {over.max():.3g} times its limit"


@pytest.fixture(params=[False, True], ids=["no pool", "pool"])
def pools(request):
    return request.param


@compiled
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("pad", [0, 1])
@pytest.mark.parametrize("image", IMAGES)
def test_results_are_those_of_the_composition_in_float64(image, pad, dtype, pools):
    given = problem(image, pad, dtype, pools)
    forward, true_forward, true_backward = FUNCTIONS[pools]
    x, w, _, gamma, _ = (np.abs(a) for a in given.arrays)
    known = truth(given, dtype)
    u = float(np.finfo(dtype).eps)
    out, cache, averages = given.forward(forward, dtype)
    true_out, true_cache, true_averages = given.forward(true_forward, np.float64)
    most = np.abs(known.xhat).max(axis=(0, 2, 3))
    of_xhat = 2 * known.rstd * known.of_z + most * np.minimum(known.of_var, 1)
    limit = 2 * gamma * of_xhat + 8 * u * np.abs(known.y).max(axis=(0, 2, 3))
    assert_within(out, true_out, limit[:, None, None], "out")
    assert_within(averages[0], true_averages[0], known.of_z, "running_mean")
    of_var = known.of_var * (known.var + given.eps)
    assert_within(averages[1], true_averages[1], of_var, "running_var")

    dout = np.random.default_rng(8).standard_normal(out.shape)
    dout = protected(dout * decided(known.y, limit[:, None, None], pools), dtype=dtype)
    found = B.conv_bn_relu_backward(dout, cache)
    true = true_backward(dout.astype(np.float64), true_cache)
    total = np.abs(dout).astype(np.float64).sum(axis=(0, 2, 3))
    scale = gamma * known.rstd
    of_sums = 64 * u * total  # a sum of some thousand numbers, added in vectors
    along = known.rstd * known.of_z + of_xhat + u * most
    of_dgamma = 64 * total * along
    of_dz = 4 * scale * (known.of_var + u) * (1 + most ** 2)  # for a gradient of 1
    of_dw = x.max() * (of_dz * total + scale * (of_sums + of_dgamma * most))
    together = scale * (of_sums + of_dgamma * most + total * of_xhat) / known.y[:, 0].size
    of_dx = w.sum(axis=(1, 2, 3)) @ (of_dz * np.abs(dout).max() + together)
    assert_within(found[0], true[0], of_dx, "dx")
    assert_within(found[1], true[1], of_dw[:, None, None, None], "dw")
    assert not found[2].any()
    assert_within(found[3], true[3], of_dgamma, "dgamma")
    assert_within(found[4], true[4], of_sums, "dbeta")


def decided(y, limit, pools):
    """Return where rounding can't change which gradients pass: clear signs and maxima."""
    if not pools:
        return np.abs(y) > 2 * limit
    rows, columns = (n // 2 * 2 for n in y.shape[2:])
    corners = [y[:, :, i:rows:2, j:columns:2] for i in (0, 1) for j in (0, 1)]
    corners = np.sort(np.stack(corners), axis=0)
    return (corners[3] - corners[2] > 2 * limit) & (np.abs(corners[3]) > 2 * limit)


@compiled
def test_second_differences_of_a_ramp_have_no_variance_and_no_nan(pools):
    x = np.tile(np.linspace(0, 10, 48), (4, 1, 48, 1)).astype(np.float32)
    rng = np.random.default_rng(0)
    w = rng.standard_normal((64, 1, 3, 1)) * rng.uniform(1, 8, (64, 1, 1, 1)) * [1, -2, 1]
    w = w.astype(np.float32)
    bn_param = {"mode": "train"}
    ones = np.ones(64, np.float32)
    settings = [{"stride": 1, "pad": 0}, bn_param, *([POOL] if pools else [])]
    out, cache = FUNCTIONS[pools][0](x, w, 0 * ones, ones, ones, *settings)
    of_z = np.abs(w).sum(axis=(1, 2, 3)) * 10 * np.finfo(np.float32).eps * TAPS
    assert isinstance(cache, B.BatchnormCache), "a variance that is nothing but rounding was taken"
    assert np.isfinite(out).all() and (bn_param["running_var"] >= 0).all()
    assert (np.abs(out - 1) <= 1 / np.sqrt(1e-5) * of_z[:, None, None]).all()


@compiled
@pytest.mark.parametrize("dtype", DTYPES)
def test_moments_by_windows_are_taken_of_what_nets_see(dtype):
    x = protected(NOISE[:, None] + 3, dtype=dtype)
    w = protected(np.random.default_rng(1).standard_normal((32, 1, 3, 3)), dtype=dtype)
    vectors = np.ones((3, 32), dtype)
    _, cache = B.conv_bn_relu_forward(x, w, *vectors, {"stride": 1, "pad": 1}, {"mode": "train"})
    assert isinstance(cache, B.WindowsCache)


@compiled
@pytest.mark.parametrize("dtype", DTYPES)
def test_a_nan_or_an_infinity_in_an_image_is_no_variance(dtype):
    for bad in (np.nan, np.inf):
        x = NOISE[:, None].astype(dtype)
        x[1, 0, 5, 5] = bad
        w = np.ones((4, 1, 3, 3), dtype)
        vectors = np.ones((3, 4), dtype)
        settings = [{"stride": 1, "pad": 1}, {"mode": "train"}]
        with np.errstate(invalid="ignore"):
            out, _ = B.conv_bn_relu_forward(x, w, *vectors, *settings)
        assert np.isnan(out).all()
