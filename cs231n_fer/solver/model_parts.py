"""What Solver asks of a model: its buffers, its random generator, its predictions, copies."""
from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from ..shapes import check
from ..types import Array, Arrays, Labels, Model

__all__ = [
    "Buffered",
    "accuracy_of",
    "buffers_of",
    "check_finite",
    "copies",
    "generator_of",
    "generator_state",
    "goes_on_after_nan",
    "laid_out_like",
]


@runtime_checkable
class Buffered(Protocol):
    """A model with buffers: arrays that training changes without gradients, as running averages."""

    buffers: Arrays


# These two are called in every step: isinstance with a protocol would take 60 microseconds.
def buffers_of(model: Model) -> Arrays:
    """Return the buffers of a model; {} if it has none."""
    buffers: Arrays = getattr(model, "buffers", {})
    return buffers


def generator_of(model: Model) -> np.random.Generator | None:
    """Return the random generator from which a model draws dropout masks; None if it has none."""
    rng: np.random.Generator | None = getattr(model, "rng", None)
    return rng


def generator_state(rng: np.random.Generator) -> dict[str, Any]:
    """Return the state of a generator in a form that JSON can hold: arrays become lists."""
    state: dict[str, Any] = jsonable(rng.bit_generator.state)
    return state


def jsonable(value: Any) -> Any:
    """Return a state, nested dicts of arrays and numbers, with arrays converted to lists."""
    if isinstance(value, dict):
        return {key: jsonable(inner) for key, inner in value.items()}
    return value.tolist() if isinstance(value, np.ndarray) else value


def goes_on_after_nan(model: Model, choice: str | None) -> bool:
    """Return whether training continues after numbers become infinite or NaN.

    choice   on_divergence of the Recipe; None: what the model says
    """
    own: str = getattr(model, "on_divergence", "raise")
    return (choice or own) == "continue"


def check_finite(model: Model) -> None:
    """Raise ValueError if a parameter or a buffer of a model holds a NaN or an infinite number."""
    for name, array in {**buffers_of(model), **model.params}.items():
        check(np.isfinite(array).all(),
              f"model: {name} holds a NaN or an infinite number before the first step, expected "
              "finite ones; initialize it anew, or load another checkpoint")


def copies(arrays: Mapping[str, Array]) -> Arrays:
    """Return copies of arrays by name, in their memory layouts."""
    return {name: array.copy(order="K") for name, array in arrays.items()}


def laid_out_like(layout: Array, values: Array) -> Array:
    """Return a copy of values with the shape, dtype and memory layout of another array."""
    copy = np.empty_like(layout)
    copy[...] = values
    return copy


def accuracy_of(model: Model, X: NDArray[Any], y: Labels, batch_size: int, name: str,
                largest: int) -> float:
    """Return the fraction of samples X (N, ...) whose highest score is that of their label y (N,).

    batch_size   samples in a forward pass
    name         of the labels in error messages
    largest      label, of these and other samples
    Raises ValueError for a label beyond the classes of the scores.
    """
    predicted = []
    for begin in range(0, len(X), batch_size):
        scores = np.asarray(model.loss(X[begin:begin + batch_size]))
        predicted.append(np.argmax(scores, axis=1))
    classes = scores.shape[1]
    check(largest < classes,
          f"{name}: the largest label is {largest}, expected labels from 0 to {classes - 1}; "
          f"use a model of {largest + 1} classes, or "
          f"np.unique({name}, return_inverse=True)[1]")
    return float(np.mean(np.concatenate(predicted) == y))
