"""One view of a file, a folder, a .zip and a .tar(.gz): named members that are read as streams.

Nothing is ever extracted to disk, so a member called `../x` is only a name. A member's declared size is
checked before its data is read, and both formats stop at the declared size, so a zip bomb ends in an error.
A .zip and a .tar.gz carry checksums of what they hold; both are read to the end, which compares them.
"""

import contextlib
import gzip
import hashlib
import pathlib
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from .fer2013 import readable

LARGEST_CSV = 1 << 30  # bytes; fer2013.csv has 301,072,766
LARGEST_PICTURE = 1 << 22
LARGEST_OTHER = 1 << 32  # only skipped over
LARGEST_TAR = 1 << 32  # unpacked, all members together
LARGEST_READ = 1 << 24  # at once, of a tar
MOST_MEMBERS = 200_000
PICTURES = (".png", ".jpg", ".jpeg", ".gif", ".bmp", ".tif", ".tiff", ".webp")  # of which only PNG and JPEG are read
DAMAGE = (zipfile.BadZipFile, tarfile.TarError, zlib.error, gzip.BadGzipFile, EOFError)  # what reading raises
# And what opening does, for numbers and names in a damaged head. Raised by who reads the members, these are no damage.
HEAD_DAMAGE = (*DAMAGE, struct.error, NotImplementedError, UnicodeDecodeError, OverflowError)


@dataclass(frozen=True)
class Member:
    """A readable file: name (with "/" between folders), size in bytes, and open() -> binary stream."""

    name: str
    size: int
    open: Callable

    @property
    def base(self):
        return self.name.rsplit("/", 1)[-1]


@contextlib.contextmanager
def open_source(path):
    """Give the list of Members of a file, folder, .zip or .tar(.gz), in sorted (folder) or stored order.

    Raises FileNotFoundError if there is no such path, ValueError if it is damaged, encrypted or too large.
    """
    path = pathlib.Path(path)
    if not path.exists():
        raise FileNotFoundError(f"source: there is no {path}")
    if not (path.is_file() or path.is_dir()):  # a pipe or a device may never end
        raise ValueError(f"source: {path} is neither a file nor a folder: save its content to a file first")
    with _called_damage(path, DAMAGE), contextlib.ExitStack() as stack:
        with _called_damage(path, HEAD_DAMAGE):
            members = _check(_members(path, stack))
        yield members


@contextlib.contextmanager
def _called_damage(path, errors):
    try:
        yield
    except errors as error:
        raise ValueError(f"source: {path} is damaged ({error}): download it again") from error


def source_files(path):
    """Every file that the source consists of, sorted: one, or those of the folder.

    Raises ValueError for what would be left out in silence: a link to nothing or to a folder, a pipe.
    """
    path = pathlib.Path(path)
    if not path.is_dir():
        return [path]
    files = []
    for each in sorted(path.rglob("*")):
        if each.is_file():
            files.append(each)
        elif (each.is_symlink() or not each.is_dir()) and not each.name.startswith("."):
            raise ValueError(f"source: {readable(each)} is a link to nothing or to a folder, or a device: "
                             "put the file or the folder itself there, or remove it")
    return files


def sha256(paths):
    """Hex SHA-256 of one source file, as sha256sum prints it; of several, that of sha256sum's list."""
    files = [(file.relative_to(path) if path.is_dir() else file.name, file)
             for path in map(pathlib.Path, paths) for file in source_files(path)]
    if len(files) == 1:
        return _file_digest(files[0][1])
    lines = "".join(f"{_file_digest(file)}  {name}\n" for name, file in files)
    return hashlib.sha256(lines.encode("utf-8", "surrogateescape")).hexdigest()


def _file_digest(file):
    digest = hashlib.sha256()
    with open(file, "rb") as stream:
        while block := stream.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def _members(path, stack):
    if path.is_dir():
        return (Member(readable(file.relative_to(path).as_posix()), file.stat().st_size, partial(open, file, "rb"))
                for file in source_files(path))
    if zipfile.is_zipfile(path):
        return _zip_members(path, stack.enter_context(zipfile.ZipFile(path)))
    if path.suffix.lower() == ".zip":
        raise ValueError(f"source: {path} is not a complete .zip file: download it again")
    if path.name.lower().endswith((".tar.gz", ".tgz", ".tar")) or _is_tar(path):
        return _tar_members(path, _open_tar(path, stack))
    return [Member(readable(path.name), path.stat().st_size, lambda: open(path, "rb"))]


