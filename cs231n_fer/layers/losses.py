"""Losses of scores x (N, C) and labels y (N,), with their gradients; L2 regularization.

For one sample, with scores x[j] and label y:

    softmax   -log p[y],  where p[j] = exp(x[j]) / sum over k of exp(x[k])
    hinge     sum over j != y of max(0, x[j] - x[y] + 1)
    L2-SVM    sum over j of max(0, 1 - t[j] x[j])^2,  where t[y] = 1, others -1     (Tang 2013)
    distill   alpha * softmax loss + (1 - alpha) * T^2 * KL(teacher || student at temperature T)
    smoothed  distill, with a teacher that gives all classes 1/C          (Szegedy et al. 2016)

The loss of a batch is the mean over its samples. Every function returns the loss as a Python float
and its gradient dx, with the shape and the dtype of x. The docstrings derive the gradient for one
sample, before the division by N.
"""
import numpy as np
from numpy.typing import ArrayLike

from ..shapes import check, common_floats, real_numbers, scores_and_labels
from ..types import Array, Labels

__all__ = [
    "softmax_loss_naive", "softmax_loss",
    "svm_loss_naive", "svm_loss",
    "l2_svm_loss_naive", "l2_svm_loss",
    "distillation_loss_naive", "distillation_loss",
    "smoothed_softmax_loss", "l2_loss",
]


def softmax_loss_naive(
        x: Array, y: Labels, class_weights: ArrayLike | None = None) -> tuple[float, Array]:
    """Compute the softmax loss and dx, one number at a time; see softmax_loss."""
    x, y = scores_and_labels(x, y)
    weights = sample_weights(x, y, class_weights).tolist()
    total = sum(weights)
    N, C = x.shape
    loss = 0.0
    dx = np.empty_like(x)
    for n in range(N):
        top = max(x[n])
        exps = [np.exp(x[n, j] - top) for j in range(C)]
        loss -= weights[n] * float(x[n, y[n]] - top - np.log(sum(exps))) / total
        for j in range(C):
            dx[n, j] = weights[n] * (exps[j] / sum(exps) - (j == y[n])) / total
    return loss, dx


def log_softmax(x: Array) -> Array:
    """Return log(exp(x) / sum(exp(x))) for every row of x.

    A constant subtracted from a row cancels. If it is the maximum of the row, no exp overflows.
    """
    shifted = x - x.max(axis=1, keepdims=True)
    log_p: Array = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
    return log_p


def softmax_loss(
        x: Array, y: Labels, class_weights: ArrayLike | None = None) -> tuple[float, Array]:
    """Return the cross-entropy of the softmax of the scores, and dx = (p - onehot(y)) / N.

    x               (N, C) scores
    y               (N,) labels from 0 to C - 1
    class_weights   (C,) numbers above 0, or None. The loss is then the weighted mean, the sum of
                    w[y] (-log p[y]) divided by the sum of w[y] over the batch, as in PyTorch's
                    CrossEntropyLoss(weight), and dx = w[y] (p - onehot(y)) / sum of w[y]; a common
                    factor of the weights cancels
    Raises ValueError if an argument has a wrong shape, dtype or value.

    The gradient, with s = sum over k of exp(x[k]) and p[j] = exp(x[j]) / s:

        loss             = -log p[y] = log s - x[y]
        d log s / d x[j] = 1/s * d s / d x[j] = exp(x[j]) / s = p[j]
        d x[y]  / d x[j] = (j == y)
        dx[j]            = p[j] - (j == y)
    """
    x, y = scores_and_labels(x, y)
    weights = sample_weights(x, y, class_weights)
    total = weights.sum()
    rows = np.arange(len(x))
    log_p = log_softmax(x)
    loss = -float((weights * log_p[rows, y]).sum() / total)
    dx = np.exp(log_p)
    dx[rows, y] -= 1
    dx *= weights[:, None]
    dx /= total
    return loss, dx


def svm_loss_naive(x: Array, y: Labels) -> tuple[float, Array]:
    """Compute the hinge loss and dx, one margin at a time; see svm_loss."""
    x, y = scores_and_labels(x, y)
    N, C = x.shape
    loss = 0.0
    dx = np.zeros_like(x)
    for n in range(N):
        for j in range(C):
            margin = x[n, j] - x[n, y[n]] + 1
            if j != y[n] and margin > 0:
                loss += float(margin) / N
                dx[n, j] += 1 / N
                dx[n, y[n]] -= 1 / N
    return loss, dx


