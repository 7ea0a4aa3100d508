"""Tests of the tables that people have: what each form of a table means, and that this is said."""
import bz2
import gzip
import lzma

import numpy as np
import pytest
from downloads import EMOTION, NAMES, PIXELS, ROWS, TEXTS, USAGE, quiet

from cs231n_fer.data_utils import compressed
from cs231n_fer.data_utils.fer2013 import EMOTIONS
from cs231n_fer.data_utils.prepared import read_prepared

ALL = range(ROWS)
WORDS = {0: "train", 1: "val", 2: "test"}
SINGLE = [f"pixel_{i}" for i in range(2304)]


def table(header, row, rows=ALL):
    """Return a text of a header and of row(i) for each row."""
    return "".join(f"{line}\n" for line in [header, *map(row, rows)])


def rows_of(text, emotion="{emotion}", usage="{usage}", change=lambda text: text):
    """Return a table in Kaggle's order whose cells are spelt otherwise."""
    return table(text, lambda i: ",".join([
        emotion.format(emotion=EMOTION[i], name=EMOTIONS[EMOTION[i]]), change(TEXTS[i]),
        usage.format(usage=NAMES[i], word=WORDS[USAGE[i]])]))


HEADER = "emotion,pixels,Usage"
PLAIN = rows_of(HEADER)
FORMS = {  # name: (text or bytes, part of what is said)
    "an index without a name": (
        table("," + HEADER, lambda i: f"{i},{EMOTION[i]},{TEXTS[i]},{NAMES[i]}"), "not used: ''"),
    "further columns": (
        table("id,person," + HEADER, lambda i: f"7,A. B.,{EMOTION[i]},{TEXTS[i]},{NAMES[i]}"),
        "not used: 'id', 'person'"),
    "other names of columns": (PLAIN.replace(HEADER, "Label,Pixels,Split"),
                               "class in 'Label', split in 'Split'"),
    "semicolons": (PLAIN.replace(",", ";"), "columns separated by ';'"),
    "tabs": (PLAIN.replace(",", "\t"), r"columns separated by '\t'"),
    "double spaces": (rows_of(HEADER, change=lambda t: " " + t.replace(" ", "  ")), "pixels in"),
    "a list": (rows_of(HEADER, change=lambda t: f'"[{t.replace(" ", ", ")}]"'), "pixels in"),
    "commas in a table of semicolons": (
        table(HEADER.replace(",", ";"),
              lambda i: f"{EMOTION[i]};{TEXTS[i].replace(' ', ',')};{NAMES[i]}"), "';'"),
    "classes by name": (rows_of(HEADER, "{name}"), "'Fear' = Fear (2)"),
    "classes in capitals, quoted": (rows_of(HEADER, '"{name}"').replace("Anger", "ANGRY"),
                                    "'ANGRY' = Anger (2)"),
    "classes as floats": (rows_of(HEADER, "{emotion}.0"), "'3.0' = Happy (2)"),
    "splits by other names": (rows_of(HEADER, usage="{word}"), "'test' = test (3)"),
    "a column for each pixel": (
        table("emotion," + ",".join(SINGLE) + ",Usage",
              lambda i: f"{EMOTION[i]},{TEXTS[i].replace(' ', ',')},{NAMES[i]}"),
        "2,304 columns from 'pixel_0' to 'pixel_2303'"),
    "columns of pixels sorted by name": (
        table("emotion," + ",".join(sorted(SINGLE)) + ",Usage",
              lambda i: ",".join([str(EMOTION[i]), *(str(PIXELS[i].ravel()[int(name[6:])])
                                                     for name in sorted(SINGLE)), NAMES[i]])),
        "2,304 columns from 'pixel_0' to 'pixel_2303'"),
    "UTF-16": (PLAIN.encode("utf-16"), "pixels in"),
    "UTF-16, big end first": (b"\xfe\xff" + PLAIN.encode("utf-16-be"), "pixels in"),
    "UTF-32": (PLAIN.encode("utf-32"), "pixels in"),
    "gzip": (gzip.compress(PLAIN.encode()), "pixels in"),
    "bzip2": (bz2.compress(PLAIN.encode()), "pixels in"),
    "xz": (lzma.compress(PLAIN.encode()), "pixels in"),
    "UTF-16 in gzip": (gzip.compress(PLAIN.encode("utf-16")), "pixels in"),
}


