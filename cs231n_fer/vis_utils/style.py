"""What all figures share: colors, new axes, titles and legends, and how a figure is written.

Figures are registered with pyplot, so that a notebook shows them below the cell that made them.
pyplot keeps a figure until it is closed, so code that draws a figure only to save it closes it.
Importing this package changes neither Matplotlib's settings nor its backend. The colors are those
of Okabe & Ito 2008, which color-blind readers can tell from each other.
"""
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.ticker import FuncFormatter

from ..files.checkpoint import replacing

__all__ = ["BLUE", "COLOURS", "GREY", "INK", "MUTED", "ORANGE", "PALE", "SKY", "SPLIT_COLOURS",
           "add_note", "finish_axes", "grouped", "legend_above", "new_axes", "new_figure",
           "save_figure"]

BLUE = "#0072B2"
ORANGE = "#D55E00"
SKY = "#56B4E9"
GREY = "#B8B8B8"
PALE = "#E6E6E6"
INK = "#333333"
MUTED = "#6B6B6B"
COLOURS = (BLUE, ORANGE, "#009E73", "#CC79A7", SKY, "#E69F00", INK, "#8A8A8A")
SPLIT_COLOURS = (BLUE, SKY, GREY, ORANGE)


def save_figure(figure: Figure | Axes, path: str | Path, close: bool = False) -> Path:
    """Write a Figure, or the Figure of an Axes, at 150 dpi, and return the Path.

    close    whether to close it afterward: a notebook does not show it, and its memory is freed
    The suffix of the path gives the format, PNG if there is none. Missing folders are created; a
    crash leaves either the old file or the new one.
    """
    from matplotlib import pyplot  # not until a figure is drawn, because it chooses a backend

    path = Path(path)
    root = figure.figure.figure  # Axes -> (Sub)Figure -> Figure; a Figure is its own .figure
    with replacing(path) as temporary:
        root.savefig(temporary, dpi=150, facecolor="white", format=path.suffix[1:] or "png")
    if close:
        pyplot.close(root)
    return path


def new_figure(size: tuple[float, float]) -> Figure:
    """Return a Figure of size (width, height) in inches, which a notebook shows automatically."""
    from matplotlib import pyplot  # not until a figure is drawn, because it chooses a backend

    return pyplot.figure(figsize=size, dpi=150,
                         layout=ConstrainedLayoutEngine(w_pad=0.15, h_pad=0.15))


def new_axes(ax: Axes | None, size: tuple[float, float]) -> Axes:
    """Return ax, or if it is None the Axes of a new Figure of size (width, height) in inches."""
    return new_figure(size).subplots() if ax is None else ax


def finish_axes(ax: Axes, title: str, xlabel: str, ylabel: str, pad: float = 12) -> Axes:
    """Give ax its title and labels in the style of all figures, and return it.

    pad    points between the title and the axes; a legend above the axes needs more
    """
    ax.set_title(title, loc="left", fontsize=13, fontweight="bold", color=INK, pad=pad)
    ax.set_xlabel(xlabel, fontsize=11, color=INK)
    ax.set_ylabel(ylabel, fontsize=11, color=INK)
    ax.spines[["top", "right"]].set_visible(False)
    ax.set_axisbelow(True)
    return ax


def add_note(figure: Figure | Axes, text: str) -> None:
    """Write a note in small print below a Figure, or the Figure of an Axes.

    text    what it was drawn from, such as "synthetic faces, FinalConvNet, seed 0"
    """
    root = figure.figure.figure
    root.supxlabel(text, x=0.02, ha="left", fontsize=8, color=MUTED)


def grouped() -> FuncFormatter:
    """Return a formatter of axes: digits in groups of three, such as 10,000 and 0.5."""
    return FuncFormatter(lambda value, _: f"{value:,.12g}")


def legend_above(ax: Axes, fontsize: float = 9, columns: int = 4) -> None:
    """Put a legend of one line between the axes and the title."""
    ax.legend(frameon=False, fontsize=fontsize, ncols=columns, loc="lower left",
              bbox_to_anchor=(0, 1), borderaxespad=0.2)
