"""Tests of Kaggle's CSV files: every bad row is named, and the real files give the known figures.
"""

import io
import os
import pathlib

import h5py
import numpy as np
import pytest
from downloads import EMOTION, PIXELS, ROWS, TEXTS, csv_text, quiet

from cs231n_fer.data_utils import fer2013
from cs231n_fer.data_utils.fer2013 import BadRows
from cs231n_fer.data_utils.kaggle import BATCH, decode_pixels, pixel_fault, read_csv
from cs231n_fer.data_utils.prepared import read_prepared
from cs231n_fer.data_utils.summary import summarise


def pixel(value, position=7):
    values = TEXTS[1].split(" ")
    values[position] = value
    return " ".join(values)


BAD_ROWS = {  # name: (row of fer2013.csv without its line end, part of the reason)
    "too few pixels": (f"1,{TEXTS[1].rsplit(' ', 1)[0]},Training",
                       "has 2,303 pixels, expected 2,304"),
    "too many pixels": (f"1,{TEXTS[1]} 5,Training", "has 2,305 pixels"),
    "pixel of 256": (f"1,{pixel('256')},Training", "pixel 8 is '256', expected 0 to 255"),
    "pixel of 999": (f"1,{pixel('999')},Training", "pixel 8 is '999'"),
    "pixel of four digits": (f"1,{pixel('0001')},Training", "at most three digits"),
    "negative pixel": (f"1,{pixel('-1')},Training", "pixel 8 is '-1', expected a whole number"),
    "pixel with a sign": (f"1,{pixel('+5')},Training", "pixel 8 is '+5'"),
    "pixel with a point": (f"1,{pixel('12.5')},Training", "pixel 8 is '12.5'"),
    "pixel with an underscore": (f"1,{pixel('1_0')},Training", "pixel 8 is '1_0'"),
    "pixel in Arabic digits": (f"1,{pixel('٣')},Training", "pixel 8 is "),
    "pixel that is nan": (f"1,{pixel('nan')},Training", "pixel 8 is 'nan'"),
    "pixel with a NUL": (f"1,{pixel(chr(0))},Training", "pixel 8 is "),
    "first pixel is bad": (f"1,{pixel('x', 0)},Training", "pixel 1 is 'x'"),
    "last pixel is bad": (f"1,{pixel('x', 2303)},Training", "pixel 2304 is 'x'"),
    "tab between pixels": (f"1,{TEXTS[1].replace(' ', chr(9), 1)},Training", "pixel 1 is "),
    "space in place of a pixel": (f"1,{pixel('')},Training", "has 2,303 pixels"),
    "no pixels": ("1,,Training", "pixels are empty"),
    "emotion 7": (f"7,{TEXTS[1]},Training", "emotion is '7', expected 0 to 6"),
    "emotion 255": (f"255,{TEXTS[1]},Training", "emotion is '255'"),
    "emotion of no such name": (f"Bored,{TEXTS[1]},Training", "emotion is 'Bored', expected 0"),
    "emotion 1.5": (f"1.5,{TEXTS[1]},Training", "emotion is '1.5'"),
    "emotion that FER2013 lacks": (f"Contempt,{TEXTS[1]},Training", "--further leave-out"),
    "no emotion": (f",{TEXTS[1]},Training", "emotion is ''"),
    "unknown usage": (f"1,{TEXTS[1]},Testing",
                      "usage is 'Testing', expected one of Training, PublicTest"),
    "no usage": (f"1,{TEXTS[1]},", "usage is ''"),
    "missing column": (f"1,{TEXTS[1]}", "has 2 columns, expected 3"),
    "one column too many": (f"1,{TEXTS[1]},Training,", "has 4 columns, expected 3"),
    "empty line": ("", "is empty"),
    "header again": ("emotion,pixels,Usage", "repeats the header"),
    "open quote": (f'1,"{TEXTS[1]},Training', "pixels has a quote without its partner"),
    "very long line": (f"1,{TEXTS[1] * 10},Training", "is longer than 65,536 bytes"),
}


@pytest.mark.parametrize("bad", BAD_ROWS)
def test_a_bad_row_is_named_by_line_and_reason_and_nothing_is_written(tmp_path, bad):
    row, reason = BAD_ROWS[bad]
    lines = csv_text("fer2013").decode().split("\n")
    lines[2] = row
    (tmp_path / "fer2013.csv").write_text("\n".join(lines), encoding="utf-8")
    out = tmp_path / "out" / "faces.h5"
    with pytest.raises(ValueError, match="1 bad rows, so nothing was written") as caught:
        quiet(tmp_path / "fer2013.csv", out)
    assert reason in str(caught.value).split("fer2013.csv line 3: ")[1]
    assert not out.parent.exists()
    summary, said = quiet(tmp_path / "fer2013.csv", out, skip_bad=True)
    found = read_prepared(out)
    kept = np.arange(ROWS) != 1
    np.testing.assert_array_equal(found["pixels"], PIXELS[kept])
    np.testing.assert_array_equal(found["emotion"], EMOTION[kept])
    assert len(summary["left_out"]) == found["rows_left_out"] == 1
    assert "left out fer2013.csv line 3" in said and "bad rows left out: 1" in said


CUT = {  # form: (bytes cut off the end, reason)
    "fer2013": (3, "usage is 'PrivateTe"),
    "icml": (1, "its last pixel may be cut"),
    "test": (3, "quote without its partner"),
}


@pytest.mark.parametrize("form", CUT)
def test_a_last_line_that_was_cut_off_is_a_bad_row(form):
    cut, reason = CUT[form]
    bad = BadRows()
    faces = read_csv(io.BytesIO(csv_text(form)[:-cut]), "a.csv", bad)
    assert len(bad) == 1 and reason in bad.rows[0][1]
    assert len(faces.pixels) == faces.records - 1


