"""Tests of the scores of saliency maps, re-initialized nets, verdicts, and the script."""
import numpy as np
import pytest
from jobs import FACES

from cs231n_fer.faces.synthetic import CLASS_NAMES, MASK_NAMES
from experiments.paper import attention, attention_findings, findings, options, runs, statistics
from experiments.paper import saliency as paper_saliency
from experiments.paper.attention import METHODS


def regions_of(rng, count, classes):
    """Return regions (n, 12, 12) and classes (n,).

    The regions of a class agree except in a random fifth of their pixels.
    """
    y = np.arange(count) % classes
    places = rng.random((classes, 12, 12)) < 0.3
    return places[y] ^ (rng.random((count, 12, 12)) < 0.2), y


def test_chance_is_the_share_of_the_area():
    rng = np.random.default_rng(0)
    regions, within = rng.random((2, 30, 8, 8)) < 0.5
    value, low, high = attention.times_chance(np.full((30, 8, 8), 3.0), regions, within)
    assert (value, low, high) == pytest.approx((1, 1, 1))
    maps = (regions & within).astype(float)
    value, low, high = attention.times_chance(maps, regions, within)
    areas = (regions & within).sum(axis=(1, 2)) / within.sum(axis=(1, 2))
    assert value == pytest.approx(1 / areas.mean()) and low < value < high


def test_a_map_of_its_own_region_beats_shuffled_ones_and_a_map_that_is_constant_does_not():
    rng = np.random.default_rng(1)
    regions, y = regions_of(rng, 40, 4)
    within = np.ones(regions.shape, bool)
    draws = 200
    own = attention.permutation_p(regions + 0.5, regions, within, y, draws=draws)
    assert own == dict.fromkeys(range(4), 1 / (draws + 1))
    flat = attention.permutation_p(np.ones(regions.shape), regions, within, y, draws=draws)
    assert flat == dict.fromkeys(range(4), 1.0)
    noise = attention.permutation_p(rng.random(regions.shape), regions, within, y, draws=draws)
    assert min(noise.values()) > 0.01


def test_larger_regions_are_no_advantage_in_the_permutation_test():
    """Large regions hold more of a random map, but not more than their share of the area."""
    rng = np.random.default_rng(2)
    y = np.arange(60) % 2
    regions = rng.random((60, 12, 12)) < np.where(y, 0.6, 0.1)[:, None, None]
    p = attention.permutation_p(rng.random(regions.shape), regions, np.ones(regions.shape, bool), y,
                                draws=200)
    assert 0.01 < p[1] < 0.99 and 0.01 < p[0]


def test_rows_of_each_class_come_first_and_each_net_counts_as_much():
    assert attention.first_of_each(np.array([2, 0, 2, 0, 0, 2]), 2).tolist() == [1, 3, 0, 2]
    one, two = np.array([[[4.0, 0]]]), np.array([[[0, 1.0]]])
    mean = attention.mean_maps([dict.fromkeys(METHODS, one), dict.fromkeys(METHODS, two)])
    np.testing.assert_array_equal(mean["gradient"], [[[0.5, 0.5]]])


def test_the_upper_half_ends_after_row_23():
    maps = np.zeros((2, 48, 48))
    maps[0, 23], maps[0, 24], maps[1, :24] = 1, 3, 1
    assert attention.upper_share(maps).tolist() == [0.25, 1]


class Brightest:
    """A model that predicts class 1 if the upper half is brighter than the lower, else class 0."""

    def predict(self, X):
        upper = X[:, 0, :24].mean(axis=(1, 2))
        lower = X[:, 0, 24:].mean(axis=(1, 2))
        return np.eye(2)[(upper > lower).astype(int)]


