"""Wrong options of every script end it before it has read, written or compiled anything."""
import importlib.util
import os
import runpy
import subprocess
import sys
from pathlib import Path

import pytest
from jobs import EXPERIMENTS, script

from cs231n_fer.kernels.vectors import jit
from experiments import flags
from experiments.paper import options

COUNTS = ["0", "-1", "1.5", "many"]
SEEDS = ["-1", "0.5"]
SHARES = ["0", "-0.1", "1.5", "2", "nan", "half"]
WEIGHTS = ["-0.1", "1.5", "nan"]
POSITIVE = ["0", "-1", "inf", "nan", "fast"]
PAPER = {"--epochs": COUNTS, "--seeds": COUNTS, "--runs": ["FILE"], "--results": ["FILE"]}
TRAINING = {"--epochs": COUNTS, "--seed": SEEDS, "--batch-size": COUNTS, "--rung": ["foo"],
            "--update-rule": ["adma"], "--learning-rate": POSITIVE, "--reg": ["-1", "nan", "L2"],
            "--dropout-keep": SHARES, "--init": ["missing.h5"], "--out": ["FILE", ""]}
BENCH = {"--threads": COUNTS, "--rungs": ["foo"], "--rounds": COUNTS, "--block-seconds": POSITIVE,
         "--limit": POSITIVE, "--simd": ["foo"], "--waiting": ["long"]}
WRONG = {
    "train_final": {**TRAINING, "--lr-decay": SHARES, "--filters": COUNTS, "--hidden-dim": COUNTS},
    "train_best": {**TRAINING, "--hidden-dim": SEEDS, "--blocks": ["0", "32,", "a,b", "32,-1"],
                   "--warmup-epochs": ["-1", "150"], "--smoothing": WEIGHTS, "--alpha": WEIGHTS,
                   "--temperature": POSITIVE, "--average-decay": ["-1", "1", "nan"],
                   "--teacher": ["missing.h5"]},
    "saliency_maps": {"--rows": SEEDS, "--out": ["FOLDER"]},
    "export_pretrained": {"--out": ["FOLDER"], "--log": ["FILE"]},
    "gradient_checks": {"--shapes": COUNTS, "--seed": SEEDS, "--layer": ["foo"]},
    "prepare_data": {"--ferplus": ["missing.csv"], "--out": ["FOLDER"]},
    "reproduce_paper": {**PAPER, "--only": ["10", "x"]},
    **{f"paper.{name}": PAPER for name in (
        "augmentation", "clips", "deep", "depth", "distillation", "emotions", "empath", "humans",
        "regularisation")},
    "paper.everything": {**PAPER, "--teacher": ["missing.h5"]},
    "paper.saliency": {**PAPER, "--faces": COUNTS, "--synthetic-epochs": COUNTS},
    "paper.search": {**PAPER, "--trials": COUNTS, "--search-seed": SEEDS, "--processes": COUNTS},
    "paper.tang": {**PAPER, "--trials": COUNTS, "--trial-epochs": COUNTS},
    "paper.transfer": {**PAPER, "--checkpoint": ["missing.h5"], "--pretrain-epochs": COUNTS},
    "paper.update_rules": {**PAPER, "--trials": COUNTS, "--trial-epochs": COUNTS},
    "bench.inference": {**BENCH, "--nets": ["foo"], "--batches": COUNTS, "--compile": COUNTS},
    "bench.ladder": {**BENCH, "--operations": ["foo"], "--batch": COUNTS},
    "bench.profile": {"--nets": ["foo"], "--batch": COUNTS, "--steps": COUNTS},
    "bench.scaling": {**BENCH, "--sections": ["foo"], "--batch": COUNTS,
                      "--threads-batch": COUNTS},
    "bench.solver": {"--epochs": COUNTS, "--batch-size": COUNTS, "--images": COUNTS,
                     "--rung": ["foo"]},
    "bench.step": {**BENCH, "--nets": ["foo"], "--batches": COUNTS, "--compile": COUNTS},
    "bench.web": {"--pictures": COUNTS, "--threads": COUNTS},
    "checks.calibration": {"--net": ["missing.h5"]},
    "checks.contact_sheet": {"--seed": SEEDS, "--columns": COUNTS, "--out": ["FOLDER"]},
    "checks.crops": {"--faces": COUNTS, "--seed": SEEDS},
    "checks.exchange": {"--out": ["FOLDER"]},
    "checks.fuzz_inputs": {"--files": COUNTS, "--seed": SEEDS, "--formats": ["foo"],
                           "--only": SEEDS, "--out": ["FOLDER"]},
    "checks.mutation_testing": {"--sample": SEEDS, "--seed": SEEDS},
    "checks.oracle": {},
    "checks.promises": {},
    "checks.readme_picture": {"--faces": COUNTS, "--out": ["FOLDER"]},
    "checks.readme_results": {"--run": ["FILE"]},
    "checks.redraw_figures": {"--runs": ["FILE"]},
    "checks.reliability": {},
    "checks.torture_cache": {"--out": ["FOLDER"]},
    "checks.torture_resume": {"--kills": COUNTS, "--epochs": COUNTS, "--seed": SEEDS,
                              "--rung": ["foo"], "--out": ["FOLDER"]},
    "checks.web_page": {"--out": ["FOLDER"]},
}
POSITIONAL = {"saliency_maps": ["best.h5"], "prepare_data": ["fer2013.csv"],
              "export_pretrained": ["FILE"]}
NEEDS = {"checks.mutation_testing": "cosmic_ray",  # libraries that not every installation has
         "checks.exchange": "onnxruntime"}


