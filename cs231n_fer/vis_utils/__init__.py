"""Figures of faces and classes (figures) and of trainings (curves), and the report of a finished run.

To add a figure: a function that takes numbers and an `ax`, and returns a figure; a line of report.py
if every run shall have it.
"""
from .figures import (
    BLUE,
    EKMAN,
    GREY,
    HUMAN_FER2013,
    INK,
    ORANGE,
    PALE,
    SKY,
    SPLIT_COLOURS,
    finish_axes,
    new_axes,
    new_figure,
    plot_class_distribution,
    plot_confusion,
    plot_examples,
    plot_human_comparison,
    plot_saliency,
    plot_tiles,
    save_figure,
    visualize_grid,
)

__all__ = [
    "BLUE",
    "EKMAN",
    "GREY",
    "HUMAN_FER2013",
    "INK",
    "ORANGE",
    "PALE",
    "SKY",
    "SPLIT_COLOURS",
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
    "visualize_grid",
]
