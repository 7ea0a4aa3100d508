"""Batch normalisation (Ioffe & Szegedy 2015, algorithm 1): every feature gets mean 0 and variance 1 over the batch.

    mean = 1/N sum x        var = 1/N sum (x - mean)^2        xhat = (x - mean) / sqrt(var + eps)
    out  = gamma * xhat + beta

In test mode the running averages of mean and var take the place of the batch's, so that a sample's result doesn't
depend on its neighbours. For images the statistics run over N, H and W (spatial batchnorm). Rungs: naive (loops), the
graph form of the backward pass (one step for each node) and its simplification on paper, which reads memory less.
"""
import numpy as np

from ..shapes import check, check_images, common_floats, gradient_like, plain_array


def batchnorm_settings(x, gamma, beta, bn_param):
    """Check the arguments; return mode, eps, momentum, running_mean, running_var, made if they are missing."""
    D = x.shape[-1]
    if x.ndim != 2 or not x.size:
        raise ValueError(f"batchnorm: x has shape {x.shape}, expected (N, D) with N of at least 1")
    if not gamma.shape == beta.shape == (D,):
        raise ValueError(f"batchnorm: gamma is {gamma.shape} and beta {beta.shape}, "
                         f"expected ({D},) as x has {D} features")
    # float(): a NumPy float64 scalar would turn float32 arrays into float64.
    mode, eps, momentum = bn_param.get("mode"), float(bn_param.get("eps", 1e-5)), float(bn_param.get("momentum", 0.9))
    if mode not in ("train", "test"):
        raise ValueError(f"bn_param: mode is {mode!r}, expected 'train' or 'test'")
    for name in ("running_mean", "running_var"):
        if name not in bn_param:
            bn_param[name] = np.zeros(D, dtype=x.dtype)
        check_average(name, bn_param[name], D, mode)
    return mode, eps, momentum, bn_param["running_mean"], bn_param["running_var"]


def check_average(name, average, D, mode):
    """Raise ValueError unless a running average is a floating array (D,), which training can write on."""
    is_array = isinstance(average, np.ndarray)
    if not (is_array and average.shape == (D,) and average.dtype.kind == "f"):
        got = f"{average.dtype} {average.shape}" if is_array else type(average).__name__
        raise ValueError(f"bn_param: {name} is {got}, expected a float array ({D},), a number for each feature")
    check(mode == "test" or average.flags.writeable,
          f"bn_param: {name} is read-only, but training mode updates it in place; give a copy")


def update_average(running, new, momentum):
    """Move a running average towards a new value, in place: momentum * running + (1 - momentum) * new."""
    running *= momentum
    running += (1 - momentum) * new


def column_means(x):
    """Mean of each column of x (N, D), as a product with a row of 1/N: BLAS, and its blocked sums round less."""
    return np.full(len(x), 1 / len(x), dtype=x.dtype) @ x


def batchnorm_forward_naive(x, gamma, beta, bn_param):
    """Normalise one feature after the other, by the definition; arguments and returns as batchnorm_forward."""
    x, gamma, beta = common_floats("batchnorm", x=x, gamma=gamma, beta=beta)
    mode, eps, momentum, running_mean, running_var = batchnorm_settings(x, gamma, beta, bn_param)
    N, D = x.shape
    centred, out, rstd = np.empty_like(x), np.empty_like(x), np.empty(D, dtype=x.dtype)
    for d in range(D):
        mean, var = running_mean[d], running_var[d]
        if mode == "train":
            mean = sum(x[n, d] for n in range(N)) / N
            var = sum((x[n, d] - mean) ** 2 for n in range(N)) / N
            running_mean[d] = momentum * running_mean[d] + (1 - momentum) * mean
            running_var[d] = momentum * running_var[d] + (1 - momentum) * var
        rstd[d] = 1 / np.sqrt(var + eps)
        for n in range(N):
            centred[n, d] = x[n, d] - mean
            out[n, d] = gamma[d] * (centred[n, d] * rstd[d]) + beta[d]
    return out, (centred, rstd, gamma, mode)


def batchnorm_backward_naive(dout, cache):
    """Sum what every x[i] does to every out[n] of its feature; returns dx, dgamma, dbeta.

    With c = dout * gamma: dxhat[n]/dx[i] = rstd * ((n == i) - 1/N - xhat[n] xhat[i] / N), since moving x[i] also moves
    the mean and the variance. In test mode those stand still: dxhat[n]/dx[i] = rstd * (n == i).
    """
    centred, rstd, gamma, mode = cache
    xhat = centred * rstd
    dout = gradient_like(dout, xhat.shape, xhat.dtype, "batchnorm")
    N, D = dout.shape
    dx, dgamma, dbeta = np.zeros_like(xhat), np.zeros_like(gamma), np.zeros_like(gamma)
    for d in range(D):
        for n in range(N):
            dgamma[d] += dout[n, d] * xhat[n, d]
            dbeta[d] += dout[n, d]
            for i in range(N):
                moved = (1 + xhat[n, d] * xhat[i, d]) / N if mode == "train" else 0
                dx[i, d] += dout[n, d] * gamma[d] * rstd[d] * ((n == i) - moved)
    return dx, dgamma, dbeta


