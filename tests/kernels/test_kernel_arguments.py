"""Kernels and their steps take a small number of arguments, and use all of them."""
import ast
from pathlib import Path

import pytest

from cs231n_fer import kernels

# Not those of vectors/, the language that kernels are written in.
FILES = sorted(Path(kernels.__file__).parent.glob("*.py"))
MOST = 9


def functions():
    """Yield (name, names of its arguments) of every function outside of the vector language."""
    for path in FILES:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.FunctionDef):
                arguments = node.args.posonlyargs + node.args.args + node.args.kwonlyargs
                yield f"{path.stem}.{node.name}", [argument.arg for argument in arguments]


ALL = list(functions())


def test_the_functions_of_the_kernels_are_found():
    expected = {"conv.forward", "conv.backward_part", "tile.tile", "update.adam"}
    assert expected <= {name for name, _ in ALL}


@pytest.mark.parametrize("name, arguments", ALL, ids=[name for name, _ in ALL])
def test_a_function_of_the_kernels_has_few_arguments_and_no_placeholders(name, arguments):
    assert len(arguments) <= MOST, f"{name} takes {len(arguments)}: put them into records"
    assert not [argument for argument in arguments if not argument.strip("_")]
