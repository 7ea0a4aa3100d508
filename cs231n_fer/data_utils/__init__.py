"""From what people download to arrays for training; load is what experiments need.

    fer2013, sources                    what the data set is, and the containers it comes in
    kaggle, image_folder, ferplus       readers: one for each format
    prepared                            the validated file made of them: writing and reading it
    summary                             what a set of faces holds
    load                                arrays for training, wherever the data comes from
    cifar10, pickled                    CIFAR-10 as the course reads it
    augment                             flips and other random changes of training images

To add a source: write a reader, as image_folder is one. It takes the Members of a file, folder or
archive from sources, notes what it cannot use in BadRows, raises ValueError for what is damaged,
and returns fer2013.Faces. Choose its members and call it in prepared (_choose, _read_all). If the
folder data/ is to be searched for it, add its file names to load.find_data, and explain it in
fer2013.WHERE_TO_GET_IT and in data/README.md. experiments/checks/fuzzing/formats.py lists what is
tested with damaged files.

To add an augmentation: a frozen record in augment, derived from Augmentation. It sets `columns`,
without an annotation, so that it is no field, and its apply begins with _plain(images, draws,
self). Add its name to `__all__` there and a row to ALL in tests/data_utils/test_augment.py.
"""
from .cifar10 import get_CIFAR10_data, load_CIFAR10, load_CIFAR_batch
from .fer2013 import EMOTIONS, UNLABELLED, USAGES
from .load import find_data, load_data, normalise, restore_pixels
from .prepared import prepare

__all__ = [
    "EMOTIONS",
    "UNLABELLED",
    "USAGES",
    "find_data",
    "get_CIFAR10_data",
    "load_CIFAR10",
    "load_CIFAR_batch",
    "load_data",
    "normalise",
    "prepare",
    "restore_pixels",
]
