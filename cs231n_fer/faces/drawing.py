"""Drawing of many small gray faces at once, as soft shapes painted on (n, 48, 48) arrays.

A picture is albedo times shade. Albedo is painted back to front (background, hair, neck, head,
features, glasses, fringe); shade collects the light on an ellipsoid and whatever only darkens or
brightens skin. The head has its own frame: x to the viewer's right, y down, in pixels of an
unscaled face; |x| draws both sides at once. Heads and action units are dicts of (n, 1, 1) arrays,
so that a line of code is the formula of one face.

As in brushes, IEEE 754 defines every operation to the last bit, so that a face depends neither on
the machine nor on its neighbors in the batch.
Action units are those of the Facial Action Coding System (Ekman & Friesen 1978).
"""
import numpy as np
from numpy.typing import NDArray

from ..types import Array, Arrays, Pixels
from .brushes import between, blob, blur, ellipse, paint, stroke, unit

__all__ = ["PIXEL", "SIZE", "draw_faces"]

SIZE = 48
PIXEL = np.arange(SIZE, dtype=np.float32) - np.float32((SIZE - 1) / 2)
ACROSS = PIXEL[None, None, :] / SIZE
DOWN = PIXEL[None, :, None] / SIZE
EYE_ROWS = slice(0, 36)     # no pose moves brows, eyes or forehead out of these rows,
MOUTH_ROWS = slice(16, 48)  # nor mouth or chin out of these
# A head has an attribute where its uniform number exceeds the threshold.
BALD = 0.88
GLASSES = 0.8
SQUARE_RIM = 0.5
MOUSTACHE = 0.8
BEARD = 0.86
LONG_HAIR = 0.6
WALL = 0.5


def head_frame(head: Arrays) -> tuple[Array, Array]:
    """Return x, y (n, 48, 48) of every pixel in the frame of the head, with its pose undone."""
    dx = PIXEL[None, None, :] - head["shift_x"]
    dy = PIXEL[None, :, None] - head["shift_y"]
    cosine = 1 / np.sqrt(1 + head["slope"] ** 2) / head["scale"]
    sine = head["slope"] * cosine
    return cosine * dx + sine * dy, cosine * dy - sine * dx


def face_frame(x: Array, y: Array, head: Arrays) -> tuple[Array, Array]:
    """Return x, y of the features, which slide over a turning head while its far side narrows."""
    x = x - 4.5 * head["yaw"]
    return x * (1 + 0.014 * head["yaw"] * x), y - 2 * head["pitch"]


def draw_behind(canvas: Array, x: Array, y: Array, head: Arrays, texture: Array) -> None:
    """Paint the background with a wall or a post, the hair behind the head, neck and shoulders."""
    canvas[:] = head["background"] + head["background_x"] * ACROSS + head["background_y"] * DOWN
    wall = stroke(ACROSS - head["wall_x"], head["wall_width"], 0.04) * (head["wall"] > WALL)
    paint(canvas, wall, head["wall_tone"])
    ax = np.abs(x)
    width = head["width"] + head["hair_volume"]
    hair = ellipse(x, y + 3, width, head["crown"] + head["hair_volume"] - 2)
    curtain = stroke(ax, width - 0.05 * np.abs(y), 1.5) * unit(y + 3)
    curtain = curtain * (head["hair_length"] > LONG_HAIR)
    hair = np.maximum(hair, curtain) * unit(head["hair_length"] * 30 - 8 - y)
    hair = hair * (head["bald"] < BALD)
    paint(canvas, between(y, 19, 99) * stroke(ax, 8 + unit((y - 23) / 4) * 16), head["clothes"])
    paint(canvas, stroke(ax, head["width"] * 0.6) * between(y, 8, 25), head["skin"] * 0.72)
    paint(canvas, hair, head["hair"] + 0.1 * texture)


