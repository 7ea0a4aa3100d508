"""Inference: a network whose weights don't change any more, made ready once.

Batchnorm becomes part of the weights, Winograd's transforms of the weights are taken, memory is laid out, and what is
left of a pass is a list of calls with all their arguments. With fewer images than threads the threads share an image.
"""
from functools import partial

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
from .ladder import is_fused
from .network import Chain, Sandwich, fuse, pick
from .records import TEST, Affine, BatchNorm, Conv, GlobalAvgPool, MaxPool, ReLU

MOST_SIZES = 4  # of batches that are kept ready


class Predictor(Independent):
    """Test-time scores of a network as it is now: predictor(X (N, *input_shape)) -> (N, classes).

    network   a Network; later changes of its parameters have no effect here
    until     name of one of the layers of its Chain: stop before it, and give what it would get, (N, ...) features
    The first call for an N makes memory and weights ready. Any number of threads may call it at once: each makes ready
    what it needs where the others use all that there is, and leaves it for the next call.
    """

    def __init__(self, network, until=None):
        self.input_shape, self.dtype = network.input_shape, network.dtype
        param_shapes, buffer_shapes = network.layer.array_shapes(network.input_shape)
        params = {path: network.params[name] for path, name in network.names.items()}
        self.params = copied_to(self.dtype, params, param_shapes)
        self.buffers = copied_to(self.dtype, network.buffers, buffer_shapes)
        self.layer = fuse(network.layer if until is None else before(network.layer, until))
        self.ready = {}  # (N, threads) -> list of what is ready for such a batch and in no thread's use

    def __getstate__(self):
        """A copy makes ready what it needs itself: calls hold addresses, and arrays that are written on."""
        return {**self.__dict__, "params": packed(self.params), "ready": {}}

    def __setstate__(self, state):
        self.__dict__.update(state, params=unpacked(state["params"]))

    def __call__(self, X):
        """Return the scores of X (N, *input_shape)."""
        X = real_numbers(X, self.dtype, "X")
        if not X.ndim or X.shape[1:] != self.input_shape or not len(X):
            raise ValueError(f"X: has shape {X.shape}, expected (N, {', '.join(map(str, self.input_shape))}) with N of "
                             "at least 1")
        key = len(X), threads()
        ready = self._take(key) or self._make_ready(len(X))
        x, calls, out = ready
        x[...] = X
        for function, arguments in calls:
            function(*arguments)
        scores = out.copy()
        self._keep(key, ready)
        return scores

    def _take(self, key):
        """Take what is ready for a batch away from the other threads; None where nothing is. A pop is atomic."""
        try:
            return self.ready[key].pop()
        except (KeyError, IndexError):
            return None

    def _keep(self, key, ready):
        """Leave what is ready to the next call; of more than MOST_SIZES kinds of batches the last one alone."""
        if key not in self.ready and len(self.ready) >= MOST_SIZES:
            self.ready.clear()
        self.ready.setdefault(key, []).append(ready)

    def _make_ready(self, count):
        """Return (input, calls, scores) for `count` images: each call writes what the next one reads."""
        x = np.zeros((count, *self.input_shape), self.dtype)
        calls, scores = calls_of(self.layer, self.params, self.buffers, x)
        return x, with_scratch(calls, self.dtype), scores


def copied_to(dtype, arrays, shapes):
    """Return copies of arrays by name in a dtype, each in its own memory order.

    The network promotes a parameter of another dtype at each pass; here all take that of the network.
    Raises ValueError where an array has not the shape {name: shape} that its layer gave it.
    """
    found = {}
    for name, shape in shapes.items():
        array = real_numbers(arrays[name], dtype, name).copy(order="K")
        check(array.shape == tuple(shape), f"{name}: has shape {array.shape}, expected {tuple(shape)}")
        found[name] = array
    return found


def features(network, X, batch_size=256):
    """Return what the head of a network gets, (N, C, H, W): the maps below its first affine or averaging layer."""
    layers = [(name, type(layer)) for name, layer in network.layer.layers]
    heads = [name for name, kind in layers if kind in (Affine, GlobalAvgPool)]
    check(heads, f"network: has no affine or averaging layer, expected one after {layers[-1][0]!r}")
    extract = Predictor(network, until=heads[0])
    return np.concatenate([extract(X[i:i + batch_size]) for i in range(0, len(X), batch_size)])


def before(chain, name):
    """Return the layers of a Chain before the named one, as a Chain."""
    names = [each for each, _ in chain.layers]
    check(name in names, f"until: got {name!r}, expected one of {', '.join(filter(None, names))}")
    return Chain(chain.layers[:names.index(name)])


