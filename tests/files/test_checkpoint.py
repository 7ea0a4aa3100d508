"""Tests of checkpoints.

Arrays come back unchanged, and after any failure the file is the old one or the new one.
"""
import json
import os
import signal
import stat
import subprocess
import sys
import time

import h5py
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cs231n_fer.files import checkpoint
from cs231n_fer.files.checkpoint import below, load_checkpoint, restore, save_checkpoint, write_text

ARRAYS = {
    "params/block1/conv/w": np.arange(24, dtype=np.float32).reshape(2, 3, 2, 2),
    "params/b": np.array([1e-300, np.nan, -np.inf]),
    "optim/params/b/t": np.array(7),
    "counts": np.array([2**62, -1]),
    "pixels": np.arange(6, dtype=np.uint8).reshape(2, 3).T,
    "none": np.zeros((0, 4), np.float32),
}
INFO = {"epoch": 3, "names": ["Wut", "Überraschung"], "rng": {"state": 2**127 + 1},
        "best": 0.1 + 0.2, "nothing": None}


def test_a_checkpoint_gives_back_what_was_saved(tmp_path):
    save_checkpoint(tmp_path / "new folder" / "a.h5", ARRAYS, INFO)
    arrays, info = load_checkpoint(tmp_path / "new folder" / "a.h5")
    assert info == INFO and arrays.keys() == ARRAYS.keys()
    for name, array in ARRAYS.items():
        assert arrays[name].dtype == array.dtype
        np.testing.assert_array_equal(arrays[name], array)
    save_checkpoint(tmp_path / "empty.h5", {}, {})
    assert load_checkpoint(str(tmp_path / "empty.h5")) == ({}, {})


def test_numpy_numbers_become_plain_ones_and_other_objects_an_error(tmp_path):
    save_checkpoint(tmp_path / "a.h5", {},
                    {"rate": np.float32(0.5), "count": np.int64(3), "yes": np.bool_(True)})
    assert load_checkpoint(tmp_path / "a.h5")[1] == {"rate": 0.5, "count": 3, "yes": True}
    with pytest.raises(ValueError, match="info: JSON cannot hold <object"):
        save_checkpoint(tmp_path / "a.h5", {}, {"thing": object()})


LOST = ["/a", "/", "a/", "a//b", "", ".", "a/.", "./a", "a/./b", "//", "a\0b", "\ud800", 3, None,
        b"a"]


@pytest.mark.parametrize("name", LOST, ids=repr)
def test_a_name_that_hdf5_would_change_lose_or_refuse_is_not_saved(tmp_path, name):
    with pytest.raises(ValueError, match="arrays: got the name .*, expected "):
        save_checkpoint(tmp_path / "a.h5", {"b": np.ones(2), name: np.ones(2)}, {})
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("names", [["a", "a/b"], ["a/b/c", "x", "a"], ["a/b/c", "a/b"]])
def test_an_array_below_another_is_not_saved(tmp_path, names):
    with pytest.raises(ValueError, match="arrays: .* lies below .*, which is an array as well"):
        save_checkpoint(tmp_path / "a.h5", {name: np.ones(2) for name in names}, {})
    assert not list(tmp_path.iterdir())


words = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0/"), min_size=1)
NAMES = st.sets(st.lists(words.filter(lambda word: word != "."), min_size=1,
                         max_size=3).map("/".join), max_size=5)


@settings(max_examples=50, deadline=None)
@given(NAMES)
def test_an_array_with_any_other_name_comes_back_under_it(tmp_path_factory, names):
    path = tmp_path_factory.mktemp("names") / "a.h5"
    arrays = {name: np.array([i]) for i, name in enumerate(sorted(names))}
    try:
        save_checkpoint(path, arrays, {})
    except ValueError as error:
        assert "lies below" in str(error)
    else:
        assert load_checkpoint(path)[0] == arrays


def test_names_below_a_group_lose_its_prefix():
    assert below({"a/b/c": 1, "a/d": 2, "ab/e": 3, "a": 4}, "a") == {"b/c": 1, "d": 2}


def fail(*arguments, **options):
    raise OSError("disk full")


# The calls that write a checkpoint, in this order; the process may end after any of them.
MOMENTS = ["write", "fsync", "replace"]


@pytest.mark.parametrize("moment", MOMENTS)
def test_a_write_that_fails_leaves_the_old_file_and_no_other(tmp_path, monkeypatch, moment):
    save_checkpoint(tmp_path / "a.h5", {"x": np.zeros(3)}, {"epoch": 1})
    write_text(tmp_path / "b.txt", "old")
    if moment == "write":
        monkeypatch.setattr(h5py.Group, "__setitem__", fail)
        monkeypatch.setattr("pathlib.Path.write_text", fail)
    else:
        monkeypatch.setattr(os, moment, fail)
    for write in (lambda: save_checkpoint(tmp_path / "a.h5", ARRAYS, {"epoch": 2}),
                  lambda: write_text(tmp_path / "b.txt", "new")):
        with pytest.raises(OSError, match="disk full"):
            write()
    monkeypatch.undo()
    assert sorted(file.name for file in tmp_path.iterdir()) == ["a.h5", "b.txt"]
    assert load_checkpoint(tmp_path / "a.h5")[1] == {"epoch": 1}
    assert (tmp_path / "b.txt").read_text() == "old"


