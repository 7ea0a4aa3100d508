"""Tests that the tables of promises and of gradients show the recorded results."""
import json

import pytest
from jobs import EXPERIMENTS, script

README = (EXPERIMENTS.parent / "README.md").read_text(encoding="utf-8")
ENTRY = {"promise": "it holds", "measured": "3 of 3", "command": "python a.py"}


def between(name, page=README):
    """Return the text between two markers of a page."""
    return page.split(f"<!-- {name} -->\n")[1].split(f"\n<!-- /{name} -->")[0]


def page(name):
    """Return the text of a page in experiments/results."""
    return (EXPERIMENTS / "results" / name).read_text(encoding="utf-8")


def test_the_table_is_that_of_the_recorded_results():
    module = script("checks.reliability")
    if module.rows(module.FOLDER):
        # If one of these fails, run python experiments/checks/reliability.py
        assert between("reliability") == module.short_body(module.FOLDER)
        assert between("reliability", page("RELIABILITY.md")) == module.body(module.FOLDER)
        for _, _, command in module.rows(module.FOLDER):
            assert (EXPERIMENTS.parent / command.split()[1]).exists(), command


def test_the_gradient_table_is_that_of_the_recorded_result():
    module = script("gradient_checks")
    path = module.RESULTS / "reliability" / "gradients.json"
    if path.exists():
        kept = json.loads(path.read_text(encoding="utf-8"))
        assert all(row["passed"] and (row["network"] or row["shapes"] >= module.ENOUGH)
                   for row in kept["rows"])
        text = between("gradients", page("GRADIENTS.md"))
        assert text == f"Measured with `{kept['command']}`.\n\n{module.page_table(kept['rows'])}"


def test_promises_are_recorded_in_the_words_of_their_script():
    module = script("checks.promises")
    for name, (promise, *_) in module.PROMISES.items():
        stored = json.loads((module.RESULTS / "reliability" / f"{name}.json").read_text("utf-8"))
        assert stored["promise"] == promise, name


def test_readme_shows_promises_and_results_up_to_their_first_semicolon(tmp_path):
    entry = ENTRY | {"promise": "it holds; in detail", "measured": "3 of 3; slowly"}
    (tmp_path / "a.json").write_text(json.dumps(entry), encoding="utf-8")
    module = script("checks.reliability")
    assert module.short_body(tmp_path).splitlines()[2] == "| it holds | 3 of 3 |"
    row = "| it holds; in detail | 3 of 3; slowly | `python a.py` |"
    assert module.body(tmp_path).splitlines()[2] == row


def test_rows_come_in_a_fixed_order_and_new_ones_last(tmp_path):
    for name in ("zeta", "mutation", "alpha", "resume"):
        (tmp_path / f"{name}.json").write_text(json.dumps(ENTRY | {"measured": f"{name} | all"}),
                                               encoding="utf-8")
    module = script("checks.reliability")
    assert [measured for _, measured, _ in module.rows(tmp_path)] == [
        "resume \\| all", "mutation \\| all", "alpha \\| all", "zeta \\| all"]
    assert module.body(tmp_path).splitlines()[2] == "| it holds | resume \\| all | `python a.py` |"


def test_a_result_without_its_command_is_an_error(tmp_path):
    (tmp_path / "resume.json").write_text(json.dumps(ENTRY | {"command": ""}), encoding="utf-8")
    with pytest.raises(ValueError,
                       match="resume.json: got .*expected texts in promise, measured and command"):
        script("checks.reliability").rows(tmp_path)


def test_the_gradient_table_shows_the_rung_nearest_to_its_limit():
    def row(rung, error, limit):
        return {"layer": "conv", "rung": rung, "shapes": 200,
                "float64": {"error": error, "limit": limit}}
    rows = [row("fast", 2e-15, 1e-11), row("winograd", 3e-15, 1e-11)]
    text = script("gradient_checks").page_table(rows)
    assert "fast, winograd" in text and "3.0e-15" in text and "2.0e-15" not in text
