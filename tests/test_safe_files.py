"""No file that is read can run code.

The source of package, experiments and tests is searched for dangerous calls.
"""
import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]

FILES = sorted(path for folder in ("cs231n_fer", "experiments", "tests")
               for path in (ROOT / folder).rglob("*.py"))

MODULES = {"pickle", "cPickle", "_pickle", "dill", "cloudpickle", "joblib", "marshal", "shelve",
           "yaml", "jsonpickle"}
# The method eval of a PyTorch module is unrelated to the function eval.
CALLS = {"eval", "exec", "compile", "__import__", "execfile"}
ATTRIBUTES = {"extractall", "extract", "unpack_archive", "read_pickle", "to_pickle",
              "fromfile_pickle"}
# keyword: its only safe value
KEYWORDS = {"allow_pickle": False, "weights_only": True, "shell": False}
# Runs the example in README.md, the only text that becomes code.
README_EXAMPLE = "tests/test_readme.py"


def faults(source):
    """Yield (line, what) of whatever could turn the content of a file into code, or write it where
    it likes."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            names = [node.module or "", *(alias.name for alias in node.names)]
        elif isinstance(node, ast.Call):
            yield from ((node.lineno, what) for what in call_faults(node))
            continue
        else:
            continue
        yield from ((node.lineno, f"import {name}") for name in names
                    if name.split(".")[0] in MODULES)


def call_faults(node):
    """Yield the name of every dangerous function in a call."""
    name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
    is_call = isinstance(node.func, ast.Name) and name in CALLS
    if is_call or isinstance(node.func, ast.Attribute) and name in ATTRIBUTES:
        yield name
    is_import = name in ("import_module", "__import__")
    if is_import and node.args and isinstance(node.args[0], ast.Constant):
        if str(node.args[0].value).split(".")[0] in MODULES:
            yield f"import {node.args[0].value}"
    for keyword in node.keywords:
        safe = getattr(keyword.value, "value", None)
        if keyword.arg in KEYWORDS and safe is not KEYWORDS[keyword.arg]:
            yield keyword.arg


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_no_file_becomes_code_and_no_archive_is_unpacked(path):
    found = [(line, what) for line, what in faults(path.read_text(encoding="utf-8"))
             if (str(path.relative_to(ROOT)), what) != (README_EXAMPLE, "exec")]
    assert not found, f"{path}: {found}"


UNSAFE = ["import pickle", "import pickle as p", "from pickle import loads",
          "from multiprocessing import pickle",
          "import marshal", "import shelve", "import yaml", "from yaml import load",
          "import joblib",
          "import dill.source", "def f():\n    import pickle", "eval('1')", "exec(text)",
          "compile(text, '', 'exec')", "__import__('os')",
          "np.load(path, allow_pickle=True)", "np.load(path, allow_pickle=flag)",
          "archive.extractall()",
          "archive.extract(member)", "shutil.unpack_archive(path)", "pd.read_pickle(path)",
          "torch.load(path, weights_only=False)", "importlib.import_module('pickle')",
          "run(text, shell=True)"]
SAFE = ["import json", "np.load(path)", "np.load(path, allow_pickle=False)", "module.eval()",
        "re.compile('x')",
        "archive.extractfile(member)", "torch.load(path, weights_only=True)", "import pickled",
        "import pickletools",
        "run([text], shell=False)"]


@pytest.mark.parametrize("source", UNSAFE)
def test_each_way_to_run_a_file_is_seen(source):
    assert len(list(faults(source))) >= 1


@pytest.mark.parametrize("source", SAFE)
def test_what_is_safe_is_let_pass(source):
    assert list(faults(source)) == []


def test_all_files_are_looked_at():
    names = {str(path.relative_to(ROOT)) for path in FILES}
    assert {"cs231n_fer/files/checkpoint.py", "experiments/train_final.py",
            "tests/test_safe_files.py"} <= names
    assert len(names) > 100