def draw_head(canvas: Array, x: Array, y: Array, head: Arrays, units: Arrays
              ) -> tuple[Array, Array]:
    """Paint ears and skin; return the coverage of the head and the shade of a lit ellipsoid."""
    paint(canvas, ellipse(np.abs(x) - head["width"] - 0.3, y - 0.5, 2, 4), head["skin"] * 0.85)
    below = unit(y / 24)
    half_width = head["width"] * (1 - head["jaw"] * below * below)
    half_height = np.where(y < 0, head["crown"], head["chin"] + 2.5 * units["jaw_drop"])
    nx = x / half_width
    ny = y / half_height
    q = nx * nx + ny * ny
    cover = unit(0.5 + (1 - np.sqrt(q)) * head["width"])
    paint(canvas, cover, head["skin"])
    light = head["light_x"] * nx + head["light_y"] * ny + np.sqrt(np.maximum(1 - 0.9 * q, 0))
    lit = head["ambient"] - 1 + (1.05 - head["ambient"]) * np.maximum(light, 0)
    return cover, 1 + cover * lit


def draw_nose(canvas: Array, shade: Array, x: Array, y: Array, head: Arrays, units: Arrays) -> None:
    """Draw bridge, tip, wings and nostrils, and the wrinkles of a nose that is pulled up."""
    ax = np.abs(x)
    wrinkle = units["nose_wrinkle"]
    dy = y - head["nose_y"] + 1.2 * wrinkle
    width = head["nose_width"] + 0.5 * wrinkle
    flank = stroke(ax - width * 0.55 - 0.06 * (dy + 8), 0.4, 2.2) * between(dy, -9, 0, 3)
    shade *= 1 - 0.16 * flank * (1 - 0.5 * np.sign(x) * head["light_x"])
    shade *= 1 + 0.16 * blob(x, dy + 0.8, 2.2, 3) - 0.2 * blob(x, dy - 2.6, width + 1.5, 1.8)
    outward = ax - width + 1.4
    wing = stroke(np.sqrt(outward ** 2 + dy * dy) - 1.7, 0.3, 1.1) * unit(outward)
    shade *= 1 - (0.22 + 0.2 * wrinkle) * wing
    paint(canvas, 0.8 * blob(ax - 0.55 * width, dy - 1.1, 1.5, 1.1), 0.3 * head["skin"])
    ridges = np.maximum(stroke(dy + 7 - 0.35 * ax, 0.3, 1.1),
                        stroke(dy + 4.8 - 0.35 * ax, 0.3, 1.1))
    shade *= 1 - 0.42 * wrinkle * ridges * unit(4.2 - ax)


def brow_line(x: Array, head: Arrays, units: Arrays) -> tuple[Array, Array]:
    """Return the height of a brow's center line, and the position along it, 0 to 1 outward."""
    inner_end = 2.9 - 1.1 * units["brow_lower"]
    along = (np.abs(x) - inner_end) / (head["eye_x"] + 4.9 - inner_end)
    inner = (2.7 * units["brow_lower"] + 0.9 * units["nose_wrinkle"]
             - 3.6 * units["inner_brow_raise"] + head["brow_tilt"])
    outer = 0.7 * units["brow_lower"] - 3.4 * units["outer_brow_raise"] - head["brow_tilt"]
    arch = 4 * along * (1 - along) * (head["brow_arch"] + 0.6 * units["outer_brow_raise"])
    line = head["brow_y"] + inner * (1 - along) + outer * along - arch + head["brow_skew"] * x
    return line, along


def draw_brows(canvas: Array, shade: Array, x: Array, y: Array, head: Arrays, units: Arrays
               ) -> Array:
    """Draw brows and the wrinkles that they push up or together; return the brows' coverage."""
    line, along = brow_line(x, head, units)
    ax = np.abs(x)
    raised = units["inner_brow_raise"] * unit(1 - ax / 9)
    raised = np.maximum(raised, units["outer_brow_raise"] * unit(1.3 - ax / 10))
    folds = np.maximum(stroke(y - line + 4, 0.3, 1.3), stroke(y - line + 6.2, 0.3, 1.3))
    frown = stroke(ax - 1.2 - 0.1 * (y + 6), 0.35, 1.2) * between(y, -9.5, -4, 2)
    frown = frown * units["brow_lower"]
    shade *= 1 - head["age"] * (0.26 * raised * folds + 0.4 * frown)
    cover = stroke(y - line, head["brow_thickness"] * (1.15 - 0.55 * along))
    cover = cover * stroke(along - 0.5, 0.5, 0.2)
    paint(canvas, cover * head["brow_density"], head["brow_tone"])
    return cover


