"""ONNX files as nodes: read, checked, with their constants in place."""
from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from os import PathLike, fspath
from pathlib import Path
from typing import Any, NamedTuple, NoReturn, TypeAlias

import numpy as np
from numpy.typing import NDArray

from ..shapes import check, whole_number
from ..types import Shape
from .onnx_library import checker, helper, numpy_helper, onnx

__all__ = ["Graph", "Node", "Values", "read_graph"]

OLDEST_OPSET = 7  # earlier ones have other rules for broadcasting and batch normalization

Values: TypeAlias = dict[str, NDArray[Any]]


@dataclass(frozen=True)
class Node:
    """A node of a graph.

    inputs      names of values; "" for an omitted one
    output      name of its first output
    constants   inputs whose values are known, by position
    """
    operation: str
    name: str
    inputs: tuple[str, ...]
    output: str
    attributes: Mapping[str, Any]
    constants: Mapping[int, NDArray[Any]]

    @property
    def data(self) -> list[str]:
        """The names of the inputs that are not constants."""
        return [name for i, name in enumerate(self.inputs) if name and i not in self.constants]

    def check(self, condition: object, came: str, expected: str) -> None:
        """Raise ValueError naming the node unless condition is true."""
        if not condition:
            self.refuse(f"got {came}, expected {expected}")

    def refuse(self, reason: object) -> NoReturn:
        """Raise ValueError naming the node."""
        raise ValueError(f"{self.operation} {self.name!r}: {reason}")

    def attribute(self, name: str, default: Any) -> Any:
        """Return an attribute; default is what ONNX specifies if it is missing."""
        return self.attributes.get(name, default)

    def constant(self, position: int, what: str) -> NDArray[Any]:
        """Return an input that must be constant; raises ValueError saying what it is."""
        self.check(position in self.constants, f"no constant {what}", f"{what} in the file")
        return self.constants[position]


class Graph(NamedTuple):
    """A graph with one input and one output."""
    input: str
    output: str
    shape: Shape            # of one sample
    batch: int              # number of samples for which the file was written; 0: any
    nodes: dict[str, Node]  # by output, in the order of the file, which is that of execution
    uses: Counter[str]      # how often each value is read
    size: int               # of all constants, in bytes


def read_graph(path: str | PathLike[str], input_shape: Shape | None) -> Graph:
    """Return the graph of a file.

    input_shape   of one sample; None: as the file says
    Raises FileNotFoundError if there is no file, and ValueError if it is not an ONNX file, or if
    its graph has several inputs or outputs.
    """
    if not Path(path).is_file():
        raise FileNotFoundError(f"no ONNX file at {path}")
    graph = read_model(path).graph
    check(not graph.sparse_initializer, f"{path}: holds sparse constants, expected dense ones")
    values: Values = {tensor.name: array_of(tensor, tensor.name) for tensor in graph.initializer}
    inputs = [value for value in graph.input if value.name not in values]
    check(len(inputs) == 1 and len(graph.output) == 1,
          f"{path}: the graph has {len(inputs)} inputs and {len(graph.output)} outputs, "
          "expected one of each")
    axes = inputs[0].type.tensor_type.shape.dim
    shape = tuple(axis.dim_value for axis in axes[1:]) if input_shape is None else input_shape
    check(len(shape) in (1, 3) and (input_shape is not None or min(shape) > 0),
          f"{path}: its input has the shape {tuple(shape)} for one sample; pass "
          "input_shape=(C, H, W) or (D,)")
    sizes = tuple(whole_number(length, "input_shape", 1) for length in shape)
    nodes: dict[str, Node] = {}
    uses: Counter[str] = Counter([graph.output[0].name])
    for proto in graph.node:
        node = node_of(proto, values)
        uses.update(node.inputs)
        constant = constant_of(node)
        if constant is None:
            nodes[node.output] = node
        else:
            values[node.output] = constant
    return Graph(inputs[0].name, graph.output[0].name, sizes,
                 axes[0].dim_value if axes else 0, nodes, uses,
                 sum(array.nbytes for array in values.values()))


def read_model(path: str | PathLike[str]) -> Any:
    """Return the ModelProto of a file, with external data, as the library's checker accepts it."""
    try:
        model = onnx.load(fspath(path), format="protobuf")
        checker.check_model(model)
    except Exception as error:  # of the library, of protobuf, or of a missing file of weights
        raise ValueError(f"{path} is not a valid ONNX file: {error}") from error
    versions = [entry.version for entry in model.opset_import if entry.domain in ("", "ai.onnx")]
    check(versions and min(versions) >= OLDEST_OPSET,
          f"{path}: has opset {versions}, expected at least {OLDEST_OPSET}; "
          "convert it with onnx.version_converter")
    return model


def node_of(proto: Any, values: Values) -> Node:
    """Return a Node; values holds the constants computed before it."""
    outputs = [*proto.output, ""]
    name = proto.name or outputs[0]
    attributes = {item.name: helper.get_attribute_value(item) for item in proto.attribute}
    known = {i: values[value] for i, value in enumerate(proto.input) if value in values}
    node = Node(proto.op_type, name, tuple(proto.input), outputs[0], attributes, known)
    node.check(outputs[0], "no output", "one")
    node.check(proto.domain in ("", "ai.onnx"), f"the domain {proto.domain!r}", "that of ONNX")
    return node


def constant_of(node: Node) -> NDArray[Any] | None:
    """Return the value of a node that is known before the graph runs, else None."""
    if node.operation == "Constant":
        for name, value in node.attributes.items():
            if name == "value":
                return array_of(value, node.name)
            if name in ("value_float", "value_int", "value_floats", "value_ints"):
                return np.asarray(value)
        node.refuse(f"got {sorted(node.attributes)}, expected numbers")
    if node.operation == "Identity" and 0 in node.constants:
        return node.constants[0]
    if node.operation == "Transpose" and 0 in node.constants:
        return node.constants[0].transpose(node.attribute("perm", None))
    if node.operation == "Unsqueeze" and 0 in node.constants and not node.data:
        axes = node.constants.get(1, node.attribute("axes", ()))
        return np.expand_dims(node.constants[0], tuple(int(axis) for axis in axes))
    return None


def array_of(tensor: Any, name: str) -> NDArray[Any]:
    """Return a tensor as an array; raises ValueError if its numbers don't fill its shape."""
    try:
        array: NDArray[Any] = numpy_helper.to_array(tensor)
    except Exception as error:  # malformed contents
        raise ValueError(f"constant {name!r}: {error}") from error
    return array
