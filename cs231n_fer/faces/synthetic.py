"""Synthetic faces: labelled pictures that need no download, with a ground truth that no real data has.

Every sample is a person (head, hair, glasses, beard), a pose, a camera and an expression. The expression is a
vector of action-unit intensities (Ekman & Friesen 1978), drawn around prototypes of the seven emotions (after
Ekman & Friesen 1983 and table 1 of Lucey et al. 2010), each in a closed-mouthed and an open-mouthed variant.
drawing turns all of it into pixels and masks.

Randomness is a counter-based hash ("Parallel random numbers: as easy as 1, 2, 3", Salmon et al. 2011) with
the mixer of splitmix64 (Steele et al. 2014): number j of sample i is a pure function of (seed, i, j), so any
sample can be made alone, in any order and in any batch, with the same bits.

All seven emotions are equally likely. FER2013's imbalance (1.5 % Disgust) would only make accuracy say less,
where there are as many faces as one likes; whoever wants it picks indices of each class with `emotions_of`.
"""
from dataclasses import dataclass

import numpy as np

from .drawing import SIZE, draw_faces

CLASS_NAMES = ("Anger", "Disgust", "Fear", "Happy", "Sad", "Surprise", "Neutral")
MASK_NAMES = ("brows", "eyes", "mouth")

# FACS numbers:     1                   2                   4             5                  6
ACTION_UNITS = ("inner_brow_raise", "outer_brow_raise", "brow_lower", "upper_lid_raise", "cheek_raise",
                # 7             9               10                 12                 15
                "lid_tighten", "nose_wrinkle", "upper_lip_raise", "lip_corner_pull", "lip_corner_depress",
                # 17           20             24           25            26
                "chin_raise", "lip_stretch", "lip_press", "lips_part", "jaw_drop")

# Intensities in percent, mouth closed and mouth open.
PROTOTYPES = {
    # FACS          1    2    4    5    6    7    9   10   12   15   17   20   24   25   26
    "Anger":    ([  0,   0, 100,  40,   0,  80,  10,  10,   0,  20,  30,   0,  90,   0,   0],
                 [  0,  10, 100,  60,   0,  60,  20,  50,   0,  10,   0,  60,   0,  90,  50]),
    "Disgust":  ([  0,   0,  40,   0,  20,  50, 100,  80,   0,  50,  50,   0,   0,  10,   0],
                 [  0,   0,  50,   0,  30,  50, 100, 100,   0,  30,   0,   0,   0,  80,  15]),
    "Fear":     ([100,  60,  50,  90,   0,   0,   0,   0,   0,  10,   0,  90,   0,  60,   0],
                 [100,  70,  50, 100,   0,   0,   0,  10,   0,   0,   0, 100,   0,  90,  35]),
    "Happy":    ([  0,   0,   0,   0,  70,  10,   0,   0,  90,   0,   0,   0,   0,   0,   0],
                 [  0,   5,   0,   0,  90,  10,   0,  20, 100,   0,   0,   0,   0,  90,  30]),
    "Sad":      ([100,   0,  50,   0,   0,  10,   0,   0,   0,  90,  60,   0,   0,   0,   0],
                 [100,   0,  60,   0,  30,  40,   0,  10,   0,  80,  30,  30,   0,  60,   0]),
    "Surprise": ([ 90, 100,   0,  60,   0,   0,   0,   0,   0,   0,   0,   0,   0,  70,  55],
                 [100, 100,   0,  90,   0,   0,   0,   0,   0,   0,   0,   0,   0, 100, 100]),
    "Neutral":  ([  0,   0,   0,   0,   0,   0,   0,   0,   0,   0,   0,   0,   0,   0,   0],
                 [  0,   0,   0,   0,   0,   0,   0,   0,   0,   0,   0,   0,   0,  35,   0]),
}

