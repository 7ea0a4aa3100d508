"""The doors are shut without their extras, and say which one is missing."""
import subprocess
import sys

import pytest

import cs231n_fer

LIBRARIES = ("onnx", "onnxruntime", "sklearn", "safetensors", "torch")
DOORS = {"onnx_export": "onnx", "onnx_import": "onnx", "estimator": "sklearn",
         "hub": "safetensors"}


def run(code):
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True,
                          cwd=cs231n_fer.__path__[0] + "/..")


@pytest.mark.parametrize("module", DOORS)
def test_a_missing_library_is_an_importerror_that_names_the_extra(module):
    extra = DOORS[module]
    done = run(f"import sys; sys.modules[{extra!r}] = None\n"
               f"import cs231n_fer.exchange.{module}")
    assert done.returncode == 1
    last = done.stderr.strip().splitlines()[-1]
    assert last.startswith("ImportError") and f'pip install "cs231n_fer[{extra}]"' in last


def test_nothing_else_imports_the_libraries_of_the_doors():
    done = run(f"import sys; sys.modules.update(dict.fromkeys({LIBRARIES}))\n"
               "import cs231n_fer.exchange, cs231n_fer.classifiers, cs231n_fer.solver\n"
               "cs231n_fer.load_pretrained()")
    assert done.returncode == 0, done.stderr