def draw_eyes(canvas: Array, shade: Array, x: Array, y: Array, head: Arrays, units: Arrays
              ) -> Array:
    """Draw sockets, lids, eyeballs and crow's feet; return the coverage of eyes and lid edges."""
    ax = np.abs(x)
    side = np.sign(x)
    wide = units["upper_lid_raise"]
    squint = units["lid_tighten"] + 0.7 * units["cheek_raise"] + 0.5 * units["nose_wrinkle"]
    upper = head["eye_size"] * np.maximum(1.75 + 1.5 * wide - 0.75 * squint, 0.45)
    lower = head["eye_size"] * np.maximum(1.25 + 0.3 * wide - 0.65 * squint, 0.25)
    dx = ax - head["eye_x"]
    s = dx / head["eye_width"]
    droop = head["eye_tilt"] + 0.5 * units["inner_brow_raise"] * units["lip_corner_depress"]
    dy = y - head["eye_y"] - droop * s
    top = -upper * (1 - s * s)
    bottom = lower * (1 - s * s)
    across = unit(3.3 - 3 * np.abs(s))
    shade *= 1 - head["socket"] * blob(dx + 1, dy + 2, 7, 5)
    bag = stroke(dy - bottom - 1.2, 0.2, 1.6) * (0.4 + 0.6 * unit(squint))
    crease = stroke(dy - top + 1.5 - 0.7 * wide, 0.2, 1.2)
    feet = stroke(np.abs(y - head["eye_y"]) - 0.5 * (dx - 3.6), 0.3, 1.2)
    feet = feet * between(ax, 11.5, 15, 1.5)
    shade *= (1 - 0.22 * across * np.maximum(bag, crease)
              - 0.25 * head["age"] * units["cheek_raise"] * feet)
    inside = between(dy, top, bottom)
    gaze_dx = dx - side * head["gaze_x"]
    gaze_dy = dy - head["gaze_y"] + 0.2
    paint(canvas, inside, 0.62 + 0.33 * head["skin"])
    paint(canvas, inside * ellipse(gaze_dx, gaze_dy, 1.9, 1.9), head["iris"])
    paint(canvas, inside * ellipse(gaze_dx, gaze_dy, 0.9, 0.9), 0.03)
    paint(canvas, inside * blob(gaze_dx - 0.6 * side, gaze_dy + 0.8, 1.1, 1.1), 0.9)
    paint(canvas, stroke(dy - top, head["lashes"]) * across, 0.08 + 0.2 * head["skin"])
    return between(dy, top - 0.6, bottom + 0.4) * unit(4.5 - 4 * np.abs(s))


def mouth_curves(x: Array, head: Arrays, units: Arrays
                 ) -> tuple[Array, Array, Array, Array, Array]:
    """Return the position s across the mouth, +-1 at its corners, and the heights of its lines.

    The lines, top down, are the outer and inner edge of the upper lip, the inner and outer edge of
    the lower lip.
    """
    pull = units["lip_corner_pull"]
    drop = units["jaw_drop"]
    press = units["lip_press"]
    rounding = 1.9 * drop * (1 - unit(2 * pull)) + 0.5 * press
    s = x / (head["mouth_width"] + 2.2 * pull + 1.9 * units["lip_stretch"] - rounding)
    bow = np.maximum(1 - s * s, 0)
    wide = bow * (2 - bow)  # flatter than a parabola: the box-like mouth of fear and of shouting
    curve = (head["mouth_curve"] - 3.3 * pull + 2.6 * units["lip_corner_depress"]
             + 0.9 * units["chin_raise"])
    middle = head["mouth_y"] + 0.9 * drop + curve * (s * s - 0.35) + head["mouth_skew"] * x
    gap = 1.7 * units["lips_part"] + 5.5 * drop
    raised = 1.7 * units["upper_lip_raise"] + 0.7 * units["nose_wrinkle"]
    inner_top = middle - (0.3 * gap + raised) * wide
    inner_bottom = middle + (0.7 * gap - 0.5 * units["chin_raise"]) * wide
    thickness = 1 - 0.65 * press - 0.2 * pull
    cupid = 1 - 0.25 * unit(1 - 5 * np.abs(s))
    return (s, inner_top - head["upper_lip"] * thickness * bow * cupid, inner_top,
            inner_bottom, inner_bottom + head["lower_lip"] * thickness * wide)


