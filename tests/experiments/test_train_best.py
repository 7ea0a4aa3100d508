"""Tests of train_best.py on a few built-in faces."""
import json

import numpy as np
import pytest
from jobs import FACES, run, script
from test_train_final import outcome

from cs231n_fer.classifiers import load_model
from cs231n_fer.files.checkpoint import load_checkpoint, save_checkpoint

SMALL = ["--data", "synthetic", "--blocks", "3", "4,4", "--hidden-dim", 6, "--batch-size", 16,
         "--warmup-epochs", 0.5, "--average-decay", 0.9, "--rung", "im2col"]


@pytest.fixture(autouse=True)
def no_figures(monkeypatch):
    """Draw no figures: they take most of the time, and the tests of train_final cover them."""
    monkeypatch.setattr("cs231n_fer.vis_utils.report.draw_run", lambda *arguments: None)


def test_an_interrupted_run_ends_with_the_same_numbers_and_the_net_comes_back_from_its_checkpoint(
    tmp_path,
):
    run("train_best", *SMALL, "--out", tmp_path / "whole", "--epochs", 2)
    with pytest.MonkeyPatch.context() as patch:
        from cs231n_fer.solver import Solver

        def step(self, *arguments, whole=Solver._step):
            # In the second epoch: 70 faces make 5 steps of at most 16
            if len(self.loss_history) == 7:
                raise KeyboardInterrupt
            whole(self, *arguments)
        patch.setattr(Solver, "_step", step)
        with pytest.raises(KeyboardInterrupt):
            run("train_best", *SMALL, "--out", tmp_path / "cut", "--epochs", 2)
    run("train_best", *SMALL, "--out", tmp_path / "cut", "--epochs", 2, "--resume")
    assert outcome(tmp_path / "cut") == outcome(tmp_path / "whole")
    metrics = json.loads((tmp_path / "whole" / "metrics.json").read_text())
    data, (model, _) = FACES("synthetic"), load_model(tmp_path / "whole" / "best.h5")
    scores, mirrored = model.predict(data["X_val"]), model.predict(data["X_val"][..., ::-1])
    assert metrics["val_acc"] == np.mean(scores.argmax(axis=1) == data["y_val"])
    assert metrics["val_acc_with_mirror"] == np.mean((scores + mirrored).argmax(axis=1)
                                                     == data["y_val"])


def test_another_learning_rate_is_another_run(tmp_path):
    run("train_best", *SMALL, "--out", tmp_path, "--epochs", 1)
    with pytest.raises(ValueError, match="--resume: learning_rate is "):
        run("train_best", *SMALL, "--out", tmp_path, "--epochs", 1, "--learning-rate", 1,
            "--resume")


def test_a_student_learns_from_teachers_that_were_trained_on_the_same_faces(tmp_path):
    run("train_best", *SMALL, "--out", tmp_path / "a", "--epochs", 1)
    best = tmp_path / "a" / "best.h5"
    run("train_best", *SMALL, "--out", tmp_path / "b", "--epochs", 1, "--teacher", best, best)
    config = json.loads((tmp_path / "b" / "config.json").read_text())
    assert config["teacher"] == ["a/best.h5", "a/best.h5"] and config["alpha"] == 0.3
    alone, taught = (load_checkpoint(tmp_path / name / "last.h5")[0]["loss_history"]
                     for name in "ab")
    assert (alone != taught).all()
    arrays, info = load_checkpoint(best)
    save_checkpoint(best, arrays, {**info, "std": 1.0})
    with pytest.raises(ValueError, match="best.h5: was trained on other data, expected mean image "
                                         "and deviation of"):
        run("train_best", *SMALL, "--out", tmp_path / "c", "--epochs", 1, "--teacher", best)


def test_the_best_net_keeps_to_its_limits():
    train_best = script("train_best")
    args = train_best.make_parser().parse_args(["--data", "synthetic"])
    blocks = [[int(F) for F in block.split(",")] for block in args.blocks]
    model = train_best.MODELS["DeepConvNet"](blocks=blocks, hidden_dim=args.hidden_dim)
    assert sum(array.size for array in model.params.values()) <= 1e6
    assert model.layer.flops(model.input_shape) <= 100e6
