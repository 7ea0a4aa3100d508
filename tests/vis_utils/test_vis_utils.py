"""Every figure can be drawn and written, and shows the numbers that it was given."""
import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from PIL import Image

from cs231n_fer import vis_utils
from cs231n_fer.vis_utils import curves, style
from cs231n_fer.vis_utils.report import (
    Examples,
    Explained,
    History,
    TrainingRun,
    write_training_figures,
)

NAMES = ("Anger", "Disgust", "Fear", "Happy", "Sad", "Surprise", "Neutral")
RNG = np.random.default_rng(0)
IMAGES = RNG.integers(0, 256, (9, 48, 48), dtype=np.uint8)
LABELS = np.array([0, 0, 3, 6, 5, 3, 3, 1, 2])
PREDICTED = np.array([0, 1, 3, 6, 4, 3, 2, 1, 2])
MAPS = RNG.random((9, 48, 48), dtype=np.float32)
COUNTS = {"Training": np.array([3995, 436, 4097, 7215, 4830, 3171, 4965]),
          "PublicTest": np.array([467, 56, 496, 895, 653, 415, 607])}
CONFUSION = RNG.integers(0, 2000, (7, 7))
LOSS = np.linspace(2, 1, 500)
TRAIN = np.array([0.1, 0.4, 0.6, 0.8])
VAL = np.array([0.12, 0.4, 0.5625, 0.55])
for array in (IMAGES, LABELS, PREDICTED, MAPS, CONFUSION, LOSS, TRAIN, VAL, *COUNTS.values()):
    array.setflags(write=False)

PLOTS = {
    "class_distribution": lambda ax=None: vis_utils.plot_class_distribution(COUNTS, NAMES, ax),
    "examples": lambda ax=None: vis_utils.plot_examples(IMAGES, LABELS, NAMES, ax),
    "accuracy": lambda ax=None: curves.plot_accuracy(TRAIN, VAL, ax),
    "loss": lambda ax=None: curves.plot_loss(LOSS, ax),
    "confusion_matrix": lambda ax=None: vis_utils.plot_confusion(CONFUSION, NAMES, ax),
    "saliency": lambda ax=None: vis_utils.plot_saliency(IMAGES, MAPS, PREDICTED, NAMES,
                                                        labels=LABELS, ax=ax),
    "per_class_accuracy": lambda ax=None: vis_utils.plot_human_comparison(CONFUSION, NAMES, ax),
}

GROUPS = {"Anger": {"brows": (2.3, 2.1, 2.5), "mouth": (0.9, 0.7, 1.1)},
          "Happy": {"mouth": (np.nan,) * 3}}
VOTERS = np.linspace(10, 80, 7)[:, None] + [0, -2, 3]
VALUES = {"none": (58.0, 56.5, 59.5), "flip": (61.0, 59.0, 63.0)}
COMPARISONS = {
    "curves": lambda ax=None: curves.plot_curves(
        {"Adam": VAL, "SGD": TRAIN[:3]}, ax, title="A", dashed={"Adam": TRAIN}),
    "intervals": lambda ax=None: curves.plot_intervals(
        VALUES, ax, title="A", reference=(60.7, "the paper")),
    "groups": lambda ax=None: curves.plot_groups(
        GROUPS, ax, title="A", xlabel="Times chance", decimals=1, reference=(1, "chance")),
    "tiles": lambda ax=None: vis_utils.plot_tiles(
        np.stack([IMAGES[:3], MAPS[:3]], axis=1), NAMES[:3], ("face", "map"), ax, title="A",
        cmaps=("gray", "magma")),
    "voters": lambda ax=None: vis_utils.plot_human_comparison(CONFUSION, NAMES, ax, voters=VOTERS),
    "cost": lambda ax=None: curves.plot_cost(
        {"small": (1e4, 50, 48, 52), "a larger net": (4e5, 60, 58, 62)}, ax, title="A",
        xlabel="Parameters"),
    "space": lambda ax=None: curves.plot_space(
        [(1e-3, 1e-2, 60, 40), (1e-5, 1e-4, 25, 1), (1e-2, 1e-4, 50, 4)], ax, title="A", xlabel="x",
        ylabel="y", reference=(1e-3, 2e-3, "the paper")),
}
ALL_PLOTS = {**PLOTS, **COMPARISONS}


