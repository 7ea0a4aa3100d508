"""Inference: a network whose parameters no longer change, prepared once for many forward passes.

Preparing it folds batchnorm into the weights, computes Winograd's transforms of the weights,
allocates memory, and turns a pass into a list of calls with all their arguments. If a batch has
fewer images than there are threads, several threads work on one image.
"""
from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, NamedTuple, TypeAlias

import numpy as np

from ..arrays import arena
from ..arrays.copying import Independent, packed, unpacked
from ..arrays.seam import contiguous, padded
from ..fast_layers import COMPILED, threads
from ..fast_layers.affine import product_call
from ..fast_layers.batchnorm import fold
from ..fast_layers.passes import parts_of, prepare_weights, scratch_of
from ..fast_layers.plans import ConvCache, find_convolution
from ..fast_layers.sandwiches import POOL, RELU, is_2x2
from ..kernels import conv as kernels
from ..kernels import product
from ..kernels.arguments import ForwardArrays
from ..shapes import check, real_numbers
from ..types import Array, Arrays, Shape
from .chain import Chain
from .ladder import is_fused
from .layer import TEST, Layer
from .network import Network, network_input
from .paths import INLINE, pick
from .records import Affine, GlobalAvgPool, ReLU
from .sandwich import Sandwich, fuse

__all__ = ["MOST_SIZES", "Predictor", "features"]

MOST_SIZES = 4  # batch sizes whose prepared passes are kept


class Call(NamedTuple):
    """A call of a prepared pass; scratch is the size of the workspace that each thread needs."""
    function: Callable[..., object]
    arguments: tuple[Any, ...]
    scratch: int = 0


Calls: TypeAlias = list[Call]
Bound: TypeAlias = tuple[Callable[..., object], tuple[Any, ...]]  # a function, all its arguments


class Pass(NamedTuple):
    """A prepared pass for batches of one size: its calls read x and write scores."""
    x: Array
    calls: list[Bound]
    scores: Array


