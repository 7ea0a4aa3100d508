"""Tests of the scripts that measure crops and calibration, and that the package holds what they
found."""
import json

import pytest
from jobs import FACES, script

from cs231n_fer.classifiers.pretrained import WEIGHTS, export, load_pretrained
from cs231n_fer.photos import UNSURE
from cs231n_fer.photos.faces import LEAST_SCORE, MARGIN, OFFSET, Box
from experiments.bench.report import RESULTS


def result(name):
    return json.loads((RESULTS / name).read_text(encoding="utf-8"))


def test_the_square_and_the_threshold_are_those_that_were_measured():
    measured = result("photos.json")
    assert (MARGIN, OFFSET) == (measured["faces"]["margin"], measured["faces"]["offset"])
    best = min(measured["faces"]["grid"], key=lambda row: row["log_loss"])
    assert (MARGIN, OFFSET) == (best["margin"], best["offset"])
    assert measured["least_score"] == LEAST_SCORE
    assert measured["real"]


def test_the_temperature_of_the_packaged_net_is_the_one_that_was_measured():
    measured = result("calibration.json")
    assert load_pretrained().info["temperature"] == measured["temperature"]
    assert measured["unsure_below"] == UNSURE
    (row,) = [row for row in measured["thresholds"] if row["threshold"] == UNSURE]
    assert row["accuracy_unsure"] < 0.5 < row["accuracy_sure"]


def test_faces_that_are_found_where_they_are_get_the_accuracy_of_the_originals(
    tmp_path, monkeypatch
):
    module = script("checks.crops")
    frames = []
    paste = module.background

    def background(side, rng):
        frames.append(side)
        return paste(side, rng)

    monkeypatch.setattr(module, "background", background)
    monkeypatch.setattr(module, "MARGINS", (1.0, 1.2))
    monkeypatch.setattr(module, "OFFSETS", (0.0, 0.1))
    monkeypatch.setattr(module, "load_data", FACES)
    monkeypatch.setattr(module, "QUICK_RESULTS", tmp_path)
    monkeypatch.setattr(module, "find_faces", lambda pixels: [Box(0, 0, 1, 1)])
    module.main(["--data", "synthetic", "--faces", "8"])
    found = json.loads((tmp_path / "photos.json").read_text())
    assert found["faces"] == {"faces": 8, "found": 0, "boxes_elsewhere": 8}
    assert len(frames) == 16
    assert set(found["filters"]) == {"original", *module.FILTERS}

    made = []
    make = module.make_scene

    def known(face, turned, rng):
        scene = make(face, turned, rng)
        made.append(scene)
        return scene._replace(found=scene.frame, others=0)

    monkeypatch.setattr(module, "make_scene", known)
    module.main(["--data", "synthetic", "--faces", "8"])
    faces = json.loads((tmp_path / "photos.json").read_text())["faces"]
    assert [scene.turn != 0 for scene in made[:8]] == [row % 4 > 1 for row in range(8)]
    assert faces["found"] == 8
    assert faces["frame_relative_to_box"] == {"margin": 1.0, "margin_log_deviation": 0.0,
                                              "offset": 0.0}
    assert len(faces["grid"]) == 4
    upright = faces["held_out_upright"]
    assert upright["faces"] == 2
    assert upright["true_frame"]["log_loss"] == pytest.approx(upright["original"]["log_loss"],
                                                              abs=0.15)


def test_the_calibration_writes_the_temperature_into_the_file_of_a_net(tmp_path, monkeypatch):
    module = script("checks.calibration")
    monkeypatch.setattr(module, "load_data", FACES)
    monkeypatch.setattr(module, "QUICK_RESULTS", tmp_path)
    export(WEIGHTS, tmp_path / "net.h5")
    module.main(["--data", "synthetic", "--net", str(tmp_path / "net.h5")])
    found = json.loads((tmp_path / "calibration.json").read_text())
    # The packaged net is too sure of synthetic faces, which it has never seen.
    assert found["temperature"] > 1.2
    assert load_pretrained(tmp_path / "net.h5").info["temperature"] == found["temperature"]
    assert found["mirrored_calibrated"]["log_loss"] < found["mirrored"]["log_loss"]
