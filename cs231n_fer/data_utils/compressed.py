"""Compressed files, recognized by their first bytes and never by their names.

gzip, bzip2 and xz are unpacked as they are read; so is Zstandard from Python 3.14 on, or with the
package backports.zstd.
"""
import bz2
import contextlib
import gzip
import io
import lzma
import zlib
from collections.abc import Iterator
from typing import IO, Any, cast

from .fer2013 import readable

try:
    from compression import zstd  # type: ignore[import-not-found, unused-ignore]
except ImportError:
    try:
        from backports import zstd  # type: ignore[import-not-found, unused-ignore]
    except ImportError:
        zstd = None

__all__ = ["LARGEST_CSV", "SUFFIXES", "is_tar", "unpacked"]

SUFFIXES = (".gz", ".bz2", ".xz", ".zst")
LARGEST_CSV = 1 << 30  # bytes, unpacked; fer2013.csv has 301,072,766
GZIP = b"\x1f\x8b"
BZIP2 = b"BZh"
XZ = b"\xfd7zXZ\0"
ZSTANDARD = b"\x28\xb5\x2f\xfd"
TAR = slice(257, 262)  # where a tar says "ustar"
DAMAGE = (OSError, EOFError, zlib.error, lzma.LZMAError)


def unpacked(stream: IO[bytes], name: str, most: int = LARGEST_CSV) -> IO[bytes]:
    """Return a stream as it is, or the unpacked content of a compressed one.

    name    of the file, in messages
    most    largest number of bytes that may be unpacked

    Reading raises ValueError if the file is damaged or has more bytes. Closing the result closes
    the stream. Raises ValueError for Zstandard where it cannot be unpacked.
    """
    buffered = io.BufferedReader(cast(Any, stream))  # typeshed wants a raw stream
    try:
        content = _content(buffered, name)
    except BaseException:
        buffered.close()
        raise
    if content is None:
        return buffered
    return cast(IO[bytes], _Unpacked(content, buffered, readable(name), most))


def is_tar(stream: IO[bytes], name: str) -> bool:
    """Whether a stream, perhaps compressed, is a tar, as its first block says; closes it."""
    with unpacked(stream, name) as content:
        return content.read(TAR.stop)[TAR] == b"ustar"


def _content(stream: io.BufferedReader, name: str) -> IO[bytes] | None:
    """Return the unpacked content of a compressed stream; None for any other stream."""
    head = stream.peek(len(XZ))
    if head.startswith(GZIP):
        return cast(IO[bytes], gzip.GzipFile(fileobj=stream))
    if head.startswith(BZIP2):
        return cast(IO[bytes], bz2.BZ2File(stream))
    if head.startswith(XZ):
        return cast(IO[bytes], lzma.LZMAFile(stream))
    if head.startswith(ZSTANDARD):
        if zstd is None:
            raise ValueError(f"source: {readable(name)} is compressed with Zstandard, which this "
                             "Python cannot unpack: unpack it first (zstd -d), or install "
                             "backports.zstd")
        return cast(IO[bytes], zstd.ZstdFile(stream))
    return None


class _Unpacked(io.BufferedIOBase):
    """The unpacked content of a stream, with a limit on its size; damage raises ValueError."""

    def __init__(self, content: IO[bytes], stream: IO[bytes], name: str, most: int) -> None:
        self.content = content
        self.stream = stream
        self.name = name
        self.most = most

    def readable(self) -> bool:
        """Whether it can be read: always."""
        return True

    def read(self, size: int | None = -1, /) -> bytes:
        """Return up to `size` bytes, or all."""
        left = self.most + 1 - self.tell()
        with self._reported():
            block = self.content.read(left if size is None or size < 0 else min(size, left))
        if self.tell() > self.most:
            raise ValueError(f"source: {self.name} has more than {self.most:,} bytes when unpacked")
        return block

    def read1(self, size: int = -1, /) -> bytes:
        """Return up to `size` bytes, or all, as read does; text is read through this method."""
        return self.read(size)

    def tell(self) -> int:
        """Return the position of the next unpacked byte."""
        return self.content.tell()

    def seek(self, offset: int, whence: int = io.SEEK_SET, /) -> int:
        """Move to a position in the unpacked content and return it."""
        with self._reported():
            return self.content.seek(offset, whence)

    @contextlib.contextmanager
    def _reported(self) -> Iterator[None]:
        """Turn the exceptions of unpacking into a ValueError."""
        try:
            yield
        except DAMAGE as error:
            raise ValueError(f"source: {self.name} is damaged ({error}): download it again"
                             ) from error

    def close(self) -> None:
        """Close the stream too."""
        self.content.close()
        self.stream.close()
        super().close()
