"""Tests of the votes of FER+, which must go to the faces that they are about."""
import gzip

import numpy as np
import pytest
from downloads import EMOTION, NAMES, PIXELS, RNG, ROWS, USAGE, csv_text, quiet
from PIL import Image

from cs231n_fer.data_utils.ferplus import emotion_votes
from cs231n_fer.data_utils.prepared import read_prepared

HEADER = (
    "Usage,Image name,neutral,happiness,surprise,sadness,anger,disgust,fear,contempt,unknown,NF"
)
VOTES = RNG.integers(0, 11, (ROWS, 10)).astype(np.uint8)


def ferplus_lines():
    return [HEADER] + [f"{NAMES[i]},fer{i:07}.png," + ",".join(map(str, VOTES[i]))
                       for i in range(ROWS)]


def test_votes_for_the_seven_emotions_come_in_the_order_of_their_labels():
    # Neutral, happiness, surprise, sadness, anger, disgust, fear...
    votes = np.arange(20).reshape(2, 10)
    np.testing.assert_array_equal(emotion_votes(votes),
                                  [[4, 5, 6, 1, 3, 2, 0], [14, 15, 16, 11, 13, 12, 10]])
    with pytest.raises(ValueError, match=r"votes: got shape \(2, 8\)"):
        emotion_votes(votes[:, :8])


def test_ferplus_votes_are_aligned_by_row_even_where_a_face_is_left_out(tmp_path):
    (tmp_path / "fer2013new.csv").write_text("\r\n".join(ferplus_lines()) + "\r\n", newline="")
    lines = csv_text("fer2013").split(b"\n")
    lines[4] = b"bad"
    (tmp_path / "a.csv").write_bytes(b"\n".join(lines))
    quiet(tmp_path / "a.csv", tmp_path / "out.h5", ferplus=tmp_path / "fer2013new.csv",
          skip_bad=True)
    votes = read_prepared(tmp_path / "out.h5")["ferplus_votes"]
    np.testing.assert_array_equal(votes, np.delete(VOTES, 3, axis=0))


@pytest.mark.parametrize("change, reason", [
    (lambda lines: lines[:-1], "has 11 rows but the faces have 12"),
    (lambda lines: lines[:1] + lines[:0:-1], "name another split"),
    (lambda lines: ["a,b"] + lines[1:], "expected Usage,Image name,neutral"),
    (lambda lines: [*lines[:3], lines[3] + "x", *lines[4:]], "line 4: NF is "),
    (lambda lines: [*lines[:3], lines[3] + ",1", *lines[4:]], "line 4: has 13 columns"),
    (lambda lines: [*lines[:3], "Test" + lines[3], *lines[4:]], "line 4: usage is 'TestTraining'"),
    (lambda lines: [*lines[:3], '"' + lines[3], *lines[4:]], "is no CSV")])
def test_ferplus_of_other_rows_or_with_a_bad_line_is_refused(tmp_path, change, reason):
    (tmp_path / "fer2013new.csv").write_text("\n".join(change(ferplus_lines())))
    (tmp_path / "a.csv").write_bytes(csv_text("fer2013"))
    with pytest.raises(ValueError) as caught:
        quiet(tmp_path / "a.csv", tmp_path / "out.h5", ferplus=tmp_path / "fer2013new.csv")
    assert reason in str(caught.value) and not (tmp_path / "out.h5").exists()


def named_pictures(folder, names):
    """Write the pictures of the rows, each by a name, into folders of their split and emotion."""
    for row, name in names.items():
        target = folder / ("train" if USAGE[row] == 0 else "test") / str(EMOTION[row])
        target.mkdir(parents=True, exist_ok=True)
        Image.fromarray(PIXELS[row]).save(target / name)
    return folder


