"""Choose what to read from a folder or an archive: the most complete set of faces in it.

In order of preference: fer2013.csv; icml_face_data.csv; train.csv, with the test.csv next to it;
another CSV with the header of faces; pictures in <split>/<emotion>/; an archive, if in a folder.
Names are matched in any case, and CSVs may be compressed. Folders are searched for tables and
archives at most three levels deep. Of several of the same kind, the one nearest to the top is read.
"""
import pathlib
from collections import defaultdict
from typing import NamedTuple

from ..shapes import check
from .compressed import SUFFIXES
from .fer2013 import WHERE_TO_GET_IT, Say, readable
from .image_folder import TRAINING, is_picture, split_of
from .kaggle import LONGEST_LINE, open_lines, read_header
from .sources import ARCHIVES, Member, open_table

__all__ = ["DEPTH", "OTHER_DATA", "TABLES", "Choice", "beside", "choose", "one_table", "pick"]

DEPTH = 3  # levels of a folder in which tables and archives are looked for
TRAIN = "train.csv"
TEST = "test.csv"
TABLES = ("fer2013.csv", "icml_face_data.csv", TRAIN)
NOT_FACES = ("fer2013new.csv", "label.csv", "example_submission.csv", "example_submissions.csv")
OTHER_DATA = ("cache", "cifar-10-batches-py", "cifar-10-batches-bin")  # folders in data/
OTHER_ARCHIVES = "cifar-10"  # how their names begin


class Choice(NamedTuple):
    """What to read: files (tables, or one archive in a folder), or else pictures; and the rest.

    unread names the files and folders that could also have been meant.
    """

    files: list[Member]
    pictures: list[Member]
    unread: list[str]


def choose(members: list[Member], path: pathlib.Path, say: Say) -> Choice:
    """Return what to read of the Members of a source; say is called with what is not read.

    Raises ValueError if there is nothing, or if several files could be meant.
    """
    itself = path.is_file() and bool(members) and members[0].path is not None
    if itself and not is_picture(path.name):
        return Choice(members[:1], [], [])
    choice = pick(members, path.is_dir(), path)
    check(bool(choice.files or choice.pictures),
          f"source: {path} contains neither a CSV of faces nor pictures\n{WHERE_TO_GET_IT}")
    if choice.unread:
        read = (" and ".join(member.name for member in choice.files)
                or f"{len(choice.pictures):,} pictures")
        more = f" and {len(choice.unread) - 5:,} more" if len(choice.unread) > 5 else ""
        say(f"reading {read}; not read: {', '.join(choice.unread[:5])}{more}")
    return choice


def pick(members: list[Member], in_folder: bool, path: pathlib.Path) -> Choice:
    """Return what to read of Members, perhaps nothing.

    in_folder    whether they are files in a folder, which may be archives themselves
    path         of the folder or archive, in messages
    """
    near = [m for m in members if not set(m.name.lower().split("/")[:-1]) & set(OTHER_DATA)]
    reachable = [m for m in near if not in_folder or m.name.count("/") < DEPTH]
    tables = [m for m in reachable if _table_name(m) and _table_name(m) not in NOT_FACES]
    archives = [m for m in reachable if in_folder and m.base.lower().endswith(ARCHIVES)
                and not _table_name(m) and not m.base.lower().startswith(OTHER_ARCHIVES)]
    pictures = [m for m in near if is_picture(m.base)]
    splits = _splits_of(pictures)
    files = _chosen_tables(tables, TRAINING in splits, in_folder, path)
    if not files and archives and TRAINING not in splits:
        files = [_nearest_archive(archives, path)]
    unread = [m.name for m in tables + archives if m not in files]
    if files:
        return Choice(files, [], unread + [f"{len(pictures):,} pictures"] * bool(splits))
    copies = _copies(splits, path)
    return Choice([], [m for m in pictures if m.name not in copies],
                  unread + sorted({name.rsplit("/", 2)[0] for name in copies}))