def test_an_unseen_half_shows_the_mean_grey():
    X = np.zeros((2, 1, 48, 48), np.float32)
    X[0, 0, :24], X[1, 0, 24:] = 5, 5
    data = {"X_val": X, "y_val": np.array([1, 0]), "mean_image": np.full((48, 48), 100, np.float32),
            "std": 50.0}
    right = attention.half_accuracy([Brightest(), Brightest()], data)
    assert {name: values.tolist() for name, values in right.items()} == {
        "all": [1, 1], "upper": [1, 1], "lower": [0, 1]}
    np.testing.assert_array_equal(attention.grey({**data, "mean_image": np.array([[90.0, 110]])}),
                                  [[0.2, -0.2]])


NET = {"kind": "FinalConvNet",
       "options": {"num_filters": [3, 4], "hidden_dim": 6, "batchnorm": True}}


@pytest.mark.parametrize("count, anew", [(1, {"affine2"}), (3, {"affine2", "affine1", "block2"}),
                                         (None, {"affine2", "affine1", "block2", "block1"})])
def test_layers_are_drawn_anew_from_the_top(count, anew, monkeypatch):
    def trained(result):  # every array differs from that of a new net
        model = runs.make_model(runs.Run(**result["run"]))
        for array in (*model.params.values(), *model.buffers.values()):
            array += 7
        return model
    monkeypatch.setattr(attention, "load_trained", trained)
    model, names = attention.randomised({"run": {"model": NET, "seed": 2}}, count)
    assert set(names) == anew and names[0] == "affine2"
    fresh = runs.make_model(runs.Run(model=NET, seed=1002))
    old = trained({"run": {"model": NET, "seed": 2}})
    for group in ("params", "buffers"):
        for name, array in getattr(model, group).items():
            source = fresh if name.split("/")[0] in anew else old
            np.testing.assert_array_equal(array, getattr(source, group)[name], err_msg=name)


def test_known_faces_are_those_of_the_data_with_their_truth():
    data = FACES("synthetic")
    faces = attention.known_faces(data, 2)
    assert len(faces.y) <= 14
    assert faces.parts.shape == (len(faces.y), 3, 48, 48)
    assert (np.diff(faces.y) >= 0).all()
    held = (faces.change * faces.makes).sum(axis=(1, 2)) / faces.change.sum(axis=(1, 2))
    assert held.min() >= attention.CHANGE and held.max() < attention.CHANGE + 0.05
    with pytest.raises(ValueError, match="holds other faces than those of seed 0"):
        attention.known_faces({**data, "X_val": data["X_val"] + 1}, 2)


def same(value, low=None, high=None):
    """Return {method: interval} with the same interval for all methods."""
    low = value - 1 if low is None else low
    high = value + 1 if high is None else high
    return dict.fromkeys(METHODS, (value, low, high))


@pytest.mark.parametrize("anger, happy, verdict", [
    (60, 40, "confirmed"), (48, 40, "refined"), (60, 55, "refined"), (50, 49, "refuted"),
    (40, 60, "refuted")])
def test_ekman_is_confirmed_where_each_emotion_lies_in_its_half(anger, happy, verdict):
    y = np.array([0, 3])
    right = {"upper": np.array([0.5, 0.25]), "lower": np.array([0.25, 0.75])}
    found = attention_findings.on_ekman({"Anger": same(anger), "Happy": same(happy)}, right, y)
    assert found.verdict == verdict and "Anger 50 and 25 %; Happy 25 and 75 %" in found.ours


@pytest.mark.parametrize("parts, verdict", [
    ({"Happy": "mouth", "Fear": "eyes", "Anger": "brows"}, "confirmed"),
    ({"Happy": "mouth", "Fear": "mouth", "Anger": "mouth"}, "refined"),
    ({"Happy": "eyes", "Fear": "brows", "Anger": "mouth"}, "refuted")])
def test_figure_7_is_confirmed_where_the_parts_it_names_hold_most(parts, verdict):
    most = {emotion: {part: (2.0 if part == best else 1.0, 0, 0) for part in MASK_NAMES}
            for emotion, best in parts.items()}
    assert attention_findings.on_figure_7(most).verdict == verdict