def test_ferplus_is_read_compressed_too(tmp_path):
    (tmp_path / "fer2013new.csv.gz").write_bytes(gzip.compress("\n".join(ferplus_lines()).encode()))
    (tmp_path / "a.csv").write_bytes(csv_text("fer2013"))
    quiet(tmp_path / "a.csv", tmp_path / "out.h5", ferplus=tmp_path / "fer2013new.csv.gz")
    np.testing.assert_array_equal(read_prepared(tmp_path / "out.h5")["ferplus_votes"], VOTES)


@pytest.mark.parametrize("form", ["fer{:07}.png", "FER{:07}.PNG", "fer{:07}.bmp"])
def test_ferplus_votes_of_pictures_are_matched_by_their_names(tmp_path, form):
    lines = ferplus_lines()
    lines[3] = lines[3].replace("fer0000002.png", "")  # no face
    (tmp_path / "fer2013new.csv").write_text("\n".join(lines))
    rows = [row for row in range(ROWS) if row not in (2, 5)]  # some are left out
    folder = named_pictures(tmp_path / "faces", {row: form.format(row) for row in rows})
    quiet(folder, tmp_path / "out.h5", ferplus=tmp_path / "fer2013new.csv")
    found = read_prepared(tmp_path / "out.h5")
    row_of = {PIXELS[row].tobytes(): row for row in range(ROWS)}
    expected = VOTES[[row_of[face.tobytes()] for face in found["pixels"]]]
    np.testing.assert_array_equal(found["ferplus_votes"], expected)


@pytest.mark.parametrize("names, reason", [
    ({row: f"Training_{row}.jpg" for row in range(ROWS)}, "no picture has a name of"),
    ({row: f"{row}.png" for row in range(ROWS)}, "such as fer0000000.png; the first is '7.png'"),
    ({row: f"fer{row:07}.png" for row in range(ROWS)} | {3: "extra.png"},
     "extra.png: is not listed in fer2013new.csv"),
    ({row: f"fer{row % 6:07}.png" for row in range(ROWS)},
     "names occur several times among the pictures"),
])
def test_ferplus_votes_of_pictures_by_other_names_are_refused(tmp_path, names, reason):
    (tmp_path / "fer2013new.csv").write_text("\n".join(ferplus_lines()))
    folder = named_pictures(tmp_path / "faces", names)
    with pytest.raises(ValueError) as caught:
        quiet(folder, tmp_path / "out.h5", ferplus=tmp_path / "fer2013new.csv")
    assert reason in str(caught.value) and not (tmp_path / "out.h5").exists()


def test_a_name_that_ferplus_lists_twice_needs_the_same_votes(tmp_path):
    lines = ferplus_lines()
    votes = lines[2].split(",", 2)[2]
    lines[3] = f"Training,fer0000001.png,{votes}"  # as four rows of the real file have
    (tmp_path / "fer2013new.csv").write_text("\n".join(lines))
    folder = named_pictures(tmp_path / "faces", {1: "fer0000001.png"})
    quiet(folder, tmp_path / "out.h5", ferplus=tmp_path / "fer2013new.csv")
    np.testing.assert_array_equal(read_prepared(tmp_path / "out.h5")["ferplus_votes"], VOTES[1:2])
    lines[3] = lines[3].replace(votes, "0,0,0,0,0,0,0,0,0,10")
    (tmp_path / "fer2013new.csv").write_text("\n".join(lines))
    with pytest.raises(ValueError, match="fer0000001.png: is listed .* with different votes"):
        quiet(folder, tmp_path / "out.h5", ferplus=tmp_path / "fer2013new.csv")


def test_ferplus_for_tables_and_pictures_at_once_is_refused(tmp_path):
    (tmp_path / "fer2013new.csv").write_text("\n".join(ferplus_lines()))
    folder = named_pictures(tmp_path / "faces", {1: "fer0000001.png"})
    (tmp_path / "a.csv").write_bytes(csv_text("fer2013"))
    with pytest.raises(ValueError, match="the rows of a table or with pictures, not with both"):
        quiet([tmp_path / "a.csv", folder], tmp_path / "out.h5",
              ferplus=tmp_path / "fer2013new.csv")
