"""The batches of an epoch: a function of seed, epoch and recipe, whatever came before.

Order and augmentation are drawn for the whole epoch from generators that depend on seed and epoch
alone. An interrupted epoch is therefore resumed by drawing the same numbers again and skipping the
steps that are done.
"""
from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from ..nets.layer import Layer
from ..nets.network import Network
from ..nets.norms import BatchNorm, GroupNorm, LayerNorm
from ..types import Draws, Labels, Model, Shape
from .recipe import Recipe
from .samplers import Indices, checked_order, rows_of_draws

__all__ = ["TRAIN_SUBSET", "Batches", "batches_of", "check_normalized", "generator"]

ORDER, AUGMENTATION, TRAIN_SUBSET = range(3)  # purposes of random generators


class Batches(NamedTuple):
    """The steps of an epoch, in order."""

    samples: list[Indices]      # indices of the samples of every step
    draws: list[Draws | None]   # random numbers of their augmentation; None without augmentation


def generator(seed: int, epoch: int, purpose: int) -> np.random.Generator:
    """Return the random generator of an epoch for a purpose."""
    return np.random.default_rng([seed, epoch, purpose])


def batches_of(recipe: Recipe, labels: Labels, batch_size: int, seed: int, epoch: int) -> Batches:
    """Return the batches of an epoch.

    The sampler returns the indices (M,) of the epoch's samples, in order. They are split into
    ceil(M / batch_size) batches whose sizes differ by at most one, because batch normalization
    has no variance to normalize by in a last batch of one sample.
    """
    order = checked_order(recipe.sampler, generator(seed, epoch, ORDER), labels)
    steps = math.ceil(len(order) / batch_size)
    samples = np.array_split(order, steps)
    augmentation = recipe.augmentation
    if augmentation is None:
        return Batches(samples, [None] * steps)
    rows, count = rows_of_draws(order, len(labels))
    drawn = augmentation.draw(generator(seed, epoch, AUGMENTATION), count)[rows]
    return Batches(samples, list(np.array_split(drawn, steps)))


def check_normalized(model: Model, samples: list[Indices]) -> None:
    """Raise ValueError if a normalization layer would normalize one number at a time.

    Its output would then be beta for any input, and all layers before it would get gradients of 0.
    samples   the batches of an epoch
    """
    if not isinstance(model, Network):
        return
    smallest = min(map(len, samples))
    for path, layer, shape, _ in model.layer.rows("", model.input_shape):
        if normalized_at_once(layer, shape, smallest) == 1:
            mend = (f"use larger batches: {sum(map(len, samples))} samples give "
                    f"{len(samples)} batches" if isinstance(layer, BatchNorm) else "leave it out")
            raise ValueError(
                f"batch_size: in a batch of {smallest}, {path.strip('/')} "
                f"({type(layer).__name__}) normalizes one number at a time, so nothing before "
                f"it learns; {mend}")


def normalized_at_once(layer: Layer, shape: Shape, samples: int) -> int | None:
    """Return how many numbers share a mean in a layer, for inputs of a shape; None if none do."""
    if isinstance(layer, BatchNorm):
        return samples * math.prod(shape[1:])
    if isinstance(layer, GroupNorm):
        return math.prod(shape) // layer.groups
    if isinstance(layer, LayerNorm):
        return math.prod(shape)
    return None
