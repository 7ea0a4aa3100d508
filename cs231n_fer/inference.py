"""Inference: a network whose weights don't change any more, made ready once.

Batchnorm becomes part of the weights, Winograd's transforms of the weights are taken once, and what is left of a
sandwich is one call of a kernel. With fewer images than threads the threads share the filters.
"""
import numpy as np

from . import memory
from .fast_batchnorm import fold
from .fast_layers import (
    COMPILED,
    ConvCache,
    contiguous,
    find_convolution,
    matrix_product,
    padded,
    parts_of,
    prepare_weights,
    scratch_of,
)
from .fast_sandwiches import POOL, RELU, is_2x2
from .kernels import conv as kernels
from .ladder import is_fused
from .network import Chain, Sandwich, fuse, pick
from .records import TEST, Affine, BatchNorm, Conv, MaxPool
from .shapes import check


class Predictor:
    """Test-time scores of a network as it is now: predictor(X (N, *input_shape)) -> (N, classes).

    network   a Network; later changes of its parameters have no effect here
    It may be called from one thread at a time.
    """

    def __init__(self, network):
        self.input_shape, self.dtype = network.input_shape, network.dtype
        params = {path: network.params[name].copy(order="K") for path, name in network.names.items()}
        buffers = {name: array.copy() for name, array in network.buffers.items()}
        self.stages = list(stages_of(fuse(network.layer), params, buffers, self.input_shape, self.dtype))

    def __call__(self, X):
        """Return the scores of X (N, *input_shape)."""
        X = np.asarray(X, self.dtype)
        check(X.shape[1:] == self.input_shape and len(X) > 0,
              f"X: has shape {X.shape}, expected (N, {', '.join(map(str, self.input_shape))}) with N of at least 1")
        for stage in self.stages:
            X = stage(X)
        return X


def stages_of(layer, params, buffers, shape, dtype):
    """Yield a function for each layer of a chain, in order."""
    for name, inner in layer.layers if isinstance(layer, Chain) and not isinstance(layer, Sandwich) else [("", layer)]:
        inner_params, inner_buffers = pick(params, name), pick(buffers, name)
        if isinstance(inner, Sandwich) and COMPILED and can_run(inner):
            yield SandwichStage(inner, inner_params, inner_buffers, shape, dtype)
        elif isinstance(inner, Affine) and COMPILED and inner.rung == "auto":
            yield affine_stage(inner_params, shape)
        elif isinstance(inner, Chain) and not isinstance(inner, Sandwich):
            yield from stages_of(inner, inner_params, inner_buffers, shape, dtype)
        else:
            yield plain_stage(inner, inner_params, inner_buffers)
        shape = inner.out_shape(shape)


def can_run(sandwich):
    """Whether a sandwich is one call of a kernel."""
    pool = sandwich.parts.get(MaxPool)
    return is_fused(sandwich.parts[Conv][1].rung) and (pool is None or is_2x2(pool[1].pool_param))


def plain_stage(layer, params, buffers):
    """Any other layer, as the network runs it."""
    return lambda x: layer.forward(params, buffers, x, TEST)[0]


def affine_stage(params, shape):
    """An affine layer; behind images its rows are put into the order of their memory, (H, W, C)."""
    w, b = params["w"], params["b"]
    if len(shape) == 3:
        C, H, W = shape
        w = np.ascontiguousarray(w.reshape(C, H, W, -1).transpose(1, 2, 0, 3)).reshape(len(w), -1)

    def affine(x):
        rows = contiguous(x, (0, 2, 3, 1)) if x.ndim == 4 else x
        return matrix_product(rows.reshape(len(x), -1), w) + b
    return affine


class SandwichStage:
    """conv [- batchnorm] - ReLU [- 2 x 2 max-pool], with batchnorm in the weights."""

    def __init__(self, sandwich, params, buffers, shape, dtype):
        parts = sandwich.parts
        conv_name, conv = parts[Conv]
        w = pick(params, conv_name)["w"]
        b = pick(params, conv_name)["b"] if conv.bias else np.zeros(len(w), dtype)
        if BatchNorm in parts:
            name, bn = parts[BatchNorm]
            bn_params, bn_buffers = pick(params, name), pick(buffers, name)
            w, b = fold(w, b, bn_params["gamma"], bn_params["beta"], bn_buffers["running_mean"],
                        1 / np.sqrt(bn_buffers["running_var"] + dtype.type(bn.eps)))
        image = np.broadcast_to(dtype.type(0), (1, *shape))
        self.conv, self.dtype = find_convolution(image, w, conv.conv_param, conv.rung), dtype
        self.pools = MaxPool in parts
        self.u = prepare_weights(ConvCache(None, contiguous(w, (2, 3, 1, 0)), self.conv)).copy()
        self.b = padded(b, self.conv.plan.size.Fp).copy()

    def __call__(self, x):
        """Return relu(conv(x)) or its max-pool."""
        conv, size, N, nothing = self.conv, self.conv.plan.size, len(x), self.conv.nothing
        out_shape = (N, size.Ho // 2, size.Wo // 2, size.F) if self.pools else (N, size.Ho, size.Wo, size.F)
        out = memory.empty(out_shape, self.dtype)
        winners = memory.empty(out.size // size.F * size.Fp if self.pools else 0, np.uint8)
        target = (nothing, out.reshape(-1)) if self.pools else (out.reshape(-1), nothing)
        kernels.forward(conv.numbers, conv.forward, POOL if self.pools else RELU, False,
                        contiguous(x, (0, 2, 3, 1)).reshape(-1), self.u, self.b, conv.ones, *target, winners, nothing,
                        scratch_of(conv.plan, self.dtype), N, *parts_of(N, size))
        return out.transpose(0, 3, 1, 2)

