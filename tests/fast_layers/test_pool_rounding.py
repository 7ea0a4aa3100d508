"""Where rounding breaks a tie in a fused max-pool, the gradient is that of the pixel taken."""
import numpy as np
import pytest
from layouts import compiled

from cs231n_fer import layers as L
from cs231n_fer.fast_layers import batchnorm as B
from cs231n_fer.fast_layers import sandwiches as S
from cs231n_fer.kernels.pixels import DEAD

CONV = {"stride": 1, "pad": 2}
POOL = {"pool_height": 2, "pool_width": 2, "stride": 2}
RUNGS = ("fast", "winograd", "auto")
# Shapes of x and w: of the fuzz that found such a tie, of one-channel images, whose moments come
# from their windows, and of channels that fill a vector.
SHAPES = {"few channels": ((13, 2, 6, 12), (15, 2, 3, 3)),
          "one channel": ((5, 1, 7, 9), (6, 1, 3, 3)),
          "many channels": ((3, 17, 6, 5), (18, 17, 3, 3))}
KINDS = {  # what makes outputs of a convolution equal
    "no ties": lambda x: x,
    "relu": lambda x: np.maximum(x, 0),
    "columns": lambda x: np.broadcast_to(x[..., :1], x.shape).copy(),
    "rows": lambda x: np.broadcast_to(x[:, :, :1], x.shape).copy(),
    "integers": np.round,
}


def arrays(shape, kind):
    """Return x, w, b, gamma, beta in float64, with many equal outputs."""
    x_shape, w_shape = SHAPES[shape]
    rng = np.random.default_rng(len(shape) + len(kind))
    x = KINDS[kind](rng.standard_normal(x_shape))
    w = rng.standard_normal(w_shape)
    b, gamma, beta = rng.standard_normal((3, w_shape[0]))
    return x, w, b, gamma, beta


def by_argmax(y, argmax, dout):
    """Return the 2 x 2 max-pool of relu(y) as taken at `argmax`, and dy.

    y        (N, F, H, W) before ReLU
    argmax   (N, F, H // 2, W // 2), DEAD where ReLU cuts off the maximum
    """
    N, F, H, W = y.shape
    out, cache = L.max_pool_forward_im2col(np.maximum(y, 0), POOL)
    position = np.where(argmax < DEAD, argmax, 0).astype(np.uint8)
    taken = L.max_pool_backward_im2col(dout * (argmax < DEAD), (cache[0], position, *cache[2:]))
    at = np.take_along_axis(
        np.stack([y[:, :, i:H // 2 * 2:2, j:W // 2 * 2:2] for i in (0, 1) for j in (0, 1)]),
        position[None], axis=0)[0]
    return out, np.where(argmax < DEAD, at, 0), taken


def argmax_of(cache):
    """Return the argmax that a fused forward pass stored, (N, F, Ho, Wo)."""
    if isinstance(cache, (B.FoldedCache, B.WindowsCache)):
        cache = cache.inner
    return cache.argmax[..., :cache.conv.size.F].transpose(0, 3, 1, 2)


def assert_near(found, right):
    """Compare two arrays to within the rounding of float64."""
    np.testing.assert_allclose(found, right, rtol=0, atol=1e-10 * max(1, np.abs(right).max()))


@compiled
@pytest.mark.parametrize("mode", ["without batchnorm", "train", "test"])
@pytest.mark.parametrize("rung", RUNGS)
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("shape", SHAPES)
def test_the_gradient_is_that_of_the_pixel_which_the_fused_pool_has_taken(shape, kind, rung, mode):
    x, w, b, gamma, beta = arrays(shape, kind)
    maps, conv_cache = L.conv_forward_im2col(x, w, b, CONV)
    norm_cache = None
    if mode == "without batchnorm":
        out, cache = S.conv_relu_pool_forward(x, w, b, CONV, POOL, rung=rung)
        y = maps
    else:
        def bn_param():
            return {"mode": mode, "eps": 0.1, "running_mean": np.linspace(-1, 1, len(b)),
                    "running_var": np.linspace(0.5, 2, len(b))}
        out, cache = B.conv_bn_relu_pool_forward(x, w, b, gamma, beta, CONV, bn_param(), POOL,
                                                 rung=rung)
        y, norm_cache = L.spatial_batchnorm_forward(maps, gamma, beta, bn_param())
    dout = np.random.default_rng(0).standard_normal(out.shape)
    right, taken, dy = by_argmax(y, argmax_of(cache), dout)
    assert_near(out, right)
    assert_near(taken, right)  # what it has taken is a maximum, to within rounding
    backward = S.conv_relu_pool_backward if norm_cache is None else B.conv_bn_relu_pool_backward
    found = backward(dout, cache)
    dmaps = dy
    further = ()
    if norm_cache is not None:
        dmaps, *further = L.spatial_batchnorm_backward(dy, norm_cache)
    for gradient, expected in zip(found, (*L.conv_backward_im2col(dmaps, conv_cache), *further),
                                  strict=True):
        assert_near(gradient, expected)


@compiled
def test_winograds_rounding_breaks_ties_so_that_its_gradient_differs_from_that_of_the_first():
    """The case of the fuzz: outputs at the border that see zeros only are equal to the bias, but
    Winograd's transforms leave 1e-16 of their neighbors."""
    x, w, b, _, _ = arrays("few channels", "relu")
    argmax = {}
    for rung in ("fast", "winograd"):
        out, cache = S.conv_relu_pool_forward(x, w, b, CONV, POOL, rung=rung)
        argmax[rung] = argmax_of(cache)
    maps = L.conv_forward_im2col(x, w, b, CONV)[0]
    four = np.stack([maps[:, :, i::2, j::2] for i in (0, 1) for j in (0, 1)])
    tied = (four == four.max(axis=0)).sum(axis=0) > 1
    differs = argmax["fast"] != argmax["winograd"]
    assert tied.any() and (differs & (out > 0)).any()
    assert not (differs & ~tied & (out > 1e-12)).any()
