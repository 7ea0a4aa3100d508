"""From what people download to arrays for training; load is what experiments need.

    fer2013, sources, compressed        what the data set is, and the containers it comes in
    pictures, png_chunks                the one way from a picture file to an array
    pixels                              pictures in arrays of any kind as gray levels, RGB or faces
    kaggle, parquet, npz                readers of tables: one for each format
    image_folder, ferplus               readers of pictures in folders, and of FER+'s votes
    layouts                             RAF-DB's and FER+'s own folders and lists
    tables, names, pixel_texts          what all tables share: their rows, names, and pixels as text
    splitting                           splits for faces that have none
    choice, origin                      which files are read, and whether they have changed
    prepared                            the validated file made of them: writing and reading it
    summary                             what a set of faces holds
    find, load                          arrays for training, wherever the data comes from
    cifar10, pickled                    CIFAR-10 as the course reads it
    augment, warp                       flips and other random changes of training images; the
                                        resampling behind them

To add a source: write a reader, as image_folder is one. It takes the Members of a file, folder or
archive from sources, notes what it cannot use in BadRows, raises ValueError for what is damaged,
and returns fer2013.Faces. Choose its members in choice.pick, which also finds them in the folder
data/, and call it in prepared._read_all. Explain it in fer2013.WHERE_TO_GET_IT and in
data/README.md. experiments/checks/fuzzing/formats.py lists what is tested with damaged files.

To add an augmentation: a frozen record in augment, derived from Augmentation. It sets `columns`,
without an annotation, so that it is no field, and its apply begins with _plain(images, draws,
self). Add its name to `__all__` there and a row to ALL in tests/data_utils/test_augment.py.
"""
from .cifar10 import get_CIFAR10_data, load_CIFAR10, load_CIFAR_batch
from .fer2013 import EMOTIONS, UNLABELLED, USAGES
from .find import find_data
from .load import load_data, normalise, restore_pixels
from .prepared import prepare
from .tables import Rules

__all__ = [
    "EMOTIONS",
    "Rules",
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
