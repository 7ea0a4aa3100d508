"""Output sizes and argument checks: every message names the argument, what came and what was expected.

What every training step asks is written as `if`, so that no message is put together before it is needed.
"""


def check(condition, message):
    """Raise ValueError(message) unless condition holds."""
    if not condition:
        raise ValueError(message)


def conv_output_size(size, window, stride, pad):
    """Number of window positions along one axis; floors where the stride does not divide, as PyTorch does.

    size, window, stride, pad   integers: input length, window length, step, zeros added on both sides
    Raises ValueError if the window does not fit or a parameter is out of range.
    """
    check(stride >= 1, f"stride: got {stride}, expected an integer of at least 1")
    check(pad >= 0, f"pad: got {pad}, expected 0 or more")
    check(1 <= window <= size + 2 * pad,
          f"window: size {window} does not fit into {size} + 2 * {pad} padding; use a smaller window or more padding")
    return (size + 2 * pad - window) // stride + 1


def check_images(x, layer):
    """Raise ValueError unless x has four axes (N, C, H, W)."""
    if x.ndim != 4:
        raise ValueError(f"{layer}: x has shape {x.shape}, expected four axes (N, C, H, W)")


def check_conv(x, w, b):
    """Raise ValueError unless x (N, C, H, W), w (F, C, HH, WW) and b (F,) fit together."""
    if x.ndim == w.ndim == 4 and x.shape[1] == w.shape[1] and b.shape == w.shape[:1]:
        return
    check_images(x, "conv")
    check(w.ndim == 4, f"conv: w has shape {w.shape}, expected four axes (F, C, HH, WW)")
    check(x.shape[1] == w.shape[1],
          f"conv: x has {x.shape[1]} channels but w expects {w.shape[1]} (x {x.shape}, w {w.shape})")
    check(b.shape == (w.shape[0],), f"conv: b has shape {b.shape}, expected ({w.shape[0]},), one bias per filter")


def check_parameters(parameters, expected, argument):
    """Raise ValueError unless the dict has exactly the expected keys; names the missing and the unknown ones."""
    if parameters.keys() == set(expected):
        return
    missing, unknown = sorted(set(expected) - set(parameters)), sorted(set(parameters) - set(expected))
    raise ValueError(f"{argument}: missing keys {missing}, unknown keys {unknown}; expected exactly {sorted(expected)}")


def check_labels(scores, y):
    """Raise ValueError unless scores is (N, C) with N >= 1 and y holds N integer labels in 0..C-1."""
    if (scores.ndim == 2 and scores.size > 0 and y.shape == scores.shape[:1] and y.dtype.kind in "iu"
            and y.min() >= 0 and y.max() < scores.shape[1]):
        return
    check(scores.ndim == 2 and scores.size > 0,
          f"x: scores have shape {scores.shape}, expected (N, C) with at least one row and one class")
    check(y.shape == scores.shape[:1], f"y: labels have shape {y.shape}, expected {scores.shape[:1]}, one per row of x")
    check(y.dtype.kind in "iu", f"y: labels have dtype {y.dtype}, expected integers; cast with y.astype(int)")
    check(0 <= y.min() and y.max() < scores.shape[1],
          f"y: labels reach from {y.min()} to {y.max()}, expected 0 to {scores.shape[1] - 1}")
