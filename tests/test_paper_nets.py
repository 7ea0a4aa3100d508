"""The experiments on teachers, losses, pre-training and depth, each with --quick on a few faces."""
import pathlib
import sys

import numpy as np
import pytest
from jobs import FACES

sys.path.insert(0, str(pathlib.Path(__file__).parents[1] / "experiments"))

import reproduce_paper  # noqa: E402  (experiments is no package)
from paper import findings, options  # noqa: E402

from cs231n_fer.solver import Solver  # noqa: E402

EXPERIMENTS = {  # number: (name, rows, figures)
    6: ("distillation", 4, ["accuracy", "curves"]), 13: ("transfer", 6, ["accuracy", "curves"])}


@pytest.fixture(scope="module")
def reproduced(tmp_path_factory):
    """The folder above the results."""
    folder = tmp_path_factory.mktemp("paper")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(options, "load_data", lambda path=None, **sizes: FACES("synthetic"))
        patch.setattr(options, "QUICK_NET", {"num_filters": [3, 4], "hidden_dim": 6})
        argv = ["--quick", "--epochs", "1", "--runs", str(folder / "runs"), "--results", str(folder / "paper")]
        assert reproduce_paper.main([*argv, "--only", *map(str, EXPERIMENTS)]) == 0

        def step(*arguments):
            raise AssertionError("a training step")
        patch.setattr(Solver, "_step", step)
        assert reproduce_paper.main([*argv, "--only", "6"]) == 0  # whose trainings are all found again
    return folder


@pytest.mark.parametrize("number", EXPERIMENTS)
def test_an_experiment_leaves_its_table_figures_and_findings(number, reproduced):
    name, rows, figures = EXPERIMENTS[number]
    found = findings.load_results(reproduced / "paper", number, name)
    assert len(found["rows"]) == rows and found["findings"]
    assert found["figures"] == [f"{number:02}_{name}_{figure}.png" for figure in figures]
    assert all((reproduced / "paper" / figure).stat().st_size > 5000 for figure in found["figures"])
    assert found["command"] == f"python experiments/paper_{name}.py --quick --epochs 1"


def test_students_differ_from_the_net_without_a_teacher_in_their_loss_alone(reproduced):
    base, *students = findings.load_results(reproduced / "paper", 6, "distillation")["runs"]
    assert [each["run"]["options"]["teachers"]["alpha"] for each in students] == [0.8, 0.1, 0.1]
    assert [len(each["run"]["options"]["teachers"]["digests"]) for each in students] == [1, 1, 2]
    assert students[0]["run"]["options"]["teachers"]["digests"] == [base["digest"]]
    for each in students:
        assert {**each["run"], "options": {}, "name": ""} == {**base["run"], "name": ""}
        assert not np.array_equal(each["history"]["loss"], base["history"]["loss"])
