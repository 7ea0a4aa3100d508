"""One run in a folder: train_final.py and train_best.py refuse, resume or replace another one."""
import json
import os
import shlex
import subprocess
import sys

import numpy as np
import pytest
from jobs import EXPERIMENTS, FACES, TINY, run, script
from test_train_best import SMALL
from test_train_final import FIGURES, outcome

from cs231n_fer.data_utils.prepared import write_prepared
from cs231n_fer.files.checkpoint import load_checkpoint, save_checkpoint
from experiments import resuming

SCRIPTS = {"train_final": TINY, "train_best": SMALL}


@pytest.fixture(autouse=True)
def no_figures(monkeypatch):
    """Draw no figures: they take most of the time, and the tests of train_final cover them."""
    monkeypatch.setattr("cs231n_fer.vis_utils.report.draw_run", lambda *arguments: None)


@pytest.fixture(scope="module", params=SCRIPTS)
def trained(request, tmp_path_factory):
    """Return (script, folder of its run of two epochs)."""
    folder = tmp_path_factory.mktemp("runs") / request.param
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("cs231n_fer.vis_utils.report.draw_run", lambda *arguments: None)
        run(request.param, *SCRIPTS[request.param], "--out", folder, "--epochs", 2, "--seed", 3)
    return request.param, folder


