"""Tests of the layouts of other data sets: RAF-DB's numbers and FER+'s votes mean their classes."""
import numpy as np
import pytest
from downloads import PIXELS, quiet
from PIL import Image

from cs231n_fer.data_utils import Rules
from cs231n_fer.data_utils.prepared import read_prepared

# RAF-DB's 1 to 7 as codes of FER2013.
RAF = {1: 5, 2: 2, 3: 1, 4: 3, 5: 4, 6: 0, 7: 6}


def put(path, number):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(PIXELS[number]).convert("RGB").save(path, quality=95)


def raf_in_folders(folder):
    for number, code in enumerate(RAF):
        put(folder / "train" / str(code) / f"train_{number:05}_aligned.jpg", number)
    put(folder / "test" / "4" / "test_0001_aligned.jpg", 8)


def raf_with_a_list(folder):
    lines = [f"train_{number:05}.jpg {code}" for number, code in enumerate(RAF)]
    for number in range(7):
        put(folder / "basic" / "Image" / "aligned" / f"train_{number:05}_aligned.jpg", number)
        put(folder / "basic" / "Image" / "original" / f"train_{number:05}.jpg", 9)
    put(folder / "basic" / "Image" / "aligned" / "test_0001_aligned.jpg", 8)
    target = folder / "basic" / "EmoLabel" / "list_patition_label.txt"
    target.parent.mkdir()
    target.write_text("\n".join([*lines, "test_0001.jpg 4", ""]))


@pytest.mark.parametrize("make", [raf_in_folders, raf_with_a_list])
def test_rafs_numbers_mean_its_classes(tmp_path, make):
    make(tmp_path / "raf")
    _, said = quiet(tmp_path / "raf", tmp_path / "out.h5")
    found = read_prepared(tmp_path / "out.h5")
    assert found["usage"].tolist() == [1] + [0] * 7  # "test" comes before "train"
    assert found["emotion"].tolist() == [3, *RAF.values()]
    # JPEG changes noise by little enough that no picture is taken for another.
    distance = np.abs(found["pixels"][:, None].astype(int) - PIXELS).mean(axis=(2, 3))
    assert distance.argmin(axis=1).tolist() == [8, *range(7)]
    assert "RAF-DB's layout: classes by" in said


def test_folders_from_1_to_7_of_other_pictures_are_refused(tmp_path):
    for code in RAF:
        put(tmp_path / "faces" / "train" / str(code) / "a.png", code)
    with pytest.raises(ValueError, match="numbered from 1 to 7, expected 0 to 6"):
        quiet(tmp_path / "faces", tmp_path / "out.h5", skip_bad=True)


VOTES = {  # name of a class of FER+: code
    "neutral": 6, "happiness": 3, "surprise": 5, "sadness": 4, "anger": 0, "disgust": 1, "fear": 2}


def ferplus(folder, *extra):
    for split, first in (("Train", 0), ("Valid", 7)):
        lines = list(extra)
        for place in range(7 if split == "Train" else 2):
            votes = [1] * 10
            votes[place] = 5
            lines.append(f'fer{place}.png,"(0, 0, 48, 48)",{",".join(map(str, votes))}')
            put(folder / f"FER2013{split}" / f"fer{place}.png", first + place)
        (folder / f"FER2013{split}" / "label.csv").write_text("\n".join([*lines, ""]))


def test_ferplus_own_folders_give_the_class_with_most_votes(tmp_path):
    ferplus(tmp_path / "plus")
    _, said = quiet(tmp_path / "plus", tmp_path / "out.h5")
    found = read_prepared(tmp_path / "out.h5")
    assert found["emotion"].tolist() == [*VOTES.values(), 6, 3]
    assert found["usage"].tolist() == [0] * 7 + [1] * 2
    np.testing.assert_array_equal(found["pixels"], PIXELS[:9])
    assert "the class is the one with most votes" in said


@pytest.mark.parametrize("votes, reason", [
    ("5,5,0,0,0,0,0,0,0,0", "'a tie'"), ("0,0,0,0,0,0,0,9,1,0", "--further leave-out"),
    ("0,0,0,0,0,0,0,0,0,9", "'NF'")])
def test_votes_for_no_class_of_fer2013_are_a_bad_row(tmp_path, votes, reason):
    ferplus(tmp_path / "plus", f'odd.png,"(0, 0, 48, 48)",{votes}')
    put(tmp_path / "plus" / "FER2013Train" / "odd.png", 9)
    with pytest.raises(ValueError, match="1 bad rows") as caught:
        quiet(tmp_path / "plus", tmp_path / "out.h5")
    assert reason in str(caught.value)
    rules = Rules(leave_out="leave-out" in reason)
    quiet(tmp_path / "plus", tmp_path / "out.h5", skip_bad=not rules.leave_out, rules=rules)
    np.testing.assert_array_equal(read_prepared(tmp_path / "out.h5")["pixels"], PIXELS[:9])


def test_lists_that_cannot_be_read_are_named(tmp_path):
    ferplus(tmp_path / "plus", "fer0.png,1,2")
    with pytest.raises(ValueError, match="label.csv line 1 has 3 columns, expected"):
        quiet(tmp_path / "plus", tmp_path / "out.h5")
    raf_with_a_list(tmp_path / "raf")
    target = tmp_path / "raf" / "basic" / "EmoLabel" / "list_patition_label.txt"
    target.write_text("train_00000.jpg 8\n")
    with pytest.raises(ValueError, match="list_patition_label.txt line 1 is 'train_00000.jpg 8'"):
        quiet(tmp_path / "raf", tmp_path / "out.h5")
