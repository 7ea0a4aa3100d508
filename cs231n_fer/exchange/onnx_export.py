"""Export networks as ONNX files, which other programs can run.

A file holds one graph: its nodes name their inputs and outputs, and the weights are constants of
the graph. Every kind of layer has a function that writes its nodes; WRITERS lists them.
"""
from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from os import PathLike
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import ArrayLike

from .. import __version__
from ..classifiers.pretrained import PretrainedNet
from ..files.checkpoint import write_bytes
from ..nets.chain import Chain, Residual
from ..nets.grouped import GroupedConv
from ..nets.layer import Layer
from ..nets.network import Network
from ..nets.norms import BatchNorm, GroupNorm, LayerNorm
from ..nets.paths import pick
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
from ..nets.sandwich import Sandwich
from ..nets.shaping import Flatten, Pad
from ..types import Arrays, Shape
from .onnx_library import TensorProto, checker, helper, numpy_helper

__all__ = ["OPSET", "export_onnx"]

OPSET = 17
IR_VERSION = 8  # the version of the file format that came with opset 17
BATCH = "N"  # the name of the axis whose length the file leaves open


class Graph:
    """The nodes and constants of a graph that is being written."""

    def __init__(self) -> None:
        self.nodes: list[Any] = []
        self.constants: dict[str, Any] = {}

    def constant(self, name: str, values: ArrayLike) -> str:
        """Add a constant, and return its name; floats become float32."""
        array = np.asarray(values)
        if array.dtype.kind == "f":
            array = array.astype(np.float32)
        self.constants[name] = numpy_helper.from_array(np.asarray(array, order="C"), name)
        return name

    def node(self, operation: str, name: str, *inputs: str, **attributes: object) -> str:
        """Add a node with one output, which has its name, and return this name."""
        self.nodes.append(helper.make_node(operation, inputs, [name], name, **attributes))
        return name


Writer: TypeAlias = Callable[[Graph, Any, str, Arrays, str, Shape], str]
"""(graph, record, path, its arrays by name, name of its input, shape of one input) -> its output"""


def export_onnx(network: Network | PretrainedNet, path: str | PathLike[str]) -> None:
    """Write a network as an ONNX file of opset 17, which accepts any batch size.

    network   A Network takes float32 "x" (N, *input_shape) and returns "scores" (N, classes) of
              test mode. A PretrainedNet takes uint8 "images" (N, H, W) and returns "probabilities"
              (N, classes), with its preprocessing, the average over mirror images and its
              calibration inside.
    path      of the file to create or replace
    Weights are written as float32. The metadata of a PretrainedNet's file holds class_names as a
    JSON list. Raises ValueError for a layer that has no counterpart in ONNX.
    """
    graph = Graph()
    if isinstance(network, PretrainedNet):
        inner = network.model
        input_value, output = picture_graph(graph, network)
    else:
        inner = network
        shape = [BATCH, *network.input_shape]
        input_value = helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)
        output = graph.node("Identity", "scores", network_nodes(graph, network, "x"))
    classes = inner.layer.out_shape(inner.input_shape)
    output_value = helper.make_tensor_value_info(output, TensorProto.FLOAT, [BATCH, *classes])
    made = helper.make_graph(graph.nodes, "cs231n_fer", [input_value], [output_value],
                             list(graph.constants.values()))
    model = helper.make_model(made, opset_imports=[helper.make_opsetid("", OPSET)],
                              producer_name="cs231n_fer", producer_version=__version__)
    model.ir_version = IR_VERSION
    if isinstance(network, PretrainedNet):
        helper.set_model_props(model, {"class_names": json.dumps(network.class_names)})
    checker.check_model(model, full_check=True)
    write_bytes(path, model.SerializeToString())


