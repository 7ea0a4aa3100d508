"""First-order update rules: `next_w, config = rule(w, dw, config)`, the contract of CS231n.

    sgd            w -= lr dw
    sgd_momentum   v  = mu v - lr dw                      w += v
    nesterov       v' = mu v - lr dw                      w += v' + mu (v' - v)
    adagrad        c += dw^2                              w -= lr dw / (sqrt(c) + eps)
    rmsprop        c  = rho c + (1 - rho) dw^2            w -= lr dw / (sqrt(c) + eps)
    adam           m, v = averages of dw and dw^2         w -= lr m^ / (sqrt(v^) + eps)
    adamw          like adam, with weight decay           w -= lr weight_decay w

`config` holds the hyper-parameters (DEFAULTS has the missing ones) and the state of one parameter
array (STATE has the names; all are initially zero). m^ and v^ are m and v, corrected for their
initial value. As in the course, the dict that is passed in is updated and returned, so both
`w, c = adam(w, dw, c)` and `w, _ = adam(w, dw, c)` work. The update binds its keys to new arrays,
and never writes to `w`, `dw` or the arrays in `config`. A shallow copy of a config is therefore a
snapshot, and a run resumed from it gives the same bits.

The seven rules share the four formulas of formulas.py.
"""
from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from ..shapes import common_dtype, plain_array
from ..types import Array
from .checks import check_number, check_rounded, check_step_count, hint
from .formulas import update_step

__all__ = [
    "BELOW_ONE",
    "DEFAULTS",
    "STATE",
    "UPDATE_RULES",
    "adagrad",
    "adam",
    "adamw",
    "check_config",
    "nesterov",
    "rmsprop",
    "sgd",
    "sgd_momentum",
]

Config = dict[str, Any]  # hyper-parameters and state of one parameter array
Updated = tuple[Array, Config]  # (next_w, config)

DEFAULTS: dict[str, dict[str, float]] = {
    "sgd": {"learning_rate": 1e-2},
    "sgd_momentum": {"learning_rate": 1e-2, "momentum": 0.9},
    "nesterov": {"learning_rate": 1e-2, "momentum": 0.9},
    "adagrad": {"learning_rate": 1e-2, "epsilon": 1e-8},
    "rmsprop": {"learning_rate": 1e-2, "decay_rate": 0.99, "epsilon": 1e-8},
    "adam": {"learning_rate": 1e-3, "beta1": 0.9, "beta2": 0.999, "epsilon": 1e-8},
    "adamw": {"learning_rate": 1e-3, "beta1": 0.9, "beta2": 0.999, "epsilon": 1e-8,
              "weight_decay": 1e-2},
}

STATE: dict[str, tuple[str, ...]] = {  # t counts steps; every other entry is an array like w
    "sgd": (),
    "sgd_momentum": ("velocity",),
    "nesterov": ("velocity",),
    "adagrad": ("cache",),
    "rmsprop": ("cache",),
    "adam": ("m", "v", "t"),
    "adamw": ("m", "v", "t"),
}

# Decay rates of averages; at 1 an average would never change.
BELOW_ONE = ("momentum", "decay_rate", "beta1", "beta2")


def sgd(w: Array, dw: Array, config: Config | None = None, rung: str = "auto") -> Updated:
    """Compute a step of stochastic gradient descent, w - lr dw.

    w, dw:   arrays of one shape, float32 or float64
    config:  {learning_rate} or None
    rung:    "numpy", "fast" (Numba) or "auto", which is "fast" if Numba compiles; all rules take it
    Returns (next_w, config); next_w has the dtype and memory layout of w. Like all rules, it raises
    ValueError for an unknown key, a value that is out of range or rounds to infinity in the dtype
    of w, an epsilon that rounds to 0, or shapes that differ.
    """
    w, dw, config, hyper = _settle("sgd", w, dw, config)
    numbers = (hyper["learning_rate"],)
    (next_w,) = update_step("sgd", rung, (w, dw), numbers)
    return next_w, config


