"""The library onnx, imported here alone."""
try:
    import onnx
    from onnx import TensorProto, checker, helper, numpy_helper
except ImportError as error:
    raise ImportError(
        f'ONNX files need the library onnx ({error}); pip install "cs231n_fer[onnx]"') from error

__all__ = ["TensorProto", "checker", "helper", "numpy_helper", "onnx"]
