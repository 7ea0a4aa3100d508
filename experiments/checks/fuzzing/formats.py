"""The formats: valid files, how they are mutated, and checks of what is read from the mutants.

A judge returns "loaded" (the data is correct and complete) or "skipped" (the data is correct, and
what was left out is counted). It passes on the documented ValueError of the package, and raises
AssertionError if data is wrong.
"""
import gzip
import io
import re
import tarfile
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, partial

import numpy as np
from PIL import Image

from cs231n_fer.data_utils import EMOTIONS, USAGES, prepare
from cs231n_fer.data_utils.prepared import read_prepared, write_prepared
from cs231n_fer.files.checkpoint import load_checkpoint, save_checkpoint

from .mutations import CSV, checksums_mended, gzipped_again, mutate, sealed_again

ROWS = 3
FACES = np.tile(np.random.default_rng(0).integers(0, 256, (ROWS, 4, 48)).astype(np.uint8),
                (1, 12, 1))
EMOTION = np.array([3, 0, 6], np.uint8)
USAGE = np.array([0, 1, 2], np.uint8)
PICTURE = np.add.outer(5 * np.arange(48), np.arange(48)).astype(np.uint8)


@dataclass(frozen=True)
class Format:
    """A format of files.

    name      name of its files
    seeds     seeds() returns the contents of valid files
    mutate    mutate(content, rng) returns a mutated content
    judge     judge(path, content, original) checks what is read; original is None after a repair
    repair    repair(content, rng) mutates what a checksum covers, and corrects the checksum
    """

    name: str
    seeds: Callable
    mutate: Callable
    judge: Callable
    repair: Callable | None = None


def mutated(kind, number, seed):
    """Return (content, original) of a file; original is None if checksums were corrected.

    kind      its Format
    number    of the file
    """
    rng = np.random.default_rng([seed, number])
    seeds = kind.seeds()
    original = seeds[rng.integers(len(seeds))]
    if kind.repair and number % 2:
        return kind.repair(original, rng), None
    return kind.mutate(original, rng), original


def csv_of(order, quote="", end="\n", space=""):
    """Return the rows as a CSV file, with the columns in the given order."""
    rows = [("emotion", "Usage", "pixels")] + [
        (str(EMOTION[i]), USAGES[USAGE[i]], quote + " ".join(map(str, FACES[i].ravel())) + quote)
        for i in range(ROWS)]
    return "".join(("," + (space if i == 0 else "")).join(row[c] for c in order) + end
                   for i, row in enumerate(rows)).encode()


@cache
def csv_seeds():
    return (csv_of((0, 2, 1)), csv_of((0, 1, 2), space=" "), csv_of((0, 2), '"', "\r\n"),
            csv_of((0, 2, 1), '"'))


@cache
def zip_seeds():
    found = []
    for method in (zipfile.ZIP_DEFLATED, zipfile.ZIP_STORED):
        packed = io.BytesIO()
        with zipfile.ZipFile(packed, "w", method) as archive:
            for name in ("fer2013/README", "fer2013/fer2013.csv"):
                archive.writestr(zipfile.ZipInfo(name),
                                 csv_seeds()[0] if name.endswith("csv") else b"text", method)
        found.append(packed.getvalue())
    return found


@cache
def tar_seeds():
    found = []
    for form in (tarfile.GNU_FORMAT, tarfile.PAX_FORMAT):
        packed = io.BytesIO()
        with tarfile.open(fileobj=packed, mode="w", format=form) as archive:
            for name, content in (("fer2013/" + "long" * 40, b"text"),
                                  ("fer2013/fer2013.csv", csv_seeds()[0])):
                member = tarfile.TarInfo(name)
                member.size = len(content)
                archive.addfile(member, io.BytesIO(content))
        found.append(gzip.compress(packed.getvalue(), mtime=0))
    return found


def pictures(kind, *options):
    found = []
    for mode, more in options:
        file = io.BytesIO()
        Image.fromarray(PICTURE).convert(mode).save(file, kind, **more)
        found.append(file.getvalue())
    return found


def upright():
    """Return EXIF data that turn nothing."""
    exif = Image.Exif()
    exif[0x0112] = 1
    return exif


@cache
def jpeg_seeds():
    return pictures("JPEG", ("L", {"quality": 60}),
                    ("RGB", {"progressive": True, "exif": upright()}))


@cache
def tiff_seeds():
    return pictures("TIFF", ("L", {}), ("RGB", {"compression": "tiff_lzw"}),
                    ("L", {"exif": upright()}))


@cache
def webp_seeds():
    return pictures("WEBP", ("RGB", {"lossless": True}), ("RGBA", {"exif": upright()}))


def written(write, folder):
    path = folder / "seed.h5"
    write(path)
    content = path.read_bytes()
    path.unlink()
    return [content]


def data_seeds(folder):
    votes = np.ones((ROWS, 10), np.uint8)
    return written(partial(write_prepared, pixels=FACES, emotion=EMOTION, usage=USAGE, votes=votes),
                   folder)


def checkpoint_seeds(folder):
    arrays = {"params/conv/w": np.arange(18, dtype=np.float32).reshape(2, 1, 3, 3),
              "params/conv/b": np.zeros(2), "optim/t": np.array(7), "loss_history": np.ones(5),
              "none": np.zeros((0, 3), np.uint8)}
    return written(partial(save_checkpoint, arrays=arrays,
                           info={"epoch": 3, "rng": {"state": 1 << 120}}), folder)


