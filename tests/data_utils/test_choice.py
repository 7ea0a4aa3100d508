"""Tests of what is read: the files that people have, wherever and however they lie in data/."""
import bz2
import gzip
import io
import lzma
import tarfile
import zipfile

import numpy as np
import pytest
from downloads import EMOTION, PIXELS, ROWS, USAGE, csv_text, quiet
from found_data import found_rows, put, silent, write_pictures, zipped

from cs231n_fer.data_utils import compressed, find_data, load_data
from cs231n_fer.data_utils.prepared import read_prepared, write_prepared

CSV = csv_text("fer2013")
FIRST_FOUR = CSV[:CSV.index(b"\n4,") + 1]


def tarred(content, mode, name="fer2013/fer2013.csv"):
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode=mode) as archive:
        info = tarfile.TarInfo(name)
        info.size = len(content)
        archive.addfile(info, io.BytesIO(content))
    return file.getvalue()


PACKED = {"plain": CSV, "gzip": gzip.compress(CSV), "bzip2": bz2.compress(CSV),
          "xz": lzma.compress(CSV), "zip": zipped(CSV), "tar": tarred(CSV, "w"),
          "tar.gz": tarred(CSV, "w:gz"), "tar.bz2": tarred(CSV, "w:bz2"),
          "tar.xz": tarred(CSV, "w:xz"), "csv.gz in a zip": zipped(gzip.compress(CSV), "a.csv.gz")}
NAMES = ["fer2013.csv", "fer2013.csv.gz", "fer2013.csv.bz2", "fer2013.csv.xz", "fer2013.csv.zip",
         "archive.tar.gz", "faces.tar", "fer2013.data"]


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("packed", [name for name in PACKED if name != "plain"])
def test_a_compressed_file_is_recognised_by_its_content_not_its_name(tmp_path, packed, name):
    if name.endswith(".zip") and packed != "zip":
        pytest.skip("refused as a .zip that is not complete")
    if name.endswith((".tar.gz", ".tar")) and "tar" not in packed and packed != "zip":
        pytest.skip("refused as a .tar that is not complete")
    quiet(put(tmp_path / name, PACKED[packed]), tmp_path / "out.h5")
    np.testing.assert_array_equal(read_prepared(tmp_path / "out.h5")["pixels"], PIXELS)


@pytest.mark.parametrize("path, packed", [
    ("fer2013.csv", "plain"), ("fer2013/fer2013.csv", "plain"), ("archive/fer2013.csv", "plain"),
    ("FER2013.csv", "plain"), ("a/b/Fer2013.CSV", "plain"), ("a/icml_face_data.csv", "plain"),
    ("fer2013.csv.gz", "gzip"), ("a/fer2013.csv.xz", "xz"), ("fer2013.csv.zip", "zip"),
    ("fer2013.csv", "zip"), ("fer2013.csv", "tar.gz"), ("a/b/archive.zip", "zip"),
    ("Fer2013.TAR.GZ", "tar.gz"), ("fer2013.tar.bz2", "tar.bz2"), ("faces of mine.csv", "plain")])
def test_a_download_in_data_is_found_where_people_unpack_it(place, path, packed):
    put(place / "data" / path, PACKED[packed])
    said = []
    np.testing.assert_array_equal(found_rows(said.append), PIXELS)
    assert path in said[0] and find_data(say=silent) == place / "data" / "fer2013.h5"


@pytest.mark.parametrize("above", ["", "archive", "a/b"])
@pytest.mark.parametrize("splits", [("train", "test"), ("Train", "Test"), ("TRAIN", "Validation"),
                                    ("Training", "PublicTest")])
def test_pictures_in_data_are_found_in_any_case(place, above, splits):
    write_pictures(place / "data" / above, splits)
    np.testing.assert_array_equal(np.sort(found_rows(silent), axis=0),
                                  np.sort(PIXELS[:6], axis=0))


@pytest.mark.parametrize("path", ["a/b/c/fer2013.csv", ".hidden/fer2013.csv", "cache/fer2013.csv",
                                  "fer2013new.csv", "cifar-10-python.tar.gz", "notes.txt",
                                  "cifar-10-batches-py/fer2013.csv", "diagram.png"])
def test_what_is_no_download_of_faces_is_not_taken_for_one(place, path):
    put(place / "data" / path, CSV)
    assert find_data(say=silent) is None


