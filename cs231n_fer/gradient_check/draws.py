"""Random problems for gradient checks: what a layer takes, in shapes that are apt to break it.

draw(rng) returns the arguments that are differentiated (name -> float64 array) and the tuple of the rest. Sizes are
small, because numerical gradients cost two calls for each number, and odd: one sample, one filter, height and width
that differ, strides that don't divide, padding of 0 and of a whole window. LAYOUTS are the ways in which the same
numbers can lie in memory.
"""
import numpy as np

from .. import layers as L
from ..shapes import conv_output_size
from .checks import GAP, spaced

MARGIN = 1e-3  # between what a ReLU or a max-pool compares: far above the rounding of float32, so that it decides alike


def channels_last(array):
    """Store (N, C, H, W) as (N, H, W, C); arrays of less axes likewise."""
    order = (0, *range(2, array.ndim), 1)[:array.ndim]
    return np.array(array.transpose(order), order="C").transpose(np.argsort(order).astype(int))


def strided(array):
    """Store an array in every second place, along every axis, of a larger one."""
    view = np.zeros([2 * size for size in array.shape], array.dtype)[(..., *[slice(None, None, 2)] * array.ndim)]
    view[...] = array
    return view


LAYOUTS = {"C": lambda array: np.array(array, order="C"), "Fortran": lambda array: np.array(array, order="F"),
           "channels-last": channels_last, "strided": strided}


def oddities(arguments, rest):
    """Return the set of what is odd about the shapes of a drawn problem, by the names that the tables print."""
    x, w = next(iter(arguments.values())), arguments.get("w", np.empty(()))
    parameters = {key: value for each in rest if isinstance(each, dict) for key, value in each.items()}
    images = x.ndim == 4
    window = w.shape[2:] if w.ndim == 4 else (parameters.get("pool_height"), parameters.get("pool_width"))
    odd = {"N = 1": x.ndim > 1 and len(x) == 1, "H != W": images and x.shape[2] != x.shape[3],
           "one filter": w.ndim == 4 and len(w) == 1,
           "stride other than window": images and "stride" in parameters and parameters["stride"] not in window,
           "pad at least the window": "pad" in parameters and parameters["pad"] >= max(window)}
    return {name for name, is_so in odd.items() if is_so}


def draw_affine(rng):
    """x of two to four axes, w, b."""
    shape = tuple(rng.integers(1, 4, rng.integers(1, 4)))
    N, D, M = rng.integers(1, 5), int(np.prod(shape)), rng.integers(1, 5)
    return {"x": rng.normal(size=(N, *shape)), "w": rng.normal(size=(D, M)), "b": rng.normal(size=M)}, ()


def draw_spaced(*rest):
    """x of one to four axes without ties or values near 0, followed by `rest`."""
    return lambda rng: ({"x": spaced(rng, tuple(rng.integers(1, 5, rng.integers(1, 5))))}, rest)


def draw_large(rng):
    """x (N, C, H, W) without ties or values near 0, of so many numbers that a kernel is faster than NumPy."""
    N, C, H, W = rng.integers(1, 3), rng.integers(1, 3), rng.integers(160, 190), rng.integers(210, 240)
    return {"x": spaced(rng, (N, C, H, W))}, ()


def draw_conv(rng):
    """x, w, b: non-square windows and images, strides that don't divide, pad 0 and pad as large as the window."""
    N, C, F, HH, WW = rng.integers(1, 4, 5)
    H, W = HH + rng.integers(0, 4), WW + rng.integers(0, 4)
    arguments = {"x": rng.normal(size=(N, C, H, W)), "w": rng.normal(size=(F, C, HH, WW)), "b": rng.normal(size=F)}
    return arguments, ({"stride": int(rng.integers(1, 4)), "pad": int(rng.choice([0, 1, max(HH, WW)]))},)


