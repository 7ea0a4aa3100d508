"""Tests of the paper's experiments: stored trainings, findings, the report, and the scripts."""
import json
import math
from dataclasses import asdict, replace

import numpy as np
import pytest
from jobs import FACES, no_steps, reproduce

from cs231n_fer.solver import Solver
from experiments import reproduce_paper
from experiments.paper import findings, options, runs, statistics
from experiments.paper.findings import Finding
from experiments.paper.runs import Run, digest, load_trained, train

NET = {"kind": "FinalConvNet",
       "options": {"num_filters": [3, 4], "hidden_dim": 6, "rung": "im2col"}}
TINY = Run(name="tiny", model=NET, num_epochs=2, batch_size=16)


@pytest.fixture(scope="module")
def data():
    return FACES("synthetic")


@pytest.fixture(scope="module")
def folder(tmp_path_factory, data):
    """Return a folder of runs that contains TINY."""
    path = tmp_path_factory.mktemp("runs")
    train(TINY, data, path)
    return path


def test_a_digest_tells_settings_and_data_apart_but_not_names(data):
    changes = [{"model": {**NET, "kind": "ThreeLayerConvNet"}}, {"update_rule": "sgd"},
               {"lr_decay": 0.9}, {"seed": 1}, {"optim_config": {"learning_rate": 0.1}},
               {"schedule": {"kind": "Step"}}, {"batch_size": 17}, {"num_epochs": 3}, {"reg": 0.0},
               {"augmentation": "none"}, {"loss": "svm"}, {"options": {"a": 1}},
               {"preprocessing": "per_image"}, {}]
    others = [{**data, "y_train": data["y_train"][::-1]}, {**data, "X_val": data["X_val"] + 1}]
    digests = [digest(replace(TINY, **change), data) for change in changes]
    digests += [digest(TINY, other) for other in others]
    assert len(set(digests)) == len(digests) and all(len(each) == 8 for each in digests)
    assert digest(replace(TINY, name="other"), data) == digest(TINY, data)
    assert digest(Run(**json.loads(json.dumps(asdict(TINY)))), data) == digest(TINY, data)


def test_a_finished_run_is_found_again_under_any_name_and_not_trained(folder, data, monkeypatch):
    no_steps(monkeypatch)
    first, again = train(TINY, data, folder), train(replace(TINY, name="other"), data, folder)
    assert first == again
    assert first["epochs"] == 2
    assert not first["stopped"]
    assert first["diverged"] is None
    assert first["digest"] == digest(TINY, data)
    assert len(list(folder.iterdir())) == 1
    with pytest.raises(AssertionError, match="a training step"):
        train(replace(TINY, seed=1), data, folder)


def test_the_result_is_that_of_the_net_in_its_checkpoint(folder, data):
    result = train(TINY, data, folder)
    model = load_trained(result)
    predicted = model.predict(data["X_val"]).argmax(axis=1)
    assert result["val_acc"] == np.mean(predicted == data["y_val"])
    best = max(row["val_acc"] for row in result["history"])
    assert result["val_acc"] == best or result["best_epoch"] == 0
    assert result["val_acc"] == np.mean([digit == "1" for digit in result["right"]])
    assert result["parameters"] == sum(array.size for array in model.params.values())
    assert result["flops"] == 2 * (48 ** 2 * 3 * 9 + 24 ** 2 * 4 * 3 * 9 + 12 ** 2 * 4 * 6 + 6 * 7)


def test_an_interrupted_run_goes_on_where_it_was(folder, data, tmp_path, monkeypatch):
    steps = []

    def step(self, *arguments, whole=Solver._step):
        steps.append(whole(self, *arguments))
        if len(steps) == 7:  # in the second epoch: 70 faces make 5 steps of at most 16
            raise KeyboardInterrupt
    monkeypatch.setattr(Solver, "_step", step)
    with pytest.raises(KeyboardInterrupt):
        train(TINY, data, tmp_path)
    again, whole = train(TINY, data, tmp_path), train(TINY, data, folder)
    assert len(steps) == 7 + 5  # the first epoch was complete
    for name, array in load_trained(whole).params.items():
        np.testing.assert_array_equal(load_trained(again).params[name], array)


