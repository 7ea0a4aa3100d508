"""Tests of the benchmarks: statistics, tables, markers, and the life of a worker."""
import json
import math
import pathlib
import re

import numpy as np
import pytest

from experiments.bench import cases, interleave, reference, report, statistics
from experiments.bench.nets import NETS, Net
from experiments.bench.peers import ladder_rung, ours

ROOT = pathlib.Path(__file__).parents[2]


def test_a_summary_is_over_all_runs_of_all_rounds():
    assert statistics.summary([[0.001, 0.003], [0.002]]) == {"median_ms": 2.0, "min_ms": 1.0,
                                                             "p90_ms": 3.0}


def test_a_ratio_is_of_medians_and_its_range_of_neighbouring_rounds():
    found = statistics.ratio([[4.0, 4.0], [9.0]], [[2.0], [3.0, 3.0]])
    assert found == {"ratio": pytest.approx(4 / 3), "low": 2.0, "high": 3.0}


def test_exponents_find_the_power_law_between_neighbours():
    sizes = [1, 2, 8]
    assert statistics.exponents(sizes, [3 * s ** 1.5 for s in sizes]) == [
        None, pytest.approx(1.5), pytest.approx(1.5)]


def test_a_line_is_recovered_from_its_points():
    assert statistics.line([1, 10, 100], [2.5, 7.0, 52.0]) == (pytest.approx(2.0),
                                                               pytest.approx(0.5))


def test_the_fastest_of_a_group_leaves_out_what_did_not_run():
    slow, fast, broken = {"rounds": [[2.0]]}, {"rounds": [[1.0]]}, {"rounds": []}
    assert statistics.fastest([broken, slow, fast]) is fast
    assert statistics.fastest([broken]) is None


@pytest.mark.parametrize("value, text", [
    (0.27, "0.270"), (17.64, "17.6"), (1.0, "1.00"), (412.4, "412"), (9812.3, "9,812"), (0.0, "0"),
    (7, "7"), (-40.4, "-40.4"), (2e-7, "0.000000200"), (None, "-"), ("naive", "naive")])
def test_numbers_show_three_digits_and_no_exponent(value, text):
    assert report.number(value) == text


def test_a_table_is_aligned_markdown():
    assert report.table(["engine", "ms"], [["ours", 17.64], ["PyTorch", None]]) == (
        "| engine  |   ms |\n"
        "|---------|-----:|\n"
        "| ours    | 17.6 |\n"
        "| PyTorch |    - |")


def test_a_body_goes_between_its_markers_and_nowhere_else():
    text = ("a\n<!-- bench_step -->\nold\n<!-- /bench_step -->\nb\n"
            "<!-- bench_ladder -->\n<!-- /bench_ladder -->\n")
    new = report.replace_between(text, "bench_step", "new \\1\n")
    assert new == text.replace("old", "new \\1")
    assert report.replace_between(new, "bench_step", "new \\1") == new


@pytest.mark.parametrize("text", ["", "<!-- t -->", "<!-- /t --> <!-- t -->",
                                  "<!-- t --><!-- t --><!-- /t -->"])
def test_markers_that_are_not_a_pair_are_refused(text):
    with pytest.raises(ValueError, match="expected one of each"):
        report.replace_between(text, "t", "body")


def test_a_readme_without_markers_stays_as_it_is(tmp_path):
    readme = tmp_path / "README.md"
    assert "doesn't exist" in report.write_page(readme, "t", "body")
    readme.write_text("text")
    assert "was not changed" in report.write_page(readme, "t", "body")
    assert readme.read_text() == "text"
    readme.write_text("<!-- t --><!-- /t -->")
    assert "written" in report.write_page(readme, "t", "body")
    assert readme.read_text() == "<!-- t -->\nbody\n<!-- /t -->"


def test_a_smoke_test_writes_to_a_copy_of_the_page(tmp_path, monkeypatch):
    page = tmp_path / "SPEED.md"
    page.write_text("<!-- t --><!-- /t -->")
    monkeypatch.setattr(report, "QUICK_RESULTS", tmp_path / "runs")
    copy = report.quick_copy(page)
    assert "written" in report.write_page(copy, "t", "body")
    assert copy.read_text() == "<!-- t -->\nbody\n<!-- /t -->"
    assert page.read_text() == "<!-- t --><!-- /t -->"


