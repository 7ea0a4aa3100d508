"""Layer normalisation (Ba et al. 2016) and group normalisation (Wu & He 2018): statistics within one sample.

    xhat = (x - mean) / sqrt(var + eps)         out = gamma * xhat + beta

Layernorm takes mean and variance over all features of a sample, groupnorm over the channels of a group and all their
pixels. Neither looks at other samples, so training and test are the same, and there are no running averages.
"""
import numpy as np

from ..shapes import check, check_images, common_floats, gradient_like


def normalise_rows(rows, eps):
    """Give each row of (R, K) mean 0 and variance 1; returns xhat (R, K) and rstd (R, 1)."""
    centred = rows - rows.mean(axis=1, keepdims=True)
    rstd = 1 / np.sqrt((centred * centred).mean(axis=1, keepdims=True) + eps)
    return centred * rstd, rstd


def normalise_rows_backward(dxhat, xhat, rstd):
    """Backward of normalise_rows: dxhat loses its mean and its part along xhat in each row, as in batchnorm."""
    along = (dxhat * xhat).mean(axis=1, keepdims=True)
    return rstd * (dxhat - dxhat.mean(axis=1, keepdims=True) - xhat * along)


def layernorm_arguments(x, gamma, beta):
    """Return x (N, D), gamma and beta (D,) in one dtype; raises ValueError where they don't fit together."""
    x, gamma, beta = common_floats("layernorm", x=x, gamma=gamma, beta=beta)
    check(x.ndim == 2 and x.size > 0, f"layernorm: x has shape {x.shape}, expected (N, D), not empty")
    check(gamma.shape == beta.shape == x.shape[1:],
          f"layernorm: gamma is {gamma.shape} and beta {beta.shape}, expected {x.shape[1:]}")
    return x, gamma, beta


def layernorm_forward_naive(x, gamma, beta, ln_param):
    """Normalise one sample after the other, by the definition; arguments and returns as layernorm_forward."""
    x, gamma, beta = layernorm_arguments(x, gamma, beta)
    N, D = x.shape
    eps, xhat, rstd = float(ln_param.get("eps", 1e-5)), np.empty_like(x), np.empty((N, 1), dtype=x.dtype)
    for n in range(N):
        mean = sum(x[n, d] for d in range(D)) / D
        var = sum((x[n, d] - mean) ** 2 for d in range(D)) / D
        rstd[n] = 1 / np.sqrt(var + eps)
        for d in range(D):
            xhat[n, d] = (x[n, d] - mean) * rstd[n, 0]
    return gamma * xhat + beta, (xhat, rstd, gamma)


def layernorm_backward_naive(dout, cache):
    """Sum what every x[n, i] does to every xhat[n, d] of its sample; returns dx, dgamma, dbeta."""
    xhat, rstd, gamma = cache
    dout = gradient_like(dout, xhat.shape, xhat.dtype, "layernorm")
    N, D = dout.shape
    dx, dgamma, dbeta = np.zeros_like(xhat), np.zeros_like(gamma), np.zeros_like(gamma)
    for n in range(N):
        for d in range(D):
            dgamma[d] += dout[n, d] * xhat[n, d]
            dbeta[d] += dout[n, d]
            for i in range(D):
                moved = (d == i) - (1 + xhat[n, d] * xhat[n, i]) / D
                dx[n, i] += dout[n, d] * gamma[d] * rstd[n, 0] * moved
    return dx, dgamma, dbeta


def layernorm_forward(x, gamma, beta, ln_param):
    """Normalise each sample over its features, then scale and shift each feature.

    x (N, D), gamma and beta (D,), ln_param {"eps": 1e-5}. Returns out (N, D) and the cache (xhat, rstd, gamma).
    """
    x, gamma, beta = layernorm_arguments(x, gamma, beta)
    xhat, rstd = normalise_rows(x, float(ln_param.get("eps", 1e-5)))
    return gamma * xhat + beta, (xhat, rstd, gamma)


def layernorm_backward(dout, cache):
    """Return dx (N, D), dgamma (D,), dbeta (D,)."""
    xhat, rstd, gamma = cache
    dout = gradient_like(dout, xhat.shape, xhat.dtype, "layernorm")
    return normalise_rows_backward(dout * gamma, xhat, rstd), (dout * xhat).sum(axis=0), dout.sum(axis=0)


