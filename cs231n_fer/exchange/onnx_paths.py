"""The nodes of a graph as chains and branches.

A graph is read from its output back to its input. A node with one input of data follows the node
that computes it; an Add of two joins two branches, which begin at the last value that all paths to
both go through (their dominator). Some layers correspond to several nodes: a product and the Add of
a bias, or what exporters write for group normalization.
"""
from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from ..shapes import check
from .onnx_graph import Graph, Node

__all__ = ["Branches", "Step", "steps_of"]

DEEPEST = 50  # levels of nested branches: each takes several calls on Python's stack


class Branches(NamedTuple):
    """Two branches, and the Add that joins them."""
    node: Node
    body: list[Step]
    shortcut: list[Step]


Step: TypeAlias = Node | Branches


def steps_of(graph: Graph, end: str) -> list[Step]:
    """Return the steps from the input of a graph to the value `end`, in order.

    Raises ValueError, naming the node, if they are not a chain of nodes and nested branches.
    """
    return Paths(graph).steps(graph.input, end)


class Paths:
    """Finds the steps between two values; every node is read once.

    parent   of a value: the last value before it that all paths to it go through; "" for the first
    depth    number of such values
    """

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.parent = {graph.input: ""}
        self.depth = {"": 0, graph.input: 1}
        self.read: set[str] = set()
        for node in graph.nodes.values():
            for name in node.data:
                node.check(name in self.depth, f"the input {name!r}",
                           "the first output of a node before it")
            parent = node.data[0] if node.data else ""
            for other in node.data[1:]:
                parent = self.common(parent, other)
            self.parent[node.output] = parent
            self.depth[node.output] = self.depth[parent] + 1

    def common(self, one: str, other: str) -> str:
        """Return the last value that all paths to both values go through."""
        while one != other:
            if self.depth[one] >= self.depth[other]:
                one = self.parent[one]
            else:
                other = self.parent[other]
        return one

    def steps(self, start: str, end: str, nested: int = 0) -> list[Step]:
        """Return the steps from `start`, a value that all paths to `end` go through, to `end`."""
        found: list[Step] = []
        while end != start:
            check(end in self.graph.nodes, f"the value {end!r} does not depend on the input")
            node = self.graph.nodes[end]
            node.check(end not in self.read, f"an output {end!r} that several branches read",
                       "branches that share no node")
            self.read.add(end)
            node = known_shape(node, self.graph)
            node = with_bias(node, self.graph)
            node = group_norm(node, self.graph)
            if node.operation == "Add" and len(node.data) == 2:
                node.check(nested < DEEPEST, f"more than {DEEPEST} levels of nested branches",
                           "fewer")
                end = self.common(*node.data)
                node.check(end, "inputs that don't depend on the graph's input", "two that do")
                one, other = (self.steps(end, name, nested + 1) for name in node.data)
                long, short = sorted((one, other), key=len, reverse=True)
                found.append(Branches(node, long, short))
            else:
                node.check(len(node.data) == 1, f"{len(node.data)} inputs of data", "one")
                found.append(node)
                end = node.data[0]
        return found[::-1]


def before(node: Node, position: int, graph: Graph, *operations: str) -> Node | None:
    """Return the node that computes an input if no other reads it and it is one of `operations`."""
    name = node.inputs[position] if position < len(node.inputs) else ""
    found = graph.nodes.get(name)
    if found is None or found.operation not in operations or graph.uses[name] > 1:
        return None
    return found


def constant_beside(node: Node) -> int | None:
    """Return the position of the one constant among two inputs, else None."""
    return next(iter(node.constants)) if len(node.inputs) == 2 == len(node.constants) + 1 else None


def with_bias(node: Node, graph: Graph) -> Node:
    """Return a product with bias if the node adds a constant to a product, else the node."""
    at = constant_beside(node)
    if node.operation != "Add" or at is None:
        return node
    product = before(node, 1 - at, graph, "Conv", "MatMul")
    bias = node.constants[at]
    if product is None or 2 in product.constants or 1 not in product.constants:
        return node
    if product.operation == "Conv":
        filters = product.constants[1].shape[:1]
        if bias.shape[-3:] != (*filters, 1, 1) or bias.size != filters[0]:
            return node
    elif bias.ndim > 1 and bias.size > bias.shape[-1]:
        return node
    return replace(product, inputs=(*product.inputs[:2], node.inputs[at]), output=node.output,
                   constants={1: product.constants[1], 2: bias.reshape(-1)})


def group_norm(node: Node, graph: Graph) -> Node:
    """Return a GroupNormalization if the node ends what older opsets write for it, else the node.

    These are Reshape to groups, InstanceNormalization, Reshape to images, Mul and Add.
    """
    beta = constant_beside(node)
    if node.operation != "Add" or beta is None:
        return node
    scaled = before(node, 1 - beta, graph, "Mul")
    gamma = None if scaled is None else constant_beside(scaled)
    if scaled is None or gamma is None:
        return node
    images = before(scaled, 1 - gamma, graph, "Reshape")
    normal = images and before(images, 0, graph, "InstanceNormalization")
    groups = normal and before(normal, 0, graph, "Reshape")
    if images is None or normal is None or groups is None:
        return node
    shape = groups.constants.get(1, np.zeros(0))
    restored = restored_shape(images, groups, graph)
    if len(shape) != 3 or shape[0] != 0 or shape[2] != -1 or restored is None:
        return node
    ones = normal.constants.get(1, np.zeros(1))
    zeros = normal.constants.get(2, np.ones(1))
    if (ones != 1).any() or (zeros != 0).any():
        return node
    attributes = {"num_groups": int(shape[1]), "epsilon": normal.attribute("epsilon", 1e-5)}
    constants = {1: scaled.constants[gamma], 2: node.constants[beta], **restored}
    inputs = (groups.inputs[0], scaled.inputs[gamma], node.inputs[beta])
    return Node("GroupNormalization", normal.name, inputs, node.output, attributes, constants)


def restored_shape(images: Node, groups: Node, graph: Graph) -> Mapping[int, NDArray[Any]] | None:
    """Return the shape that a Reshape restores as {3: (N, C, H, W)}, {} if it is that of the input
    of another Reshape, and None if it is neither known nor that.
    """
    if 1 in images.constants:
        return {3: images.constants[1]}
    source = graph.nodes.get(images.inputs[1])
    from_shape = source is not None and source.operation == "Shape"
    return {} if source and from_shape and source.data == [groups.inputs[0]] else None


def known_shape(node: Node, graph: Graph) -> Node:
    """Return a Reshape to (0, D) if the node reshapes to (number of samples, D), else the node.

    PyTorch computes the shape of x.view(x.size(0), -1) by Shape, Gather, Unsqueeze and Concat.
    """
    joined = before(node, 1, graph, "Concat") if node.operation == "Reshape" else None
    if joined is None or list(joined.constants) != [1] or len(joined.inputs) != 2:
        return node
    count = before(joined, 0, graph, "Unsqueeze")
    picked = count and before(count, 0, graph, "Gather")
    shape = picked and graph.nodes.get(picked.inputs[0])
    if picked is None or shape is None or shape.operation != "Shape":
        return node
    index = picked.constants.get(1, np.ones(1))
    if (index != 0).any() or shape.data != [node.inputs[0]]:
        return node
    return replace(node, inputs=(node.inputs[0], "shape"),
                   constants={1: np.append(0, joined.constants[1])})
