"""First-order update rules: `next_w, config = rule(w, dw, config)`, the contract of CS231n.

    sgd            w -= lr dw
    sgd_momentum   v  = mu v - lr dw                      w += v
    nesterov       v' = mu v - lr dw                      w += v' + mu (v' - v)
    adagrad        c += dw^2                              w -= lr dw / (sqrt(c) + eps)
    rmsprop        c  = rho c + (1 - rho) dw^2            w -= lr dw / (sqrt(c) + eps)
    adam           m, v = averages of dw and dw^2         w -= lr m^ / (sqrt(v^) + eps)
    adamw          as adam, and the weights decay         w -= lr weight_decay w

`config` holds hyper-parameters (missing ones come from DEFAULTS) and the state of one parameter array (named
in STATE, zero at first). As in the course the passed dict itself is brought up to date and returned, so both
`w, c = adam(w, dw, c)` and `w, _ = adam(w, dw, c)` work. Its keys are bound to new arrays: nothing ever
writes on `w`, on `dw` or on an array that was in `config`, so a shallow copy of a config is a snapshot, and
a run resumed from it is the same bit for bit.

Seven rules share the four steps of formulas.py, arrays and numbers in, new arrays out.
"""
import difflib
import math
import operator

import numpy as np

from ..shapes import common_dtype, plain_array
from .formulas import update_step

DEFAULTS = {
    "sgd": {"learning_rate": 1e-2},
    "sgd_momentum": {"learning_rate": 1e-2, "momentum": 0.9},
    "nesterov": {"learning_rate": 1e-2, "momentum": 0.9},
    "adagrad": {"learning_rate": 1e-2, "epsilon": 1e-8},
    "rmsprop": {"learning_rate": 1e-2, "decay_rate": 0.99, "epsilon": 1e-8},
    "adam": {"learning_rate": 1e-3, "beta1": 0.9, "beta2": 0.999, "epsilon": 1e-8},
    "adamw": {"learning_rate": 1e-3, "beta1": 0.9, "beta2": 0.999, "epsilon": 1e-8, "weight_decay": 1e-2},
}

STATE = {  # t is a step count, every other one an array like w
    "sgd": (),
    "sgd_momentum": ("velocity",),
    "nesterov": ("velocity",),
    "adagrad": ("cache",),
    "rmsprop": ("cache",),
    "adam": ("m", "v", "t"),
    "adamw": ("m", "v", "t"),
}

BELOW_ONE = ("momentum", "decay_rate", "beta1", "beta2")  # the rates of averages: 1 would never forget


def sgd(w, dw, config=None, rung="auto"):
    """Plain stochastic gradient descent, w - lr dw.

    w, dw:   arrays of one shape, float32 or float64
    config:  {learning_rate} or None
    rung:    "numpy", "fast" (Numba) or "auto": fast where it can be compiled (for all rules)
    Returns (next_w, config): next_w has the dtype and the memory layout of w.
    Raises ValueError for an unknown key, a value out of its range or shapes that differ (as all rules do).
    """
    w, dw, config, hyper = _settle("sgd", w, dw, config)
    (next_w,) = update_step("sgd", rung, (w, dw), (hyper["learning_rate"],))
    return next_w, config


def sgd_momentum(w, dw, config=None, rung="auto"):
    """Gradient descent with a heavy ball: the velocity remembers past steps (Polyak 1964).

    w, dw:   arrays of one shape
    config:  {learning_rate, momentum in [0, 1), velocity}
    Returns (next_w, config).
    """
    w, dw, config, hyper = _settle("sgd_momentum", w, dw, config)
    numbers = hyper["learning_rate"], hyper["momentum"], 0.0
    next_w, config["velocity"] = update_step("momentum", rung, (w, dw, config["velocity"]), numbers)
    return next_w, config


def nesterov(w, dw, config=None, rung="auto"):
    """Momentum with a look one step ahead, written for the looked-ahead point (Bengio et al. 2013, eq. 7).

    w, dw:   arrays of one shape
    config:  {learning_rate, momentum in [0, 1), velocity}
    Returns (next_w, config).
    """
    w, dw, config, hyper = _settle("nesterov", w, dw, config)
    numbers = hyper["learning_rate"], hyper["momentum"], hyper["momentum"]
    next_w, config["velocity"] = update_step("momentum", rung, (w, dw, config["velocity"]), numbers)
    return next_w, config


def adagrad(w, dw, config=None, rung="auto"):
    """Steps divided by the root of the sum of all squared gradients (Duchi et al. 2011).

    w, dw:   arrays of one shape
    config:  {learning_rate, epsilon, cache: the sum}
    Returns (next_w, config).
    """
    w, dw, config, hyper = _settle("adagrad", w, dw, config)
    numbers = hyper["learning_rate"], 1.0, 1.0, hyper["epsilon"]
    next_w, config["cache"] = update_step("rms", rung, (w, dw, config["cache"]), numbers)
    return next_w, config


def rmsprop(w, dw, config=None, rung="auto"):
    """Steps divided by the root of a running average of squared gradients (Tieleman and Hinton 2012).

    w, dw:   arrays of one shape
    config:  {learning_rate, decay_rate in [0, 1), epsilon, cache: the average}
    Returns (next_w, config).
    """
    w, dw, config, hyper = _settle("rmsprop", w, dw, config)
    numbers = hyper["learning_rate"], hyper["decay_rate"], 1 - hyper["decay_rate"], hyper["epsilon"]
    next_w, config["cache"] = update_step("rms", rung, (w, dw, config["cache"]), numbers)
    return next_w, config


