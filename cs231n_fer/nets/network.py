"""Networks: chains and residual blocks of layers, and the parameters that belong to them.

A Chain is a layer again, and so is a Residual; they nest to any depth. Names of parameters are paths, so they are
unique at any depth: "block1/conv/w". Network adds arrays, a loss and L2 regularisation, and speaks the course's
`loss(X, y=None)`.
"""
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, cached_property
from itertools import pairwise
from math import prod

import numpy as np

from ..arrays.copying import Independent, packed, unpacked
from ..fast_layers.gradients import l2_gradients
from ..fast_layers.losses import softmax_loss_fast
from ..shapes import check, real_numbers
from .ladder import functions, is_fused
from .records import TEST, BatchNorm, Conv, Layer, MaxPool, Mode, ReLU

__all__ = ["Chain", "Mode", "Network", "Residual", "Sandwich", "TEST", "fuse"]


def pick(arrays, name):
    """Return the entries below a path prefix: {"conv/w": a, "bn/beta": b} with name "conv" gives {"w": a}.

    An empty name is no prefix.
    """
    return {rest: arrays[path] for path, rest in paths_below(name, tuple(arrays))} if name else arrays


@cache
def paths_below(name, paths):
    """Return those paths that begin with a name, as (path, what follows)."""
    prefix = name + "/"
    return [(path, path[len(prefix):]) for path in paths if path.startswith(prefix)]


def put(name, arrays):
    """Put a path prefix before every name: the inverse of pick."""
    return dict(zip(paths_from(name, tuple(arrays)), arrays.values(), strict=True)) if name else arrays


@cache
def paths_from(name, paths):
    """Return the paths below a name; an empty name is no prefix."""
    return [f"{name}/{path}" for path in paths] if name else paths


@dataclass(frozen=True)
class Chain(Layer):
    """Layers one after the other, as (name, layer) pairs; itself a layer.

    Raises ValueError where the name of a layer is that of another, or the beginning of its path:
    they would share parameters.
    """
    layers: tuple

    def __post_init__(self):
        names = sorted(name + "/" for name in names_in(self))
        shared = [name for name, later in pairwise(names) if later.startswith(name)]
        check(not shared, f"layers: several have the path {', '.join(shared)}; give each layer a name of its own")

    def out_shape(self, shape):
        """Hand the shape through every layer."""
        for _, layer in self.layers:
            shape = layer.out_shape(shape)
        return shape

    def init(self, rng, shape, dtype):
        """Return the params and buffers of every layer below its name."""
        params, buffers = {}, {}
        for name, layer in self.layers:
            new_params, new_buffers = layer.init(rng, shape, dtype)
            params.update(put(name, new_params))
            buffers.update(put(name, new_buffers))
            shape = layer.out_shape(shape)
        return params, buffers

    def array_shapes(self, shape):
        """Return the shapes of the params and buffers of every layer below its name."""
        params, buffers = {}, {}
        for name, layer in self.layers:
            param_shapes, buffer_shapes = layer.array_shapes(shape)
            params.update(put(name, param_shapes))
            buffers.update(put(name, buffer_shapes))
            shape = layer.out_shape(shape)
        return params, buffers

    def forward(self, params, buffers, x, mode):
        """Run the layers in order; the cache is the list of theirs."""
        caches = []
        for name, layer in self.layers:
            x, cache = layer.forward(pick(params, name), pick(buffers, name), x, mode)
            caches.append(cache)
        return x, caches

    def backward(self, dout, cache):
        """Run the layers in reverse order: the chain rule."""
        grads = {}
        for (name, layer), layer_cache in zip(reversed(self.layers), reversed(cache), strict=True):
            dout, layer_grads = layer.backward(dout, layer_cache)
            grads.update(put(name, layer_grads))
        return dout, grads

    def gradients(self, dout, cache):
        """Run the layers in reverse order, the first one without its dx."""
        if not self.layers:
            return {}
        (name, first), later = self.layers[0], Chain(self.layers[1:])
        dout, grads = later.backward(dout, cache[1:])
        return {**grads, **put(name, first.gradients(dout, cache[0]))}

    def flops(self, shape):
        """Add up the layers."""
        total = 0
        for _, layer in self.layers:
            total += layer.flops(shape)
            shape = layer.out_shape(shape)
        return total


