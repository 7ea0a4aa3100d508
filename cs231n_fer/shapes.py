"""Output sizes of sliding windows, and checks of arguments.

An error message names the argument, the value that it got and the value that it expected. Checks
that run in every training step are `if` statements rather than calls of `check`, so that no message
is formatted before it is needed.

One rule for dtypes holds for all layers. A forward pass converts its arrays to one floating-point
type, float32 or float64, which NumPy's promotion chooses: integers take the type of the other
arrays, or float64 if there are no others; float16 becomes float32. A backward pass works in the
dtype of its forward pass, whatever the dtype of dout.
"""
import operator
import warnings
from collections.abc import Collection, Mapping
from typing import Any, SupportsIndex

import numpy as np
from numpy.typing import ArrayLike, DTypeLike, NDArray

from .types import Array, Cache, ConvParam, Labels, PoolParam, Shape

__all__ = [
    "FLOATS", "check", "check_images", "check_parameters", "check_pixels", "checked_cache",
    "common_dtype", "common_floats", "conv_arguments", "conv_geometry", "conv_output_size",
    "eps_of", "gradient_like", "plain_array", "pool_window", "real_numbers", "samples_and_labels",
    "scores_and_labels", "warn_unknown", "whole_number",
]

FLOATS = frozenset((np.dtype(np.float32), np.dtype(np.float64)))  # in the byte order of the machine


def check(condition: object, message: str) -> None:
    """Raise ValueError(message) unless condition is true."""
    if not condition:
        raise ValueError(message)


def plain_array(array: ArrayLike, name: str) -> NDArray[Any]:
    """Return array as an np.ndarray: subclasses become views of the base class, lists new arrays.

    Raises ValueError for a masked array, whose mask would be lost.
    """
    if isinstance(array, np.ma.MaskedArray):
        raise ValueError(f"{name}: got a masked array, whose mask would be lost; "
                         "fill it with .filled(value)")
    return np.asarray(array)


def common_floats(layer: str, **arrays: ArrayLike) -> list[Array]:
    """Return the arrays of a forward pass, in the order given, as float32 or as float64.

    An array that has the common dtype already is returned as it is, without a copy. Raises
    ValueError for arrays of anything but real numbers.
    """
    plain = [array if type(array) is np.ndarray else plain_array(array, name)
             for name, array in arrays.items()]
    dtypes = {array.dtype for array in plain}
    if len(dtypes) == 1 and dtypes <= FLOATS:
        return plain
    dtype = common_dtype(layer, dict(zip(arrays, plain, strict=True)))
    return [array.astype(dtype, copy=False) for array in plain]


def is_real(dtype: np.dtype[Any]) -> bool:
    """Return whether a dtype is one of real numbers of at most 8 bytes."""
    return dtype.kind in "fiub" and dtype.itemsize <= 8


def common_dtype(layer: str, arrays: Mapping[str, NDArray[Any]]) -> np.dtype[Any]:
    """Return float32 or float64, by the rule for dtypes above, for arrays {name: array}."""
    for name, array in arrays.items():
        if not is_real(array.dtype):
            raise ValueError(f"{layer}: {name} has dtype {array.dtype}, expected float32 or "
                             f"float64; convert it with {name}.astype(np.float32)")
    floats = [array.dtype for array in arrays.values() if array.dtype.kind == "f"]
    return np.result_type(np.float32, *floats) if floats else np.dtype(np.float64)


def real_numbers(array: ArrayLike, dtype: DTypeLike, name: str) -> Array:
    """Return array in the given dtype, without a copy if it has this dtype already.

    Raises ValueError for an array of anything but real numbers.
    """
    if type(array) is np.ndarray and array.dtype == dtype:
        return array
    plain = plain_array(array, name)
    common_dtype(name, {name: plain})
    return plain.astype(dtype, copy=False)


def gradient_like(dout: ArrayLike, shape: Shape, dtype: np.dtype[Any], layer: str) -> Array:
    """Return dout, the gradient of a layer's output, in the dtype of the layer's forward pass.

    Raises ValueError unless dout consists of real numbers and has the given shape of the output.
    """
    if type(dout) is not np.ndarray:
        dout = plain_array(dout, "dout")
    if dout.shape != shape:
        raise ValueError(f"{layer}: dout has shape {dout.shape}, expected {tuple(shape)}, "
                         "the shape of the output")
    if dout.dtype != dtype:
        common_dtype(layer, {"dout": dout})
        return dout.astype(dtype)
    return dout


def checked_cache(cache: Cache, kind: type | tuple[type, ...], layer: str) -> Any:
    """Return the cache of a layer, the second result of its forward function.

    kind   the type of the cache, or the types of its parts if it is a tuple
    Raises ValueError for the cache of another layer, or of another rung of this one.
    """
    if type(cache) is kind:
        return cache
    if (type(cache) is tuple and isinstance(kind, tuple) and len(cache) == len(kind)
            and all(map(isinstance, cache, kind))):
        return cache
    parts = f" of {len(cache)}" if isinstance(cache, tuple) else ""
    raise ValueError(f"cache: is a {type(cache).__name__}{parts}, not the cache of this rung of "
                     f"{layer}; take forward and backward from the same rung")


def eps_of(settings: Mapping[str, Any]) -> float:
    """Return the eps of a layer that normalizes, 1e-5 unless given; raises ValueError below 0."""
    # float(): a NumPy float64 would turn float32 arrays into float64.
    eps = float(settings.get("eps", 1e-5))
    if not 0 <= eps < np.inf:
        raise ValueError(f"eps: got {eps}, expected a finite number of at least 0")
    return eps


