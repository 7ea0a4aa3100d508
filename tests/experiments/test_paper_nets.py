"""Tests of the experiments on teachers, losses, pre-training and depth, on a few faces."""
import numpy as np
import pytest
from jobs import reproduce

from experiments.paper import findings

EXPERIMENTS = {  # number: (name, rows, figures)
    6: ("distillation", 4, ["accuracy", "curves"]),
    12: ("tang", 3, ["accuracy", "curves"]),
    13: ("transfer", 6, ["accuracy", "curves"]),
    15: ("deep", 6, ["cost", "curves"]),
    16: ("everything", 2, ["accuracy", "curves"])}


@pytest.fixture(scope="module")
def reproduced(tmp_path_factory):
    """Return the folder above the results."""
    # The second run of experiment 6 finds all its trainings
    return reproduce(tmp_path_factory.mktemp("paper"), EXPERIMENTS, again=6)


@pytest.mark.parametrize("number", EXPERIMENTS)
def test_an_experiment_leaves_its_table_figures_and_findings(number, reproduced):
    name, rows, figures = EXPERIMENTS[number]
    found = findings.load_results(reproduced / "paper", number, name)
    assert len(found["rows"]) == rows and found["findings"]
    assert found["figures"] == [f"{number:02}_{name}_{figure}.png" for figure in figures]
    assert all((reproduced / "paper" / figure).stat().st_size > 5000 for figure in found["figures"])
    assert found["command"] == f"python experiments/paper/{name}.py --quick --epochs 1"


def test_students_differ_from_the_net_without_a_teacher_in_their_loss_alone(reproduced):
    base, *students = findings.load_results(reproduced / "paper", 6, "distillation")["runs"]
    assert [each["run"]["options"]["teachers"]["alpha"] for each in students] == [0.8, 0.1, 0.1]
    assert [len(each["run"]["options"]["teachers"]["digests"]) for each in students] == [1, 1, 2]
    assert students[0]["run"]["options"]["teachers"]["digests"] == [base["digest"]]
    for each in students:
        assert {**each["run"], "options": {}, "name": ""} == {**base["run"], "name": ""}
        assert not np.array_equal(each["history"]["loss"], base["history"]["loss"])


def test_softmax_and_svm_are_compared_on_the_same_net_and_budget(reproduced):
    *trials, softmax, svm, plain = findings.load_results(reproduced / "paper", 12, "tang")["runs"]
    assert [each["run"]["loss"] for each in trials] == ["softmax"] * 2 + ["l2_svm"] * 2
    differ = {key for key in softmax["run"] if softmax["run"][key] != svm["run"][key]}
    assert differ <= {"name", "loss", "optim_config"}
    assert softmax["run"]["augmentation"] == "flip+similarity"
    differ = {key for key in svm["run"] if svm["run"][key] != plain["run"][key]}
    assert differ == {"name", "preprocessing"}
    rates = {each["run"]["optim_config"]["learning_rate"]: each["val_acc"] for each in trials[:2]}
    assert softmax["run"]["optim_config"]["learning_rate"] == max(rates, key=rates.get)


def test_nets_together_average_probabilities_or_scores(monkeypatch):
    from experiments.paper import tang as paper_tang

    class Net:
        def __init__(self, scores):
            self.scores = np.array(scores)

        def predict(self, X):
            return self.scores
    data, y = {"X_val": None}, np.array([0, 1])
    nets = [Net([[9.0, 0.0], [0.0, 0.1]]), Net([[0.0, 3.0], [0.0, 0.2]]),
            Net([[0.0, 3.0], [9.0, 0.0]])]
    monkeypatch.setattr(paper_tang, "load_trained", lambda result: result["net"])
    for loss, right in (("softmax", "00"), ("l2_svm", "10")):
        results = [{"run": {"preprocessing": "mean_image", "loss": loss}, "net": net}
                   for net in nets]
        found = paper_tang.together(results, {**data, "y_val": y})
        assert found == {"val_acc": right.count("1") / 2, "right": right}
