"""Tests of finding data: the order of places, errors for missing files, results of load_data."""

import os
import pathlib

import numpy as np
import pytest

from cs231n_fer import data_utils
from cs231n_fer.data_utils import EMOTIONS, choice, find_data, load_data, normalise
from cs231n_fer.data_utils.prepared import read_prepared, write_prepared

COUNT = 30
PIXELS = np.random.default_rng(3).integers(0, 256, (COUNT, 48, 48)).astype(np.uint8)
EMOTION = (np.arange(COUNT) % 7).astype(np.uint8)
USAGE = np.repeat([0, 1, 2], 10).astype(np.uint8)
for array in (PIXELS, EMOTION, USAGE):
    array.setflags(write=False)
TEXTS = [" ".join(map(str, face.ravel().tolist())) for face in PIXELS]
CSV = "emotion,pixels,Usage\n" + "".join(
    f"{EMOTION[i]},{TEXTS[i]},{data_utils.USAGES[USAGE[i]]}\n" for i in range(COUNT))


def silent(line):
    pass


def written(path, emotion=EMOTION):
    write_prepared(path, PIXELS, emotion, USAGE)
    return path


def test_an_explicit_path_comes_before_the_variable_and_that_before_data(place, monkeypatch):
    explicit, variable, default = (written(place / name)
                                   for name in ("a.h5", "b.h5", "data/fer2013.h5"))
    monkeypatch.setenv("CS231N_FER_DATA", str(variable))
    assert find_data(explicit) == explicit
    assert find_data() == variable
    monkeypatch.setenv("CS231N_FER_DATA", "")
    assert find_data() == default


def test_the_data_folder_of_the_repository_serves_from_anywhere(place):
    expected = written(place / "other" / "data" / "fer2013.h5")
    assert find_data() == expected
    (place / "data").rmdir()
    assert find_data() == expected


@pytest.mark.parametrize("name", ["fer2013.csv", "icml_face_data.csv", "train.csv"])
def test_a_csv_in_data_is_prepared_once(place, name):
    (place / "data" / name).write_text(CSV)
    found = find_data(say=silent)
    assert found == place / "data" / "fer2013.h5"
    np.testing.assert_array_equal(read_prepared(found)["pixels"], PIXELS)
    (place / "data" / name).unlink()
    assert find_data(say=silent) == found


def test_two_archives_in_data_are_the_users_choice(place):
    for name in ("a.zip", "b.tar.gz"):
        (place / "data" / name).write_bytes(b"")
    with pytest.raises(ValueError, match=r"2 archives \(a.zip, b.tar.gz\)"):
        find_data()


def test_a_named_csv_is_prepared_in_the_cache_and_reused_until_it_changes(place):
    (place / "mine.csv").write_text(CSV)
    said = []
    first = find_data(place / "mine.csv", say=said.append)
    assert first.parent == place / "data" / "cache" and first.name.startswith("mine-")
    assert find_data(place / "mine.csv", say=said.append) == first
    assert "was prepared before" in said[-1]
    (place / "mine.csv").write_text(CSV.rstrip("\n").rsplit("\n", 1)[0] + "\n")
    second = find_data(place / "mine.csv", say=silent)
    assert second != first and len(read_prepared(second)["pixels"]) == COUNT - 1
    os.utime(place / "mine.csv", ns=(1, 1))  # the same size, another modification time
    assert find_data(place / "mine.csv", say=silent) != second


def test_a_missing_path_is_an_error_that_says_what_to_download(place, monkeypatch):
    with pytest.raises(FileNotFoundError, match="data: there is no nowhere.h5") as caught:
        load_data("nowhere.h5")
    assert "challenges-in-representation" in str(caught.value)
    monkeypatch.setenv("CS231N_FER_DATA", str(place / "gone.csv"))
    with pytest.raises(FileNotFoundError, match="CS231N_FER_DATA: there is no .*gone.csv"):
        load_data()


def test_bad_rows_of_a_found_file_stop_the_run(place):
    (place / "data" / "fer2013.csv").write_text(CSV + "8,1 2 3,Training\n")
    with pytest.raises(ValueError, match="emotion is '8'"):
        load_data(say=silent)
    assert not (place / "data" / "fer2013.h5").exists()