def picture_graph(graph: Graph, net: PretrainedNet) -> tuple[Any, str]:
    """Write the graph from uint8 images to probabilities; return its input and output.

    An image and its mirror image run as one batch of twice the size, whose halves are averaged
    and calibrated as PretrainedNet.predict does.
    """
    _, H, W = net.model.input_shape
    images = helper.make_tensor_value_info("images", TensorProto.UINT8, [BATCH, H, W])
    ends = [graph.constant(name, values) for name, values in (
        ("last", [-1]), ("before_first", [np.iinfo(np.int64).min]), ("width_axis", [2]),
        ("backwards", [-1]))]
    pixels = graph.node("Cast", "pixels", "images", to=TensorProto.FLOAT)
    mirrored = graph.node("Slice", "mirrored", pixels, *ends)
    x = graph.node("Concat", "views", pixels, mirrored, axis=0)
    x = graph.node("Sub", "centred", x, graph.constant("mean_image", net.info["mean_image"]))
    x = graph.node("Div", "scaled", x, graph.constant("std", np.float32(net.info["std"])))
    x = graph.node("Unsqueeze", "faces", x, graph.constant("channel_axis", [1]))
    scores = network_nodes(graph, net.model, x)
    graph.node("Softmax", "both_probabilities", scores, axis=1)
    graph.nodes.append(helper.make_node("Split", ["both_probabilities"], ["plain", "of_mirrored"],
                                        "halves", axis=0))
    mean = graph.node("Mean", "mean", "plain", "of_mirrored")
    logarithms = graph.node("Log", "logarithms", mean)
    temperature = np.float32(net.info.get("temperature", 1.0))
    logits = graph.node("Div", "calibrated", logarithms, graph.constant("temperature", temperature))
    return images, graph.node("Softmax", "probabilities", logits, axis=1)


def network_nodes(graph: Graph, network: Network, x: str) -> str:
    """Write the nodes of a network and return the name of its scores."""
    arrays = {path: network.params[name] for path, name in network.names.items()}
    arrays.update(network.buffers)
    return layer_nodes(graph, network.layer, "net", arrays, x, network.input_shape)


def layer_nodes(graph: Graph, layer: Layer, path: str, arrays: Arrays, x: str, shape: Shape) -> str:
    """Write the nodes of a layer and return the name of its output."""
    writer = WRITERS.get(type(layer))
    if writer is None:
        raise ValueError(f"{path}: a {type(layer).__name__} cannot be written as ONNX; expected "
                         f"one of {', '.join(kind.__name__ for kind in WRITERS)}")
    return writer(graph, layer, path, arrays, x, shape)


def constants(graph: Graph, path: str, arrays: Arrays, *names: str) -> list[str]:
    """Add the named arrays of a layer as constants, in this order, and return their names."""
    return [graph.constant(f"{path}/{name}", arrays[name]) for name in names]


def chain(graph: Graph, layer: Chain, path: str, arrays: Arrays, x: str, shape: Shape) -> str:
    """Write the layers of a Chain one after the other."""
    for name, inner in layer.layers:
        inner_path = f"{path}/{name}" if name else path
        x = layer_nodes(graph, inner, inner_path, pick(arrays, name), x, shape)
        shape = inner.out_shape(shape)
    return x


def residual(graph: Graph, layer: Residual, path: str, arrays: Arrays, x: str, shape: Shape) -> str:
    """Write both branches and their sum."""
    body = layer_nodes(graph, layer.body, f"{path}/body", pick(arrays, "body"), x, shape)
    shortcut = layer_nodes(graph, layer.shortcut, f"{path}/shortcut", pick(arrays, "shortcut"), x,
                           shape)
    return graph.node("Add", f"{path}/sum", body, shortcut)


def conv(graph: Graph, layer: Conv | GroupedConv, path: str, arrays: Arrays, x: str, shape: Shape
         ) -> str:
    """Write a convolution, with or without groups."""
    names = ("w", "b") if layer.bias else ("w",)
    pad = layer.conv_param["pad"]
    groups = layer.groups if isinstance(layer, GroupedConv) else 1
    return graph.node("Conv", f"{path}/out", x, *constants(graph, path, arrays, *names),
                      kernel_shape=[layer.size] * 2, strides=[layer.stride] * 2, pads=[pad] * 4,
                      group=groups)


def affine(graph: Graph, layer: Affine, path: str, arrays: Arrays, x: str, shape: Shape) -> str:
    """Write Flatten and Gemm."""
    if len(shape) > 1:
        x = graph.node("Flatten", f"{path}/flat", x, axis=1)
    return graph.node("Gemm", f"{path}/out", x, *constants(graph, path, arrays, "w", "b"))


def relu(graph: Graph, layer: ReLU, path: str, arrays: Arrays, x: str, shape: Shape) -> str:
    """Write a Relu."""
    return graph.node("Relu", f"{path}/out", x)


