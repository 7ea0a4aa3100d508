"""Tests of damaged and malicious archives and folders.

Nothing is written outside the output folder, and no declared size is trusted.
"""
import gzip
import io
import os
import struct
import tarfile
import zipfile
from pathlib import Path

import pytest
from downloads import csv_text, pack, quiet

from cs231n_fer.data_utils import load_data, sources
from cs231n_fer.data_utils.prepared import read_prepared

CSV = csv_text("fer2013")


def tar_of(*members, form=tarfile.GNU_FORMAT):
    """Return a tar of members (name, content, changes of its header)."""
    packed = b""
    for name, content, changes in members:
        info = tarfile.TarInfo(name)
        info.size = len(content)
        for key, value in changes.items():
            setattr(info, key, value)
        packed += info.tobuf(form) + content + bytes(-len(content) % 512)
    return packed + bytes(1024)


def zip_of(*members, method=zipfile.ZIP_DEFLATED):
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", method) as archive:
        for name, content in members:
            archive.writestr(name, content)
    return packed.getvalue()


def header_that_declares(size, kind):
    """The start of a tar whose first member is a header of a declared size: a long name, or PAX."""
    info = tarfile.TarInfo("x")
    info.size = size
    info.type = kind
    return info.tobuf(tarfile.GNU_FORMAT) + bytes(1024)


def edited(content, signature, offset, new):
    """Return the content with bytes overwritten after the last occurrence of a signature."""
    at = content.rindex(signature) + offset
    return content[:at] + new + content[at + len(new):]


