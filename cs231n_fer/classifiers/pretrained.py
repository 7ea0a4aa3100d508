"""The trained network in the package, and how to export one from a checkpoint.

The file is a checkpoint that holds only what prediction needs, with weights in half precision; they
are converted to single precision, in which the network was trained, before they are used. The model
card pretrained.md beside it describes the intended use and the limits of the network.
"""
from __future__ import annotations

from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from ..arrays.copying import Independent
from ..data_utils import normalise
from ..data_utils.pixels import faces_of
from ..files.checkpoint import load_checkpoint, save_checkpoint
from ..layers.losses import log_softmax
from ..nets.inference import Predictor
from ..nets.network import Network
from ..shapes import check, whole_number
from ..types import Array, Pixels
from .restore import load_model

__all__ = ["WEIGHTS", "PretrainedNet", "export", "load_pretrained", "tempered"]

WEIGHTS = Path(__file__).with_name("pretrained.h5")
NEEDED = ("class_names", "mean_image", "std")


class PretrainedNet(Independent):
    """A trained network with its preprocessing.

    model         the Network, for saliency maps for example
    class_names   tuple of C names, in the order of the probabilities
    info          the other contents of the checkpoint: mean_image, std, the training settings, and
                  in most cases temperature, see predict; the dict of load_data serves too, for a
                  net that has been trained on it
    Later changes of the model have no effect on predict. Raises ValueError if info lacks the
    preprocessing.
    """

    def __init__(self, model: Network, info: dict[str, Any]) -> None:
        missing = [key for key in NEEDED if info.get(key) is None]
        check(not missing, f"info: holds no {', '.join(missing)}; expected that of a checkpoint of "
                           "train_best.py")
        self.model = model
        self.info = info
        self.class_names = tuple(info["class_names"])
        self._scores = Predictor(model)

    def __repr__(self) -> str:
        """Describe the network, its size and its classes."""
        size = sum(array.size for array in self.model.params.values())
        height, width = self.model.input_shape[1:]
        return (f"<PretrainedNet: {type(self.model).__name__} with {size:,} parameters; faces of "
                f"{height} x {width} gray pixels -> {', '.join(self.class_names)}>")

    def preprocess(self, images: ArrayLike) -> Array:
        """Return images of faces (see predict) as the model takes them: (N, 1, 48, 48), float32.

        Raises ValueError for other arrays.
        """
        return normalise(self._faces(images), self.info["mean_image"], self.info["std"])

    def predict(self, images: ArrayLike, mirror: bool = True, batch_size: int = 256) -> Array:
        """Return the probabilities (N, C), float32, of images of faces.

        images   (N, H, W), (N, 1, H, W) or (N, H, W, 3), or one image, which counts as N = 1, or a
                 list of images. Integers are on the scale from 0 to 255 (of 16 bits: to 65,535),
                 floats from 0 to 255, or from 0 to 1 if none is above 1. Images of another
                 size than the network's are cropped to their center square and resized
        mirror   average over an image and its mirror image, which takes twice the time, and
                 calibrate the mean with info["temperature"]
        Every image must show one face that fills it; photos.read_emotions finds faces in photos.
        Everything that names the emotion in a picture calls this method, so that the answer is the
        same everywhere. Raises ValueError for other arrays.
        """
        faces = self._faces(images)
        batch_size = whole_number(batch_size, "batch_size", 1)
        batches = [faces[start:start + batch_size] for start in range(0, len(faces), batch_size)]
        return np.concatenate([self._probabilities(batch, mirror) for batch in batches])

    def _faces(self, images: ArrayLike) -> Pixels:
        """Return images as uint8 (N, 48, 48)."""
        return faces_of(images, *self.model.input_shape[1:])

    def _probabilities(self, images: Pixels, mirror: bool) -> Array:
        """Return the probabilities of one batch, uint8 (N, 48, 48).

        Compiled convolutions choose their algorithm by the number of images, so that the other
        pictures of a batch change a probability by about 2e-6. Filling up small batches would
        prevent this, but one picture would take as long as 16.
        """
        views = [images, images[..., ::-1]] if mirror else [images]
        found: list[Array] = []
        for view in views:
            found.append(np.exp(log_softmax(self._scores(self.preprocess(view)))))
        mean: Array = np.mean(found, axis=0, dtype=np.float32)
        return tempered(mean, self.info.get("temperature", 1.0)) if mirror else mean


def tempered(probabilities: Array, temperature: float) -> Array:
    """Return probabilities (N, C) whose logarithms are divided by a temperature, in their dtype.

    Above 1 the probabilities of a row come closer to each other, below 1 they move apart; their
    order stays. Raises ValueError unless the temperature is a finite number above 0.
    """
    check(isinstance(temperature, int | float) and 0 < temperature < np.inf,
          f"temperature: got {temperature!r}, expected a finite number above 0")
    if temperature == 1:
        return probabilities
    powers: Array = (probabilities / probabilities.max(axis=1, keepdims=True)) ** (1 / temperature)
    powers /= powers.sum(axis=1, keepdims=True)
    return powers


def load_pretrained(path: str | PathLike[str] | None = None) -> PretrainedNet:
    """Return the PretrainedNet of a checkpoint; None is the file in this package.

    Raises FileNotFoundError if there is no file, ValueError if it holds no network with its
    preprocessing.
    """
    if path is None and not WEIGHTS.exists():
        raise FileNotFoundError(f"this installation has no {WEIGHTS.name}; train a net with "
                                "experiments/train_best.py and give the path of its best.h5")
    return PretrainedNet(*load_model(path or WEIGHTS))


def export(checkpoint: str | PathLike[str], path: str | PathLike[str]) -> int:
    """Write what prediction needs of a checkpoint to path; return the size of the file in bytes.

    Weights become float16. Vectors (biases, batchnorm) stay float32: they take little space, and
    running variances may exceed the range of float16. Raises ValueError if the checkpoint lacks the
    preprocessing.
    """
    arrays, info = load_checkpoint(checkpoint)
    missing = [key for key in NEEDED if key not in {**arrays, **info}]
    check(not missing, f"{checkpoint}: holds no {', '.join(missing)}; "
                       "use one of train_best.py or train_final.py")
    kept = {}
    for name, array in arrays.items():
        if name == "mean_image" or name.startswith(("params/", "buffers/")):
            is_weight = name.startswith("params/") and array.ndim > 1
            kept[name] = array.astype(np.float16) if is_weight else array
    wanted = ("model", "class_names", "std", "temperature", "script", "config", "best_epoch",
              "best_val_acc")
    save_checkpoint(path, kept, {key: info[key] for key in wanted if key in info})
    return Path(path).stat().st_size