def names_in(chain):
    """Yield the names of the layers of a Chain; those of a nested Chain without a name count as its own."""
    for name, layer in chain.layers:
        if name:
            yield name
        elif isinstance(layer, Chain):
            yield from names_in(layer)


@dataclass(frozen=True)
class Sandwich(Chain):
    """conv [- batchnorm] - ReLU [- max-pool] as one fused operation: parameters and results are those of the Chain.

    On the rungs naive and im2col of its convolution it is the Chain.
    """

    def __post_init__(self):
        super().__post_init__()
        kinds = [type(layer) for _, layer in self.layers]
        expected = [Conv, *([BatchNorm] if BatchNorm in kinds else []), ReLU, *([MaxPool] if MaxPool in kinds else [])]
        check(kinds == expected, f"Sandwich: got {[kind.__name__ for kind in kinds]}, "
                                 "expected Conv [, BatchNorm], ReLU [, MaxPool]")

    def __reduce__(self):
        """A copy finds its functions again: another process may have no compiler."""
        return type(self), (self.layers,)

    @cached_property
    def parts(self):
        """Path and record of each kind of layer in it."""
        return {type(layer): (name, layer) for name, layer in self.layers}

    @cached_property
    def paths(self):
        """Paths of all arrays of its layers: {"w": "conv/w", "gamma": "bn/gamma", ...}."""
        of_conv = ("w", "b") if self.parts[Conv][1].bias else ("w",)
        arrays = (Conv, of_conv), (BatchNorm, ("gamma", "beta", "running_mean", "running_var"))
        return {each: path for kind, names in arrays if kind in self.parts
                for each, path in zip(names, paths_from(self.parts[kind][0], names), strict=True)}

    @cached_property
    def functions(self):
        """(forward, backward) of the fused operation."""
        operation = "conv" + "_bn" * (BatchNorm in self.parts) + "_relu" + "_pool" * (MaxPool in self.parts)
        return functions(operation, self.parts[Conv][1].rung)

    def forward(self, params, buffers, x, mode):
        """Run the fused operation; the cache is its own."""
        parts, paths = self.parts, self.paths
        _, conv = parts[Conv]
        if not is_fused(conv.rung):
            return super().forward(params, buffers, x, mode)
        w = params[paths["w"]]
        arguments = [x, w, params[paths["b"]] if "b" in paths else np.zeros(len(w), w.dtype)]
        settings = [conv.conv_param]
        if BatchNorm in parts:
            _, bn = parts[BatchNorm]
            arguments += [params[paths["gamma"]], params[paths["beta"]]]
            settings.append({"mode": mode.name, "eps": bn.eps, "momentum": bn.momentum,
                             **{name: buffers[paths[name]] for name in ("running_mean", "running_var")}})
        if MaxPool in parts:
            settings.append(parts[MaxPool][1].pool_param)
        return self.functions[0](*arguments, *settings)

    def backward(self, dout, cache):
        """Return dx and the gradients, by the same names as the Chain's."""
        if not is_fused(self.parts[Conv][1].rung):
            return super().backward(dout, cache)
        return self._backward(dout, cache, want_dx=True)

    def gradients(self, dout, cache):
        """Return the gradients of the parameters alone."""
        if not is_fused(self.parts[Conv][1].rung):
            return super().gradients(dout, cache)
        return self._backward(dout, cache, want_dx=False)[1]

    def _backward(self, dout, cache, want_dx):
        dx, *found = self.functions[1](dout, cache, want_dx=want_dx)
        names = ("w", "b", "gamma", "beta")[:len(found)]
        return dx, {self.paths[name]: each for name, each in zip(names, found, strict=True) if name in self.paths}


def fuse(layer):
    """Return a layer with every conv [- batchnorm] - ReLU [- max-pool] in its Chains as a Sandwich; names stay."""
    if isinstance(layer, Residual):
        return Residual(fuse(layer.body), fuse(layer.shortcut))
    if not isinstance(layer, Chain) or isinstance(layer, Sandwich):
        return layer
    fused, rest = [], list(layer.layers)
    while rest:
        kinds = [type(each) for _, each in rest[:4]]
        sizes = [len(pattern) for pattern in PATTERNS if kinds[:len(pattern)] == list(pattern)]
        if sizes:
            fused.append(("", Sandwich(tuple(rest[:max(sizes)]))))
            del rest[:max(sizes)]
        else:
            name, inner = rest.pop(0)
            fused.append((name, fuse(inner)))
    # A Chain that is one sandwich need not be nested.
    return fused[0][1] if len(fused) == 1 and fused[0][0] == "" else Chain(tuple(fused))