def test_of_several_downloads_the_choice_and_the_rest_are_said(place):
    put(place / "data" / "archive" / "fer2013.csv", FIRST_FOUR)
    put(place / "data" / "archive.zip", PACKED["zip"])
    put(place / "data" / "fer2013.csv", CSV)
    put(place / "data" / "train.csv", csv_text("train"))
    said = []
    np.testing.assert_array_equal(found_rows(said.append), PIXELS)
    assert "data: found " in said[0] and "data/fer2013.csv, preparing it once" in said[0]
    for name in ("archive/fer2013.csv", "archive.zip", "train.csv"):
        assert name in said[0].split("not used: ")[1]


def test_train_and_test_in_any_case_go_together_and_tests_of_other_folders_do_not(place):
    put(place / "data" / "Train.csv", csv_text("train"))
    put(place / "data" / "other" / "test.csv", csv_text("test"))
    assert len(found_rows(silent)) == (USAGE == 0).sum()
    (place / "data" / "fer2013.h5").unlink()
    put(place / "data" / "TEST.CSV", csv_text("test"))
    assert len(found_rows(silent)) == ROWS
    quiet(place / "data" / "Train.csv", place / "out.h5")
    assert len(read_prepared(place / "out.h5")["pixels"]) == ROWS


def test_data_of_the_working_directory_comes_before_that_of_the_repository(place):
    repository = place / "other" / "data"
    repository.mkdir(parents=True)
    write_prepared(repository / "fer2013.h5", PIXELS[:4], EMOTION[:4], USAGE[:4])
    assert find_data(say=silent) == repository / "fer2013.h5"
    put(place / "data" / "fer2013.csv", CSV)
    assert find_data(say=silent) == place / "data" / "fer2013.h5"


def test_a_list_of_labels_beside_pictures_hides_none(tmp_path):
    for name in ("labels.csv", "train.csv", "fer2013.csv"):
        folder = write_pictures(tmp_path / name)
        put(folder / name, b"image,emotion\n0.png,angry\n")
        _, said = quiet(folder, tmp_path / "out.h5")
        assert len(read_prepared(tmp_path / "out.h5")["pixels"]) == 6
        assert f"not read: {name}" in said


def test_a_list_of_labels_beside_pictures_in_an_archive_hides_none(tmp_path):
    folder = write_pictures(tmp_path / "faces")
    put(folder / "labels.csv", b"image,emotion\n0.png,angry\n")
    with zipfile.ZipFile(tmp_path / "faces.zip", "w") as archive:
        for file in folder.rglob("*.*"):
            archive.write(file, file.relative_to(tmp_path))
    quiet(tmp_path / "faces.zip", tmp_path / "out.h5")
    assert len(read_prepared(tmp_path / "out.h5")["pixels"]) == 6


def test_a_list_of_labels_beside_a_table_of_faces_needs_no_choice(tmp_path):
    put(tmp_path / "labels.csv", b"image,emotion\n0.png,angry\n")
    put(tmp_path / "faces.csv", CSV)
    quiet(tmp_path, tmp_path / "out.h5")
    np.testing.assert_array_equal(read_prepared(tmp_path / "out.h5")["pixels"], PIXELS)


def test_a_table_of_faces_beside_pictures_is_read_and_the_pictures_are_said(tmp_path):
    put(write_pictures(tmp_path) / "fer2013.csv", CSV)
    _, said = quiet(tmp_path, tmp_path / "out.h5")
    np.testing.assert_array_equal(read_prepared(tmp_path / "out.h5")["pixels"], PIXELS)
    assert "not read: 6 pictures" in said


@pytest.mark.parametrize("copy", ["images", "images/images", "train/train"])
@pytest.mark.parametrize("packed", [False, True])
def test_nested_copies_of_pictures_are_counted_once(tmp_path, copy, packed):
    folder = write_pictures(tmp_path / "faces")
    write_pictures(folder / copy)
    source = folder
    if packed:
        source = tmp_path / "faces.zip"
        with zipfile.ZipFile(source, "w") as archive:
            for file in folder.rglob("*.png"):
                archive.write(file, file.relative_to(folder))
    summary, said = quiet(source, tmp_path / "out.h5")
    assert summary["rows"] == 6 and f"not read: {copy}/test, {copy}/train" in said


