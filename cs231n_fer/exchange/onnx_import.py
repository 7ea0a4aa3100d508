"""ONNX files as networks of ours, to run, to inspect and to train further.

The nodes of a graph are read from its output back to its input. A node with one input of data
becomes a record; an Add of two becomes a Residual, whose branches begin at the last value that both
depend on. READERS lists the operations.
"""
from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from os import PathLike, fspath
from typing import Any, NamedTuple, TypeAlias

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import numpy_helper

from ..nets.chain import Chain, Residual
from ..nets.grouped import GroupedConv
from ..nets.layer import Layer
from ..nets.network import Network
from ..nets.norms import BatchNorm
from ..nets.records import (
    Affine,
    AvgPool,
    Conv,
    Dropout,
    GlobalAvgPool,
    LeakyReLU,
    MaxPool,
    ReLU,
)
from ..nets.sandwich import fuse
from ..nets.shaping import Flatten, Pad
from ..shapes import check
from ..types import Shape

__all__ = ["import_onnx"]

Values: TypeAlias = dict[str, NDArray[Any]]


class Part(NamedTuple):
    """A layer that was read: its record, and its arrays by name, parameters and buffers."""
    layer: Layer
    arrays: Values = {}


@dataclass(frozen=True)
class Node:
    """A node of the graph: its operation, attributes, and constant inputs by position.

    batch   number of samples for which the file was written; 0: any
    """
    operation: str
    name: str
    inputs: tuple[str, ...]
    output: str
    attributes: Mapping[str, Any]
    constants: Mapping[int, NDArray[Any]] = field(default_factory=dict)
    batch: int = 0

    def check(self, condition: object, came: str, expected: str) -> None:
        """Raise ValueError naming the node unless condition is true."""
        check(condition, f"{self.operation} {self.name!r}: got {came}, expected {expected}")

    def attribute(self, name: str, default: Any) -> Any:
        """Return an attribute, or what ONNX takes where it is missing."""
        return self.attributes.get(name, default)


def import_onnx(path: str | PathLike[str], input_shape: Shape | None = None) -> Network:
    """Return a Network (float32) that computes what an ONNX file computes.

    path          of the file
    input_shape   shape of one sample, (C, H, W) or (D,); None: the file says it
    A Softmax at the end is left out: the network returns scores, as its loss expects them. Raises
    ValueError, naming the node, for an operation or attribute that no record of ours has:
    filters and windows are square, and their strides and paddings the same on all sides.
    """
    model = onnx.load(fspath(path))
    graph = model.graph
    constant_names = {value.name for value in graph.initializer}
    inputs = [value for value in graph.input if value.name not in constant_names]
    check(len(inputs) == 1 and len(graph.output) == 1,
          f"{path}: the graph has {len(inputs)} inputs and {len(graph.output)} outputs, "
          "expected one of each")
    shape = tuple(input_shape) if input_shape else shape_of(inputs[0], path)
    nodes = nodes_of(graph)
    end = graph.output[0].name
    while end in nodes and nodes[end].operation in ("Softmax", "Identity"):
        end = nodes[end].inputs[0]
    parts = Reader(nodes).parts(inputs[0].name, end)
    layer, arrays = numbered(parts)
    network = Network(fuse(layer), shape, seed=0)
    fill(network, arrays)
    return network


def shape_of(value: onnx.ValueInfoProto, path: str | PathLike[str]) -> Shape:
    """Return the shape of one sample of the input of a graph."""
    axes = value.type.tensor_type.shape.dim[1:]
    check(axes and all(axis.dim_value > 0 for axis in axes),
          f"{path}: does not say the shape of one sample; pass input_shape=(C, H, W)")
    return tuple(axis.dim_value for axis in axes)