def assert_all_rows(found):
    for name, expected in (("pixels", PIXELS), ("emotion", EMOTION), ("usage", USAGE)):
        np.testing.assert_array_equal(found[name], expected, err_msg=name)


@pytest.mark.parametrize("form", FORMS)
def test_a_table_of_another_form_gives_the_same_rows_and_says_how_it_was_read(tmp_path, form):
    content, words = FORMS[form]
    (tmp_path / "a.csv").write_bytes(content if isinstance(content, bytes) else content.encode())
    _, said = quiet(tmp_path / "a.csv", tmp_path / "out.h5")
    assert_all_rows(read_prepared(tmp_path / "out.h5"))
    assert words in said


@pytest.mark.skipif(compressed.zstd is None, reason="this Python cannot unpack Zstandard")
def test_a_table_packed_by_zstandard_is_read(tmp_path):
    (tmp_path / "a.csv.zst").write_bytes(compressed.zstd.compress(PLAIN.encode()))
    quiet(tmp_path / "a.csv.zst", tmp_path / "out.h5")
    assert_all_rows(read_prepared(tmp_path / "out.h5"))


def test_a_split_called_test_is_the_public_one_where_there_is_no_validation(tmp_path):
    text = PLAIN.replace("PublicTest", "test").replace("PrivateTest", "test")
    (tmp_path / "a.csv").write_text(text)
    quiet(tmp_path / "a.csv", tmp_path / "out.h5")
    np.testing.assert_array_equal(read_prepared(tmp_path / "out.h5")["usage"], np.minimum(USAGE, 1))


def test_the_name_of_a_file_without_splits_says_its_split(tmp_path):
    header = "emotion,pixels"
    for code, word in WORDS.items():
        rows = np.flatnonzero(USAGE == code)
        text = table(header, lambda i: f"{EMOTION[i]},{TEXTS[i]}", rows)
        (tmp_path / f"{word}-faces.csv").write_text(text)
    paths = [tmp_path / f"{word}-faces.csv" for word in WORDS.values()]
    _, said = quiet(paths, tmp_path / "out.h5")
    assert_all_rows(read_prepared(tmp_path / "out.h5"))
    assert "so all rows are PublicTest, by the name of the file" in said


UNCLEAR = {  # name: header
    "a column without a name behind others": "emotion,pixels,",
    "no class, but another column": "mood,pixels,Usage",
    "too few columns of pixels": "emotion," + ",".join(SINGLE[1:]),
    "a column too many beside single pixels": "emotion,person," + ",".join(SINGLE),
    "a pixel twice": "emotion," + ",".join([*SINGLE[1:], SINGLE[1]]),
}


@pytest.mark.parametrize("name", UNCLEAR)
def test_a_header_whose_columns_cannot_be_told_is_refused(tmp_path, name):
    (tmp_path / "a.csv").write_text(UNCLEAR[name] + "\n1,2,3\n")
    with pytest.raises(ValueError, match="expected a header of the columns") as caught:
        quiet(tmp_path / "a.csv", tmp_path / "out.h5")
    assert len(str(caught.value)) < 500


BAD = {  # name: (row that stands between good ones, reason)
    "a pixel of 256 in a list": ("1,\"[" + TEXTS[1].replace(" ", ", ").rsplit(" ", 1)[0]
                                 + " 256]\",Training", "pixel 2304 is '256'"),
    "a text behind quotes": (f'1,"{TEXTS[1]}"7,Training', "quote"),
    "a NUL in a class": (f"1\0,{TEXTS[1]},Training", "emotion is '1"),
    "a column too many, quoted": (f'1,"{TEXTS[1]}","Training",', "has 4 columns, expected 3"),
    "a column too few, quoted": (f'1,"{TEXTS[1]}"', "has 2 columns, expected 3"),
}


@pytest.mark.parametrize("name", BAD)
def test_a_row_that_pandas_would_bend_is_named_and_the_others_are_read(tmp_path, name):
    row, reason = BAD[name]
    head, rest = PLAIN.split("\n", 1)
    (tmp_path / "a.csv").write_text(f"{head}\n{row}\n{rest}")
    with pytest.raises(ValueError, match="a.csv line 2: .*"):
        quiet(tmp_path / "a.csv", tmp_path / "out.h5")
    summary, _ = quiet(tmp_path / "a.csv", tmp_path / "out.h5", skip_bad=True)
    (place, why), = summary["left_out"]
    assert place == "a.csv line 2" and reason in why
    assert_all_rows(read_prepared(tmp_path / "out.h5"))
