"""Checks of the arguments of Solver."""
from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import fields
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..optim.checks import hint
from ..shapes import check, samples_and_labels
from ..types import Labels
from .recipe import Recipe
from .run_folder import RunFolder

__all__ = ["check_known", "check_numbers", "check_records", "split_of"]


def split_of(data: Mapping[str, ArrayLike], split: str) -> tuple[NDArray[Any], Labels]:
    """Return samples and labels of a split, "train" or "val", after the checks of shapes."""
    X_name = f"X_{split}"
    y_name = f"y_{split}"
    missing = [name for name in (X_name, y_name) if name not in data]
    check(not missing, f"data: has no {' and '.join(missing)}, "
                       "expected X_train, y_train, X_val and y_val")
    return samples_and_labels(data[X_name], data[y_name], X_name, y_name)


LEAST = {"batch_size": 1, "num_epochs": 0, "seed": 0, "print_every": 1, "num_train_samples": 1,
         "num_val_samples": 1}
OPTIONAL = ("print_every", "num_train_samples", "num_val_samples")  # may be None


def check_numbers(**numbers: object) -> None:
    """Raise ValueError unless the numbers of a Solver, by the names in LEAST, are in range."""
    for name, value in numbers.items():
        check(isinstance(value, int | np.integer) and value >= LEAST[name]
              or value is None and name in OPTIONAL,
              f"{name}: got {value!r}, expected an int of at least {LEAST[name]}")


def check_records(recipe: object, folder: object) -> None:
    """Raise ValueError unless the records are a Recipe, and a RunFolder or None."""
    check(isinstance(recipe, Recipe),
          f"recipe: got {recipe!r}, expected a Recipe, as in Recipe(augmentation=...)")
    check(folder is None or isinstance(folder, RunFolder),
          f"folder: got {folder!r}, expected a RunFolder, as in RunFolder('runs/1', resume=True)")


def check_known(unknown: Iterable[str], keywords: Iterable[str]) -> None:
    """Raise ValueError for unknown keywords, with hints at what may have been meant."""
    known = list(keywords)
    found = [suggestion(keyword, known) for keyword in unknown]
    check(not found, f"Solver: no keyword {', '.join(found)}")


def suggestion(keyword: str, known: list[str]) -> str:
    """Return an unknown keyword, with where it belongs or the known one that is most similar."""
    if keyword in {field.name for field in fields(Recipe)}:
        return f"{keyword!r} (use recipe=Recipe({keyword}=...))"
    if keyword in {field.name for field in fields(RunFolder)}:
        return f"{keyword!r} (use folder=RunFolder(path, {keyword}=...))"
    if keyword == "checkpoint_dir":  # its name before 0.2.0
        return f"{keyword!r} (use folder=RunFolder(path))"
    return f"{keyword!r}{hint(keyword, known)}"
