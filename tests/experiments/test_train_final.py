"""Tests of train_final.py on a few built-in faces, and of saliency maps of the net it trained."""
import csv
import json
import subprocess
import sys

import numpy as np
import pytest
from downloads import FORMS, csv_text, pack
from jobs import EXPERIMENTS, FACES, TINY, run, script
from PIL import Image

from cs231n_fer.classifiers import load_model
from cs231n_fer.data_utils import load_data
from cs231n_fer.files.checkpoint import load_checkpoint

FIGURES = ("class_distribution", "examples", "accuracy", "loss", "confusion_matrix", "saliency",
           "per_class_accuracy")


def outcome(folder):
    """Return the metrics of a run and the contents of its checkpoints, without times."""
    metrics = json.loads((folder / "metrics.json").read_text())
    del metrics["seconds"], metrics["images_per_second"]
    found = [metrics]
    for name in ("best.h5", "last.h5"):
        arrays, info = load_checkpoint(folder / name)
        del info["history"], info["config"]["epochs"]
        found.append(({key: array.tobytes() for key, array in arrays.items()}, info))
    return found


def test_a_run_writes_its_settings_numbers_checkpoints_and_the_figures_of_the_paper(finished):
    assert {file.name for file in finished.iterdir()} == {
        "config.json", "metrics.json", "history.csv", "best.h5", "last.h5", "before.h5",
        *(f"{name}.png" for name in FIGURES)}
    for name in FIGURES:
        with Image.open(finished / f"{name}.png") as figure:
            assert min(figure.size) > 300, name
            assert len(set(figure.convert("L").resize((64, 64)).tobytes())) > 5, name
    with open(finished / "history.csv", newline="") as file:
        assert [row["epoch"] for row in csv.DictReader(file)] == ["1", "2", "3"]


def test_the_numbers_of_a_run_agree_with_its_best_checkpoint(finished):
    metrics, data = json.loads((finished / "metrics.json").read_text()), FACES("synthetic")
    model, info = load_model(finished / "best.h5")
    predicted = model.predict(data["X_val"]).argmax(axis=1)
    confusion = np.array(metrics["confusion"])
    assert metrics["val_acc"] == np.mean(predicted == data["y_val"]) == np.trace(confusion) / 30
    assert confusion.sum(axis=1).tolist() == np.bincount(data["y_val"], minlength=7).tolist()
    assert confusion.sum(axis=0).tolist() == np.bincount(predicted, minlength=7).tolist()
    for name, row, share in zip(info["class_names"], confusion, metrics["per_class"].values(),
                                strict=True):
        assert share == pytest.approx(row[info["class_names"].index(name)] / row.sum(), abs=5e-5)
    assert metrics["parameters"] == sum(array.size for array in model.params.values())
    assert metrics["best_epoch"] == info["best_epoch"] and metrics["epochs"] == 3
    assert metrics["seconds"] > 0 and metrics["images_per_second"] > 0
    np.testing.assert_array_equal(info["mean_image"], data["mean_image"])
    assert info["std"] == data["std"] and tuple(info["class_names"]) == data["class_names"]


def test_config_json_holds_all_that_a_rerun_needs_and_no_path(finished, tmp_path):
    text = (finished / "config.json").read_text()
    config = json.loads(text)
    assert str(finished) not in text and "/" not in text
    assert config["training_images"] == 70 and config["validation_images"] == 30
    assert config["environment"]["numpy"] == np.__version__
    options = {key: value for key, value in config.items()
               if key not in ("data", "data_sha256", "training_images", "validation_images",
                              "environment")}
    arguments = ["--data", "synthetic"]
    for key, value in options.items():
        if value is None:
            continue
        flag = key.replace("_", "-")
        arguments += [f"--{flag}" if value else f"--no-{flag}"] if isinstance(value, bool) else [
            f"--{flag}", *(value if isinstance(value, list) else [value])]
    run("train_final", *arguments, "--out", tmp_path)
    assert outcome(tmp_path) == outcome(finished)


def test_an_interrupted_run_is_resumed_bit_for_bit(finished, tmp_path, monkeypatch):
    from cs231n_fer.solver import Solver

    def step(self, *arguments, whole=Solver._step):
        if len(self.loss_history) == 7:  # in the second epoch: 70 faces make 5 steps of at most 16
            raise KeyboardInterrupt
        whole(self, *arguments)
    with monkeypatch.context() as patch:
        patch.setattr(Solver, "_step", step)
        with pytest.raises(KeyboardInterrupt):
            run("train_final", *TINY, "--out", tmp_path, "--epochs", 3, "--seed", 3)
    assert not (tmp_path / "metrics.json").exists()
    steps = []
    monkeypatch.setattr(Solver, "_step", lambda self, *rest,
                        whole=Solver._step: steps.append(whole(self, *rest)))
    run("train_final", *TINY, "--out", tmp_path, "--epochs", 3, "--seed", 3, "--resume")
    assert len(steps) == 10  # the first epoch was complete
    assert outcome(tmp_path) == outcome(finished)


