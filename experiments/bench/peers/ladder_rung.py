"""One operation of cs231n_fer.nets.ladder on one rung and one shape: forward and backward."""
import numpy as np

from cs231n_fer.nets.ladder import LADDER

from . import Task

# The arguments of the operations: a rung that is added needs nothing here, an operation needs its
# line.
ARGUMENTS = {
    "affine": "x w b", "affine_relu": "x w b", "relu": "x", "max_pool": "x pool_param",
    "avg_pool": "x pool_param",
    "spatial_batchnorm": "x gamma beta bn_param",
    "spatial_groupnorm": "x group_gamma group_beta groups gn_param",
    "conv": "x w b conv_param", "conv_relu": "x w b conv_param",
    "conv_relu_pool": "x w b conv_param pool_param",
    "conv_bn_relu": "x w b gamma beta conv_param bn_param",
    "conv_bn_relu_pool": "x w b gamma beta conv_param bn_param pool_param",
}


def operations(net, batch):
    """Yield (operation, x shape, outputs, filter size) of the ladder's operations on the layers of
    a nets.Net."""
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
    """FLOPs of forward and backward, convolutions counted directly; None for operations that
    multiply no matrices."""
    if operation.startswith("conv"):
        N, C, H, W = x_shape
        return 3 * 2 * N * outputs * H * W * C * size ** 2
    return 3 * 2 * int(np.prod(x_shape)) * outputs if operation.startswith("affine") else None


def channels_last(array):
    """Copy an image batch or filters to the memory that every rung but naive works on and
    returns."""
    if array.ndim != 4:
        return array
    axes, back = ((0, 2, 3, 1), (0, 3, 1, 2))
    return np.ascontiguousarray(array.transpose(axes)).transpose(back)


def build(spec):
    """Return the Task of a spec with operation, rung, x_shape, outputs and size.

    Its `images` says how many images of the batch are used: one of them is enough of a loop in
    Python. info["probes"] holds the results for the first image, multiplied with random numbers:
    those of two rungs must agree.
    """
    rng = np.random.default_rng(0)
    N, outputs, size = spec["x_shape"][0], spec["outputs"], spec["size"]

    def draw(*shape):
        array = rng.standard_normal(shape, dtype=np.float32)
        return array if spec["rung"] == "naive" else channels_last(array)

    x = draw(*spec["x_shape"])
    fan_in = int(np.prod(x.shape[1:]))
    w = draw(outputs, x.shape[1], size,
             size) if spec["operation"].startswith("conv") else draw(fan_in, outputs)
    values = {"w": w, "b": draw(outputs), "gamma": draw(outputs), "beta": draw(outputs),
              "group_gamma": draw(1, outputs, 1, 1), "group_beta": draw(1, outputs, 1, 1),
              "groups": 8, "gn_param": {},
              "conv_param": {"stride": 1, "pad": size // 2}, "bn_param": {"mode": "train"},
              "pool_param": {"pool_height": 2, "pool_width": 2, "stride": 2}}
    arguments = [values[name] for name in ARGUMENTS[spec["operation"]].split()[1:]]
    forward, backward = LADDER[spec["operation"]][spec["rung"]]

    out, _ = forward(x[:1], *arguments)
    dout = draw(N, *out.shape[1:])
    x, dout = x[:spec["images"]], dout[:spec["images"]]

    def run(count=None):
        out, cache = forward(x[:count], *arguments)
        gradients = backward(dout[:count], cache)
        return [out, *(gradients if isinstance(gradients, tuple) else (gradients,))]

    return Task(run, info={"probes": probes_of(run(1), rng)})


def probes_of(arrays, rng):
    """Multiply each array with random numbers: the cosines between the two.

    Only of what is large beside the first array, out: a bias before batchnorm has a gradient of
    rounding errors.
    """
    floor = 0.01 * np.linalg.norm(arrays[0])
    drawn = [(array, rng.standard_normal(array.shape)) for array in arrays]
    return [float((array
                   * weights).sum() / np.linalg.norm(weights) / max(np.linalg.norm(array), floor))
            for array, weights in drawn]
