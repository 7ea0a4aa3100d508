"""Tests of experiments 3 and 7 on a few faces: the random search, and accuracy per emotion."""
import json
import re
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from jobs import FACES, no_steps

from cs231n_fer.layers import softmax_loss
from cs231n_fer.solver import Solver
from cs231n_fer.solver.samplers import Balanced, class_weights
from experiments.paper import emotions as paper_emotions
from experiments.paper import options, runs, statistics, trials
from experiments.paper import search as paper_search
from experiments.paper.findings import load_results
from experiments.paper.runs import Run, train

QUICK_NET = {"num_filters": [3, 4], "hidden_dim": 6, "rung": "im2col"}


@pytest.fixture(autouse=True)
def few_faces(monkeypatch):
    """Let the scripts train a tiny net on a few faces; their entries in EXTRAS are undone."""
    monkeypatch.setattr(options, "load_data", lambda path=None, **sizes: FACES("synthetic"))
    monkeypatch.setattr(options, "QUICK_NET", QUICK_NET)
    monkeypatch.setattr(runs, "EXTRAS", {})


def run(script, folder, *argv):
    """Run a script with --quick; returns its results."""
    script.main(["--quick", "--runs", str(folder / "runs"), "--results", str(folder / "paper"),
                 *argv])
    number, name = (3, "search") if script is paper_search else (7, "emotions")
    found = load_results(folder / "paper", number, name)
    assert all((folder / "paper" / figure).stat().st_size > 5000 for figure in found["figures"])
    assert found["command"] == " ".join([f"python experiments/paper/{name}.py --quick", *argv])
    return found


def test_rungs_take_their_shares_of_epochs_and_trials():
    shares = paper_search.SHARES
    assert trials.rungs(40, 30, shares, 2) == ((1, 30), (4, 20), (12, 6), (40, 2))
    assert trials.rungs(3, 4, shares, 2) == ((1, 4), (3, 2))
    assert trials.rungs(1, 9, shares, 2) == ((1, 2),)


@given(epochs=st.integers(1, 200), count=st.integers(1, 200))
def test_rungs_get_longer_and_emptier_and_end_with_the_whole_training(epochs, count):
    budgets, counts = zip(*trials.rungs(epochs, count, paper_search.SHARES, 2), strict=True)
    assert list(budgets) == sorted(set(budgets)) and list(counts) == sorted(counts, reverse=True)
    assert (budgets[-1], counts[-1]) == (epochs, 2)


def test_the_search_is_found_again_and_goes_on_with_more_trials(tmp_path, monkeypatch):
    found = run(paper_search, tmp_path, "--trials", "3")
    assert len(found["rows"]) == 1 + 2 and found["rows"][0][0].endswith("decay 0.95 (the paper)")
    assert re.match(r"After epoch 1: \d of 3 random trials", found["notes"][0])
    assert re.match(r"After epoch 3: \d of 2 random trials", found["notes"][1])
    assert [each["epochs"] for each in found["runs"]] == [3, 3, 3] and found["seeds"] == [0]
    more = run(paper_search, tmp_path, "--trials", "5")
    folder, = (tmp_path / "runs").glob("search-*")
    first = [json.loads(path.read_text()) for path in sorted((folder / "rung-1").glob("*.json"))]
    assert [each["number"] for each in first] == list(range(6))
    assert re.match(r"After epoch 1: \d of 5 random trials", more["notes"][0])
    assert all(each["settings"] != paper_search.PAPER for each in first[1:])
    no_steps(monkeypatch)
    again = run(paper_search, tmp_path, "--trials", "3")
    assert {key: again[key] for key in ("rows", "findings", "notes")} == {
        key: found[key] for key in ("rows", "findings", "notes")}


def test_what_a_rung_finds_does_not_depend_on_how_long_the_trainings_were(tmp_path):
    data = FACES("synthetic")
    base = replace(Run(num_epochs=3, batch_size=16).with_model(**QUICK_NET), name="base")
    values = {number: {**paper_search.PAPER, "learning_rate": rate}
              for number, rate in enumerate((1e-3, 1e-2, 1e30))}
    with np.errstate(all="ignore"):
        found = trials.search(base, values, ((1, 3), (2, 2), (3, 1)), data, tmp_path, key="a")
        for number in values:  # all trials in full
            train(trials.run_of(base, number, values[number]), data, tmp_path)
        assert trials.search(base, values, ((1, 3), (2, 2), (3, 1)), data, tmp_path,
                             key="b") == found
    assert len(list(tmp_path.glob("search-*"))) == 2  # one for each key
    assert found[1][2]["score"] == 0 and found[1][2]["history"] == []  # it diverged
    assert trials.longest(found)[2] == (1, found[1][2])
    assert [len(result["history"]) for result in found[2].values()] == [2, 2]


