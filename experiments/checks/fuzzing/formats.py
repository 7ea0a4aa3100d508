"""The formats: good files, how they are mutated, and what is right about what was read of one that
is not good.

A judge returns "loaded" (right data, nothing left out) or "skipped" (right data, what was left out
is counted); it lets the documented ValueError of the package pass, and raises AssertionError where
data is wrong.
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
EMOTION, USAGE = np.array([3, 0, 6], np.uint8), np.array([0, 1, 2], np.uint8)
PICTURE = np.add.outer(5 * np.arange(48), np.arange(48)).astype(np.uint8)


@dataclass(frozen=True)
class Format:
    """name of the files; seeds() -> good contents; mutate(content, rng); repair(content, rng),
    which mutates what a checksum covers and mends the checksum; judge(path, content, original),
    original None after a repair."""
    name: str
    seeds: Callable
    mutate: Callable
    judge: Callable
    repair: Callable | None = None


def mutated(kind, number, seed):
    """Return (content, original) of file `number` of a format; original is None where the checksums
    were mended."""
    rng = np.random.default_rng([seed, number])
    seeds = kind.seeds()
    original = seeds[rng.integers(len(seeds))]
    if kind.repair and number % 2:
        return kind.repair(original, rng), None
    return kind.mutate(original, rng), original


def csv_of(order, quote="", end="\n", space=""):
    """The rows as a CSV with the columns in an order."""
    rows = [("emotion", "Usage", "pixels")] + [
        (str(EMOTION[i]), USAGES[USAGE[i]], quote + " ".join(map(str, FACES[i].ravel())) + quote)
        for i in range(ROWS)]
    return "".join(("," + (space if i == 0 else "")).join(row[c] for c in order) + end
                   for i, row in enumerate(rows)).encode()


@cache
def csv_seeds():
    return csv_of((0, 2, 1)), csv_of((0, 1, 2),
                                     space=" "), csv_of((0, 2), '"', "\r\n"), csv_of((0, 2, 1), '"')


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


@cache
def jpeg_seeds():
    exif = Image.Exif()
    exif[0x0112] = 1
    return pictures("JPEG", ("L", {"quality": 60}), ("RGB", {"progressive": True, "exif": exif}))


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
              "params/conv/b": np.zeros(2),
              "optim/t": np.array(7), "loss_history": np.ones(5),
              "none": np.zeros((0, 3), np.uint8)}
    return written(partial(save_checkpoint, arrays=arrays,
                           info={"epoch": 3, "rng": {"state": 1 << 120}}), folder)


def prepared(source):
    """Prepare a source, leaving out what is bad; returns (prepared data, what was left out)."""
    out = source.parent / "out.h5"
    out.unlink(missing_ok=True)
    left_out = prepare(source, out, skip_bad=True, progress=False,
                       say=lambda line: None)["left_out"]
    return read_prepared(out), left_out


def judge_csv(path, content, original):
    """Every line is a row or is left out, and each row has the numbers of its line."""
    found, left_out = prepared(path)
    header, *lines = content.removesuffix(b"\n").split(b"\n")
    bad = {int(re.search(r"line (\d+)", place)[1]) - 2 for place, _ in left_out}
    kept = [line for i, line in enumerate(lines) if i not in bad]
    assert len(bad) == len(left_out) and len(kept) == len(
        found["pixels"]
    ), "a line is neither a row nor left out"
    names = [name.strip(b' "\r').lower()
             for name in header.removeprefix(b"\xef\xbb\xbf").split(b",")]
    for i, line in enumerate(kept):
        row = dict(zip(names, [field.strip(b' "\r') for field in line.split(b",")], strict=True))
        assert (
            row[b"pixels"] == b" ".join(b"%d" % p for p in found["pixels"][i].ravel())
            or [int(p) for p in row[b"pixels"].split(b" ")] == found["pixels"][i].ravel().tolist()
        ), "other pixels"
        assert row.get(b"emotion", b"255") == b"%d" % found["emotion"][i], "another emotion"
        assert (
            b"usage" not in row or row[b"usage"] == USAGES[found["usage"][i]].encode()
        ), "another split"
    return "skipped" if bad else "loaded"


def judge_archive(path, content, original):
    """What its checksum covers is as it was."""
    found, left_out = prepared(path)
    assert original is None or (np.array_equal(found["pixels"], FACES)
                                and np.array_equal(found["emotion"], EMOTION)
                                and not left_out), "other rows"
    return "skipped" if left_out else "loaded"


def judge_picture(path, content, original):
    """Beside a good picture: two rows or one of them left out; a PNG has checksums, so its pixels
    are as they were."""
    found, left_out = prepared(path.parents[1].parent)
    assert len(found["pixels"]) + len(left_out) == 2
    assert (found["pixels"] == PICTURE).all(axis=(1, 2)).any()
    assert original is None or path.suffix != ".png" or (found["pixels"]
                                                         == PICTURE).all(), "other pixels"
    return "skipped" if left_out else "loaded"


def judge_data(path, content, original):
    """A seal covers every byte; a file with a new seal has data that can be trained on."""
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
    """The same of a checkpoint, whose arrays are never larger than the file."""
    arrays, info = load_checkpoint(path)
    assert original is None, "a changed file was read"
    assert isinstance(info, dict) and sum(array.nbytes for array in arrays.values()) <= len(content)
    assert all(array.dtype.kind in "iuf" for array in arrays.values())
    return "loaded"


def formats(folder):
    """The formats by name; folder is for files that are only written to learn their bytes."""
    csv, inside = partial(mutate, tokens=CSV), "faces/train/happy/b"
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
        "HDF5 data": Format("a.h5", cache(partial(data_seeds, folder)), mutate, judge_data,
                            sealed_again),
        "HDF5 checkpoint": Format("a.h5", cache(partial(checkpoint_seeds, folder)), mutate,
                                  judge_checkpoint, sealed_again),
    }
