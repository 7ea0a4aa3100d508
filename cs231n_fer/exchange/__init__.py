"""Doors to other programs: networks as ONNX files and as folders for model hubs, and a scikit-learn
estimator.

Each module needs a library that is no dependency of this package but an extra of it, and names the
extra in an ImportError where the library is missing. Nothing else here imports this room, and this
file imports none of its modules: name the one that you need.

    onnx_export     export_onnx: a network as an ONNX file    pip install "cs231n_fer[onnx]"
    onnx_import     import_onnx: an ONNX file as a network    the same extra
    estimator       ConvNetClassifier                         pip install "cs231n_fer[sklearn]"
    hub             save_folder, load_folder                  pip install "cs231n_fer[safetensors]"

Behind onnx_import are onnx_library (where the library is imported), onnx_graph (files as nodes),
onnx_paths (nodes as chains and branches) and onnx_layers (nodes as layers).

To add an operation to ONNX files: a writer of the layer in WRITERS of onnx_export, a reader of the
node in READERS of onnx_layers, and rows in tests/exchange/test_onnx_export.py and
test_onnx_import.py. To add a door: a module here, its library in RESERVED of
tests/test_architecture.py, and its extra in setup.cfg.
"""
