"""The sources of a prepared file: which files are read, and whether they have changed since."""
import hashlib
import os
import pathlib
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from .choice import beside, choose
from .fer2013 import Say, readable
from .layouts import LISTS
from .sources import Source, member_of, open_source, sha256

__all__ = ["Reading", "attributes_of", "changed_origins", "files_to_read"]


class Reading(NamedTuple):
    """A file or a folder of pictures to open.

    source is the name of what was asked for; files holds (name, path) of each file that is read.
    """

    source: str
    path: pathlib.Path
    files: list[tuple[str, pathlib.Path]]


def files_to_read(sources: Iterable[Source], say: Say = lambda line: None) -> list[Reading]:
    """Return what to open and read for some sources.

    For a folder, these are its tables, an archive, or its pictures; for train.csv alone, also the
    test.csv next to it. say is called with what is not read.
    """
    readings = []
    for path in map(pathlib.Path, sources):
        if not path.is_dir():
            readings.append(Reading(path.name, path, [(path.name, path)]))
            continue
        with open_source(path) as members:
            choice = choose(members, path, say)
        for member in choice.files:
            if member.path is not None:  # never, in a folder
                files = [(member.name, member.path)]
                readings.append(Reading(path.name, member.path, files))
        if choice.pictures:
            lists = [member for member in members if member.base.lower() in LISTS]
            files = [(member.name, member.path) for member in [*choice.pictures, *lists]
                     if member.path is not None]
            readings.append(Reading(path.name, path, files))
    if len(readings) == 1:
        readings += _test_csv(readings[0].path, say)
    return readings


def attributes_of(readings: Sequence[Reading], out: Source) -> dict[str, Any]:
    """Return the attributes of a prepared file `out` that describe its sources."""
    files = _all_files(readings)
    folder = pathlib.Path(out).resolve().parent
    names = dict.fromkeys(readable(reading.source) for reading in readings)
    return {"source": ", ".join(names),
            "source_sha256": sha256(files), "source_stamp": _stamp(files),
            "source_paths": [readable(_relative(reading.path, folder)) for reading in readings]}


def changed_origins(prepared: pathlib.Path, attributes: Mapping[str, Any]) -> list[pathlib.Path]:
    """Return the sources of a prepared file if they have changed, [] if not or if they are gone.

    Sizes and times of change are compared, and if they differ, the SHA-256.
    """
    names = attributes.get("source_paths", [])
    if not names:  # of an earlier version, which did not record folders
        names = [name for name in str(attributes.get("source", "")).split(", ") if name]
        names = [name for name in names if (prepared.parent / name).is_file()]
    origins = [prepared.parent / name for name in names]
    digest = attributes.get("source_sha256")
    if not digest or not origins or not all(origin.exists() for origin in origins):
        return []
    files = _all_files(files_to_read(origins))
    if _stamp(files) == attributes.get("source_stamp"):
        return []
    return [] if sha256(files) == digest else origins


def _test_csv(path: pathlib.Path, say: Say) -> list[Reading]:
    """Return the test.csv next to a train.csv, in upper or lower case."""
    if not path.is_file():
        return []
    neighbors = [member_of(file, path.parent) for file in path.parent.iterdir() if file.is_file()]
    found = [member.path for member in beside(member_of(path, path.parent), neighbors)]
    readings = [Reading(test.name, test, [(test.name, test)]) for test in found if test is not None]
    for reading in readings:
        say(f"also reading {readable(reading.path)} (kept as unlabeled rows)")
    return readings


def _all_files(readings: Sequence[Reading]) -> list[tuple[str, pathlib.Path]]:
    return [file for reading in readings for file in reading.files]


def _relative(path: pathlib.Path, folder: pathlib.Path) -> str:
    """Return the path as seen from a folder, so that both can be moved together."""
    try:
        return pathlib.Path(os.path.relpath(path.resolve(), folder)).as_posix()
    except ValueError:  # on another drive
        return path.resolve().as_posix()


def _stamp(files: Sequence[tuple[str, pathlib.Path]]) -> str:
    """Return a digest of the names, sizes and times of change of files."""
    stats = [(name, path.stat()) for name, path in files]
    text = "".join(f"{name}\0{stat.st_size}\0{stat.st_mtime_ns}\0" for name, stat in stats)
    return hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()