def recorded():
    """Return the names of all recorded benchmark results."""
    return sorted(path.stem for path in report.RESULTS.glob("bench_*.json"))


def test_the_page_of_speed_has_a_table_for_every_recorded_result():
    page = report.SPEED.read_text(encoding="utf-8")
    assert sorted(re.findall(r"^<!-- (bench_\w+) -->$", page, re.MULTILINE)) == recorded()


@pytest.mark.parametrize("name", recorded())
def test_a_table_of_speed_names_the_command_and_the_machine_of_its_result(name):
    page = report.SPEED.read_text(encoding="utf-8")
    text = page.split(f"<!-- {name} -->\n")[1].split(f"<!-- /{name} -->")[0]
    stored = json.loads((report.RESULTS / f"{name}.json").read_text(encoding="utf-8"))
    assert text.startswith(f"Measured with `{stored['command']}`: ")
    for fact in (stored["machine"]["processor"], stored["machine"]["date"]):
        assert fact in text.split("\n")[0]
    assert (ROOT / stored["command"].split()[1]).exists()


@pytest.mark.parametrize("name", [name for name in recorded()
                                  if "step" in name or "inference" in name])
def test_a_table_of_speed_shows_the_medians_of_its_result(name):
    page = report.SPEED.read_text(encoding="utf-8")
    text = page.split(f"<!-- {name} -->\n")[1].split(f"\n<!-- /{name} -->")[0]
    stored = json.loads((report.RESULTS / f"{name}.json").read_text(encoding="utf-8"))
    rows = {row[0]: row[1] for row in report_rows(text)}
    for case in stored["results"]:
        ours = next(engine for engine in case["engines"] if engine["group"] == "ours")
        assert rows[cases.title(case)] == report.number(ours["median_ms"])


def test_results_are_summaries_in_json_with_a_line_for_each_list_of_numbers(tmp_path, monkeypatch):
    monkeypatch.setattr(report, "RESULTS", tmp_path)
    monkeypatch.setattr(report, "ROOT", tmp_path)
    path = tmp_path / report.write_results("bench", [{"rounds": [[0.123456789, 2.0], [1e-9]]},
                                                     {"rounds": []}, {"rounds": 8, "error": None}])
    assert json.loads(path.read_text()) == [
        {"median_ms": 123.46, "min_ms": 1e-6, "p90_ms": 2000.0, "round_medians_ms": [1061.7, 1e-6]},
        {"round_medians_ms": []}, {"rounds": 8, "error": None}]
    assert "[ 1061.7, 1e-06 ]" in path.read_text()


def engine(group, seconds, **changes):
    return {"label": group, "group": group, "rounds": [[seconds]] if seconds else [], "error": None,
            "peak_mib": 100.0, "rise_mib": 10.0, "page_faults": 0,
            "check": {"error": 1e-6, "passed": True}, **changes}


CASE = {"net": "final", "batch": 50, "threads": 2, "mode": "step", "flops": 7e9,
        "peak_gflops": 200.0,
        "engines": [engine("ours", 0.02),
                    engine("PyTorch tuned", 0.06),
                    engine("PyTorch tuned", 0.05),
                    engine("ONNX Runtime", None, error="onnxruntime is not installed")]}


def test_the_overview_compares_with_the_fastest_variant_of_a_group():
    *_, row = report_rows(cases.overview([CASE]))
    assert row[:6] == ["final, batch 50, 2 threads", "20.0", "2,500", "350", "175", "100"]
    assert row[6:9] == ["50.0", "**2.50**", "100"]
    assert row[9] == "onnxruntime is not installed"


def test_a_table_of_engines_says_how_many_times_longer_than_ours_each_takes():
    _, _, ours_row, slow, fast, missing = report_rows(cases.case_table(CASE))
    assert [row[6] for row in (ours_row, slow, fast, missing)] == ["-", "3.00", "2.50", "-"]
    assert missing[-1] == "onnxruntime is not installed"


def report_rows(text):
    """Return the cells of the last table of a text, including header and rule."""
    return [[cell.strip() for cell in line.strip("|").split("|")]
            for line in text.split("\n\n")[-1].split("\n")]