def test_a_hopeless_run_is_stopped_and_another_rule_gets_the_rest(data, tmp_path):
    run = replace(TINY, num_epochs=3)
    short = train(run, data, tmp_path, stop=lambda history: len(history) == 1)
    assert short["stopped"] and short["epochs"] == 1 == len(short["history"])
    assert train(run, data, tmp_path, stop=lambda history: history[-1]["loss"] > 0) == short
    assert train(run, data, tmp_path)["epochs"] == 3


def test_a_run_that_diverges_has_a_result(data, tmp_path, monkeypatch):
    run = replace(TINY, update_rule="sgd", optim_config={"learning_rate": 1e30})
    with np.errstate(all="ignore"):
        result = train(run, data, tmp_path)
    assert "at learning rate 1e+30" in result["diverged"]
    assert result["epochs"] == 0 == result["best_epoch"]
    # Accuracies of the untrained net
    assert result["checkpoint"] is None and result["val_acc"] == result["last_val_acc"]
    no_steps(monkeypatch)
    assert train(run, data, tmp_path) == result


def test_init_starts_from_layers_that_fit_and_says_which_did_not(folder, data, tmp_path, capsys):
    best = train(TINY, data, folder)["checkpoint"]
    run = replace(TINY, init=best).with_model(hidden_dim=5)
    model, trained = runs.make_model(run), load_trained(train(TINY, data, folder))
    started = "started from best.h5: block1/conv, block2/conv; newly initialized: affine1, affine2"
    assert started in capsys.readouterr().out
    np.testing.assert_array_equal(model.params["block2/conv/w"], trained.params["block2/conv/w"])
    assert digest(run, data) != digest(replace(run, init=None), data)


@pytest.mark.parametrize("change, message", [
    ({"augmentation": "flop"},
     "augmentation: got 'flop', expected one of brightness, erasing, flip, similarity"),
    ({"loss": "hinge"}, "loss: got 'hinge'"),
    ({"options": {"teacher": 1}}, "options: got 'teacher'"),
    ({"model": {"kind": "LeNet", "options": {}}}, "model: got 'LeNet'"),
    ({"schedule": {"kind": "Cosine"}}, "schedule"),
    ({"preprocessing": "zca"}, "preprocessing: got 'zca', expected one of mean_image, per_image")])
def test_an_unknown_name_in_a_run_is_an_error_that_lists_the_choices(change, message, data,
                                                                     tmp_path):
    with pytest.raises(ValueError, match=message):
        train(replace(TINY, **change), data, tmp_path)


def test_per_image_preprocessing_standardises_faces_and_then_pixels(data):
    constant = {**data, "X_val": (7 - data["mean_image"]
                                  * np.ones((1, 1, 48, 48), np.float32)) / data["std"]}
    new = runs.per_image(constant)
    assert new["X_train"].dtype == np.float32 and np.isfinite(new["X_val"]).all()
    np.testing.assert_allclose(new["X_train"].mean(axis=0), 0, atol=1e-5)
    np.testing.assert_allclose(new["X_train"].std(axis=0), 1, atol=1e-4)
    assert constant["X_train"] is data["X_train"]
    assert abs(new["X_train"] - data["X_train"]).max() > 0.1


@pytest.mark.parametrize("freedom, t", [  # from a table of Student's t distribution
    (1, 12.7062), (2, 4.30265), (3, 3.18245), (4, 2.77645), (9, 2.26216), (30, 2.04227)])
def test_quantiles_of_t_are_those_of_the_tables(freedom, t):
    assert statistics.t_quantile(freedom) == pytest.approx(t, rel=1e-5)


