"""The import law: who may import whom, read from the source of every module."""
import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

import cs231n_fer

ROOT = Path(cs231n_fer.__file__).resolve().parent.parent
PACKAGE = ROOT / "cs231n_fer"

# A module imports modules of strictly lower rank only; those of a folder share its rank and may import each other.
RANKS = {
    "types": -1, "shapes": 0, "gradient_check": 0, "schedules": 0, "metrics": 0, "fer2013": 0, "sources": 0.5,
    "face_drawing": 0, "copying": 0, "memory": 0, "flat": 0.5, "seam": 0.5, "sealed": 0.5,
    "layers": 1, "kernels": 1, "checkpoint": 1, "vis_utils": 1,
    "kaggle": 1, "ferplus": 1, "image_folder": 1, "data_summary": 1, "synthetic": 1,
    "fast_pool": 1.5, "fast_layers": 2, "fast_sandwiches": 2.3, "fast_batchnorm": 2.6, "fast_norm": 2.7,
    "fast_relu": 1.5, "fast_losses": 1.5, "fast_gradients": 1.5, "compile_ahead": 2.3, "update_steps": 1.5,
    "optim": 2, "augment": 2, "prepare": 2, "curves": 2, "face_regions": 2, "averaging": 2,
    "imbalance": 1, "search": 2, "interrupts": 0, "fingerprint": 0, "run_folder": 2,
    "layer_utils": 3, "data_utils": 3,
    "ladder": 4, "records": 5, "network": 6, "inference": 7, "linear_svm": 8, "empath": 1, "clips": 2,
    "deep_nets": 7, "classifiers": 8, "distillation": 8, "pretrained": 9,
    "diagnosis": 7, "solver": 7.5, "saliency": 7, "gradient_draws": 2, "gradient_cases": 9, "report": 8,
}

# Libraries that only some may import: all modules of the package, by the first part of their names.
RESERVED = {
    "numba": {"kernels"}, "llvmlite": {"kernels"}, "matplotlib": {"vis_utils", "curves"},
    "h5py": {"sealed"}, "PIL": {"image_folder"}, "tqdm": {"solver", "prepare"},
    "cs231n_fer.kernels": {"fast_pool", "fast_layers", "fast_sandwiches", "fast_batchnorm", "fast_norm", "inference",
                           "compile_ahead", "fast_relu", "fast_losses", "fast_gradients", "update_steps", "augment"},
    "importlib": set(), "experiments": set(), "tests": set(),
    "pandas": set(), "scipy": set(), "torch": set(), "sklearn": set(),
}


def modules():
    """Every module of the package as (path, its part of the package: a module or a folder)."""
    for path in sorted(PACKAGE.rglob("*.py")):
        part = path.relative_to(PACKAGE).parts[0].removesuffix(".py")
        if part != "__init__":
            yield path, part


def imports(path):
    """Yield (line, dotted name) of every import, wherever it stands; `from . import x` counts as importing x."""
    package = path.relative_to(ROOT).parts[:-1]
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            parts = package[:len(package) - node.level + 1] if node.level else ()
            module = ".".join((*parts, *filter(None, [node.module])))
            if module == "cs231n_fer":
                yield from ((node.lineno, f"{module}.{alias.name}") for alias in node.names)
            else:
                yield node.lineno, module


def internal(path):
    """Yield (line, part of the package) of every import from the package."""
    for line, name in imports(path):
        if name.startswith("cs231n_fer."):
            yield line, name.split(".")[1]


ALL = list(modules())


def test_every_module_has_a_rank_and_every_rank_a_module():
    assert sorted({part for _, part in ALL}) == sorted(RANKS)  # a new module goes into RANKS and the reading order


@pytest.mark.parametrize("path, part", ALL, ids=lambda value: value.stem if isinstance(value, Path) else "")
def test_a_module_imports_from_lower_ranks_only(path, part):
    wrong = [f"{path}:{line}: {part} (rank {RANKS[part]}) imports {other} (rank {RANKS.get(other)})"
             for line, other in internal(path)
             if RANKS.get(other, 99) >= RANKS[part] and not (other == part and path.parent != PACKAGE)]
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("path, part", ALL, ids=lambda value: value.stem if isinstance(value, Path) else "")
def test_a_library_is_imported_only_where_it_belongs(path, part):
    wrong = [f"{path}:{line}: {part} imports {name}" for line, name in imports(path)
             for reserved, owners in RESERVED.items()
             if (name + ".").startswith(reserved + ".") and part not in owners | {reserved.rsplit(".", 1)[-1]}]
    assert not wrong, "\n".join(wrong)


def test_the_book_imports_numpy_and_the_argument_checks_and_nothing_else():
    names = {name for path, part in ALL if part == "layers" for _, name in imports(path)}
    others = {name for name in names if not name.startswith(("numpy", "cs231n_fer.layers"))}
    assert others <= {"cs231n_fer.shapes", "cs231n_fer.types"}


@pytest.mark.parametrize("folder", ["layers", "kernels"])
def test_the_modules_of_a_folder_import_each_other_in_no_circle(folder):
    edges = {path.stem: {name.split(".")[2] for _, name in imports(path) if name.startswith(f"cs231n_fer.{folder}.")}
             for path, part in ALL if part == folder and path.stem != "__init__"}
    while edges:
        free = {module for module, needs in edges.items() if not needs & edges.keys()}
        assert free, f"{folder}: a circle among {sorted(edges)}"
        edges = {module: needs for module, needs in edges.items() if module not in free}


def reading_order():
    """The names in the package's docstring, in order, up to its first column of explanations."""
    order = []
    for line in re.findall(r"^    (\S.*)$", cs231n_fer.__doc__, re.MULTILINE):
        order += [name.rstrip("/") for name in re.split(r"\s{2,}", line)[0].split(", ")]
    return order


def test_the_reading_order_names_every_module_after_those_that_it_imports():
    order = reading_order()
    assert sorted(order) == sorted(RANKS)
    late = [f"{path.name} imports {other}, which comes later" for path, part in ALL for _, other in internal(path)
            if order.index(other) > order.index(part)]
    assert not late, "\n".join(late)


def run(code):
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT)


@pytest.mark.parametrize("module", ["shapes", "gradient_check", "layers", "schedules", "checkpoint",
                                    "metrics", "vis_utils", "curves", "synthetic", "prepare"])
def test_what_needs_no_compiler_works_without_numba(module):
    done = run("import sys; sys.modules.update(numba=None, llvmlite=None); "
               f"from cs231n_fer.{module} import *; import numpy")
    assert done.returncode == 0, done.stderr


def test_importing_the_package_imports_nothing_else():
    done = run("import sys; before = set(sys.modules); import cs231n_fer; print(*sorted(set(sys.modules) - before))")
    assert done.stdout.split() == ["cs231n_fer"], done.stderr
