"""Saliency maps of the faces in a photo, drawn over a copy of it."""
from __future__ import annotations

import numpy as np
from PIL import Image, ImageDraw

from ..analysis.saliency import smooth_grad
from ..classifiers.pretrained import PretrainedNet
from ..types import Array, Pixels
from .drawing import caption, color_of, draw_label, enlarged
from .emotions import Face

__all__ = ["draw_saliency", "face_maps"]

COPIES = 32    # noisy copies of a face in its map; with fewer the maps look grainy
# Points of the color map inferno, for strengths 0.25 to 1.
STRENGTHS = (0.0, 0.35, 0.7, 1.0)
INFERNO = ((87, 16, 110), (188, 55, 84), (249, 142, 9), (252, 255, 164))


def face_maps(faces: list[Face], net: PretrainedNet) -> Array:
    """Return the SmoothGrad maps of the predicted emotions of faces, (N, H, W), >= 0."""
    pixels = np.array([face.pixels for face in faces])
    labels = np.array([face.probabilities.argmax() for face in faces])
    return smooth_grad(net.model, net.preprocess(pixels), labels, copies=COPIES, noise=0.1)


def draw_saliency(rgb: Pixels, faces: list[Face], maps: Array, class_names: tuple[str, ...]
                  ) -> Image.Image:
    """Return a copy of a photo with the map of each face over its square.

    rgb      (H, W, 3) uint8
    faces    N Faces of a Reading
    maps     (N, h, w), >= 0; the colors of each span its own range
    """
    photo, scale = enlarged(rgb)
    for face, values in zip(faces, maps, strict=True):
        left, top, side = (round(scale * edge) for edge in face.square)
        colors, opacity = _colored(values, max(side, 1))
        photo.paste(colors, (left, top), opacity)
    draw = ImageDraw.Draw(photo)
    for number, face in enumerate(faces, start=1):
        square = (*face.square, face.square[2])
        draw_label(draw, tuple(scale * edge for edge in square),
                   caption(number, face, class_names), color_of(number))
    return photo


def _colored(values: Array, side: int) -> tuple[Image.Image, Image.Image]:
    """Return a map in color, and its opacity, as images of side x side pixels."""
    low = float(np.percentile(values, 40))
    high = max(float(np.percentile(values, 99.5)), low + 1e-30)
    image = Image.fromarray(((values - low) / (high - low)).astype(np.float32))
    smooth = np.asarray(image.resize((side, side), Image.Resampling.BICUBIC))
    strength = np.clip(smooth, 0, 1)
    channels = [np.interp(strength, STRENGTHS, [color[channel] for color in INFERNO])
                for channel in range(3)]
    colors = np.stack(channels, axis=-1).astype(np.uint8)
    opacity = (255 * strength ** 0.7).astype(np.uint8)
    return Image.fromarray(colors), Image.fromarray(opacity)
