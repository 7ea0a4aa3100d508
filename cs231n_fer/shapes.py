"""Output sizes and argument checks: every message names the argument, what came and what was expected.

What every training step asks is written as `if`, so that no message is put together before it is needed.

One rule for dtypes holds for every layer and every rung. The arrays of a forward pass take one
floating type, float32 or float64, by NumPy's promotion; integers take the type of the others, and
float64 if there are no others. float16 is widened to float32. A backward pass works in the type of
its forward pass, whatever the type of dout.
"""
import operator
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

FLOATS = frozenset((np.dtype(np.float32), np.dtype(np.float64)))  # in the byte order of this machine


def check(condition, message):
    """Raise ValueError(message) unless condition holds."""
    if not condition:
        raise ValueError(message)


def plain_array(array, name):
    """Return array as an np.ndarray without copying it; subclasses lose their class, lists become arrays.

    Raises ValueError for a masked array, whose mask would be lost.
    """
    if isinstance(array, np.ma.MaskedArray):
        raise ValueError(f"{name}: got a masked array, whose mask would be lost; fill it with .filled(value)")
    return np.asarray(array)


def common_floats(layer, **arrays):
    """Return the arrays of a layer's forward pass in one dtype, float32 or float64, in the order given.

    An array that has this dtype already is returned as it is. Raises ValueError for arrays that are
    not made of real numbers.
    """
    plain = [array if type(array) is np.ndarray else plain_array(array, name) for name, array in arrays.items()]
    dtypes = {array.dtype for array in plain}
    if len(dtypes) == 1 and dtypes <= FLOATS:
        return plain
    dtype = common_dtype(layer, dict(zip(arrays, plain, strict=True)))
    return [array.astype(dtype, copy=False) for array in plain]


def common_dtype(layer, arrays):
    """Return the dtype that arrays {name: array} share: float32 or float64, see the rule at the top."""
    for name, array in arrays.items():
        if array.dtype.kind not in "fiub" or array.dtype.itemsize > 8:
            raise ValueError(f"{layer}: {name} has dtype {array.dtype}, expected float32 or float64; "
                             f"convert it with {name}.astype(np.float32)")
    floats = [array.dtype for array in arrays.values() if array.dtype.kind == "f"]
    return np.result_type(np.float32, *floats) if floats else np.dtype(np.float64)


def real_numbers(array, dtype, name):
    """Return array in a dtype; raises ValueError unless it is made of real numbers.

    An array that has the dtype already is returned as it is.
    """
    plain = plain_array(array, name)
    common_dtype(name, {name: plain})
    return plain.astype(dtype, copy=False)


def gradient_like(dout, shape, dtype, layer):
    """Return dout, the gradient of a layer's output, in the dtype of its forward pass.

    Raises ValueError unless dout has the shape of the output and is made of real numbers.
    """
    if type(dout) is not np.ndarray:
        dout = plain_array(dout, "dout")
    if dout.shape != shape:
        raise ValueError(f"{layer}: dout has shape {dout.shape}, expected {tuple(shape)}, the shape of the output")
    if dout.dtype != dtype:
        common_dtype(layer, {"dout": dout})
        return dout.astype(dtype)
    return dout


def whole_number(value, name, least):
    """Return value as an int; NumPy's integers are accepted, floats are not.

    Raises ValueError if it is no integer, or below least.
    """
    try:
        number = operator.index(value)
    except TypeError:
        number = least - 1
    if number < least:
        raise ValueError(f"{name}: got {value!r}, expected an integer of at least {least}")
    return number


def conv_geometry(conv_param):
    """Return stride and pad of a conv_param {"stride", "pad"} as ints; raises ValueError for others."""
    check_parameters(conv_param, ("stride", "pad"), "conv_param")
    return whole_number(conv_param["stride"], "stride", 1), whole_number(conv_param["pad"], "pad", 0)


def pool_window(pool_param):
    """Return height, width and stride of a pool_param {"pool_height", "pool_width", "stride"} as ints."""
    check_parameters(pool_param, ("pool_height", "pool_width", "stride"), "pool_param")
    return tuple(whole_number(pool_param[name], name, 1) for name in ("pool_height", "pool_width", "stride"))


def conv_output_size(size, window, stride, pad):
    """Number of window positions along one axis; floors where the stride does not divide, as PyTorch does.

    size, window, stride, pad   integers: input length, window length, step, zeros added on both sides
    Raises ValueError if the window does not fit or a parameter is out of range.
    """
    stride = whole_number(stride, "stride", 1)
    pad = whole_number(pad, "pad", 0)
    check(1 <= window <= size + 2 * pad,
          f"window: size {window} does not fit into {size} + 2 * {pad} padding; use a smaller window or more padding")
    return (size + 2 * pad - window) // stride + 1


def check_images(x, layer):
    """Raise ValueError unless x has four axes (N, C, H, W)."""
    if x.ndim != 4:
        raise ValueError(f"{layer}: x has shape {x.shape}, expected four axes (N, C, H, W)")


