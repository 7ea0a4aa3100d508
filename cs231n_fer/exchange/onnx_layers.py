"""Nodes of ONNX graphs as layers of this package: what operations and their attributes mean.

A reader takes a node, the shape of one sample of its input, and the number of samples for which the
file was written (0: any). It returns the layers that compute the node, with their arrays by name.
Global average pooling leaves images of one pixel in ONNX, but vectors in this package.
"""
from __future__ import annotations

from collections.abc import Callable, Mapping
from math import prod
from typing import Any, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from ..nets.grouped import GroupedConv
from ..nets.layer import Layer
from ..nets.norms import BatchNorm, GroupNorm, LayerNorm
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
from ..nets.shaping import Flatten, Pad
from ..types import Shape
from .onnx_graph import Node, Values

__all__ = ["Part", "parts_of"]


class Part(NamedTuple):
    """A layer that was read: its record, and its arrays by name, parameters and buffers."""
    layer: Layer
    arrays: Values = {}


Reader: TypeAlias = Callable[[Node, Shape, int], list[Part]]


def parts_of(node: Node, shape: Shape, batch: int) -> list[Part]:
    """Return the layers that a node stands for; raises ValueError naming the node."""
    reader = READERS.get(node.operation)
    if reader is None:
        node.refuse("is not supported; expected one of "
                    f"{', '.join(READERS)}")
    try:
        return reader(node, shape, batch)
    except (TypeError, IndexError, AttributeError, OverflowError) as error:
        node.refuse(f"has inputs or attributes of unexpected types ({error})")


def as_images(node: Node, shape: Shape) -> Shape:
    """Return the shape (C, H, W) of a node's input; raises ValueError unless these are images."""
    node.check(len(shape) == 3, f"an input of the shape (N, {', '.join(map(str, shape))})",
               "images (N, C, H, W)")
    return shape


def as_vectors(node: Node, shape: Shape) -> int:
    """Return the length D of a node's input; raises ValueError unless it consists of vectors."""
    node.check(len(shape) == 1, f"an input of the shape (N, {', '.join(map(str, shape))})",
               "vectors (N, D)")
    return shape[0]


def one_number(node: Node, name: str, default: int) -> int:
    """Return an attribute of a window that has one number per axis; they must be equal."""
    numbers = list(node.attribute(name, [default, default]))
    node.check(len(numbers) == 2 and len(set(numbers)) == 1, f"{name} {numbers}",
               "the same number on both axes")
    return int(numbers[0])


