"""From what people download to arrays for training; load is what experiments need.

    fer2013, sources                    what the data set is, and the containers it comes in
    kaggle, image_folder, ferplus       readers: one for each format
    prepared                            the validated file made of them: writing and reading it
    summary                             what a set of faces holds
    load                                arrays for training, wherever the data comes from
    augment                             flips and other random changes of training images

To add a source: a reader that returns fer2013.Faces, called in prepared. To add an augmentation: a
frozen record with columns and apply in augment.
"""
from .fer2013 import EMOTIONS, UNLABELLED, USAGES
from .load import find_data, load_data, normalise, restore_pixels
from .prepared import prepare

__all__ = [
    "EMOTIONS",
    "UNLABELLED",
    "USAGES",
    "find_data",
    "load_data",
    "normalise",
    "prepare",
    "restore_pixels",
]
