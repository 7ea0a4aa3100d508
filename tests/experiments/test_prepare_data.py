"""Tests of experiments/prepare_data.py: what it is given, and what it says."""
import h5py
import numpy as np
import pytest
from downloads import EMOTION, PIXELS, ROWS, USAGE, csv_text
from jobs import script

from cs231n_fer.data_utils import load_data, prepare
from cs231n_fer.data_utils.prepared import read_prepared, write_prepared

ARRAYS = {"pixels": PIXELS, "emotion": EMOTION, "usage": USAGE}


@pytest.fixture(scope="module")
def main():
    return script("prepare_data").main


def written(path, **arrays):
    """Write an HDF5 file as another program does: without a seal."""
    with h5py.File(path, "w") as file:
        for name, array in arrays.items():
            file[name] = array
    return path


@pytest.mark.parametrize("change", [
    {}, {"pixels": PIXELS.reshape(ROWS, -1)}, {"pixels": PIXELS[:, None]},
    {"pixels": PIXELS.astype(np.float32)}, {"emotion": EMOTION.astype(np.int64)},
    {"notes": np.ones(3)}], ids=["as it is", "flat", "with a channel", "floats", "int64", "more"])
def test_a_file_of_another_program_is_checked_and_sealed(main, tmp_path, change):
    source = written(tmp_path / "old.h5", **{**ARRAYS, **change})
    with pytest.raises(ValueError, match="prepare_data.py FILE.h5 --out fer2013.h5"):
        load_data(source)
    main([str(source), "--out", str(tmp_path / "new.h5")])
    found = read_prepared(tmp_path / "new.h5")
    for name, array in ARRAYS.items():
        np.testing.assert_array_equal(found[name], array)
    assert len(load_data(tmp_path / "new.h5")["X_train"]) == (USAGE == 0).sum()


def test_votes_of_another_program_are_kept(main, tmp_path):
    votes = np.arange(ROWS * 10).reshape(ROWS, 10) % 11
    source = written(tmp_path / "old.h5", **ARRAYS, ferplus_votes=votes)
    main([str(source), "--out", str(tmp_path / "new.h5")])
    np.testing.assert_array_equal(read_prepared(tmp_path / "new.h5")["ferplus_votes"], votes)


BAD = {  # name: (arrays, part of the error)
    "no usage": ({"pixels": PIXELS, "emotion": EMOTION},
                 "holds no array usage, but emotion, pixels"),
    "half the pixels": ({**ARRAYS, "pixels": PIXELS[:, :24]}, "has pixels of shape (12, 24, 48)"),
    "a number of pixels": ({**ARRAYS, "pixels": np.uint8(3)}, "has pixels of shape ()"),
    "fractions": ({**ARRAYS, "pixels": PIXELS / 255}, "has pixels of other numbers than the whole"),
    "NaN": ({**ARRAYS, "pixels": PIXELS * np.nan}, "has pixels of other numbers than the whole"),
    "256": ({**ARRAYS, "pixels": PIXELS.astype(int) + 256}, "has pixels of other numbers"),
    "texts": ({**ARRAYS, "emotion": np.array([b"sad"] * ROWS)}, "as emotion, expected whole"),
    "an emotion of 9": ({**ARRAYS, "emotion": EMOTION + np.uint8(9)}, "an emotion or a usage out"),
    "a label too few": ({**ARRAYS, "emotion": EMOTION[1:]}, "uint8 (11,) as emotion, expected"),
    "no Training": ({**ARRAYS, "usage": USAGE * 0 + 1}, "no row is of Training"),
}


@pytest.mark.parametrize("name", BAD)
def test_arrays_that_are_no_faces_are_refused_by_name(main, tmp_path, name):
    arrays, reason = BAD[name]
    source = written(tmp_path / "old.h5", **arrays)
    with pytest.raises(SystemExit) as caught:
        main([str(source), "--out", str(tmp_path / "new.h5")])
    assert "prepare_data: " in str(caught.value) and reason in str(caught.value)
    assert not (tmp_path / "new.h5").exists()


def external_link(file):
    file["pixels"] = h5py.ExternalLink("/etc/passwd", "/")


def external_storage(file):
    file.create_dataset("pixels", PIXELS.shape, "u1",
                        external=[("/etc/passwd", 0, h5py.h5f.UNLIMITED)])


def virtual_data(file):
    layout = h5py.VirtualLayout(PIXELS.shape, "u1")
    layout[:] = h5py.VirtualSource("/etc/passwd", "x", PIXELS.shape)
    file.create_virtual_dataset("pixels", layout)


def soft_link(file):
    file["pixels"] = h5py.SoftLink("/pixels")


def group(file):
    file.create_group("pixels")


def huge(file):
    file.create_dataset("pixels", (1 << 40, 48, 48), "u1", chunks=(1, 48, 48))


@pytest.mark.parametrize("fill", [external_link, external_storage, virtual_data, soft_link, group,
                                  huge], ids=lambda fill: fill.__name__)
def test_nothing_outside_the_file_is_followed(main, tmp_path, fill):
    source = written(tmp_path / "old.h5", emotion=EMOTION, usage=USAGE)
    with h5py.File(source, "r+") as file:
        fill(file)
    with pytest.raises(SystemExit, match="holds no array pixels|expected whole numbers"):
        main([str(source), "--out", str(tmp_path / "new.h5")])


def test_a_sealed_file_and_the_file_itself_are_not_sealed_again(main, tmp_path):
    write_prepared(tmp_path / "a.h5", PIXELS, EMOTION, USAGE)
    with pytest.raises(SystemExit, match="has a seal already: give it to --data"):
        main([str(tmp_path / "a.h5"), "--out", str(tmp_path / "new.h5")])
    source = str(written(tmp_path / "old.h5", **ARRAYS))
    with pytest.raises(SystemExit, match="is the source itself: give another name"):
        main([source, "--out", source])
    (tmp_path / "x.csv").write_text("")
    with pytest.raises(SystemExit, match="--ferplus needs the CSV or the pictures"):
        main([source, "--ferplus", str(tmp_path / "x.csv"), "--out", str(tmp_path / "new.h5")])


@pytest.mark.parametrize("content", [b"", b"\x89HDF\r\n\x1a\n", b"no HDF5"])
def test_a_damaged_file_is_one_clear_error(main, tmp_path, content):
    (tmp_path / "old.h5").write_bytes(content)
    with pytest.raises(SystemExit, match="prepare_data: "):
        main([str(tmp_path / "old.h5"), "--out", str(tmp_path / "new.h5")])


def test_prepare_says_where_a_prepared_file_belongs(tmp_path):
    write_prepared(tmp_path / "a.h5", PIXELS, EMOTION, USAGE)
    with pytest.raises(ValueError, match="is an HDF5 file, expected a download: give it to --data"):
        prepare(tmp_path / "a.h5", tmp_path / "b.h5")


def test_a_download_is_prepared(main, tmp_path, capsys):
    (tmp_path / "fer2013.csv").write_bytes(csv_text("fer2013"))
    main([str(tmp_path / "fer2013.csv"), "--out", str(tmp_path / "new.h5")])
    np.testing.assert_array_equal(read_prepared(tmp_path / "new.h5")["pixels"], PIXELS)
    assert "seconds: " in capsys.readouterr().out
