"""Bridges to other programs: ONNX files, folders for model hubs, and a scikit-learn estimator.

Each module needs a library that is an optional extra of this package, not a dependency. If the
library is missing, an ImportError says which extra to install. Only this room needs these
libraries, and this file imports none of its modules, so import the one that you need by name.

    onnx_export     export_onnx: a network as an ONNX file    pip install "cs231n_fer[onnx]"
    onnx_import     import_onnx: an ONNX file as a network    the same extra
    estimator       ConvNetClassifier                         pip install "cs231n_fer[sklearn]"
    hub             save_folder, load_folder                  pip install "cs231n_fer[safetensors]"

onnx_import uses onnx_graph (a file as nodes), onnx_paths (nodes as chains and branches) and
onnx_layers (nodes as layers). onnx_library is the only module that imports the library onnx.

To add an operation to ONNX files: add a writer of the layer to WRITERS in onnx_export, a reader of
the node to READERS in onnx_layers, and rows to tests/exchange/test_onnx_export.py and
test_onnx_import.py. To add a bridge: write a module here, and add its library to RESERVED in
tests/test_architecture.py and its extra to setup.cfg.
"""
