"""The figure of a clip: the probabilities of a net of still faces, above some of the frames."""
from cs231n_fer.vis_utils import PALE, finish_axes, new_axes
from cs231n_fer.vis_utils.curves import COLOURS

FACES = 12     # at most, that are shown
NOTABLE = 0.1  # the probability from which an emotion has a label and a color


def draw_clip(clip, probabilities, names):
    """Return a figure of probabilities (T, C) over the frames of a clip, with some of the frames.

    clip    Clip of synthetic faces
    names   of the C classes
    """
    last = len(probabilities) - 1
    ax = new_axes(None, (10, 5.2))
    ax.fill_between(range(last + 1), 100 * clip.strength, color=PALE, linewidth=0, label="shown")
    for c, (name, color) in enumerate(zip(names, COLOURS, strict=False)):
        notable = probabilities[:, c].max() >= NOTABLE
        ax.plot(100 * probabilities[:, c], color=color if notable else PALE,
                zorder=2 if notable else 1, linewidth=3 if c == clip.emotion else 1.5,
                label=name if notable else None)
    step = -(-len(probabilities) // FACES)
    half = 0.47 * step
    ax.set(xlim=(-half, last + half), ylim=(0, 101))
    ax.legend(frameon=False, fontsize=10, ncols=8, loc="lower left", bbox_to_anchor=(0, 1),
              borderaxespad=0.2)
    for k in range(0, last + 1, step):
        face = ax.inset_axes((k - half, -0.36, 2 * half, 0.17), transform=ax.get_xaxis_transform())
        face.imshow(clip.pixels[k], cmap="gray", vmin=0, vmax=255)
        face.set_axis_off()
    title = (f"A synthetic clip of {names[clip.emotion]}: probabilities over time, and how far it "
             "is shown")
    return finish_axes(ax, title, "Frame", "Probability (%)", pad=32)