PATTERNS = ((Conv, ReLU), (Conv, ReLU, MaxPool), (Conv, BatchNorm, ReLU), (Conv, BatchNorm, ReLU, MaxPool))


@dataclass(frozen=True)
class Residual(Layer):
    """out = body(x) + shortcut(x) (He et al. 2016); an empty shortcut hands x on, a Chain can change its shape."""
    body: Layer
    shortcut: Layer = Chain(())

    def out_shape(self, shape):
        """Both ways must end in the same shape."""
        body, shortcut = self.body.out_shape(shape), self.shortcut.out_shape(shape)
        check(body == shortcut, f"Residual: body gives {body} but shortcut gives {shortcut} for input {shape}; "
                                "put a 1x1 Conv with the same stride into the shortcut")
        return body

    def init(self, rng, shape, dtype):
        """Return the params and buffers below "body" and "shortcut"."""
        ways = self.body.init(rng, shape, dtype), self.shortcut.init(rng, shape, dtype)
        return tuple({**put("body", body), **put("shortcut", short)} for body, short in zip(*ways, strict=True))

    def array_shapes(self, shape):
        """Return the shapes of the params and buffers below "body" and "shortcut"."""
        ways = self.body.array_shapes(shape), self.shortcut.array_shapes(shape)
        return tuple({**put("body", body), **put("shortcut", short)}
                     for body, short in zip(*ways, strict=True))

    def forward(self, params, buffers, x, mode):
        """Add the two ways."""
        body, body_cache = self.body.forward(pick(params, "body"), pick(buffers, "body"), x, mode)
        short, short_cache = self.shortcut.forward(pick(params, "shortcut"), pick(buffers, "shortcut"), x, mode)
        return body + short, (body_cache, short_cache)

    def backward(self, dout, cache):
        """A sum hands its gradient to both ways; where they part, their gradients add up."""
        dbody, body_grads = self.body.backward(dout, cache[0])
        dshort, short_grads = self.shortcut.backward(dout, cache[1])
        return dbody + dshort, {**put("body", body_grads), **put("shortcut", short_grads)}

    def flops(self, shape):
        """Add up the two ways."""
        return self.body.flops(shape) + self.shortcut.flops(shape)