def nodes_of(graph: onnx.GraphProto) -> dict[str, Node]:
    """Return the nodes of a graph by their first output, with constant inputs resolved."""
    values: Values = {value.name: numpy_helper.to_array(value) for value in graph.initializer}
    nodes: dict[str, Node] = {}
    batch = graph.input[0].type.tensor_type.shape.dim[0].dim_value
    for node in graph.node:
        attributes = {item.name: onnx.helper.get_attribute_value(item) for item in node.attribute}
        if node.op_type == "Constant":
            values[node.output[0]] = constant_of(node, attributes)
        elif node.op_type == "Identity" and node.input[0] in values:
            values[node.output[0]] = values[node.input[0]]
        else:
            known = {i: values[name] for i, name in enumerate(node.input) if name in values}
            nodes[node.output[0]] = Node(node.op_type, node.name or node.output[0],
                                         tuple(node.input), node.output[0], attributes, known, batch)
    return nodes


def constant_of(node: onnx.NodeProto, attributes: Mapping[str, Any]) -> NDArray[Any]:
    """Return the value of a Constant node."""
    for name, value in attributes.items():
        if name == "value":
            return numpy_helper.to_array(value)
        if name in ("value_float", "value_int", "value_floats", "value_ints"):
            return np.asarray(value)
    raise ValueError(f"Constant {node.name!r}: got {sorted(attributes)}, expected numbers")


class Reader:
    """Reads layers from the values of a graph; nodes are found by the name of their output."""

    def __init__(self, nodes: dict[str, Node]) -> None:
        self.nodes = nodes
        self._ancestors: dict[str, tuple[str, ...]] = {}

    def parts(self, start: str, end: str) -> list[Part]:
        """Return the layers that turn the value `start` into the value `end`, in order."""
        found: list[Part] = []
        while end != start:
            node = self.node(end)
            data = data_inputs(node)
            if len(data) == 2 and node.operation == "Add":
                end, part = self.residual(*data)
                found.append(part)
                continue
            bias = added_bias(node, self.nodes)
            if bias is not None:
                node = bias
                data = data_inputs(node)
            node.check(len(data) == 1, f"{len(data)} inputs of data", "one")
            found += reversed(parts_of(node))
            end = data[0]
        return without_idle_flattens(found[::-1])

    def residual(self, one: str, other: str) -> tuple[str, Part]:
        """Return the value where two branches part, and the Residual that adds them."""
        common = [name for name, same in zip(self.path(one), self.path(other), strict=False)
                  if name == same]
        start = common[-1]
        branches = sorted((self.parts(start, one), self.parts(start, other)), key=len)
        short, short_arrays = numbered(branches[0])
        body, body_arrays = numbered(branches[1])
        arrays = {f"body/{name}": array for name, array in body_arrays.items()}
        arrays.update({f"shortcut/{name}": array for name, array in short_arrays.items()})
        return start, Part(Residual(body, short), arrays)

    def path(self, value: str) -> tuple[str, ...]:
        """Return the values that every path from the input to `value` passes, first to last."""
        if value not in self._ancestors:
            found: tuple[str, ...] = ()
            if value in self.nodes:
                paths = [self.path(name) for name in data_inputs(self.nodes[value])]
                found = paths[0]
                for other in paths[1:]:
                    found = tuple(a for a, b in zip(found, other, strict=False) if a == b)
            self._ancestors[value] = (*found, value)
        return self._ancestors[value]

    def node(self, value: str) -> Node:
        """Return the node that computes a value."""
        check(value in self.nodes, f"the graph has no node that computes {value!r}")
        return self.nodes[value]


def data_inputs(node: Node) -> list[str]:
    """Return the inputs of a node that are no constants; ONNX leaves the names of others empty."""
    return [name for i, name in enumerate(node.inputs) if name and i not in node.constants]


def added_bias(node: Node, nodes: Mapping[str, Node]) -> Node | None:
    """Return a Gemm in place of the Add of a constant to a MatMul, or None."""
    if node.operation != "Add" or len(data_inputs(node)) != 1:
        return None
    before = nodes.get(data_inputs(node)[0])
    if before is None or before.operation != "MatMul" or list(before.constants) != [1]:
        return None
    (bias,) = node.constants.values()
    return Node("Gemm", before.name, (*before.inputs, ""), node.output, {},
                {1: before.constants[1], 2: bias})


