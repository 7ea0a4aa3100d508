"""Losses: from scores (N, C) and labels (N,) to one number and its gradient; also L2 regularisation.

    softmax   mean of  -log p[y],  p = exp(x) / sum exp(x); with class weights the mean weighted by w[y]
    hinge     mean of  sum over j != y of max(0, x[j] - x[y] + 1)
    L2-SVM    mean of  sum over j of max(0, 1 - t[j] x[j]) ** 2,   t[y] = 1, t[j] = -1 elsewhere    (Tang 2013)
    distill   mean of  alpha * softmax loss + (1 - alpha) * T ** 2 * KL(teacher || student at temperature T)
    smoothed  the same for a teacher that knows nothing: all classes alike             (Szegedy et al. 2016)

Each function returns (loss, dx): a Python float, and dx with the shape and dtype of x.
"""
import numpy as np

from ..shapes import check, common_floats, plain_array, scores_and_labels


def log_softmax(x):
    """Return log(exp(x) / sum(exp(x))) of each row; the row's maximum is taken off first, so nothing overflows."""
    shifted = x - x.max(axis=1, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))


def sample_weights(x, y, class_weights):
    """Return the weight (N,) of each sample in x's dtype: ones, or its class's entry of class_weights (C,)."""
    if class_weights is None:
        return np.ones(len(x), x.dtype)
    weights = np.asarray(class_weights, x.dtype)
    check(weights.shape == x.shape[1:] and bool(np.all((weights > 0) & np.isfinite(weights))),
          f"class_weights: got {weights.tolist()}, expected {x.shape[1]} numbers above 0, one for each class")
    return weights[y]


def softmax_loss_naive(x, y, class_weights=None):
    """Sum -w[y] log p[y] over the samples, one number after the other; arguments and returns as softmax_loss."""
    x, y = scores_and_labels(x, y)
    weights = sample_weights(x, y, class_weights).tolist()
    (N, C), total, loss, dx = x.shape, sum(weights), 0.0, np.empty_like(x)
    for n in range(N):
        top = max(x[n])
        exps = [np.exp(x[n, j] - top) for j in range(C)]
        loss -= weights[n] * float(x[n, y[n]] - top - np.log(sum(exps))) / total
        for j in range(C):
            dx[n, j] = weights[n] * (exps[j] / sum(exps) - (j == y[n])) / total
    return loss, dx


def softmax_loss(x, y, class_weights=None):
    """Cross-entropy of the softmax of scores x (N, C) against labels y (N,); dx = (p - onehot(y)) / N.

    class_weights   (C,) numbers above 0, or None for ones; the mean is then the weighted one, as in PyTorch's
                    CrossEntropyLoss(weight): sum of w[y] (-log p[y]) over the sum of w[y], both over this batch.
                    A common factor of all weights cancels; dx = w[y] (p - onehot(y)) / sum of w[y].
    """
    x, y = scores_and_labels(x, y)
    weights, log_p, rows = sample_weights(x, y, class_weights), log_softmax(x), np.arange(len(x))
    total, dx = weights.sum(), np.exp(log_p)
    dx[rows, y] -= 1
    dx *= weights[:, None]
    dx /= total
    return -float((weights * log_p[rows, y]).sum() / total), dx


def svm_loss_naive(x, y):
    """Add up the violated margins one after the other; arguments and returns as svm_loss."""
    x, y = scores_and_labels(x, y)
    (N, C), loss, dx = x.shape, 0.0, np.zeros_like(x)
    for n in range(N):
        for j in range(C):
            margin = x[n, j] - x[n, y[n]] + 1
            if j != y[n] and margin > 0:
                loss += float(margin) / N
                dx[n, j] += 1 / N
                dx[n, y[n]] -= 1 / N
    return loss, dx


def svm_loss(x, y):
    """Multi-class hinge loss of scores x (N, C) with margin 1 (Weston & Watkins 1999), the course's svm_loss."""
    x, y = scores_and_labels(x, y)
    rows = np.arange(len(x))
    margins = np.maximum(0, x - x[rows, y][:, None] + 1)
    margins[rows, y] = 0
    dx = (margins > 0).astype(x.dtype)
    dx[rows, y] = -dx.sum(axis=1)
    dx /= len(x)
    return float(margins.sum() / len(x)), dx


def l2_svm_loss_naive(x, y):
    """Add up the squared margins one after the other; arguments and returns as l2_svm_loss."""
    x, y = scores_and_labels(x, y)
    (N, C), loss, dx = x.shape, 0.0, np.zeros_like(x)
    for n in range(N):
        for j in range(C):
            t = 1 if j == y[n] else -1
            margin = max(0, 1 - t * x[n, j])
            loss += float(margin) ** 2 / N
            dx[n, j] = -2 * t * margin / N
    return loss, dx