def test_intervals_and_tests_over_seeds():
    mean, low, high = statistics.mean_interval([1.0, 2.0, 3.0])
    assert mean == 2
    assert high - mean == pytest.approx(4.30265 / math.sqrt(3), rel=1e-5) == mean - low
    assert statistics.paired_t([1, 2, 4], [0, 0, 0]) == pytest.approx(0.1181, abs=1e-3)
    assert statistics.sign_test([1, 2, 3, 4, 5], [0, 0, 0, 0, 5]) == 2 / 2 ** 4
    assert statistics.percent((0.613, 0.597, 0.629)) == "61.3 % (59.7 to 62.9)"
    assert statistics.points((0.012, -0.003, 0.027)) == "+1.2 points (-0.3 to +2.7)"


def outcome(right, history=()):
    """Return the entries of a result of runs.train that experiments.paper.statistics reads."""
    return {"val_acc": right.count("1") / len(right), "right": right,
            "history": [{"loss": x} for x in history]}


def test_accuracies_and_gains_are_over_faces_for_few_seeds_and_over_seeds_for_three():
    one, two = [outcome("1" * 50 + "0" * 50)], [outcome("1" * 30 + "0" * 70)]
    assert statistics.accuracy(one) == (0.5, pytest.approx(0.4038, abs=1e-4),
                                        pytest.approx(0.5962, abs=1e-4))
    mean, low, high = statistics.gain(one, two)  # 20 of 100 faces: variance 0.2 * 0.8
    assert mean == pytest.approx(0.2)
    assert high - mean == pytest.approx(1.96 * 0.04, rel=1e-3) == mean - low
    assert statistics.gain(one, one) == (0, 0, 0)
    three, base = [outcome("1110"), outcome("1100"), outcome("1000")], [outcome("1100")] * 3
    assert statistics.accuracy(three) == statistics.mean_interval([0.75, 0.5, 0.25])
    assert statistics.gain(three, base) == statistics.mean_interval([0.25, 0, -0.25])
    assert statistics.right(three).tolist() == [1, pytest.approx(2 / 3), pytest.approx(1 / 3), 0]
    assert statistics.mean_history([outcome("1", [1, 2]), outcome("1", [3])],
                                   "loss").tolist() == [2]


def begin(tmp_path, monkeypatch, *argv):
    """Return the arguments and faces of a script named "test"."""
    monkeypatch.setattr(options, "load_data", lambda path=None, **sizes: FACES("synthetic"))
    made = options.parser("test", "A test.", epochs=10, seeds=3)
    folders = ["--runs", str(tmp_path / "runs"), "--results", str(tmp_path / "paper")]
    return options.begin(made, [*folders, *argv])


def test_the_command_line_fills_in_defaults_and_its_command_has_no_folders(tmp_path, monkeypatch):
    args, _ = begin(tmp_path, monkeypatch, "--data", "/there/fer.h5", "--seeds", "2")
    assert (args.epochs, args.seeds) == (10, 2)
    assert args.command == "python experiments/paper/test.py --data fer.h5 --seeds 2"
    quick, _ = begin(tmp_path, monkeypatch, "--quick")
    assert (quick.epochs, quick.seeds) == (3, 1)
    rate = options.base_run(args, "a").lr_decay ** 10
    assert rate == pytest.approx(0.95 ** 40, rel=1e-4)
    assert options.base_run(args, "a").num_epochs == 10
    for option in ("--epochs", "--seeds"):
        with pytest.raises(SystemExit, match="2"):
            begin(tmp_path, monkeypatch, option, "0")
    quick = options.parser("x", "").parse_args(["--quick"])
    assert options.folders(quick).results != options.RESULTS