def test_the_first_20_bad_rows_are_shown_and_all_are_counted(tmp_path):
    (tmp_path / "a.csv").write_bytes(csv_text("fer2013") + b"9,1 2,Training\n" * 50)
    with pytest.raises(ValueError, match="50 bad rows") as caught:
        quiet(tmp_path / "a.csv", tmp_path / "out.h5")
    assert str(caught.value).count("a.csv line") == 20 and "and 30 more" in str(caught.value)


def test_endless_bad_rows_end_in_an_error_and_not_in_full_memory(monkeypatch):
    monkeypatch.setattr(fer2013, "MOST_BAD", 10)
    with pytest.raises(ValueError, match="more than 10 bad rows"):
        read_csv(io.BytesIO(b"pixels\n" + b"\n" * 1000), "a.csv", BadRows())


@pytest.mark.parametrize("header", [
    "", "emotion,Usage", "emotion,pixels,pixels", "pixels,mood", "0,1 2 3,Training"])
def test_a_header_of_something_else_is_refused(header):
    with pytest.raises(ValueError, match="expected a header of the columns"):
        read_csv(io.BytesIO(header.encode() + b"\n"), "a.csv", BadRows())


def test_a_bad_row_among_several_batches_costs_only_itself():
    count = 2 * BATCH + 5
    lines = [f"{TEXTS[i % ROWS]}\n" for i in range(count)]
    lines[BATCH + 1] = "1 2 3\n"
    bad = BadRows()
    faces = read_csv(io.BytesIO(("pixels\n" + "".join(lines)).encode()), "a.csv", bad)
    assert bad.rows == [(f"a.csv line {BATCH + 3}", "has 3 pixels, expected 2,304")]
    kept = np.delete(np.arange(count), BATCH + 1)
    np.testing.assert_array_equal(faces.record, kept)
    np.testing.assert_array_equal(faces.pixels, PIXELS[kept % ROWS])
    # The bad row counts
    np.testing.assert_array_equal(faces.usage, np.where(kept < (count + 1) // 2, 1, 2))


def test_the_fast_and_the_slow_reader_of_pixels_agree_on_random_damage():
    rng = np.random.default_rng(0)
    for _ in range(200):
        text = bytearray(TEXTS[0].encode())
        text[rng.integers(len(text))] = rng.choice(list(b"0123456789 -+._,x\t\0\xff"))
        try:
            parts = text.decode("ascii").split(" ")
        except UnicodeDecodeError:
            parts = []
        values = [int(part) for part in parts if part.isdigit() and len(part) < 4]
        right = len(values) == 2304 == text.count(b" ") + 1 and max(values) < 256
        assert (decode_pixels([bytes(text)]) is not None) == right
        assert (pixel_fault(bytes(text)) is None) == right
        both = decode_pixels([TEXTS[1].encode(), bytes(text)])
        assert (both is not None) == right
        if right:
            np.testing.assert_array_equal(both[1].ravel(), values)


def test_two_wrong_lengths_that_sum_to_a_right_one_are_seen():
    assert decode_pixels([TEXTS[0].encode() + b" 5", TEXTS[1].rsplit(" ", 1)[0].encode()]) is None


REAL = os.environ.get("CS231N_FER_REAL", "")


@pytest.mark.skipif(not REAL, reason="CS231N_FER_REAL names no folder with the raw fer2013.h5")
def test_the_real_data_gives_the_known_figures(tmp_path):
    with h5py.File(pathlib.Path(REAL) / "fer2013.h5") as file:
        pixels = file["pixels"][:]
        emotion = file["emotion"][:]
        usage = file["usage"][:]
    digits = [str(i) for i in range(256)]
    paths = tmp_path / "train.csv", tmp_path / "test.csv"
    with open(paths[0], "w", newline="") as train, open(paths[1], "w", newline="") as test:
        train.write("emotion,pixels\r\n")
        test.write("pixels\r\n")
        for face, label, split in zip(pixels, emotion, usage, strict=True):
            text = " ".join([digits[value] for value in face.ravel().tolist()])
            (test if split else train).write(f'"{text}"\r\n' if split else f'{label},"{text}"\r\n')
    summary, _ = quiet(tmp_path / "train.csv", tmp_path / "out.h5")
    found = read_prepared(tmp_path / "out.h5")
    np.testing.assert_array_equal(found["pixels"], pixels)
    np.testing.assert_array_equal(found["usage"], usage)
    np.testing.assert_array_equal(found["emotion"][usage == 0], emotion[usage == 0])
    assert (found["emotion"][usage > 0] == 255).all()
    assert summary["counts"][:, :7].tolist() == [list(fer2013.CLASS_COUNTS[0]), [0] * 7, [0] * 7]
    assert summary["counts"].sum(axis=1).tolist() == list(fer2013.SPLIT_COUNTS)
    assert summary["constant"] == [6458, 7629, 10423, 11286, 13148, 13402, 13988, 15894, 22198,
                                   22927, 28601, 30002]
    assert summary["distinct"] == 34034 and summary["also_in_training"] == [0, 280, 288]
    # With the labels of PublicTest from fer2013.csv.
    labelled = summarise(pixels, emotion, usage)
    known = emotion != 255
    expected = [list(counts) for counts in fer2013.CLASS_COUNTS[:2]]
    assert labelled["counts"][:2, :7].tolist() == expected
    # Ten of them need the labels of PrivateTest.
    assert labelled["conflicting_groups"] == (57 if known.all() else 47)
    np.testing.assert_allclose(float(pixels[usage == 0].mean()), 129.474, atol=5e-4)
