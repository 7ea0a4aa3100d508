"""Gradient checks: is the analytic gradient the derivative of the function?

    (g(h) - g(-h)) / 2h,   where g(t) = sum((f(x + t v) - f(x)) * dout),   v an axis or a random direction

How exact this can be depends on the kind of f, and so does the step:

    linear      no truncation error at all, so h = 1 and nothing cancels: about 1e-15
    piecewise   linear between kinks (ReLU, max-pool): exact as long as no kink is crossed, so the inputs must
                be a shuffled, evenly spaced range (`spaced`), whose GAP is 8 times the step
    smooth      Richardson extrapolation, (4 D(h/2) - D(h)) / 3, cancels the h**2 term: about 1e-11
                (Richardson 1911)
    kinked      smooth with kinks in unknown places (whole nets): Richardson with smaller steps as well; the
                step whose two estimates agree best wins; the analytic gradient has no say (Ridders 1982)

dout must be random and not uniform: a uniform one cancels in a batchnorm. The functions with the course's
names come first; they perturb x in place, because its notebooks pass functions that ignore their argument.
"""
import numpy as np

GAP = 0.125
STEPS = {"linear": (1.0,), "piecewise": (GAP / 8,), "smooth": (1e-2, 1e-3, 1e-4),
         "kinked": (1e-2, 1e-3, 1e-4, 1e-5, 1e-6, 1e-7, 1e-8)}
TINY = 1e-4
EPS = float(np.finfo(np.float64).eps)


def rel_error(x, y):
    """Return max |x - y| / max(1e-8, |x| + |y|), as the course's notebooks do; NaN stays NaN."""
    x, y = np.asarray(x), np.asarray(y)
    return float(np.max(np.abs(x - y) / np.maximum(1e-8, np.abs(x) + np.abs(y)), initial=0))


def eval_numerical_gradient(f, x, verbose=True, h=1e-5):
    """Return the numerical gradient (shape and dtype of x) of a scalar function at x by centred differences.

    f        x -> number; it may ignore its argument and read the same array elsewhere, as
             `lambda _: model.loss(X, y)[0]` does
    x        float array. Perturbed in place, one entry at a time, and restored bit for bit, also if f raises;
             if x is write-protected a copy is perturbed, and then f has to use its argument
    verbose  print every entry
    h        step
    Raises ValueError if x holds no floats or h is lost in rounding.
    """
    gradient = eval_numerical_gradient_array(f, x, 1.0, h)
    if verbose:
        for index in np.ndindex(gradient.shape):
            print(index, gradient[index])
    return gradient


def eval_numerical_gradient_array(f, x, df, h=1e-5):
    """Return the numerical gradient of sum(f(x) * df) at x, for f that returns an array; the rest as above.

    df  gradient of the loss with respect to f(x), of the shape of f(x)
    """
    x = _perturbable(x)
    gradient = np.zeros_like(x)
    for index in np.ndindex(x.shape):
        slope = _difference(f, x, index, h)
        if slope.shape != np.shape(df):
            raise ValueError(f"df: has shape {np.shape(df)}, expected {slope.shape}, the shape of f(x)")
        gradient[index] = np.sum(slope * df)
    return gradient


def grad_check_sparse(f, x, analytic_grad, num_checks=10, h=1e-5, rng=None):
    """Compare analytic_grad with the numerical gradient of f at num_checks random entries of x; print each.

    rng is an np.random.Generator, None for one seeded with 0; x is treated as by eval_numerical_gradient.
    Returns the largest relative error, which the course only prints.
    """
    x, rng, errors = _perturbable(x), rng or np.random.default_rng(0), []
    for _ in range(num_checks):
        index = tuple(int(rng.integers(size)) for size in x.shape)
        numerical, analytic = float(_difference(f, x, index, h)), float(analytic_grad[index])
        errors.append(rel_error(numerical, analytic))
        print(f"numerical: {numerical:f} analytic: {analytic:f}, relative error: {errors[-1]:e}")
    return float(np.max(errors, initial=0))


def _perturbable(x):
    if not isinstance(x, np.ndarray) or x.dtype.kind != "f":
        raise ValueError(f"x: got {getattr(x, 'dtype', type(x))}, expected an array of floats; "
                         "use np.asarray(x, dtype=np.float64)")
    return x if x.flags.writeable else x.copy(order="K")


def _difference(f, x, index, h):
    """Return (f(x + h e) - f(x - h e)) / (the step really taken, after rounding to x.dtype) as float64."""
    old = x[index]
    try:
        x[index] = old + h
        above, f_above = float(x[index]), np.array(f(x), dtype=np.float64)
        x[index] = old - h
        below, f_below = float(x[index]), np.array(f(x), dtype=np.float64)
    finally:
        x[index] = old
    if above == below:
        raise ValueError(f"h: {h} is lost beside {old} in {x.dtype}; use a larger h or float64")
    return (f_above - f_below) / (above - below)


