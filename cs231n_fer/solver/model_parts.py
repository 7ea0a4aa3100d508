"""What Solver asks of a model: its buffers, its random generator, its predictions, copies."""
from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from ..types import Array, Arrays, Labels, Model

__all__ = [
    "Buffered",
    "buffers_of",
    "copies",
    "generator_of",
    "generator_state",
    "laid_out_like",
    "predicted_labels",
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
    """Return the state of a generator of any kind as JSON can hold it: arrays become lists."""
    state: dict[str, Any] = jsonable(rng.bit_generator.state)
    return state


def jsonable(value: Any) -> Any:
    """Return a state, a dict of dicts, arrays and numbers, with lists in place of arrays."""
    if isinstance(value, dict):
        return {key: jsonable(inner) for key, inner in value.items()}
    return value.tolist() if isinstance(value, np.ndarray) else value


def copies(arrays: Mapping[str, Array]) -> Arrays:
    """Return copies of arrays by name, in their memory layouts."""
    return {name: array.copy(order="K") for name, array in arrays.items()}


def laid_out_like(layout: Array, values: Array) -> Array:
    """Return a copy of values with the shape, dtype and memory layout of another array."""
    copy = np.empty_like(layout)
    copy[...] = values
    return copy


def predicted_labels(model: Model, X: NDArray[Any], batch_size: int) -> tuple[Labels, int]:
    """Return the argmax of the scores of X (N, ...), (N,), and the number of classes."""
    predicted = []
    for begin in range(0, len(X), batch_size):
        scores = np.asarray(model.loss(X[begin:begin + batch_size]))
        predicted.append(np.argmax(scores, axis=1))
    return np.concatenate(predicted), scores.shape[1]
