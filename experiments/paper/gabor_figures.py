"""Figures of EMPATH: its filters and its principal components."""
import numpy as np

from cs231n_fer.analysis.empath import ORIENTATIONS, SCALES, gabor_kernel, wave_number
from cs231n_fer.vis_utils import INK, new_axes, new_figure

SHOWN = 10  # components


def draw_filters():
    """Return a figure of the real parts of all filters, each scaled to its own range."""
    tiles = np.full((SCALES, ORIENTATIONS, 50, 50), np.nan)
    for scale, orientation in np.ndindex(SCALES, ORIENTATIONS):
        kernel = gabor_kernel(scale, orientation).real
        middle = np.pad(kernel, 24)[len(kernel) // 2:][:48, len(kernel) // 2:][:, :48]
        tiles[scale, orientation, 1:49, 1:49] = middle / np.abs(middle).max()
    ax = new_axes(None, (9, 6))
    ax.imshow(tiles.transpose(0, 2, 1, 3).reshape(50 * SCALES, -1), cmap="gray", vmin=-1, vmax=1)
    ax.set_xticks(50 * np.arange(ORIENTATIONS) + 25,
                  [f"{180 * k / ORIENTATIONS:g}°" for k in range(ORIENTATIONS)])
    ax.set_yticks(50 * np.arange(SCALES) + 25,
                  [f"{2 * np.pi / wave_number(k):.1f} px" for k in range(SCALES)])
    return _finish(ax, "The 40 Gabor filters, real parts, on 48 x 48 pixels: length and direction "
                       "of the wave")


def draw_components(pca, projections, faces):
    """Return a figure of the first components: their effect on the pixels, and their weights.

    The first row shows the slope of every pixel on a projection over all training faces, so that it
    shows nobody's face. The second shows the weights by place, the third those by filter: scales
    from the finest down, directions to the right.
    """
    faces = faces.reshape(len(faces), -1)
    slopes = (projections[:, :SHOWN].T @ faces / len(faces)).reshape(SHOWN, 48, 48)
    side = round((len(pca.mean) / (SCALES * ORIENTATIONS)) ** 0.5)
    weights = pca.components[:SHOWN].reshape(SHOWN, SCALES, ORIENTATIONS, side, side)
    figure = new_figure((1.3 * SHOWN, 4.6))
    axes = figure.subplots(3, SHOWN, height_ratios=(1, 1, SCALES / ORIENTATIONS))
    for k in range(SHOWN):
        for row, (image, cmap) in enumerate(((slopes[k], "RdBu_r"),
                                             ((weights[k] ** 2).sum(axis=(0, 1)), "viridis"),
                                             ((weights[k] ** 2).sum(axis=(2, 3)), "viridis"))):
            top = np.abs(image).max()
            axes[row, k].imshow(image, cmap=cmap, vmin=-top if row == 0 else 0, vmax=top)
            axes[row, k].set(xticks=[], yticks=[])
        axes[0, k].set_title(f"{k + 1}: {100 * pca.variances[k] / len(pca.mean):.1f} %",
                             fontsize=10, color=INK)
    for row, text in enumerate(("slope of\nthe pixels", "weight by\nplace", "weight by\nfilter")):
        axes[row, 0].set_ylabel(text, fontsize=10, color=INK)
    figure.suptitle("EMPATH's first components, with their shares of the variance", x=0.01,
                    ha="left", fontsize=12, fontweight="bold", color=INK)
    return figure


def _finish(ax, title):
    """Give an image a title and remove its frame and tick marks; returns ax."""
    ax.set_title(title, loc="left", fontsize=12, fontweight="bold", color=INK)
    ax.tick_params(length=0)
    ax.spines[:].set_visible(False)
    return ax
