"""From what people download to arrays for training; load is the part that experiments need.

    fer2013, sources                    what the data set is, and in which wrappings it comes
    kaggle, image_folder, ferplus       readers: one for each form
    prepared                            one validated file of them, and how it is read again
    summary                             what is in it
    augment                             flips and other random changes of training images

To add a source: a reader that yields fer2013.Faces, called in prepared.py. To add an augmentation: a
frozen record with draw and apply in augment.
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
