"""Clips: a built-in face whose expression rises and falls, and vectors that say what a net of still faces saw in it.

Kahou et al. 2013 trained a convolutional net on still images, let it look at every frame of a clip, gathered its
probabilities in one vector, by their mean or by 10 bins over time, and gave the vector to an SVM (linear_svm).

A clip begins neutral; then the action units go to those of its emotion (onset), stay there (apex), and go back
(offset), as Ekman & Friesen 1978 call the phases. Person, pose, lamp and camera stay what they are.
"""
from dataclasses import dataclass

import numpy as np

from ..shapes import check
from .synthetic import CLASS_NAMES, action_units_of, make_faces

SHORTEST, LONGEST = 6, 40  # frames of a clip
BINS = 10
# Beginning, onset, apex and offset as shares of the clip: (shortest, longest). A clip may end before its offset does.
PHASES = (0.05, 0.5), (0.05, 0.3), (0.02, 0.4), (0.05, 0.3)


@dataclass(frozen=True)
class Clip:
    """T pictures of one face: pixels (T, 48, 48) uint8, emotion (index into CLASS_NAMES), strength (T,) from 0 to 1."""
    pixels: np.ndarray
    emotion: int
    strength: np.ndarray


def make_clip(seed, index):
    """Draw the clip with a number, of 6 to 40 frames; it depends on (seed, its number) only.

    Its person and its emotion are those of make_faces(seed, [index]). Raises ValueError as make_faces does.
    """
    shown = action_units_of(seed, [index])
    rest = action_units_of(seed, [index], CLASS_NAMES.index("Neutral"))
    rng = np.random.default_rng([seed, index])
    strength = expression_strength(rng, int(rng.integers(SHORTEST, LONGEST + 1)))
    units = rest + strength[:, None] * (shown - rest)
    faces = make_faces(seed, np.full(len(strength), index), units)
    return Clip(faces.pixels, int(faces.emotion[0]), strength)


def expression_strength(rng, num_frames):
    """Return how far an expression is shown in each frame, (T,) float32: 0, rising to 1, and back; 0 at first."""
    ends = np.cumsum([rng.uniform(low, high) for low, high in PHASES])
    ramp = np.interp(np.linspace(0, 1, num_frames), ends, [0, 1, 1, 0])
    return (ramp * ramp * (3 - 2 * ramp)).astype(np.float32)  # a face starts and stops softly


def clip_mean(probabilities):
    """Return the mean (C,) of a clip's probabilities (T, C)."""
    return check_frames(probabilities).mean(axis=0)


def clip_bins(probabilities, bins=BINS):
    """Return the means of a clip's probabilities (T, C) in bins over time, (bins * C,), the first bin first.

    The T frames are parted as evenly as can be, in order; where there are fewer than bins, each fills one or more.
    """
    frames = check_frames(probabilities)
    check(bins >= 1, f"bins: got {bins}, expected 1 or more")
    edges = np.arange(bins + 1) * len(frames) // bins
    return np.concatenate([frames[start:max(stop, start + 1)].mean(axis=0)
                           for start, stop in zip(edges[:-1], edges[1:], strict=True)])


def check_frames(probabilities):
    """Return probabilities as an array; raise ValueError unless they are (T, C) with T >= 1."""
    frames = np.asarray(probabilities)
    check(frames.ndim == 2 and len(frames) > 0, f"probabilities: got shape {frames.shape}, expected (T, C), T >= 1")
    return frames
