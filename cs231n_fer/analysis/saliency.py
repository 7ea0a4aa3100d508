"""Saliency maps, which show the pixels that a net reacts to, and the share of a map in a region.

Near one image I the score of class c is approximately linear in the pixels,
S_c(I') = S_c(I) + w . (I' - I) with w = dS_c / dI.

    saliency_map     |w|, how much the score changes with each pixel (Simonyan et al. 2014,
                     section 3)
    smooth_grad      the mean of w over noisy copies of I, because w varies strongly between similar
                     images (Smilkov et al. 2017)
    occlusion_map    the drop of the score when a patch is covered; needs no gradient (Zeiler &
                     Fergus 2014, section 4.2)

With several color channels the gradient maps show the strongest channel of each pixel. Images of
another floating type than float32 or float64 are converted as by the layers, see shapes.
"""
from typing import Any, Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..nets.layer import TEST, Mode
from ..shapes import (
    check,
    check_images,
    common_floats,
    plain_array,
    real_numbers,
    scores_and_labels,
    whole_number,
)
from ..types import Array, Arrays, Cache, Labels

__all__ = ["choose_examples", "occlusion_map", "saliency_map", "share_inside", "smooth_grad"]


class ScoreModel(Protocol):
    """A model whose maps can be computed, such as a Network."""

    def forward(self, X: Array, mode: Mode, /) -> tuple[Array, Cache]:
        """Return the scores (N, classes) of X (N, C, H, W), and the cache."""

    def backward(self, dscores: Array, cache: Cache, /) -> tuple[Array, Arrays]:
        """Return the gradient with respect to X, and those of the parameters."""


def saliency_map(model: ScoreModel, X: Array, y: Labels, batch_size: int = 64) -> Array:
    """Return abs(d score_y / d pixel) for each pixel, the largest over its channels.

    model         its forward and backward pass give scores and their gradient
    X             (N, C, H, W) normalized images
    y             (N,) integers: the class that each map explains, true or predicted
    batch_size    images per pass; bounds the memory and does not change the maps
    Returns       (N, H, W) of X's dtype, >= 0, in score per unit of a normalized pixel.
    The score is taken before the softmax, because a probability also rises when other classes fall.
    Raises ValueError for images, labels or a batch size that don't fit.
    """
    X, y, batches = _checked(X, y, "saliency_map", batch_size)
    maps = np.empty((len(X), *X.shape[2:]), X.dtype)
    for batch in batches:
        maps[batch] = _strongest_channel(_score_gradient(model, X[batch], y[batch]))
    return maps


def smooth_grad(model: ScoreModel, X: Array, y: Labels, copies: int = 16, noise: float = 0.15,
                seed: int = 0, batch_size: int = 64) -> Array:
    """Return the saliency map of the mean gradient over noisy copies (Smilkov et al. 2017, sec. 3).

    copies     number of noisy copies of each image; the image itself is not one of them
    noise      standard deviation of the noise, as a fraction of the range of each image's pixels
    seed       integer >= 0; the noise of image n depends on (seed, n) only
    The other arguments and the maps are those of saliency_map, which is the result for noise 0.
    """
    X, y, batches = _checked(X, y, "smooth_grad", batch_size)
    copies = whole_number(copies, "copies", 1)
    seed = whole_number(seed, "seed", 0)
    check(0 <= noise < np.inf,
          f"noise: got {noise}, expected a fraction of the image's range >= 0, such as 0.15")
    maps = np.empty((len(X), *X.shape[2:]), X.dtype)
    for batch in batches:
        images = X[batch]
        deviation = X.dtype.type(noise) * np.ptp(images, axis=(1, 2, 3), keepdims=True)
        rngs = [np.random.default_rng((seed, n)) for n in range(*batch.indices(len(X)))]
        total = np.zeros_like(images)
        for _ in range(copies):
            draws = [rng.standard_normal(images.shape[1:], images.dtype.type) for rng in rngs]
            noisy = images + deviation * np.stack(draws)
            total += _score_gradient(model, noisy, y[batch])
        maps[batch] = _strongest_channel(total / copies)
    return maps


def occlusion_map(model: ScoreModel, X: Array, y: Labels, size: int = 8, stride: int = 4,
                  grey: ArrayLike = 0, batch_size: int = 64) -> Array:
    """Return the drop of the score of class y when a patch is covered, averaged over patches.

    size      side of the square patches, in pixels
    stride    distance between patches, in pixels, at most size; the last patches end at the border
    grey      normalized value of a covered pixel: a number or an array that broadcasts to (C, H, W)
    The other arguments are those of saliency_map.
    Returns   (N, H, W) of X's dtype, in units of the score: for each pixel the mean drop over the
              patches that cover it, negative where covering raises the score.
    """
    X, y, batches = _checked(X, y, "occlusion_map", batch_size)
    height, width = X.shape[2:]
    size = whole_number(size, "size", 0)
    most = min(height, width)
    check(1 <= size <= most, f"size: got {size}, expected 1 to {most}")
    stride = whole_number(stride, "stride", 0)
    check(1 <= stride <= size,
          f"stride: got {stride}, expected 1 to {size}, so that the patches leave no gap")
    cover = _broadcast(grey, X)
    windows = [np.s_[..., top:top + size, left:left + size]
               for top in _starts(height, size, stride) for left in _starts(width, size, stride)]
    maps = np.zeros((len(X), height, width), X.dtype)
    count = np.zeros((height, width), X.dtype)
    for window in windows:
        count[window] += 1
    for batch in batches:
        whole = _class_scores(model, X[batch], y[batch])
        for window in windows:
            covered = X[batch].copy()
            covered[window] = cover[window]
            drop = whole - _class_scores(model, covered, y[batch])
            maps[batch][window] += drop[:, None, None]
    return maps / count