def svm_loss(x: Array, y: Labels) -> tuple[float, Array]:
    """Return the multi-class hinge loss with margin 1 (Weston & Watkins 1999), and dx.

    x   (N, C) scores
    y   (N,) labels from 0 to C - 1
    The derivative of max(0, margin) is 0 unless margin > 0. A margin is x[j] - x[y] + 1, so each
    positive one adds 1/N to dx[j] and subtracts 1/N from dx[y].
    """
    x, y = scores_and_labels(x, y)
    rows = np.arange(len(x))
    margins = np.maximum(0, x - x[rows, y][:, None] + 1)
    margins[rows, y] = 0
    dx = (margins > 0).astype(x.dtype)
    dx[rows, y] = -dx.sum(axis=1)
    dx /= len(x)
    return float(margins.sum() / len(x)), dx


def l2_svm_loss_naive(x: Array, y: Labels) -> tuple[float, Array]:
    """Compute the squared hinge loss and dx, one margin at a time; see l2_svm_loss."""
    x, y = scores_and_labels(x, y)
    N, C = x.shape
    loss = 0.0
    dx = np.zeros_like(x)
    for n in range(N):
        for j in range(C):
            t = 1 if j == y[n] else -1
            margin = max(0, 1 - t * x[n, j])
            loss += float(margin) ** 2 / N
            dx[n, j] = -2 * t * margin / N
    return loss, dx


def l2_svm_loss(x: Array, y: Labels) -> tuple[float, Array]:
    """Return the squared hinge loss, one L2-SVM per class (Tang 2013, eq. 5 and 10), and dx.

    x   (N, C) scores
    y   (N,) labels from 0 to C - 1
    Let t be 1 for the class of the label, -1 for the others, and margin = max(0, 1 - t x). By the
    chain rule, d margin^2 / d x = 2 margin * (-t), also where the margin is 0, so
    dx = -2 t margin / N.
    """
    x, y = scores_and_labels(x, y)
    t = np.full_like(x, -1)
    t[np.arange(len(x)), y] = 1
    margins = np.maximum(0, 1 - t * x)
    return float((margins * margins).sum() / len(x)), margins * t * (-2 / len(x))


def distillation_loss_naive(
        x: Array, y: Labels, teacher_probs: Array,
        alpha: float = 0.8, T: float = 1.0) -> tuple[float, Array]:
    """Compute equation 1 of the paper and dx, one sample at a time; see distillation_loss."""
    x, y = scores_and_labels(x, y)
    teacher_probs, alpha, T = check_teacher(x, teacher_probs, alpha, T)
    N, C = x.shape
    hard, dhard = softmax_loss_naive(x, y)
    soft = 0.0
    dx = alpha * dhard
    for n in range(N):
        scores = x[n] / T
        top = scores.max()
        log_sum = top + np.log(sum(np.exp(scores[j] - top) for j in range(C)))
        for j in range(C):
            q = teacher_probs[n, j]
            p = np.exp(scores[j] - log_sum)
            if q > 0:
                soft += float(q * (np.log(q) - (scores[j] - log_sum))) / N
            dx[n, j] += (1 - alpha) * T * (p * teacher_probs[n].sum() - q) / N
    return alpha * hard + (1 - alpha) * T ** 2 * soft, dx


def distillation_loss(
        x: Array, y: Labels, teacher_probs: Array,
        alpha: float = 0.8, T: float = 1.0) -> tuple[float, Array]:
    """Return a weighted sum of the softmax loss and the KL divergence from a teacher, and dx.

    x              (N, C) scores of the student
    y              (N,) labels from 0 to C - 1
    teacher_probs  (N, C) probabilities of the teacher, at the same temperature T
    alpha          weight of the softmax loss, 0 to 1; the paper uses 0.8
    T              temperature, above 0: probabilities are the softmax of scores / T
    Raises ValueError if an argument has a wrong shape, dtype or value.

    The gradient of the KL divergence of p = softmax(x / T) from q = teacher_probs, where 0 log 0 is
    0 and s = sum over k of exp(x[k] / T):

        soft                = sum over j of q[j] (log q[j] - log p[j])
        log p[j]            = x[j] / T - log s
        d log s    / d x[i] = 1/s * exp(x[i] / T) / T = p[i] / T
        d log p[j] / d x[i] = ((j == i) - p[i]) / T
        d soft     / d x[i] = -1/T sum over j of q[j] ((j == i) - p[i])
                            = (p[i] * sum(q) - q[i]) / T

    As sum(q) = 1, this is (p - q) / T: the gradient of the softmax loss with q in place of the
    one-hot label. For large T, p - q itself shrinks as 1/T, so the factor T^2 in the loss keeps
    the size of the gradient (Hinton et al. 2015, section 2).

    With T = 1 this is equation 1 of the paper, where we take f_j in the second term to be the
    student's log-probability: with raw scores the term would have no lower bound.
    """
    x, y = scores_and_labels(x, y)
    teacher_probs, alpha, T = check_teacher(x, teacher_probs, alpha, T)
    hard, dhard = softmax_loss(x, y)
    log_p = log_softmax(x / T)
    log_q = np.log(np.where(teacher_probs > 0, teacher_probs, 1))
    soft = float((teacher_probs * (log_q - log_p)).sum() / len(x))
    # T times the gradient; rows of teacher_probs sum to 1 only up to rounding.
    dsoft = np.exp(log_p) * teacher_probs.sum(axis=1, keepdims=True) - teacher_probs
    dx = alpha * dhard + dsoft.astype(x.dtype) * ((1 - alpha) * T / len(x))
    return alpha * hard + (1 - alpha) * T ** 2 * soft, dx