def draw_mouth(canvas: Array, shade: Array, x: Array, y: Array, head: Arrays, units: Arrays
               ) -> Array:
    """Draw lips, teeth, tongue and the skin around; return the coverage of lips and opening."""
    s, outer_top, inner_top, inner_bottom, outer_bottom = mouth_curves(x, head, units)
    across = unit(5.5 - 5 * np.abs(s))
    lips = between(y, outer_top, outer_bottom) * across
    paint(canvas, lips * 0.85, head["skin"] * head["lip_tone"])
    opening = unit(np.minimum(y - inner_top, inner_bottom - y) + 0.75) * across
    paint(canvas, opening, 0.12 * head["skin"] + 0.03)
    gap = inner_bottom - inner_top
    stretch = units["lip_stretch"]
    teeth = between(y, inner_top + 0.2, inner_top + np.minimum(0.75 * gap, 2.2)) * unit(gap - 0.9)
    lower_teeth = between(y, inner_bottom - 1.3 * stretch, inner_bottom) * unit(gap - 2.6) * stretch
    bared = unit(0.3 + units["lip_corner_pull"] + stretch + units["upper_lip_raise"])
    bared = bared * head["teeth"]
    paint(canvas, np.maximum(teeth, 0.8 * lower_teeth) * unit(4 - 4 * np.abs(s)) * bared, 0.88)
    tongue = blob(s, y - inner_bottom, 0.7, 2.2) * unit(gap - 3) * opening * 0.7
    paint(canvas, tongue, 0.35 * head["skin"])
    shade *= 1 - (0.2 + 0.15 * units["chin_raise"]) * blob(x, y - outer_bottom - 1.4, 6, 1.9)
    corners = blob(np.abs(s) - 1.05, y - outer_top, 0.3, 2.2)
    depth = 0.16 + 0.3 * units["lip_corner_pull"] + 0.25 * units["lip_corner_depress"]
    shade *= 1 - depth * corners
    shade_cheeks(shade, np.abs(x), y, head, units)
    return lips


def shade_cheeks(shade: Array, ax: Array, y: Array, head: Arrays, units: Arrays) -> None:
    """Shade the folds from nose to mouth, raised cheeks, and the pebbles of a raised chin."""
    pull = units["lip_corner_pull"]
    below_nose = y - head["nose_y"] + 1
    depth = np.maximum(np.maximum(pull, units["nose_wrinkle"]), 0.8 * units["upper_lip_raise"])
    line = head["nose_width"] + 1.3 + (0.55 + 0.35 * pull) * below_nose
    fold = stroke(ax - line, 0.4, 1.5) * between(y, head["nose_y"] - 1, head["mouth_y"] + 0.5, 2)
    shade *= 1 - (0.08 * head["age"] + 0.32 * depth) * fold
    cheek = blob(ax - 9.5, below_nose + units["cheek_raise"], 5, 4)
    pebbles = blob(ax - 1.8, y - head["mouth_y"] - 5.5, 1.6, 1.8)
    shade *= 1 + (0.04 + 0.14 * units["cheek_raise"]) * cheek - 0.22 * units["chin_raise"] * pebbles


def draw_beard(canvas: Array, x: Array, y: Array, head: Arrays, texture: Array) -> None:
    """Paint beard and moustache; the mouth is painted over them."""
    ax = np.abs(x)
    line = head["mouth_y"] - 4 + 0.1 * (12 - ax) ** 2 - 0.02 * ax * ax
    beard = unit(y - np.maximum(line, head["mouth_y"] - 6)) * (head["beard"] > BEARD)
    dy = y - head["mouth_y"]
    moustache = between(y, head["nose_y"] + 2.6 + 0.25 * ax, head["mouth_y"] + 0.1 * ax, 1.5)
    moustache = moustache * unit(head["mouth_width"] + 2 + 0.8 * dy - ax)
    cover = np.maximum(beard, moustache * (head["beard"] > MOUSTACHE)) * head["beard_density"]
    paint(canvas, cover * (0.85 + 0.5 * texture), head["hair"] * 0.9 + 0.02)