def spaced(rng, shape):
    """Return a shuffled, evenly spaced range (float64): values GAP apart, none nearer to 0 than GAP / 2."""
    size = int(np.prod(shape))
    return (rng.permutation(size).reshape(shape) - size // 2 + 0.5) * GAP


# An infinity in a gradient on trial becomes NaN here: the check fails, and needs no warning beside it.
@np.errstate(invalid="ignore")
def gradient_error(a, b, tiny=TINY):
    """Return max |a - b| / max(|a|max, |b|max, tiny): NaN if one of them holds a NaN: test `error <= limit`.

    A gradient can be 0 in truth (a bias before batchnorm), where rounding is 100 % of it: below tiny the
    error is absolute, in units of tiny. Raises ValueError where the shapes differ.
    """
    a, b = np.asarray(a, dtype=np.float64), np.asarray(b, dtype=np.float64)
    _check_shapes(a, b)
    return float(np.max(np.abs(a - b), initial=0) / np.max(np.abs([a, b]), initial=tiny))


def _check_shapes(x, dx):
    if np.shape(x) != np.shape(dx):
        raise ValueError(f"dx: the shapes {np.shape(dx)} and {np.shape(x)} differ, expected equal ones")


def derivative(g, kind):
    """Return g'(0) of a scalar function of t by the method of its kind, see the top of this file."""
    def slope(h):
        return (g(h) - g(-h)) / (2 * h)
    if kind in ("linear", "piecewise"):
        return slope(STEPS[kind][0])
    tried = [(slope(h), slope(h / 2), 10 * EPS / h) for h in STEPS[kind]]
    # Two estimates can agree by luck, so the rounding to be expected of a small step counts as disagreement.
    coarse, fine, _ = min(tried, key=lambda estimate: abs(estimate[1] - estimate[0]) + estimate[2])
    return (4 * fine - coarse) / 3


def along(f, x, direction, dout):
    """Return g(t) = sum((f(x + t direction) - f(x)) * dout); x is not written to.

    f(x) is taken off before the sum, so that outputs which don't move add no rounding.
    """
    start = np.array(f(x), dtype=np.float64)
    if start.shape != np.shape(dout):
        raise ValueError(f"dout: has shape {np.shape(dout)}, expected {start.shape}, the shape of f(x)")
    return lambda t: float(np.sum((f(x + t * direction) - start) * dout))


def coordinate_check(f, x, dout, dx, kind, rng, most=40):
    """Return the error of dx against numerical derivatives along the axes, of at most `most` random ones.

    f     function of an array like x
    x     float64; not written to
    dout  gradient of the loss with respect to f(x), and of its shape
    dx    the analytic gradient that is on trial, of the shape of x
    kind  linear, piecewise, smooth or kinked
    """
    _check_shapes(x, dx)
    chosen = rng.choice(x.size, min(x.size, most), replace=False)
    numerical = np.array(dx, dtype=np.float64)
    for index in zip(*np.unravel_index(chosen, x.shape), strict=True):
        axis = np.zeros_like(x)
        axis[index] = 1
        numerical[index] = derivative(along(f, x, axis, dout), kind)
    return gradient_error(dx, numerical)


@np.errstate(invalid="ignore")
def directional_check(f, x, dout, dx, kind, rng):
    """Return the error of sum(dx * v) against the derivative along one random direction v of +1 and -1.

    Cheap: a few calls of f, whatever the size of x, and every entry of dx counts; arguments as above. The
    error is relative to the length of dx, the typical size of sum(dx * v), which itself can cancel.
    """
    _check_shapes(x, dx)
    v = rng.choice([-1.0, 1.0], x.shape)
    difference = abs(derivative(along(f, x, v, dout), kind) - float(np.sum(dx * v)))
    return float(difference / np.maximum(np.sqrt(np.sum(np.square(dx, dtype=np.float64))), TINY))


@np.errstate(invalid="ignore")
def adjoint_check(f, x, dout, dx):
    """Return the error of <A x, dout> = <x, A^T dout>, where A x = f(x) - f(0) is linear and A^T dout = dx.

    The error is relative to the lengths of A x and dout. Two calls of f, and no step at all.
    """
    _check_shapes(x, dx)
    moved = np.asarray(f(x), dtype=np.float64) - f(np.zeros_like(x))
    difference = abs(float(np.sum(moved * dout)) - float(np.sum(x * dx)))
    return float(difference / np.maximum(np.sqrt(np.sum(moved ** 2) * np.sum(np.square(dout))), TINY))


def check_gradient(f, x, dout, dx, kind, rng, most=40):
    """Return the largest error of every check that fits the kind; NaN if one is NaN.

    Arguments as coordinate_check. kinked functions (whole nets) are checked along one direction only.
    """
    errors = [directional_check(f, x, dout, dx, kind, rng)]
    if kind != "kinked":
        errors.append(coordinate_check(f, x, dout, dx, kind, rng, most))
    if kind == "linear":
        errors.append(adjoint_check(f, x, dout, dx))
    # np.max and not max, which drops a NaN that is not in front.
    return float(np.max(errors))