def texts(ax):
    labels = [*ax.texts, *ax.get_xticklabels(), *ax.get_yticklabels(), ax.xaxis.label,
              ax.yaxis.label]
    legend = ax.get_legend().get_texts() if ax.get_legend() else []
    return [ax.get_title(loc="left"), *(text.get_text() for text in (*labels, *legend))]


@pytest.mark.parametrize("name", ALL_PLOTS)
def test_every_plot_draws_on_the_given_axes_and_is_written(name, tmp_path):
    ax = Figure().subplots()
    assert ALL_PLOTS[name](ax) is ax
    path = vis_utils.save_figure(ALL_PLOTS[name](), tmp_path / "new" / f"{name}.png")
    with Image.open(path) as picture:
        assert np.asarray(picture.convert("L")).std() > 5
        assert picture.info["dpi"] == pytest.approx((150, 150), abs=0.1)


@pytest.mark.parametrize("name", ALL_PLOTS)
def test_every_text_of_a_plot_lies_inside_its_figure(name):
    figure = ALL_PLOTS[name]().figure
    figure.draw_without_rendering()
    box = figure.get_tightbbox()
    room = figure.get_size_inches()
    assert box.x0 >= 0 and box.y0 >= 0 and box.x1 <= room[0] and box.y1 <= room[1]


def test_the_cells_of_the_confusion_matrix_hold_count_and_share_of_the_row():
    confusion = np.array([[1234, 1, 0], [3, 5, 2], [0, 0, 7]])
    ax = vis_utils.plot_confusion(confusion, "abc")
    cells = {}
    for text in ax.texts:
        x, y = text.get_position()
        cells.setdefault((round(y), round(x)), []).append(text.get_text())
    assert cells == {(0, 0): ["1,234", "100 %"], (0, 1): ["1", "< 1 %"], (0, 2): ["0"],
                     (1, 0): ["3", "30 %"], (1, 1): ["5", "50 %"], (1, 2): ["2", "20 %"],
                     (2, 0): ["0"], (2, 1): ["0"], (2, 2): ["7", "100 %"]}


def contrast(first, second):
    """Return the contrast ratio of two colors, by WCAG 2.2."""
    def luminance(color):
        linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4
                  for c in to_rgb(color)]
        return 0.05 + np.dot(linear, (0.2126, 0.7152, 0.0722))
    light, dark = sorted((luminance(first), luminance(second)), reverse=True)
    return light / dark


@pytest.mark.parametrize("share", np.linspace(0.05, 1, 20))
def test_the_numbers_of_the_confusion_matrix_can_be_read_on_any_blue(share):
    counts = np.round([[100 * share, 100 - 100 * share], [0, 1]]).astype(int)
    ax = vis_utils.plot_confusion(counts, "ab")
    background = ax.images[0].to_rgba(counts[0, 0] / counts[0].sum())[:3]
    assert all(contrast(background, text.get_color()) >= 4.5 for text in ax.texts[:2])


def test_the_confusion_matrix_says_its_accuracy_and_survives_an_empty_class():
    confusion = np.array([[3, 1], [0, 0]])
    with np.errstate(all="raise"):
        ax = vis_utils.plot_confusion(confusion, ("a", "b"))
    assert "75.0 % of 4 faces" in ax.get_title(loc="left")
    assert [text.get_text() for text in ax.texts] == ["3", "75 %", "1", "25 %", "–", "–"]
    assert ax.get_yticklabels()[0].get_text() == "a (4)"


def test_the_class_distribution_shows_shares_of_each_split_and_counts_of_all():
    shown = texts(PLOTS["class_distribution"]())
    assert {"25.1", "24.9", "1.5", "Happy\n8,110", "Training (28,709)",
            "PublicTest (3,589)"} <= set(shown)


def test_the_accuracy_plot_marks_the_first_best_epoch():
    ax = curves.plot_accuracy([0.5, 0.7, 0.9], [0.4, 0.6, 0.6], first_epoch=1)
    assert "60.0 %, epoch 2" in ax.get_title(loc="left")
    dot = ax.lines[-1]
    assert (dot.get_xdata()[0], dot.get_ydata()[0]) == (2, 60)
    assert {"Training 90.0 %", "Validation 60.0 %"} <= set(texts(ax))