def test_splits_in_folders_of_their_own_are_all_read(tmp_path):
    write_pictures(tmp_path / "part 1", ("train",))
    write_pictures(tmp_path / "part 2", ("test",))
    assert quiet(tmp_path, tmp_path / "out.h5")[0]["rows"] == 6


def test_two_sets_of_pictures_side_by_side_are_the_users_choice(tmp_path):
    for name in ("a", "b"):
        write_pictures(tmp_path / name)
    with pytest.raises(ValueError, match=r"has \w+ pictures in a and in b: name the one"):
        quiet(tmp_path, tmp_path / "out.h5")


def test_an_archive_in_a_folder_is_read(tmp_path):
    put(tmp_path / "down" / "archive.zip", PACKED["zip"])
    quiet(tmp_path / "down", tmp_path / "out.h5")
    np.testing.assert_array_equal(read_prepared(tmp_path / "out.h5")["pixels"], PIXELS)


@pytest.mark.parametrize("count", [1, 2, 5, 14])
def test_a_few_rows_without_validation_are_divided_or_refused_clearly(place, count):
    train = csv_text("train").splitlines(keepends=True)
    path = put(place / "data" / "train.csv", b"".join([train[0], *(train[1:] * 3)[:count]]))
    if count == 1:
        with pytest.raises(ValueError, match="has 1 labeled rows of Training, expected at least"):
            load_data(say=silent)
    else:
        data = load_data(path, say=silent)
        assert len(data["X_val"]) == max(1, round(0.1 * count))
        assert len(data["X_train"]) == count - len(data["X_val"])


def test_rows_without_any_label_and_shares_out_of_range_are_refused(place):
    write_prepared(place / "a.h5", PIXELS, np.full(ROWS, 255, np.uint8), USAGE)
    with pytest.raises(ValueError, match="has 0 labeled rows of Training"):
        load_data(place / "a.h5")
    for share in (-0.1, 1, 1.5, np.nan):
        with pytest.raises(ValueError, match="hold_out is .*, expected 0 to below 1"):
            load_data(place / "a.h5", hold_out=share)
    with pytest.raises(ValueError, match="synthetic_train is 0, expected at least 1"):
        load_data("synthetic", synthetic_train=0)


DAMAGED = {"gzip": PACKED["gzip"][:-9], "bzip2": PACKED["bzip2"][:-20], "xz": PACKED["xz"][:-40],
           "gzip's head": PACKED["gzip"][:5], "xz's head": PACKED["xz"][:9],
           "bzip2 inside": PACKED["bzip2"][:60] + bytes(9) + PACKED["bzip2"][69:]}


@pytest.mark.parametrize("name", DAMAGED)
def test_a_damaged_compressed_file_is_one_clear_error(tmp_path, name):
    put(tmp_path / "a.csv", DAMAGED[name])
    with pytest.raises(ValueError, match="source: .*a.csv is damaged .*: download it again"):
        quiet(tmp_path / "a.csv", tmp_path / "out.h5")


def test_a_compressed_bomb_is_not_unpacked(tmp_path, monkeypatch):
    put(tmp_path / "a.csv.gz", gzip.compress(CSV[:CSV.index(b"\n") + 1] + b"x" * (1 << 24)))
    monkeypatch.setattr(compressed.unpacked, "__defaults__", (1 << 20,))
    with pytest.raises(ValueError, match="a.csv.gz has more than 1,048,576 bytes when unpacked"):
        quiet(tmp_path / "a.csv.gz", tmp_path / "out.h5", skip_bad=True)


def test_zstandard_is_unpacked_or_named(tmp_path):
    if compressed.zstd is not None:
        put(tmp_path / "a.csv.zst", compressed.zstd.compress(CSV))
        quiet(tmp_path / "a.csv.zst", tmp_path / "out.h5")
        np.testing.assert_array_equal(read_prepared(tmp_path / "out.h5")["pixels"], PIXELS)
        return
    put(tmp_path / "a.csv", b"\x28\xb5\x2f\xfd" + bytes(20))
    with pytest.raises(ValueError, match="is compressed with Zstandard, .*unpack it first"):
        quiet(tmp_path / "a.csv", tmp_path / "out.h5")


def test_a_path_without_a_name_is_not_the_working_directory(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    put(tmp_path / "fer2013.csv", CSV)
    with pytest.raises(ValueError, match="data: got '', expected the path of a file or a folder"):
        find_data("", silent)
