"""Synthetic faces: labeled pictures without a download, with a ground truth no real data has.

Every sample is a person (head, hair, glasses, beard), a pose, a camera and an expression. The
expression is a vector of action-unit intensities (Ekman & Friesen 1978), drawn around prototypes of
the seven emotions (after Ekman & Friesen 1983 and table 1 of Lucey et al. 2010), each in a variant
with the mouth closed and one with the mouth open. drawing turns all of it into pixels and masks.

Randomness is a counter-based hash ("Parallel random numbers: as easy as 1, 2, 3", Salmon et al.
2011) with the mixer of splitmix64 (Steele et al. 2014): number j of sample i is a pure function of
(seed, i, j), so any sample can be made alone, in any order and in any batch, with the same bits.

All seven emotions are equally likely. FER2013's imbalance (1.5 % Disgust) would only make accuracy
say less, as the number of faces is unlimited here; to reproduce it, pick indices of each class with
`emotions_of`.
"""
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..shapes import plain_array, real_numbers
from ..types import Labels, Pixels
from .drawing import SIZE, draw_faces

__all__ = ["ACTION_UNITS", "CLASS_NAMES", "HEAD", "MASK_NAMES", "PROTOTYPES", "Faces",
           "action_units_of", "emotions_of", "make_faces"]

CLASS_NAMES = ("Anger", "Disgust", "Fear", "Happy", "Sad", "Surprise", "Neutral")
MASK_NAMES = ("brows", "eyes", "mouth")

# With their FACS numbers.
ACTION_UNITS = (
    "inner_brow_raise",    # 1
    "outer_brow_raise",    # 2
    "brow_lower",          # 4
    "upper_lid_raise",     # 5
    "cheek_raise",         # 6
    "lid_tighten",         # 7
    "nose_wrinkle",        # 9
    "upper_lip_raise",     # 10
    "lip_corner_pull",     # 12
    "lip_corner_depress",  # 15
    "chin_raise",          # 17
    "lip_stretch",         # 20
    "lip_press",           # 24
    "lips_part",           # 25
    "jaw_drop",            # 26
)

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

# Numbers of a head: name -> (lowest, highest). Lengths in pixels of an unscaled face, tones 0..1.
# bald, glasses, rim_shape, beard, hair_length and wall are compared with the constants of drawing.
HEAD = {
    "shift_x": (-2.5, 2.5), "shift_y": (-2.5, 2.5), "slope": (-0.2, 0.2), "scale": (0.98, 1.2),
    "yaw": (-0.65, 0.65), "pitch": (-0.8, 0.8),
    "width": (14.5, 17.5), "crown": (20, 22.5), "chin": (19.5, 22.5), "jaw": (0.08, 0.3),
    "age": (0.2, 1),
    "skin": (0.35, 0.85), "ambient": (0.35, 0.75), "light_x": (-0.6, 0.6), "light_y": (-0.6, 0.1),
    "hair": (0.03, 0.55), "hair_volume": (1, 4), "hair_length": (0, 1), "hairline": (-18, -11.5),
    "temples": (0.02, 0.06), "parting": (-0.25, 0.25), "bald": (0, 1),
    "beard": (0, 1), "beard_density": (0.35, 0.95),
    "glasses": (0, 1), "rim": (0.2, 0.6), "rim_shape": (0, 1), "rim_tone": (0.02, 0.3),
    "brow_y": (-8.6, -7.4), "brow_tilt": (-0.4, 0.4), "brow_arch": (0.2, 1.2),
    "brow_thickness": (0.55, 1.15), "brow_density": (0.6, 0.95), "brow_tone": (0.03, 0.2),
    "brow_skew": (-0.05, 0.05),
    "eye_x": (6.6, 7.7), "eye_y": (-3.5, -2.7), "eye_width": (3.2, 4.0), "eye_size": (0.85, 1.15),
    "eye_tilt": (-0.4, 0.3), "socket": (0.05, 0.3), "gaze_x": (-0.8, 0.8), "gaze_y": (-0.3, 0.4),
    "iris": (0.08, 0.35), "lashes": (0.2, 0.6),
    "nose_y": (4.2, 5.6), "nose_width": (2.5, 3.6),
    "mouth_y": (11, 12.4), "mouth_width": (4.8, 6.2), "mouth_curve": (-0.5, 0.5),
    "mouth_skew": (-0.05, 0.05),
    "upper_lip": (0.8, 1.8), "lower_lip": (1.2, 2.3), "lip_tone": (0.55, 0.85), "teeth": (0.6, 1),
    "background": (0.1, 0.9), "background_x": (-0.3, 0.3), "background_y": (-0.3, 0.3),
    "wall": (0, 1), "wall_x": (-0.5, 0.5), "wall_width": (0.02, 0.3), "wall_tone": (0.1, 0.9),
    "clothes": (0.05, 0.8),
    "gradient_x": (-0.45, 0.45), "gradient_y": (-0.35, 0.35), "blur": (0, 0.15), "noise": (0.5, 6),
    "exposure": (0.4, 0.62), "contrast": (0.75, 1.2),
}

