"""Find the faces: a prepared file, or a download that is prepared on the fly.

In this order: an explicit path, else the environment variable CS231N_FER_DATA, else the folder
data/ of the working directory, else that of the repository. In such a folder: fer2013.h5, else what
choice finds. A message says which file is used and which others are not.
"""
import hashlib
import os
import pathlib
from collections.abc import Iterator
from typing import Any, NamedTuple

from ..files.sealed import is_hdf5
from ..shapes import check
from .choice import DEPTH, OTHER_DATA, Choice, pick
from .fer2013 import WHERE_TO_GET_IT, Say, readable
from .image_folder import TRAINING, split_of
from .origin import changed_origins, files_to_read
from .prepared import prepare, read_prepared
from .sources import Member, Source, member_of, source_files

__all__ = ["Found", "data_folders", "find_data", "find_prepared"]

VARIABLE = "CS231N_FER_DATA"
SYNTHETIC = "synthetic"
PREPARED = "fer2013.h5"
IN_SPLITS = 2  # levels between the folder above a split and its pictures


class Found(NamedTuple):
    """A prepared file, and what read_prepared returned if it has been read already."""

    path: pathlib.Path
    content: dict[str, Any] | None = None


def find_data(path: Source | None = None, say: Say = print) -> pathlib.Path | None:
    """Return the path of a prepared HDF5 file, or None for the synthetic faces.

    path   a prepared .h5, or anything that prepare reads (CSV, .zip, .tar.gz, folder): prepared
           once into data/cache/, under a name made of its path, size and time of change, and reused
           while these stay the same.
           "synthetic": None is returned, without a banner.
           None: the environment variable CS231N_FER_DATA, then the folder data/ of the working
           directory, then that of the repository; where nothing is found, a banner says what to
           download. fer2013.h5 in data/ is prepared again if its source has changed.

    Raises FileNotFoundError if a path that was given does not exist; ValueError if a file has bad
    rows, or if fer2013.h5 was prepared with options and its source has changed.
    """
    found = find_prepared(path, say)
    return None if found is None else found.path


def find_prepared(path: Source | None, say: Say) -> Found | None:
    """Return what find_data does, with the content of the file if it has been read already."""
    for given, name in ((path, "data"), (os.environ.get(VARIABLE) or None, VARIABLE)):
        if given == SYNTHETIC:
            return None
        if given is not None:
            check(given != "", f"{name}: got '', expected the path of a file or a folder")
            source = pathlib.Path(given).expanduser()
            if not source.exists():
                raise FileNotFoundError(f"{name}: there is no {source}\n{WHERE_TO_GET_IT}")
            is_prepared = source.is_file() and is_hdf5(source)
            return Found(source if is_prepared else _prepared_once(source, say))
    for folder in data_folders():
        if found := _found_in(folder, say):
            return found
    say(f"{'=' * 100}\nNO REAL DATA FOUND: using the built-in SYNTHETIC faces. Results say nothing "
        f"about real faces.\n{WHERE_TO_GET_IT}\n{'=' * 100}")
    return None


def data_folders() -> list[pathlib.Path]:
    """Return the folders data/ that exist: in the working directory, then beside the package."""
    folders = [pathlib.Path.cwd() / "data", pathlib.Path(__file__).resolve().parents[2] / "data"]
    return [folder for folder in dict.fromkeys(folders) if folder.is_dir()]


def _found_in(folder: pathlib.Path, say: Say) -> Found | None:
    """Return the prepared file of a folder data/, made now if necessary; None without any faces."""
    prepared = next((file for file in sorted(folder.iterdir())
                     if file.name.lower() == PREPARED and file.is_file()), None)
    if prepared is not None:
        return _still_current(prepared, say)
    choice = _downloads_in(folder)
    sources = _sources(choice, folder)
    if not sources:
        return None
    others = f" (not used: {', '.join(choice.unread)})" if choice.unread else ""
    say(f"data: found {' and '.join(map(readable, sources))}, preparing it once{others}")
    prepare(sources, folder / PREPARED, say=say)
    return Found(folder / PREPARED)


