"""Of equal numbers in a window of the fused 2 x 2 max-pool, the first in reading order is taken."""
import numpy as np
import pytest
from layouts import compiled, protected

from cs231n_fer import layer_utils as U
from cs231n_fer.fast_layers import batchnorm as B
from cs231n_fer.fast_layers import sandwiches as S
from cs231n_fer.kernels.pixels import DEAD

CONV = {"stride": 1, "pad": 1}
POOL = {"pool_height": 2, "pool_width": 2, "stride": 2}
SIGNS = (1, -1, 0)
RUNGS = ("fast", "winograd", "auto")
SHAPES = {"windows": (1, 6), "few channels": (3, 6), "many channels": (33, 34)}


def arrays(kind, shape, dtype):
    """Return x, w, b, gamma, beta; a third of the gammas each is positive, negative and zero.

    integers  z is exact, and many numbers are equal
    blank     z is exact, and equal, where an image or a filter is all zeros: Winograd's as well
    """
    C, F = SHAPES[shape]
    rng = np.random.default_rng(C)
    x = rng.standard_normal((4, C, 9, 11))
    w = rng.standard_normal((F, C, 3, 3))
    if kind == "integers":
        x = rng.integers(0, 2, x.shape)
        w = rng.integers(0, 2, w.shape) * (rng.random(w.shape) < 2 / C)
    x[1::2] = 0
    w[::4] = 0
    b = rng.integers(1, 4, F)
    gamma = np.resize(SIGNS, F) * rng.uniform(0.5, 2, F)
    beta = rng.uniform(0.5, 2, F)
    beta[5::6] *= -1
    return [protected(a.astype(float), dtype=dtype) for a in (x, w, b, gamma, beta)]


def corners(y):
    """Return the four numbers of every window in reading order, (4, N, F, Ho, Wo)."""
    rows, columns = (n // 2 * 2 for n in y.shape[2:])
    return np.stack([y[:, :, i:rows:2, j:columns:2] for i in (0, 1) for j in (0, 1)])


def argmax_of(cache):
    """Return the argmax that a fused forward pass stored, (N, F, Ho, Wo)."""
    if isinstance(cache, (B.FoldedCache, B.WindowsCache)):
        cache = cache.inner
    return cache.argmax[..., :cache.conv.size.F].transpose(0, 3, 1, 2)


def assert_the_first_wins(arguments, settings, rung, fused, unfused):
    """Compare argmax, outputs and gradients with those of the composition in float64.

    fused, unfused  (forward, backward) with the pool; unfused also has the forward pass without it
    """
    wide = [a.astype(np.float64) for a in arguments]
    out, cache = fused[0](*arguments, *settings(arguments[0].dtype), POOL, rung=rung)
    true_out, true_cache = unfused[0](*wide, *settings(float), POOL)
    y = corners(unfused[2](*wide, *settings(float), relu=False))
    top = y.max(axis=0)
    clear = ((y == top) | (y < top - 1e-3)).all(axis=0) & (np.abs(top) > 1e-3)
    tied = clear & (top > 0) & ((y == top).sum(axis=0) > 1)
    assert clear.mean() > 0.9 and tied.mean() > 0.2, "the numbers show nothing"

    first = np.where(top > 0, np.argmax(y, axis=0), DEAD)
    np.testing.assert_array_equal(argmax_of(cache)[clear], first[clear])
    limit = 1e-11 if out.dtype == np.float64 else 1e-4
    np.testing.assert_allclose(out, true_out, rtol=0, atol=limit)
    dout = np.random.default_rng(9).standard_normal(out.shape).astype(out.dtype) * clear
    found = fused[1](dout, cache)
    true = unfused[1](dout.astype(np.float64), true_cache)
    for a, b in zip(found, true, strict=True):
        np.testing.assert_allclose(a, b, rtol=0, atol=limit * max(1, np.abs(b).max()))


def conv_only(x, w, b, conv_param, relu):
    """Run the composition without its ReLU."""
    assert not relu
    return U.L.conv_forward_im2col(x, w, b, conv_param)[0]


def conv_bn_only(x, w, b, gamma, beta, conv_param, bn_param, relu):
    """Run the composition without its ReLU."""
    maps = conv_only(x, w, b, conv_param, relu)
    return U.L.spatial_batchnorm_forward(maps, gamma, beta, bn_param)[0]


# Winograd's transforms round, and so does scaling the weights: ties are then known for blanks only.
BLANK = [("blank", shape, rung) for shape in SHAPES for rung in RUNGS]
INTEGERS = [("integers", shape, rung) for shape in SHAPES for rung in ("fast", "auto")
            if (shape, rung) != ("many channels", "auto")]


@compiled
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(("kind", "shape", "rung"), BLANK + INTEGERS)
def test_the_first_of_equal_outputs_of_a_convolution_wins(kind, shape, rung, dtype):
    fused = S.conv_relu_pool_forward, S.conv_relu_pool_backward
    unfused = U.conv_relu_pool_forward, U.conv_relu_pool_backward, conv_only
    given = arrays(kind, shape, dtype)[:3]
    assert_the_first_wins(given, lambda dtype: [CONV], rung, fused, unfused)


@compiled
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(("mode", "kind", "shape", "rung"), [
    *(("test", *case) for case in BLANK),
    *(("train", *case) for case in BLANK + INTEGERS if case[:2] != ("integers", "windows"))])
def test_the_first_of_equal_outputs_of_batchnorm_wins(mode, kind, shape, rung, dtype):
    F = SHAPES[shape][1]

    def settings(dtype):
        averages = {"running_mean": np.full(F, 0.5, dtype), "running_var": np.full(F, 2, dtype)}
        return [CONV, {"mode": mode, "eps": 0.1, **averages}]
    fused = B.conv_bn_relu_pool_forward, B.conv_bn_relu_pool_backward
    unfused = U.conv_bn_relu_pool_forward, U.conv_bn_relu_pool_backward, conv_bn_only
    assert_the_first_wins(arrays(kind, shape, dtype), settings, rung, fused, unfused)
