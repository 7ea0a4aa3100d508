"""Turn what people download into one validated HDF5 file, written whole or not at all."""
import os
import pathlib
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from tqdm import tqdm

from ..files.checkpoint import replacing
from ..files.sealed import is_hdf5, read_sealed, write_sealed
from ..shapes import check, plain_array
from ..types import Pixels
from .choice import choose, one_table
from .fer2013 import (
    EMOTIONS,
    SIDE,
    UNLABELLED,
    USAGES,
    Advance,
    BadRows,
    Codes,
    Faces,
    Say,
    join,
    readable,
)
from .ferplus import COLUMNS, read_ferplus
from .image_folder import is_picture, read_pictures
from .kaggle import read_csv
from .layouts import LISTS
from .names import settled
from .npz import read_npz
from .origin import Reading, attributes_of, files_to_read
from .parquet import read_parquet
from .sources import Member, Source, member_of, open_source, open_table
from .splitting import draw_splits
from .summary import format_summary, summarise
from .tables import STRICT, Rules

__all__ = ["prepare", "read_prepared", "statistics", "write_prepared"]

FORMAT = "fer-faces"
VERSION = 1
ARRAYS = "pixels, emotion and usage"
HOW_TO_SEAL = "python experiments/prepare_data.py FILE.h5 --out fer2013.h5"


def prepare(source: Source | Sequence[Source], out: Source, ferplus: Source | None = None,
            skip_bad: bool = False, progress: bool = True, say: Say = print, *,
            rules: Rules = STRICT) -> dict[str, Any]:
    """Read a downloaded data set, check every row, and write it as a prepared HDF5 file.

    source     path, or list of paths, of fer2013.csv, icml_face_data.csv, train.csv and test.csv
               (also compressed), a .zip or .tar.gz with them, a folder with them, or a folder (or
               archive) of train/<emotion>/*.png|jpg; see choice
    out        path of the file to write: pixels uint8 (M, 48, 48), emotion uint8 (M,) (255
               unlabeled), usage uint8 (M,), mean_image float32 (48, 48), with ferplus also
               ferplus_votes uint8 (M, 10); attributes std, format, version, emotions,
               rows_left_out, and what origin says of the sources
    ferplus    path of FER+'s fer2013new.csv
    skip_bad   False: raise ValueError and write nothing if any row is bad. True: report every bad
               row and leave it out
    progress   show a progress bar
    say        called with each line of the report
    rules      whether pictures of other sizes are resized, rows of a further class left out, and
               splits drawn anew

    Returns the summary (see summary.Summary), with left_out: list of (place, reason). Raises
    FileNotFoundError if a path is missing, ValueError for bad rows or a file that is not FER2013.
    """
    sources = [source] if isinstance(source, str | os.PathLike) else source
    for path in map(pathlib.Path, sources):
        check(not (path.is_file() and is_hdf5(path)),
              f"source: {path} is an HDF5 file, expected a download: give it to --data; if it is "
              f"refused there, and holds {ARRAYS}: {HOW_TO_SEAL}")
    readings = files_to_read(sources, say)
    bad = BadRows()
    faces = _read_all(readings, bad, rules, progress, say)
    votes = None
    if ferplus is not None:
        with open_source(ferplus) as members:
            member = one_table([m for m in members if ".csv" in m.base.lower()], ferplus)
            votes = read_ferplus(member, faces, bad)
    if len(bad) and not skip_bad:
        raise ValueError(f"source: {len(bad):,} bad rows, so nothing was written "
                         f"(mend them, or leave them out with --skip-bad):\n{bad.report()}")
    if not (faces.usage == 0).any():
        raise ValueError("source: no Training rows were read, and nothing can be trained or "
                         "normalized without them: give train.csv too, or the complete fer2013.csv")
    for place, reason in bad.rows:
        say(f"left out {place}: {reason}")
    summary = summarise(faces.pixels, faces.emotion, faces.usage)
    attributes = {**attributes_of(readings, out), "rows_left_out": len(bad)}
    if rules != STRICT:
        attributes["rules"] = str(rules)
    write_prepared(out, faces.pixels, faces.emotion, faces.usage, votes, attributes)
    say(format_summary(summary))
    say(f"bad rows left out: {len(bad):,}\nwritten: {readable(out)}")
    return {**summary, "left_out": bad.rows}


