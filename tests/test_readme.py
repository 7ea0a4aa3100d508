"""README.md and its pages are short, and every command, link, name and number in them is correct.
"""
import importlib
import json
import re
import sys

import pytest
from jobs import EXPERIMENTS, script
from test_architecture import RANKS

import cs231n_fer

ROOT = EXPERIMENTS.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "CHANGELOG.md",
         *sorted((EXPERIMENTS / "results").glob("*.md"))]
TWO_COMMANDS = ("pip install -e . && python experiments/train_final.py",
                'pip install -e ".[test]" && pytest')


def names(paths):
    return [path.name for path in paths]


def commands(text):
    """Return every `python ...` command of a text, after a back-tick, an indentation or `&&`."""
    return re.findall(r"(?:`|^    |&& )(python [^`\n]*)", text, re.MULTILINE)


def links(text):
    """Return the targets of all relative links and pictures of a text."""
    targets = re.findall(r"\]\(([^)\s]+)\)", text)
    return [target.split("#")[0] for target in targets if not re.match(r"https?:|#", target)]


def test_readme_is_short_and_narrow():
    lines = README.splitlines()
    assert len(lines) <= 160
    assert [line for line in lines if len(line) > 100] == []


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
    for command in TWO_COMMANDS:
        assert f"    {command}\n" in README
        for part in command.split(" && "):
            run = ci.replace("pip install -q", "pip install")
            assert re.search(rf"^{re.escape(part)}", run, re.MULTILINE), part


def test_the_map_of_rooms_lists_every_room_once_and_in_an_order_that_imports_allow():
    page = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    section = page.split("## Map of rooms")[1].split("\n## ")[0]
    rows = re.findall(r"^\| (`.*?) \|", section, re.MULTILINE)
    rooms = [room for row in rows for room in re.findall(r"`(\w+)`", row)]
    assert set(rooms) == set(RANKS)
    ranks = [RANKS[room] for room in rooms]
    assert ranks == sorted(ranks) and len(set(rooms)) == len(rooms)


def test_the_reading_order_that_readme_points_to_is_in_the_package_docstring():
    order = re.search(r"\n\n(    \w.*?)\n\n\S", cs231n_fer.__doc__, re.DOTALL)[1]
    assert "help(cs231n_fer)" in README
    assert all(re.search(rf"^    .*\b{room}\b", order, re.MULTILINE) for room in RANKS)


@pytest.mark.parametrize("page", PAGES, ids=names(PAGES))
def test_every_command_names_a_file_or_a_module_that_exists(page):
    for command in commands(page.read_text(encoding="utf-8")):
        words = command.split()
        if words[1] == "-m":
            assert importlib.util.find_spec(words[2]), command
        else:
            assert (ROOT / words[1]).is_file(), command


@pytest.mark.parametrize("page", PAGES, ids=names(PAGES))
def test_every_relative_link_leads_to_a_file(page):
    for target in links(page.read_text(encoding="utf-8")):
        assert (page.parent / target).exists(), target


def test_commands_and_links_are_found_where_they_stand():
    text = ("`python a.py`\n    python -m b\nx && python c.py --d\n"
            "[e](f.md#g) ![h](i.png) [j](https://k)")
    assert commands(text) == ["python a.py", "python -m b", "python c.py --d"]
    assert links(text) == ["f.md", "i.png"]


@pytest.mark.parametrize("page", PAGES, ids=names(PAGES))
def test_every_file_that_is_named_exists_and_every_name_can_be_imported(page):
    text = page.read_text(encoding="utf-8")
    if page.name == "CHANGELOG.md":  # its table names files that no longer exist
        text = re.sub(r"^\| `.*$", "", text, flags=re.MULTILINE)
    for path in re.findall(r"\b(?:experiments|data|tests|cs231n_fer)/[\w/]+\.(?:py|md|png)", text):
        assert (ROOT / path).exists(), path
    for module in re.findall(r"`(cs231n_fer(?:\.\w+)*)`", text):
        assert importlib.import_module(module), module


def test_the_names_that_the_course_lacks_exist():
    optim = importlib.import_module("cs231n_fer.optim")
    solver = importlib.import_module("cs231n_fer.solver")
    assert all(hasattr(optim, name) for name in ("nesterov", "adagrad", "adamw")) and solver.Solver


def between(text, name):
    """Return the text between the markers of a page, without the markers."""
    return text.split(f"<!-- {name} -->\n")[1].split(f"\n<!-- /{name} -->")[0]