def test_every_script_has_a_row():
    found = {".".join(path.relative_to(EXPERIMENTS).with_suffix("").parts)
             for path in EXPERIMENTS.rglob("*.py")
             if '__name__ == "__main__"' in path.read_text(encoding="utf-8")}
    started_by_others = {"bench.reference", "bench.worker"}
    assert found - started_by_others == set(WRONG)


def loaded(name):
    """Return a script as a module; skip the test where it needs a library that is missing."""
    if name in NEEDS and importlib.util.find_spec(NEEDS[name]) is None:
        pytest.skip(f"{NEEDS[name]} is not installed")
    return script(name)


def refuse(*arguments, **keywords):
    raise AssertionError("it began to work")


@pytest.fixture
def idle(tmp_path, monkeypatch):
    """Return an empty working directory in which nothing may be loaded or compiled."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(options, "load_data", refuse)
    monkeypatch.setattr(jit, "begin_compiling", refuse)
    return tmp_path


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_option_gets_one_line_before_anything_is_done(name, idle, monkeypatch, capsys):
    module = loaded(name)
    if hasattr(module, "load_data"):
        monkeypatch.setattr(module, "load_data", refuse)
    (idle / "file").write_text("")
    (idle / "folder").mkdir()
    places = {"FILE": str(idle / "file"), "FOLDER": str(idle / "folder")}
    given = [places.get(word, word) for word in POSITIONAL.get(name, [])]
    cases = [(option, value) for option, values in WRONG[name].items() for value in values]
    for option, value in [*cases, ("--no-such-option", "1")]:
        monkeypatch.setattr("sys.argv", [f"{name}.py", *given, option, places.get(value, value)])
        with pytest.raises(SystemExit) as ended:
            module.main()
        printed = capsys.readouterr()
        assert ended.value.code == 2, (option, value)
        assert printed.out == "", (option, value)
        assert printed.err.count("\n") == 1, printed.err
        assert option in printed.err and len(printed.err) < 800, printed.err
    assert sorted(path.name for path in idle.rglob("*")) == ["file", "folder"]


class Read(Exception):
    """The command line is read; its parser is the only argument."""


@pytest.mark.parametrize("name", WRONG)
def test_help_shows_the_default_and_the_choices_of_every_option(name, monkeypatch):
    def stop(parser, *arguments):
        raise Read(parser)

    module = loaded(name)
    monkeypatch.setattr("sys.argv", [name])
    monkeypatch.setattr(flags.Parser, "parse_args", stop)
    if name == "reproduce_paper":
        monkeypatch.setattr(flags.Parser, "parse_known_args", stop)
    with pytest.raises(Read) as found:
        module.main()
    (parser,) = found.value.args
    text = " ".join(parser.format_help().split())
    for action in parser._actions:
        if action.help == "==SUPPRESS==":
            continue
        assert action.help, action.option_strings
        if action.option_strings and action.nargs != 0 or action.nargs == "*":
            assert "default" in action.help, action.option_strings
        for choice in action.choices or ():
            assert str(choice) in text, action.option_strings


@pytest.mark.parametrize("arguments", [
    ["train_final.py", "--learning-rate", "-1"], ["train_final.py", "--rung", "foo"],
    ["train_best.py", "--dropout-keep", "2"], ["saliency_maps.py", "best.h5", "--rows", "-1"],
    ["prepare_data.py", "a.csv", "--ferplus", "b.csv"], ["paper/depth.py", "--seeds", "0"],
    ["checks/torture_resume.py", "--kills", "0"], ["checks/contact_sheet.py", "--seed", "-1"],
], ids=" ".join)
def test_a_script_started_as_a_file_ends_with_status_2_and_compiles_nothing(arguments, tmp_path):
    cache = tmp_path / "cache"
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    environment |= {"NUMBA_CACHE_DIR": str(cache), "PYTHONPATH": str(EXPERIMENTS.parent)}
    done = subprocess.run([sys.executable, EXPERIMENTS / arguments[0], *arguments[1:]], text=True,
                          capture_output=True, cwd=tmp_path, env=environment)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith(f"{Path(arguments[0]).stem}") and done.stderr.count("\n") == 1
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]


@pytest.mark.parametrize("name, fails, arguments", [
    ("train_final", "data_utils.load_data", []), ("train_best", "data_utils.load_data", []),
    ("saliency_maps", "classifiers.pretrained.load_pretrained", ["best.h5"]),
    ("prepare_data", "data_utils.prepare", ["a.csv"])])
def test_too_little_memory_ends_a_script_with_one_line(name, fails, arguments, idle, monkeypatch):
    def too_much(*arguments, **keywords):
        raise MemoryError("Unable to allocate 172 GiB")
    monkeypatch.setattr(f"cs231n_fer.{fails}", too_much)
    monkeypatch.setattr("sys.argv", [f"{name}.py", *arguments])
    with pytest.raises(SystemExit) as ended:
        runpy.run_path(str(EXPERIMENTS / f"{name}.py"), run_name="__main__")
    assert ended.value.code == f"{name}: Unable to allocate 172 GiB"


@pytest.mark.parametrize("read, good, bad", [
    (flags.whole(1), {"1": 1, "50": 50}, ["0", "1.0", "", "one"]),
    (flags.whole(), {"0": 0}, ["-1"]),
    (flags.real(above=0, most=1), {"1": 1, "1e-9": 1e-9}, ["0", "1.01", "nan", "x"]),
    (flags.real(least=0, below=1), {"0": 0, "0.999": 0.999}, ["1", "-1e-9", "-inf"]),
    (flags.real(), {"-5": -5}, ["inf", "nan"]),
])
def test_a_type_takes_its_values_and_names_what_it_expected(read, good, bad):
    assert {text: read(text) for text in good} == good
    for text in bad:
        with pytest.raises(flags.argparse.ArgumentTypeError, match=f"got {text}, expected a"):
            read(text)
