"""Replaced files keep links, modes and the truth of the error message; every writer replaces."""
import ast
import errno
import os
import stat
from pathlib import Path

import numpy as np
import pytest

from cs231n_fer.files.checkpoint import (
    load_checkpoint,
    replacing,
    save_checkpoint,
    write_bytes,
    write_text,
)
from cs231n_fer.solver.run_folder import duplicate
from cs231n_fer.vis_utils.style import new_axes, save_figure

ROOT = Path(__file__).resolve().parents[2]


def save_h5(path, n):
    save_checkpoint(path, {"n": np.array(n)}, {})


def save_png(path, n):
    ax = new_axes(None, (1, 1))
    ax.plot([0, n])
    save_figure(ax, path)


WRITERS = {"best.h5": save_h5, "history.csv": lambda path, n: write_text(path, str(n)),
           "loss.png": save_png,
           "model.safetensors": lambda path, n: write_bytes(path, b"%d" % n)}


@pytest.fixture(params=WRITERS)
def writer(request):
    """The name of a file and the function (path, number) that writes it."""
    return request.param, WRITERS[request.param]


def contents(writer, tmp_path, n):
    """Return the bytes of a file that the writer makes in a folder of its own."""
    name, write = writer
    path = tmp_path / "expected" / name
    write(path, n)
    return path.read_bytes()


@pytest.mark.parametrize("mode", [0o600, 0o640, 0o664, 0o400])
def test_a_replaced_file_keeps_its_mode(tmp_path, writer, mode):
    name, write = writer
    write(tmp_path / name, 1)
    os.chmod(tmp_path / name, mode)
    write(tmp_path / name, 2)
    assert stat.S_IMODE((tmp_path / name).stat().st_mode) == mode
    assert (tmp_path / name).read_bytes() == contents(writer, tmp_path, 2)


def test_what_replaces_a_private_file_is_private_while_it_is_written(tmp_path):
    (tmp_path / "a").touch(0o600)
    with replacing(tmp_path / "a") as temporary:
        temporary.write_text("secret")
        assert stat.S_IMODE(temporary.stat().st_mode) == 0o600


@pytest.mark.parametrize("target", ["there", "not yet there"])
@pytest.mark.parametrize("relative", [True, False])
def test_a_symbolic_link_stays_one_and_the_file_that_it_leads_to_is_replaced(
        tmp_path, writer, target, relative):
    name, write = writer
    disk = tmp_path / "disk"
    disk.mkdir()
    if target == "there":
        write(disk / "real", 1)
    link = tmp_path / name
    link.symlink_to(Path("disk") / "real" if relative else disk / "real")
    write(link, 2)
    assert link.is_symlink() and os.listdir(disk) == ["real"]
    # The format of a figure is that of the link's name.
    assert (disk / "real").read_bytes() == contents(writer, tmp_path, 2)


def refusing(monkeypatch, kind, code):
    """Let fsync of files or of folders fail with an error code."""
    fsync = os.fsync

    def refuse(handle):
        if kind == ("folder" if stat.S_ISDIR(os.fstat(handle).st_mode) else "file"):
            raise OSError(code, os.strerror(code))
        fsync(handle)
    monkeypatch.setattr(os, "fsync", refuse)


@pytest.mark.parametrize("kind", ["file", "folder"])
@pytest.mark.parametrize("code", ["EINVAL", "ENOTSUP", "ENOSYS", "EBADF", "EACCES"])
def test_a_file_is_written_where_a_file_system_cannot_flush(
        tmp_path, writer, monkeypatch, kind, code):
    name, write = writer
    write(tmp_path / name, 1)
    refusing(monkeypatch, kind, getattr(errno, code))
    write(tmp_path / name, 2)
    assert (tmp_path / name).read_bytes() == contents(writer, tmp_path, 2)