def sgd_momentum(w: Array, dw: Array, config: Config | None = None, rung: str = "auto") -> Updated:
    """Compute a step with momentum: the velocity v accumulates past steps (Polyak 1964).

    w, dw:   arrays of one shape
    config:  {learning_rate, momentum in [0, 1), velocity}
    Returns (next_w, config).

    As in the course and in the paper, the velocity includes the learning rate of every past step:
    v = mu v - lr dw, w += v. PyTorch's holds gradients only: v = mu v + dw, w -= lr v. The steps
    are equal while the learning rate is constant; after a change from a to b, past gradients still
    move w at the rate a here, and at the rate b there.
    """
    w, dw, config, hyper = _settle("sgd_momentum", w, dw, config)
    numbers = (hyper["learning_rate"], hyper["momentum"], 0.0)
    next_w, config["velocity"] = update_step("momentum", rung, (w, dw, config["velocity"]), numbers)
    return next_w, config


def nesterov(w: Array, dw: Array, config: Config | None = None, rung: str = "auto") -> Updated:
    """Compute a step of Nesterov momentum; w is the look-ahead point (Bengio et al. 2013, eq. 7).

    w, dw:   arrays of one shape
    config:  {learning_rate, momentum in [0, 1), velocity, as in sgd_momentum}
    Returns (next_w, config).
    """
    w, dw, config, hyper = _settle("nesterov", w, dw, config)
    numbers = (hyper["learning_rate"], hyper["momentum"], hyper["momentum"])
    next_w, config["velocity"] = update_step("momentum", rung, (w, dw, config["velocity"]), numbers)
    return next_w, config


def adagrad(w: Array, dw: Array, config: Config | None = None, rung: str = "auto") -> Updated:
    """Compute a step divided by the root of the sum of squared gradients (Duchi et al. 2011).

    w, dw:   arrays of one shape
    config:  {learning_rate, epsilon, cache: the sum}
    Returns (next_w, config).
    """
    w, dw, config, hyper = _settle("adagrad", w, dw, config)
    numbers = (hyper["learning_rate"], 1.0, 1.0, hyper["epsilon"])
    next_w, config["cache"] = update_step("rms", rung, (w, dw, config["cache"]), numbers)
    return next_w, config


def rmsprop(w: Array, dw: Array, config: Config | None = None, rung: str = "auto") -> Updated:
    """Compute a step divided by the root mean square of gradients (Tieleman and Hinton 2012).

    w, dw:   arrays of one shape
    config:  {learning_rate, decay_rate in [0, 1), epsilon, cache: the running average}
    Returns (next_w, config).
    """
    w, dw, config, hyper = _settle("rmsprop", w, dw, config)
    keep = hyper["decay_rate"]
    numbers = (hyper["learning_rate"], keep, 1 - keep, hyper["epsilon"])
    next_w, config["cache"] = update_step("rms", rung, (w, dw, config["cache"]), numbers)
    return next_w, config


def adam(w: Array, dw: Array, config: Config | None = None, rung: str = "auto") -> Updated:
    """Compute a step from averages of the gradient and its square (Kingma and Ba 2015, alg. 1).

    The averages m and v start at 0; dividing them by 1 - beta1^t and 1 - beta2^t corrects the bias.

    w, dw:   arrays of one shape
    config:  {learning_rate, beta1 and beta2 in [0, 1), epsilon, m, v, t: number of steps so far}
    Returns (next_w, config).
    """
    w, dw, config, hyper = _settle("adam", w, dw, config)
    return _adam("adam", w, dw, config, hyper, rung), config


def adamw(w: Array, dw: Array, config: Config | None = None, rung: str = "auto") -> Updated:
    """Compute a step of Adam with decoupled weight decay (Loshchilov and Hutter 2019, alg. 2).

    w, dw:   arrays of one shape
    config:  {learning_rate, beta1 and beta2 in [0, 1), epsilon, weight_decay, m, v, t}
    Returns (next_w, config).
    """
    w, dw, config, hyper = _settle("adamw", w, dw, config)
    return _adam("adamw", w, dw, config, hyper, rung), config


