"""Tests of prepare: all forms of the download give the same file, and invalid ones give none."""

import hashlib
import io
import os
import tarfile

import numpy as np
import pytest
from downloads import EMOTION, FORMS, PIXELS, ROWS, USAGE, csv_text, pack, quiet
from PIL import Image

from cs231n_fer.data_utils import normalise, sources
from cs231n_fer.data_utils.prepared import read_prepared, statistics, write_prepared
from cs231n_fer.data_utils.summary import format_summary, occur_in, summarise


@pytest.mark.parametrize("container", ["file", "folder", "zip", "tar.gz"])
@pytest.mark.parametrize("form", FORMS)
def test_every_form_that_people_download_gives_the_same_rows(tmp_path, form, container):
    source = pack(tmp_path, {name: csv_text(content) for name, content in FORMS[form].items()},
                  container)
    summary, _ = quiet(source, tmp_path / "out.h5")
    found = read_prepared(tmp_path / "out.h5")
    emotion = np.where(USAGE == 0, EMOTION, 255) if form == "competition" else EMOTION
    for name, expected in (("pixels", PIXELS), ("emotion", emotion), ("usage", USAGE)):
        np.testing.assert_array_equal(found[name], expected, err_msg=name)
        assert found[name].dtype == np.uint8
    assert summary["rows"] == ROWS and summary["left_out"] == []
    if container != "folder" and len(FORMS[form]) == 1:
        assert found["source_sha256"] == hashlib.sha256(source.read_bytes()).hexdigest()


@pytest.mark.parametrize("change", [
    lambda text: b"\xef\xbb\xbf" + text, lambda text: text.replace(b"\n", b"\r\n"),
    lambda text: text[:-1],
    lambda text: text.replace(b"emotion,pixels,Usage", b'"emotion", "pixels", "usage"')],
    ids=["BOM", "CRLF", "no last line end after a complete Usage", "quoted header in lower case"])
def test_harmless_differences_are_tolerated(tmp_path, change):
    (tmp_path / "a.csv").write_bytes(change(csv_text("fer2013")))
    quiet(tmp_path / "a.csv", tmp_path / "out.h5")
    np.testing.assert_array_equal(read_prepared(tmp_path / "out.h5")["pixels"], PIXELS)


FOLDERS = ["angry", "Disgust", "FEAR", "happy", "4", "surprise", "neutral", "anger"]


def save_pictures(folder, count=4):
    for split, first in (("train", 0), ("test", count)):
        for i in range(first, first + count):
            target = folder / split / FOLDERS[i % 8]
            target.mkdir(parents=True, exist_ok=True)
            Image.fromarray(PIXELS[i]).save(target / f"{i}.png")


def test_folders_of_pictures_are_read_with_test_as_public_test(tmp_path):
    save_pictures(tmp_path / "faces")
    quiet(tmp_path / "faces", tmp_path / "out.h5")
    found = read_prepared(tmp_path / "out.h5")
    order = sorted(range(8), key=lambda i: f"{'train' if i < 4 else 'test'}/{FOLDERS[i]}")
    np.testing.assert_array_equal(found["pixels"], PIXELS[order])
    np.testing.assert_array_equal(found["emotion"], np.array([0, 1, 2, 3, 4, 5, 6, 0])[order])
    np.testing.assert_array_equal(found["usage"], np.array([0] * 4 + [1] * 4)[order])
    (tmp_path / "faces" / "test").rename(tmp_path / "faces" / "validation")
    save_pictures(tmp_path / "faces")
    quiet(tmp_path / "faces", tmp_path / "out.h5")
    assert np.bincount(read_prepared(tmp_path / "out.h5")["usage"]).tolist() == [4, 4, 4]


def test_a_colour_picture_becomes_grey_by_its_luma(tmp_path):
    (tmp_path / "train" / "sad").mkdir(parents=True)
    Image.fromarray(np.full((48, 48, 3), (200, 100, 50),
                            np.uint8)).save(tmp_path / "train" / "sad" / "a.png")
    quiet(tmp_path, tmp_path / "out.h5")
    luma = round(0.299 * 200 + 0.587 * 100 + 0.114 * 50)
    assert (read_prepared(tmp_path / "out.h5")["pixels"] == luma).all()


