"""One view of a file, a folder, a .zip and a .tar: named members that are read as streams.

A .zip, a .tar and a compressed .tar are recognized by their content. A compressed file that is no
.tar is one member; open_table unpacks it.

Nothing is ever extracted to disk, so a member called `../x` is only a name. A member's declared
size is checked before its data is read, and both formats stop at the declared size, so a zip bomb
ends in an error. A .zip and a .tar.gz carry checksums of what they hold; both are read to the end,
which compares them.
"""
import contextlib
import hashlib
import io
import os
import pathlib
import struct
import sys
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import IO, TypeAlias

from .compressed import LARGEST_CSV, is_tar, unpacked
from .fer2013 import readable

__all__ = ["ARCHIVES", "PICTURES", "Member", "Source", "member_of", "open_source", "open_table",
           "sha256", "source_files"]

LARGEST_PICTURE = 1 << 22  # bytes
LARGEST_OTHER = 1 << 32  # only skipped over
LARGEST_TAR = 1 << 32  # unpacked, all members together
LARGEST_READ = 1 << 24  # at once, of a tar
MOST_MEMBERS = 200_000
TARS = (".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tbz2", ".tar.xz", ".txz", ".tar.zst")
ARCHIVES = (".zip", *TARS)
PICTURES = (".png", ".jpg", ".jpeg", ".gif", ".bmp", ".tif", ".tiff", ".webp")
# What reading a damaged file raises,
DAMAGE = (zipfile.BadZipFile, tarfile.TarError, zlib.error, EOFError)
# and what opening one raises besides, for numbers and names in a damaged header. Raised by the code
# that reads the members, the latter are no damage.
HEAD_DAMAGE = (*DAMAGE, struct.error, NotImplementedError, UnicodeDecodeError, OverflowError)

Source: TypeAlias = str | os.PathLike[str]


@dataclass(frozen=True)
class Member:
    """A readable file: name (with "/" between folders), size in bytes, open() -> binary stream.

    path is where it lies, None in an archive.
    """

    name: str
    size: int
    open: Callable[[], IO[bytes]]
    path: pathlib.Path | None = None

    @property
    def base(self) -> str:
        """The name without its folders."""
        return self.name.rsplit("/", 1)[-1]


@contextlib.contextmanager
def open_source(source: Source) -> Iterator[list[Member]]:
    """Give the list of Members of a file, folder, .zip or .tar(.gz), sorted or in stored order.

    Raises FileNotFoundError if there is no such path, ValueError if it is damaged, encrypted or too
    large.
    """
    path = pathlib.Path(source)
    if not path.exists():
        raise FileNotFoundError(f"source: there is no {path}")
    if not (path.is_file() or path.is_dir()):  # a pipe or a device may never end
        raise ValueError(f"source: {path} is neither a file nor a folder: "
                         "save its content to a file first")
    with _reported_as_damage(path, DAMAGE), contextlib.ExitStack() as stack:
        with _reported_as_damage(path, HEAD_DAMAGE):
            members = _checked(_members(path, stack))
        yield members


def source_files(source: Source) -> list[pathlib.Path]:
    """Return every file that the source consists of, sorted: one, or those of the folder.

    Raises ValueError for what would be left out silently: a link to nothing or to a folder, a pipe.
    """
    path = pathlib.Path(source)
    if not path.is_dir():
        return [path]
    files = []
    for entry in sorted(path.rglob("*")):
        if entry.is_file():
            files.append(entry)
        elif (entry.is_symlink() or not entry.is_dir()) and not entry.name.startswith("."):
            raise ValueError(f"source: {readable(entry)} is a link to nothing or to a folder, or a "
                             "device: put the file or the folder itself there, or remove it")
    return files


def open_table(member: Member) -> IO[bytes]:
    """Return the stream of a CSV, unpacked if it is compressed."""
    return unpacked(member.open(), member.name)


def sha256(files: Sequence[tuple[str, pathlib.Path]]) -> str:
    """Return the hex SHA-256 of one file, as sha256sum prints it.

    files    (name, path) of each

    For several files it is the SHA-256 of the list that sha256sum prints for them.
    """
    if len(files) == 1:
        return _file_digest(files[0][1])
    lines = "".join(f"{_file_digest(path)}  {name}\n" for name, path in files)
    return hashlib.sha256(lines.encode("utf-8", "surrogateescape")).hexdigest()


@contextlib.contextmanager
def _reported_as_damage(path: pathlib.Path, errors: tuple[type[Exception], ...]) -> Iterator[None]:
    """Turn some errors into a ValueError that calls the source damaged."""
    try:
        yield
    except errors as error:
        raise ValueError(f"source: {path} is damaged ({error}): download it again") from error


def _file_digest(file: pathlib.Path) -> str:
    digest = hashlib.sha256()
    with open(file, "rb") as stream:
        while block := stream.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def _members(path: pathlib.Path, stack: contextlib.ExitStack) -> Iterable[Member]:
    """Return the members of a source, unchecked; the stack closes its archive."""
    if path.is_dir():
        return (member_of(file, path) for file in source_files(path))
    if path.suffix.lower() == ".npz":  # a .zip of arrays, read as one table
        return [member_of(path, path.parent)]
    if zipfile.is_zipfile(path):
        return _zip_members(path, stack.enter_context(zipfile.ZipFile(path)))
    if path.suffix.lower() == ".zip":
        raise ValueError(f"source: {path} is not a complete .zip file: download it again")
    if path.name.lower().endswith(TARS) or is_tar(_open_file(path), path.name):
        return _tar_members(path, _open_tar(path, stack))
    return [member_of(path, path.parent)]