def test_findings_are_kept_and_reported_without_training(tmp_path, monkeypatch, folder, data):
    from matplotlib.figure import Figure

    args, data = begin(tmp_path, monkeypatch)
    result = train(TINY, data, folder)
    tuned = {**result, "run": {**result["run"], "init": str(tmp_path / "pretrained" / "best.h5")}}
    found = [Finding("3.4: Adam | best", "it was", "confirmed", "curves"),
             Finding("4.2: no", "yes", "refuted")]
    findings.save(args, data, 2, title="Rules", header=["rule", "accuracy"],
                  rows=[["adam", result["val_acc"]]], findings=found,
                  figures={"curves": Figure()}, results=[result, tuned], notes=["One note."])
    assert (tmp_path / "paper" / "02_test_curves.png").exists()
    titles, failed = [(1, "depth", "deeper"), (2, "test", "rules")], {1: "failed with KeyError: 0"}
    text = findings.report(tmp_path / "paper", titles, failed)
    assert "| 1 | deeper | - | not measured | - | - |" in text
    assert "Experiment 1 failed with KeyError: 0.\n" in text
    assert ("| 2 | 3.4: Adam \\| best | it was | **confirmed** on synthetic faces | "
            "[figure](paper/02_test_curves.png) | `python experiments/paper/test.py` |") in text
    assert "## 2. Rules" in text and "One note." in text and "seeds 0, 1, 2" in text
    kept = findings.load_results(tmp_path / "paper", 2, "test")
    assert kept["seeds"] == [0, 1, 2] and kept["runs"][0]["digest"] == result["digest"]
    assert [run["run"]["init"] for run in kept["runs"]] == [None, "pretrained/best.h5"]
    assert str(tmp_path) not in json.dumps(kept)
    assert kept["settings"] == {"quick": False, "seeds": 3, "epochs": 10}
    assert findings.load_results(tmp_path / "paper", 1, "depth") is None


@pytest.mark.parametrize("wrong, message", [
    (lambda: Finding("a", "b", "maybe"),
     "verdict: got 'maybe', expected one of confirmed, refuted, refined"),
    (lambda: statistics.mean_interval([1.0]), "values: got 1"),
    (lambda: statistics.gain([1], []), "results, base: got 1 and 0")])
def test_wrong_arguments_say_what_was_expected(wrong, message):
    with pytest.raises(ValueError, match=message):
        wrong()


def test_reproduce_paper_runs_what_is_not_done_and_goes_on_after_a_failure(tmp_path, monkeypatch):
    called = []

    def one(name, argv):
        called.append(name)
        (tmp_path / "runs").mkdir(exist_ok=True)
        if name == "depth":
            return "failed with ValueError: no"
        (tmp_path / "runs" / "02_rules.json").write_text(
            json.dumps({"settings": {"seeds": 1, "epochs": 3}}))
        return None
    monkeypatch.setattr(reproduce_paper, "run_one", one)
    monkeypatch.setattr(reproduce_paper, "EXPERIMENTS",
                        [(1, "depth", "deep"), (2, "rules", "rules")])
    common = ["--runs", str(tmp_path / "runs"), "--results", str(tmp_path / "paper"), "--quick"]
    for extra, status, tried in [([], 1, ["depth", "rules"]),
                                 (["--only", "2"], 0, ["rules"]),
                                 ([], 1, ["depth"]),
                                 (["--report"], 0, []),
                                 (["--epochs", "3"], 1, ["depth"]),
                                 (["--epochs", "4"], 1, ["depth", "rules"])]:
        called.clear()
        assert (reproduce_paper.main([*common, *extra]), called) == (status, tried)
    assert "Experiment 1 failed with ValueError: no.\n" in (tmp_path / "REPORT.md").read_text()


def test_a_script_that_fails_or_is_missing_is_told_from_one_that_ends(monkeypatch, capsys):
    from experiments.paper import depth as paper_depth

    monkeypatch.setattr(paper_depth, "main", lambda argv: {}["no"])
    assert reproduce_paper.run_one("depth", []) == "failed with KeyError: 'no'"
    monkeypatch.setattr(paper_depth, "main", lambda argv: None)
    assert reproduce_paper.run_one("depth", []) is None
    capsys.readouterr()
    assert reproduce_paper.run_one("no_such", []) is None
    assert "paper/no_such.py yet" in capsys.readouterr().out