def test_the_loss_curve_is_the_centred_mean_and_leaves_out_what_is_not_finite():
    loss = np.array([1.0, 2, np.nan, 4, 5, np.inf, 7])
    ax = curves.plot_loss(loss, window=3, iterations_per_epoch=7)
    points, curve = ax.lines
    np.testing.assert_array_equal(points.get_ydata(), [1, 2, 4, 5, 7])
    np.testing.assert_allclose(curve.get_ydata(), [1.5, 1.5, 3, 4.5, 4.5, 6, 7])
    np.testing.assert_allclose(curve.get_xdata(), np.arange(1, 8) / 7)
    assert "not finite: 2 steps" in ax.get_title(loc="left")


def test_the_saliency_plot_names_true_predicted_and_explained_class():
    ax = PLOTS["saliency"]()
    assert [text.get_text() for text in ax.texts] == [
        f"true {NAMES[true]}\npredicted {NAMES[predicted]}"
        for true, predicted in zip(LABELS, PREDICTED, strict=True)]
    assert "the score of the predicted emotion" in ax.get_title(loc="left")
    other = vis_utils.plot_saliency(IMAGES[:1], MAPS[:1], PREDICTED[:1], NAMES, reacts_to=[6])
    assert [text.get_text() for text in other.texts] == ["predicted Anger", "Neutral"]
    assert "the score of the emotion above them" in other.get_title(loc="left")


def test_the_saliency_plot_says_which_color_is_right_and_names_the_files():
    ax = PLOTS["saliency"]()
    shown = {text.get_text(): line.get_color() for text, line in
             zip(ax.get_legend().get_texts(), ax.get_legend().get_lines(), strict=True)}
    for text, right in zip(ax.texts, LABELS == PREDICTED, strict=True):
        assert text.get_color() == shown["right prediction" if right else "wrong prediction"]
    own = vis_utils.plot_saliency(IMAGES[:2], MAPS[:2], PREDICTED[:2], NAMES,
                                  sources=["me.jpg", "you.png"])
    assert {"me.jpg", "you.png"} <= set(texts(own))
    assert own.get_legend() is None  # nobody knows what is right


def test_the_human_comparison_shows_our_figures_beside_those_of_the_paper():
    shown = texts(PLOTS["per_class_accuracy"]())
    ours = [f"{100 * CONFUSION[i, i] / CONFUSION[i].sum():.1f}" for i in range(7)]
    assert {*ours, "98.7", "92.4", "92.3", "88.9", "89.2", "87.7", "91.6"} <= set(shown)
    assert any("63.4 %" in text for text in shown)


def test_the_human_comparison_shows_people_who_saw_the_same_faces():
    ax = ALL_PLOTS["voters"]()
    assert {"People on FER2013", *(f"{value:.1f}" for value in VOTERS[:, 0])} <= set(texts(ax))
    bounds = [segment[:, 1].tolist() for lines in ax.collections
              for segment in lines.get_segments()]
    assert all([low, high] in bounds for _, low, high in VOTERS.tolist())


def test_people_who_saw_photographs_are_left_out_beside_synthetic_faces():
    ax = vis_utils.plot_human_comparison(CONFUSION, NAMES, dataset="synthetic faces", people=False)
    assert len(ax.containers) == 1 and not ax.lines
    assert not [text for text in texts(ax) if re.search("Ekman|author|people", text)]


def test_a_note_says_below_the_figure_what_it_was_drawn_from(tmp_path):
    ax = PLOTS["confusion_matrix"]()
    vis_utils.add_note(ax, "synthetic faces, FinalConvNet, seed 0")
    figure = ax.figure
    figure.draw_without_rendering()
    (note,) = (text for text in figure.texts if "seed 0" in text.get_text())
    below = note.get_window_extent()
    assert below.y1 < ax.xaxis.label.get_window_extent().y0 and below.x0 >= 0