def test_without_data_the_synthetic_faces_are_used_and_it_is_said_loudly(place):
    said = []
    data = load_data(synthetic_train=20, synthetic_val=6, synthetic_test=0, seed=4, say=said.append)
    banner = "\n".join(said)
    for words in ("SYNTHETIC", "fer2013.csv", "deadskull7/fer2013", "challenges-in-representation",
                  "data/"):
        assert words in banner
    assert data["X_train"].shape == (20, 1, 48, 48) and data["X_val"].shape == (6, 1, 48, 48)
    assert data["y_train"].dtype == np.int64 and "X_test" not in data and "seed 4" in data["source"]
    np.testing.assert_allclose([data["X_train"].mean(), data["X_train"].std()], [0, 1], atol=1e-3)
    again = load_data(synthetic_train=30, synthetic_val=6, synthetic_test=0, seed=4, say=silent)
    raw, more = (d["X_train"][:20] * np.float32(d["std"]) + d["mean_image"] for d in (data, again))
    np.testing.assert_allclose(raw, more, atol=0.01)  # a sample depends on (seed, index) only


def test_load_data_gives_each_split_normalised_with_the_training_statistics(place):
    data = load_data(written(place / "a.h5"))
    training = PIXELS[USAGE == 0].astype(np.float64)
    mean = training.mean(axis=0)
    for code, name in enumerate(("train", "val", "test")):
        expected = (PIXELS[USAGE == code] - mean) / (training - mean).std()
        tolerance = 8 * np.finfo(np.float32).eps * 255 / data["std"]
        np.testing.assert_allclose(data[f"X_{name}"][:, 0], expected, rtol=0, atol=tolerance)
        np.testing.assert_array_equal(data[f"y_{name}"], EMOTION[USAGE == code])
        assert data[f"X_{name}"].dtype == np.float32 and data[f"y_{name}"].dtype == np.int64
    assert data["class_names"] == EMOTIONS and data["source"] == str(place / "a.h5")


def test_votes_come_with_the_faces_they_are_for(place):
    votes = np.random.default_rng(0).integers(0, 11, (COUNT, 10)).astype(np.uint8)
    write_prepared(place / "a.h5", PIXELS, EMOTION, USAGE, votes)
    data = load_data(place / "a.h5")
    for code, name in enumerate(("train", "val", "test")):
        np.testing.assert_array_equal(data[f"votes_{name}"], votes[USAGE == code])
    assert not any(key.startswith("votes") for key in load_data(written(place / "b.h5")))


def test_unlabelled_rows_are_no_test_rows_and_training_rows_stand_in_for_validation(place):
    path = written(place / "a.h5", np.where(USAGE == 0, EMOTION, 255).astype(np.uint8))
    said = []
    data = load_data(path, hold_out=0.3, say=said.append)
    assert len(data["X_train"]) == 7 and len(data["X_val"]) == 3 and "X_test" not in data
    assert "3 rows of Training" in said[0] and "3 rows of Training" in data["source"]
    both = np.concatenate([data["X_train"], data["X_val"]])
    expected = normalise(PIXELS[:10], data["mean_image"], data["std"])
    np.testing.assert_array_equal(np.sort(both[:, 0, 0, 0]), np.sort(expected[:, 0, 0, 0]))
    assert "X_val" not in load_data(path, hold_out=0)


@pytest.mark.parametrize("pixels, mean, std", [
    (PIXELS[0], PIXELS[0], 1.0), (PIXELS, np.zeros((48, 47)), 1.0),
    (PIXELS, np.zeros((48, 48)), 0.0), (PIXELS, np.zeros((48, 48)), np.nan)])
def test_normalise_refuses_what_does_not_fit(pixels, mean, std):
    with pytest.raises(ValueError, match="normalise: pixels"):
        normalise(pixels, mean, std)


def test_normalise_takes_pictures_with_or_without_the_channel_axis():
    mean = np.full((48, 48), 100, np.float32)
    one = normalise(PIXELS, mean, 50.0)
    np.testing.assert_array_equal(one, normalise(PIXELS[:, None], mean, 50.0))
    np.testing.assert_array_equal(one, normalise(PIXELS.astype(np.float64), mean, 50.0))
    assert one.shape == (COUNT, 1, 48, 48) and one.dtype == np.float32


def test_the_readme_of_data_names_the_files_that_the_code_looks_for():
    readme = pathlib.Path(__file__).parents[2] / "data" / "README.md"
    for name in (*choice.TABLES, "fer2013.h5", "CS231N_FER_DATA", "--data", "--skip-bad",
                 "data/cache"):
        assert name in readme.read_text(encoding="utf-8"), name
