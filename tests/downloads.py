"""Tiny copies of the files that people download, for the tests of prepared data."""

import io
import tarfile
import zipfile

import numpy as np

from cs231n_fer.data_utils import fer2013, prepare

ROWS = 12
RNG = np.random.default_rng(5)
PIXELS = RNG.integers(0, 256, (ROWS, 48, 48)).astype(np.uint8)
EMOTION = (np.arange(ROWS) % 7).astype(np.uint8)
USAGE = np.repeat([0, 1, 2], [6, 3, 3]).astype(np.uint8)
TEXTS = [" ".join(map(str, face.ravel().tolist())) for face in PIXELS]
NAMES = [fer2013.USAGES[code] for code in USAGE]
for array in (PIXELS, EMOTION, USAGE):
    array.setflags(write=False)


def csv_text(form):
    """Return the rows above as one of Kaggle's files, in the same format byte for byte."""
    rows = range(ROWS)
    return {
        "fer2013": "emotion,pixels,Usage\n"
        + "".join(f"{EMOTION[i]},{TEXTS[i]},{NAMES[i]}\n" for i in rows),
        "icml": "emotion, Usage, pixels\n"
        + "".join(f"{EMOTION[i]},{NAMES[i]},{TEXTS[i]}\n" for i in rows),
        "train": "emotion,pixels\r\n" + "".join(
            f'{EMOTION[i]},"{TEXTS[i]}"\r\n' for i in rows if USAGE[i] == 0),
        "test": "pixels\r\n" + "".join(f'"{TEXTS[i]}"\r\n' for i in rows if USAGE[i] > 0),
    }[form].encode()


FORMS = {"fer2013": {"fer2013.csv": "fer2013"}, "icml": {"icml_face_data.csv": "icml"},
         "any name": {"faces of mine.csv": "fer2013"},
         "competition": {"train.csv": "train", "test.csv": "test"}}


def pack(folder, files, container):
    """Write {name: bytes} loose, into a folder, a .zip or a .tar.gz; return the path to give to
    prepare."""
    if container in ("file", "folder"):
        for name, content in files.items():
            (folder / name).write_bytes(content)
        return folder if container == "folder" else folder / next(iter(files))
    if container == "zip":
        with zipfile.ZipFile(folder / "archive.zip", "w", zipfile.ZIP_DEFLATED) as archive:
            for name, content in files.items():
                archive.writestr(f"fer2013/{name}", content)
        return folder / "archive.zip"
    with tarfile.open(folder / "archive.tar.gz", "w:gz") as archive:
        for name, content in files.items():
            info = tarfile.TarInfo(f"fer2013/{name}")
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return folder / "archive.tar.gz"


def quiet(source, out, **options):
    lines = []
    return prepare(source, out, progress=False, say=lines.append, **options), "\n".join(lines)