class Predictor(Independent):
    """Test-time scores of a network as it is now: predictor(X (N, *input_shape)) -> (N, classes).

    network   a Network; later changes of its parameters have no effect
    until     name of a layer of its Chain whose input (N, ...) is returned instead of the scores
    The first call with a batch size N prepares memory and weights. Any number of threads may call a
    Predictor at the same time: a thread that finds all prepared passes in use prepares another one
    and keeps it for later calls.
    """

    def __init__(self, network: Network, until: str | None = None) -> None:
        self.input_shape = network.input_shape
        self.dtype = network.dtype
        param_shapes, buffer_shapes = network.layer.array_shapes(network.input_shape)
        params = {path: network.params[name] for path, name in network.names.items()}
        self.params = copied_to(self.dtype, params, param_shapes)
        self.buffers = copied_to(self.dtype, network.buffers, buffer_shapes)
        self.layer = fuse(network.layer if until is None else before(chain_of(network), until))
        self.ready: dict[tuple[int, int], list[Pass]] = {}  # (N, threads) -> passes not in use

    def __getstate__(self) -> dict[str, Any]:
        """Exclude prepared passes from copies: they hold addresses and arrays in use."""
        return {**self.__dict__, "params": packed(self.params), "ready": {}}

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Unpack the parameters."""
        self.__dict__.update(state, params=unpacked(state["params"]))

    def __call__(self, X: Array) -> Array:
        """Return the scores (N, classes) of X; ValueError unless X is (N, *input_shape), N >= 1."""
        X = network_input(X, self.dtype)
        if not X.ndim or X.shape[1:] != self.input_shape or not len(X):
            expected = ", ".join(map(str, self.input_shape))
            raise ValueError(f"X: has shape {X.shape}, expected (N, {expected}) "
                             "with N of at least 1")
        key = len(X), threads()
        ready = self._take(key) or self._prepare(len(X))
        ready.x[...] = X
        for function, arguments in ready.calls:
            function(*arguments)
        scores = ready.scores.copy()
        self._keep(key, ready)
        return scores

    def _take(self, key: tuple[int, int]) -> Pass | None:
        """Take a prepared pass that no thread uses, or return None; pop is atomic."""
        try:
            return self.ready[key].pop()
        except (KeyError, IndexError):
            return None

    def _keep(self, key: tuple[int, int], ready: Pass) -> None:
        """Keep a pass for later calls; one more batch size than MOST_SIZES drops all others."""
        if key not in self.ready and len(self.ready) >= MOST_SIZES:
            self.ready.clear()
        self.ready.setdefault(key, []).append(ready)

    def _prepare(self, count: int) -> Pass:
        """Return a pass for batches of `count` images."""
        x = np.zeros((count, *self.input_shape), self.dtype)
        calls, scores = calls_of(self.layer, self.params, self.buffers, x)
        return Pass(x, with_scratch(calls, self.dtype), scores)


def copied_to(dtype: np.dtype[Any], arrays: Arrays, shapes: Mapping[str, Shape]) -> Arrays:
    """Return copies of arrays by name, converted to a dtype, in their memory order.

    A network converts parameters of another dtype in every pass; this does so once. Raises
    ValueError if an array doesn't have the shape that its layer specifies.
    """
    found: Arrays = {}
    for name, shape in shapes.items():
        array = real_numbers(arrays[name], dtype, name).copy(order="K")
        check(array.shape == shape, f"{name}: has shape {array.shape}, expected {shape}")
        found[name] = array
    return found


def features(network: Network, X: Array, batch_size: int = 256) -> Array:
    """Return the input (N, C, H, W) of a network's head, its first Affine or GlobalAvgPool layer.

    Raises ValueError if the network has no such layer.
    """
    layers = chain_of(network).layers
    heads = [name for name, layer in layers if type(layer) in (Affine, GlobalAvgPool)]
    check(heads, f"network: has no affine or averaging layer, expected one after {layers[-1][0]!r}")
    extract = Predictor(network, until=heads[0])
    batches = [X[start:start + batch_size] for start in range(0, len(X), batch_size)]
    return np.concatenate([extract(batch) for batch in batches])


def chain_of(network: Network) -> Chain:
    """Return the layer of a network; raises ValueError unless it is a Chain."""
    if not isinstance(network.layer, Chain):
        kind = type(network.layer).__name__
        raise ValueError(f"network: its layer is of type {kind}, expected a Chain")
    return network.layer


def before(chain: Chain, name: str) -> Chain:
    """Return the layers before the named one as a Chain; raises ValueError for unknown names."""
    names = [other for other, _ in chain.layers]
    known = ", ".join(other for other in names if other != INLINE)
    check(name in names, f"until: got {name!r}, expected one of {known}")
    return Chain(chain.layers[:names.index(name)])


def with_scratch(calls: Calls, dtype: np.dtype[Any]) -> list[Bound]:
    """Return the (function, arguments) of calls; those that need a workspace share one.

    With a workspace for each layer, weights and workspaces exceed the L2 cache: 210 instead of
    174 us for one face.
    """
    most = max((call.scratch for call in calls), default=0)
    scratch = arena.empty((threads(), most), dtype)
    return [(function, (*arguments, scratch) if size else arguments)
            for function, arguments, size in calls]


def calls_of(layer: Layer, params: Arrays, buffers: Arrays, x: Array) -> tuple[Calls, Array]:
    """Return the calls that compute a layer's output from x, and the array they write it to."""
    prepare: Callable[..., tuple[Calls, Array]] = PREPARE.get(type(layer), any_calls)
    return prepare(layer, params, buffers, x)


def any_calls(layer: Layer, params: Arrays, buffers: Arrays, x: Array) -> tuple[Calls, Array]:
    """Prepare a layer of any kind: its forward pass is called as in the network."""
    out = arena.empty((len(x), *layer.out_shape(x.shape[1:])), x.dtype)
    return [Call(run_layer, (layer, params, buffers, x, out))], out


def run_layer(layer: Layer, params: Arrays, buffers: Arrays, x: Array, out: Array) -> None:
    """Write the output of a layer to out."""
    out[...] = layer.forward(params, buffers, x, TEST)[0]


def chain_calls(chain: Chain, params: Arrays, buffers: Arrays, x: Array) -> tuple[Calls, Array]:
    """Prepare the layers of a Chain in order."""
    calls: Calls = []
    for name, layer in chain.layers:
        layer_calls, x = calls_of(layer, pick(params, name), pick(buffers, name), x)
        calls += layer_calls
    return calls, x


