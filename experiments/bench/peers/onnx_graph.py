"""A nets.Net with the reference's arrays as an ONNX model, for ONNX Runtime and OpenVINO."""
import numpy as np
from onnx import TensorProto, helper, numpy_helper

from ..nets import EMOTIONS, FACE_SHAPE

# Old enough for all current runtimes.
OPSET = 17
IR_VERSION = 8


def onnx_model(net, reference):
    """Return the bytes of the model, whose batch size is that of the reference's X."""
    nodes = []
    arrays = []
    value = "X"

    def add(operator, names=(), **attributes):
        nonlocal value
        inputs = [value]
        for name in names:
            prefix = "buffers" if "running" in name else "params"
            array = np.ascontiguousarray(reference[f"{prefix}/{name}"], np.float32)
            arrays.append(numpy_helper.from_array(array, name))
            inputs.append(name)
        value = f"value{len(nodes)}"
        nodes.append(helper.make_node(operator, inputs, [value], **attributes))

    pad = net.size // 2
    for kind, name, _ in net.layers():
        if kind == "conv":
            parts = ("w",) if net.batchnorm else ("w", "b")
            add("Conv", [f"{name}/{part}" for part in parts], pads=[pad] * 4,
                kernel_shape=[net.size] * 2)
        elif kind == "bn":
            add("BatchNormalization",
                [f"{name}/{part}" for part in ("gamma", "beta", "running_mean", "running_var")],
                epsilon=1e-5)
        elif kind == "affine":
            add("Gemm", [f"{name}/w", f"{name}/b"])
        elif kind == "pool":
            add("MaxPool", kernel_shape=[2, 2], strides=[2, 2])
        else:
            add({"relu": "Relu", "flatten": "Flatten"}[kind])
    batch = len(reference["X"])
    ends = [[helper.make_tensor_value_info(name, TensorProto.FLOAT, (batch, *shape))]
            for name, shape in (("X", FACE_SHAPE), (value, (EMOTIONS,)))]
    graph = helper.make_graph(nodes, "net", *ends, arrays)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)],
                              ir_version=IR_VERSION)
    return model.SerializeToString()
