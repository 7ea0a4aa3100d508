"""Run the scripts of experiments/ in this process, on some built-in faces."""
import functools
import importlib.util
import sys
from pathlib import Path

import pytest

from cs231n_fer.data_utils import load_data
from cs231n_fer.solver import Solver

EXPERIMENTS = Path(__file__).resolve().parents[1] / "experiments"
TINY = ["--data", "synthetic", "--filters", 3, 4, "--hidden-dim", 6, "--batch-size", 16,
        "--dropout-keep", 0.9, "--rung", "im2col"]  # the rung that needs no compilation
FACES = functools.partial(load_data, synthetic_train=70, synthetic_val=30, synthetic_test=0)


def script(name):
    """Load a script of experiments/ as a module of its own; name as below that folder:
    "checks.fuzz_inputs"."""
    specification = importlib.util.find_spec(f"experiments.{name}")
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module


def run(name, *arguments, load=FACES, draw=False):
    """Run a script of experiments/ in this process, on some faces.

    Most of the time is spent on figures.
    """
    with pytest.MonkeyPatch.context() as patch:
        module = script(name)
        patch.setattr(module, "load_data", load, raising=False)  # not every script has it
        if not draw and name == "train_final":
            patch.setattr(module, "draw_run", lambda *arguments: None)
        patch.setattr(sys, "argv", [name, *map(str, arguments)])
        module.main()


def no_steps(patch):
    """Make every training step fail."""
    def step(*arguments):
        raise AssertionError("a training step")
    patch.setattr(Solver, "_step", step)


def reproduce(folder, only, again):
    """Let reproduce_paper.py do the experiments `only` with --quick, and `again` one of them, which
    trains nothing.

    folder   gets runs and paper, the results; a small net is trained on a few faces
    """
    from experiments import reproduce_paper
    from experiments.paper import options

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(options, "load_data", lambda path=None, **sizes: FACES("synthetic"))
        patch.setattr(options, "QUICK_NET", {"num_filters": [3, 4], "hidden_dim": 6})
        argv = ["--quick", "--epochs", "1", "--runs", str(folder / "runs"), "--results",
                str(folder / "paper")]
        assert reproduce_paper.main([*argv, "--only", *map(str, only)]) == 0
        no_steps(patch)
        assert reproduce_paper.main([*argv, "--only", str(again)]) == 0
    return folder