def one_table(members: list[Member], path: object) -> Member:
    """Return the only member; ValueError for none and for several."""
    if len(members) == 1:
        return members[0]
    names = ", ".join(m.name for m in members[:5]) or "none"
    raise ValueError(f"source: {path} has {len(members)} CSV files that could be meant "
                     f"({names}): name the one to read")


def beside(train: Member, members: list[Member]) -> list[Member]:
    """Return [test.csv] if there is one in the folder of a train.csv, else [].
    """
    folder = train.name.removesuffix(train.base)
    return sorted((m for m in members if _table_name(m) == TEST and _table_name(train) == TRAIN
                   and m.name.removesuffix(m.base) == folder), key=_place)[:1]


def _table_name(member: Member) -> str:
    """Return the lower-case name of a CSV without a suffix of compression; "" for other files."""
    name = member.base.lower()
    for suffix in (*SUFFIXES, ".zip") if member.path is not None else SUFFIXES:
        name = name.removesuffix(suffix)
    return name if name.endswith(".csv") else ""


def _chosen_tables(tables: list[Member], beside_pictures: bool, in_folder: bool, path: pathlib.Path
                   ) -> list[Member]:
    """Return the tables to read: none if no table holds faces, but pictures are there."""
    known = any(_table_name(m) in TABLES for m in tables)
    if beside_pictures or (len(tables) > 1 and not known):
        faces = [m for m in tables if _holds_faces(m)]
        tables = faces if faces or beside_pictures else tables
    for name in TABLES:
        named = sorted((m for m in tables if _table_name(m) == name), key=_place)
        if named:
            if not in_folder and len(named) > 1 and _place(named[0])[:2] == _place(named[1])[:2]:
                one_table(named, path)
            return [named[0], *beside(named[0], tables)]
    return [one_table(tables, path)] if tables else []


def _place(member: Member) -> tuple[int, bool, str]:
    """Return a key that sorts by depth, then plain before compressed, then by name."""
    return member.name.count("/"), not member.base.lower().endswith(".csv"), member.name.lower()


def _holds_faces(member: Member) -> bool:
    """Whether a table begins with the header of faces, or is an archive under another name."""
    with open_lines(open_table(member)) as stream:
        line = stream.readline(LONGEST_LINE)
    if line.startswith(b"PK\3\4") or b"ustar" in line:
        return member.path is not None
    try:
        return bool(read_header(line, member.name))
    except ValueError:
        return False


def _splits_of(pictures: list[Member]) -> dict[str, dict[str, list[str]]]:
    """Return {split: {folder above it: names of its pictures}} of pictures in folders of a split.
    """
    splits: dict[str, dict[str, list[str]]] = defaultdict(lambda: defaultdict(list))
    for member in pictures:
        above, split, *inside = ["", *member.name.rsplit("/", 3)][-4:]
        if len(inside) == 2 and split_of(split):
            splits[split_of(split)][above].append(member.name)
    return splits


def _copies(splits: dict[str, dict[str, list[str]]], path: pathlib.Path) -> set[str]:
    """Return the names of pictures in duplicate folders: of a split, the topmost folder is read.

    Raises ValueError for a split in two folders at the same depth.
    """
    copies: set[str] = set()
    for split, folders in splits.items():
        first, *others = sorted(folders, key=lambda name: (_levels(name), name.lower()))
        check(not others or _levels(others[0]) > _levels(first),
              f"source: {path} has {split} pictures in {first} and in {', '.join(others)}: "
              "name the one to read")
        copies.update(name for folder in others for name in folders[folder])
    return copies


def _levels(folder: str) -> int:
    """Return how deep a folder lies."""
    return len(folder.split("/")) if folder else 0


def _nearest_archive(archives: list[Member], path: pathlib.Path) -> Member:
    """Return the archive that is nearest to the top; ValueError if there are several."""
    archives = sorted(archives, key=_place)
    depth = archives[0].name.count("/")
    first = [m for m in archives if m.name.count("/") == depth]
    check(len(first) == 1,
          f"source: {readable(path)} has {len(first)} archives "
          f"({', '.join(m.base for m in first)}): choose one with --data")
    return first[0]
