"""The trained net that comes with the package, and how such a file is made of a checkpoint.

The file is a checkpoint like any other, but of what prediction needs alone, its weights in half precision: they are
multiplied in single precision, as they were trained. Beside it pretrained.md says what the net is for and what not.
"""
from pathlib import Path

import numpy as np

from ..arrays.copying import Independent
from ..data_utils import normalise
from ..files.checkpoint import load_checkpoint, save_checkpoint
from ..layers.losses import log_softmax
from ..nets.inference import Predictor
from ..shapes import check
from .restore import load_model

WEIGHTS = Path(__file__).with_name("pretrained.h5")
NEEDED = ("class_names", "mean_image", "std")


class PretrainedNet(Independent):
    """A trained net with its preprocessing.

    model         the Network, for saliency maps and the like
    class_names   tuple of the C names, in the order of the probabilities
    info          what else the checkpoint holds: mean_image, std, the settings of the training
    Later changes of the model have no effect on predict.
    """

    def __init__(self, model, info):
        missing = [key for key in NEEDED if info.get(key) is None]
        check(not missing, f"info: holds no {', '.join(missing)}; expected that of a checkpoint of train_best.py")
        self.model, self.info, self.class_names = model, info, tuple(info["class_names"])
        self._scores = Predictor(model)

    def predict(self, images, mirror=True, batch_size=256):
        """Return the probabilities (N, C) float32 of images (N, 48, 48) uint8, a face each that fills its picture.

        mirror   take the mean of the probabilities of a face and of its mirror image, which takes twice the time
        """
        images, shape = np.asarray(images), self.model.input_shape[1:]
        check(images.dtype == np.uint8 and images.ndim == 3 and images.shape[1:] == shape and len(images) > 0,
              f"images: got {images.dtype} {images.shape}, expected uint8 (N, {shape[0]}, {shape[1]}), grey, N >= 1")
        batches = [images[i:i + batch_size] for i in range(0, len(images), batch_size)]
        return np.concatenate([self._probabilities(batch, mirror) for batch in batches])

    def _probabilities(self, images, mirror):
        ways = [images, images[..., ::-1]] if mirror else [images]
        each = [np.exp(log_softmax(self._scores(normalise(way, self.info["mean_image"], self.info["std"]))))
                for way in ways]
        return np.mean(each, axis=0, dtype=np.float32)


def load_pretrained(path=None):
    """Return the PretrainedNet of a checkpoint; None: of the file in this package, trained on FER2013.

    Raises FileNotFoundError where there is no file, ValueError where it holds no net with its preprocessing.
    """
    if path is None and not WEIGHTS.exists():
        raise FileNotFoundError(f"this installation has no {WEIGHTS.name}; train a net with "
                                "experiments/train_best.py and give the path of its best.h5")
    return PretrainedNet(*load_model(path or WEIGHTS))


def export(checkpoint, path):
    """Write what prediction needs of a checkpoint to path, weights as float16; returns the bytes of the new file.

    Vectors (biases, batchnorm), of which there are few, stay float32: running variances may leave float16's range.
    """
    arrays, info = load_checkpoint(checkpoint)
    missing = [key for key in NEEDED if key not in {**arrays, **info}]
    check(not missing, f"{checkpoint}: holds no {', '.join(missing)}; use one of train_best.py or train_final.py")
    kept = {name: array.astype(np.float16) if name.startswith("params/") and array.ndim > 1 else array
            for name, array in arrays.items() if name == "mean_image" or name.startswith(("params/", "buffers/"))}
    wanted = ("model", "class_names", "std", "script", "config", "best_epoch", "best_val_acc")
    save_checkpoint(path, kept, {key: info[key] for key in wanted if key in info})
    return Path(path).stat().st_size