def spatial_groupnorm_forward_naive(x, gamma, beta, G, gn_param):
    """Normalise one group of one sample after the other; arguments and returns as spatial_groupnorm_forward."""
    x, gamma, beta, eps = groupnorm_arguments(x, gamma, beta, G, gn_param)
    N, C, H, W = x.shape
    size = C // G
    xhat, rstd = np.empty(x.shape, dtype=x.dtype), np.empty((N * G, 1), dtype=x.dtype)
    for n in range(N):
        for g in range(G):
            group = x[n, g * size:(g + 1) * size]
            mean = sum(group[index] for index in np.ndindex(group.shape)) / group.size
            var = sum((group[index] - mean) ** 2 for index in np.ndindex(group.shape)) / group.size
            rstd[n * G + g] = 1 / np.sqrt(var + eps)
            xhat[n, g * size:(g + 1) * size] = (group - mean) * rstd[n * G + g]
    return gamma * xhat + beta, (xhat, rstd, gamma, G)


def spatial_groupnorm_backward_naive(dout, cache):
    """Sum what every number of a group does to every other; returns dx, dgamma, dbeta (1, C, 1, 1)."""
    xhat, rstd, gamma, G = cache
    dout = gradient_like(dout, xhat.shape, xhat.dtype, "spatial_groupnorm")
    N, C, H, W = dout.shape
    size, dx = C // G, np.zeros(xhat.shape, dtype=xhat.dtype)
    for n in range(N):
        for g in range(G):
            group = slice(g * size, (g + 1) * size)
            h, d = xhat[n, group], (dout * gamma)[n, group]
            for index in np.ndindex(h.shape):
                dx[n, group] -= d[index] * (1 + h[index] * h) / h.size
                dx[n, g * size + index[0], index[1], index[2]] += d[index]
            dx[n, group] *= rstd[n * G + g]
    return dx, (dout * xhat).sum(axis=(0, 2, 3), keepdims=True), dout.sum(axis=(0, 2, 3), keepdims=True)


def groupnorm_arguments(x, gamma, beta, G, gn_param):
    """Return x, gamma and beta in one dtype, and eps, after checking the arguments of spatial_groupnorm_forward."""
    x, gamma, beta = common_floats("spatial_groupnorm", x=x, gamma=gamma, beta=beta)
    check_images(x, "spatial_groupnorm")
    check(x.size > 0, f"spatial_groupnorm: x has shape {x.shape}, expected (N, C, H, W), not empty")
    C = x.shape[1]
    check(G >= 1 and C % G == 0, f"G: got {G} groups, expected a divisor of the {C} channels")
    check(gamma.shape == beta.shape == (1, C, 1, 1),
          f"spatial_groupnorm: gamma is {gamma.shape} and beta {beta.shape}, expected {(1, C, 1, 1)}")
    return x, gamma, beta, float(gn_param.get("eps", 1e-5))


def spatial_groupnorm_forward(x, gamma, beta, G, gn_param):
    """Normalise each of G groups of channels of each sample, then scale and shift each channel.

    x (N, C, H, W), gamma and beta (1, C, 1, 1), G divides C, gn_param {"eps": 1e-5}.
    Returns out (N, C, H, W) and the cache (xhat, rstd, gamma, G). Raises ValueError on wrong shapes.
    """
    x, gamma, beta, eps = groupnorm_arguments(x, gamma, beta, G, gn_param)
    xhat, rstd = normalise_rows(x.reshape(len(x) * G, -1), eps)
    xhat = xhat.reshape(x.shape)
    return gamma * xhat + beta, (xhat, rstd, gamma, G)


def spatial_groupnorm_backward(dout, cache):
    """Return dx (N, C, H, W), dgamma and dbeta (1, C, 1, 1)."""
    xhat, rstd, gamma, G = cache
    dout = gradient_like(dout, xhat.shape, xhat.dtype, "spatial_groupnorm")
    rows = (len(dout) * G, -1)
    dx = normalise_rows_backward((dout * gamma).reshape(rows), xhat.reshape(rows), rstd).reshape(dout.shape)
    return dx, (dout * xhat).sum(axis=(0, 2, 3), keepdims=True), dout.sum(axis=(0, 2, 3), keepdims=True)
