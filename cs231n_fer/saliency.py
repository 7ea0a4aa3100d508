"""Which pixels a net reacts to: the image-specific class saliency of Simonyan et al. 2014, section 3.

The score of class c is, near one image I, linear in its pixels: S_c(I') = S_c(I) + w . (I' - I) with
w = dS_c / dI. The map is |w|: how much the score moves when one pixel moves. With several colour
channels each pixel shows its strongest channel.
"""

import numpy as np

from .network import TEST
from .shapes import check, check_images, check_labels


def saliency_map(model, X, y, batch_size=64):
    """How strongly the score of class y reacts to each pixel: abs(d score_y / d pixel), strongest channel.

    model         has forward(X, mode) -> (scores, cache) and backward(dscores, cache) -> (dx, grads)
    X             (N, C, H, W) normalised images
    y             (N,) integer classes: the class each map explains, true or predicted
    batch_size    images per pass; bounds the memory and leaves the maps as they are
    Returns       (N, H, W) of X's dtype, all >= 0, in score per unit of normalised pixel.
    The score is taken before the softmax: a probability also rises when other classes fall.
    """
    X, y = np.asarray(X), np.asarray(y)
    check_images(X, "saliency_map")
    check(y.shape == X.shape[:1], f"y: labels have shape {y.shape}, expected {X.shape[:1]}, one per image")
    check(batch_size >= 1, f"batch_size: got {batch_size}, expected 1 or more")
    maps = np.empty((len(X), *X.shape[2:]), X.dtype)
    for start in range(0, len(X), batch_size):
        batch = slice(start, start + batch_size)
        scores, cache = model.forward(X[batch], TEST)
        check_labels(scores, y[batch])
        dscores = np.zeros_like(scores)
        dscores[np.arange(len(scores)), y[batch]] = 1
        dx, _ = model.backward(dscores, cache)
        maps[batch] = np.abs(dx).max(axis=1)
    return maps


def choose_examples(scores, y, count=4):
    """Rows worth a look: the surest right and the surest wrong ones, at most one per predicted class.

    scores     (N, C) scores of the net
    y          (N,) integer true classes
    count      at most this many of each
    Returns    (right, wrong), integer arrays of rows, surest first; shorter where fewer classes have such
               rows. Sure means that the best score is far ahead of the second.
    """
    scores, y = np.asarray(scores), np.asarray(y)
    check_labels(scores, y)
    predicted = scores.argmax(axis=1)
    ranked = np.sort(scores, axis=1)
    surest = np.argsort(ranked[:, -2] - ranked[:, -1], kind="stable")

    def one_per_class(rows):
        first = np.unique(predicted[rows], return_index=True)[1]
        return rows[np.sort(first)[:count]]

    is_right = (predicted == y)[surest]
    return one_per_class(surest[is_right]), one_per_class(surest[~is_right])