def statistics(pixels: ArrayLike) -> tuple[NDArray[np.float32], float]:
    """Return the mean picture, float32 (H, W), and the deviation of the mean-centered pixels.

    pixels    uint8 (N, H, W), N >= 1

    Sums are exact (integers), so the order of the rows does not matter; the standard deviation is
    1.0 where all pictures are equal. Raises ValueError for no pictures, and for pixels that are not
    integers.
    """
    faces: NDArray[np.uint8] = plain_array(pixels, "pixels")
    check(faces.dtype.kind in "iu" and faces.ndim >= 1 and len(faces),
          f"pixels: got {faces.dtype} {faces.shape}, expected uint8 (N, H, W), N >= 1")
    total = np.zeros(faces.shape[1:], np.uint64)
    squares = np.zeros(faces.shape[1:], np.uint64)
    for start in range(0, len(faces), 1024):
        block = faces[start:start + 1024].astype(np.uint32)
        total += block.sum(axis=0, dtype=np.uint64)
        squares += (block * block).sum(axis=0, dtype=np.uint64)
    mean = total / len(faces)
    std = float(np.sqrt(max(0.0, float(np.mean(squares / len(faces) - mean * mean)))))
    return mean.astype(np.float32), std if std > 1e-6 else 1.0


def write_prepared(out: Source, pixels: Pixels, emotion: Codes, usage: Codes,
                   votes: NDArray[np.uint8] | None = None,
                   attributes: Mapping[str, Any] | None = None) -> None:
    """Write a prepared file, sealed, whole or not at all.

    Arguments are as prepare documents them; raises ValueError for any other array.
    """
    arrays: dict[str, Any] = {"pixels": pixels, "emotion": emotion, "usage": usage}
    if votes is not None:
        arrays["ferplus_votes"] = votes
    for name, array in arrays.items():
        if isinstance(array, np.ndarray):
            arrays[name] = plain_array(array, name)
    _check_faces(arrays, "write_prepared")
    training = arrays["usage"] == 0
    check(training.any(), "write_prepared: no row is of Training, expected some: "
                          "statistics are taken of them")
    mean_image, std = statistics(arrays["pixels"][training])
    seal = {"std": std, "format": FORMAT, "version": VERSION, "emotions": list(EMOTIONS),
            "source": "", "source_sha256": "", "source_stamp": "", "source_paths": [],
            "rows_left_out": 0, **(attributes or {})}

    def fill(file: Any) -> None:
        for name, array in {**arrays, "mean_image": mean_image}.items():
            file[name] = array
        file.attrs.update(seal)

    with replacing(out) as temporary:
        write_sealed(temporary, fill, seal)


def read_prepared(path: Source) -> dict[str, Any]:
    """Return the arrays and attributes of a prepared file in one dict.

    Raises FileNotFoundError if there is none, and ValueError for any other file.
    """
    try:
        arrays, attributes = read_sealed(path)
    except FileNotFoundError:
        raise FileNotFoundError(f"data: there is no {path}") from None
    except (OSError, ValueError) as error:
        raise ValueError(f"data: {path} is not a whole prepared file: {error}; prepare it again "
                         f"from its download, or, if it holds {ARRAYS}: {HOW_TO_SEAL}") from error
    found = attributes if isinstance(attributes, dict) else {}
    came = f"format {found.get('format')}, version {found.get('version')}"
    check(came == f"format {FORMAT}, version {VERSION}",
          f"data: {path} has {came}; expected format {FORMAT}, version {VERSION}: make it from "
          "a download with experiments/prepare_data.py")
    _check_faces(arrays, f"data: {path}", "; prepare it again")
    std = found.get("std")
    mean_image = arrays.get("mean_image", np.zeros(0))
    check(mean_image.dtype == np.float32 and mean_image.shape == (SIDE, SIDE)
          and np.isfinite(mean_image).all() and isinstance(std, float) and 0 < std < np.inf,
          f"data: {path} has a mean_image ({mean_image.dtype} {mean_image.shape}) or std ({std!r}) "
          f"that cannot be used, expected finite float32 ({SIDE}, {SIDE}) and a number above 0; "
          "prepare it again")
    return {**found, **arrays}