def draw_conv_3x3(rng):
    """x, w, b of the windows that Winograd's convolution takes, and images that are no multiple of its tiles."""
    N, C, F = rng.integers(1, 4, 3)
    x = rng.normal(size=(N, C, rng.integers(3, 9), rng.integers(3, 9)))
    arguments = {"x": x, "w": rng.normal(size=(F, C, 3, 3)), "b": rng.normal(size=F)}
    return arguments, ({"stride": 1, "pad": int(rng.integers(0, 4))},)


def draw_pool(rng):
    """x without ties: windows of 1 to 3, overlapping, with gaps between them, and with a rest at the border."""
    N, C, HH, WW = rng.integers(1, 4, 4)
    x = spaced(rng, (N, C, HH + rng.integers(0, 5), WW + rng.integers(0, 5)))
    return {"x": x}, ({"pool_height": int(HH), "pool_width": int(WW), "stride": int(rng.integers(1, 4))},)


def draw_tiling_pool(rng):
    """x without ties, and square windows that tile it, as the reshape rung needs."""
    N, C, size, rows, columns = (int(k) for k in rng.integers(1, 4, 5))
    x = spaced(rng, (N, C, size * rows, size * columns))
    return {"x": x}, ({"pool_height": size, "pool_width": size, "stride": size},)


def draw_images(rng):
    """x (N, C, H, W)."""
    return {"x": rng.normal(size=rng.integers(1, 5, 4))}, ()


def draw_vector_norm(rng):
    """x (N, D), gamma, beta. Never 2 or 3 values in a mean: of 2 the gradient nearly cancels (xhat is +1 and -1)."""
    N, D = rng.choice([1, 4, 5, 9]), rng.integers(1, 5)
    return norm_arguments(rng, (N, D), (D,)), ({"mode": "train", "eps": 1e-5, "momentum": 0.9},)


def draw_layernorm(rng):
    """The same with the mean over the other axis."""
    N, D = rng.integers(1, 5), rng.choice([1, 4, 5, 9])
    return norm_arguments(rng, (N, D), (D,)), ({"eps": 1e-5},)


def draw_image_norm(rng):
    """x (N, C, H, W) of at least 6 values for each channel, gamma, beta."""
    N, C, H, W = rng.integers(1, 4), rng.integers(1, 4), rng.integers(2, 4), rng.integers(3, 6)
    return norm_arguments(rng, (N, C, H, W), (C,)), ({"mode": "train", "eps": 1e-5, "momentum": 0.9},)


def draw_groupnorm(rng):
    """x (N, C, H, W), gamma and beta (1, C, 1, 1) as in the course, the number of groups, eps."""
    N, groups, each, H, W = rng.integers(1, 4), *rng.integers(1, 3, 2), rng.integers(2, 4), rng.integers(3, 6)
    C = groups * each
    return norm_arguments(rng, (N, C, H, W), (1, C, 1, 1)), (int(groups), {"eps": 1e-5})


def norm_arguments(rng, shape, channels):
    """Arguments of a normalisation, with a mean and a scale that have to be taken off."""
    return {"x": 3 * rng.normal(size=shape) + 1, "gamma": rng.normal(size=channels), "beta": rng.normal(size=channels)}


def draw_test_mode(draw):
    """The same in test mode: linear in each argument, with running averages that are far from those of x."""
    def with_running_averages(rng):
        arguments, _ = draw(rng)
        C = arguments["gamma"].size
        return arguments, ({"mode": "test", "eps": 1e-5, "momentum": 0.9, "running_mean": rng.normal(size=C),
                            "running_var": rng.uniform(0.5, 2, size=C)},)
    return with_running_averages


def draw_scores(rng):
    """x (N, C) scores and y labels."""
    N, C = rng.integers(1, 6), rng.integers(1, 8)
    return {"x": 2 * rng.normal(size=(N, C))}, (rng.integers(0, C, N),)


def draw_weighted_scores(rng):
    """The same, and a weight for each class."""
    arguments, (y,) = draw_scores(rng)
    return arguments, (y, rng.uniform(0.1, 10, arguments["x"].shape[1]))