class Process:
    """A fake process that records its arguments and calls."""

    def __init__(self, command, env):
        self.command, self.env, self.calls = command, env, []
        PROCESSES.append(self)

    def terminate(self):
        self.calls.append("terminate")

    def wait(self):
        self.calls.append("wait")


PROCESSES = []


@pytest.mark.parametrize("count", [0, 3])
def test_workers_get_the_same_command_and_their_threads_and_end_with_the_body(count, monkeypatch):
    PROCESSES.clear()
    asked = []
    monkeypatch.setattr(subprocess, "Popen", Process)
    monkeypatch.setattr(trials, "threads", lambda: 8)
    monkeypatch.setattr(trials, "set_threads", asked.append)
    argv = ["--trials", "9", "--processes", "4"]
    with pytest.raises(KeyboardInterrupt), trials.workers("a.py", argv, count):
        assert len(PROCESSES) == count and not any(process.calls for process in PROCESSES)
        raise KeyboardInterrupt
    assert asked == [8 // (count + 1)]
    for process in PROCESSES:
        assert process.command == [sys.executable, "a.py", "--trials", "9", "--processes", "4",
                                   "--processes", "1", "--worker"]
        assert process.env["NUMBA_NUM_THREADS"] == "2" and process.calls == ["terminate", "wait"]


def test_a_worker_writes_no_results(tmp_path):
    paper_search.main(["--quick", "--runs", str(tmp_path / "runs"), "--results",
                       str(tmp_path / "paper"), "--epochs", "1", "--trials", "2", "--worker"])
    assert not (tmp_path / "paper").exists()
    assert len(list((tmp_path / "runs").glob("search-*/rung-1/*.json"))) == 3


def test_emotions_are_counted_with_and_without_faces_that_are_in_training(tmp_path, monkeypatch):
    data = FACES("synthetic")
    data["X_val"] = data["X_val"].copy()
    data["X_val"][:4] = data["X_train"][10:14]
    monkeypatch.setattr(options, "load_data", lambda path=None, **sizes: data)
    found = run(paper_emotions, tmp_path, "--epochs", "1")
    assert len(found["rows"]) == 7 + 1
    assert len(found["header"]) == len(found["rows"][0]) == 3 + len(paper_emotions.NETS)
    assert found["figures"] == ["07_emotions_confusion.png", "07_emotions_emotions.png"]
    assert len(found["findings"]) == 4
    assert "4 of the 30 faces also occur in training" in found["findings"][1]["ours"]
    assert found["findings"][1]["verdict"] == "refined"
    assert len(found["runs"]) == len(paper_emotions.NETS)
    path, = (tmp_path / "runs").glob(f"*-{found['runs'][0]['digest']}/result.json")
    right = json.loads(path.read_text())["right"]
    assert found["rows"][-1][2].startswith(f"{100 * right.count('1') / 30:.1f} %")
    assert found["rows"][-1][-1].startswith(f"{100 * right[4:].count('1') / 26:.1f} %")
    assert [each["run"]["options"] for each in found["runs"]] == list(paper_emotions.NETS.values())


def test_results_among_some_faces_are_those_of_these_faces():
    results = [{"right": "1100", "val_acc": 0.5}, {"right": "1010", "val_acc": 0.5}]
    mask = np.array([1, 0, 1, 1], bool)
    assert statistics.among(results, mask) == [{"right": "100", "val_acc": 1 / 3},
                                               {"right": "110", "val_acc": 2 / 3}]
    value, low, high = statistics.share(results, mask)
    # Wilson's interval for 1.5 of 3 faces
    assert value == 0.5 and low == pytest.approx(1 - high) and 0 < low < 0.5
    for parts, verdict in (([1, 1], "confirmed"), ([0, 1], "refined"), ([0, 0], "refuted")):
        assert paper_emotions.verdict(parts) == verdict


def test_a_balanced_run_has_its_sampler_and_a_weighted_one_its_loss(tmp_path, monkeypatch):
    data, seen = FACES("synthetic"), []
    run = replace(Run(num_epochs=1, batch_size=16).with_model(**QUICK_NET),
                  options={"balanced": 0.5})
    whole = Solver._train_epoch
    monkeypatch.setattr(Solver, "_train_epoch",
                        lambda self: seen.append(self.recipe.sampler) or whole(self))
    train(run, data, tmp_path)
    assert seen == [Balanced(0.5)]
    model, _ = paper_emotions.weigh(0.5, runs.make_model(run), data)
    x, y = np.random.default_rng(0).normal(size=(5, 7)), np.arange(5)
    weights = class_weights(data["y_train"], 7, 0.5)
    assert model.loss_function(x, y)[0] == softmax_loss(x, y, weights)[0]