def member_of(file: pathlib.Path, folder: pathlib.Path) -> Member:
    """Return a file in a folder as a Member."""
    return Member(readable(file.relative_to(folder).as_posix()), file.stat().st_size,
                  partial(_open_file, file), file)


def _open_file(path: pathlib.Path) -> IO[bytes]:
    return open(path, "rb")


def _zip_members(path: pathlib.Path, archive: zipfile.ZipFile) -> Iterator[Member]:
    for info in archive.infolist():
        if info.flag_bits & 1:
            raise ValueError(f"source: {path} is encrypted: unpack it first")
        if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            raise ValueError(f"source: {path} holds {info.filename!r}, packed by method "
                             f"{info.compress_type}, expected 0 (stored) or 8 (deflated): "
                             "pack it again")
        if not info.filename.endswith("/"):  # is_dir fails on an empty name
            yield Member(info.filename, info.file_size, partial(_open_zipped, path, archive, info))


def _open_zipped(path: pathlib.Path, archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> IO[bytes]:
    try:
        return archive.open(info)
    # Offsets outside the file, or other flags than those of the list of members.
    except (ValueError, RuntimeError, OSError) as error:
        raise ValueError(f"source: {path} is damaged at {info.filename!r} ({error}): "
                         "download it again") from error


class _Bounded(io.BufferedIOBase):
    """A stream that refuses to read much at once.

    tarfile reads a header of any declared size in one piece.
    """

    def __init__(self, stream: IO[bytes]) -> None:
        self.stream = stream

    def read(self, size: int | None = -1, /) -> bytes:
        """Return up to `size` bytes; ReadError for a size below 0 or above LARGEST_READ."""
        count = -1 if size is None else size
        if not 0 <= count <= LARGEST_READ:
            raise tarfile.ReadError(f"a header declares {count:,} bytes, expected at most "
                                    f"{LARGEST_READ:,}")
        return self.stream.read(count)

    def seek(self, offset: int, whence: int = io.SEEK_SET, /) -> int:
        """Move to a place of the stream and return it."""
        return self.stream.seek(offset, whence)

    def tell(self) -> int:
        """Return the place of the next byte."""
        return self.stream.tell()


def _open_tar(path: pathlib.Path, stack: contextlib.ExitStack) -> tarfile.TarFile:
    """Return the TarFile of a .tar, compressed or not.

    When the stack closes without an error, the checksum of its compression has been compared.
    """
    stream = stack.enter_context(unpacked(_open_file(path), path.name, sys.maxsize))
    stack.push(partial(_read_to_end, stream))
    try:
        return tarfile.TarFile(fileobj=_Bounded(stream))
    except HEAD_DAMAGE as error:
        raise ValueError(f"source: {path} is not a complete .tar.gz file ({error}): "
                         "download it again") from error


def _read_to_end(stream: IO[bytes], error_type: type[BaseException] | None, *_: object) -> None:
    if error_type is None:
        while stream.read(1 << 20):
            if stream.tell() > LARGEST_TAR:
                raise tarfile.ReadError(f"more than {LARGEST_TAR:,} bytes when unpacked")


def _tar_members(path: pathlib.Path, archive: tarfile.TarFile) -> Iterator[Member]:
    for info in archive:  # lazily, so that a size is checked before the data behind it is skipped
        end = info.offset_data + info.size
        if end > LARGEST_TAR:
            raise ValueError(f"source: {path} declares {end:,} bytes up to {info.name!r}, "
                             f"expected at most {LARGEST_TAR:,}")
        if info.isfile():
            yield Member(readable(info.name), info.size, partial(_open_in_tar, archive, info))
        elif not info.isdir():
            raise ValueError(f"source: {path} holds {info.name!r}, a link or a device: "
                             "unpack it first")


def _open_in_tar(archive: tarfile.TarFile, info: tarfile.TarInfo) -> IO[bytes]:
    stream = archive.extractfile(info)
    assert stream is not None  # as it would be for a folder or a device
    return stream


def _checked(members: Iterable[Member]) -> list[Member]:
    """Return the members except for hidden ones; ValueError for too many or too large ones."""
    largest = {".csv": LARGEST_CSV} | dict.fromkeys(PICTURES, LARGEST_PICTURE)
    checked: list[Member] = []
    for member in members:
        suffix = "." + member.base.lower().rsplit(".", 1)[-1]
        most = largest.get(suffix, LARGEST_OTHER)
        # A header can declare a negative size, which sends tarfile backwards.
        if not 0 <= member.size <= most:
            raise ValueError(f"source: {member.name} declares {member.size:,} bytes, "
                             f"expected at most {most:,}")
        if len(checked) == MOST_MEMBERS:
            raise ValueError(f"source: more than {MOST_MEMBERS:,} files, "
                             "expected FER2013's 35,887 at most")
        if not (member.base.startswith(".") or "__MACOSX/" in member.name):
            checked.append(member)
    return checked