def draw_spaced_scores(gap):
    """Scores and labels, scores a multiple of gap apart: no margin may then lie on a kink, which gap has to see to."""
    def draw(rng):
        arguments, rest = draw_scores(rng)
        return {"x": spaced(rng, arguments["x"].shape) * (gap / GAP)}, rest
    return draw


def draw_distillation(rng):
    """Scores, labels, a teacher's probabilities, alpha and temperature."""
    arguments, (y,) = draw_scores(rng)
    teacher = np.exp(rng.normal(size=arguments["x"].shape))
    return arguments, (y, teacher / teacher.sum(axis=1, keepdims=True), rng.uniform(), rng.uniform(1, 4))


def near_kinks(maps, pool_param):
    """Whether a ReLU of maps (N, F, Ho, Wo), or a max-pool after it, compares numbers that differ by less than MARGIN.

    Equal ones don't count: windows full of zeros, and places where a filter sees nothing but padding.
    """
    if np.abs(maps).min() < MARGIN:
        return True
    if pool_param is None:
        return False
    window = pool_param["pool_height"], pool_param["pool_width"]
    columns = L.im2col(np.maximum(maps, 0), *window, pool_param["stride"]).reshape(-1, window[0] * window[1],
                                                                                maps.shape[1])
    gaps = columns.max(axis=1, keepdims=True) - columns
    return bool(((gaps > 1e-9) & (gaps < MARGIN)).any())


def draw_sandwich(*names, conv=draw_conv):
    """x, w, b of a convolution as drawn above, and what the layers after it need: of "bn" and "pool" those in names.

    What is drawn again until no kink is near. Windows of a pool are 2 x 2, which are fused, or 2 x 3.
    """
    def draw_once(rng):
        arguments, (conv_param,) = conv(rng)
        if "bn" in names:
            # At least four samples for each mean: of two, xhat is +1 and -1 whatever x is, and the gradient vanishes.
            arguments["x"] = rng.normal(size=(4, *arguments["x"].shape[1:]))
        (F, _, HH, WW), (H, W) = arguments["w"].shape, arguments["x"].shape[2:]
        Ho, Wo = conv_output_size(H, HH, **conv_param), conv_output_size(W, WW, **conv_param)
        # Where all windows lie in the padding the variance is 0, and eps 1e-5 would magnify rounding 300 times.
        rest = {"bn": {"mode": "train", "eps": 0.1, "momentum": 0.9},
                "pool": {"pool_height": min(2, Ho), "pool_width": min(int(rng.choice([2, 2, 3])), Wo), "stride": 2}}
        maps = L.conv_forward_im2col(*arguments.values(), conv_param)[0]
        if "bn" in names:
            arguments.update(gamma=rng.normal(size=F), beta=rng.normal(size=F))
            maps = L.spatial_batchnorm_forward(maps, arguments["gamma"], arguments["beta"], dict(rest["bn"]))[0]
        near = near_kinks(maps, rest["pool"] if "pool" in names else None)
        return near, (arguments, (conv_param, *(rest[name] for name in names)))

    def draw(rng):
        near = True
        while near:
            near, problem = draw_once(rng)
        return problem
    return draw


def draw_network(make):
    """All parameters of a small network as one vector; the rest is the network, X, y."""
    def draw(rng):
        model = make(dtype=np.float64, seed=int(rng.integers(1 << 30)))
        X = rng.normal(size=(rng.integers(2, 4), *model.input_shape))
        y = rng.integers(0, model.predict(X).shape[1], len(X))
        # Zero biases and unit gammas would leave what they multiply unseen.
        params = [array + 0.1 * rng.normal(size=array.shape) if array.ndim == 1 else array
                  for array in model.params.values()]
        return {"params": np.concatenate([array.ravel() for array in params])}, (model, X, y)
    return draw


def draw_picture(make):
    """X of a small network; the rest is the network."""
    def draw(rng):
        _, (model, X, _) = draw_network(make)(rng)
        return {"X": X}, (model,)
    return draw