def padding(node: Node, shape: Shape, size: int, stride: int) -> int:
    """Return the padding of a window, which must be the same on all sides."""
    auto = node.attribute("auto_pad", b"NOTSET").decode()
    pads = list(node.attribute("pads", [0] * 4))
    if auto in ("SAME_UPPER", "SAME_LOWER"):
        totals = [max((-(-side // stride) - 1) * stride + size - side, 0) for side in shape[1:]]
        pads = [total // 2 for total in totals] + [total - total // 2 for total in totals]
    elif auto == "VALID":
        pads = [0] * 4
    node.check(len(pads) == 4 and len(set(pads)) == 1,
               f"pads {pads}" + (f" by auto_pad {auto}" if auto.startswith("SAME") else ""),
               "the same padding on all sides")
    node.check(0 <= pads[0] <= size, f"pads {pads}", f"at most the size of the window, {size}")
    return int(pads[0])


def window(node: Node, shape: Shape, size: int) -> tuple[int, int]:
    """Return (stride, pad) of a node with windows on images; dilations are refused."""
    as_images(node, shape)
    stride = one_number(node, "strides", 1)
    node.check(stride >= 1, f"strides {stride}", "1 or more")
    dilations = list(node.attribute("dilations", [1, 1]))
    node.check(set(dilations) == {1}, f"dilations {dilations}", "1")
    return stride, padding(node, shape, size, stride)


def vector(array: NDArray[Any] | None, length: int) -> NDArray[Any]:
    """Return an array as a vector of a length; None gives zeros, one number is repeated."""
    flat = np.zeros(1, np.float32) if array is None else array.reshape(-1)
    return np.broadcast_to(flat, (length,)) if flat.size == 1 else flat


def conv(node: Node, shape: Shape, batch: int) -> list[Part]:
    """Read a convolution, with or without groups; on images of one pixel it is an Affine."""
    w = node.constant(1, "filters")
    node.check(w.ndim == 4 and w.shape[2] == w.shape[3], f"filters {w.shape}",
               "square ones (F, C, size, size)")
    filters = len(w)
    size = w.shape[2]
    groups = node.attribute("group", 1)
    node.check(groups >= 1, f"group {groups}", "1 or more")
    bias = node.constants.get(2)
    if len(shape) == 1:
        node.check(size == 1 and groups == 1 and not any(node.attribute("pads", [])),
                   f"filters {w.shape} in {groups} groups on images of one pixel",
                   "images (N, C, H, W), or 1 x 1 filters without padding, in one group")
        return [Part(Affine(filters), {"w": w[:, :, 0, 0].T, "b": vector(bias, filters)})]
    stride, pad = window(node, shape, size)
    arrays = {"w": w} if bias is None else {"w": w, "b": bias}
    if groups > 1:
        return [Part(GroupedConv(filters, groups, size, stride, pad, bias="b" in arrays), arrays)]
    return [Part(Conv(filters, size, stride, pad, bias="b" in arrays), arrays)]


def gemm(node: Node, shape: Shape, batch: int) -> list[Part]:
    """Read a matrix product as Affine."""
    as_vectors(node, shape)
    w = node.constant(1, "weights")
    scaled = {name: node.attribute(name, 1.0) for name in ("alpha", "beta")}
    node.check(set(scaled.values()) == {1.0} and not node.attribute("transA", 0), f"{scaled}",
               "alpha 1, beta 1, transA 0")
    node.check(w.ndim == 2, f"weights {w.shape}", "a matrix")
    if node.attribute("transB", 0):
        w = w.T
    units = w.shape[1]
    return [Part(Affine(units), {"w": w, "b": vector(node.constants.get(2), units)})]


def pool_window(node: Node, shape: Shape) -> tuple[int, int, int]:
    """Return size, stride and padding of a pool."""
    size = one_number(node, "kernel_shape", 1)
    node.check(size >= 1, f"kernel_shape {size}", "1 or more")
    stride, pad = window(node, shape, size)
    whole = all((side + 2 * pad - size) % stride == 0 for side in shape[1:])
    node.check(whole or not node.attribute("ceil_mode", 0), "ceil_mode 1 and a last window that "
               "does not fit", "windows that fit, or ceil_mode 0")
    return size, stride, pad


def max_pool(node: Node, shape: Shape, batch: int) -> list[Part]:
    """Read a max-pool; padding becomes a border of -inf, which is never a maximum."""
    size, stride, pad = pool_window(node, shape)
    node.check(pad < size, f"pads {pad}", f"less than the size of the window, {size}")
    border = [Part(Pad(pad, -np.inf))] if pad else []
    return [*border, Part(MaxPool(size, stride))]


def average_pool(node: Node, shape: Shape, batch: int) -> list[Part]:
    """Read an average pool; padding becomes a border of zeros if the means count it."""
    size, stride, pad = pool_window(node, shape)
    node.check(not pad or node.attribute("count_include_pad", 0),
               "padding that is left out of the means", "none, or count_include_pad 1")
    border = [Part(Pad(pad))] if pad else []
    return [*border, Part(AvgPool(size, stride))]


def global_average_pool(node: Node, shape: Shape, batch: int) -> list[Part]:
    """Read the mean over height and width; the mean of one pixel is the pixel."""
    return [Part(GlobalAvgPool())] if len(shape) == 3 else []


def reduce_mean(node: Node, shape: Shape, batch: int) -> list[Part]:
    """Read the mean over axes, which must be height and width."""
    as_images(node, shape)
    axes = node.constants.get(1, node.attribute("axes", None))
    found = None if axes is None else sorted(int(axis) % 4 for axis in axes)
    node.check(found == [2, 3], f"axes {found}", "2 and 3, height and width")
    return [Part(GlobalAvgPool())]


def batchnorm(node: Node, shape: Shape, batch: int) -> list[Part]:
    """Read a batch normalization in test mode."""
    node.check(not node.attribute("training_mode", 0), "training_mode 1", "0, for test mode")
    names = ("gamma", "beta", "running_mean", "running_var")
    arrays = {name: node.constant(i, name) for i, name in enumerate(names, start=1)}
    layer = BatchNorm(float(node.attribute("epsilon", 1e-5)),
                      float(node.attribute("momentum", 0.9)))
    return [Part(layer, arrays)]


def layernorm(node: Node, shape: Shape, batch: int) -> list[Part]:
    """Read a layer normalization of vectors."""
    units = as_vectors(node, shape)
    axis = node.attribute("axis", -1)
    node.check(axis in (1, -1), f"axis {axis}", "1")
    arrays = {"gamma": node.constant(1, "scale"), "beta": vector(node.constants.get(2), units)}
    return [Part(LayerNorm(float(node.attribute("epsilon", 1e-5))), arrays)]


def groupnorm(node: Node, shape: Shape, batch: int) -> list[Part]:
    """Read a group normalization; instance normalization has one group per channel."""
    C = as_images(node, shape)[0]
    instances = node.operation == "InstanceNormalization"
    groups = C if instances else int(node.attribute("num_groups", 1))
    restored = node.constants.get(3, np.array([0, *shape]))[1:]
    node.check(list(restored) in (list(shape), [*shape[:2], -1]), f"images reshaped to {restored}",
               f"{shape}, their shape")
    arrays: Values = {}
    for position, name in enumerate(("gamma", "beta"), start=1):
        array = node.constant(position, name)
        node.check(array.size == C, f"{array.size} numbers {name}", f"{C}, one for each channel")
        arrays[name] = array.reshape(1, C, 1, 1)
    node.check(groups >= 1 and C % groups == 0, f"{groups} groups", f"a divisor of {C} channels")
    return [Part(GroupNorm(groups, float(node.attribute("epsilon", 1e-5))), arrays)]


def reshape(node: Node, shape: Shape, batch: int) -> list[Part]:
    """Read a Reshape to vectors."""
    target = [int(length) for length in node.constant(1, "shape").reshape(-1)]
    zero = () if node.attribute("allowzero", 0) else (0,)
    samples = target[:1] in [[length] for length in (-1, *zero, *([batch] if batch else []))]
    whole = target[1:] in ([prod(shape)], [-1])
    node.check(samples and whole and target != [-1, -1], f"shape {target}",
               f"(-1, {prod(shape)}), one vector for each sample")
    return [Part(Flatten())]


def flatten(node: Node, shape: Shape, batch: int) -> list[Part]:
    """Read a Flatten to vectors."""
    axis = node.attribute("axis", 1)
    node.check(axis == 1, f"axis {axis}", "1, one vector for each sample")
    return [Part(Flatten())]


def squeeze(node: Node, shape: Shape, batch: int) -> list[Part]:
    """Read a Squeeze of images of one pixel."""
    axes = node.constants.get(1, node.attribute("axes", None))
    found = None if axes is None else sorted(int(axis) % 4 for axis in axes)
    node.check(found == [2, 3] and all(side == 1 for side in shape[1:]),
               f"axes {found}, one sample of the shape {shape}", "axes 2 and 3 of length 1")
    return [Part(Flatten())]


def pad(node: Node, shape: Shape, batch: int) -> list[Part]:
    """Read a border of one number around images."""
    as_images(node, shape)
    mode = node.attribute("mode", b"constant").decode()
    node.check(mode == "constant", f"mode {mode}", "constant")
    node.check(len(node.inputs) < 4 or not node.inputs[3], "axes", "none")
    widths = node.constants.get(1, node.attribute("pads", None))
    found = [] if widths is None else [int(width) for width in widths]
    width = found[-1] if found else 0
    node.check(found == [0, 0, width, width] * 2 and width >= 0, f"pads {found}",
               "the same on all sides of images")
    value = node.constants.get(2, node.attribute("value", 0.0))
    return [Part(Pad(width, float(np.asarray(value).reshape(-1)[0])))]


def dropout(node: Node, shape: Shape, batch: int) -> list[Part]:
    """Read a dropout; its ratio is the probability of dropping."""
    ratio = float(node.constants.get(1, node.attribute("ratio", 0.5)))
    node.check(0 <= ratio < 1, f"ratio {ratio}", "at least 0 and below 1")
    return [Part(Dropout(1 - ratio))]


def relu(node: Node, shape: Shape, batch: int) -> list[Part]:
    """Read a ReLU."""
    return [Part(ReLU())]


def leaky_relu(node: Node, shape: Shape, batch: int) -> list[Part]:
    """Read a leaky ReLU."""
    return [Part(LeakyReLU(float(node.attribute("alpha", 0.01))))]


def identity(node: Node, shape: Shape, batch: int) -> list[Part]:
    """Read an Identity as no layer."""
    return []


READERS: Mapping[str, Reader] = {
    "Conv": conv, "BatchNormalization": batchnorm, "Relu": relu, "LeakyRelu": leaky_relu,
    "MaxPool": max_pool, "AveragePool": average_pool, "GlobalAveragePool": global_average_pool,
    "ReduceMean": reduce_mean, "Gemm": gemm, "MatMul": gemm, "Flatten": flatten,
    "Reshape": reshape, "Squeeze": squeeze, "Pad": pad, "Dropout": dropout, "Identity": identity,
    "LayerNormalization": layernorm, "GroupNormalization": groupnorm,
    "InstanceNormalization": groupnorm}  # onnx_import reads Add, and a Softmax at the end
