"""Random changes of valid files, with correct checksums where they would reveal the change."""
import gzip
import hashlib
import struct
import zlib

from cs231n_fer.files.sealed import LENGTH, MAGIC, TAIL

NUMBERS = (0, 1, 0x7F, 0x80, 0xFF, 0x7FFF, 0xFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF)
CSV = (b",", b"\n", b"\r\n", b"\r", b'"', b'""', b" ", b"-1", b"256", b"12.5", b"nan", b"1e309",
       b"7", b"happy", b"\0",
       b"\xef\xbb\xbf", b"\xff\xfe", b"pixels", b"Training", b"emotion,pixels,Usage\n", b"\xd9\xa3",
       b"0 " * 50_000)
JSON = (b"-1", b"1e309", b"NaN", b"null", b"true", b"[", b"]", b"{", b"}", b'"', b",",
        b"18446744073709551616",
        b'"<f8"', b'"|O"', b'"<f4,<f4"', b"[" * 20_000, b"9" * 5_000, b"4294967295", b"\xff")
PNG_SIGNATURE = 8


def mutate(content, rng, tokens=()):
    """Return content (bytes) after one to four random changes, different from the original.

    tokens    bytes that may be written over a place
    """
    changed = bytearray(content)
    while changed == content:
        for _ in range(rng.integers(1, 5)):
            _change(changed, rng, tokens)
    return bytes(changed)


def _change(data, rng, tokens):
    at = _place(len(data), rng)
    length = int(rng.integers(1, 1 << rng.integers(1, 9)))
    kind = rng.choice(["bit", "byte", "number", "delete", "repeat", "noise", "cut", "token",
                       "token"])
    if kind == "bit" and data:
        data[min(at, len(data) - 1)] ^= 1 << rng.integers(8)
    elif kind == "byte":
        data[at:at + 1] = bytes([rng.choice(NUMBERS[:5])])
    elif kind == "number":
        order = rng.choice(["<", ">"])
        size = rng.choice([2, 4])
        data[at:at + size] = struct.pack(f"{order}I", int(rng.choice(NUMBERS)))[:size]
    elif kind == "delete":
        del data[at:at + length]
    elif kind == "repeat":
        data[at:at] = data[at:at + length] * int(rng.integers(1, 4))
    elif kind == "noise":
        data[at:at + length] = rng.bytes(length)
    elif kind == "cut" and rng.random() < 0.3:
        del data[at:]
    elif kind == "token" and tokens:
        data[at:at + int(rng.integers(0, 4))] = tokens[rng.integers(len(tokens))]


def _place(size, rng):
    """Draw a position in a file: anywhere, or near its start or end, where the headers are."""
    share = rng.random() ** rng.choice([1, 4, 8])
    return int(size * (share if rng.random() < 0.5 else 1 - share))


def gzipped_again(content, rng):
    """Mutate the data in a gzip file, and compress it again with a correct checksum."""
    return gzip.compress(mutate(gzip.decompress(content), rng, CSV), 1, mtime=0)


def checksums_mended(content, rng):
    """Mutate a PNG file, and correct the checksums of its chunks."""
    data = bytearray(mutate(content, rng))
    at = PNG_SIGNATURE
    while at + 12 <= len(data):
        end = at + 8 + int.from_bytes(data[at:at + 4], "big")
        if end + 4 > len(data):
            break
        data[end:end + 4] = struct.pack(">I", zlib.crc32(data[at + 4:end]))
        at = end + 4
    return bytes(data)


def table_of(content):
    """Return the HDF5 data and the table of contents (JSON) of a sealed file, both as bytes."""
    end = len(content) - TAIL - LENGTH
    start = end - int(content[end:end + LENGTH], 16)
    return content[:start], content[start:end]


def sealed(data, table):
    """Return the bytes of a file of HDF5 data and a table of contents, with a valid seal."""
    body = data + table + b"%0*x" % (LENGTH, len(table))
    return body + hashlib.sha256(body).hexdigest().encode() + MAGIC


def sealed_again(content, rng):
    """Mutate the table of contents or the data of a sealed file, and seal it again."""
    data, table = table_of(content)
    if rng.random() < 0.2:
        return sealed(mutate(data, rng), table)
    return sealed(data, mutate(table, rng, JSON))