def share_inside(maps: Array, regions: NDArray[np.bool_], within: NDArray[np.bool_]) -> Array:
    """Return the share of each map that lies in a region, of its part within a larger mask.

    maps       (N, H, W) >= 0, such as saliency; a constant map gives the region's share of the area
    regions    (N, H, W) bool
    within     (N, H, W) bool, such as the face; pixels outside of it do not count
    Returns    (N,) float64 from 0 to 1; NaN where the map is 0 in all of within.
    Raises ValueError for other shapes and dtypes, and for maps with values below 0.
    """
    maps = real_numbers(maps, np.float64, "maps")
    regions = _mask_like(maps, regions, "regions")
    within = _mask_like(maps, within, "within")
    check(maps.size == 0 or maps.min() >= 0,
          "maps: got values below 0, expected saliency; clip the map at 0")
    inside = (maps * (regions & within)).sum(axis=(1, 2))
    total = (maps * within).sum(axis=(1, 2))
    shares = np.full(len(maps), np.nan)
    np.divide(inside, total, out=shares, where=total > 0)
    return shares


def choose_examples(scores: Array, y: Labels, count: int = 4
                    ) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Return the rows of the most certain right and wrong predictions, one per predicted class.

    scores     (N, C) scores of the net
    y          (N,) integer true classes
    count      largest number of rows of either kind
    Returns    (right, wrong), rows in order of decreasing certainty, the difference of the two
               highest scores; fewer than count where fewer classes were predicted.
    """
    scores, y = scores_and_labels(scores, y)
    count = whole_number(count, "count", 0)
    predicted = scores.argmax(axis=1)
    ranked = np.sort(scores, axis=1)
    surest = np.argsort(ranked[:, -2] - ranked[:, -1], kind="stable")
    is_right = (predicted == y)[surest]

    def one_per_class(rows: NDArray[np.intp]) -> NDArray[np.intp]:
        first = np.unique(predicted[rows], return_index=True)[1]
        return rows[np.sort(first)[:count]]

    return one_per_class(surest[is_right]), one_per_class(surest[~is_right])


def _checked(X: Array, y: Labels, function: str, batch_size: int
             ) -> tuple[Array, Labels, list[slice]]:
    """Return X as float32 or float64, y, and the slices of the batches; raises ValueError."""
    X = plain_array(X, "X")
    y = plain_array(y, "y")
    check_images(X, function)
    check(X.dtype.kind == "f", f"{function}: x has dtype {X.dtype}, expected normalized floats")
    (X,) = common_floats(function, X=X)
    check(y.shape == X.shape[:1],
          f"y: labels have shape {y.shape}, expected {X.shape[:1]}, one per image")
    size = whole_number(batch_size, "batch_size", 1)
    return X, y, [slice(start, start + size) for start in range(0, len(X), size)]


def _broadcast(grey: ArrayLike, X: Array) -> Array:
    """Return grey, broadcast to one image (C, H, W) of X, in the dtype of X."""
    value = real_numbers(grey, X.dtype, "grey")
    try:
        return np.broadcast_to(value, X.shape[1:])
    except ValueError:
        raise ValueError(f"grey: got shape {value.shape}, expected a number or an array that "
                         f"broadcasts to {X.shape[1:]}") from None


def _mask_like(maps: Array, mask: NDArray[np.bool_], name: str) -> NDArray[np.bool_]:
    """Return a bool mask; raises ValueError unless it has the shape of maps."""
    plain: NDArray[Any] = plain_array(mask, name)
    check(plain.shape == maps.shape and plain.dtype == bool,
          f"{name}: got {plain.dtype} {plain.shape}, expected bool {maps.shape} as maps")
    return plain


def _starts(length: int, size: int, stride: int) -> list[int]:
    """Return the starts of windows that reach both ends: the last window ends at the border."""
    return sorted({*range(0, length - size, stride), length - size})


def _strongest_channel(gradient: Array) -> Array:
    """Return the largest absolute value over the channels of (N, C, H, W), as (N, H, W)."""
    strongest: Array = np.abs(gradient).max(axis=1)
    return strongest


def _score_gradient(model: ScoreModel, X: Array, y: Labels) -> Array:
    """Return d score_y / d X of each image, shaped as X."""
    scores, cache = model.forward(X, TEST)
    scores, y = scores_and_labels(scores, y)
    dscores = np.zeros_like(scores)
    dscores[np.arange(len(scores)), y] = 1
    return model.backward(dscores, cache)[0]


def _class_scores(model: ScoreModel, X: Array, y: Labels) -> Array:
    """Return the score of class y of each image, (N,)."""
    scores, _ = model.forward(X, TEST)
    scores, y = scores_and_labels(scores, y)
    chosen: Array = scores[np.arange(len(scores)), y]
    return chosen