# What a head may be: name -> (lowest, highest). Lengths in pixels of an unscaled face, tones 0..1.
# bald, glasses, rim_shape, beard, hair_length and wall are compared with the constants of drawing.
HEAD = {
    "shift_x": (-2.5, 2.5), "shift_y": (-2.5, 2.5), "slope": (-0.2, 0.2), "scale": (0.98, 1.2),
    "yaw": (-0.65, 0.65), "pitch": (-0.8, 0.8),
    "width": (14.5, 17.5), "crown": (20, 22.5), "chin": (19.5, 22.5), "jaw": (0.08, 0.3), "age": (0.2, 1),
    "skin": (0.35, 0.85), "ambient": (0.35, 0.75), "light_x": (-0.6, 0.6), "light_y": (-0.6, 0.1),
    "hair": (0.03, 0.55), "hair_volume": (1, 4), "hair_length": (0, 1), "hairline": (-18, -11.5),
    "temples": (0.02, 0.06), "parting": (-0.25, 0.25), "bald": (0, 1),
    "beard": (0, 1), "beard_density": (0.35, 0.95),
    "glasses": (0, 1), "rim": (0.2, 0.6), "rim_shape": (0, 1), "rim_tone": (0.02, 0.3),
    "brow_y": (-8.6, -7.4), "brow_tilt": (-0.4, 0.4), "brow_arch": (0.2, 1.2), "brow_thickness": (0.55, 1.15),
    "brow_density": (0.6, 0.95), "brow_tone": (0.03, 0.2), "brow_skew": (-0.05, 0.05),
    "eye_x": (6.6, 7.7), "eye_y": (-3.5, -2.7), "eye_width": (3.2, 4.0), "eye_size": (0.85, 1.15),
    "eye_tilt": (-0.4, 0.3), "socket": (0.05, 0.3), "gaze_x": (-0.8, 0.8), "gaze_y": (-0.3, 0.4),
    "iris": (0.08, 0.35), "lashes": (0.2, 0.6),
    "nose_y": (4.2, 5.6), "nose_width": (2.5, 3.6),
    "mouth_y": (11, 12.4), "mouth_width": (4.8, 6.2), "mouth_curve": (-0.5, 0.5), "mouth_skew": (-0.05, 0.05),
    "upper_lip": (0.8, 1.8), "lower_lip": (1.2, 2.3), "lip_tone": (0.55, 0.85), "teeth": (0.6, 1),
    "background": (0.1, 0.9), "background_x": (-0.3, 0.3), "background_y": (-0.3, 0.3), "wall": (0, 1),
    "wall_x": (-0.5, 0.5), "wall_width": (0.02, 0.3), "wall_tone": (0.1, 0.9), "clothes": (0.05, 0.8),
    "gradient_x": (-0.45, 0.45), "gradient_y": (-0.35, 0.35), "blur": (0, 0.15), "noise": (0.5, 6),
    "exposure": (0.4, 0.62), "contrast": (0.75, 1.2),
}

_BATCH = 32  # its working arrays of 32 x 48 x 48 floats stay in a core's cache
# Numbers of a sample: 0 is its emotion; then variant, strength and two for each unit; the head; the noise.
_FIRST_UNIT, _FIRST_HEAD, _FIRST_NOISE = 1, 3 + 2 * len(ACTION_UNITS), 1000
_GOLDEN = np.uint64(0x9E3779B97F4A7C15)


@dataclass(frozen=True)
class Faces:
    """n synthetic faces: pixels, labels, and how they came about.

    pixels          (n, 48, 48) uint8
    emotion         (n,) uint8, index into CLASS_NAMES
    masks           (n, 3, 48, 48) bool in the order of MASK_NAMES, without what hair or the head itself hides
    action_units    (n, 15) float32, intensities 0..1 in the order of ACTION_UNITS
    face            (n, 48, 48) bool, the head but for its ears and what hair hides
    """
    pixels: np.ndarray
    emotion: np.ndarray
    masks: np.ndarray
    action_units: np.ndarray
    face: np.ndarray


def _mix(z):
    """The output function of splitmix64, uint64 array to uint64: one input bit changes half of the output."""
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return z ^ (z >> np.uint64(31))


def _keys(seed, indices):
    """One 64-bit key for each sample, (n, 1) uint64."""
    seed = np.full(1, seed, np.uint64)
    return _mix(_mix(seed + _GOLDEN) ^ ((indices.astype(np.uint64) + np.uint64(1)) * _GOLDEN))[:, None]


def _hash(keys, first, count):
    """Random numbers first .. first + count - 1 of every sample, (n, count) uint64."""
    return _mix(keys + np.arange(first, first + count, dtype=np.uint64) * _GOLDEN)


def _uniforms(keys, first, count):
    """The same as float32 in [0, 1), 24 bits each."""
    return (_hash(keys, first, count) >> np.uint64(40)).astype(np.float32) * np.float32(2.0 ** -24)


def _noise(keys, first):
    """(n, 48, 48) float32, zero mean, unit variance: each hash cut into four uniforms, which are added."""
    bits = _hash(keys, first, SIZE * SIZE)
    total = sum((bits >> np.uint64(shift)) & np.uint64(0xFFFF) for shift in (0, 16, 32, 48))
    deviation = np.float32(65536 / 3 ** 0.5)  # four uniforms of width 65536 have variance 4 * 65536^2 / 12
    return ((total.astype(np.float32) - np.float32(131070)) / deviation).reshape(-1, SIZE, SIZE)


