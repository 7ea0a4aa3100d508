"""Figures of faces, classes and trainings, and the report of a finished run.

    style          colors, axes, legends, and how a figure is written
    placement      heights of labels that would otherwise cover each other
    tiles          small pictures: examples, saliency maps, the course's visualize_grid
    grids          the course's vis_grid and vis_nn
    figures        class distribution, confusion matrix, comparison with people
    comparisons    several nets: with intervals, against cost, over the settings of a search
    curves         accuracy and loss over epochs; has the names of comparisons too
    report         measure a finished run and write its figures

To add a figure: in the module of its kind, write a function that takes numbers and ax=None, draws
on style.new_axes, so that a notebook shows it, and returns its Axes. Name it in `__all__` of its
file and here (those of curves and comparisons: in curves), and add a row to COMPARISONS in
tests/vis_utils/test_vis_utils.py. If every run is to have it, its line goes into
report.write_training_figures, and its row into PLOTS.
Only the modules listed in tests/test_architecture.py import Matplotlib.
"""
from .figures import (
    EKMAN,
    HUMAN_FER2013,
    plot_class_distribution,
    plot_confusion,
    plot_human_comparison,
)
from .grids import vis_grid, vis_nn
from .style import (
    BLUE,
    GREY,
    INK,
    MUTED,
    ORANGE,
    PALE,
    SKY,
    SPLIT_COLOURS,
    add_note,
    finish_axes,
    new_axes,
    new_figure,
    save_figure,
)
from .tiles import plot_examples, plot_saliency, plot_tiles, visualize_grid

__all__ = [
    "BLUE",
    "EKMAN",
    "GREY",
    "HUMAN_FER2013",
    "INK",
    "MUTED",
    "ORANGE",
    "PALE",
    "SKY",
    "SPLIT_COLOURS",
    "add_note",
    "finish_axes",
    "new_axes",
    "new_figure",
    "plot_class_distribution",
    "plot_confusion",
    "plot_examples",
    "plot_human_comparison",
    "plot_saliency",
    "plot_tiles",
    "save_figure",
    "vis_grid",
    "vis_nn",
    "visualize_grid",
]