def leaky_relu(graph: Graph, layer: LeakyReLU, path: str, arrays: Arrays, x: str, shape: Shape
               ) -> str:
    """Write a LeakyRelu."""
    return graph.node("LeakyRelu", f"{path}/out", x, alpha=float(layer.slope))


def pool(graph: Graph, layer: MaxPool | AvgPool, path: str, arrays: Arrays, x: str, shape: Shape
         ) -> str:
    """Write a max-pool or an average pool."""
    operation = "MaxPool" if isinstance(layer, MaxPool) else "AveragePool"
    stride = layer.pool_param["stride"]
    return graph.node(operation, f"{path}/out", x, kernel_shape=[layer.size] * 2,
                      strides=[stride] * 2)


def global_avg_pool(graph: Graph, layer: GlobalAvgPool, path: str, arrays: Arrays, x: str,
                    shape: Shape) -> str:
    """Write a GlobalAveragePool, whose output keeps two axes of length 1, and Flatten."""
    x = graph.node("GlobalAveragePool", f"{path}/mean", x)
    return graph.node("Flatten", f"{path}/out", x, axis=1)


def flatten(graph: Graph, layer: Flatten, path: str, arrays: Arrays, x: str, shape: Shape) -> str:
    """Write a Flatten."""
    return graph.node("Flatten", f"{path}/out", x, axis=1)


def pad(graph: Graph, layer: Pad, path: str, arrays: Arrays, x: str, shape: Shape) -> str:
    """Write a Pad."""
    widths = graph.constant(f"{path}/widths", [0, 0, layer.pad, layer.pad] * 2)
    return graph.node("Pad", f"{path}/out", x, widths,
                      graph.constant(f"{path}/value", np.float32(layer.value)))


def dropout(graph: Graph, layer: Dropout, path: str, arrays: Arrays, x: str, shape: Shape) -> str:
    """Write a Dropout: the identity at inference; its ratio matters only for further training."""
    return graph.node("Dropout", f"{path}/out", x,
                      graph.constant(f"{path}/ratio", np.float32(1 - layer.keep)))


def batchnorm(graph: Graph, layer: BatchNorm, path: str, arrays: Arrays, x: str, shape: Shape
              ) -> str:
    """Write a BatchNormalization with the running averages."""
    names = ("gamma", "beta", "running_mean", "running_var")
    return graph.node("BatchNormalization", f"{path}/out", x,
                      *constants(graph, path, arrays, *names),
                      epsilon=float(layer.eps), momentum=float(layer.momentum))


def layernorm(graph: Graph, layer: LayerNorm, path: str, arrays: Arrays, x: str, shape: Shape
              ) -> str:
    """Write a LayerNormalization."""
    return graph.node("LayerNormalization", f"{path}/out", x,
                      *constants(graph, path, arrays, "gamma", "beta"),
                      epsilon=float(layer.eps), axis=-1)


def groupnorm(graph: Graph, layer: GroupNorm, path: str, arrays: Arrays, x: str, shape: Shape
              ) -> str:
    """Write an InstanceNormalization of each group: opset 17 has no GroupNormalization."""
    ones = graph.constant(f"{path}/ones", np.ones(layer.groups))
    zeros = graph.constant(f"{path}/zeros", np.zeros(layer.groups))
    x = graph.node("Reshape", f"{path}/groups", x,
                   graph.constant(f"{path}/group_shape", [0, layer.groups, -1]))
    x = graph.node("InstanceNormalization", f"{path}/normal", x, ones, zeros,
                   epsilon=float(layer.eps))
    x = graph.node("Reshape", f"{path}/images", x,
                   graph.constant(f"{path}/image_shape", [0, *shape]))
    gamma, beta = constants(graph, path, arrays, "gamma", "beta")
    return graph.node("Add", f"{path}/out", graph.node("Mul", f"{path}/scaled", x, gamma), beta)


WRITERS: Mapping[type[Layer], Writer] = {
    Chain: chain, Sandwich: chain, Residual: residual, Conv: conv, GroupedConv: conv,
    Affine: affine, ReLU: relu, LeakyReLU: leaky_relu, MaxPool: pool, AvgPool: pool,
    GlobalAvgPool: global_avg_pool, Flatten: flatten, Pad: pad, Dropout: dropout,
    BatchNorm: batchnorm, LayerNorm: layernorm, GroupNorm: groupnorm}
