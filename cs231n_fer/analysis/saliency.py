"""Which pixels a net reacts to: three maps of one face, and how much of a map lies where.

The score of class c is, near one image I, linear in its pixels: S_c(I') = S_c(I) + w . (I' - I) with
w = dS_c / dI. saliency_map (Simonyan et al. 2014, section 3) is |w|: how much the score moves when one pixel
moves. smooth_grad (Smilkov et al. 2017) averages w over noisy copies of I, because w jumps from one picture to the
next. occlusion_map (Zeiler & Fergus 2014, section 4.2) needs no gradient: it covers a patch and sees the score drop.
With several colour channels each pixel shows its strongest channel.
"""

import numpy as np

from ..nets.layer import TEST
from ..shapes import check, check_images, scores_and_labels


def saliency_map(model, X, y, batch_size=64):
    """How strongly the score of class y reacts to each pixel: abs(d score_y / d pixel), strongest channel.

    model         has forward(X, mode) -> (scores, cache) and backward(dscores, cache) -> (dx, grads)
    X             (N, C, H, W) normalised images
    y             (N,) integer classes: the class each map explains, true or predicted
    batch_size    images per pass; bounds the memory and leaves the maps as they are
    Returns       (N, H, W) of X's dtype, all >= 0, in score per unit of normalised pixel.
    The score is taken before the softmax: a probability also rises when other classes fall.
    """
    X, y = _checked(X, y, "saliency_map", batch_size)
    maps = np.empty((len(X), *X.shape[2:]), X.dtype)
    for batch in _batches(len(X), batch_size):
        maps[batch] = np.abs(_score_gradient(model, X[batch], y[batch])).max(axis=1)
    return maps


def smooth_grad(model, X, y, copies=16, noise=0.15, seed=0, batch_size=64):
    """The saliency map of the gradient's mean over noisy copies of each image (Smilkov et al. 2017, section 3).

    copies     noisy copies of each image; the original itself is not among them
    noise      standard deviation of the noise, as a part of each image's own range from darkest to lightest
    seed       integer from 0 up; the noise of image n depends on (seed, n) only
    The other arguments and the maps are those of saliency_map, to which this comes down where noise is 0.
    """
    X, y = _checked(X, y, "smooth_grad", batch_size)
    check(copies >= 1, f"copies: got {copies}, expected 1 or more")
    check(noise >= 0, f"noise: got {noise}, expected a part of the image's range from 0 up, such as 0.15")
    maps = np.empty((len(X), *X.shape[2:]), X.dtype)
    for batch in _batches(len(X), batch_size):
        images = X[batch]
        deviation = noise * np.ptp(images, axis=(1, 2, 3), keepdims=True)
        rngs = [np.random.default_rng((seed, n)) for n in range(*batch.indices(len(X)))]
        total = np.zeros_like(images)
        for _ in range(copies):
            draws = np.stack([rng.standard_normal(images.shape[1:], images.dtype) for rng in rngs])
            total += _score_gradient(model, images + deviation * draws, y[batch])
        maps[batch] = np.abs(total / copies).max(axis=1)
    return maps


def occlusion_map(model, X, y, size=8, stride=4, grey=0, batch_size=64):
    """How far the score of class y drops when a patch over a pixel is grey: the mean of the patches that cover it.

    size      side of the square patches, in pixels
    stride    pixels from one patch to the next, at most size; the last patches end at the border
    grey      what the patches show, in normalised pixels: a number, or an array that broadcasts to (C, H, W)
    The other arguments are those of saliency_map.
    Returns   (N, H, W) of X's dtype, in units of the score; negative where the patch speaks for the class.
    """
    X, y = _checked(X, y, "occlusion_map", batch_size)
    height, width = X.shape[2:]
    check(1 <= size <= min(height, width), f"size: got {size}, expected 1 to {min(height, width)}")
    check(1 <= stride <= size, f"stride: got {stride}, expected 1 to {size}, so that every pixel is covered")
    grey = np.broadcast_to(np.asarray(grey, X.dtype), X.shape[1:])
    windows = [np.s_[..., top:top + size, left:left + size]
               for top in _starts(height, size, stride) for left in _starts(width, size, stride)]
    maps, count = np.zeros((len(X), height, width), X.dtype), np.zeros((height, width), X.dtype)
    for window in windows:
        count[window] += 1
    for batch in _batches(len(X), batch_size):
        whole = _class_scores(model, X[batch], y[batch])
        for window in windows:
            covered = X[batch].copy()
            covered[window] = grey[window]
            maps[batch][window] += (whole - _class_scores(model, covered, y[batch]))[:, None, None]
    return maps / count


