"""OpenVINO, for inference, tuned for latency: one stream, float32 (the default allows bfloat16)."""
import numpy as np
import openvino

from ..nets import Net
from ..reference import difference, verdict
from . import Task
from .onnx_graph import onnx_model


def build(spec):
    """Return the Task of a spec."""
    reference = dict(np.load(spec["reference"]))
    core = openvino.Core()
    settings = {"INFERENCE_NUM_THREADS": spec["threads"], "NUM_STREAMS": 1,
                "PERFORMANCE_HINT": "LATENCY", "INFERENCE_PRECISION_HINT": "f32"}
    graph = core.read_model(model=onnx_model(Net(**spec["net"]), reference))
    model = core.compile_model(graph, "CPU", settings)
    request = model.create_infer_request()

    def run():
        return request.infer([reference["X"]], share_inputs=True, share_outputs=True)[0]

    return Task(run, lambda: verdict([{"error": difference(run(), reference["scores"]),
                                       "at": "scores"}]))