_BATCH = 32  # its working arrays of 32 x 48 x 48 floats stay in a core's cache
# Numbers of a sample: 0 is its emotion; then variant, strength and two for each unit; then the
# head; then the noise.
_FIRST_UNIT = 1
_FIRST_HEAD = 3 + 2 * len(ACTION_UNITS)
_FIRST_NOISE = 1000
_GOLDEN = np.uint64(0x9E3779B97F4A7C15)

_Words = NDArray[np.uint64]
_Floats = NDArray[np.float32]


@dataclass(frozen=True)
class Faces:
    """n synthetic faces: pixels, labels, and the ground truth behind them.

    pixels          (n, 48, 48) uint8
    emotion         (n,) uint8, index into CLASS_NAMES
    masks           (n, 3, 48, 48) bool in the order of MASK_NAMES, without what hair or head hides
    action_units    (n, 15) float32, intensities 0..1 in the order of ACTION_UNITS
    face            (n, 48, 48) bool, the head except for its ears and what hair hides
    """

    pixels: Pixels
    emotion: NDArray[np.uint8]
    masks: NDArray[np.bool_]
    action_units: NDArray[np.float32]
    face: NDArray[np.bool_]


def emotions_of(seed: int, indices: ArrayLike) -> NDArray[np.uint8]:
    """Return the emotion of each sample without drawing it, (n,) uint8.

    All seven emotions are equally likely.
    """
    keys = _keys(seed, _checked(seed, indices))
    return (_uniforms(keys, 0, 1)[:, 0] * np.float32(7)).astype(np.uint8)


def action_units_of(seed: int, indices: ArrayLike, emotion: ArrayLike | None = None
                    ) -> NDArray[np.float32]:
    """Return the action units of each sample without drawing it, (n, 15) float32 from 0 to 1.

    seed, indices    as for make_faces
    emotion          None: the sample's own; otherwise one index into CLASS_NAMES or (n,) of them:
                     how the same person would show that emotion

    The columns are in the order of ACTION_UNITS. Raises ValueError as make_faces does, and for an
    emotion out of range.
    """
    samples = _checked(seed, indices)
    codes = emotions_of(seed, samples) if emotion is None else plain_array(emotion, "emotion")
    fits = codes.shape in ((), (1,), samples.shape) and codes.dtype.kind in "iu"
    if not fits or ((codes < 0) | (codes >= len(CLASS_NAMES))).any():
        came = f"{codes.dtype} {codes.shape} {codes.ravel()[:5].tolist()}"
        raise ValueError(f"emotion: got {came}, expected one integer from 0 to "
                         f"{len(CLASS_NAMES) - 1}, or {samples.shape} of them")
    return _draw_action_units(_keys(seed, samples), np.broadcast_to(codes, samples.shape))


