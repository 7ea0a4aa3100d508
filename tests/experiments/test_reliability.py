"""README's table of what one can rely on is what the recorded runs say."""
import json

import pytest
from jobs import EXPERIMENTS, script

README = (EXPERIMENTS.parent / "README.md").read_text(encoding="utf-8")
ENTRY = {"promise": "it holds", "measured": "3 of 3", "command": "python a.py"}


def between(name):
    """The text between two markers of README.md."""
    return README.split(f"<!-- {name} -->\n")[1].split(f"\n<!-- /{name} -->")[0]


def test_the_table_is_that_of_the_recorded_results():
    module = script("checks.reliability")
    if module.rows(module.FOLDER):
        assert between("reliability") == module.body(module.FOLDER)  # else: python experiments/checks/reliability.py
        for _, _, command in module.rows(module.FOLDER):
            assert (EXPERIMENTS.parent / command.split()[1]).exists(), command


def test_the_gradient_table_is_that_of_the_recorded_result():
    module = script("gradient_checks")
    path = module.RESULTS / "reliability" / "gradients.json"
    if path.exists():
        kept = json.loads(path.read_text(encoding="utf-8"))
        assert all(row["passed"] and (row["network"] or row["shapes"] >= module.ENOUGH) for row in kept["rows"])
        assert between("gradients").endswith(module.readme_table(kept["rows"]))


def test_rows_come_in_a_fixed_order_and_new_ones_last(tmp_path):
    for name in ("zeta", "mutation", "alpha", "resume"):
        (tmp_path / f"{name}.json").write_text(json.dumps(ENTRY | {"measured": f"{name} | all"}), encoding="utf-8")
    module = script("checks.reliability")
    assert [measured for _, measured, _ in module.rows(tmp_path)] == [
        "resume \\| all", "mutation \\| all", "alpha \\| all", "zeta \\| all"]
    assert module.body(tmp_path).splitlines()[2] == "| it holds | resume \\| all | `python a.py` |"


def test_a_result_without_its_command_is_an_error(tmp_path):
    (tmp_path / "resume.json").write_text(json.dumps(ENTRY | {"command": ""}), encoding="utf-8")
    with pytest.raises(ValueError, match="resume.json: got .*expected texts in promise, measured and command"):
        script("checks.reliability").rows(tmp_path)


def test_the_gradient_table_shows_the_rung_nearest_to_its_limit():
    def row(rung, error, limit):
        return {"layer": "conv", "rung": rung, "shapes": 200, "float64": {"error": error, "limit": limit}}
    text = script("gradient_checks").readme_table([row("fast", 2e-15, 1e-11), row("winograd", 3e-15, 1e-11)])
    assert "fast, winograd" in text and "3.0e-15" in text and "2.0e-15" not in text