CENTRAL = b"PK\1\2"
ZIP = zip_of(("fer2013.csv", CSV))
GZIP = gzip.compress(tar_of(("fer2013.csv", CSV, {})), mtime=0)
BAD_ARCHIVES = {  # name: (file name, content, part of the error)
    "an empty zip": ("a.zip", b"", "is not a complete .zip file: download it again"),
    "a zip of nothing": ("a.zip", zip_of(), "contains neither a CSV of faces nor pictures"),
    "half a zip": ("a.zip", ZIP[:len(ZIP) // 2], "is not a complete .zip file: download it again"),
    "a zip with a flipped bit": ("a.zip", edited(ZIP, b"fer2013.csv", -2000, b"\0\1"),
                                 "is damaged"),
    "a zip with a password": ("a.zip", edited(ZIP, CENTRAL, 8, b"\1"),
                              "is encrypted: unpack it first"),
    "a zip of another method": ("a.zip", edited(ZIP, CENTRAL, 10, b"\x09"),
                                "packed by method 9, expected 0"),
    "a zip by LZMA": ("a.zip", zip_of(("a.csv", b"x"), method=zipfile.ZIP_LZMA),
                      "packed by method 14, expected 0"),
    "a zip that declares 4 GB": ("a.zip", edited(ZIP, CENTRAL, 24, b"\xfe\xff\xff\xff"),
                                 "declares 4,294,967,294 bytes"),
    "a bomb that declares little": (
        "a.zip", edited(zip_of(("a.csv", bytes(1 << 24))), CENTRAL, 24, struct.pack("<I", 1000)),
        "is damaged"),
    "a bomb of one long line": ("a.zip", zip_of(("a.csv", bytes(1 << 24))),
                                "the first line of a.csv is '"),
    "a zip whose place is outside": ("a.zip", edited(ZIP, CENTRAL, 42, b"\0\0\0\x70"),
                                     "is damaged"),
    "a zip whose name is not UTF-8": (
        "a.zip", edited(edited(ZIP, CENTRAL, 8, b"\0\x08"), CENTRAL, 46, b"\xff\xfe"),
        "is damaged"),
    "a zip whose name is empty": ("a.zip", edited(ZIP, CENTRAL, 46, b"\0"),
                                  "contains neither a CSV of faces"),
    "an empty tar.gz": ("a.tar.gz", b"", "is not a complete .tar.gz file"),
    "half a tar.gz": ("a.tar.gz", GZIP[:len(GZIP) // 2], "is damaged"),
    "a tar.gz that is a zip inside": ("a.tar.gz", gzip.compress(ZIP), "download it again"),
    "a tar.gz with a false checksum": ("a.tar.gz", GZIP[:-8] + b"\0\0\0\0" + GZIP[-4:],
                                       "is damaged"),
    "a tar.gz with a false checksum where a member should be": (
        "a.tar.gz", gzip.compress(tar_of(("x", b"", {"size": 1 << 16})))[:-8] + bytes(8),
        "is damaged"),
    "a tar.gz without its last bytes": ("a.tar.gz", GZIP[:-5], "is damaged"),
    "a tar.gz with something behind it": ("a.tar.gz", GZIP + b"something", "is damaged"),
    "a tar that declares 8 GB": ("a.tar", tar_of(("x", b"", {"size": 8 << 30})),
                                 "expected at most"),
    "a tar that declares less than nothing": ("a.tar", tar_of(("x", b"", {"size": -512})),
                                              "declares -512 bytes"),
    "a tar whose long name has 3 GB": (
        "a.tar.gz", gzip.compress(header_that_declares(3 << 30, tarfile.GNUTYPE_LONGNAME)),
        "a header declares 3,221,225,472 bytes, expected at most 16,777,216"),
    "a tar whose PAX header has 3 GB": (
        "a.tar", header_that_declares(3 << 30, tarfile.XHDTYPE),
        "a header declares 3,221,225,472 bytes"),
    "a tar whose PAX header has less than nothing": (
        "a.tar", header_that_declares(-5000, tarfile.XHDTYPE), "a header declares -"),
    "a symbolic link": ("a.tar", tar_of(("a.csv", b"",
                                         {"type": tarfile.SYMTYPE, "linkname": "/etc/passwd"})),
                        "holds 'a.csv', a link or a device: unpack it first"),
    "a hard link": ("a.tar", tar_of(("a.csv", b"", {"type": tarfile.LNKTYPE, "linkname": "../x"})),
                    "a link or a device"),
    "a device": ("a.tar", tar_of(("a.csv", b"", {"type": tarfile.CHRTYPE})), "a link or a device"),
    "a pipe inside": ("a.tar", tar_of(("a.csv", b"", {"type": tarfile.FIFOTYPE})),
                      "a link or a device"),
    "a 7z file": ("a.7z", b"7z\xbc\xaf\x27\x1c" + bytes(100), "the first line of a.7z is"),
    "two of a name": ("a.tar", tar_of(("1/fer2013.csv", CSV, {}), ("2/fer2013.csv", CSV, {})),
                      "name the one to read"),
}


@pytest.mark.parametrize("name", BAD_ARCHIVES)
def test_a_damaged_or_hostile_archive_is_refused_by_name(tmp_path, name):
    file, content, reason = BAD_ARCHIVES[name]
    (tmp_path / file).write_bytes(content)
    with pytest.raises(ValueError) as caught:
        quiet(tmp_path / file, tmp_path / "out.h5", skip_bad=True)
    message = str(caught.value)
    assert message.startswith("source: ") and reason in message, message
    assert not (tmp_path / "out.h5").exists()


@pytest.mark.parametrize("name", ["../fer2013.csv", "/tmp/../fer2013.csv", "a/../../../fer2013.csv",
                                  "x\\fer2013.csv", "C:\\fer2013.csv", "~/fer2013.csv"])
@pytest.mark.parametrize("container", ["zip", "tar.gz", "tar"])
def test_a_member_with_any_path_is_read_and_written_nowhere(tmp_path, monkeypatch, name, container):
    # The folder is so deep that all paths except the absolute one end below tmp_path.
    inner = tmp_path / "1" / "2" / "inner"
    inner.mkdir(parents=True)
    monkeypatch.chdir(inner)
    monkeypatch.setenv("HOME", str(inner))
    if container == "zip":
        packed = zip_of((name, CSV))
    else:
        packed = tar_of((name, CSV, {}), form=tarfile.PAX_FORMAT)
    content = gzip.compress(packed) if container == "tar.gz" else packed
    (inner / f"a.{container}").write_bytes(content)
    assert quiet(inner / f"a.{container}", inner / "out.h5")[0]["rows"] == CSV.count(b"\n") - 1
    names = ["1", "2", "inner", f"a.{container}", "out.h5"]
    assert sorted(file.name for file in tmp_path.rglob("*")) == sorted(names)
    assert not os.path.lexists(os.path.expanduser(name))


def test_a_pipe_is_refused_and_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "a.csv")
    with pytest.raises(ValueError,
                       match="a.csv is neither a file nor a folder: save its content to a file "
                             "first"):
        quiet(tmp_path / "a.csv", tmp_path / "out.h5")


@pytest.mark.parametrize("most, files, reason", [
    ("MOST_MEMBERS", {"fer2013.csv": CSV, "x": b""}, "more than 1 files"),
    ("LARGEST_TAR", {"x": bytes(2000)}, "declares .* bytes up to .*x', expected at most 1"),
])
def test_many_files_and_many_bytes_in_all_are_refused(tmp_path, monkeypatch, most, files, reason):
    monkeypatch.setattr(sources, most, 1)
    with pytest.raises(ValueError, match=reason):
        quiet(pack(tmp_path, files, "tar.gz"), tmp_path / "out.h5")


def test_zeros_without_end_behind_a_tar_are_not_read_to_their_end(tmp_path, monkeypatch):
    content = tar_of(("fer2013.csv", CSV, {})) + bytes(1 << 24)
    (tmp_path / "a.tar.gz").write_bytes(gzip.compress(content))
    monkeypatch.setattr(sources, "LARGEST_TAR", 1 << 22)
    with pytest.raises(ValueError, match="more than 4,194,304 bytes when unpacked"):
        quiet(tmp_path / "a.tar.gz", tmp_path / "out.h5")


def link(target):
    return lambda path: path.symlink_to(target)


LEFT_OUT = {"a link to nothing": link("nowhere.png"), "a link to itself": link("x.png"),
            "a link to a folder": link(".."), "a pipe": os.mkfifo}


@pytest.mark.parametrize("name", LEFT_OUT)
def test_what_a_folder_would_lose_in_silence_is_refused(tmp_path, name):
    folder = tmp_path / "faces" / "train" / "happy"
    folder.mkdir(parents=True)
    LEFT_OUT[name](folder / "x.png")
    (tmp_path / "faces" / "fer2013.csv").write_bytes(csv_text("fer2013"))
    with pytest.raises(ValueError,
                       match="source: .*x.png is a link to nothing or to a folder, or a device"):
        quiet(tmp_path / "faces", tmp_path / "out.h5", skip_bad=True)
    (folder / "x.png").rename(folder / ".hidden.png")
    quiet(tmp_path / "faces", tmp_path / "out.h5")


def test_a_link_to_a_file_is_read_as_the_file(tmp_path):
    (tmp_path / "faces").mkdir()
    (tmp_path / "elsewhere.csv").write_bytes(csv_text("fer2013"))
    (tmp_path / "faces" / "fer2013.csv").symlink_to(tmp_path / "elsewhere.csv")
    assert len(read_prepared(quiet(tmp_path / "faces", tmp_path / "out.h5")
                             and tmp_path / "out.h5")["pixels"]) == 12


@pytest.mark.parametrize("inside", [False, True], ids=["the file", "in a folder"])
def test_a_name_that_is_no_utf8_is_read_and_told_as_escapes(tmp_path, inside):
    folder = Path(os.fsdecode(os.fsencode(tmp_path) + b"/d\xff"))
    folder.mkdir()
    path = Path(os.fsdecode(os.fsencode(folder) + b"/f\xe4ces.csv"))
    path.write_bytes(csv_text("fer2013") + b"9,1,Training\n")
    summary, said = quiet(folder if inside else path, folder / "out.h5", skip_bad=True)
    assert said.encode() and summary["left_out"][0][0].startswith("f\\xe4ces.csv line ")
    assert read_prepared(folder / "out.h5")["source"] == ("d\\xff" if inside else "f\\xe4ces.csv")
    lines = []
    assert load_data(folder / "out.h5", say=lines.append)["source"].encode()