@pytest.fixture(scope="module")
def reproduced(tmp_path_factory):
    """Return the folder above the results of the four experiments on training.

    Their scripts are run with --quick on a few faces.
    """
    return reproduce(tmp_path_factory.mktemp("paper"), [1, 2, 4, 5], again=4)


@pytest.mark.parametrize("number, name, rows, figures", [
    (1, "depth", 3, ["curves", "cost"]), (2, "update_rules", 6, ["curves"]),
    (4, "regularisation", 8, ["gap", "accuracy"]), (5, "augmentation", 5, ["curves", "accuracy"])])
def test_an_experiment_leaves_its_table_figures_and_findings(number, name, rows, figures,
                                                             reproduced):
    found = findings.load_results(reproduced / "paper", number, name)
    assert len(found["rows"]) == rows and len(found["findings"]) >= 2
    assert found["figures"] == [f"{number:02}_{name}_{figure}.png" for figure in figures]
    assert all((reproduced / "paper" / figure).stat().st_size > 5000 for figure in found["figures"])
    assert found["command"] == f"python experiments/paper/{name}.py --quick --epochs 1"
    assert found["seconds"] > 0 and "/" not in found["data"]["name"] and found["seeds"] == [0]
    best = max(found["runs"], key=lambda run: run["val_acc"])
    assert f"{100 * best['val_acc']:.1f} %" in json.dumps(found["rows"])


def test_the_report_holds_every_experiment_and_says_what_is_not_measured(reproduced):
    text = (reproduced / "REPORT.md").read_text()
    for number, _, title in reproduce_paper.EXPERIMENTS:
        assert (f"| {number} | {title} | - | not measured | - | - |" in text
                or f"\n## {number}. " in text)
    assert text.count("\n## ") == 4 and text.count(" on synthetic faces | [figure](paper/") == 12
    assert "60.7 %" in text and str(reproduced) not in text


def test_the_four_experiments_share_their_trainings(reproduced):
    names = [path.name.rsplit("-", 1)[0] for path in (reproduced / "runs").iterdir()
             if path.is_dir()]
    assert "final" in names
    assert "regularised-L2+batchnorm" not in names
    assert "augmented-flip" not in names


@pytest.mark.parametrize("interval, claim, verdict", [
    ((2, 1, 3), "more", "confirmed"),
    ((0, -1, 1), "more", "refined"),
    ((-2, -3, -1), "more", "refuted"),
    ((2, 1, 3), "no more", "refuted"),
    ((0, -1, 1), "no more", "confirmed"),
    ((-2, -3, -1), "no more", "refined")])
def test_a_verdict_needs_an_interval_without_zero(interval, claim, verdict):
    assert findings.verdict_on(interval, claim) == verdict


def test_the_learning_rates_of_a_search_are_half_a_decade_apart_around_a_usual_one():
    from experiments.paper import update_rules as paper_update_rules

    assert paper_update_rules.learning_rates(0.01, 5) == [0.001, 0.00316, 0.01, 0.0316, 0.1]
    assert paper_update_rules.learning_rates(0.01, 2) == [0.01, 0.0316]


def test_every_figure_names_its_faces_its_nets_and_its_seeds(tmp_path, monkeypatch, folder, data):
    from matplotlib.figure import Figure

    args, data = begin(tmp_path, monkeypatch)
    real = {**data, "source": "there/fer2013.h5", "synthetic": False}
    drawn = {"all": Figure(), "known": Figure()}
    found = []
    monkeypatch.setattr(findings, "save_figure",
                        lambda figure, path, close: found.append(figure.texts[0].get_text()))
    findings.save(args, real, 2, title="Rules", header=["rule"], rows=[["adam"]], findings=[],
                  figures=drawn, results=[train(TINY, data, folder)], synthetic=("known",))
    assert found == ["fer2013.h5, FinalConvNet, seeds 0 to 2",
                     "synthetic faces, FinalConvNet, seeds 0 to 2"]