def test_a_folder_that_may_not_be_opened_can_still_be_written_to(tmp_path, monkeypatch):
    def refuse(path, flags, *mode, real=os.open):
        if Path(path) == tmp_path:  # so it is with folders on Windows
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
        return real(path, flags, *mode)
    monkeypatch.setattr(os, "open", refuse)
    write_text(tmp_path / "a.txt", "new")
    assert (tmp_path / "a.txt").read_text() == "new"


@pytest.mark.parametrize("kind, message", [
    ("file", r"could not write \S+ \(Input/output error\); nothing was changed"),
    ("folder", r"wrote \S+, but could not flush its folder \(Input/output error\); after a power "
               "cut, the previous content may be back")])
def test_the_message_of_a_failed_flush_says_what_is_there_now(
        tmp_path, writer, monkeypatch, kind, message):
    name, write = writer
    write(tmp_path / name, 1)
    refusing(monkeypatch, kind, errno.EIO)
    with pytest.raises(OSError, match=message):
        write(tmp_path / name, 2)
    monkeypatch.undo()
    there = 2 if kind == "folder" else 1
    assert (tmp_path / name).read_bytes() == contents(writer, tmp_path, there)
    assert sorted(os.listdir(tmp_path)) == sorted(["expected", name])


@pytest.mark.parametrize("make", [os.mkfifo, os.mkdir, lambda path: os.symlink(path, path)],
                         ids=["pipe", "folder", "link to itself"])
def test_what_is_no_file_is_not_replaced(tmp_path, writer, make):
    name, write = writer
    make(tmp_path / name)
    before = (tmp_path / name).lstat()
    with pytest.raises(OSError, match="could not write .*; nothing was changed"):
        write(tmp_path / name, 1)
    assert (tmp_path / name).lstat().st_mode == before.st_mode
    assert os.listdir(tmp_path) == [name]


def test_the_copy_of_a_linked_checkpoint_keeps_the_old_content(tmp_path):
    disk = tmp_path / "disk"
    save_h5(disk / "last", 1)
    os.chmod(disk / "last", 0o600)
    (tmp_path / "last.h5").symlink_to(disk / "last")
    (tmp_path / "before.h5").write_text("older")
    os.chmod(tmp_path / "before.h5", 0o644)
    duplicate(tmp_path / "last.h5", tmp_path / "before.h5")
    save_h5(tmp_path / "last.h5", 2)
    for name, n in (("last.h5", 2), ("before.h5", 1)):
        assert load_checkpoint(tmp_path / name)[0]["n"] == n
        assert stat.S_IMODE((tmp_path / name).stat().st_mode) == 0o600


# Files that nobody reads after a crash: of this process, of a benchmark, of a test of damage.
ELSEWHERE = {"cs231n_fer/files/checkpoint.py", "cs231n_fer/files/sealed.py",
             "cs231n_fer/vis_utils/style.py", "cs231n_fer/kernels/vectors/helper.py",
             "experiments/checks/torture_cache.py", "experiments/checks/fuzzing/pool.py",
             "experiments/checks/fuzzing/formats.py", "experiments/checks/mutation_testing.py",
             "experiments/bench/reference.py", "experiments/bench/worker.py"}


def writes(path):
    """Yield the lines of a module that write a file without replacing it."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Call):
            words = [word.value for word in [*node.args, *(kw.value for kw in node.keywords)]
                     if isinstance(word, ast.Constant)]
            method = node.func.attr if isinstance(node.func, ast.Attribute) else ""
            opened = method == "open" or isinstance(node.func, ast.Name) and node.func.id == "open"
            if (method in ("write_text", "write_bytes", "savefig", "tofile", "savez")
                    or opened and {"w", "wb", "a", "ab"} & {str(word) for word in words}):
                yield node.lineno


def test_every_result_is_written_by_the_function_that_replaces_files():
    found = [f"{path.relative_to(ROOT)}:{line}" for folder in ("cs231n_fer", "experiments")
             for path in sorted((ROOT / folder).rglob("*.py"))
             if str(path.relative_to(ROOT)) not in ELSEWHERE for line in writes(path)]
    assert not found, found