def _still_current(prepared: pathlib.Path, say: Say) -> Found:
    """Return a prepared file, which is prepared again if its source has changed since."""
    found = read_prepared(prepared)
    changed = changed_origins(prepared, found)
    if not changed:
        unused = [name for name in _names_of_downloads(prepared.parent)
                  if name not in found.get("source_paths", [name])]
        note = f"; not used: {', '.join(unused)}" if unused else ""
        say(f"data: using {readable(prepared)}, prepared from "
            f"{found.get('source') or 'an unknown source'}{note}")
        return Found(prepared, found)
    names = " and ".join(map(readable, changed))
    options = "ferplus_votes" in found or found.get("rows_left_out") or found.get("rules")
    check(not options,
          f"data: {names} has changed since {readable(prepared)} was made of it with --ferplus or "
          "--skip-bad, or with other options: prepare it again with experiments/prepare_data.py "
          f"and the same options, or remove {prepared.name}")
    say(f"data: {names} has changed since {readable(prepared)} was made of it: preparing it again")
    prepare(changed, prepared, say=say)
    return Found(prepared)


def _downloads_in(folder: pathlib.Path) -> Choice:
    """Return what could be prepared in a folder data/, perhaps nothing."""
    return pick([*_members_below(folder, DEPTH + IN_SPLITS)], True, folder)


def _names_of_downloads(folder: pathlib.Path) -> list[str]:
    """Return the names of the tables and archives in a folder data/, for information."""
    try:
        choice = _downloads_in(folder)
    except ValueError:  # nothing can be chosen or read, and nothing has to be
        return []
    return [member.name for member in choice.files] + choice.unread


def _members_below(folder: pathlib.Path, depth: int) -> Iterator[Member]:
    """Yield the files of a folder down to a depth, sorted; hidden ones and other data are skipped.
    """
    for path, folders, files in os.walk(folder):
        level = len(pathlib.Path(path).relative_to(folder).parts)
        folders[:] = sorted(name for name in folders if level + 1 < depth and name[0] != "."
                            and name != "__MACOSX" and name.lower() not in OTHER_DATA)
        for name in sorted(files):
            if name[0] != "." and (pathlib.Path(path) / name).is_file():
                yield member_of(pathlib.Path(path) / name, folder)


def _sources(choice: Choice, folder: pathlib.Path) -> list[pathlib.Path]:
    """Return what to prepare: the files, or the folder above the pictures of all splits."""
    if choice.files:
        return [member.path for member in choice.files if member.path is not None]
    in_splits = {member.path for member in choice.pictures
                 if member.path is not None and split_of(member.path.parents[1].name)}
    if not any(split_of(path.parents[1].name) == TRAINING for path in in_splits):
        return []
    above = {path.parents[2] for path in in_splits}
    return [*above] if len(above) == 1 else [folder]


def _prepared_once(source: pathlib.Path, say: Say) -> pathlib.Path:
    """Return the prepared file of a download; reuse that of the same path, size and time."""
    files = source_files(source)
    if source.is_file():
        files = [path for reading in files_to_read([source]) for _, path in reading.files]
    # "sealed" gives another name than to files prepared before seals existed, which can't be read.
    stats = [(file.resolve(), file.stat()) for file in files]
    stamp = "sealed\0" + "".join(f"{path}\0{stat.st_size}\0{stat.st_mtime_ns}\0"
                                 for path, stat in stats)
    digest = hashlib.sha256(stamp.encode("utf-8", "surrogateescape")).hexdigest()[:16]
    folder = next(iter(data_folders()), pathlib.Path.cwd() / "data") / "cache"
    prepared = folder / f"{source.name.split('.')[0]}-{digest}.h5"
    if prepared.is_file():
        say(f"data: {readable(source)} was prepared before as {readable(prepared)}")
    else:
        say(f"data: preparing {readable(source)} once, as {readable(prepared)}")
        prepare(source, prepared, say=say)
    return prepared