def without_idle_flattens(parts: list[Part]) -> list[Part]:
    """Leave out Flatten before Affine, which flattens by itself, and after means, which are flat."""
    found: list[Part] = []
    for part in parts:
        last = type(found[-1].layer) if found else None
        if last is Flatten and isinstance(part.layer, Affine):
            found.pop()
        if not (last is GlobalAvgPool and isinstance(part.layer, Flatten)):
            found.append(part)
    return found


def numbered(parts: list[Part]) -> tuple[Chain, Values]:
    """Return a Chain of the parts with names such as conv1, and their arrays by path."""
    counts: dict[str, int] = {}
    layers: list[tuple[str, Layer]] = []
    arrays: Values = {}
    for part in parts:
        kind = type(part.layer).__name__.lower()
        counts[kind] = counts.get(kind, 0) + 1
        name = f"{kind}{counts[kind]}"
        layers.append((name, part.layer))
        arrays.update({f"{name}/{own}": array for own, array in part.arrays.items()})
    return Chain(tuple(layers)), arrays


def fill(network: Network, arrays: Values) -> None:
    """Copy arrays by path into the parameters and buffers of a network."""
    for path, array in arrays.items():
        target = network.buffers[path] if path in network.buffers else network.params[path]
        check(target.shape == array.shape,
              f"{path}: the file holds shape {array.shape}, the network needs {target.shape}")
        target[...] = array


def parts_of(node: Node) -> list[Part]:
    """Return the layers that a node stands for."""
    check(node.operation in READERS,
          f"{node.operation} {node.name!r}: is an operation that no layer here computes; expected "
          f"one of {', '.join(READERS)}")
    return READERS[node.operation](node)


def one_number(node: Node, name: str, default: int) -> int:
    """Return the attribute of a window that has one number for each axis: they must be the same."""
    numbers = list(node.attribute(name, [default, default]))
    node.check(len(set(numbers)) == 1, f"{name} {numbers}", "the same number on both axes")
    return int(numbers[0])


def padding(node: Node, size: int, stride: int) -> int:
    """Return the padding of a window, which must be the same on all sides."""
    auto = node.attribute("auto_pad", b"NOTSET").decode()
    if auto in ("SAME_UPPER", "SAME_LOWER"):
        node.check(size % 2 == 1 and stride == 1, f"auto_pad {auto}, size {size}, stride {stride}",
                   "an odd size and stride 1, for which both sides are padded alike")
        return (size - 1) // 2
    pads = [0] * 4 if auto == "VALID" else list(node.attribute("pads", [0] * 4))
    node.check(len(set(pads)) == 1, f"pads {pads}", "the same padding on all sides")
    return int(pads[0])


def window(node: Node, size: int) -> tuple[int, int]:
    """Return (stride, pad) of a node with windows, and refuse dilations."""
    stride = one_number(node, "strides", 1)
    dilations = list(node.attribute("dilations", [1, 1]))
    node.check(set(dilations) == {1}, f"dilations {dilations}", "1")
    return stride, padding(node, size, stride)


def conv(node: Node) -> list[Part]:
    """Read a convolution, with or without groups."""
    node.check(1 in node.constants, "filters that are computed", "constant filters")
    w = node.constants[1]
    node.check(w.ndim == 4 and w.shape[2] == w.shape[3], f"filters {w.shape}",
               "square ones (F, C, size, size)")
    filters = len(w)
    size = w.shape[2]
    stride, pad = window(node, size)
    arrays = {"w": w}
    if 2 in node.constants:
        arrays["b"] = node.constants[2]
    groups = int(node.attribute("group", 1))
    if groups > 1:
        return [Part(GroupedConv(filters, groups, size, stride, pad, bias="b" in arrays), arrays)]
    return [Part(Conv(filters, size, stride, pad, bias="b" in arrays), arrays)]