def _zip_members(path, archive):
    for info in archive.infolist():
        if info.flag_bits & 1:
            raise ValueError(f"source: {path} is encrypted: unpack it first")
        if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            raise ValueError(f"source: {path} holds {info.filename!r}, packed by method {info.compress_type}, expected "
                             "0 (stored) or 8 (deflated): pack it again")
        if not info.filename.endswith("/"):  # is_dir fails on an empty name
            yield Member(info.filename, info.file_size, partial(_open_zipped, path, archive, info))


def _open_zipped(path, archive, info):
    try:
        return archive.open(info)
    except (ValueError, RuntimeError, OSError) as error:  # places outside the file, or other flags than the list has
        raise ValueError(f"source: {path} is damaged at {info.filename!r} ({error}): download it again") from error


def _is_tar(path):
    """Whether a file whose name doesn't say so is a tar, also one that gzip packed; a CSV never is."""
    with open(path, "rb") as file:
        return path.suffix.lower() != ".csv" and (file.read(2) == b"\x1f\x8b" or tarfile.is_tarfile(path))


class _Bounded:
    """A stream that refuses to read much at once: tarfile reads a header of any declared size in one piece."""

    def __init__(self, stream):
        self.stream, self.seek, self.tell = stream, stream.seek, stream.tell

    def read(self, size):
        if not 0 <= size <= LARGEST_READ:
            raise tarfile.ReadError(f"a header declares {size:,} bytes, expected at most {LARGEST_READ:,}")
        return self.stream.read(size)


def _open_tar(path, stack):
    """The TarFile of a .tar or .tar.gz; when the stack closes without an error, gzip's checksum has been compared."""
    stream = stack.enter_context(open(path, "rb"))
    packed = stream.read(2) == b"\x1f\x8b"
    stream.seek(0)
    if packed:
        stream = stack.enter_context(gzip.GzipFile(fileobj=stream))
        stack.push(partial(_read_to_end, stream))
    try:
        return tarfile.TarFile(fileobj=_Bounded(stream))
    except HEAD_DAMAGE as error:
        raise ValueError(f"source: {path} is not a complete .tar.gz file ({error}): download it again") from error


def _read_to_end(stream, error_type, *_):
    if error_type is None:
        while stream.read(1 << 20):
            if stream.tell() > LARGEST_TAR:
                raise tarfile.ReadError(f"more than {LARGEST_TAR:,} bytes when unpacked")


def _tar_members(path, archive):
    for info in archive:  # lazily, so that a size is checked before the data behind it is skipped
        if info.offset_data + info.size > LARGEST_TAR:
            raise ValueError(f"source: {path} declares {info.offset_data + info.size:,} bytes up to {info.name!r}, "
                             f"expected at most {LARGEST_TAR:,}")
        if info.isfile():
            yield Member(readable(info.name), info.size, lambda info=info: archive.extractfile(info))
        elif not info.isdir():
            raise ValueError(f"source: {path} holds {info.name!r}, a link or a device: unpack it first")


def _check(members):
    checked = []
    for member in members:
        suffix = "." + member.base.lower().rsplit(".", 1)[-1]
        most = {".csv": LARGEST_CSV} | dict.fromkeys(PICTURES, LARGEST_PICTURE)
        most = most.get(suffix, LARGEST_OTHER)
        if not 0 <= member.size <= most:  # a header can declare fewer than none, which sends tarfile backwards
            raise ValueError(f"source: {member.name} declares {member.size:,} bytes, expected at most "
                             f"{most:,}")
        if len(checked) == MOST_MEMBERS:
            raise ValueError(f"source: more than {MOST_MEMBERS:,} files, expected FER2013's 35,887 at most")
        if not (member.base.startswith(".") or "__MACOSX/" in member.name):
            checked.append(member)
    return checked
