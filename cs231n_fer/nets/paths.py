"""Names of arrays in a network: the path of a layer and the name in it, such as "block1/conv/w"."""
from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import TypeVar

__all__ = ["INLINE", "Value", "join", "paths_from", "pick", "put"]

Value = TypeVar("Value")

INLINE = ""
"""The name of a layer that adds nothing to the paths of its arrays.

A Sandwich that replaces layers of a Chain has this name, so their arrays keep the names that they
had in the Chain, such as "conv/w" and "bn/gamma".
"""


def join(path: str, name: str) -> str:
    """Return the path of a name inside a path; either may be INLINE."""
    return "/".join(part for part in (path, name) if part != INLINE)


def pick(arrays: dict[str, Value], name: str) -> dict[str, Value]:
    """Return the entries of a layer: pick({"conv/w": a, "bn/beta": b}, "conv") is {"w": a}."""
    if name == INLINE:
        return arrays
    return {rest: arrays[path] for path, rest in _paths_below(name, tuple(arrays))}


def put(name: str, arrays: Mapping[str, Value]) -> dict[str, Value]:
    """Return the entries with a layer's name prepended to their paths: the inverse of pick."""
    return dict(zip(paths_from(name, tuple(arrays)), arrays.values(), strict=True))


@cache
def _paths_below(name: str, paths: tuple[str, ...]) -> list[tuple[str, str]]:
    """Return the paths that begin with a name, as pairs (path, rest after the name)."""
    prefix = name + "/"
    return [(path, path[len(prefix):]) for path in paths if path.startswith(prefix)]


@cache
def paths_from(name: str, paths: tuple[str, ...]) -> list[str]:
    """Return join(name, path) for all paths. The list is cached and must not be changed."""
    return [join(name, path) for path in paths]
