"""All gradient checks on a small number of random shapes. experiments/gradient_checks.py uses more.
"""
import dataclasses
import subprocess
import sys
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from cs231n_fer.fast_layers import COMPILED
from cs231n_fer.gradient_check.cases import CASES
from cs231n_fer.gradient_check.draws import oddities
from cs231n_fer.gradient_check.verdicts import largest_errors
from cs231n_fer.nets.ladder import LADDER

# Without compilation kernels are slow, but their gradients are tested there as well.
SLOW = {"naive"} if COMPILED else {"naive", "fast", "winograd"}
SCRIPT = Path(__file__).parents[2] / "experiments" / "gradient_checks.py"


def shapes_of(case):
    """How many shapes a test of every change can afford: numerical gradients of loops take long."""
    if "48" in case.layer or (case.rung in SLOW and case.layer.startswith("conv_")):
        return 1
    return 3 if case.is_network or case.rung in SLOW else 20


def test_every_rung_of_every_operation_of_the_ladder_has_a_row_under_its_name():
    names = [case.name for case in CASES]
    assert len(set(names)) == len(names)
    assert {f"{operation} {rung}" for operation, rungs in LADDER.items()
            for rung in rungs if rung != "auto"} <= set(names)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_every_gradient_is_the_derivative_of_its_function(case):
    worst, _ = largest_errors(case, shapes=shapes_of(case), seed=0, most=6)
    for dtype, (error, limit, passed) in worst.items():
        assert passed, f"{case.name} {dtype}: error {error}, limit {limit}"


@pytest.mark.parametrize("case", [case for case in CASES
                                  if case.layer.startswith(("conv", "max_pool", "avg_pool"))],
                         ids=lambda case: case.name)
def test_what_is_drawn_is_odd_in_every_way(case):
    rng = np.random.default_rng(0)
    counts = Counter(name for _ in range(100) for name in oddities(*case.draw(rng)))
    expected = {"H != W",
                "stride other than window"} | ({"N = 1"} if "bn" not in case.layer else set())
    if case.layer.startswith("conv"):
        expected |= {"one filter", "pad at least the window"}
    if case.rung == "reshape":
        expected = {"N = 1", "H != W"}  # its windows tile the image
    assert {name for name in counts if counts[name] >= 5} == expected


@pytest.mark.parametrize("break_gradient", [
    lambda gradient: gradient * 1.001, lambda gradient: gradient * np.nan,
    lambda gradient: gradient + 0.001,
], ids=["scaled", "NaN", "shifted"])
@pytest.mark.parametrize("case", [case for case in CASES if case.rung not in SLOW
                                  and "48" not in case.layer],
                         ids=lambda case: case.name)
def test_every_case_fails_with_its_last_gradient_broken(case, break_gradient):
    def broken(dout, cache):
        gradients = case.backward(dout, cache)
        if not isinstance(gradients, tuple):
            return break_gradient(gradients)
        return (*gradients[:-1], break_gradient(gradients[-1]))
    results = largest_errors(dataclasses.replace(case, backward=broken), shapes=3, seed=0)[0]
    # float32 is compared with float64, which is broken in the same way: only NaN can be seen.
    assert not results["float64"][2]


def test_a_gradient_of_another_dtype_fails():
    case = next(case for case in CASES if case.name == "relu im2col")
    wide = dataclasses.replace(case, backward=lambda dout,
                               cache: case.backward(dout, cache).astype(np.float64))
    assert not largest_errors(wide, shapes=1, seed=0)[0]["float32"][2]


def test_a_layer_that_writes_on_its_inputs_is_caught():
    case = next(case for case in CASES if case.name == "relu im2col")

    def clip_in_place(x):
        return np.maximum(x, 0, out=x), x
    with pytest.raises(ValueError, match="read-only"):
        largest_errors(dataclasses.replace(case, forward=clip_in_place), shapes=1, seed=0)


def test_the_script_prints_a_table_and_exits_with_0():
    done = subprocess.run([sys.executable, SCRIPT, "--layer", "affine", "--shapes", "2"],
                          capture_output=True, text=True, cwd=SCRIPT.parent.parent)
    assert done.returncode == 0, done.stderr
    assert "every row passes" in done.stdout
    assert "affine_relu" in done.stdout
    assert "FAIL" not in done.stdout


def test_the_script_exits_with_2_for_an_unknown_layer():
    done = subprocess.run([sys.executable, SCRIPT, "--layer", "no such"], capture_output=True,
                          text=True, cwd=SCRIPT.parent.parent)
    assert done.returncode == 2 and "no such" in done.stderr