def adam(w, dw, config=None, rung="auto"):
    """Averages of the gradient and of its square, corrected for the start at 0 (Kingma and Ba 2015, alg. 1).

    w, dw:   arrays of one shape
    config:  {learning_rate, beta1 and beta2 in [0, 1), epsilon, m, v, t: steps so far, raised before its use}
    Returns (next_w, config).
    """
    w, dw, config, hyper = _settle("adam", w, dw, config)
    return _adam(w, dw, config, hyper, 0.0, rung), config


def adamw(w, dw, config=None, rung="auto"):
    """Adam whose weights shrink by lr weight_decay at each step (Loshchilov and Hutter 2019, alg. 2).

    w, dw:   arrays of one shape
    config:  {learning_rate, beta1 and beta2 in [0, 1), epsilon, weight_decay, m, v, t}
    Returns (next_w, config).
    """
    w, dw, config, hyper = _settle("adamw", w, dw, config)
    return _adam(w, dw, config, hyper, hyper["learning_rate"] * hyper["weight_decay"], rung), config


def _adam(w, dw, config, hyper, shrink, rung):
    """Bring m, v and t of `config` up to date and return the next weights."""
    t = int(config["t"]) + 1
    rate = hyper["learning_rate"] / (1 - hyper["beta1"] ** t)  # no arrays m^ and v^: scalars
    root_scale = 1 / math.sqrt(1 - hyper["beta2"] ** t)
    numbers = hyper["beta1"], hyper["beta2"], rate, root_scale, hyper["epsilon"], shrink
    next_w, m, v = update_step("adam", rung, (w, dw, config["m"], config["v"]), numbers)
    config.update(m=m, v=v, t=t)
    return next_w


UPDATE_RULES = {
    "sgd": sgd,
    "sgd_momentum": sgd_momentum,
    "nesterov": nesterov,
    "adagrad": adagrad,
    "rmsprop": rmsprop,
    "adam": adam,
    "adamw": adamw,
}


def check_config(rule, config):
    """Say clearly what is wrong with a rule's name, its hyper-parameters or its step count.

    rule:    a key of UPDATE_RULES
    config:  dict of hyper-parameters and state
    Raises ValueError that names the rule or the key, what came and what was expected.
    """
    if rule not in DEFAULTS:
        rules = ", ".join(DEFAULTS)
        raise ValueError(f"update_rule: no rule {rule!r}{_hint(rule, DEFAULTS)}; the rules are {rules}")
    for key, value in config.items():
        if key in DEFAULTS[rule]:
            if not (type(value) is float and 0 <= value < 1):  # in the range of every key, as they nearly always are
                _check_number(rule, key, value)
        elif key not in STATE[rule]:
            known = (*DEFAULTS[rule], *STATE[rule])
            raise ValueError(f"{rule}: no key {key!r}{_hint(key, known)}; the keys are {', '.join(known)}")
    _check_step_count(rule, config.get("t", 0))


def _settle(rule, w, dw, config):
    """Check all, complete `config` in place; return w, dw, config and its hyper-parameters as Python floats.

    All arrays come in the dtype of w, in the byte order of this machine. Python floats, because a NumPy float64 scalar
    (from a file, say) would make float32 sums run in float64.
    """
    config = {} if config is None else config
    check_config(rule, config)
    w = plain_array(w, "w")
    if w.dtype.kind != "f":
        raise ValueError(f"{rule}: w is {w.dtype}, expected float32 or float64; use w.astype(np.float32)")
    w = w.astype(w.dtype.newbyteorder("="), copy=False)
    dw = _like_weights(rule, "dw", dw, w)
    for key in STATE[rule]:
        if key != "t" and key in config:
            config[key] = _like_weights(rule, key, config[key], w)
    for key, value in DEFAULTS[rule].items():
        config.setdefault(key, value)
    for key in STATE[rule]:
        if key not in config:
            config[key] = 0 if key == "t" else np.zeros_like(w)
    return w, dw, config, {key: float(config[key]) for key in DEFAULTS[rule]}


def _like_weights(rule, key, array, w):
    """Return an array in the dtype of w; raises ValueError unless it has its shape and real numbers."""
    array = plain_array(array, key)
    if array.shape != w.shape:
        raise ValueError(f"{rule}: {key} has shape {array.shape}, expected {w.shape}, the shape of w")
    if array.dtype == w.dtype:
        return array
    common_dtype(rule, {key: array})
    return array.astype(w.dtype)


def _check_number(rule, key, value):
    """Raise ValueError unless the hyper-parameter is one finite number in its range."""
    expected = "in [0, 1)" if key in BELOW_ONE else "finite and at least 0"
    try:
        number = float(value)
    except (TypeError, ValueError):
        number = math.nan
    if not 0 <= number < (1 if key in BELOW_ONE else math.inf):  # a NaN fails as well
        raise ValueError(f"{rule}: {key} is {value!r}, expected a number {expected}")


def _check_step_count(rule, t):
    """Raise ValueError unless t is a whole number of steps."""
    try:
        steps = operator.index(t)
    except TypeError:
        steps = -1
    if steps < 0:
        raise ValueError(f"{rule}: t is {t!r}, expected the number of steps so far, an int of at least 0")


def _hint(name, known):
    """Return ' (did you mean ...?)' where a known name is near."""
    near = difflib.get_close_matches(str(name), list(known), n=1)
    return f" (did you mean {near[0]!r}?)" if near else ""