def _adam(name: str, w: Array, dw: Array, config: Config, hyper: dict[str, float], rung: str
          ) -> Array:
    """Update m, v and t in `config`, and return the next weights."""
    t = int(config["t"]) + 1
    # The bias corrections are applied to scalars, which saves the arrays m^ and v^.
    rate = hyper["learning_rate"] / (1 - hyper["beta1"] ** t)
    root_scale = 1 / math.sqrt(1 - hyper["beta2"] ** t)
    shrink = hyper["learning_rate"] * hyper.get("weight_decay", 0.0)
    numbers = (hyper["beta1"], hyper["beta2"], rate, root_scale, hyper["epsilon"], shrink)
    check_rounded(name, {f"learning_rate / (1 - beta1 ** {t})": rate,
                          "learning_rate * weight_decay": shrink}, w.dtype)
    next_w, m, v = update_step("adam", rung, (w, dw, config["m"], config["v"]), numbers)
    config.update(m=m, v=v, t=t)
    return next_w


UPDATE_RULES: dict[str, Callable[..., Updated]] = {
    "sgd": sgd,
    "sgd_momentum": sgd_momentum,
    "nesterov": nesterov,
    "adagrad": adagrad,
    "rmsprop": rmsprop,
    "adam": adam,
    "adamw": adamw,
}


def check_config(rule: str, config: Mapping[str, Any]) -> None:
    """Raise ValueError unless the rule exists and its hyper-parameters and step count are in range.

    rule:    a key of UPDATE_RULES
    config:  hyper-parameters and state
    """
    if rule not in DEFAULTS:
        raise ValueError(f"update_rule: no rule {rule!r}{hint(rule, DEFAULTS)}; "
                         f"the rules are {', '.join(DEFAULTS)}")
    for key, value in config.items():
        if key in DEFAULTS[rule]:
            # The usual case, a float in [0, 1), is in the range of every key.
            if not (type(value) is float and 0 <= value < 1):
                check_number(rule, key, value, key in BELOW_ONE)
        elif key not in STATE[rule]:
            known = (*DEFAULTS[rule], *STATE[rule])
            raise ValueError(f"{rule}: no key {key!r}{hint(key, known)}; "
                             f"the keys are {', '.join(known)}")
    check_step_count(rule, config.get("t", 0))


def _settle(rule: str, w: Array, dw: Array, config: Config | None
            ) -> tuple[Array, Array, Config, dict[str, float]]:
    """Check the arguments and complete `config`; return w, dw, config and the hyper-parameters.

    All arrays are returned in the dtype of w, in native byte order. The hyper-parameters are Python
    floats, because a NumPy float64, for example read from a file, would promote float32 arrays to
    float64.
    """
    config = {} if config is None else config
    check_config(rule, config)
    weights: Array = plain_array(w, "w")
    if weights.dtype.kind != "f":
        raise ValueError(f"{rule}: w is {weights.dtype}, expected float32 or float64; "
                         "use w.astype(np.float32)")
    weights = weights.astype(weights.dtype.newbyteorder("="), copy=False)
    gradient = _like_weights(rule, "dw", dw, weights)
    for key in STATE[rule]:
        if key != "t" and key in config:
            config[key] = _like_weights(rule, key, config[key], weights)
    hyper = {key: float(config.get(key, value)) for key, value in DEFAULTS[rule].items()}
    check_rounded(rule, hyper, weights.dtype)
    for key, value in DEFAULTS[rule].items():
        config.setdefault(key, value)
    for key in STATE[rule]:
        if key not in config:
            config[key] = 0 if key == "t" else np.zeros_like(weights)
    return weights, gradient, config, hyper


def _like_weights(rule: str, key: str, values: Array, w: Array) -> Array:
    """Return values in the dtype of w; raise ValueError unless they are real in the shape of w."""
    array: Array = plain_array(values, key)
    if array.shape != w.shape:
        raise ValueError(f"{rule}: {key} has shape {array.shape}, expected {w.shape}, "
                         "the shape of w")
    if array.dtype == w.dtype:
        return array
    common_dtype(rule, {key: array})
    return array.astype(w.dtype)
