"""A user-defined update rule, applied to one parameter at a time as in the course."""
from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from ..arrays.flat import check_fits
from ..optim import DEFAULTS, STATE, UPDATE_RULES, check_config
from ..optim.checks import hint
from ..shapes import check, real_numbers
from ..types import Array, Arrays
from .fingerprint import describe
from .flat_update import FlatUpdate, read_only

__all__ = ["OwnUpdate", "Rule", "Update", "update_of"]

Rule = Callable[[Array, Array, dict[str, Any]], tuple[Array, dict[str, Any]]]


class OwnUpdate:
    """A rule (w, dw, config) -> (next_w, config), with a config for every parameter.

    rule       function of the course's signature; it may return a new array, or w changed in place
    settings   initial contents of every config; "learning_rate" is set before every step
    params     parameters of the model by name
    What a rule stores in config is its state: arrays, and values that JSON can hold.
    """

    def __init__(self, rule: Rule, settings: Mapping[str, Any], params: Arrays) -> None:
        self.rule = rule
        self.text = describe(rule)
        self.settings = dict(settings)
        self._configs = {name: dict(settings) for name in params}

    def configs(self, params: Arrays) -> dict[str, dict[str, Any]]:
        """Return the config of every parameter, with read-only views of its arrays."""
        return {name: {key: read_only(value) if isinstance(value, np.ndarray) else value
                       for key, value in self._configs[name].items()} for name in params}

    def stored(self) -> tuple[dict[str, Any], dict[str, Any]]:
        """Return (arrays, numbers): the state, as a checkpoint holds it."""
        arrays = {f"{key}/{name}": value for name, config in self._configs.items()
                  for key, value in config.items() if isinstance(value, np.ndarray)}
        return arrays, {name: {key: value for key, value in config.items()
                               if not isinstance(value, np.ndarray)}
                        for name, config in self._configs.items()}

    def restore(self, arrays: Arrays, numbers: Mapping[str, Any], params: Arrays) -> None:
        """Continue from what stored() returned, with parameters of the same names."""
        self._configs = {name: dict(numbers[name]) for name in params}
        for path, array in arrays.items():
            key, name = path.split("/", 1)
            self._configs[name][key] = array

    def apply(self, params: Arrays, grads: Arrays, learning_rate: float) -> None:
        """Replace every array of params by the updated one.

        params          parameters by name
        grads           gradients by name, of the same shapes
        learning_rate   of this step
        Raises ValueError if the rule returns anything but weights of the same shape and a config.
        """
        check_fits(grads, params)
        for name, w in params.items():
            config = {**self._configs[name], "learning_rate": learning_rate}
            result = self.rule(w, grads[name], config)
            check(isinstance(result, tuple) and len(result) == 2 and isinstance(result[1], dict)
                  and np.shape(result[0]) == w.shape,
                  f"update_rule: {self.text} returned {type(result).__name__} for {name}, expected "
                  f"(next_w, config) with next_w of shape {w.shape} and a dict")
            params[name] = real_numbers(result[0], w.dtype, f"update_rule: {name}")
            self._configs[name] = result[1]


Update = FlatUpdate | OwnUpdate


def update_of(rule: str | Rule, optim_config: Mapping[str, Any], params: Arrays) -> Update:
    """Return the object that applies an update rule to the parameters of a model.

    rule           name of a rule in optim.rules, one of those functions, or a user-defined function
    optim_config   hyper-parameters. Keys that a rule of optim.rules doesn't have are left out with
                   a warning, as the course ignores them
    params         parameters of the model by name
    Raises ValueError for an unknown rule, or a hyper-parameter out of range.
    """
    name = next((name for name, function in UPDATE_RULES.items() if function is rule), rule)
    if callable(name):
        check("learning_rate" in optim_config,
              "optim_config: has no 'learning_rate', which a user-defined rule needs; use "
              "optim_config={'learning_rate': 1e-2}")
        return OwnUpdate(name, optim_config, params)
    check(isinstance(name, str), f"update_rule: got {rule!r}, expected a name or a function")
    check_config(name, {})
    known = (*DEFAULTS[name], *STATE[name])
    unknown = [key for key in optim_config if key not in known]
    if unknown:
        listed = ", ".join(f"{key!r}{hint(key, known)}" for key in unknown)
        warnings.warn(f"optim_config: {name} has no key {listed}, which is ignored; the keys are "
                      f"{', '.join(known)}", UserWarning, stacklevel=4)
    config = {key: value for key, value in optim_config.items() if key in known}
    check_config(name, config)
    return FlatUpdate(name, config, params)
