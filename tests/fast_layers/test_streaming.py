"""Large arrays, which are written past the caches, have the same bits as small ones."""
import numpy as np
import pytest

from cs231n_fer.fast_layers import COMPILED
from cs231n_fer.fast_layers.conv import conv_forward
from cs231n_fer.fast_layers.norm import spatial_batchnorm_forward_fast
from cs231n_fer.fast_layers.sandwiches import (
    POOL_2X2,
    conv_relu_backward,
    conv_relu_forward,
    conv_relu_pool_forward,
)
from cs231n_fer.kernels.memory import STREAM_BYTES


@pytest.mark.skipif(not COMPILED, reason="takes minutes without the compiler")
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("C, F", [(32, 32), (20, 35)])
def test_arrays_that_are_written_past_the_caches_have_the_bits_of_small_ones(dtype, C, F):
    rng = np.random.default_rng(0)
    conv_param = {"stride": 1, "pad": 1}
    # So many images that z and x are larger than this limit.
    count = STREAM_BYTES // (32 * 24 * 24 * np.dtype(dtype).itemsize) + 8
    x, w = (rng.standard_normal(shape).astype(dtype)
            for shape in ((count, C, 24, 24), (F, C, 3, 3)))
    gamma, beta, b = rng.standard_normal((3, F)).astype(dtype)
    test = {"mode": "test", "running_mean": b.copy(), "running_var": gamma ** 2}

    def results(x):
        # Small arrays are written through the caches.
        plain, _ = conv_forward(x, w, np.zeros_like(b), conv_param)
        z, cache = conv_relu_forward(x, w, b, conv_param)
        dx, *_ = conv_relu_backward(z, cache)
        normalised, _ = spatial_batchnorm_forward_fast(z, gamma, beta, test)
        pooled, _ = conv_relu_pool_forward(np.concatenate([x] * 4), w, b, conv_param, POOL_2X2)
        return plain, z, dx, normalised, *np.split(pooled, 4)

    whole = results(x)
    halves = (results(x[:count // 2]), results(x[count // 2:]))
    assert whole[0].nbytes > STREAM_BYTES or F % 16
    for one, *parts in zip(whole, *halves, strict=True):
        np.testing.assert_array_equal(one, np.concatenate(parts))
