"""Clips of a face whose expression rises and falls, and vectors of what a net saw in their frames.

Kahou et al. 2013 trained a convolutional net on still images, applied it to every frame of a clip,
gathered the probabilities in one vector, by their mean or by 10 bins over time, and classified the
vector with an SVM (linear_svm).

A clip begins neutral; then the action units rise to those of its emotion (onset), stay there
(apex), and go back (offset), as Ekman & Friesen 1978 call the phases. Person, pose, lamp and camera
stay the same.
"""
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..shapes import check, common_floats, whole_number
from ..types import Array, Pixels
from .synthetic import CLASS_NAMES, action_units_of, make_faces

__all__ = ["BINS", "LONGEST", "SHORTEST", "Clip", "clip_bins", "clip_mean", "expression_strength",
           "make_clip"]

SHORTEST = 6  # frames
LONGEST = 40
BINS = 10
# Beginning, onset, apex and offset as shares of the clip: (shortest, longest). A clip may end
# before its offset does.
PHASES = (0.05, 0.5), (0.05, 0.3), (0.02, 0.4), (0.05, 0.3)


@dataclass(frozen=True)
class Clip:
    """T pictures of one face.

    pixels      (T, 48, 48) uint8
    emotion     index into CLASS_NAMES
    strength    (T,) float32 from 0 to 1: how far the expression is shown
    """

    pixels: Pixels
    emotion: int
    strength: NDArray[np.float32]


def make_clip(seed: int, index: int) -> Clip:
    """Draw the clip with the given number, 6 to 40 frames; it depends on (seed, index) only.

    Its person and its emotion are those of make_faces(seed, [index]). Raises ValueError as
    make_faces does.
    """
    shown = action_units_of(seed, [index])
    rest = action_units_of(seed, [index], CLASS_NAMES.index("Neutral"))
    rng = np.random.default_rng([seed, index])
    strength = expression_strength(rng, int(rng.integers(SHORTEST, LONGEST + 1)))
    units = rest + strength[:, None] * (shown - rest)
    faces = make_faces(seed, np.full(len(strength), index), units)
    return Clip(faces.pixels, int(faces.emotion[0]), strength)


def expression_strength(rng: np.random.Generator, num_frames: int) -> NDArray[np.float32]:
    """Return how far an expression is shown in each frame, (num_frames,) float32.

    It begins at 0, rises to 1 and falls back to 0; the clip may end earlier.
    """
    ends = np.cumsum([rng.uniform(low, high) for low, high in PHASES])
    ramp = np.interp(np.linspace(0, 1, num_frames), ends, [0, 1, 1, 0])
    return (ramp * ramp * (3 - 2 * ramp)).astype(np.float32)  # a face starts and stops softly


def clip_mean(probabilities: ArrayLike) -> Array:
    """Return the mean (C,) over the frames of a clip's probabilities (T, C)."""
    mean: Array = check_frames(probabilities).mean(axis=0)
    return mean


def clip_bins(probabilities: ArrayLike, bins: int = BINS) -> Array:
    """Return the means of a clip's probabilities (T, C) in bins over time, (bins * C,).

    The T frames are divided as evenly as possible, in order; where there are fewer frames than
    bins, a frame fills one or more of them.
    """
    frames = check_frames(probabilities)
    bins = whole_number(bins, "bins", 1)
    edges = np.arange(bins + 1) * len(frames) // bins
    return np.concatenate([frames[start:max(stop, start + 1)].mean(axis=0)
                           for start, stop in zip(edges[:-1], edges[1:], strict=True)])


def check_frames(probabilities: ArrayLike) -> Array:
    """Return probabilities as an array of floats; raise ValueError unless it is (T, C), T >= 1."""
    frames: Array
    (frames,) = common_floats("clip", probabilities=probabilities)
    check(frames.ndim == 2 and len(frames) > 0,
          f"probabilities: got shape {frames.shape}, expected (T, C), T >= 1")
    return frames