def make_faces(seed: int, indices: ArrayLike, action_units: ArrayLike | None = None) -> Faces:
    """Draw the synthetic faces with the given numbers; a face depends on (seed, its number) only.

    seed            integer of at least 0: another seed gives another population
    indices         n integers of at least 0, such as range(1000); any order, repeats allowed
    action_units    None, or (n, 15) intensities 0..1 that the same people show instead before the
                    same cameras; emotion is then the one that they would have shown

    Returns a Faces record. Raises ValueError for a negative or fractional seed or index, and for
    action units of another shape or out of range.
    """
    samples = _checked(seed, indices)
    n = len(samples)
    emotion = emotions_of(seed, samples)
    keys = _keys(seed, samples)
    units = (_draw_action_units(keys, emotion) if action_units is None
             else np.array(real_numbers(action_units, np.float32, "action_units")))
    if units.shape != (n, len(ACTION_UNITS)) or not ((units >= 0) & (units <= 1)).all():
        raise ValueError(f"action_units: got shape {units.shape}, expected "
                         f"{(n, len(ACTION_UNITS))} intensities from 0 to 1")
    low, high = np.array(list(HEAD.values()), np.float32).T
    pixels = np.empty((n, SIZE, SIZE), np.uint8)
    masks = np.empty((n, 4, SIZE, SIZE), bool)
    # Once glibc has freed a block of this size it reuses memory: twice the speed.
    np.empty(2 ** 24, np.uint8)
    for start in range(0, n, _BATCH):
        batch = slice(start, start + _BATCH)
        heads = low + (high - low) * _uniforms(keys[batch], _FIRST_HEAD, len(HEAD))
        head = {name: heads[:, j, None, None] for j, name in enumerate(HEAD)}
        unit = {name: units[batch, j, None, None] for j, name in enumerate(ACTION_UNITS)}
        pixels[batch], masks[batch] = draw_faces(head, unit, _noise(keys[batch], _FIRST_NOISE))
    return Faces(pixels, emotion, masks[:, :3], units, masks[:, 3])


def _checked(seed: int, indices: ArrayLike) -> NDArray[np.integer]:
    """Return indices as an array; raise ValueError unless seed and indices are integers >= 0."""
    if not isinstance(seed, (int, np.integer)) or not 0 <= seed < 2 ** 63:
        raise ValueError(f"seed: got {seed!r}, expected an integer from 0 to 2**63 - 1")
    array: NDArray[np.integer] = plain_array(indices, "indices")
    array = array.astype(np.int64) if array.size == 0 else array
    if array.ndim != 1 or array.dtype.kind not in "iu" or (array.size and array.min() < 0):
        raise ValueError(f"indices: got shape {array.shape} of {array.dtype}, expected one axis of "
                         "integers from 0 up, such as range(100)")
    return array


def _draw_action_units(keys: _Words, emotion: Labels) -> _Floats:
    """Return intensities (n, 15): strength * unevenly shown prototype + small random twitches."""
    u = _uniforms(keys, _FIRST_UNIT, _FIRST_HEAD - _FIRST_UNIT)
    table = np.array([PROTOTYPES[name] for name in CLASS_NAMES], np.float32) / np.float32(100)
    shown = table[emotion, (u[:, 0] < 0.5).astype(int)]
    strength = np.float32(0.6) + np.float32(0.45) * u[:, 1:2]
    uneven = np.float32(0.7) + np.float32(0.6) * u[:, 2::2]
    twitch = np.float32(0.16) * u[:, 3::2] ** 2
    units: _Floats = np.minimum(strength * shown * uneven + twitch, np.float32(1))
    return units


def _mix(z: _Words) -> _Words:
    """Return the output of splitmix64's mixer: a changed input bit changes half of its bits."""
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return z ^ (z >> np.uint64(31))


def _keys(seed: int, indices: NDArray[np.integer]) -> _Words:
    """Return one 64-bit key for each sample, (n, 1) uint64."""
    origin = np.full(1, seed, np.uint64)
    counters = (indices.astype(np.uint64) + np.uint64(1)) * _GOLDEN
    return _mix(_mix(origin + _GOLDEN) ^ counters)[:, None]


def _hash(keys: _Words, first: int, count: int) -> _Words:
    """Return random numbers first .. first + count - 1 of every sample, (n, count) uint64."""
    return _mix(keys + np.arange(first, first + count, dtype=np.uint64) * _GOLDEN)


def _uniforms(keys: _Words, first: int, count: int) -> _Floats:
    """Return random numbers as float32 in [0, 1), (n, count), made of 24 bits each."""
    return (_hash(keys, first, count) >> np.uint64(40)).astype(np.float32) * np.float32(2.0 ** -24)


def _noise(keys: _Words, first: int) -> _Floats:
    """Return (n, 48, 48) float32, zero mean, unit variance: sums of a hash's four 16-bit parts."""
    bits = _hash(keys, first, SIZE * SIZE)
    mask = np.uint64(0xFFFF)
    total = (bits & mask) + (bits >> np.uint64(16) & mask)
    total += (bits >> np.uint64(32) & mask) + (bits >> np.uint64(48))
    deviation = np.float32(65536 / 3 ** 0.5)  # four uniforms have variance 4 * 65536^2 / 12
    return ((total.astype(np.float32) - np.float32(131070)) / deviation).reshape(-1, SIZE, SIZE)