def conv_arguments(x, w, b):
    """Return x (N, C, H, W), w (F, C, HH, WW), b (F,) in one dtype; raises ValueError where they don't fit together."""
    x, w, b = common_floats("conv", x=x, w=w, b=b)
    if x.ndim == w.ndim == 4 and x.shape[1] == w.shape[1] and b.shape == w.shape[:1] and w.size:
        return x, w, b
    check_images(x, "conv")
    check(w.ndim == 4, f"conv: w has shape {w.shape}, expected four axes (F, C, HH, WW)")
    check(x.shape[1] == w.shape[1],
          f"conv: x has {x.shape[1]} channels but w expects {w.shape[1]} (x {x.shape}, w {w.shape})")
    check(b.shape == (w.shape[0],), f"conv: b has shape {b.shape}, expected ({w.shape[0]},), one bias per filter")
    check(w.size > 0, f"conv: w has shape {w.shape}, expected no empty axis")
    return x, w, b


def check_parameters(parameters, expected, argument):
    """Raise ValueError unless the dict has exactly the expected keys; names the missing and the unknown ones."""
    if parameters.keys() == set(expected):
        return
    missing, unknown = sorted(set(expected) - set(parameters)), sorted(set(parameters) - set(expected))
    raise ValueError(f"{argument}: missing keys {missing}, unknown keys {unknown}; expected exactly {sorted(expected)}")


def scores_and_labels(scores, y):
    """Return scores (N, C) as floats, and integer labels y (N,) from 0 to C - 1.

    Raises ValueError where they are not that, or empty.
    """
    (scores,) = common_floats("loss", x=scores)
    y = plain_array(y, "y")
    if (scores.ndim == 2 and scores.size > 0 and y.shape == scores.shape[:1] and y.dtype.kind in "iu"
            and y.min() >= 0 and y.max() < scores.shape[1]):
        return scores, y
    check(scores.ndim == 2 and scores.size > 0,
          f"x: scores have shape {scores.shape}, expected (N, C) with at least one row and one class")
    check(y.shape == scores.shape[:1], f"y: labels have shape {y.shape}, expected {scores.shape[:1]}, one per row of x")
    check(y.dtype.kind in "iu", f"y: labels have dtype {y.dtype}, expected integers; cast with y.astype(int)")
    check(0 <= y.min() and y.max() < scores.shape[1],
          f"y: labels reach from {y.min()} to {y.max()}, expected 0 to {scores.shape[1] - 1}")
    return scores, y


def samples_and_labels(X: ArrayLike, y: ArrayLike, X_name: str = "X", y_name: str = "y"
                       ) -> tuple[NDArray[Any], NDArray[np.integer[Any]]]:
    """Return samples X (N, ...) of finite real numbers, and their labels y (N,), integers from 0.

    X, y             arrays, lists, or objects with __array__, such as a pandas Series
    X_name, y_name   what error messages call them
    Arrays are returned as they are, other objects as new arrays. Raises ValueError if X and y are
    not that, or empty; the message says how to convert them.
    """
    X = _array_of(X, X_name)
    y = _array_of(y, y_name)
    samples = len(X) if X.ndim else 0
    labels = len(y) if y.ndim else 0
    check(samples == labels > 0,
          f"{X_name}, {y_name}: got {samples} samples and {labels} labels, "
          "expected as many of both, at least 1")
    _check_labels(y, y_name)
    check(X.dtype.kind in "fiub" and X.dtype.itemsize <= 8,
          f"{X_name}: has dtype {X.dtype}, expected real numbers; convert it with "
          f"{X_name}.astype(np.float32)")
    for begin in range(0, len(X), 1024) if X.dtype.kind == "f" else ():  # blocks fit into a cache
        finite = np.isfinite(X[begin:begin + 1024])
        if not finite.all():
            row = begin + int(np.argmin(finite.reshape(len(finite), -1).all(axis=1)))
            raise ValueError(f"{X_name}: sample {row} holds a NaN or an infinite number, expected "
                             "finite numbers; leave it out, or use np.nan_to_num")
    return X, y


def _array_of(values: ArrayLike, name: str) -> NDArray[Any]:
    """Return values as an array; raise ValueError for a list whose rows differ in length."""
    if isinstance(values, np.ndarray):
        return plain_array(values, name)
    try:
        return np.asarray(values)
    except ValueError as error:
        raise ValueError(f"{name}: cannot be converted to an array ({error})") from error


def _check_labels(y: NDArray[Any], name: str) -> None:
    """Raise ValueError unless labels are non-negative integers (N,)."""
    if y.ndim != 1:
        one_column = y.size == len(y)
        mend = f"{name}.ravel()" if one_column else f"np.argmax({name}, axis=1) for one-hot rows"
        raise ValueError(f"{name}: labels have shape {y.shape}, expected ({len(y)},); use {mend}")
    if y.dtype.kind not in "iu":
        numbers = y.dtype.kind in "fb"
        mend = f"{name}.astype(int)" if numbers else f"np.unique({name}, return_inverse=True)[1]"
        raise ValueError(f"{name}: labels have dtype {y.dtype}, expected integers; use {mend}")
    if y.min() < 0:
        raise ValueError(f"{name}: the smallest label is {y.min()}, expected labels from 0; leave "
                         f"such samples out, or use np.unique({name}, return_inverse=True)[1]")
