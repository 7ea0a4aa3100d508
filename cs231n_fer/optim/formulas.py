"""The four steps that all update rules are made of, on two rungs: NumPy, the definition, and one pass over the memory.

A step takes arrays of one shape and numbers, writes on none of them and returns new arrays: (next_w, *next state). The
fast rung is kernels/update.py, which is imported at the first update, so that importing optim doesn't import Numba.
"""
from functools import cache

import numpy as np


def update_step(name, rung, arrays, numbers):
    """Return (next_w, *next state), new arrays like w = arrays[0], of a step of UPDATE_LADDER."""
    if rung == "auto":
        rung = "fast" if arrays[0].dtype in (np.float32, np.float64) and _compiles() else "numpy"
    if rung not in UPDATE_LADDER[name]:
        raise ValueError(f"rung: got {rung!r}, expected 'auto', {', '.join(map(repr, UPDATE_LADDER[name]))}")
    return UPDATE_LADDER[name][rung](*arrays, *numbers)


@cache
def _compiles():
    """Whether Numba compiles; asked at the first update, so that importing this module doesn't import Numba."""
    from ..kernels.vectors.jit import DISABLED

    return not DISABLED


def sgd_numpy(w, dw, rate):
    """Return (w - rate dw,)."""
    step = _scaled(dw, -rate, w)
    return (np.add(w, step, out=step),)


def sgd_fast(w, dw, *numbers):
    """Do the same as sgd_numpy in one pass."""
    from ..kernels import update

    return update.one_pass(update.sgd, (w, dw), numbers)


def momentum_numpy(w, dw, velocity, rate, keep, look_ahead):
    """Return (w + v' + look_ahead (v' - v), v' = keep v - rate dw)."""
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


def momentum_fast(w, dw, velocity, *numbers):
    """Do the same as momentum_numpy in one pass."""
    from ..kernels import update

    return update.one_pass(update.momentum, (w, dw, velocity), numbers)


def rms_numpy(w, dw, cache, rate, keep, add, epsilon):
    """Return (w - rate dw / (sqrt(c') + epsilon), c' = keep c + add dw^2)."""
    square = np.multiply(dw, dw, out=np.empty_like(w))
    next_cache = _average(cache, square, keep, add, scratch=square)
    return _divided_step(w, dw, next_cache, rate, 1.0, epsilon, scratch=square), next_cache


def rms_fast(w, dw, cache, *numbers):
    """Do the same as rms_numpy in one pass."""
    from ..kernels import update

    return update.one_pass(update.rms, (w, dw, cache), numbers)


def adam_numpy(w, dw, m, v, beta1, beta2, rate, root_scale, epsilon, shrink):
    """Return (w - rate m' / (root_scale sqrt(v') + epsilon) - shrink w, m', v')."""
    scratch = np.empty_like(w)
    next_m = _average(m, dw, beta1, 1 - beta1, scratch)
    np.multiply(dw, dw, out=scratch)
    next_v = _average(v, scratch, beta2, 1 - beta2, scratch)
    next_w = _divided_step(w, next_m, next_v, rate, root_scale, epsilon, scratch)
    if shrink != 0:
        next_w += _scaled(w, -shrink, w)
    return next_w, next_m, next_v


def adam_fast(w, dw, m, v, *numbers):
    """Do the same as adam_numpy in one pass."""
    from ..kernels import update

    return update.one_pass(update.adam, (w, dw, m, v), numbers)


UPDATE_LADDER = {  # what the rules compute -> rung -> (w, dw, *state, *numbers) -> (next_w, *next state)
    "sgd": {"numpy": sgd_numpy, "fast": sgd_fast},
    "momentum": {"numpy": momentum_numpy, "fast": momentum_fast},  # sgd_momentum, nesterov
    "rms": {"numpy": rms_numpy, "fast": rms_fast},  # adagrad, rmsprop
    "adam": {"numpy": adam_numpy, "fast": adam_fast},  # adam, adamw
}


def _scaled(array, factor, like):
    """Return factor * array as a new array with the dtype and the memory layout of `like`."""
    return np.multiply(array, factor, out=np.empty_like(like), casting="same_kind")


def _average(old, new, keep, add, scratch):
    """Return keep old + add new as a new array like `scratch`, which is written on."""
    np.multiply(new, add, out=scratch)
    average = _scaled(old, keep, scratch)
    average += scratch
    return average


def _divided_step(w, direction, square, rate, root_scale, epsilon, scratch):
    """Return w - rate direction / (root_scale sqrt(square) + epsilon), in `scratch`."""
    step = np.sqrt(square, out=scratch)
    if root_scale != 1.0:
        step *= root_scale
    step += epsilon
    np.divide(direction, step, out=step)
    step *= -rate
    step += w
    return step