class Network(Independent):
    """A layer with its arrays, a loss and L2 regularisation.

    layer         a record, in most cases a Chain
    input_shape   shape of one sample, (C, H, W) or (D,)
    loss          function (scores, y) -> (loss, dscores) of cs231n_fer.layers
    reg           strength of 0.5 * reg * sum(w ** 2) over the weights of conv and affine layers
    dtype, seed   of the parameters; the same seed gives the same network and the same dropout masks
    names         optional {path: public name}, for the nets of the course ("W1" for "affine1/w")
    max_params    optional bound on the numbers in params: a larger network is refused before memory is
                  taken for it, as load_model needs it for what a file asks for

    params and buffers are dictionaries of arrays; assign to params freely, the next pass uses what is there.
    teacher is None or a function X -> probabilities (N, classes), for distillation: the loss function then gets those
    of the very batch, shuffled and flipped as it is, as a third argument.
    A copy has params, buffers and a generator of its own.
    """

    def __init__(self, layer, input_shape, *, loss=softmax_loss_fast, reg=0.0, dtype=np.float32, seed=None, names=None,
                 max_params=None):
        self.layer, self.input_shape = layer, tuple(input_shape)
        self.loss_function: Callable = loss
        self.teacher: Callable | None = None
        self.reg, self.dtype = reg, np.dtype(dtype)
        self.rng = np.random.default_rng(seed)
        check(reg >= 0, f"reg: got {reg}, expected 0 or more")
        check(self.dtype in (np.float32, np.float64), f"dtype: got {self.dtype}, expected float32 or float64")
        layer.out_shape(self.input_shape)  # what doesn't fit together says so now
        param_shapes, _ = layer.array_shapes(self.input_shape)
        self.names = {path: (names or {}).get(path, path) for path in param_shapes}
        if max_params is not None:
            total = sum(map(prod, param_shapes.values()))
            check(total <= max_params, f"the network has {total:,} parameters, expected at most "
                                       f"max_params {max_params:,}")
        params, self.buffers = layer.init(self.rng, self.input_shape, self.dtype)
        self._weights = [name for path, name in self.names.items() if path.split("/")[-1] == "w"]
        self.params = {self.names[path]: array for path, array in params.items()}

    def __getstate__(self):
        """Params keep their memory orders in a copy."""
        return {**self.__dict__, "params": packed(self.params)}

    def __setstate__(self, state):
        self.__dict__.update(state, params=unpacked(state["params"]))

    def forward(self, X, mode=TEST):
        """Run the layers on X (N, *input_shape); returns (scores (N, classes), cache).

        Where input_shape is (D,), a sample may have any shape of D numbers. Raises ValueError otherwise.
        """
        X = real_numbers(X, self.dtype, "X")
        if not X.ndim or len(X) == 0:
            raise ValueError(f"X: has shape {X.shape}, expected at least one sample")
        # A net of vectors flattens its samples, as in the course; images keep their axes.
        flat = len(self.input_shape) == 1 and X.ndim > 1 and prod(X.shape[1:]) == self.input_shape[0]
        if X.shape[1:] != self.input_shape and not flat:
            raise ValueError(f"X: one sample has shape {X.shape[1:]}, expected {self.input_shape}")
        params = {path: self.params[name] for path, name in self.names.items()}
        return self.layer.forward(params, self.buffers, X, mode)

    def backward(self, dscores, cache):
        """Run the layers backwards from dscores (N, classes); returns (dX, grads) without regularisation."""
        dX, grads = self.layer.backward(dscores, cache)
        return dX, {self.names[path]: grads[path] for path in self.names}

    def loss(self, X, y=None):
        """Return test-time scores (N, classes) if y is None, else the training loss and its gradients.

        The loss is a float: the mean over the batch plus regularisation; grads has the keys of params, and is a Flat.
        """
        if y is None:
            return self.forward(X)[0]
        scores, cache = self.forward(X, Mode(train=True, rng=self.rng))
        taught = () if self.teacher is None else (self.teacher(X),)
        loss, dscores = self.loss_function(scores, y, *taught)
        layer_grads = self.layer.gradients(dscores, cache)
        grads = {name: layer_grads[path] for path, name in self.names.items()}
        added, grads = l2_gradients(self.params, grads, dict.fromkeys(self.regularised(), self.reg))
        return loss + added, grads

    def regularised(self):
        """Names of the parameters that L2 regularisation reaches: weights, but no biases, gammas or betas."""
        return self._weights if self.reg else []

    def predict(self, X, batch_size=256):
        """Return test-time scores (N, classes) of X, computed in batches."""
        return np.concatenate([self.loss(X[i:i + batch_size]) for i in range(0, len(X), batch_size)])

    def summary(self):
        """Return a table of layers, output shapes, parameters and FLOPs of one forward pass of one sample."""
        rows = list(_rows(self.layer, "", self.input_shape))
        width, kinds = max(len(path) for path, *_ in rows), max(len(type(layer).__name__) for _, layer, *_ in rows)
        lines = [f"{'layer':{width}}  {'kind':{kinds}} {'output':>15} {'parameters':>12} {'MFLOP':>8}"]
        for path, layer, shape, out_shape in rows:
            count = sum(self.params[name].size for p, name in self.names.items() if p.startswith(path + "/"))
            lines.append(f"{path:{width}}  {type(layer).__name__:{kinds}} {' x '.join(map(str, out_shape)):>15} "
                         f"{count:12,} {layer.flops(shape) / 1e6:8.2f}")
        total = sum(array.size for array in self.params.values())
        flops = self.layer.flops(self.input_shape) / 1e6
        lines.append(f"{'total':{width}}  {'':{kinds}} {'':>15} {total:12,} {flops:8.2f}")
        return "\n".join(lines)


def _rows(layer, path, shape):
    """Yield (path, layer, input shape, output shape) of every layer that is no Chain or Residual."""
    if isinstance(layer, Chain):
        for name, inner in layer.layers:
            yield from _rows(inner, f"{path}/{name}".strip("/"), shape)
            shape = inner.out_shape(shape)
    elif isinstance(layer, Residual):
        yield from _rows(layer.body, f"{path}/body".strip("/"), shape)
        yield from _rows(layer.shortcut, f"{path}/shortcut".strip("/"), shape)
    else:
        yield path, layer, shape, layer.out_shape(shape)