def contents(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def copy_of(folder, target):
    target.mkdir()
    for name, content in contents(folder).items():
        (target / name).write_bytes(content)
    return target


def no_data(*arguments):
    raise AssertionError("data is loaded")


def test_a_folder_with_another_run_is_refused_before_data_is_loaded(trained):
    name, folder = trained
    before = contents(folder)
    with pytest.raises(ValueError, match=r"--out: .* holds last.h5.*metrics.json of another run; "
                                         "continue it with --resume, replace it with --overwrite"):
        run(name, *SCRIPTS[name], "--out", folder, "--epochs", 2, "--seed", 4, load=no_data)
    assert contents(folder) == before


@pytest.mark.parametrize("left", ["best.h5", "metrics.json", "saliency.png"])
def test_what_is_left_of_a_run_is_refused_as_well(tmp_path, left):
    (tmp_path / left).write_bytes(b"x")
    with pytest.raises(ValueError, match=f"--out: .* holds {left} of another run"):
        run("train_final", *TINY, "--out", tmp_path, load=no_data)


def test_settings_alone_are_no_run(tmp_path):
    (tmp_path / "config.json").write_text("{}")
    run("train_final", *TINY, "--out", tmp_path, "--epochs", 1)
    assert json.loads((tmp_path / "config.json").read_text())["epochs"] == 1


def test_overwriting_leaves_no_file_of_the_old_run(trained, tmp_path):
    name, folder = trained
    copy_of(folder, tmp_path / "a")
    for old in (*(f"{figure}.png" for figure in FIGURES), "notes.txt"):
        (tmp_path / "a" / old).write_bytes(b"old")
    arguments = [*SCRIPTS[name], "--epochs", 2, "--seed", 4]
    run(name, *arguments, "--out", tmp_path / "a", "--overwrite")
    run(name, *arguments, "--out", tmp_path / "b")
    assert outcome(tmp_path / "a") == outcome(tmp_path / "b")
    assert {*os.listdir(tmp_path / "a")} == {*os.listdir(tmp_path / "b"), "notes.txt"}
    assert ((tmp_path / "a" / "config.json").read_text()
            == (tmp_path / "b" / "config.json").read_text())
    assert "overwrite" not in json.loads((tmp_path / "a" / "config.json").read_text())


@pytest.mark.parametrize("wrong", [["--learning-rate", "nan"], ["--reg", "-1"]], ids=str)
def test_a_run_that_is_refused_overwrites_nothing(trained, wrong):
    name, folder = trained
    before = contents(folder)
    with pytest.raises((ValueError, SystemExit)):
        run(name, *SCRIPTS[name], "--out", folder, "--overwrite", *wrong)
    assert contents(folder) == before


def test_both_wishes_at_once_are_refused(trained):
    name, folder = trained
    with pytest.raises(ValueError, match="--resume, --overwrite: got both, expected at most one"):
        run(name, "--out", folder, "--overwrite", "--resume", load=no_data)


@pytest.mark.parametrize("name", SCRIPTS)
@pytest.mark.parametrize("there", [[], ["config.json"], ["best.h5"]], ids=str)
def test_resuming_where_there_is_no_run_says_so(tmp_path, name, there):
    for file in there:
        (tmp_path / file).write_text("{}")
    with pytest.raises(ValueError, match="--resume: .* has no run to continue, neither last.h5 "
                                         "nor before.h5; start one without --resume"):
        run(name, *SCRIPTS[name], "--out", tmp_path, "--resume", load=no_data)


def test_resuming_takes_the_saved_settings(trained, tmp_path):
    name, folder = trained
    if name == "train_best":  # whose cosine schedule allows no other number of epochs
        cut = copy_of(folder, tmp_path / "cut")
        (cut / "metrics.json").unlink()
        run(name, "--out", cut, "--resume")
        assert outcome(cut) == outcome(folder)
        with pytest.raises(ValueError, match="num_epochs: was 2, and 3 changes the past of the sc"):
            run(name, "--out", cut, "--resume", "--epochs", 3)
        return
    cut = copy_of(folder, tmp_path / "cut")
    run(name, "--out", cut, "--resume", "--epochs", 3)
    run(name, *SCRIPTS[name], "--out", tmp_path / "whole", "--epochs", 3, "--seed", 3)
    assert outcome(cut) == outcome(tmp_path / "whole")
    assert json.loads((cut / "config.json").read_text())["epochs"] == 3


CONTRADICTIONS = [["--seed", 4], ["--reg", 0.5], ["--batch-size", 17], ["--learning-rate", 1],
                  ["--hidden-dim", 7], ["--dropout-keep", 0.5], ["--rung", "naive"]]


@pytest.mark.parametrize("flag", CONTRADICTIONS, ids=lambda flag: flag[0])
def test_a_flag_that_contradicts_the_saved_settings_is_refused(trained, flag):
    name, folder = trained
    before = contents(folder)
    option = flag[0].strip("-").replace("-", "_")
    with pytest.raises(ValueError, match=f"--resume: {option} is .*, but .* was trained with "):
        run(name, "--out", folder, "--resume", *flag, load=no_data)
    assert contents(folder) == before


def test_other_data_are_refused_and_the_mend_is_named(trained, tmp_path):
    name, folder = trained

    def more_faces(path):
        return FACES("synthetic", seed=1)
    with pytest.raises(ValueError, match="--resume: data is .*; give the same --data"):
        run(name, "--out", folder, "--resume", load=more_faces)


@pytest.mark.parametrize("content", ["", "[]", "{"])
def test_settings_that_cannot_be_read_are_named(trained, tmp_path, content):
    name, folder = trained
    spoiled = copy_of(folder, tmp_path / "run")
    (spoiled / "config.json").write_text(content)
    with pytest.raises(ValueError, match="--resume: .*config.json "):
        run(name, "--out", spoiled, "--resume", load=no_data)


def test_a_run_that_started_from_another_net_is_resumed_without_it(trained, tmp_path):
    name, folder = trained
    first = copy_of(folder, tmp_path / "first")
    arguments = [*SCRIPTS[name], "--epochs", 2, "--init", first / "best.h5"]
    run(name, *arguments, "--out", tmp_path / "run")
    (first / "best.h5").unlink()
    run(name, "--out", tmp_path / "run", "--resume")
    assert json.loads((tmp_path / "run" / "config.json").read_text())["init"] == "best.h5"


def test_a_student_needs_the_paths_of_its_teachers_to_go_on(tmp_path):
    run("train_best", *SMALL, "--out", tmp_path / "a", "--epochs", 1)
    best = tmp_path / "a" / "best.h5"
    run("train_best", *SMALL, "--out", tmp_path / "b", "--epochs", 1, "--teacher", best)
    with pytest.raises(ValueError, match=r"--resume: .* was trained with the teachers "
                                         r"\['a/best.h5'\]; give their paths with --teacher"):
        run("train_best", "--out", tmp_path / "b", "--resume")
    run("train_best", "--out", tmp_path / "b", "--resume", "--teacher", best)
    arrays, info = load_checkpoint(best)
    arrays["params/scores/w" if "params/scores/w" in arrays else sorted(arrays)[-1]] += 1
    save_checkpoint(best, arrays, info)
    with pytest.raises(ValueError, match="teacher"):
        run("train_best", "--out", tmp_path / "b", "--resume", "--teacher", best)


def test_the_given_options_are_told_from_the_defaults():
    parser = script("train_final").make_parser()
    argv = ["--seed", "0", "--no-flip", "--filters", "32", "64", "96", "128"]
    args = parser.parse_args(argv)
    assert resuming.given_options(parser, args, argv) == {"seed", "flip", "filters"}


def test_the_pictures_of_a_run_are_those_that_are_drawn():
    assert set(resuming.FIGURES) == set(FIGURES)


@pytest.mark.parametrize("argv, expected", [
    (["experiments/train_final.py", "--out", "my run", "--over", "--seed", "1"],
     "python experiments/train_final.py --out 'my run' --seed 1 --resume"),
    (["experiments/train_final.py", "--resume", "--out", "x"],
     "python experiments/train_final.py --out x --resume")])
def test_the_command_to_go_on_is_a_whole_one(tmp_path, monkeypatch, argv, expected):
    monkeypatch.setattr(sys, "argv", argv)
    def command():
        return resuming.how_to_continue(KeyboardInterrupt("stopped"), tmp_path)
    assert command() == f"stopped; continue with\n    {expected.removesuffix(' --resume')}"
    (tmp_path / "last.h5").touch()
    assert command() == f"stopped; continue with\n    {expected}"


def test_an_interrupt_without_a_text_is_called_one(tmp_path):
    found = resuming.how_to_continue(KeyboardInterrupt(), tmp_path)
    assert found.startswith("interrupted; continue with\n    python ")


@pytest.mark.parametrize("wish", ["--overwrite", "--resume"])
def test_an_interrupt_before_the_run_asks_for_the_same_command(trained, tmp_path, monkeypatch,
                                                               wish):
    def interrupted(path):
        raise KeyboardInterrupt
    name, folder = trained
    old = copy_of(folder, tmp_path / "old")
    with pytest.raises(KeyboardInterrupt) as stopped:
        run(name, "--out", old, wish, load=interrupted)
    argv = [f"{name}.py", "--out", str(old), wish]
    monkeypatch.setattr(sys, "argv", argv)
    assert resuming.how_to_continue(stopped.value, old) == (
        "interrupted before the run began; continue with\n    " + shlex.join(["python", *argv]))
    assert contents(old) == contents(folder)


INTERRUPTED = """
import runpy, signal, sys
from cs231n_fer.solver import Solver
signal.signal(signal.SIGINT, signal.default_int_handler)
def step(self, *rest, whole=Solver._step):
    whole(self, *rest)
    if len(self.loss_history) == 3:
        signal.raise_signal(signal.SIGINT)
if "--resume" not in sys.argv:
    Solver._step = step
sys.argv = sys.argv[1:]
runpy.run_path(sys.argv[0], run_name="__main__")
"""


@pytest.mark.skipif(os.name == "nt", reason="signals")
def test_ctrl_c_prints_a_command_that_goes_on(tmp_path):
    out = tmp_path / "my run"
    path = EXPERIMENTS / "train_final.py"
    rng = np.random.default_rng(0)
    write_prepared(tmp_path / "a.h5", rng.integers(0, 256, (60, 48, 48), np.uint8),
                   rng.permutation(np.arange(60, dtype=np.uint8) % 7),
                   (np.arange(60) >= 50).astype(np.uint8))
    arguments = ["--data", str(tmp_path / "a.h5"), *map(str, TINY[2:]), "--out", str(out),
                 "--epochs", "1", "--overwrite"]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    cut = subprocess.run([sys.executable, "-c", INTERRUPTED, path, *arguments], text=True,
                         capture_output=True, env=environment)
    assert cut.returncode == 1, cut.stderr
    assert "interrupted in epoch 1 of 1, after 3 of its steps; saved in" in cut.stderr
    command = cut.stderr.strip().splitlines()[-1].strip()
    words = shlex.split(command)
    assert words == ["python", str(path), *arguments[:-1], "--resume"]
    done = subprocess.run([sys.executable, *words[1:]], capture_output=True, text=True,
                          env=environment)
    assert done.returncode == 0, done.stderr
    assert json.loads((out / "metrics.json").read_text())["epochs"] == 1