def whole_number(value: SupportsIndex, name: str, least: int) -> int:
    """Return value as an int; accepts the integers of Python and NumPy, but no floats.

    Raises ValueError unless value is an integer of at least `least`.
    """
    try:
        number = operator.index(value)
    except TypeError:
        number = least - 1
    if number < least:
        raise ValueError(f"{name}: got {value!r}, expected an integer of at least {least}")
    return number


def conv_geometry(conv_param: ConvParam) -> tuple[int, int]:
    """Return (stride, pad) of a conv_param; raises ValueError for bad keys or values."""
    check_parameters(conv_param, ("stride", "pad"), "conv_param")
    stride = whole_number(conv_param["stride"], "stride", 1)
    pad = whole_number(conv_param["pad"], "pad", 0)
    return stride, pad


def pool_window(pool_param: PoolParam) -> tuple[int, int, int]:
    """Return (height, width, stride) of a pool_param; raises ValueError for bad keys or values."""
    check_parameters(pool_param, ("pool_height", "pool_width", "stride"), "pool_param")
    height = whole_number(pool_param["pool_height"], "pool_height", 1)
    width = whole_number(pool_param["pool_width"], "pool_width", 1)
    stride = whole_number(pool_param["stride"], "stride", 1)
    return height, width, stride


def conv_output_size(size: int, window: int, stride: int, pad: int) -> int:
    """Return the number of positions of a sliding window along one axis.

    size     length of the input
    window   length of the window
    stride   distance between neighboring positions
    pad      number of zeros added at both ends
    A last window that doesn't fit entirely is left out, as in PyTorch. Raises ValueError if no
    window fits, or if stride or pad is out of range.
    """
    stride = whole_number(stride, "stride", 1)
    pad = whole_number(pad, "pad", 0)
    check(1 <= window <= size + 2 * pad,
          f"window: size {window} does not fit into {size} + 2 * {pad} padding; "
          "use a smaller window or more padding")
    return (size + 2 * pad - window) // stride + 1


def check_images(x: NDArray[Any], layer: str) -> None:
    """Raise ValueError unless x has four axes (N, C, H, W)."""
    if x.ndim != 4:
        raise ValueError(f"{layer}: x has shape {x.shape}, expected four axes (N, C, H, W)")


def check_pixels(x: NDArray[Any], layer: str) -> None:
    """Raise ValueError unless x consists of images (N, C, H, W) without an empty axis."""
    check_images(x, layer)
    if not x.size:
        raise ValueError(f"{layer}: x has shape {x.shape}, expected (N, C, H, W) without an empty "
                         "axis")


def conv_arguments(x: ArrayLike, w: ArrayLike, b: ArrayLike) -> tuple[Array, Array, Array]:
    """Return x (N, C, H, W), w (F, C, HH, WW) and b (F,) in one dtype.

    Raises ValueError if the shapes don't fit together.
    """
    x, w, b = common_floats("conv", x=x, w=w, b=b)
    if x.ndim == w.ndim == 4 and x.shape[1] == w.shape[1] and b.shape == w.shape[:1] and w.size:
        return x, w, b
    check_images(x, "conv")
    check(w.ndim == 4, f"conv: w has shape {w.shape}, expected four axes (F, C, HH, WW)")
    check(x.shape[1] == w.shape[1],
          f"conv: x has {x.shape[1]} channels but w expects {w.shape[1]} "
          f"(x {x.shape}, w {w.shape})")
    check(b.shape == (w.shape[0],),
          f"conv: b has shape {b.shape}, expected ({w.shape[0]},), one bias per filter")
    check(w.size > 0, f"conv: w has shape {w.shape}, expected no empty axis")
    return x, w, b


def check_parameters(
        parameters: Mapping[str, object], expected: Collection[str], argument: str) -> None:
    """Raise ValueError, naming missing and unknown keys, unless the expected keys are there.

    Keys that are only unknown give a UserWarning: the course ignores them.
    """
    if parameters.keys() == set(expected):
        return
    missing = sorted(set(expected) - set(parameters))
    unknown = sorted(set(parameters) - set(expected))
    message = (f"{argument}: missing keys {missing}, unknown keys {unknown}; "
               f"expected exactly {sorted(expected)}")
    check(not missing, message)
    warn_unknown(parameters, expected, argument)


def warn_unknown(parameters: Mapping[str, object], known: Collection[str], argument: str) -> None:
    """Give a UserWarning if there are keys that nothing reads."""
    unknown = sorted(set(parameters) - set(known))
    if unknown:
        warnings.warn(f"{argument}: has unknown keys {unknown}, which are ignored; expected "
                      f"{sorted(known)}", UserWarning, stacklevel=4)


def scores_and_labels(scores: ArrayLike, y: ArrayLike) -> tuple[Array, Labels]:
    """Return scores (N, C) as floats, and integer labels y (N,) from 0 to C - 1.

    Raises ValueError if a shape, a dtype or a label is wrong, or if there are no scores.
    """
    (scores,) = common_floats("loss", x=scores)
    y = plain_array(y, "y")
    if (scores.ndim == 2 and scores.size > 0 and y.shape == scores.shape[:1]
            and y.dtype.kind in "iu" and y.min() >= 0 and y.max() < scores.shape[1]):
        return scores, y
    check(scores.ndim == 2 and scores.size > 0,
          f"x: scores have shape {scores.shape}, expected (N, C) with at least one row "
          "and one class")
    check(y.shape == scores.shape[:1],
          f"y: labels have shape {y.shape}, expected {scores.shape[:1]}, one per row of x")
    check(y.dtype.kind in "iu",
          f"y: labels have dtype {y.dtype}, expected integers; cast with y.astype(int)")
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
    check(is_real(X.dtype),
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
