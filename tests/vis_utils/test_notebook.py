"""Figures in a notebook: shown below their cell, and Matplotlib's settings left as they are."""
import subprocess
import sys

import numpy as np
import pytest
from matplotlib import pyplot
from matplotlib.figure import Figure
from test_vis_utils import ALL_PLOTS, PLOTS

from cs231n_fer import vis_utils
from cs231n_fer.vis_utils import curves
from cs231n_fer.vis_utils.report import (
    Examples,
    Explained,
    History,
    TrainingRun,
    write_training_figures,
)


@pytest.mark.parametrize("name", ALL_PLOTS)
def test_a_new_figure_is_one_that_pyplot_knows_and_a_notebook_shows(name):
    figure = ALL_PLOTS[name]().figure
    assert [pyplot.figure(number) for number in pyplot.get_fignums()] == [figure]


def test_panels_are_one_figure_that_pyplot_knows():
    left, right = curves.panels(2)
    assert pyplot.get_fignums() == [left.figure.number] == [right.figure.number]


@pytest.mark.parametrize("name", ALL_PLOTS)
def test_a_plot_on_axes_that_were_given_makes_no_figure(name):
    ALL_PLOTS[name](Figure().subplots())
    assert not pyplot.get_fignums()


def test_a_figure_stays_open_when_it_is_written_unless_asked_to_close(tmp_path):
    ax = PLOTS["loss"]()
    vis_utils.save_figure(ax, tmp_path / "a.png")
    assert pyplot.fignum_exists(ax.figure.number)
    vis_utils.save_figure(ax, tmp_path / "a.png", close=True)
    assert not pyplot.get_fignums()


def test_the_figures_of_a_run_are_closed_when_they_are_written(tmp_path):
    faces = np.zeros((2, 48, 48), np.uint8)
    labels = np.array([0, 1])
    write_training_figures(tmp_path, TrainingRun(
        class_names="ab", counts_by_split={"Training": np.ones(2, int)},
        examples=Examples(faces, labels), history=History([0.5], [0.5], [1.0]),
        confusion=np.eye(2, dtype=int), explained=Explained(faces, faces, labels, labels)))
    assert not pyplot.get_fignums()


def run(code):
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout.split()


def test_an_import_leaves_matplotlibs_settings_and_its_backend_alone_and_a_plot_the_settings():
    before = "import sys, matplotlib; matplotlib.use('svg'); before = dict(matplotlib.rcParams); "
    changed = "print(*(key for key in before if before[key] != matplotlib.rcParams[key]))"
    assert run(before + f"from cs231n_fer.vis_utils import *; {changed}; "
               "from cs231n_fer.vis_utils import curves, report; "
               "print('matplotlib.pyplot' in sys.modules)") == ["False"]
    assert run(before + "from cs231n_fer.vis_utils import curves; curves.plot_loss([1, 2]); "
               f"{changed}") == []


def test_a_cell_with_a_plot_shows_its_picture():
    pytest.importorskip("IPython")
    pytest.importorskip("matplotlib_inline")
    assert "image/png" in run(
        "from IPython.core.interactiveshell import InteractiveShell\n"
        "from IPython.utils.capture import capture_output\n"
        "shell = InteractiveShell.instance()\n"
        "shell.enable_gui = lambda gui: None\n"
        "shell.run_line_magic('matplotlib', 'inline')\n"
        "with capture_output() as found:\n"
        "    shell.run_cell('from cs231n_fer.vis_utils import curves; curves.plot_loss([2, 1])')\n"
        "print(*(kind for shown in found.outputs for kind in shown.data))")
