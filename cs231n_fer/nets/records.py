"""Layers as frozen records: hyper-parameters only, bound to the functions of the ladder.

A record holds no array and no state, so one record can serve many networks and threads. Its contract:

    out_shape(shape)                          shape of one output for one input, both without the N axis
    init(rng, shape, dtype)                   -> (params, buffers): new arrays by name
    array_shapes(shape)                       -> (params, buffers): the shapes of these arrays by name
    forward(params, buffers, x, mode)         -> (out, cache)
    backward(dout, cache)                     -> (dx, grads), grads.keys() == params.keys()
    gradients(dout, cache)                    -> grads alone: a net's first layer need not compute dx
    flops(shape)                              multiplications and additions of one forward pass of one sample

Buffers (running averages) are what a forward pass in training mode may change; params are never written to.
"""
from dataclasses import dataclass
from math import prod

import numpy as np

from .. import layers as L
from ..shapes import check, conv_output_size
from .ladder import functions


@dataclass(frozen=True)
class Mode:
    """How to run a forward pass: train or test, and the np.random.Generator that draws the dropout masks."""
    train: bool
    rng: np.random.Generator | None = None

    @property
    def name(self):
        """'train' or 'test', the word that the course's parameter dictionaries use."""
        return "train" if self.train else "test"


TEST = Mode(train=False)


@dataclass(frozen=True)
class Layer:
    """A layer without parameters that keeps the shape: what the records below have in common."""

    def out_shape(self, shape):
        """Return the shape of one output."""
        return shape

    def init(self, rng, shape, dtype):
        """Return (params, buffers): none."""
        return {}, {}

    def array_shapes(self, shape):
        """Return (params, buffers) as init does, but the shapes of the arrays: none."""
        return {}, {}

    def gradients(self, dout, cache):
        """Return the gradients of the parameters alone."""
        return self.backward(dout, cache)[1]

    def flops(self, shape):
        """Return 0: only layers that multiply matrices are counted."""
        return 0


def initial_weights(rng, shape, dtype, weight_scale):
    """Draw weights by He's rule (He et al. 2015), or from a normal distribution of the given standard deviation."""
    if weight_scale is None:
        return L.he_normal(rng, shape, dtype)
    return L.scaled_normal(rng, shape, weight_scale, dtype)


