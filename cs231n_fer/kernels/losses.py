"""The softmax loss, in one pass over the scores."""
import math

import numpy as np

from .vectors.jit import jit


@jit
def softmax(x, y, weights, dx):
    """Return the loss of scores x (N, C), and write its gradient to dx (N, C).

    y         (N,) labels
    weights   (N,) of the samples

    Computed in float64. Returns NaN at the first label that is out of range; the caller reports it.
    """
    N, C = x.shape
    total = 0.0
    loss = 0.0
    for n in range(N):
        total += weights[n]
    for n in range(N):
        if not 0 <= y[n] < C:
            return np.nan
        top = np.float64(x[n, 0])
        exps = 0.0
        for j in range(1, C):
            top = max(top, np.float64(x[n, j]))
        for j in range(C):
            exps += math.exp(x[n, j] - top)
        scale = weights[n] / total
        loss += scale * (math.log(exps) - (x[n, y[n]] - top))
        for j in range(C):
            dx[n, j] = scale * (math.exp(x[n, j] - top) / exps - (j == y[n]))
    return loss
