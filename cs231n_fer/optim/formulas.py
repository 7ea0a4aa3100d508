"""The four formulas behind all update rules, in NumPy and compiled into one pass over memory.

A formula takes arrays of one shape and Python floats, leaves its inputs unchanged, and returns new
arrays: (next_w, *next state). The compiled formulas, the "fast" rung, are in kernels/update.py.
"""
from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache

import numpy as np

from ..types import Array

__all__ = ["FORMULAS", "update_step"]

Numbers = tuple[float, ...]  # hyper-parameters of one step


def update_step(name: str, rung: str, arrays: tuple[Array, ...], numbers: Numbers
                ) -> Sequence[Array]:
    """Return (next_w, *next state), new arrays with the shape, dtype and memory layout of w.

    name      key of FORMULAS
    rung      "numpy", "fast" or "auto", which is "fast" if Numba compiles and w is float32 or
              float64
    arrays    (w, dw, *state), of one shape
    numbers   hyper-parameters, in the order in which the NumPy function unpacks them
    Raises ValueError for an unknown rung.
    """
    if rung == "auto":
        rung = "fast" if arrays[0].dtype in (np.float32, np.float64) and _compiles() else "numpy"
    if rung == "fast":
        return _one_pass(name, arrays, numbers)
    if rung == "numpy":
        return FORMULAS[name](*arrays, numbers)
    raise ValueError(f"rung: got {rung!r}, expected 'auto', 'numpy', 'fast'")


@cache
def _compiles() -> bool:
    """Return whether Numba compiles. The first update imports it, so that optim needs no Numba."""
    from ..kernels.vectors.jit import DISABLED

    return not DISABLED


def _one_pass(name: str, arrays: tuple[Array, ...], numbers: Numbers) -> Sequence[Array]:
    """Compute a formula on the fast rung, which is also imported at the first update."""
    from ..kernels import update

    kernels = {"sgd": update.sgd, "momentum": update.momentum,
               "rms": update.rms, "adam": update.adam}
    updated: Sequence[Array] = update.one_pass(kernels[name], arrays, numbers)
    return updated


def sgd_numpy(w: Array, dw: Array, numbers: Numbers) -> tuple[Array]:
    """Return (w - rate dw,)."""
    (rate,) = numbers
    step = _scaled(dw, -rate, w)
    return (np.add(w, step, out=step),)


def momentum_numpy(w: Array, dw: Array, velocity: Array, numbers: Numbers) -> tuple[Array, Array]:
    """Return (w + v' + look_ahead (v' - v), v') with v = velocity, v' = keep v - rate dw."""
    rate, keep, look_ahead = numbers
    next_w = _scaled(dw, rate, w)
    next_velocity = _scaled(velocity, keep, w)
    next_velocity -= next_w
    if look_ahead == 0:
        return np.add(w, next_velocity, out=next_w), next_velocity
    np.subtract(next_velocity, velocity, out=next_w)
    next_w *= look_ahead
    next_w += next_velocity
    next_w += w
    return next_w, next_velocity


def rms_numpy(w: Array, dw: Array, cache: Array, numbers: Numbers) -> tuple[Array, Array]:
    """Return (w - rate dw / (sqrt(c') + epsilon), c') with c = cache, c' = keep c + add dw^2."""
    rate, keep, add, epsilon = numbers
    square = np.multiply(dw, dw, out=np.empty_like(w))
    next_cache = _average(cache, square, keep, add, workspace=square)
    return _divided_step(w, dw, next_cache, rate, 1.0, epsilon, workspace=square), next_cache


def adam_numpy(w: Array, dw: Array, m: Array, v: Array, numbers: Numbers
               ) -> tuple[Array, Array, Array]:
    """Return (w - rate m' / (root_scale sqrt(v') + epsilon) - shrink w, m', v').

    m' and v' are the running averages beta1 m + (1 - beta1) dw and beta2 v + (1 - beta2) dw^2.
    """
    beta1, beta2, rate, root_scale, epsilon, shrink = numbers
    workspace = np.empty_like(w)
    next_m = _average(m, dw, beta1, 1 - beta1, workspace)
    np.multiply(dw, dw, out=workspace)
    next_v = _average(v, workspace, beta2, 1 - beta2, workspace)
    next_w = _divided_step(w, next_m, next_v, rate, root_scale, epsilon, workspace)
    if shrink != 0:
        next_w += _scaled(w, -shrink, w)
    return next_w, next_m, next_v


# (w, dw, *state, numbers) -> (next_w, *next state)
FORMULAS: dict[str, Callable[..., tuple[Array, ...]]] = {
    "sgd": sgd_numpy,
    "momentum": momentum_numpy,  # sgd_momentum, nesterov
    "rms": rms_numpy,  # adagrad, rmsprop
    "adam": adam_numpy,  # adam, adamw
}


def _scaled(array: Array, factor: float, like: Array) -> Array:
    """Return factor * array as a new array with the dtype and memory layout of `like`."""
    return np.multiply(array, factor, out=np.empty_like(like), casting="same_kind")


def _average(old: Array, new: Array, keep: float, add: float, workspace: Array) -> Array:
    """Return keep old + add new as a new array like `workspace`, which is overwritten."""
    np.multiply(new, add, out=workspace)
    average = _scaled(old, keep, workspace)
    average += workspace
    return average


def _divided_step(w: Array, direction: Array, square: Array, rate: float, root_scale: float,
                  epsilon: float, workspace: Array) -> Array:
    """Return w - rate direction / (root_scale sqrt(square) + epsilon), computed in `workspace`."""
    step = np.sqrt(square, out=workspace)
    if root_scale != 1.0:
        step *= root_scale
    step += epsilon
    np.divide(direction, step, out=step)
    step *= -rate
    step += w
    return step