def test_the_content_is_on_the_disk_before_it_gets_its_name_and_the_name_afterwards(
        tmp_path, monkeypatch):
    calls = []
    fsync = os.fsync
    replace = os.replace

    def note_fsync(handle):
        calls.append("folder" if stat.S_ISDIR(os.fstat(handle).st_mode) else "file")
        fsync(handle)

    def note_replace(source, target):
        calls.append("rename")
        replace(source, target)
    monkeypatch.setattr(os, "fsync", note_fsync)
    monkeypatch.setattr(os, "replace", note_replace)
    write_text(tmp_path / "a.txt", "text\n")
    assert calls == ["file", "rename", "folder"] and (tmp_path / "a.txt").read_bytes() == b"text\n"


WRITER = """
import sys, numpy as np
from cs231n_fer.files.checkpoint import save_checkpoint
for n in range(1, 100000):
    save_checkpoint(sys.argv[1], {f"params/{i}": np.full(20000, n) for i in range(5)}, {"n": n})
"""


@pytest.mark.parametrize("pause", [0.003, 0.017, 0.041])
def test_a_process_killed_while_it_writes_leaves_a_whole_checkpoint(tmp_path, pause):
    writer = subprocess.Popen([sys.executable, "-c", WRITER, tmp_path / "a.h5"])
    while not (tmp_path / "a.h5").exists():
        assert writer.poll() is None
        time.sleep(0.01)
    time.sleep(pause)
    writer.send_signal(signal.SIGKILL)
    writer.wait()
    arrays, info = load_checkpoint(tmp_path / "a.h5")
    assert len(arrays) == 5 and all((array == info["n"]).all() for array in arrays.values())


def damaged(path, how):
    save_checkpoint(path, ARRAYS, INFO)
    path.write_bytes(path.read_bytes()[:how] if isinstance(how, int) else how)


@pytest.mark.parametrize("how", [0, 100, 3000, 8000, b"text"])
def test_what_is_no_whole_checkpoint_gets_an_error_that_names_the_file(tmp_path, how):
    damaged(tmp_path / "a.h5", how)
    with pytest.raises(ValueError, match=r"a\.h5 is not a readable checkpoint: "):
        load_checkpoint(tmp_path / "a.h5")


@pytest.mark.parametrize("name", ["missing.h5", ""])
def test_a_missing_file_or_a_folder_says_which_file_is_expected(tmp_path, name):
    with pytest.raises(FileNotFoundError, match="expected the file best.h5 or last.h5"):
        load_checkpoint(tmp_path / name)


def test_restore_writes_into_the_arrays_that_are_there_and_keeps_their_layout():
    w = np.zeros((2, 2, 3, 2), np.float32).transpose(0, 3, 1, 2)
    b = np.zeros(1)
    target = {"w": w, "b": b}
    source = np.arange(24, dtype=np.float32).reshape(2, 2, 2, 3)
    restore(target, {"params/w": source, "params/b": np.ones(1), "other/w": source}, "params",
            "a.h5")
    assert target["w"] is w and target["b"] is b == 1 and w.transpose(0, 2, 3, 1).flags.c_contiguous
    np.testing.assert_array_equal(w, source)


@pytest.mark.parametrize("arrays, message", [
    ({"params/v": np.zeros(2)}, r"a\.h5: holds params \['v'\], but the network has \['w'\]"),
    ({"params/w": np.zeros(2), "params/v": np.zeros(2)}, r"holds params \['v', 'w'\]"),
    ({"params/w": np.zeros(3)},
     r"a\.h5: params/w is float64 \(3,\), the network has float64 \(2,\)"),
    ({"params/w": np.zeros(2, np.float32)},
     r"params/w is float32 \(2,\), the network has float64 \(2,\)"),
])
def test_restore_refuses_the_arrays_of_another_network(arrays, message):
    with pytest.raises(ValueError, match=message):
        restore({"w": np.zeros(2)}, arrays, "params", "a.h5")


def test_a_checkpoint_can_be_read_without_this_package(tmp_path):
    save_checkpoint(tmp_path / "a.h5", ARRAYS, INFO)
    with h5py.File(tmp_path / "a.h5") as file:
        assert file.attrs["format"] == checkpoint.FORMAT and json.loads(file["info"][()]) == INFO
        assert file["arrays/params/block1/conv/w"].shape == (2, 3, 2, 2)