def test_only_wrong_results_and_crashes_are_failures():
    broken = {**CASE, "engines": [engine("ours", 0.02,
                                         error="WRONG: grads/conv1/w differs by 1 in float32"),
                                  engine("a", None, error="gave up after 3 s"),
                                  CASE["engines"][-1]]}
    assert cases.failures([CASE]) == []
    assert cases.failures([broken]) == [
        "final, batch 50, 2 threads: ours: WRONG: grads/conv1/w differs by 1 in float32"]


def test_differences_are_relative_and_a_nan_fails():
    assert reference.difference([1.0, 2.0], [1.0, 0.0]) == 2.0
    checks = [{"error": 1e-9, "at": "loss"}, {"error": math.nan, "at": "grads/conv1/w"}]
    assert reference.verdict(checks)["at"] == "grads/conv1/w"
    assert not reference.verdict(checks)["passed"]
    assert reference.verdict(checks[:1])["passed"]


@pytest.mark.parametrize("name", NETS)
def test_every_array_of_a_net_has_its_place_in_ours(name):
    net = Net(**json.loads(json.dumps(NETS[name].as_json())))
    network = ours.build_network(net, "im2col")
    params, buffers = ours.public_names(net, network)
    assert list(params.values()) == list(network.params)
    assert list(buffers.values()) == list(network.buffers)
    convs = [filters for kind, _, filters in net.layers() if kind == "conv"]
    assert [network.params[params[f"conv{i}/w"]].shape[0]
            for i in range(1, len(convs) + 1)] == convs


def test_our_engine_reproduces_its_own_reference_and_a_wrong_one_is_noticed(tmp_path):
    net = Net(blocks=((3,), (4,)), hidden=5, batchnorm=True)
    np.savez(tmp_path / "reference.npz", **reference.make_reference(net, 4, training=True))
    spec = {"net": net.as_json(), "batch": 4, "threads": 1, "rung": "im2col",
            "reference": str(tmp_path / "reference.npz")}
    step, scores = ours.build({**spec, "mode": "step"}), ours.build({**spec, "mode": "inference"})
    step.run()
    assert step.check()["passed"] and step.check()["error"] < 1e-4
    assert scores.run().shape == (4, 7) and scores.check()["error"] < 1e-5

    arrays = dict(np.load(spec["reference"]))
    arrays["grads/bn2/beta"] *= 1.1
    np.savez(spec["reference"], **arrays)
    found = ours.build({**spec, "mode": "step"}).check()
    assert (found["passed"], found["at"]) == (False, "grads/bn2/beta")


def test_the_rungs_of_the_ladder_agree_on_what_is_timed():
    shapes = {"conv": ((2, 3, 6, 8), 4, 3), "affine": ((2, 6), 4, 0)}
    for operation in ("affine", "avg_pool", "conv", "max_pool", "relu"):
        shape, outputs, size = shapes.get(operation, ((2, 3, 6, 8), 3, 2))
        spec = {"operation": operation, "x_shape": shape, "outputs": outputs, "size": size,
                "images": 1}
        probes = [ladder_rung.build({**spec, "rung": rung}).info["probes"]
                  for rung in ("naive", "im2col")]
        np.testing.assert_allclose(*probes, atol=1e-5)


def test_workers_are_timed_in_turns_and_a_broken_one_is_named(capsys):
    net = Net(blocks=((2,),), hidden=3).as_json()
    spec = {"label": "a", "peer": "ours", "mode": "inference", "rung": "im2col", "net": net,
            "batch": 1, "threads": 1}
    timed, broken = interleave.time_in_turns([spec, {**spec, "label": "b", "rung": "no such"}],
                                             rounds=2, block_seconds=0.01, limit=60)
    assert len(timed["rounds"]) == 2
    assert all(seconds > 0 for block in timed["rounds"] for seconds in block)
    assert timed["error"] is None and timed["peak_mib"] > 0
    assert broken["rounds"] == [] and "no such" in broken["error"]
    assert "b: ValueError" in capsys.readouterr().out


def test_a_worker_that_is_late_is_given_up():
    spec = {"label": "a", "peer": "ours", "mode": "inference", "rung": "im2col",
            "net": NETS["final"].as_json(), "batch": 1, "threads": 1}
    late, = interleave.time_in_turns([spec], rounds=1, block_seconds=0.01, limit=0.01,
                                     say=lambda text: None)
    assert late["error"] == "gave up after 0 s" and late["rounds"] == []