def smoothed_softmax_loss(x: Array, y: Labels, smoothing: float = 0.1) -> tuple[float, Array]:
    """Return the softmax loss with label smoothing (Szegedy et al. 2016, section 7), and dx.

    x           (N, C) scores
    y           (N,) labels from 0 to C - 1
    smoothing   0 to 1
    The target probability is smoothing / C for every class, plus 1 - smoothing for that of the
    label; dx = (p - target) / N. The loss is the cross-entropy of the target minus the constant
    smoothing * log(C), as it uses the KL divergence from the uniform distribution.
    """
    x, y = scores_and_labels(x, y)
    return distillation_loss(x, y, np.full_like(x, 1 / x.shape[1]), 1 - smoothing)


def l2_loss(w: Array, reg: float) -> tuple[float, Array]:
    """Return the L2 penalty 0.5 * reg * sum(w^2) of w, of any shape, and dw = reg * w.

    Raises ValueError if reg is negative.
    """
    check(reg >= 0, f"reg: got {reg}, expected 0 or more")
    (w,) = common_floats("l2_loss", w=w)
    return 0.5 * float(reg) * float((w * w).sum()), float(reg) * w


def sample_weights(x: Array, y: Labels, class_weights: ArrayLike | None) -> Array:
    """Return the weight of each sample (N,): that of its class, or 1 if class_weights is None.

    The weights are scaled by a power of 2 so that the largest is from 0.5 to 1, and neither a
    weight nor their sum overflows; this factor cancels exactly. Raises ValueError unless
    class_weights has C finite numbers above 0.
    """
    if class_weights is None:
        return np.ones(len(x), x.dtype)
    weights = real_numbers(class_weights, np.float64, "class_weights")
    check(weights.shape == x.shape[1:] and bool(np.all((weights > 0) & np.isfinite(weights))),
          f"class_weights: got {weights.tolist()}, expected {x.shape[1]} numbers above 0, "
          "one for each class")
    _, exponent = np.frexp(weights[y].max())
    scaled: Array = np.ldexp(weights[y], -exponent).astype(x.dtype)
    return scaled


def check_teacher(
        x: Array, teacher_probs: Array, alpha: float, T: float) -> tuple[Array, float, float]:
    """Return teacher_probs as an array, and alpha and T as Python floats.

    (A NumPy float64 would turn float32 scores into float64.) Raises ValueError unless teacher_probs
    has the shape of x and holds probabilities, alpha is from 0 to 1, and T is above 0.
    """
    (teacher_probs,) = common_floats("distillation", teacher_probs=teacher_probs)
    check(teacher_probs.shape == x.shape,
          f"teacher_probs: has shape {teacher_probs.shape}, expected {x.shape}, "
          "the shape of the scores")
    sums = teacher_probs.sum(axis=1)
    check(teacher_probs.min() >= 0 and np.abs(sums - 1).max() < 1e-3,
          f"teacher_probs: the smallest is {teacher_probs.min():g} and the row sums are from "
          f"{sums.min():g} to {sums.max():g}, expected probabilities: at least 0, row sums of 1")
    check(0 <= alpha <= 1, f"alpha: got {alpha}, expected a number from 0 to 1")
    check(T > 0, f"T: got {T}, expected a temperature above 0")
    return teacher_probs, float(alpha), float(T)