def test_half_of_the_training_faces_are_mirrored_unless_told_otherwise(tmp_path):
    for name in ("flip", "no-flip"):
        run("train_final", *TINY, "--out", tmp_path / name, "--epochs", 1, f"--{name}")
    losses = [load_checkpoint(tmp_path / name / "last.h5")[0]["loss_history"]
              for name in ("flip", "no-flip")]
    assert (losses[0] != losses[1]).all()


def test_a_run_of_fewer_epochs_can_be_made_longer(finished, tmp_path):
    for epochs, more in ((1, ()), (3, ("--resume",))):
        run("train_final", *TINY, "--out", tmp_path, "--epochs", epochs, "--seed", 3, *more)
    assert outcome(tmp_path) == outcome(finished)


@pytest.mark.parametrize("change", [["--reg", "0.5"], ["--seed", "4"], ["--no-flip"],
                                    ["--dropout-keep", "0.5"]],
                         ids=lambda change: change[0])
def test_resume_refuses_other_settings_and_leaves_the_files_alone(finished, change):
    before = {file.name: file.read_bytes() for file in finished.iterdir()}
    name = change[0].removeprefix("--no").strip("-").replace("-", "_")
    with pytest.raises(ValueError, match=f"--resume: {name} is "):
        run("train_final", *TINY, "--out", finished, "--epochs", 3, "--seed", 3, *change,
            "--resume")
    assert {file.name: file.read_bytes() for file in finished.iterdir()} == before


def test_a_training_starts_from_another_checkpoint_where_names_and_shapes_agree(finished, tmp_path,
                                                                                capsys):
    capsys.readouterr()
    run("train_final", *TINY, "--hidden-dim", 5, "--out", tmp_path, "--epochs", 1, "--init",
        finished / "best.h5")
    assert ("started from best.h5: block1/conv, block1/bn, block2/conv, block2/bn; "
            "newly initialized: affine1, affine2\n" in capsys.readouterr().out)
    run("train_final", *TINY, "--hidden-dim", 5, "--out", tmp_path / "fresh", "--epochs", 1)
    started, fresh = (load_checkpoint(folder / "last.h5")[0]["loss_history"]
                      for folder in (tmp_path, tmp_path / "fresh"))
    assert (started != fresh).all()
    assert json.loads((tmp_path / "config.json").read_text())["init"] == "best.h5"


def test_the_csv_that_people_download_trains_as_well(tmp_path, monkeypatch):
    (tmp_path / "data").mkdir()
    monkeypatch.chdir(tmp_path)  # the prepared file is written there
    source = pack(tmp_path, {name: csv_text(form) for name, form in FORMS["fer2013"].items()},
                  "zip")
    run("train_final", *TINY[2:], "--data", source, "--epochs", 1, "--no-batchnorm", "--out", "out",
        draw=True, load=load_data)
    config, metrics = (json.loads((tmp_path / "out" / f"{name}.json").read_text())
                       for name in ("config", "metrics"))
    assert config["training_images"] == 6 and len(config["data_sha256"]) == 64
    # Validation has no Happy face
    assert np.sum(metrics["confusion"]) == 3 and metrics["per_class"]["Happy"] is None


def call(name, *arguments):
    return subprocess.run([sys.executable, EXPERIMENTS / f"{name}.py", *map(str, arguments)],
                          capture_output=True, text=True)


def test_a_missing_data_set_gets_one_message_that_says_where_to_get_it(tmp_path):
    done = call("train_final", "--data", tmp_path / "fer2013.csv", "--out", tmp_path)
    assert done.returncode == 1 and "Traceback" not in done.stderr
    for part in ("there is no", "fer2013.csv", "kaggle.com/datasets", "--data PATH",
                 "CS231N_FER_DATA"):
        assert part in done.stderr


@pytest.mark.parametrize("arguments, message", [
    (["--update-rule", "adma"], "argument --update-rule: invalid choice: 'adma' (choose from "),
    (["--rung", "cuda"], "argument --rung: invalid choice: 'cuda' (choose from "),
    (["--reg", -1], "argument --reg: got -1, expected a number, at least 0"),
    (["--lr-decay", 2], "argument --lr-decay: got 2, expected a number, above 0 and at most 1"),
    (["--epochs", 0], "argument --epochs: got 0, expected an integer of at least 1"),
])
def test_a_wrong_option_gets_an_error_that_names_it(tmp_path, arguments, message, capsys):
    with pytest.raises(SystemExit, match="2"):
        run("train_final", *TINY, *arguments, "--out", tmp_path / "new")
    assert message in capsys.readouterr().err
    assert not (tmp_path / "new").exists()


