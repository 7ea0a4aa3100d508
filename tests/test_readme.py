"""README: its example runs, its names exist, and its results come from a finished run."""
import importlib
import json
import re
import sys

import pytest
from jobs import EXPERIMENTS, script

import cs231n_fer

ROOT = EXPERIMENTS.parent

README = (ROOT / "README.md").read_text(encoding="utf-8")


def test_the_example_runs_and_learns_and_is_short(tmp_path, monkeypatch, capsys):
    (example,) = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    assert len(example.splitlines()) <= 12
    monkeypatch.chdir(tmp_path)
    scope = {}
    exec(example, scope)
    printed = capsys.readouterr().out
    assert "block3/bn" in printed and "saliency maps (500, 48, 48)" in printed
    assert scope["solver"].best_val_acc > 0.6  # 1/7 is chance


def test_the_two_commands_are_the_ones_that_the_ci_script_runs():
    ci = (ROOT / ".ci" / "run").read_text()
    for command in ("pip install -e . && python experiments/train_final.py", 'pip install -e ".[test]" && pytest'):
        assert f"    {command}\n" in README
        for part in command.split(" && "):
            assert re.search(rf"^{re.escape(part)}", ci.replace("pip install -q", "pip install"), re.MULTILINE), part


def test_the_reading_order_is_the_packages():
    order = re.search(r"\n\n(    (?:types|shapes) .*?)\n\nImporting", cs231n_fer.__doc__, re.DOTALL)[1]
    assert f"\n\n{order}\n\n" in README


def test_every_file_that_is_named_exists_and_every_name_can_be_imported():
    for path in re.findall(r"\b(?:experiments|data|tests|cs231n_fer)/[\w/]+\.(?:py|md|png)", README):
        assert (ROOT / path).exists(), path
    for path in re.findall(r"\]\(([^)]+)\)", README):
        assert (ROOT / path).exists(), path
    for module in re.findall(r"`(cs231n_fer(?:\.\w+)*)`", README):
        assert importlib.import_module(module), module
    optim, solver = (importlib.import_module(f"cs231n_fer.{name}") for name in ("optim", "solver"))
    assert all(hasattr(optim, name) for name in ("nesterov", "adagrad", "adamw")) and solver.Solver


def test_the_results_are_those_of_the_recorded_run():
    module = script("checks.readme_results")
    results = ROOT / module.RESULTS
    if not results.exists():
        assert "No finished run on FER2013 is recorded yet" in README
        return
    assert module.fill(README, module.section(results)) == README
    assert not {"examples.png", "saliency.png"} & {file.name for file in results.iterdir()}


@pytest.fixture
def results(tmp_path, monkeypatch, finished):
    """readme_results.py, run on a finished run of train_final.py; returns (module, README that it wrote)."""
    (tmp_path / "README.md").write_text(README, encoding="utf-8")
    module = script("checks.readme_results")
    monkeypatch.setattr(module, "ROOT", tmp_path)
    monkeypatch.setattr(sys, "argv", ["readme_results.py", "--run", str(finished)])
    module.main()
    return module, (tmp_path / "README.md").read_text(encoding="utf-8")


def test_the_script_copies_a_run_without_its_faces_and_writes_its_numbers(results, tmp_path, finished):
    module, readme = results
    assert sorted(file.name for file in (tmp_path / module.RESULTS).iterdir()) == sorted(module.KEPT)
    assert not {"examples.png", "saliency.png"} & set(module.KEPT)
    metrics = json.loads((finished / "metrics.json").read_text())
    for part in (f"**{100 * metrics['val_acc']:.1f} %**", "60.7 %", f"best epoch {metrics['best_epoch']}",
                 f"{metrics['parameters']:,} parameters, 3 epochs of 70 faces, measured on 30",
                 "--seed 3 --batch-size 16", "--filters 3 4 --hidden-dim 6"):
        assert part in readme, part
    before, after = README.split(module.START)[0], README.split(module.END)[1]
    assert readme.startswith(before) and readme.endswith(after)
    assert module.fill(readme, module.section(tmp_path / module.RESULTS)) == readme


def test_the_command_names_every_option_that_is_not_at_its_default(results):
    command = results[0].command
    assert command({"epochs": 40}) == "python experiments/train_final.py"
    assert command({"epochs": 3, "data": "a.h5", "batchnorm": False, "filters": [8, 16], "reg": 0.1}) == (
        "python experiments/train_final.py --data a.h5 --epochs 3 --reg 0.1 --filters 8 16 --no-batchnorm")


def test_a_readme_without_marks_is_an_error(results):
    with pytest.raises(ValueError, match="README.md: expected the lines <!-- results --> and"):
        results[0].fill("text", "new")
