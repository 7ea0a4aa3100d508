"""One operation of cs231n_fer.nets.ladder on one rung and one shape: forward and backward."""
import numpy as np

from cs231n_fer.nets.ladder import LADDER

from . import Task

# The arguments of every operation. A new operation needs a line here, a new rung doesn't.
ARGUMENTS = {
    "affine": "x w b", "affine_relu": "x w b", "relu": "x", "max_pool": "x pool_param",
    "avg_pool": "x pool_param", "spatial_batchnorm": "x gamma beta bn_param",
    "spatial_groupnorm": "x group_gamma group_beta groups gn_param",
    "conv": "x w b conv_param", "conv_relu": "x w b conv_param",
    "conv_relu_pool": "x w b conv_param pool_param",
    "conv_bn_relu": "x w b gamma beta conv_param bn_param",
    "conv_bn_relu_pool": "x w b gamma beta conv_param bn_param pool_param",
}


def operations(net, batch):
    """Yield (operation, x shape, outputs, filter size) for the layers of a nets.Net.

    The operations are those of the ladder that fit the layer.
    """
    shape = (batch, 1, 48, 48)
    for kind, _, outputs in net.layers():
        convolved = (batch, outputs, *shape[2:])
        if kind == "conv":
            yield from ((name, shape, outputs, net.size) for name in LADDER
                        if name.startswith("conv"))
            yield from ((name, convolved, outputs, 2) for name in LADDER
                       if name in ("relu", "max_pool", "avg_pool", "spatial_batchnorm",
                                   "spatial_groupnorm"))
            shape = convolved
        elif kind == "pool":
            shape = (*shape[:2], shape[2] // 2, shape[3] // 2)
        elif kind == "affine":
            yield from ((name, shape, outputs, 0) for name in LADDER if name.startswith("affine"))
            shape = (batch, outputs)


def flops(operation, x_shape, outputs, size):
    """Return the FLOPs of a forward and backward pass, or None if no matrices are multiplied.

    Convolutions count as direct convolutions.
    """
    if operation.startswith("conv"):
        N, C, H, W = x_shape
        return 3 * 2 * N * outputs * H * W * C * size ** 2
    return 3 * 2 * int(np.prod(x_shape)) * outputs if operation.startswith("affine") else None


def channels_last(array):
    """Return a channels-last copy of images or filters, the layout of all rungs except naive."""
    if array.ndim != 4:
        return array
    return np.ascontiguousarray(array.transpose(0, 2, 3, 1)).transpose(0, 3, 1, 2)


def build(spec):
    """Return the Task of a spec with operation, rung, x_shape, outputs, size and images.

    `images` is the number of images that are used: the loops of the naive rung run only one.
    info["probes"] holds the results for the first image, multiplied by random numbers. All rungs
    must agree on them.
    """
    rng = np.random.default_rng(0)
    N = spec["x_shape"][0]
    outputs = spec["outputs"]
    size = spec["size"]
    is_conv = spec["operation"].startswith("conv")

    def draw(*shape):
        array = rng.standard_normal(shape, dtype=np.float32)
        return array if spec["rung"] == "naive" else channels_last(array)

    x = draw(*spec["x_shape"])
    fan_in = int(np.prod(x.shape[1:]))
    w = draw(outputs, x.shape[1], size, size) if is_conv else draw(fan_in, outputs)
    values = {"w": w, "b": draw(outputs), "gamma": draw(outputs), "beta": draw(outputs),
              "group_gamma": draw(1, outputs, 1, 1), "group_beta": draw(1, outputs, 1, 1),
              "groups": 8, "gn_param": {},
              "conv_param": {"stride": 1, "pad": size // 2}, "bn_param": {"mode": "train"},
              "pool_param": {"pool_height": 2, "pool_width": 2, "stride": 2}}
    arguments = [values[name] for name in ARGUMENTS[spec["operation"]].split()[1:]]
    forward, backward = LADDER[spec["operation"]][spec["rung"]]

    out, _ = forward(x[:1], *arguments)
    dout = draw(N, *out.shape[1:])
    x = x[:spec["images"]]
    dout = dout[:spec["images"]]

    def run(count=None):
        out, cache = forward(x[:count], *arguments)
        gradients = backward(dout[:count], cache)
        return [out, *(gradients if isinstance(gradients, tuple) else (gradients,))]

    return Task(run, info={"probes": probes_of(run(1), rng)})


def probes_of(arrays, rng):
    """Return the cosine between every array and random numbers.

    The norm of an array counts as at least 1 % of that of the first array, `out`, because the
    gradient of a bias before batchnorm consists of rounding errors.
    """
    floor = 0.01 * np.linalg.norm(arrays[0])
    drawn = [(array, rng.standard_normal(array.shape)) for array in arrays]
    return [float((array * weights).sum() / np.linalg.norm(weights)
                  / max(np.linalg.norm(array), floor))
            for array, weights in drawn]
