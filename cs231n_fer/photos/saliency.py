"""Saliency maps of the faces in a photo, drawn over a copy of it."""
from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from ..analysis.saliency import smooth_grad
from ..classifiers.pretrained import PretrainedNet
from ..types import Array, Pixels
from .drawing import caption, color_of, draw_label, enlarged, with_room_beside
from .emotions import Face

__all__ = ["COPIES", "INFERNO", "STRENGTHS", "draw_saliency", "face_maps", "stretched"]

COPIES = 32    # noisy copies of a face in its map; with fewer the maps look grainy
SMOOTH = 24    # maps are averaged down to this size before they are drawn: single pixels are noise
TILE = 260     # side of the enlarged maps with their margins, in pixels
GAP = 12
# Points of the color map inferno, for strengths 0.25 to 1.
STRENGTHS = (0.0, 0.35, 0.7, 1.0)
INFERNO = ((87, 16, 110), (188, 55, 84), (249, 142, 9), (252, 255, 164))


def face_maps(faces: list[Face], net: PretrainedNet, copies: int = COPIES) -> Array:
    """Return the SmoothGrad maps of the predicted emotions of faces, (N, H, W), >= 0."""
    pixels = np.array([face.pixels for face in faces])
    labels = np.array([face.probabilities.argmax() for face in faces])
    return smooth_grad(net.model, net.preprocess(pixels), labels, copies=copies, noise=0.1)


def draw_saliency(rgb: Pixels, faces: list[Face], maps: Array, class_names: tuple[str, ...]
                  ) -> Image.Image:
    """Return a copy of a photo with a map over each face, and enlarged maps beside the photo.

    rgb      (H, W, 3) uint8
    faces    N Faces of a Reading
    maps     (N, h, w), >= 0; the colors of each map span its range
    """
    photo, scale = enlarged(rgb)
    squares = [tuple(round(scale * edge) for edge in face.square) for face in faces]
    for (left, top, side), values in zip(squares, maps, strict=True):
        photo.paste(*_laid_over(photo, (left, top, side), values, side))
    canvas, corners = with_room_beside(photo, len(faces), (TILE, TILE))
    draw = ImageDraw.Draw(canvas)
    original, _ = enlarged(rgb)
    for number, (face, square, values) in enumerate(zip(faces, squares, maps, strict=True), 1):
        x, y = corners[number - 1]
        tile, _ = _laid_over(original, square, values, TILE - 2 * GAP)
        canvas.paste(tile, (x + GAP, y + GAP))
        color = color_of(number)
        left, top, side = square
        draw_label(draw, (left, top, side, side), caption(number, face, class_names), color)
        draw.rectangle((x + GAP, y + GAP, x + TILE - GAP, y + TILE - GAP), outline=color, width=3)
    return canvas


def _laid_over(photo: Image.Image, square: tuple[int, ...], values: Array, size: int
               ) -> tuple[Image.Image, tuple[int, int]]:
    """Return a square of a photo under its map, size x size pixels, and the corner of the square.
    """
    left, top, side = square
    part = photo.crop((left, top, left + side, top + side))
    part = part.resize((max(size, 1), max(size, 1)), Image.Resampling.BICUBIC)
    colors, opacity = _colored(values, part.width)
    part.paste(colors, (0, 0), opacity)
    return part, (left, top)


def stretched(values: Array) -> NDArray[np.float32]:
    """Return a map (H, W) on the scale on which it is drawn: 0 is invisible, 1 the strongest."""
    low = float(np.percentile(values, 40))
    high = max(float(np.percentile(values, 99.5)), low + 1e-30)
    scaled: NDArray[np.float32] = ((values - low) / (high - low)).astype(np.float32)
    return scaled


def _colored(values: Array, side: int) -> tuple[Image.Image, Image.Image]:
    """Return a map in color, and its opacity, as images of side x side pixels."""
    low = float(np.percentile(values, 40))
    high = max(float(np.percentile(values, 99.5)), low + 1e-30)
    image = Image.fromarray(((values - low) / (high - low)).astype(np.float32))
    image = image.resize((SMOOTH, SMOOTH), Image.Resampling.BOX)
    smooth = np.asarray(image.resize((side, side), Image.Resampling.BICUBIC))
    strength = np.clip(smooth, 0, 1)
    channels = [np.interp(strength, STRENGTHS, [color[channel] for color in INFERNO])
                for channel in range(3)]
    colors = np.stack(channels, axis=-1).astype(np.uint8)
    opacity = (255 * strength ** 0.7).astype(np.uint8)
    return Image.fromarray(colors), Image.fromarray(opacity)