def relu_calls(layer: ReLU, params: Arrays, buffers: Arrays, x: Array) -> tuple[Calls, Array]:
    """Prepare a ReLU on any rung."""
    out = arena.empty(x.shape, x.dtype)
    return [Call(partial(np.maximum, out=out), (x, 0))], out


def in_memory_order(x: Array) -> tuple[Calls, Array]:
    """Return x (N, C, H, W) as (N, H, W, C) in C order: a view if possible, else a copy."""
    turned = x.transpose(0, 2, 3, 1)
    return ([], turned) if turned.flags.carray else copied(turned)


def copied(x: Array) -> tuple[Calls, Array]:
    """Return the call that copies x, and the copy, which is in C order."""
    copy = arena.empty(x.shape, x.dtype)
    return [Call(np.copyto, (copy, x))], copy


def affine_calls(layer: Affine, params: Arrays, buffers: Arrays, x: Array) -> tuple[Calls, Array]:
    """Prepare an affine layer; for images, its weights are reordered to (H, W, C)."""
    if not COMPILED or layer.rung != "auto":
        return any_calls(layer, params, buffers, x)
    w = params["w"]
    b = params["b"]
    calls: Calls = []
    if x.ndim == 4:
        w = w.reshape(*x.shape[1:], -1).transpose(1, 2, 0, 3)
        w = np.ascontiguousarray(w).reshape(math.prod(x.shape[1:]), -1)
        calls, x = in_memory_order(x)
    elif not x.flags.carray:
        calls, x = copied(x)
    arguments, out = product_call(x.reshape(len(x), -1), w)
    out = out[:, :len(b)]
    return [*calls, Call(product.product, arguments), Call(np.add, (out, b, out))], out


def can_run(sandwich: Sandwich) -> bool:
    """Return whether a single call of a kernel computes the sandwich."""
    pool = sandwich.pool
    return COMPILED and is_fused(sandwich.conv.rung) and (pool is None or is_2x2(pool.pool_param))


def sandwich_calls(sandwich: Sandwich, params: Arrays, buffers: Arrays, x: Array
                   ) -> tuple[Calls, Array]:
    """Prepare conv [- batchnorm] - ReLU [- 2 x 2 max-pool]; batchnorm is folded into w and b."""
    if not can_run(sandwich):
        return any_calls(sandwich, params, buffers, x)
    dtype = x.dtype
    N = len(x)
    paths = sandwich.paths
    w = params[paths["w"]]
    b = params[paths["b"]] if "b" in paths else np.zeros(len(w), dtype)
    if sandwich.norm:
        rstd = 1 / np.sqrt(buffers[paths["running_var"]] + dtype.type(sandwich.norm.eps))
        gamma = params[paths["gamma"]]
        w, b = fold(w, b, gamma, params[paths["beta"]], buffers[paths["running_mean"]], rstd)
    record = sandwich.conv
    pools = sandwich.pool is not None
    conv = find_convolution(x, w, record.conv_param, record.rung)
    size = conv.plan.size
    nothing = conv.nothing
    calls, x = in_memory_order(x)
    cached = ConvCache(x, contiguous(w, (2, 3, 1, 0)), conv)
    u = prepare_weights(cached, scratch_of(conv.plan, dtype))
    half = 2 if pools else 1
    out = arena.empty((N, size.Ho // half, size.Wo // half, size.F), dtype)
    arrays = ForwardArrays(
        x=x.reshape(-1), weights=u, bias=padded(b, size.Fp), sign=conv.ones,
        out=nothing if pools else out.reshape(-1), pooled=out.reshape(-1) if pools else nothing,
        argmax=conv.no_bytes, sums=nothing)
    epilogue = POOL if pools else RELU
    arguments = (conv.numbers, conv.forward, epilogue, arrays, parts_of(N, conv.plan))
    run = Call(kernels.forward, arguments, conv.plan.scratch)
    return [*calls, run], out.transpose(0, 3, 1, 2)


PREPARE: dict[type[Layer], Callable[..., tuple[Calls, Array]]] = {
    Affine: affine_calls, Chain: chain_calls, ReLU: relu_calls, Sandwich: sandwich_calls}