@pytest.mark.parametrize("name, content, reason", [
    ("train/happy/a.png", np.zeros((50, 48), np.uint8), "is 48x50 pixels, expected 48x48"),
    ("train/happy/a.tif", np.full((48, 48), 2, np.float32), "has floats outside 0 to 1"),
    ("train/happy/a.tif", np.zeros((48, 48), np.int32), "has integers of mode I"),
    ("train/happy/a.jpg", b"no picture", "not a readable picture (not one of the formats"),
    ("train/happy/a.png", "cut", "not a readable picture ("),
    ("train/bored/a.png", PIXELS[0], "lies in the emotion folder 'bored'"),
    ("other/happy/a.png", PIXELS[0], "lies in the split folder 'other'"),
    ("a.png", PIXELS[0], "lies in the split folder ''")])
def test_a_bad_picture_is_named(tmp_path, name, content, reason):
    save_pictures(tmp_path / "faces")
    target = tmp_path / "faces" / name
    target.parent.mkdir(parents=True, exist_ok=True)
    if isinstance(content, bytes):
        target.write_bytes(content)
    else:
        Image.fromarray(PIXELS[0] if isinstance(content, str) else content).save(target)
    if isinstance(content, str):
        target.write_bytes(target.read_bytes()[:900])
    with pytest.raises(ValueError, match="1 bad rows") as caught:
        quiet(tmp_path / "faces", tmp_path / "out.h5")
    assert name in str(caught.value) and reason in str(caught.value)


@pytest.mark.parametrize("limit, files", [
    ("LARGEST_CSV", {"fer2013.csv": csv_text("fer2013")}), ("LARGEST_OTHER", {"x": b"0" * 99})])
@pytest.mark.parametrize("container", ["zip", "tar.gz"])
def test_a_member_that_declares_too_many_bytes_is_never_read(
        tmp_path, monkeypatch, limit, files, container):
    monkeypatch.setattr(sources, limit, 50)
    with pytest.raises(ValueError, match="declares .* bytes, expected at most 50"):
        quiet(pack(tmp_path, files, container), tmp_path / "out.h5")