def _check(seed, indices):
    """Return indices as an array; raise ValueError unless seed and indices are integers from 0 up."""
    if not isinstance(seed, (int, np.integer)) or not 0 <= seed < 2 ** 63:
        raise ValueError(f"seed: got {seed!r}, expected an integer from 0 to 2**63 - 1")
    array = np.asarray(indices)
    array = array.astype(np.int64) if array.size == 0 else array
    if array.ndim != 1 or array.dtype.kind not in "iu" or (array.size and array.min() < 0):
        raise ValueError(f"indices: got shape {array.shape} of {array.dtype}, expected one axis of integers "
                         "from 0 up, such as range(100)")
    return array


def emotions_of(seed, indices):
    """The emotion of each sample without drawing it, (n,) uint8; all seven are equally likely."""
    keys = _keys(seed, _check(seed, indices))
    return (_uniforms(keys, 0, 1)[:, 0] * np.float32(7)).astype(np.uint8)


def action_units_of(seed, indices, emotion=None):
    """The action units of each sample without drawing it, (n, 15) float32 from 0 to 1 in the order of ACTION_UNITS.

    emotion     None: its own; or (n,) or one index into CLASS_NAMES: how the same person would show that one
    """
    indices = _check(seed, indices)
    if emotion is None:
        emotion = emotions_of(seed, indices)
    emotion = np.broadcast_to(emotion, indices.shape)
    if emotion.dtype.kind not in "iu" or ((emotion < 0) | (emotion >= len(CLASS_NAMES))).any():
        raise ValueError(f"emotion: got {emotion.dtype} {emotion.tolist()[:5]}, expected integers from 0 to "
                         f"{len(CLASS_NAMES) - 1}")
    return _draw_action_units(_keys(seed, indices), emotion)


def _draw_action_units(keys, emotion):
    """Intensities (n, 15): strength * (prototype, unevenly shown) + twitches of a living face."""
    u = _uniforms(keys, _FIRST_UNIT, _FIRST_HEAD - _FIRST_UNIT)
    table = np.array([PROTOTYPES[name] for name in CLASS_NAMES], np.float32) / np.float32(100)
    shown = table[emotion, (u[:, 0] < 0.5).astype(int)]
    strength = np.float32(0.6) + np.float32(0.45) * u[:, 1:2]
    uneven = np.float32(0.7) + np.float32(0.6) * u[:, 2::2]
    twitch = np.float32(0.16) * u[:, 3::2] ** 2
    return np.minimum(strength * shown * uneven + twitch, np.float32(1))


def make_faces(seed, indices, action_units=None):
    """Draw the synthetic faces with the given numbers; each depends on (seed, its number) only.

    seed            integer from 0 up: another seed, another population
    indices         n integers from 0 up, such as range(1000); any order, repeats allowed
    action_units    None, or (n, 15) intensities 0..1: the same people before the same cameras show these instead, and
                    emotion is the one that they would have shown
    Returns a Faces record.
    Raises ValueError for a negative or fractional seed or index, or action units of another shape or out of range.
    """
    indices = _check(seed, indices)
    n, emotion, keys = len(indices), emotions_of(seed, indices), _keys(seed, indices)
    units = _draw_action_units(keys, emotion) if action_units is None else np.array(action_units, np.float32)
    if units.shape != (n, len(ACTION_UNITS)) or not ((units >= 0) & (units <= 1)).all():
        raise ValueError(f"action_units: got shape {units.shape}, expected {(n, len(ACTION_UNITS))} intensities from "
                         "0 to 1")
    low, high = np.array(list(HEAD.values()), np.float32).T
    pixels, masks = np.empty((n, SIZE, SIZE), np.uint8), np.empty((n, 4, SIZE, SIZE), bool)
    np.empty(2 ** 24, np.uint8)  # once glibc has freed a block of this size it reuses memory: twice the speed
    for start in range(0, n, _BATCH):
        batch = slice(start, start + _BATCH)
        heads = low + (high - low) * _uniforms(keys[batch], _FIRST_HEAD, len(HEAD))
        head = {name: heads[:, j, None, None] for j, name in enumerate(HEAD)}
        unit = {name: units[batch, j, None, None] for j, name in enumerate(ACTION_UNITS)}
        pixels[batch], masks[batch] = draw_faces(head, unit, _noise(keys[batch], _FIRST_NOISE))
    return Faces(pixels, emotion, masks[:, :3], units, masks[:, 3])
