"""Layer and group normalization: statistics within one sample, not over the batch.

    xhat = (x - mean) / sqrt(var + eps)         out = gamma * xhat + beta

Layer normalization takes the mean and the variance over all features of a sample (Ba et al. 2016),
group normalization over all pixels of a group of channels (Wu & He 2018). No sample depends on
another: training and test are the same, and there are no running averages.

The backward pass is that of batchnorm by transposition. Batchnorm normalizes the columns of x, and
layer normalization the rows, which are the columns of x^T. So in batchnorm's formula

    dx = rstd * (dxhat - mean(dxhat) - xhat * mean(dxhat * xhat))

x, xhat and dxhat are transposed, which leaves the formula as it is, except that mean is taken along
a row, and that there is one rstd per row. gamma and beta scale and shift columns in both layers, so
dxhat = dout * gamma, and dgamma and dbeta are sums over the samples. In group normalization, a row
holds all pixels of a group: N * G rows of (C // G) * H * W numbers.
"""
import numpy as np

from ..shapes import check, check_pixels, checked_cache, common_floats, eps_of, gradient_like
from ..types import Array, Cache, NormParam

__all__ = [
    "layernorm_forward_naive", "layernorm_backward_naive",
    "layernorm_forward", "layernorm_backward",
    "spatial_groupnorm_forward_naive", "spatial_groupnorm_backward_naive",
    "spatial_groupnorm_forward", "spatial_groupnorm_backward",
]

CACHE = (np.ndarray, np.ndarray, np.ndarray)  # xhat, rstd, gamma


def layernorm_forward_naive(
        x: Array, gamma: Array, beta: Array, ln_param: NormParam) -> tuple[Array, Cache]:
    """Normalize one sample at a time, by the definition.

    x            (N, D)
    gamma, beta  (D,) scale and shift
    ln_param     {"eps": 1e-5}, or {}; with eps 0, a sample without variance gives NaN: 0 / 0
    Returns out (N, D) and the cache (xhat, rstd, gamma), where rstd (N, 1) is 1 / sqrt(var + eps).
    Raises ValueError if the shapes don't fit together.
    """
    x, gamma, beta = layernorm_arguments(x, gamma, beta)
    eps = eps_of(ln_param)
    N, D = x.shape
    xhat = np.empty_like(x)
    rstd = np.empty((N, 1), dtype=x.dtype)
    for n in range(N):
        mean = sum(x[n, d] for d in range(D)) / D
        var = sum((x[n, d] - mean) ** 2 for d in range(D)) / D
        rstd[n] = 1 / np.sqrt(var + eps)
        for d in range(D):
            xhat[n, d] = (x[n, d] - mean) * rstd[n, 0]
    return gamma * xhat + beta, (xhat, rstd, gamma)


def layernorm_backward_naive(dout: Array, cache: Cache) -> tuple[Array, Array, Array]:
    """Return dx, dgamma, dbeta: dx[n, i] is the sum of the effects of x[n, i] on every out[n, d].

    d xhat[n, d] / d x[n, i] = rstd[n] * ((d == i) - (1 + xhat[n, d] * xhat[n, i]) / D),
    as in batchnorm_backward_naive.
    """
    xhat, rstd, gamma = checked_cache(cache, CACHE, "layernorm")
    dout = gradient_like(dout, xhat.shape, xhat.dtype, "layernorm")
    N, D = dout.shape
    dx = np.zeros_like(xhat)
    dgamma = np.zeros_like(gamma)
    dbeta = np.zeros_like(gamma)
    for n in range(N):
        for d in range(D):
            dgamma[d] += dout[n, d] * xhat[n, d]
            dbeta[d] += dout[n, d]
            for i in range(D):
                moved = (d == i) - (1 + xhat[n, d] * xhat[n, i]) / D
                dx[n, i] += dout[n, d] * gamma[d] * rstd[n, 0] * moved
    return dx, dgamma, dbeta


def normalise_rows(rows: Array, eps: float) -> tuple[Array, Array]:
    """Return xhat (R, K), whose rows have mean 0 and variance 1, and rstd (R, 1)."""
    centered = rows - rows.mean(axis=1, keepdims=True)
    rstd = 1 / np.sqrt((centered * centered).mean(axis=1, keepdims=True) + eps)
    return centered * rstd, rstd


def normalise_rows_backward(dxhat: Array, xhat: Array, rstd: Array) -> Array:
    """Return rstd * (dxhat - mean(dxhat) - xhat * mean(dxhat * xhat)), with means over rows."""
    along = (dxhat * xhat).mean(axis=1, keepdims=True)
    dx: Array = rstd * (dxhat - dxhat.mean(axis=1, keepdims=True) - xhat * along)
    return dx


def layernorm_forward(
        x: Array, gamma: Array, beta: Array, ln_param: NormParam) -> tuple[Array, Cache]:
    """Normalize every sample over its features, then scale and shift every feature.

    Arguments, results and errors are those of layernorm_forward_naive.
    """
    x, gamma, beta = layernorm_arguments(x, gamma, beta)
    xhat, rstd = normalise_rows(x, eps_of(ln_param))
    return gamma * xhat + beta, (xhat, rstd, gamma)


def layernorm_backward(dout: Array, cache: Cache) -> tuple[Array, Array, Array]:
    """Return dx (N, D), dgamma (D,), dbeta (D,)."""
    xhat, rstd, gamma = checked_cache(cache, CACHE, "layernorm")
    dout = gradient_like(dout, xhat.shape, xhat.dtype, "layernorm")
    dx = normalise_rows_backward(dout * gamma, xhat, rstd)
    return dx, (dout * xhat).sum(axis=0), dout.sum(axis=0)