def test_groups_put_each_series_on_its_own_line_and_leave_out_what_is_nan():
    ax = ALL_PLOTS["groups"]()
    assert {"2.3", "0.9", "chance", "brows", "mouth", "Anger", "Happy"} <= set(texts(ax))
    assert "nan" not in texts(ax)
    heights = [line.get_ydata()[0] for line in ax.lines[:2]]
    assert -0.4 < heights[0] < heights[1] < 0.4


def test_tiles_of_a_grey_column_share_their_range_and_maps_have_their_own():
    shown = ALL_PLOTS["tiles"]().images
    assert [image.get_clim() for image in shown[::2]] == [(0, 255)] * 3
    tops = [np.percentile(tile, 99.5) for tile in MAPS[:3]]
    assert [image.get_clim()[1] for image in shown[1::2]] == tops


def test_the_human_comparison_draws_wilson_intervals_and_leaves_empty_classes_open():
    ax = vis_utils.plot_human_comparison(np.array([[1, 28], [0, 0]]), ("Happy", "Other"))
    (interval,) = ax.collections[0].get_segments()
    np.testing.assert_allclose(interval[:, 1], [0.61, 17.18], atol=0.005)
    ours = ax.containers[0]
    assert ours[0].get_height() == pytest.approx(100 / 29) and np.isnan(ours[1].get_height())
    assert "none" in texts(ax)