def with_scratch(calls, dtype):
    """Return [(function, arguments)] of calls of calls_of: those that need scratch memory get the same, at the end.

    With memory of its own for each layer weights and memory are more than L2 holds: 210 instead of 174 us for one face.
    """
    scratch = arena.empty((threads(), max((size for *_, size in calls), default=0)), dtype)
    return [(function, (*arguments, scratch) if size else arguments) for function, arguments, size in calls]


def calls_of(layer, params, buffers, x):
    """Return ([(function, arguments, scratch)], out): calls that write to the array out what a layer makes of array x.

    scratch   numbers of scratch memory that every thread needs, which then is a last argument
    """
    if isinstance(layer, Sandwich) and COMPILED and can_run(layer):
        return sandwich_calls(layer, params, buffers, x)
    if isinstance(layer, Affine) and COMPILED and layer.rung == "auto":
        return affine_calls(params["w"], params["b"], x)
    if isinstance(layer, ReLU):
        out = arena.empty(x.shape, x.dtype)
        return [(partial(np.maximum, out=out), (x, 0), 0)], out
    if not isinstance(layer, Chain) or isinstance(layer, Sandwich):
        out = arena.empty((len(x), *layer.out_shape(x.shape[1:])), x.dtype)
        return [(run_layer, (layer, params, buffers, x, out), 0)], out
    calls = []
    for name, inner in layer.layers:
        inner_calls, x = calls_of(inner, pick(params, name), pick(buffers, name), x)
        calls += inner_calls
    return calls, x


def run_layer(layer, params, buffers, x, out):
    """Any layer, as the network runs it."""
    out[...] = layer.forward(params, buffers, x, TEST)[0]


def can_run(sandwich):
    """Whether a sandwich is one call of a kernel."""
    pool = sandwich.parts.get(MaxPool)
    return is_fused(sandwich.parts[Conv][1].rung) and (pool is None or is_2x2(pool[1].pool_param))


def in_memory_order(x):
    """Return x (N, C, H, W) as (N, H, W, C): the same memory if it lies so, else a copy and the call that makes it."""
    turned = x.transpose(0, 2, 3, 1)
    return ([], turned) if turned.flags.carray else copied(turned)


def copied(x):
    """Return x in C order: a copy, and the call that makes it."""
    copy = arena.empty(x.shape, x.dtype)
    return [(np.copyto, (copy, x), 0)], copy


def affine_calls(w, b, x):
    """An affine layer; behind images its rows are put into the order of their memory, (H, W, C)."""
    calls = []
    if x.ndim == 4:
        w = np.ascontiguousarray(w.reshape(*x.shape[1:], -1).transpose(1, 2, 0, 3)).reshape(len(w), -1)
        calls, x = in_memory_order(x)
    elif not x.flags.carray:
        calls, x = copied(x)
    arguments, out = product_call(x.reshape(len(x), -1), w)
    out = out[:, :len(b)]
    return [*calls, (product.product, arguments, 0), (np.add, (out, b, out), 0)], out


def sandwich_calls(sandwich, params, buffers, x):
    """conv [- batchnorm] - ReLU [- 2 x 2 max-pool], with batchnorm in the weights."""
    parts, dtype, N = sandwich.parts, x.dtype, len(x)
    paths, (_, record) = sandwich.paths, parts[Conv]
    w = params[paths["w"]]
    b = params[paths["b"]] if "b" in paths else np.zeros(len(w), dtype)
    if BatchNorm in parts:
        _, bn = parts[BatchNorm]
        w, b = fold(w, b, params[paths["gamma"]], params[paths["beta"]], buffers[paths["running_mean"]],
                    1 / np.sqrt(buffers[paths["running_var"]] + dtype.type(bn.eps)))
    conv, pools = find_convolution(x, w, record.conv_param, record.rung), MaxPool in parts
    size, nothing = conv.plan.size, conv.nothing
    u = prepare_weights(ConvCache(None, contiguous(w, (2, 3, 1, 0)), conv), scratch_of(conv.plan, dtype))
    calls, x = in_memory_order(x)
    half = 2 if pools else 1
    out = arena.empty((N, size.Ho // half, size.Wo // half, size.F), dtype)
    arrays = ForwardArrays(
        x=x.reshape(-1), weights=u, bias=padded(b, size.Fp), sign=conv.ones,
        out=nothing if pools else out.reshape(-1), pooled=out.reshape(-1) if pools else nothing,
        argmax=conv.no_bytes, sums=nothing)
    epilogue = POOL if pools else RELU
    arguments = (conv.numbers, conv.forward, epilogue, arrays, parts_of(N, conv.plan))
    return [*calls, (kernels.forward, arguments, conv.plan.scratch)], out.transpose(0, 3, 1, 2)
