"""An update rule of this package applied to all parameters at once, as views of one flat array."""
from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from ..arrays.flat import Flat, flattened
from ..optim import DEFAULTS, UPDATE_RULES
from ..types import Arrays

__all__ = ["FlatUpdate"]


class FlatUpdate:
    """An update rule, its hyper-parameters, and its state for all parameters of one model.

    rule       name of a rule in optim.rules
    settings   its hyper-parameters; missing ones come from optim.DEFAULTS. An array of the state
               that is among them is flat and lies in the order of params
    params     parameters of the model by name

    The arrays of the state are flat and lie in the order of the parameters at the last step. Copies
    and checkpoints hold them by parameter name, because a copy may not keep that order.
    """

    def __init__(self, rule: str, settings: Mapping[str, Any], params: Arrays) -> None:
        self.rule = UPDATE_RULES[rule]
        self.text = rule
        self.settings = {**DEFAULTS[rule], **settings}
        self._config: dict[str, Any] = {
            key: Flat(params, value) if isinstance(value, np.ndarray) else value
            for key, value in self.settings.items()}
        self._flat: Flat | None = None  # the parameters after the last step

    def __getstate__(self) -> dict[str, Any]:
        """Return the attributes with the state by parameter name."""
        return {**self.__dict__, "_config": self.state(), "_flat": None}

    def state(self) -> dict[str, Any]:
        """Return hyper-parameters and state: numbers, and arrays as Flat by parameter name."""
        flat = self._flat
        if flat is None:  # no step has been made, and the arrays are by name already
            return dict(self._config)
        return {key: Flat(flat, value) if isinstance(value, np.ndarray) else value
                for key, value in self._config.items()}

    def configs(self, params: Arrays) -> dict[str, dict[str, Any]]:
        """Return the config of every parameter, as the course's Solver keeps it in optim_configs.

        The arrays in it are read-only views of the state.
        """
        state = self.state()
        return {name: {key: read_only(value[name]) if isinstance(value, Flat) else value
                       for key, value in state.items()} for name in params}

    def stored(self) -> tuple[dict[str, Any], dict[str, Any]]:
        """Return (arrays, numbers): the state, as a checkpoint holds it."""
        state = self.state()
        arrays = {f"{key}/{name}": array for key, value in state.items() if isinstance(value, Flat)
                  for name, array in value.items()}
        return arrays, {key: value for key, value in state.items() if not isinstance(value, Flat)}

    def restore(self, arrays: Arrays, numbers: Mapping[str, Any], params: Arrays) -> None:
        """Continue from what stored() returned, with parameters of the same names and shapes."""
        self._config = dict(numbers)
        for key in {name.split("/")[0] for name in arrays}:
            found = {name.removeprefix(key + "/"): array for name, array in arrays.items()
                     if name.startswith(key + "/")}
            self._config[key] = flattened(found, params)
        self._flat = None

    def apply(self, params: Arrays, grads: Arrays, learning_rate: float) -> None:
        """Replace all arrays of params by the updated ones, views of a new flat array.

        params          parameters by name, of one dtype
        grads           gradients by name, of the same shapes
        learning_rate   of this step
        """
        flat = self._flattened(params)
        numbers, self._config = self.rule(flat.numbers, flattened(grads, flat).numbers,
                                          {**self._config, "learning_rate": learning_rate})
        self._flat = Flat(flat, numbers)
        params.update(self._flat)

    def _flattened(self, params: Arrays) -> Flat:
        """Return the parameters as a Flat, and bring the arrays of the state into its order."""
        if self._flat is not None and self._flat.holds(params):
            return self._flat
        flat: Flat = flattened(params)
        self._config = {key: flattened(value, flat).numbers if isinstance(value, Flat) else value
                        for key, value in self.state().items()}
        return flat


def read_only(array: Any) -> Any:
    """Return a view of an array that cannot be written on."""
    view = array.view()
    view.setflags(write=False)
    return view