def test_the_tables_are_those_of_the_recorded_runs():
    module = script("checks.readme_results")  # if this fails, run it
    final = module.read_run(module.FINAL)
    best = module.read_run(module.BEST)
    card = module.CARD.read_text(encoding="utf-8")
    step = json.loads(module.STEP.read_text(encoding="utf-8"))
    assert between(README, "results") == module.accuracy_table(final, card)
    assert between(README, "speed") == module.speed_table(step)
    assert between(module.PAGE.read_text(encoding="utf-8"), "results") == module.page(final, best)
    assert len(module.SPEED_ROWS) <= 8


def test_the_report_is_that_of_the_recorded_experiments():
    reproduce = script("reproduce_paper")
    folder = EXPERIMENTS / "results" / "paper"
    text = (EXPERIMENTS / "results" / "REPORT.md").read_text(encoding="utf-8")
    assert reproduce.report(folder, reproduce.EXPERIMENTS) == text


def test_no_published_picture_shows_faces_of_fer2013():
    for folder in ("final", "best"):
        published = {file.name for file in (EXPERIMENTS / "results" / folder).iterdir()}
        assert not {"examples.png", "saliency.png"} & published


@pytest.fixture
def published(tmp_path, monkeypatch, finished):
    """Publish a finished run of train_final.py; return (module, README, RESULTS.md) as written."""
    module = script("checks.readme_results")
    for name in ("README", "PAGE"):
        copy = tmp_path / getattr(module, name).name
        copy.write_text(getattr(module, name).read_text(encoding="utf-8"), encoding="utf-8")
        monkeypatch.setattr(module, name, copy)
    monkeypatch.setattr(module, "FINAL", tmp_path / "final")
    monkeypatch.setattr(sys, "argv", ["readme_results.py", "--run", str(finished)])
    module.main()
    return module, *(path.read_text(encoding="utf-8") for path in (module.README, module.PAGE))


def test_the_script_copies_a_run_without_its_faces_and_writes_its_numbers(published, finished):
    module, readme, page = published
    assert sorted(file.name for file in module.FINAL.iterdir()) == sorted(module.KEPT)
    assert not {"examples.png", "saliency.png"} & set(module.KEPT)
    metrics = json.loads((finished / "metrics.json").read_text())
    for part in (f"**{100 * metrics['val_acc']:.1f} %**", "60.7 %"):
        assert part in readme, part
    text = " ".join(page.split())
    for part in (f"best epoch {metrics['best_epoch']}", f"{metrics['parameters']:,} parameters",
                 "trained on 70 faces for 3 epochs and evaluated on 30;",
                 "--seed 3 --batch-size 16", "--filters 3 4 --hidden-dim 6"):
        assert part in text, part


def test_the_script_leaves_the_rest_of_readme_as_it_is(published):
    module, readme, _ = published
    before = README.split("<!-- results -->")[0]
    after = README.split("<!-- /results -->")[1]
    assert readme.startswith(before) and readme.endswith(after)
    module.main()
    assert module.README.read_text(encoding="utf-8") == readme


def test_the_command_names_every_option_that_is_not_at_its_default():
    command = script("checks.readme_results").command
    assert command({"epochs": 40}) == "python experiments/train_final.py"
    config = {"epochs": 3, "data": "a.h5", "batchnorm": False, "filters": [8, 16], "reg": 0.1}
    assert command(config) == ("python experiments/train_final.py --data a.h5 --epochs 3 "
                               "--reg 0.1 --filters 8 16 --no-batchnorm")


def test_a_page_without_markers_is_an_error(tmp_path):
    page = tmp_path / "README.md"
    page.write_text("text")
    with pytest.raises(ValueError, match="README.md: markers <!-- results --> and .* expected one"):
        script("checks.readme_results").fill(page, "results", "new")
    assert page.read_text() == "text"


def test_a_model_card_without_a_row_is_an_error():
    with pytest.raises(ValueError, match="pretrained.md: found no row 'a'"):
        script("checks.readme_results").card_row("| b | 1.0 % | 0.5 to 1.5 |", "a")


def test_the_picture_shows_the_most_confident_correct_face_of_every_emotion():
    import numpy as np

    probabilities = np.array([[.9, .1], [.6, .4], [.2, .8], [.7, .3]])
    most_confident = script("checks.readme_picture").most_confident
    assert most_confident(probabilities, np.array([1, 0, 1, 0])) == [3, 2]
    assert most_confident(probabilities, np.array([1, 0, 0, 0])) == [3]  # class 1: none is correct
    assert most_confident(probabilities, np.array([1, 1, 1, 1])) == [2]  # class 0: no such face