def gemm(node: Node) -> list[Part]:
    """Read a matrix product as Affine."""
    node.check(1 in node.constants, "weights that are computed", "constant weights")
    scaled = {name: node.attribute(name, 1.0) for name in ("alpha", "beta")}
    node.check(set(scaled.values()) == {1.0} and not node.attribute("transA", 0), f"{scaled}",
               "alpha 1, beta 1, transA 0")
    w = node.constants[1]
    node.check(w.ndim == 2, f"weights {w.shape}", "a matrix")
    if node.attribute("transB", 0):
        w = w.T
    units = w.shape[1]
    b = node.constants.get(2, np.zeros(units, w.dtype))
    return [Part(Affine(units), {"w": w, "b": np.broadcast_to(b.reshape(-1), (units,))})]


def pool_window(node: Node) -> tuple[int, int, int]:
    """Return size, stride and padding of a pool."""
    size = one_number(node, "kernel_shape", 1)
    stride, pad = window(node, size)
    node.check(not node.attribute("ceil_mode", 0), "ceil_mode 1", "0")
    return size, stride, pad


def max_pool(node: Node) -> list[Part]:
    """Read a max-pool; padding becomes a border of -inf, which never is a maximum."""
    size, stride, pad = pool_window(node)
    border = [Part(Pad(pad, -np.inf))] if pad else []
    return [*border, Part(MaxPool(size, stride))]


def average_pool(node: Node) -> list[Part]:
    """Read an average pool; padding becomes a border of zeros, where these are to be counted."""
    size, stride, pad = pool_window(node)
    node.check(not pad or node.attribute("count_include_pad", 0),
               "padding that is left out of the means", "none, or count_include_pad 1")
    border = [Part(Pad(pad))] if pad else []
    return [*border, Part(AvgPool(size, stride))]


def reduce_mean(node: Node) -> list[Part]:
    """Read the mean over height and width."""
    axes = node.constants.get(1, node.attribute("axes", None))
    found = None if axes is None else sorted(int(axis) % 4 for axis in axes)
    node.check(found == [2, 3], f"axes {found}", "2 and 3, height and width")
    return [Part(GlobalAvgPool())]


def batchnorm(node: Node) -> list[Part]:
    """Read a batch normalization."""
    node.check(all(i in node.constants for i in range(1, 5)), "statistics that are computed",
               "constant ones")
    names = ("gamma", "beta", "running_mean", "running_var")
    arrays = {name: node.constants[i] for i, name in enumerate(names, start=1)}
    layer = BatchNorm(float(node.attribute("epsilon", 1e-5)),
                      float(node.attribute("momentum", 0.9)))
    return [Part(layer, arrays)]


def reshape(node: Node) -> list[Part]:
    """Read a Reshape to vectors."""
    target = node.constants.get(1)
    any_batch = (-1, 0, node.batch)
    vectors = target is not None and len(target) == 2 and (target[1] == -1 or target[0] in any_batch)
    node.check(vectors, f"shape {None if target is None else target.tolist()}",
               "(N, -1), one vector for each sample")
    return [Part(Flatten())]


def flatten(node: Node) -> list[Part]:
    """Read a Flatten to vectors."""
    axis = node.attribute("axis", 1)
    node.check(axis in (1, -3), f"axis {axis}", "1, one vector for each sample")
    return [Part(Flatten())]


def dropout(node: Node) -> list[Part]:
    """Read a dropout; its ratio is the probability to drop."""
    ratio = float(node.constants.get(1, node.attribute("ratio", 0.5)))
    return [Part(Dropout(1 - ratio))]


def leaky_relu(node: Node) -> list[Part]:
    """Read a leaky ReLU."""
    return [Part(LeakyReLU(float(node.attribute("alpha", 0.01))))]


READERS: Mapping[str, Callable[[Node], list[Part]]] = {
    "Conv": conv, "BatchNormalization": batchnorm, "Relu": lambda node: [Part(ReLU())],
    "LeakyRelu": leaky_relu, "MaxPool": max_pool, "AveragePool": average_pool,
    "GlobalAveragePool": lambda node: [Part(GlobalAvgPool())], "ReduceMean": reduce_mean,
    "Gemm": gemm, "MatMul": gemm, "Flatten": flatten, "Reshape": reshape, "Dropout": dropout,
    "Identity": lambda node: []}  # a Softmax is read at the end of a graph only