@pytest.mark.parametrize("value, p, verdict",
                         [(1.5, 0.01, "confirmed"), (1.5, 0.2, "refined"), (0.9, 0.01, "refuted")])
def test_maps_must_beat_chance_everywhere_and_know_their_own_face(value, p, verdict):
    makes = {emotion: same(value, value - 0.1, value + 0.1) for emotion in CLASS_NAMES}
    p_values = dict.fromkeys(METHODS, dict.fromkeys(range(6), p))
    assert attention_findings.on_regions(makes, p_values).verdict == verdict


@pytest.mark.parametrize("share, verdict",
                         [(0.95, "confirmed"), (0.7, "refined"), (0.4, "refuted")])
def test_the_face_must_hold_nearly_all(share, verdict):
    inside = same(share, share - 0.01, share + 0.01)
    assert attention_findings.on_face(inside, 0.47).verdict == verdict


@pytest.mark.parametrize("twin, anew, noise, sanity", [
    (0.4, 0.1, "confirmed", "confirmed"),
    (0.8, 0.1, "refined", "confirmed"),
    (0.8, 0.7, "refined", "refuted"),
    (0.3, 0.4, "confirmed", "refuted"),
    (None, 0.1, "not measured", "confirmed"),
    (None, 0.6, "not measured", "refuted")])
def test_maps_are_noise_if_nets_disagree_and_sane_if_random_nets_disagree_more(twin, anew, noise,
                                                                               sanity):
    checks = {attention_findings.TWIN: same(twin, twin - 0.01, twin + 0.01)} if twin else {}
    checks |= {"affine2 drawn anew": same(0.9),
               "block1 and above drawn anew": same(anew, anew - 0.01, anew + 0.01)}
    assert attention_findings.on_noise(checks).verdict == noise
    assert attention_findings.on_sanity(checks).verdict == sanity


def test_bootstrap_intervals_are_those_of_the_normal_where_there_are_many_values():
    values = np.random.default_rng(0).standard_normal(400)
    mean, low, high = statistics.bootstrap_mean([*values, np.nan])
    error = values.std() / 20
    assert mean == pytest.approx(values.mean())
    assert low == pytest.approx(mean - 1.96 * error, abs=0.3 * error)
    assert high == pytest.approx(mean + 1.96 * error, abs=0.3 * error)
    assert np.isnan(statistics.bootstrap_mean([])).all()
    difference = statistics.bootstrap(lambda a, b: a.mean() - b.mean(), values, values + 1)
    assert difference[0] == pytest.approx(-1) and difference[1] < -1 < difference[2]


def test_the_script_leaves_its_table_figures_and_findings(tmp_path, monkeypatch):
    # These faces are marked as real, so that separate nets are trained on synthetic ones
    def load(path=None, **sizes):
        return {**FACES("synthetic"), "synthetic": path == "synthetic"}
    for module in (options, paper_saliency):
        monkeypatch.setattr(module, "load_data", load)
    monkeypatch.setattr(options, "QUICK_NET", {"num_filters": [3, 4], "hidden_dim": 6})
    argv = ["--quick", "--epochs", "1", "--faces", "1", "--seeds", "2", "--data", "fer.h5",
            "--synthetic-epochs", "2"]
    paper_saliency.main([*argv, "--runs", str(tmp_path / "runs"), "--results", str(tmp_path)])
    found = findings.load_results(tmp_path, 8, "saliency")
    assert [name.split("_")[-1] for name in found["figures"]] == [
        "maps.png", "parts.png", "chance.png", "means.png", "halves.png", "sanity.png"]
    assert len(found["rows"]) == 7 == len(found["rows"][0]) and len(found["findings"]) == 6
    assert [run["run"]["seed"] for run in found["runs"]] == [0, 1, 0, 1]
    assert found["runs"][3]["epochs"] == 1
    assert "not measured" not in {each["verdict"] for each in found["findings"]}