@dataclass(frozen=True)
class Conv(Layer):
    """Convolution with `filters` filters of size x size; pad None keeps height and width at stride 1.

    bias False keeps b at zero by leaving it out of the parameters: right before a batchnorm, which cancels it.
    """
    filters: int
    size: int = 3
    stride: int = 1
    pad: int | None = None
    bias: bool = True
    weight_scale: float | None = None
    rung: str = "auto"

    @property
    def conv_param(self):
        """The course's dictionary of stride and padding."""
        return {"stride": self.stride, "pad": (self.size - 1) // 2 if self.pad is None else self.pad}

    def out_shape(self, shape):
        """(C, H, W) -> (F, Ho, Wo)."""
        check(self.filters >= 1, f"filters: got {self.filters}, expected 1 or more")
        check(len(shape) == 3, f"Conv: input shape is {shape}, expected (C, H, W); Conv must come before Affine")
        return (self.filters, *(conv_output_size(s, self.size, **self.conv_param) for s in shape[1:]))

    def init(self, rng, shape, dtype):
        """Draw w (F, C, HH, WW), in channels-last memory, and zero b (F,)."""
        w = initial_weights(rng, (self.filters, shape[0], self.size, self.size), dtype, self.weight_scale)
        return ({"w": w, "b": np.zeros(self.filters, dtype)} if self.bias else {"w": w}), {}

    def array_shapes(self, shape):
        """The shapes of w and b."""
        w = self.filters, shape[0], self.size, self.size
        return ({"w": w, "b": (self.filters,)} if self.bias else {"w": w}), {}

    def forward(self, params, buffers, x, mode):
        """Convolve on this record's rung."""
        b = params["b"] if self.bias else np.zeros(self.filters, x.dtype)
        return functions("conv", self.rung)[0](x, params["w"], b, self.conv_param)

    def backward(self, dout, cache):
        """Return dx and the gradients of w and b."""
        dx, dw, db = functions("conv", self.rung)[1](dout, cache)
        return dx, ({"w": dw, "b": db} if self.bias else {"w": dw})

    def gradients(self, dout, cache):
        """Return the gradients of w and b."""
        _, dw, db = functions("conv", self.rung)[1](dout, cache, want_dx=False)
        return {"w": dw, "b": db} if self.bias else {"w": dw}

    def flops(self, shape):
        """Two for each product of a filter value with a pixel."""
        return 2 * prod(self.out_shape(shape)) * shape[0] * self.size ** 2


@dataclass(frozen=True)
class Affine(Layer):
    """out = x w + b with `units` outputs; flattens (C, H, W) in logical order."""
    units: int
    weight_scale: float | None = None
    rung: str = "auto"

    def out_shape(self, shape):
        """Any shape -> (units,)."""
        check(self.units >= 1, f"units: got {self.units}, expected 1 or more")
        return (self.units,)

    def init(self, rng, shape, dtype):
        """Draw w (D, M) and zero b (M,)."""
        w = initial_weights(rng, (prod(shape), self.units), dtype, self.weight_scale)
        return {"w": w, "b": np.zeros(self.units, dtype)}, {}

    def array_shapes(self, shape):
        """The shapes of w and b."""
        return {"w": (prod(shape), self.units), "b": (self.units,)}, {}

    def forward(self, params, buffers, x, mode):
        """Multiply on this record's rung."""
        return functions("affine", self.rung)[0](x, params["w"], params["b"])

    def backward(self, dout, cache):
        """Return dx and the gradients of w and b."""
        dx, dw, db = functions("affine", self.rung)[1](dout, cache)
        return dx, {"w": dw, "b": db}

    def flops(self, shape):
        """Two for each weight."""
        return 2 * prod(shape) * self.units


@dataclass(frozen=True)
class ReLU(Layer):
    """max(x, 0)."""
    rung: str = "auto"

    def forward(self, params, buffers, x, mode):
        """Clip at zero."""
        return functions("relu", self.rung)[0](x)

    def backward(self, dout, cache):
        """Return dx and no gradients."""
        return functions("relu", self.rung)[1](dout, cache), {}


@dataclass(frozen=True)
class LeakyReLU(Layer):
    """x where positive, slope * x elsewhere (Maas et al. 2013)."""
    slope: float = 0.01

    def forward(self, params, buffers, x, mode):
        """Scale what is negative by slope."""
        return L.leaky_relu_forward(x, self.slope)

    def backward(self, dout, cache):
        """Return dx and no gradients."""
        return L.leaky_relu_backward(dout, cache), {}


@dataclass(frozen=True)
class _Pool(Layer):
    """A window of size x size moved by stride (None: by its own size)."""
    size: int = 2
    stride: int | None = None
    rung: str = "auto"

    @property
    def pool_param(self):
        """The course's dictionary of window and stride."""
        return {"pool_height": self.size, "pool_width": self.size, "stride": self.stride or self.size}

    def out_shape(self, shape):
        """(C, H, W) -> (C, Ho, Wo)."""
        check(len(shape) == 3, f"pool: input shape is {shape}, expected (C, H, W); pooling must come before Affine")
        return (shape[0], *(conv_output_size(s, self.size, self.pool_param["stride"], 0) for s in shape[1:]))

    def forward(self, params, buffers, x, mode):
        """Pool on this record's rung."""
        return functions(self.operation, self.rung)[0](x, self.pool_param)

    def backward(self, dout, cache):
        """Return dx and no gradients."""
        return functions(self.operation, self.rung)[1](dout, cache), {}


class MaxPool(_Pool):
    """The maximum of each window; ties go to the first in reading order."""
    operation = "max_pool"


class AvgPool(_Pool):
    """The mean of each window."""
    operation = "avg_pool"


@dataclass(frozen=True)
class GlobalAvgPool(Layer):
    """The mean of each channel (Lin et al. 2014)."""

    def out_shape(self, shape):
        """(C, H, W) -> (C,)."""
        return shape[:1]

    def forward(self, params, buffers, x, mode):
        """Average each channel."""
        return L.global_avg_pool_forward(x)

    def backward(self, dout, cache):
        """Return dx and no gradients."""
        return L.global_avg_pool_backward(dout, cache), {}


@dataclass(frozen=True)
class BatchNorm(Layer):
    """Batch normalisation (Ioffe & Szegedy 2015): over N for vectors, over N, H, W for images."""
    eps: float = 1e-5
    momentum: float = 0.9
    rung: str = "auto"

    def init(self, rng, shape, dtype):
        """gamma one, beta zero; running mean zero and variance one as buffers."""
        C = shape[0]
        return ({"gamma": np.ones(C, dtype), "beta": np.zeros(C, dtype)},
                {"running_mean": np.zeros(C, dtype), "running_var": np.ones(C, dtype)})

    def array_shapes(self, shape):
        """C numbers in each of the four."""
        C = shape[:1]
        return {"gamma": C, "beta": C}, {"running_mean": C, "running_var": C}

    def forward(self, params, buffers, x, mode):
        """Normalise; in training mode the running averages move in place."""
        bn_param = {"mode": mode.name, "eps": self.eps, "momentum": self.momentum, **buffers}
        forward = functions("spatial_batchnorm", self.rung)[0] if x.ndim == 4 else L.batchnorm_forward
        return forward(x, params["gamma"], params["beta"], bn_param)

    def backward(self, dout, cache):
        """Return dx and the gradients of gamma and beta."""
        backward = functions("spatial_batchnorm", self.rung)[1] if dout.ndim == 4 else L.batchnorm_backward_alt
        dx, dgamma, dbeta = backward(dout, cache)
        return dx, {"gamma": dgamma, "beta": dbeta}


@dataclass(frozen=True)
class LayerNorm(Layer):
    """Layer normalisation of vectors (Ba et al. 2016)."""
    eps: float = 1e-5

    def init(self, rng, shape, dtype):
        """gamma one, beta zero."""
        return {"gamma": np.ones(shape[0], dtype), "beta": np.zeros(shape[0], dtype)}, {}

    def array_shapes(self, shape):
        """As many numbers in both as a sample has."""
        return {"gamma": shape[:1], "beta": shape[:1]}, {}

    def forward(self, params, buffers, x, mode):
        """Normalise each sample."""
        return L.layernorm_forward(x, params["gamma"], params["beta"], {"eps": self.eps})

    def backward(self, dout, cache):
        """Return dx and the gradients of gamma and beta."""
        dx, dgamma, dbeta = L.layernorm_backward(dout, cache)
        return dx, {"gamma": dgamma, "beta": dbeta}


@dataclass(frozen=True)
class GroupNorm(Layer):
    """Group normalisation of images (Wu & He 2018): over each of `groups` groups of channels."""
    groups: int
    eps: float = 1e-5
    rung: str = "auto"

    def init(self, rng, shape, dtype):
        """gamma one, beta zero, (1, C, 1, 1) as in the course."""
        return {"gamma": np.ones((1, shape[0], 1, 1), dtype), "beta": np.zeros((1, shape[0], 1, 1), dtype)}, {}

    def array_shapes(self, shape):
        """(1, C, 1, 1) for both."""
        return {"gamma": (1, shape[0], 1, 1), "beta": (1, shape[0], 1, 1)}, {}

    def forward(self, params, buffers, x, mode):
        """Normalise each group of channels of each sample."""
        forward = functions("spatial_groupnorm", self.rung)[0]
        return forward(x, params["gamma"], params["beta"], self.groups, {"eps": self.eps})

    def backward(self, dout, cache):
        """Return dx and the gradients of gamma and beta."""
        dx, dgamma, dbeta = functions("spatial_groupnorm", self.rung)[1](dout, cache)
        return dx, {"gamma": dgamma, "beta": dbeta}


@dataclass(frozen=True)
class Dropout(Layer):
    """Inverted dropout (Srivastava et al. 2014); `keep` is the probability to keep a value.

    With a seed every forward pass draws the same mask, as numeric gradient checks need it; else the mode's rng draws.
    """
    keep: float = 0.5
    seed: int | None = None

    def forward(self, params, buffers, x, mode):
        """Drop values in training mode, hand x on in test mode."""
        source = {"rng": mode.rng} if self.seed is None else {"seed": self.seed}
        return L.dropout_forward(x, {"p": self.keep, "mode": mode.name, **source})

    def backward(self, dout, cache):
        """Return dx and no gradients."""
        return L.dropout_backward(dout, cache), {}