def batchnorm_forward(x, gamma, beta, bn_param):
    """Normalise every feature over the batch, then scale and shift it.

    x            (N, D)
    gamma, beta  (D,) scale and shift
    bn_param     {"mode": "train" or "test", "eps": 1e-5, "momentum": 0.9, "running_mean": (D,), "running_var": (D,)};
                 in training mode the two running averages are updated in place, and made if they are missing
    Returns out (N, D) and the cache (x - mean, 1 / sqrt(var + eps), gamma, mode). Raises ValueError on wrong shapes.
    """
    x, gamma, beta = common_floats("batchnorm", x=x, gamma=gamma, beta=beta)
    mode, eps, momentum, running_mean, running_var = batchnorm_settings(x, gamma, beta, bn_param)
    if mode == "train":
        mean = column_means(x)
        centred = x - mean
        var = column_means(centred * centred)
        update_average(running_mean, mean, momentum)
        update_average(running_var, var, momentum)
    else:
        centred = x - running_mean.astype(x.dtype)
        var = running_var.astype(x.dtype)
    rstd = 1 / np.sqrt(var + eps)
    out = centred * (gamma * rstd)
    out += beta
    return out, (centred, rstd, gamma, mode)


def batchnorm_backward(dout, cache):
    """Walk the graph of the forward pass backwards, one node a line; returns dx, dgamma, dbeta.

    x -> mean -> centred -> square -> var -> std -> rstd -> xhat -> out; centred is used twice (for var and for xhat),
    and x twice (for mean and for centred): what comes back on the two ways adds up.
    """
    centred, rstd, gamma, mode = cache
    dout = gradient_like(dout, centred.shape, centred.dtype, "batchnorm")
    xhat = centred * rstd
    dbeta, dgamma = dout.sum(axis=0), (dout * xhat).sum(axis=0)
    dxhat = dout * gamma
    dcentred = dxhat * rstd
    if mode == "test":
        return dcentred, dgamma, dbeta
    drstd = (dxhat * centred).sum(axis=0)
    dstd = -drstd * rstd ** 2
    dvar = dstd * rstd / 2
    dsquare = dvar / len(dout)
    dcentred = dcentred + 2 * centred * dsquare
    dmean = -dcentred.sum(axis=0)
    return dcentred + dmean / len(dout), dgamma, dbeta


def batchnorm_backward_alt(dout, cache):
    """Return dx, dgamma, dbeta by the formula that the graph simplifies to.

    dx = gamma * rstd * (dout - dbeta / N - xhat * dgamma / N): dout loses its mean and its part along xhat, the two
    directions in which x can move without moving the output.
    """
    centred, rstd, gamma, mode = cache
    dout = gradient_like(dout, centred.shape, centred.dtype, "batchnorm")
    N = len(dout)
    dbeta = column_means(dout) * N
    dgamma = column_means(dout * centred) * N * rstd
    if mode == "test":
        return dout * (gamma * rstd), dgamma, dbeta
    dx = centred * (-rstd * dgamma / N)
    dx += dout
    dx -= dbeta / N
    dx *= gamma * rstd
    return dx, dgamma, dbeta


def as_rows(x):
    """View images (N, C, H, W) as rows (N * H * W, C); free in channels-last memory."""
    return x.transpose(0, 2, 3, 1).reshape(-1, x.shape[1])


def as_images(rows, shape):
    """View rows (N * H * W, C) as images of a shape (N, C, H, W): the inverse of as_rows."""
    N, C, H, W = shape
    return rows.reshape(N, H, W, C).transpose(0, 3, 1, 2)


def spatial_batchnorm_forward(x, gamma, beta, bn_param):
    """Normalise every channel over N, H and W; x (N, C, H, W), gamma, beta (C,), the rest as batchnorm_forward."""
    x = plain_array(x, "x")
    check_images(x, "spatial_batchnorm")
    out, cache = batchnorm_forward(as_rows(x), gamma, beta, bn_param)
    return as_images(out, x.shape), (x.shape, cache)


def spatial_batchnorm_backward(dout, cache):
    """Return dx (N, C, H, W), dgamma (C,), dbeta (C,)."""
    shape, rows_cache = cache
    dout = gradient_like(dout, shape, rows_cache[0].dtype, "spatial_batchnorm")
    dx, dgamma, dbeta = batchnorm_backward_alt(as_rows(dout), rows_cache)
    return as_images(dx, dout.shape), dgamma, dbeta


def spatial_batchnorm_forward_naive(x, gamma, beta, bn_param):
    """Normalise every channel with the naive rung; arguments and returns as spatial_batchnorm_forward."""
    x = plain_array(x, "x")
    check_images(x, "spatial_batchnorm")
    out, cache = batchnorm_forward_naive(as_rows(x), gamma, beta, bn_param)
    return as_images(out, x.shape), (x.shape, cache)


def spatial_batchnorm_backward_naive(dout, cache):
    """Return dx (N, C, H, W), dgamma (C,), dbeta (C,) with the naive rung."""
    shape, rows_cache = cache
    dout = gradient_like(dout, shape, rows_cache[0].dtype, "spatial_batchnorm")
    dx, dgamma, dbeta = batchnorm_backward_naive(as_rows(dout), rows_cache)
    return as_images(dx, dout.shape), dgamma, dbeta