@pytest.mark.parametrize("N, side", [(1, 1), (3, 2), (4, 2), (5, 3)])
def test_the_grid_is_square_padded_and_stretches_each_image(N, side):
    Xs = RNG.random((N, 4, 3, 2))
    grid = vis_utils.visualize_grid(Xs, ubound=10, padding=2)
    assert grid.shape == (side * 6 - 2, side * 5 - 2, 2)
    for n in range(N):
        tile = grid[n // side * 6:, n % side * 5:][:4, :3]
        np.testing.assert_allclose(tile, 10 * (Xs[n] - Xs[n].min()) / np.ptp(Xs[n]), atol=1e-12)


def test_the_grid_shows_a_constant_image_as_black():
    with np.errstate(all="raise"):
        assert not vis_utils.visualize_grid(np.full((1, 4, 4, 1), 7, np.uint8)).any()


def test_a_training_run_writes_its_seven_figures(tmp_path):
    paths = write_training_figures(tmp_path / "new", TrainingRun(
        class_names=NAMES, counts_by_split=COUNTS, confusion=CONFUSION,
        examples=Examples(IMAGES, LABELS), history=History(TRAIN, VAL, LOSS),
        explained=Explained(IMAGES, MAPS, labels=LABELS, predicted=PREDICTED)))
    assert [path.name for path in paths] == [f"{name}.png" for name in PLOTS]
    assert all(path.stat().st_size > 5000 for path in paths)


def test_curves_have_their_names_and_last_values_at_their_ends():
    ax = COMPARISONS["curves"]()
    assert {"Adam 0.6", "SGD 0.6"} <= set(texts(ax))
    solid, dashed, other = (line.get_ydata() for line in ax.lines)
    assert (solid == VAL).all() and (dashed == TRAIN).all() and (other == TRAIN[:3]).all()
    assert ax.lines[0].get_color() == ax.lines[1].get_color() != ax.lines[2].get_color()
    assert ax.lines[0].get_xdata().tolist() == [1, 2, 3, 4]
    cut = curves.plot_curves({"a": [1, np.inf], "b": [np.nan, np.nan]}, title="", limits=(0, 2))
    assert cut.get_ylim() == (0, 2) and {"a inf", "b nan"} <= set(texts(cut))


def test_dots_have_their_intervals():
    ax = COMPARISONS["intervals"]()
    assert [line.get_xdata().tolist()
            for line in (ax.lines[0], ax.lines[2])] == [[56.5, 59.5], [59.0, 63.0]]
    assert {"58.0", "61.0", "none", "flip", "the paper"} <= set(texts(ax))
    points = COMPARISONS["cost"]()
    assert points.get_xscale() == "log" and "a larger net" in texts(points)
    assert points.lines[0].get_xdata().tolist() == [1e4, 4e5]
    assert points.lines[0].get_ydata().tolist() == [50, 60]
    assert [segment[:, 1].tolist()
            for segment in points.collections[0].get_segments()] == [[48, 52], [58, 62]]
    assert [text.get_ha() for text in points.texts] == ["left", "right"]


def test_the_trials_of_a_search_lie_at_their_settings_the_best_on_top_and_the_longest_largest():
    ax = COMPARISONS["space"]()
    spots = ax.collections[0]
    assert (ax.get_xscale(), ax.get_yscale()) == ("log", "log")
    assert spots.get_offsets().tolist() == [[1e-5, 1e-4], [1e-2, 1e-4], [1e-3, 1e-2]]
    assert spots.get_array().tolist() == [25, 50, 60] and (np.diff(spots.get_sizes()) > 0).all()
    assert {"1 epoch", "4 epochs", "40 epochs", "the paper"} <= set(texts(ax))
    plain = curves.plot_space([(1, 2, 3, 4)], title="", xlabel="", ylabel="", log=(False, True))
    assert (plain.get_xscale(), plain.get_yscale()) == ("linear", "log")


def test_panels_share_a_figure():
    left, right = curves.panels(2, size=(3, 2))
    assert left.figure is right.figure and left.figure.get_size_inches().tolist() == [6, 2]
    assert len(curves.panels(1)) == 1


@pytest.mark.parametrize("photographs", [True, False])
def test_every_figure_of_a_run_names_its_faces_net_and_seed(photographs, tmp_path, monkeypatch):
    seen = {}
    monkeypatch.setattr(style, "save_figure",
                        lambda ax, path, close: seen.setdefault(path.stem, ax))
    write_training_figures(tmp_path, TrainingRun(
        class_names=NAMES, counts_by_split=COUNTS, confusion=CONFUSION,
        examples=Examples(IMAGES, LABELS), history=History(TRAIN, VAL, LOSS),
        explained=Explained(IMAGES, MAPS, labels=LABELS, predicted=PREDICTED),
        dataset="synthetic faces", net="FinalConvNet, seed 3", photographs=photographs))
    assert list(seen) == list(PLOTS)
    for ax in seen.values():
        (note,) = (text.get_text() for text in ax.figure.texts)
        assert note == "synthetic faces, FinalConvNet, seed 3"
    shown = " ".join(texts(seen["per_class_accuracy"]))
    assert ("Ekman" in shown) == ("authors" in shown) == photographs


@given(values=st.lists(st.floats(-100, 100), min_size=1, max_size=8), gap=st.floats(0.01, 10))
def test_labels_are_spread_without_changing_their_order_or_more_than_needed(values, gap):
    heights = curves.spread(values, gap)
    order = np.argsort(values, kind="stable")
    assert (np.diff(heights[order]) >= gap * (1 - 1e-9)).all()
    assert np.mean(heights) == pytest.approx(np.mean(values), abs=1e-9)
    if len(values) == 1 or np.diff(np.sort(values)).min() >= gap:
        np.testing.assert_allclose(heights, values, atol=1e-9)


@pytest.mark.parametrize("call, message", [
    (lambda: curves.plot_curves({}, title=""), "curves: got 0, expected 1 to 8"),
    (lambda: curves.plot_curves({"a": []}, title=""), r"curves\['a'\]: got shape \(0,\)"),
    (lambda: curves.plot_curves({"a": [1]}, title="", dashed={"b": [1]}), r"dashed: got \['b'\]"),
    (lambda: curves.plot_intervals({}, title=""), "values: got none"),
    (lambda: curves.plot_cost({"a": (0, 1, 1, 1)}, title="", xlabel=""),
     r"points: got costs \[0\]"),
    (lambda: curves.plot_space([], title="", xlabel="", ylabel=""), "trials: got none"),
    (lambda: curves.plot_space([(1, 1, 1, 0)], title="", xlabel="", ylabel=""),
     "trials: got 0 epochs"),
    (lambda: vis_utils.plot_confusion(np.eye(3), NAMES), r"confusion: got shape \(3, 3\)"),
    (lambda: vis_utils.plot_class_distribution({"Training": np.zeros(3)}, NAMES),
     r"counts\['Training'\]"),
    (lambda: curves.plot_accuracy([0.1], [0.1, 0.2]), "got 1 training and 2 validation"),
    (lambda: curves.plot_loss([]), "loss_history"),
    (lambda: vis_utils.plot_examples(IMAGES / 255, LABELS, NAMES), "images: got dtype float64"),
    (lambda: vis_utils.plot_examples(IMAGES, LABELS + 1, NAMES),
     "labels: got 1 to 7, expected 0 to 6"),
    (lambda: vis_utils.plot_saliency(IMAGES, MAPS[:, :9], LABELS, NAMES), "maps: got shape"),
    (lambda: vis_utils.plot_saliency(IMAGES, MAPS, LABELS[:2], NAMES), "predicted: got shape"),
    (lambda: vis_utils.plot_saliency(IMAGES, MAPS, LABELS, NAMES, sources=["a.png"]),
     "sources: got 1, expected"),
    (lambda: vis_utils.plot_human_comparison(CONFUSION, NAMES[:3]), "names: got 3, expected 7"),
    (lambda: vis_utils.plot_human_comparison(CONFUSION, NAMES, voters=VOTERS[:6]),
     r"voters: got shape \(6, 3\)"),
    (lambda: vis_utils.plot_tiles(MAPS[None], "a", "b", title="A", cmaps=["gray"]),
     "tiles: got shape"),
    (lambda: curves.plot_groups({}, title="A", xlabel="b"), "groups: got 0 series"),
    (lambda: vis_utils.visualize_grid(IMAGES), "Xs: got shape"),
    (lambda: vis_utils.plot_class_distribution({}, NAMES), "counts: got no split"),
    (lambda: vis_utils.plot_examples(IMAGES, LABELS * 1.0, NAMES), "labels: got dtype float64"),
    (lambda: curves.plot_accuracy(["0.1"], [0.1]), "train_acc_history has dtype <U3"),
    (lambda: curves.plot_accuracy([0.1], [0.1j]), "val_acc_history has dtype complex128"),
    (lambda: curves.plot_loss([1.0, None]), "loss_history has dtype object"),
    (lambda: curves.plot_loss(LOSS, window=2.5), "window: got 2.5, expected an integer"),
    (lambda: curves.plot_curves({"a": [1j]}, title=""), r"curves\['a'\] has dtype complex128"),
    (lambda: curves.plot_curves({"a": [1]}, title="", dashed={"a": []}), r"dashed\['a'\]: got"),
])
def test_bad_input_gets_an_error_that_names_it(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def masked(array):
    """Return the array with a mask on its first number."""
    return np.ma.MaskedArray(array, np.arange(array.size).reshape(array.shape) == 0)


@pytest.mark.parametrize("call, argument", [
    (lambda: vis_utils.visualize_grid(masked(IMAGES[..., None])), "Xs"),
    (lambda: vis_utils.plot_examples(masked(IMAGES), LABELS, NAMES), "images"),
    (lambda: vis_utils.plot_examples(IMAGES, masked(LABELS), NAMES), "labels"),
    (lambda: vis_utils.plot_saliency(IMAGES, masked(MAPS), PREDICTED, NAMES), "maps"),
    (lambda: vis_utils.plot_saliency(IMAGES, MAPS, masked(PREDICTED), NAMES), "predicted"),
    (lambda: vis_utils.plot_tiles(masked(MAPS[:2, None]), "ab", "c", title="", cmaps=["gray"]),
     "tiles"),
    (lambda: vis_utils.plot_confusion(masked(CONFUSION), NAMES), "confusion"),
    (lambda: vis_utils.plot_human_comparison(masked(CONFUSION), NAMES), "confusion"),
    (lambda: vis_utils.plot_human_comparison(CONFUSION, NAMES, voters=masked(VOTERS)), "voters"),
    (lambda: vis_utils.plot_class_distribution({"A": masked(RNG.integers(0, 9, 7))}, NAMES),
     r"counts\['A'\]"),
    (lambda: curves.plot_accuracy(masked(TRAIN), VAL), "train_acc_history"),
    (lambda: curves.plot_loss(masked(LOSS)), "loss_history"),
    (lambda: curves.plot_curves({"A": masked(VAL)}, title=""), r"curves\['A'\]"),
])
def test_a_mask_that_a_figure_would_lose_is_refused(call, argument):
    with pytest.raises(ValueError, match=f"^{argument}: got a masked array, whose mask"):
        call()