def prepared(source):
    """Prepare a source without its invalid rows, and return (prepared data, what was left out)."""
    out = source.parent / "out.h5"
    out.unlink(missing_ok=True)
    left_out = prepare(source, out, skip_bad=True, progress=False,
                       say=lambda line: None)["left_out"]
    return read_prepared(out), left_out


def judge_csv(path, content, original):
    """Check that every line is a row or left out, and that rows have the numbers of their lines."""
    found, left_out = prepared(path)
    header, *lines = content.removesuffix(b"\n").split(b"\n")
    bad = {int(re.search(r"line (\d+)", place)[1]) - 2 for place, _ in left_out}
    kept = [line for i, line in enumerate(lines) if i not in bad]
    counted = len(bad) == len(left_out) and len(kept) == len(found["pixels"])
    assert counted, "a line is neither a row nor left out"
    names = [name.strip(b' "\r').lower()
             for name in header.removeprefix(b"\xef\xbb\xbf").split(b",")]
    for i, line in enumerate(kept):
        row = dict(zip(names, [field.strip(b' "\r') for field in line.split(b",")], strict=True))
        pixels = found["pixels"][i].ravel().tolist()
        assert (row[b"pixels"] == b" ".join(b"%d" % p for p in pixels)
                or [int(p) for p in re.findall(rb"\d+", row[b"pixels"])] == pixels), "other pixels"
        assert row.get(b"emotion", b"255") == b"%d" % found["emotion"][i], "another emotion"
        if b"usage" in row:
            assert row[b"usage"] == USAGES[found["usage"][i]].encode(), "another split"
    return "skipped" if bad else "loaded"


def judge_archive(path, content, original):
    """Check that what the checksum covers is unchanged."""
    found, left_out = prepared(path)
    assert original is None or (np.array_equal(found["pixels"], FACES)
                                and np.array_equal(found["emotion"], EMOTION)
                                and not left_out), "other rows"
    return "skipped" if left_out else "loaded"


def judge_picture(path, content, original):
    """Check the rows of a valid picture and the mutated one, which may be left out.

    A PNG has checksums, so its pixels must be unchanged.
    """
    found, left_out = prepared(path.parents[1].parent)
    assert len(found["pixels"]) + len(left_out) == 2
    assert (found["pixels"] == PICTURE).all(axis=(1, 2)).any()
    if original is not None and path.suffix == ".png":
        assert (found["pixels"] == PICTURE).all(), "other pixels"
    return "skipped" if left_out else "loaded"


def judge_data(path, content, original):
    """Check that only a file with a new seal is read, and that its data can be trained on."""
    found = read_prepared(path)
    assert original is None, "a changed file was read"
    rows = len(found["pixels"])
    assert found["pixels"].shape == (rows, 48, 48)
    assert found["emotion"].shape == found["usage"].shape == (rows,)
    assert set(found["emotion"].tolist()) <= {*range(len(EMOTIONS)), 255}
    assert set(found["usage"].tolist()) <= {0, 1, 2}
    assert np.isfinite(found["mean_image"]).all() and 0 < found["std"] < np.inf
    return "loaded"


def judge_checkpoint(path, content, original):
    """Check that only a file with a new seal is read, with arrays no larger than the file."""
    arrays, info = load_checkpoint(path)
    assert original is None, "a changed file was read"
    assert isinstance(info, dict) and sum(array.nbytes for array in arrays.values()) <= len(content)
    assert all(array.dtype.kind in "iuf" for array in arrays.values())
    return "loaded"


def formats(folder):
    """Return {name: Format}.

    folder    for temporary files
    """
    csv = partial(mutate, tokens=CSV)
    inside = "faces/train/happy/b"
    return {
        "CSV": Format("a.csv", csv_seeds, csv, judge_csv),
        "zip": Format("a.zip", zip_seeds, mutate, judge_archive),
        "tar.gz": Format("a.tar.gz", tar_seeds, mutate, judge_archive, gzipped_again),
        "PNG": Format(f"{inside}.png",
                      cache(partial(pictures, "PNG", ("L", {}), ("RGB", {}), ("P", {}))), mutate,
                      judge_picture, checksums_mended),
        "JPEG": Format(f"{inside}.jpg", jpeg_seeds, mutate, judge_picture),
        "GIF": Format(f"{inside}.gif", cache(partial(pictures, "GIF", ("L", {}))), mutate,
                      judge_picture),
        "BMP": Format(f"{inside}.bmp", cache(partial(pictures, "BMP", ("L", {}), ("RGB", {}))),
                      mutate, judge_picture),
        "TIFF": Format(f"{inside}.tif", tiff_seeds, mutate, judge_picture),
        "WebP": Format(f"{inside}.webp", webp_seeds, mutate, judge_picture),
        "HDF5 data": Format("a.h5", cache(partial(data_seeds, folder)), mutate, judge_data,
                            sealed_again),
        "HDF5 checkpoint": Format("a.h5", cache(partial(checkpoint_seeds, folder)), mutate,
                                  judge_checkpoint, sealed_again),
    }