def test_a_net_that_shrinks_its_faces_to_nothing_is_refused(tmp_path):
    with pytest.raises(ValueError, match="window: size 2 does not fit into 1"):
        run("train_final", *TINY, "--filters", 1, 1, 1, 1, 1, 1, "--out", tmp_path / "new")
    assert not (tmp_path / "new").exists()


def test_figures_that_are_drawn_again_from_stored_numbers_are_those_of_the_run(finished, tmp_path):
    for name in ("metrics.json", "config.json"):
        (tmp_path / name).write_bytes((finished / name).read_bytes())
    run("checks.redraw_figures", "--runs", tmp_path)
    for name in ("confusion_matrix.png", "per_class_accuracy.png"):
        with Image.open(finished / name) as first, Image.open(tmp_path / name) as second:
            np.testing.assert_array_equal(np.asarray(first), np.asarray(second))


def test_saliency_maps_of_rows_and_of_the_surest_faces(finished, tmp_path, capsys):
    run("saliency_maps", finished / "best.h5", "--rows", 0, 29, "--out", tmp_path / "rows.png")
    printed = capsys.readouterr().out
    names, y = FACES("synthetic")["class_names"], FACES("synthetic")["y_val"]
    for row in (0, 29):
        assert f"row {row}: predicted " in printed and f", true {names[y[row]]}\n" in printed
    run("saliency_maps", finished / "best.h5", "--out", tmp_path / "surest.png")
    assert (tmp_path / "rows.png").stat().st_size > 5000 < (tmp_path / "surest.png").stat().st_size
    with pytest.raises(ValueError,
                       match=r"--rows: \[30\] out of range, the validation split has rows 0 to 29"):
        run("saliency_maps", finished / "best.h5", "--rows", 2, 30)


def test_saliency_maps_of_the_users_own_pictures(finished, tmp_path):
    noise = np.random.default_rng(0).integers(0, 256, (90, 70, 3), np.uint8)
    Image.fromarray(noise).save(tmp_path / "me.jpg")
    Image.fromarray(noise[:48, :48, 0]).save(tmp_path / "you.png")
    done = call("saliency_maps", finished / "best.h5", tmp_path / "me.jpg", tmp_path / "you.png",
                "--out", tmp_path / "out.png")
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("predicted") == 2
    assert "true" not in done.stdout
    assert (tmp_path / "out.png").exists()


def test_the_figure_of_saliency_maps_names_the_files_the_faces_the_net_and_its_seed(
    finished, tmp_path, monkeypatch
):
    from matplotlib.figure import Figure

    from cs231n_fer.vis_utils import plot_saliency

    drawn = []

    def on_plain_axes(*arguments, **more):
        drawn.append(plot_saliency(*arguments, **more, ax=Figure().subplots()))
        return drawn[-1]

    for name in ("me.png", f"{'a very long name ' * 5}.png"):
        Image.fromarray(np.zeros((48, 48), np.uint8)).save(tmp_path / name)
    module = script("saliency_maps")
    monkeypatch.setattr(module, "plot_saliency", on_plain_axes)
    monkeypatch.setattr(module, "load_data", FACES)
    out = ["--out", str(tmp_path / "out.png")]
    for given in (sorted(str(path) for path in tmp_path.glob("*.png")), ["--rows", "0", "5"]):
        monkeypatch.setattr("sys.argv", ["saliency_maps", str(finished / "best.h5"), *given, *out])
        module.main()
    files, rows = ({text.get_text() for text in ax.texts} for ax in drawn)
    assert {"me.png", "a very long name a…ry long name .png"} <= files
    assert {"row 0", "row 5"} <= rows
    notes = [text.get_text() for ax in drawn for text in ax.figure.texts]
    assert notes == ["picture files, best.h5, FinalConvNet, seed 3",
                     "synthetic faces, best.h5, FinalConvNet, seed 3"]


@pytest.mark.parametrize("arguments, message", [
    (["missing.h5"], "expected the file best.h5 or last.h5"),
    (["best.h5", "missing.jpg"], "missing.jpg: not a readable picture"),
    (["config.json"], "is not a readable checkpoint"),
    (["best.h5", "a.jpg", "--rows", "1"], "give either picture files or --rows"),
])
def test_saliency_maps_says_what_is_wrong_without_a_traceback(finished, arguments, message):
    done = call("saliency_maps", finished / arguments[0], *arguments[1:])
    assert done.returncode and message in done.stderr and "Traceback" not in done.stderr
