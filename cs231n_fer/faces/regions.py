"""Where a synthetic face shows its emotion: what no photograph tells, and what a saliency map can be held against.

The masks of brows, eyes, mouth and face come with every face (synthetic.Faces), from the curves that it is drawn by:
they follow the head as it shifts, turns and nods. Around them are the skin that a brow leaves bare and the folds that
it pushes up, so that a region is a mask grown by a pixel or two. And where an expression changes the picture is no
matter of opinion here: the same person is drawn again, at rest.
"""
import numpy as np

from ..shapes import check
from .synthetic import ACTION_UNITS, make_faces


def grow(masks, radius):
    """Masks (..., H, W) bool, grown by all pixels whose centres lie at most `radius` pixels from one inside."""
    masks = np.asarray(masks)
    check(masks.ndim >= 2 and masks.dtype == bool,
          f"masks: got {masks.dtype} {masks.shape}, expected bool (..., H, W)")
    check(radius >= 0, f"radius: got {radius}, expected 0 or more pixels")
    reach = int(radius)
    height, width = masks.shape[-2:]
    padded = np.pad(masks, [(0, 0)] * (masks.ndim - 2) + [(reach, reach)] * 2)
    grown = np.zeros_like(masks)
    for dy, dx in np.ndindex(2 * reach + 1, 2 * reach + 1):
        if (dy - reach) ** 2 + (dx - reach) ** 2 <= radius ** 2:
            grown |= padded[..., dy:dy + height, dx:dx + width]
    return grown


def expression_change(seed, indices):
    """By how much each pixel differs from that of the same face at rest, which moves no muscle.

    seed, indices    as make_faces takes them; person, pose, lamp, camera and its noise are the same in both pictures
    Returns          (n, 48, 48) float32 >= 0 in grey levels
    """
    shown = make_faces(seed, indices)
    rest = make_faces(seed, indices, np.zeros((len(shown.pixels), len(ACTION_UNITS)), np.float32))
    return np.abs(shown.pixels.astype(np.float32) - rest.pixels)


def strongest(maps, share):
    """The fewest pixels that hold a share of each map; of equal ones the first in reading order count.

    maps     (n, H, W) >= 0
    share    from 0 to 1
    Returns  (n, H, W) bool; nothing of a map that is 0 everywhere
    """
    maps = np.asarray(maps)
    check(maps.ndim == 3, f"maps: got shape {maps.shape}, expected (n, H, W)")
    check(0 <= share <= 1, f"share: got {share}, expected 0 to 1")
    flat = maps.reshape(len(maps), -1).astype(np.float64)
    order = np.argsort(-flat, axis=1, kind="stable")
    falling = np.take_along_axis(flat, order, axis=1)
    before = np.cumsum(falling, axis=1) - falling
    chosen = np.empty(flat.shape, bool)
    np.put_along_axis(chosen, order, before < share * flat.sum(axis=1, keepdims=True), axis=1)
    return chosen.reshape(maps.shape)
