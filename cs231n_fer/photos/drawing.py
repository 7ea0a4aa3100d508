"""Boxes and emotions, drawn on a copy of a photo."""
from __future__ import annotations

from typing import TypeAlias

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from ..types import Pixels
from .emotions import Face

__all__ = ["COLORS", "caption", "color_of", "draw_emotions", "draw_label", "enlarged",
           "with_room_beside"]

Color: TypeAlias = tuple[int, int, int]

# Okabe & Ito 2008, as in the figures of vis_utils: color-blind readers can tell them apart.
COLORS: tuple[Color, ...] = ((0, 114, 178), (213, 94, 0), (0, 158, 115), (204, 121, 167),
                             (86, 180, 233), (230, 159, 0))
INK: Color = (51, 51, 51)
PALE: Color = (230, 230, 230)
SHORTEST = 480    # a photo whose longer side is shorter is enlarged, so that text fits
LONGEST = 1600    # one whose longer side is longer is reduced
FONT = 15
LINE = 20
PANEL = 300       # width of the bars of a face, in pixels
LABELS = 90       # width of the emotions' names


def draw_emotions(rgb: Pixels, faces: list[Face], class_names: tuple[str, ...]) -> Image.Image:
    """Return a copy of a photo with boxes around the faces, and bars of their probabilities.

    rgb      (H, W, 3) uint8
    faces    the Faces of a Reading
    """
    photo, scale = enlarged(rgb)
    draw = ImageDraw.Draw(photo)
    for number, face in enumerate(faces, start=1):
        box = tuple(scale * edge for edge in face.box[:4])
        draw_label(draw, box, caption(number, face, class_names), color_of(number))
    canvas, corners = with_room_beside(photo, len(faces), (PANEL, LINE * (len(class_names) + 2)))
    bars = ImageDraw.Draw(canvas)
    for number, (corner, face) in enumerate(zip(corners, faces, strict=True), start=1):
        draw_bars(bars, corner, number, face, class_names)
    return canvas


def with_room_beside(photo: Image.Image, count: int, size: tuple[int, int]
                     ) -> tuple[Image.Image, list[tuple[int, int]]]:
    """Return a photo with white columns of tiles on its right, and the corners (x, y) of tiles.

    count    number of tiles
    size     (width, height) of a tile
    """
    width, height = size
    rows = max(1, photo.height // height)
    columns = -(-count // rows)
    canvas = Image.new("RGB", (photo.width + columns * width,
                               max(photo.height, min(rows, count) * height)), "white")
    canvas.paste(photo)
    return canvas, [(photo.width + n // rows * width, n % rows * height) for n in range(count)]


def enlarged(rgb: Pixels) -> tuple[Image.Image, float]:
    """Return a photo resized so that text on it is legible, and its scale relative to rgb."""
    photo = Image.fromarray(np.ascontiguousarray(rgb))
    longer = max(photo.size)
    scale = min(max(longer, SHORTEST), LONGEST) / longer
    size = (max(1, round(photo.width * scale)), max(1, round(photo.height * scale)))
    return photo.resize(size, Image.Resampling.LANCZOS), scale


def color_of(number: int) -> Color:
    """Return the color of a face by its number, from 1."""
    return COLORS[(number - 1) % len(COLORS)]


def caption(number: int, face: Face, class_names: tuple[str, ...]) -> str:
    """Return the number of a face, its emotion and its probability."""
    label = int(face.probabilities.argmax())
    unsure = "?" if face.is_unsure else ""
    return f"{number}  {class_names[label]}{unsure} {100 * face.probabilities[label]:.0f} %"


def draw_label(draw: ImageDraw.ImageDraw, box: tuple[float, ...], text: str, color: Color) -> None:
    """Draw a box x, y, w, h with a label above it, or inside it if there is no room above."""
    x, y, w, h = box
    font = ImageFont.load_default(FONT)
    draw.rectangle((x, y, x + w, y + h), outline=color, width=3)
    width = draw.textlength(text, font=font) + 8
    top = y - LINE if y >= LINE else y
    draw.rectangle((x, top, x + width, top + LINE), fill=color)
    draw.text((x + 4, top + 1), text, fill="white", font=font)


def draw_bars(draw: ImageDraw.ImageDraw, corner: tuple[int, int], number: int, face: Face,
              class_names: tuple[str, ...]) -> None:
    """Draw the probabilities of a face as bars, below its caption."""
    left = corner[0] + 12
    top = corner[1] + 8
    font = ImageFont.load_default(FONT)
    heading = caption(number, face, class_names) + ("  (unsure)" if face.is_unsure else "")
    draw.text((left, top), heading, fill=color_of(number), font=font)
    full = PANEL - LABELS - 70
    for row, name in enumerate(class_names, start=1):
        share = float(face.probabilities[row - 1])
        y = top + row * LINE
        draw.text((left, y), name, fill=INK, font=font)
        draw.rectangle((left + LABELS, y + 4, left + LABELS + full, y + LINE - 5), fill=PALE)
        draw.rectangle((left + LABELS, y + 4, left + LABELS + full * share, y + LINE - 5),
                       fill=color_of(number))
        draw.text((left + LABELS + full + 8, y), f"{100 * share:.0f} %", fill=INK, font=font)