@pytest.mark.parametrize("container", ["zip", "tar.gz"])
def test_a_damaged_or_cut_archive_is_reported(tmp_path, container):
    source = pack(tmp_path, {"fer2013.csv": csv_text("fer2013")}, container)
    content = source.read_bytes()
    for damaged in (content[:len(content) // 2], content[:500] + b"\0" * 200 + content[700:]):
        source.write_bytes(damaged)
        with pytest.raises(ValueError, match="download it again"):
            quiet(source, tmp_path / "out.h5")
        assert not (tmp_path / "out.h5").exists()


def test_nothing_is_extracted_whatever_a_member_is_called(tmp_path):
    inner = tmp_path / "inner"
    inner.mkdir()
    with tarfile.open(inner / "evil.tar.gz", "w:gz") as archive:
        info = tarfile.TarInfo("../fer2013.csv")
        info.size = len(csv_text("fer2013"))
        archive.addfile(info, io.BytesIO(csv_text("fer2013")))
    quiet(inner / "evil.tar.gz", inner / "out.h5")
    assert sorted(file.name for file in tmp_path.rglob("*")) == ["evil.tar.gz", "inner", "out.h5"]


def test_a_link_in_an_archive_is_refused(tmp_path):
    with tarfile.open(tmp_path / "a.tar.gz", "w:gz") as archive:
        info = tarfile.TarInfo("fer2013.csv")
        info.type = tarfile.SYMTYPE
        info.linkname = "/etc/passwd"
        archive.addfile(info)
    with pytest.raises(ValueError, match="a link or a device"):
        quiet(tmp_path / "a.tar.gz", tmp_path / "out.h5")


def test_a_choice_between_files_is_the_users(tmp_path):
    for name in ("a.csv", "b.csv"):
        (tmp_path / name).write_bytes(csv_text("fer2013"))
    with pytest.raises(ValueError, match="name the one to read"):
        quiet(tmp_path, tmp_path / "out.h5")
    (tmp_path / "fer2013.csv").write_bytes(csv_text("fer2013"))
    assert "not read: a.csv, b.csv" in quiet(tmp_path, tmp_path / "out.h5")[1]


def test_a_folder_without_faces_says_what_to_download(tmp_path):
    with pytest.raises(ValueError, match="deadskull7/fer2013"):
        quiet(tmp_path, tmp_path / "out.h5")
    with pytest.raises(FileNotFoundError, match="there is no"):
        quiet(tmp_path / "missing.csv", tmp_path / "out.h5")


def test_test_csv_alone_is_refused_because_statistics_need_training_rows(tmp_path):
    (tmp_path / "test.csv").write_bytes(csv_text("test"))
    with pytest.raises(ValueError, match="no Training rows"):
        quiet(tmp_path / "test.csv", tmp_path / "out.h5")


def test_statistics_come_from_training_only_and_equal_their_definition(tmp_path):
    (tmp_path / "a.csv").write_bytes(csv_text("fer2013"))
    quiet(tmp_path / "a.csv", tmp_path / "out.h5")
    found = read_prepared(tmp_path / "out.h5")
    training = PIXELS[USAGE == 0].astype(np.float64)
    assert found["mean_image"].dtype == np.float32
    np.testing.assert_allclose(found["mean_image"], training.mean(axis=0),
                               rtol=np.finfo(np.float32).eps)
    np.testing.assert_allclose(found["std"], (training - training.mean(axis=0)).std(), rtol=1e-12)


def test_statistics_of_equal_pictures_can_be_divided_by():
    assert statistics(np.full((3, 48, 48), 9, np.uint8))[1] == 1.0


def test_a_failed_write_leaves_the_old_file_and_no_other(tmp_path, monkeypatch):
    (tmp_path / "out.h5").write_bytes(b"old")
    monkeypatch.setattr(os, "fsync", lambda handle: (_ for _ in ()).throw(OSError("disk full")))
    with pytest.raises(OSError, match="disk full"):
        write_prepared(tmp_path / "out.h5", PIXELS, EMOTION, USAGE)
    assert [file.name for file in tmp_path.iterdir()] == ["out.h5"]
    assert (tmp_path / "out.h5").read_bytes() == b"old"


def test_the_summary_counts_constant_pictures_duplicates_and_leaks():
    pixels = np.zeros((7, 48, 48), np.uint8)
    pixels[:, 0, 0] = [0, 1, 1, 2, 1, 2, 3]
    emotion = np.array([0, 1, 2, 3, 255, 255, 6], np.uint8)
    usage = np.array([0, 0, 0, 0, 1, 2, 2], np.uint8)
    summary = summarise(pixels, emotion, usage)
    assert summary["constant"] == [0] and summary["distinct"] == 4
    assert summary["duplicates"] == [1, 0, 0] and summary["also_in_training"] == [0, 1, 1]
    assert summary["conflicting_groups"] == 1
    assert summary["counts"].sum() == 7 and summary["counts"][1, 7] == 1
    assert "differs" in format_summary(summary)


def test_faces_that_occur_among_others_are_found_also_after_normalising():
    pixels = np.random.default_rng(0).integers(0, 256, (6, 48, 48)).astype(np.uint8)
    others = np.concatenate([pixels[[3, 0, 3]], pixels[[1]] ^ np.uint8(1)])
    for change in (lambda p: p, lambda p: normalise(p, np.full((48, 48), 99.7, np.float32), 55.3)):
        assert occur_in(change(pixels),
                        change(others)).tolist() == [True, False, False, True, False, False]
    with pytest.raises(ValueError, match="images, others: got uint8"):
        occur_in(pixels, others.astype(np.float32))