def draw_glasses(canvas: Array, x: Array, y: Array, head: Arrays) -> None:
    """Paint round or square rims, the bridge and the temples, on heads that wear glasses."""
    ax = np.abs(x)
    dx = ax - head["eye_x"] - 0.2
    dy = y - head["eye_y"] - 0.4
    square = np.maximum(np.abs(dx) - 5.3, np.abs(dy) - 3.9)
    oval = np.sqrt((dx / 1.2) ** 2 + dy * dy) - 4.4
    rim = stroke(np.where(head["rim_shape"] > SQUARE_RIM, square, oval), head["rim"])
    bars = stroke(dy + 1.2, 0.45) * (unit(2.6 - ax) + unit(ax - head["eye_x"] - 5))
    paint(canvas, np.maximum(rim, bars) * (0.9 * (head["glasses"] > GLASSES)), head["rim_tone"])


def draw_fringe(canvas: Array, x: Array, y: Array, head: Arrays, texture: Array) -> Array:
    """Paint the hair over the forehead; return its coverage, which hides the face."""
    line = head["hairline"] + head["temples"] * x * x + head["parting"] * x + 1.2 * texture
    scalp = ellipse(x, y + 1, head["width"] + 1.2, head["crown"] + 1.6) * (head["bald"] < BALD)
    cover = scalp * unit((line - y) / 1.5)
    paint(canvas, cover, head["hair"] + 0.1 * texture)
    return cover


def develop(image: Array, head: Arrays, noise: Array) -> Pixels:
    """Return uint8 pixels after the camera: uneven light, blur, exposure, noise, rounding."""
    image = image * (1 + head["gradient_x"] * ACROSS + head["gradient_y"] * DOWN)
    blur(image, head["blur"])
    blur(image, head["blur"])
    gain = head["contrast"] / (0.35 + 0.75 * head["skin"])
    image = 255 * (head["exposure"] + gain * (image - 0.85 * head["skin"])) + head["noise"] * noise
    return np.rint(np.clip(image, 0, 255)).astype(np.uint8)


def draw_faces(head: Arrays, units: Arrays, noise: Array) -> tuple[Pixels, NDArray[np.bool_]]:
    """Draw n faces.

    head    dict of (n, 1, 1) float32: the person, the pose and the camera, see synthetic.HEAD
    units   dict of (n, 1, 1) float32: action-unit intensities 0..1, see synthetic.ACTION_UNITS
    noise   (n, 48, 48) float32, zero mean, unit variance: strands of hair and camera noise

    Returns pixels (n, 48, 48) uint8, and masks (n, 4, 48, 48) bool of what is visible of brows,
    eyes, mouth and the whole face.
    """
    x, y = head_frame(head)
    fx, fy = face_frame(x, y, head)
    rows = np.pad(noise, ((0, 0), (0, 3), (0, 0)), mode="wrap")
    texture = 0.25 * (rows[:, :-3] + rows[:, 1:-2] + rows[:, 2:-1] + rows[:, 3:])
    canvas = np.empty_like(noise)
    draw_behind(canvas, x, y, head, texture)
    head_cover, shade = draw_head(canvas, x, y, head, units)
    face = canvas.copy()  # a canvas of its own, so that what a turned head hides can be cut off
    up = np.s_[:, EYE_ROWS]
    low = np.s_[:, MOUTH_ROWS]
    draw_beard(face[low], fx[low], fy[low], head, texture[low])
    draw_nose(face, shade, fx, fy, head, units)
    parts = np.zeros((4, *noise.shape), noise.dtype)
    parts[3] = 1
    parts[2][low] = draw_mouth(face[low], shade[low], fx[low], fy[low], head, units)
    parts[1][up] = draw_eyes(face[up], shade[up], fx[up], fy[up], head, units)
    parts[0][up] = draw_brows(face[up], shade[up], fx[up], fy[up], head, units)
    draw_glasses(face[up], fx[up], fy[up], head)
    paint(canvas, head_cover, face)
    fringe = draw_fringe(canvas, x, y, head, texture)
    shade += 0.5 * fringe * (1 - shade)  # a fringe lies over the folds of the forehead
    masks = parts * (head_cover * (1 - fringe)) > 0.5
    return develop(canvas * shade, head, noise), masks.transpose(1, 0, 2, 3)
