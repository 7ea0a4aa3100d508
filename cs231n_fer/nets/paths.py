"""Names of arrays in a network: the path of a layer and a name of its own, as "block1/conv/w"."""
from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import TypeVar

__all__ = ["INLINE", "Value", "join", "paths_from", "pick", "put"]

Value = TypeVar("Value")

INLINE = ""
"""The name of a layer that adds nothing to the paths of its arrays.

A Sandwich gets it where it takes the place of layers of a Chain: their arrays keep the names
"conv/w", "bn/gamma" that they had in the Chain.
"""


def join(path: str, name: str) -> str:
    """Return the path of a name below a path; either may be INLINE."""
    return "/".join(part for part in (path, name) if part != INLINE)


def pick(arrays: dict[str, Value], name: str) -> dict[str, Value]:
    """Return the entries of a layer: {"conv/w": a, "bn/beta": b} and "conv" give {"w": a}."""
    if name == INLINE:
        return arrays
    return {rest: arrays[path] for path, rest in _paths_below(name, tuple(arrays))}


def put(name: str, arrays: Mapping[str, Value]) -> dict[str, Value]:
    """Return the entries with a layer's name in front of their paths: the inverse of pick."""
    return dict(zip(paths_from(name, tuple(arrays)), arrays.values(), strict=True))


@cache
def _paths_below(name: str, paths: tuple[str, ...]) -> list[tuple[str, str]]:
    """Return the paths that begin with a name, as (path, what follows the name)."""
    prefix = name + "/"
    return [(path, path[len(prefix):]) for path in paths if path.startswith(prefix)]


@cache
def paths_from(name: str, paths: tuple[str, ...]) -> list[str]:
    """Return join(name, path) for all paths; the result is cached, and must not be changed."""
    return [join(name, path) for path in paths]
