"""Downloads as they lie in data/, and what is found there."""
import io
import zipfile

from downloads import PIXELS, ROWS
from PIL import Image

from cs231n_fer.data_utils import find_data
from cs231n_fer.data_utils.prepared import read_prepared


def silent(line):
    pass


def zipped(content, name="fer2013.csv"):
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(name, content)
    return file.getvalue()


def put(path, content):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


def found_rows(say):
    """Return the pixels that find_data finds, None for synthetic faces."""
    found = find_data(say=say)
    return None if found is None else read_prepared(found)["pixels"]


def write_pictures(folder, splits=("train", "test"), shift=0):
    """Write a picture of each emotion into the folders of some splits."""
    for place, split in enumerate(splits):
        for code, emotion in enumerate(("angry", "disgust", "fear")):
            path = folder / split / emotion / f"{code}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(PIXELS[(3 * place + code + shift) % ROWS]).save(path)
    return folder