def _check_faces(arrays: Mapping[str, Any], place: str, cure: str = "") -> None:
    """Raise ValueError unless pixels, emotion, usage and any ferplus_votes fit a prepared file."""
    rows = len(arrays["pixels"]) if np.ndim(arrays.get("pixels", 0)) else 0
    shapes: dict[str, tuple[int, ...]] = {"pixels": (rows, SIDE, SIDE), "emotion": (rows,),
                                          "usage": (rows,)}
    if "ferplus_votes" in arrays:
        shapes["ferplus_votes"] = (rows, len(COLUMNS))
    for name, shape in shapes.items():
        array = arrays.get(name)
        came = f"{array.dtype} {array.shape}" if isinstance(array, np.ndarray) else "nothing"
        check(came == f"uint8 {shape}",
              f"{place} has {came} as {name}, expected uint8 {shape}{cure}")
    known = (arrays["emotion"] < len(EMOTIONS)) | (arrays["emotion"] == UNLABELLED)
    check((known & (arrays["usage"] < len(USAGES))).all(),
          f"{place} has an emotion or a usage out of range, expected 0 to 6 or 255, and 0 to 2"
          f"{cure}")


def _read_all(readings: Sequence[Reading], bad: BadRows, rules: Rules, progress: bool, say: Say
              ) -> Faces:
    """Return the faces of all sources, one source after another."""
    parts = []
    for _, path, files in readings:
        if path.is_dir():
            members = [member_of(file, path) for _, file in files]
            pictures = [member for member in members if is_picture(member.base)]
            lists = [member for member in members if not is_picture(member.base)]
            parts.append(_read_pictures(pictures, lists, path, bad, rules, progress, say))
            continue
        with open_source(path) as members:
            tables, pictures, _ = choose(members, path, say)
            if pictures:
                lists = [member for member in members if member.base.lower() in LISTS]
                parts.append(_read_pictures(pictures, lists, path, bad, rules, progress, say))
            with tqdm(desc=f"reading {readable(path.name)}", disable=not (progress and tables),
                      total=sum(table.size for table in tables), unit="B", unit_scale=True) as bar:
                parts += [_read_table(table, bad, rules, bar.update, say) for table in tables]
    faces = join(parts)
    if rules.split is None:
        faces.usage = settled(faces.usage)
        return faces
    faces.usage = draw_splits(faces.pixels, faces.emotion, rules.split,
                              np.random.default_rng(rules.seed))
    counts = np.bincount(faces.usage, minlength=len(USAGES))
    said = ", ".join(f"{name} {count:,}" for name, count in zip(USAGES, counts, strict=True))
    say(f"splits drawn anew (seed {rules.seed}, equal pictures in one split): {said}")
    return faces


def _read_pictures(pictures: list[Member], lists: list[Member], path: pathlib.Path, bad: BadRows,
                   rules: Rules, progress: bool, say: Say) -> Faces:
    """Return the faces of pictures, whose classes lists may say."""
    with tqdm(desc=f"reading {readable(path.name)}", disable=not progress, total=len(pictures),
              unit="pictures") as bar:
        return read_pictures(pictures, bad, bar.update, rules, say, lists)


def _read_table(table: Member, bad: BadRows, rules: Rules, advance: Advance, say: Say) -> Faces:
    """Return the faces of a CSV, a Parquet file or an .npz file."""
    if table.base.lower().endswith((".parquet", ".npz")):
        read = read_npz if table.base.lower().endswith(".npz") else read_parquet
        faces = read(table.open(), table.base, bad, rules, say)
        advance(table.size)
    else:
        with open_table(table) as stream:
            faces = read_csv(stream, table.base, bad, advance, rules, say)
    if faces.records == 0:
        raise ValueError(f"source: {table.name} has a header and no rows: download it again")
    if table.base.lower().startswith("test.csv") and faces.records != 7178:
        say(f"note: {table.name} has {faces.records:,} rows, not 7,178: "
            "its first half becomes PublicTest")
    return faces
