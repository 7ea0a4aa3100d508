"""Import ONNX files as networks of this package, to run, inspect or train further.

A file is read in three steps: into nodes (onnx_graph), into chains and branches of nodes
(onnx_paths), and, from the input to the output, into layers (onnx_layers). Only after the shapes of
all arrays have been checked is memory for the network allocated.
"""
from __future__ import annotations

from collections.abc import Sequence
from math import prod
from os import PathLike
from typing import NamedTuple

import numpy as np

from ..nets.chain import Chain, Residual
from ..nets.description import MOST_NUMBERS
from ..nets.layer import Layer
from ..nets.network import Network
from ..nets.records import Affine
from ..nets.sandwich import fuse
from ..nets.shaping import Flatten
from ..shapes import check
from ..types import Shape
from .onnx_graph import Graph, Node, Values, read_graph
from .onnx_layers import Part, parts_of
from .onnx_paths import Branches, Step, steps_of

__all__ = ["import_onnx"]

SCORES = ("Gemm", "MatMul", "Flatten", "Reshape", "Squeeze")  # operations that return matrices


class Built(NamedTuple):
    """A chain of layers that was read, its arrays by path, and the shape of one output."""
    chain: Chain
    arrays: Values
    shape: Shape


def import_onnx(path: str | PathLike[str], input_shape: Shape | None = None) -> Network:
    """Return a Network (float32) that computes what an ONNX file computes.

    path          of the file; weights stored in separate files are read, too
    input_shape   shape of one sample, (C, H, W) or (D,); None: as the file says
    A Softmax at the end is left out: the network returns scores, as its loss expects. Weights
    that several nodes share become several arrays. Raises FileNotFoundError if there is no file,
    and ValueError, naming the node, for an operation or attribute that no layer here supports:
    filters and windows must be square, with equal strides and equal padding on all sides. A file
    that asks for more parameters than it has bytes is refused before memory is allocated.
    """
    graph = read_graph(path, input_shape)
    end, softmax = scores_of(graph)
    steps = steps_of(graph, end)
    check(steps, f"{path}: the graph has no layers")
    built = build(steps, graph.shape, graph.batch)
    if softmax is not None:
        check_softmax(softmax, steps, built.shape)
    network = Network(fuse(built.chain), graph.shape, seed=0, max_params=graph.size)
    fill(network, built.arrays)
    return network


def scores_of(graph: Graph) -> tuple[str, Node | None]:
    """Return the value before a Softmax at the end of a graph, and the node, if there is one."""
    end = graph.output
    found: Node | None = None
    while end in graph.nodes:
        node = graph.nodes[end]
        softmax = node.operation in ("Softmax", "LogSoftmax")
        if len(node.data) != 1 or node.operation != "Identity" and (found or not softmax):
            break
        found = node if softmax else found
        end = node.data[0]
    return end, found


def check_softmax(node: Node, steps: Sequence[Step], shape: Shape) -> None:
    """Raise ValueError unless a Softmax at the end is taken over the classes."""
    axis = node.attribute("axis", None)
    last = steps[-1]
    matrix = isinstance(last, Node) and last.operation in SCORES
    node.check(len(shape) == 1 and (axis == 1 or (matrix and axis in (None, -1))),
               f"axis {axis}, scores of the shape {shape}",
               "that of the classes, as in (N, classes)")


def build(steps: Sequence[Step], shape: Shape, batch: int) -> Built:
    """Return the layers of some steps, given the shape of one input sample.

    batch   number of samples for which the file was written; 0: any
    """
    parts: list[Part] = []
    for step in steps:
        node = step.node if isinstance(step, Branches) else step
        if isinstance(step, Branches):
            found = [residual(step, shape, batch)]
        else:
            found = parts_of(step, shape, batch)
        for part in found:
            if isinstance(part.layer, Flatten) and len(shape) == 1:
                continue
            shape = checked_shape(node, part, shape)
            if isinstance(part.layer, Affine) and parts and isinstance(parts[-1].layer, Flatten):
                parts.pop()  # Affine flattens by itself
            parts.append(part)
    chain, arrays = numbered(parts)
    return Built(chain, arrays, shape)


def residual(step: Branches, shape: Shape, batch: int) -> Part:
    """Return the Residual of two branches."""
    body = build(step.body, shape, batch)
    shortcut = build(step.shortcut, shape, batch)
    arrays = {f"body/{name}": array for name, array in body.arrays.items()}
    arrays.update({f"shortcut/{name}": array for name, array in shortcut.arrays.items()})
    return Part(Residual(body.chain, shortcut.chain), arrays)


def checked_shape(node: Node, part: Part, shape: Shape) -> Shape:
    """Return the shape of one output of a layer; raises ValueError if its arrays don't fit."""
    try:
        out = part.layer.out_shape(shape)
    except ValueError as error:
        node.refuse(error)
    params, buffers = part.layer.array_shapes(shape)
    needed = {**params, **buffers}
    for name, array in part.arrays.items():
        node.check(array.shape == needed[name], f"{name} of shape {array.shape}",
                   f"{needed[name]} for samples of shape {shape}")
    node.check(prod(out) <= MOST_NUMBERS, f"an output of {prod(out):,} numbers for one sample",
               f"at most {MOST_NUMBERS:,}")
    return out


def numbered(parts: Sequence[Part]) -> tuple[Chain, Values]:
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
    """Copy arrays by path into the parameters and buffers of a network, in its dtype.

    Raises ValueError for numbers that are not finite in that dtype.
    """
    for path, array in arrays.items():
        target = network.buffers[path] if path in network.buffers else network.params[path]
        with np.errstate(over="ignore"):
            target[...] = array
        check(np.isfinite(target).all(),
              f"{path}: the file holds numbers that are not finite in {network.dtype}")