def spatial_groupnorm_forward_naive(
        x: Array, gamma: Array, beta: Array, G: int, gn_param: NormParam) -> tuple[Array, Cache]:
    """Normalize one group of channels of one sample at a time, by the definition.

    x            (N, C, H, W)
    gamma, beta  (1, C, 1, 1) scale and shift
    G            number of groups, a divisor of C
    gn_param     {"eps": 1e-5}, or {}; with eps 0, a group without variance gives NaN: 0 / 0
    Returns out (N, C, H, W) and the cache (xhat, rstd, gamma, G), where rstd (N * G, 1) is
    1 / sqrt(var + eps). Raises ValueError if the shapes don't fit together.
    """
    x, gamma, beta, eps = groupnorm_arguments(x, gamma, beta, G, gn_param)
    N, C, H, W = x.shape
    size = C // G
    xhat = np.empty(x.shape, dtype=x.dtype)
    rstd = np.empty((N * G, 1), dtype=x.dtype)
    for n in range(N):
        for g in range(G):
            group = x[n, g * size:(g + 1) * size]
            mean = sum(group[index] for index in np.ndindex(group.shape)) / group.size
            var = sum((group[index] - mean) ** 2 for index in np.ndindex(group.shape)) / group.size
            rstd[n * G + g] = 1 / np.sqrt(var + eps)
            xhat[n, g * size:(g + 1) * size] = (group - mean) * rstd[n * G + g]
    return gamma * xhat + beta, (xhat, rstd, gamma, int(G))


def spatial_groupnorm_backward_naive(dout: Array, cache: Cache) -> tuple[Array, Array, Array]:
    """Return dx, dgamma, dbeta: dx is the sum of the effects of x on every xhat of its group."""
    xhat, rstd, gamma, G = checked_cache(cache, (*CACHE, int), "spatial_groupnorm")
    dout = gradient_like(dout, xhat.shape, xhat.dtype, "spatial_groupnorm")
    N, C, H, W = dout.shape
    size = C // G
    dxhat = dout * gamma
    dx = np.zeros(xhat.shape, dtype=xhat.dtype)
    for n in range(N):
        for g in range(G):
            group = slice(g * size, (g + 1) * size)
            h = xhat[n, group]
            dh = dxhat[n, group]
            dgroup = dx[n, group]  # a view: what is added to it is added to dx
            for index in np.ndindex(h.shape):
                dgroup -= dh[index] * (1 + h[index] * h) / h.size
                dgroup[index] += dh[index]
            dgroup *= rstd[n * G + g]
    dgamma = (dout * xhat).sum(axis=(0, 2, 3), keepdims=True)
    dbeta = dout.sum(axis=(0, 2, 3), keepdims=True)
    return dx, dgamma, dbeta


def spatial_groupnorm_forward(
        x: Array, gamma: Array, beta: Array, G: int, gn_param: NormParam) -> tuple[Array, Cache]:
    """Normalize every group of channels of every sample, then scale and shift every channel.

    Arguments, results and errors are those of spatial_groupnorm_forward_naive.
    """
    x, gamma, beta, eps = groupnorm_arguments(x, gamma, beta, G, gn_param)
    xhat, rstd = normalise_rows(x.reshape(len(x) * G, -1), eps)
    xhat = xhat.reshape(x.shape)
    return gamma * xhat + beta, (xhat, rstd, gamma, int(G))


def spatial_groupnorm_backward(dout: Array, cache: Cache) -> tuple[Array, Array, Array]:
    """Return dx (N, C, H, W), dgamma (1, C, 1, 1), dbeta (1, C, 1, 1)."""
    xhat, rstd, gamma, G = checked_cache(cache, (*CACHE, int), "spatial_groupnorm")
    dout = gradient_like(dout, xhat.shape, xhat.dtype, "spatial_groupnorm")
    dxhat = dout * gamma
    rows = (len(dout) * G, -1)
    dx = normalise_rows_backward(dxhat.reshape(rows), xhat.reshape(rows), rstd)
    dgamma = (dout * xhat).sum(axis=(0, 2, 3), keepdims=True)
    dbeta = dout.sum(axis=(0, 2, 3), keepdims=True)
    return dx.reshape(dout.shape), dgamma, dbeta


def layernorm_arguments(x: Array, gamma: Array, beta: Array) -> tuple[Array, Array, Array]:
    """Return x (N, D), gamma (D,) and beta (D,) in one dtype.

    Raises ValueError if the shapes don't fit together.
    """
    x, gamma, beta = common_floats("layernorm", x=x, gamma=gamma, beta=beta)
    check(x.ndim == 2 and x.size > 0,
          f"layernorm: x has shape {x.shape}, expected (N, D), not empty")
    check(gamma.shape == beta.shape == x.shape[1:],
          f"layernorm: gamma has shape {gamma.shape} and beta {beta.shape}, "
          f"expected {x.shape[1:]}, one number per feature of x")
    return x, gamma, beta


def groupnorm_arguments(
        x: Array, gamma: Array, beta: Array,
        G: int, gn_param: NormParam) -> tuple[Array, Array, Array, float]:
    """Return x (N, C, H, W), gamma and beta (1, C, 1, 1) in one dtype, and eps.

    Raises ValueError if the shapes don't fit together or if G doesn't divide C.
    """
    x, gamma, beta = common_floats("spatial_groupnorm", x=x, gamma=gamma, beta=beta)
    check_pixels(x, "spatial_groupnorm")
    C = x.shape[1]
    check(G >= 1 and C % G == 0, f"G: got {G} groups, expected a divisor of the {C} channels")
    check(gamma.shape == beta.shape == (1, C, 1, 1),
          f"spatial_groupnorm: gamma has shape {gamma.shape} and beta {beta.shape}, "
          f"expected {(1, C, 1, 1)}")
    return x, gamma, beta, eps_of(gn_param)