def l2_svm_loss(x, y):
    """One-vs-rest squared hinge loss of scores x (N, C): one L2-SVM for each class (Tang 2013, eq. 5 and 10)."""
    x, y = scores_and_labels(x, y)
    t = np.full_like(x, -1)
    t[np.arange(len(x)), y] = 1
    margins = np.maximum(0, 1 - t * x)
    return float((margins * margins).sum() / len(x)), margins * t * (-2 / len(x))


def check_teacher(x, teacher_probs, alpha, T):
    """Raise ValueError unless teacher_probs are probabilities of x's shape, alpha is in [0, 1] and T above 0.

    Returns teacher_probs as an array, and alpha and T as Python floats: NumPy float64 scalars would turn float32
    scores into float64.
    """
    teacher_probs = plain_array(teacher_probs, "teacher_probs")
    check(teacher_probs.shape == x.shape,
          f"teacher_probs: have shape {teacher_probs.shape}, expected that of the scores, {x.shape}")
    sums = teacher_probs.sum(axis=1)
    check(teacher_probs.min() >= 0 and np.abs(sums - 1).max() < 1e-3,
          f"teacher_probs: the smallest is {teacher_probs.min():g} and rows sum to {sums.min():g} to {sums.max():g}, "
          "expected probabilities: at least 0, rows that sum to 1")
    check(0 <= alpha <= 1, f"alpha: got {alpha}, expected 0 to 1")
    check(T > 0, f"T: got temperature {T}, expected above 0")
    return teacher_probs, float(alpha), float(T)


def distillation_loss_naive(x, y, teacher_probs, alpha=0.8, T=1.0):
    """Write the paper's equation 1 as it stands, one sample after the other; as distillation_loss."""
    x, y = scores_and_labels(x, y)
    teacher_probs, alpha, T = check_teacher(x, teacher_probs, alpha, T)
    hard, dx = softmax_loss_naive(x, y)
    (N, C), soft, dx = x.shape, 0.0, alpha * dx
    for n in range(N):
        scores = x[n] / T
        top = scores.max()
        log_sum = top + np.log(sum(np.exp(scores[j] - top) for j in range(C)))
        for j in range(C):
            q = teacher_probs[n, j]
            if q > 0:
                soft += float(q * (np.log(q) - (scores[j] - log_sum))) / N
            dx[n, j] += (1 - alpha) * T * (np.exp(scores[j] - log_sum) * teacher_probs[n].sum() - q) / N
    return alpha * hard + (1 - alpha) * T ** 2 * soft, dx


def distillation_loss(x, y, teacher_probs, alpha=0.8, T=1.0):
    """Softmax loss mixed with the KL divergence from a teacher's probabilities (the paper's eq. 1; Hinton et al. 2015).

    x              (N, C) scores;  y (N,) labels
    teacher_probs  (N, C) the teacher's probabilities, computed at the same temperature T
    alpha          weight of the softmax loss; the paper takes 0.8
    T              temperature; the KL term is multiplied by T ** 2, so that its gradient keeps its size
    With T = 1 this is eq. 1, whose f_j in the second term we read as the student's log-probability: with raw scores
    in its place the term would have no lower bound. 0 log 0 is 0.
    """
    x, y = scores_and_labels(x, y)
    teacher_probs, alpha, T = check_teacher(x, teacher_probs, alpha, T)
    hard, dx = softmax_loss(x, y)
    log_p = log_softmax(x / T)
    log_q = np.log(np.where(teacher_probs > 0, teacher_probs, 1))
    soft = float((teacher_probs * (log_q - log_p)).sum() / len(x))
    # d KL / d(x/T) = p - q, as for the softmax loss; the sum is 1 but for the rounding of what the caller gave.
    dsoft = np.exp(log_p) * teacher_probs.sum(axis=1, keepdims=True) - teacher_probs
    dx = alpha * dx + dsoft.astype(x.dtype) * ((1 - alpha) * T / len(x))
    return alpha * hard + (1 - alpha) * T ** 2 * soft, dx


def smoothed_softmax_loss(x, y, smoothing=0.1):
    """Softmax loss with label smoothing (Szegedy et al. 2016, section 7): dx = (p - target) / N.

    x, y        scores (N, C) and labels (N,)
    smoothing   0 to 1, the share of a target that all classes get alike; the rest is the label's
    It is the cross-entropy of the targets less smoothing * log(C), a constant.
    """
    x, y = scores_and_labels(x, y)
    return distillation_loss(x, y, np.full_like(x, 1 / x.shape[1]), 1 - smoothing)


def l2_loss(w, reg):
    """L2 regularisation 0.5 * reg * sum(w ** 2) of an array of any shape; dw = reg * w."""
    check(reg >= 0, f"reg: got {reg}, expected 0 or more")
    (w,) = common_floats("l2_loss", w=w)
    return 0.5 * float(reg) * float((w * w).sum()), float(reg) * w