def share_inside(maps, regions, within):
    """Share of each map that lies in its region, of what lies within a larger mask: 1 is all of it.

    maps       (N, H, W) >= 0, such as saliency; equal values everywhere give the region's share of the area
    regions    (N, H, W) bool
    within     (N, H, W) bool, such as the face; what lies outside doesn't count
    Returns    (N,) float64; nan where the map is 0 within the mask.
    """
    maps, regions, within = np.asarray(maps, np.float64), np.asarray(regions), np.asarray(within)
    for name, masks in (("regions", regions), ("within", within)):
        check(masks.shape == maps.shape and masks.dtype == bool,
              f"{name}: got {masks.dtype} {masks.shape}, expected bool {maps.shape} as maps")
    check(maps.size == 0 or maps.min() >= 0, "maps: got values below 0, expected saliency; clip the map at 0")
    inside, total = ((maps * masks).sum(axis=(1, 2)) for masks in (regions & within, within))
    return np.divide(inside, total, out=np.full(len(maps), np.nan), where=total > 0)


def choose_examples(scores, y, count=4):
    """Rows worth a look: the surest right and the surest wrong ones, at most one per predicted class.

    scores     (N, C) scores of the net
    y          (N,) integer true classes
    count      at most this many of each
    Returns    (right, wrong), integer arrays of rows, surest first; shorter where fewer classes have such
               rows. Sure means that the best score is far ahead of the second.
    """
    scores, y = np.asarray(scores), np.asarray(y)
    scores, y = scores_and_labels(scores, y)
    predicted = scores.argmax(axis=1)
    ranked = np.sort(scores, axis=1)
    surest = np.argsort(ranked[:, -2] - ranked[:, -1], kind="stable")

    def one_per_class(rows):
        first = np.unique(predicted[rows], return_index=True)[1]
        return rows[np.sort(first)[:count]]

    is_right = (predicted == y)[surest]
    return one_per_class(surest[is_right]), one_per_class(surest[~is_right])


def _checked(X, y, function, batch_size):
    """X and y as arrays that fit together."""
    X, y = np.asarray(X), np.asarray(y)
    check_images(X, function)
    check(X.dtype.kind == "f", f"{function}: x has dtype {X.dtype}, expected normalised floats")
    check(y.shape == X.shape[:1], f"y: labels have shape {y.shape}, expected {X.shape[:1]}, one per image")
    check(batch_size >= 1, f"batch_size: got {batch_size}, expected 1 or more")
    return X, y


def _batches(count, size):
    return [slice(start, start + size) for start in range(0, count, size)]


def _starts(length, size, stride):
    """Where windows begin so that they reach both ends: the last one ends at the border."""
    return sorted({*range(0, length - size, stride), length - size})


def _score_gradient(model, X, y):
    """d score_y / d X for each image, shaped as X."""
    scores, cache = model.forward(X, TEST)
    scores, y = scores_and_labels(scores, y)
    dscores = np.zeros_like(scores)
    dscores[np.arange(len(scores)), y] = 1
    return model.backward(dscores, cache)[0]


def _class_scores(model, X, y):
    """The score of class y for each image, (N,)."""
    scores, _ = model.forward(X, TEST)
    scores, y = scores_and_labels(scores, y)
    return scores[np.arange(len(scores)), y]
