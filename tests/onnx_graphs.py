"""Small ONNX graphs for the tests of the exchange."""
import numpy as np
import pytest

onnx = pytest.importorskip("onnx")
helper = onnx.helper
FLOAT = onnx.TensorProto.FLOAT


def node(operation, *inputs, out=None, name=None, **attributes):
    """A node; it and its output are called like its operation."""
    out = out or operation.lower()
    return helper.make_node(operation, inputs, [out], out if name is None else name, **attributes)


def model_of(nodes, arrays, shape=("N", 3, 6, 6), opset=17, inputs=(), outputs=None):
    """A model with the input x and, as its output, that of the last node."""
    outputs = outputs or [nodes[-1].output[0]]
    tensors = [onnx.numpy_helper.from_array(np.asarray(array), name)
               for name, array in arrays.items()]
    listed = [helper.make_tensor_value_info(name, FLOAT, arrays[name].shape) for name in inputs]
    graph = helper.make_graph(
        nodes, "test", [*listed, helper.make_tensor_value_info("x", FLOAT, shape)],
        [helper.make_tensor_value_info(name, FLOAT, None) for name in outputs], tensors)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)])
    model.ir_version = 3 if inputs else 8
    model = onnx.shape_inference.infer_shapes(model)  # says the shape of the output, if it can
    for value in model.graph.output:
        value.type.tensor_type.shape.SetInParent()  # some shape is there, as the checker demands
    return model


def saved(model, folder, name="net.onnx"):
    """Write a model to a folder, unchecked, and return its path."""
    path = folder / name
    path.write_bytes(model.SerializeToString())
    return path


def run(path, X):
    """Return what ONNX Runtime computes."""
    runtime = pytest.importorskip("onnxruntime")
    session = runtime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    return session.run(None, {session.get_inputs()[0].name: X})[0]


def assert_near(got, expected, factor=1e-5):
    """Compare two arrays to within a share of the largest number."""
    assert got.shape == expected.shape and got.dtype == expected.dtype
    atol = factor * np.abs(expected).max()
    np.testing.assert_allclose(got, expected, rtol=0, atol=atol)
