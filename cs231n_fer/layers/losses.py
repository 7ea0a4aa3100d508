"""Losses of scores x (N, C) and labels y (N,), with their gradients; L2 regularization.

For one sample, with scores x[j] and label y:

    softmax   -log p[y],  where p[j] = exp(x[j]) / sum over k of exp(x[k])
    hinge     sum over j != y of max(0, x[j] - x[y] + 1)
    L2-SVM    sum over j of max(0, 1 - t[j] x[j])^2,  where t[y] = 1, others -1     (Tang 2013)
    distill   alpha * softmax loss + (1 - alpha) * T^2 * KL(teacher || student at temperature T)
    smoothed  distill, with a teacher that gives all classes 1/C          (Szegedy et al. 2016)

The loss of a batch is the mean over its samples. Every function returns the loss as a Python float
and its gradient dx, in the shape and the dtype of x.

The gradient of the softmax loss is the vector of probabilities minus the one-hot label: write the
loss as a difference, and differentiate it.

    -log p[y] = log(sum over k of exp(x[k])) - x[y]

    d(-log p[y]) / d x[j] = exp(x[j]) / (sum over k of exp(x[k])) - (j == y) = p[j] - (j == y)
"""
import numpy as np
from numpy.typing import ArrayLike

from ..shapes import check, common_floats, plain_array, real_numbers, scores_and_labels
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
    """Add up -log p[y], one number at a time; see softmax_loss."""
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

    A constant that is subtracted from a row cancels; with the maximum of the row, no exp overflows.
    """
    shifted = x - x.max(axis=1, keepdims=True)
    log_p: Array = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
    return log_p


def softmax_loss(
        x: Array, y: Labels, class_weights: ArrayLike | None = None) -> tuple[float, Array]:
    """Return the cross-entropy of the softmax of scores, and dx = (p - onehot(y)) / N.

    x               (N, C) scores
    y               (N,) labels from 0 to C - 1
    class_weights   (C,) numbers above 0, or None for ones. The loss is then the weighted mean, the
                    sum of w[y] (-log p[y]) divided by the sum of w[y] over the batch, as in
                    PyTorch's CrossEntropyLoss(weight), and dx = w[y] (p - onehot(y)) / sum of w[y];
                    a common factor of the weights cancels
    Raises ValueError if an argument doesn't fit.
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
    """Add up the violated margins, one at a time; see svm_loss."""
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
    A violated margin x[j] - x[y] + 1 > 0 adds 1/N to dx[j] and subtracts 1/N from dx[y].
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
    """Add up the squared margins, one at a time; see l2_svm_loss."""
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
    With t = 1 for the label's class and -1 for the others, dx = -2 t max(0, 1 - t x) / N.
    """
    x, y = scores_and_labels(x, y)
    t = np.full_like(x, -1)
    t[np.arange(len(x)), y] = 1
    margins = np.maximum(0, 1 - t * x)
    return float((margins * margins).sum() / len(x)), margins * t * (-2 / len(x))


def distillation_loss_naive(
        x: Array, y: Labels, teacher_probs: Array,
        alpha: float = 0.8, T: float = 1.0) -> tuple[float, Array]:
    """Compute the paper's equation 1 as it stands, one sample at a time; see distillation_loss."""
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
    """Return a mix of the softmax loss and the KL divergence from a teacher, and dx.

    x              (N, C) scores of the student
    y              (N,) labels from 0 to C - 1
    teacher_probs  (N, C) probabilities of the teacher, at the same temperature T
    alpha          weight of the softmax loss, 0 to 1; the paper takes 0.8
    T              temperature, above 0: probabilities are the softmax of scores / T
    The KL divergence of the student's p from the teacher's q is the sum of q (log q - log p), where
    0 log 0 is 0. Its gradient is (p - q) / T, that of the softmax loss with q in the place of the
    one-hot label; T^2 keeps the size of the gradient when T changes (Hinton et al. 2015).

    With T = 1 this is the paper's equation 1, whose f_j in the second term we read as the student's
    log-probability: with raw scores in its place, the term would have no lower bound. Raises
    ValueError if an argument doesn't fit.
    """
    x, y = scores_and_labels(x, y)
    teacher_probs, alpha, T = check_teacher(x, teacher_probs, alpha, T)
    hard, dhard = softmax_loss(x, y)
    log_p = log_softmax(x / T)
    log_q = np.log(np.where(teacher_probs > 0, teacher_probs, 1))
    soft = float((teacher_probs * (log_q - log_p)).sum() / len(x))
    # The rows of teacher_probs sum to 1, up to rounding.
    dsoft = np.exp(log_p) * teacher_probs.sum(axis=1, keepdims=True) - teacher_probs
    dx = alpha * dhard + dsoft.astype(x.dtype) * ((1 - alpha) * T / len(x))
    return alpha * hard + (1 - alpha) * T ** 2 * soft, dx


def smoothed_softmax_loss(x: Array, y: Labels, smoothing: float = 0.1) -> tuple[float, Array]:
    """Return the softmax loss with label smoothing (Szegedy et al. 2016, section 7), and dx.

    x           (N, C) scores
    y           (N,) labels from 0 to C - 1
    smoothing   0 to 1
    The target is smoothing / C for every class, plus 1 - smoothing for the label's, and
    dx = (p - target) / N. The loss is the cross-entropy with the target, less the constant
    smoothing * log(C).
    """
    x, y = scores_and_labels(x, y)
    return distillation_loss(x, y, np.full_like(x, 1 / x.shape[1]), 1 - smoothing)


def l2_loss(w: Array, reg: float) -> tuple[float, Array]:
    """Return the L2 regularization 0.5 * reg * sum(w^2) of w, of any shape, and dw = reg * w.

    Raises ValueError if reg is negative.
    """
    check(reg >= 0, f"reg: got {reg}, expected 0 or more")
    (w,) = common_floats("l2_loss", w=w)
    return 0.5 * float(reg) * float((w * w).sum()), float(reg) * w


def sample_weights(x: Array, y: Labels, class_weights: ArrayLike | None) -> Array:
    """Return the weights (N,) of the samples: those of their classes, or ones if there are none.

    They are scaled by a power of 2 so that the largest is from 0.5 to 1, as no weight or sum then
    overflows; the factor cancels exactly. Raises ValueError unless class_weights are C finite
    numbers above 0.
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

    NumPy's float64 would turn float32 scores into float64. Raises ValueError unless teacher_probs
    are probabilities in the shape of x, alpha is from 0 to 1, and T is above 0.
    """
    teacher_probs = plain_array(teacher_probs, "teacher_probs")
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
