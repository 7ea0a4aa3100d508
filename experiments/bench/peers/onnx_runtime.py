"""ONNX Runtime, for inference, with all graph optimizations and its default spinning."""
import numpy as np
import onnxruntime

from ..nets import Net
from ..reference import difference, verdict
from . import Task
from .onnx_graph import onnx_model


def build(spec):
    """Return the Task of a spec."""
    reference = dict(np.load(spec["reference"]))
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = spec["threads"]
    options.inter_op_num_threads = 1
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_ALL
    session = onnxruntime.InferenceSession(onnx_model(Net(**spec["net"]), reference), options,
                                           providers=["CPUExecutionProvider"])
    feed = {"X": reference["X"]}
    return Task(lambda: session.run(None, feed),
                lambda: verdict([{"error": difference(session.run(None, feed)[0],
                                                      reference["scores"]),
                                  "at": "scores"}]))
