"""Tests of invalid CSV files: files without faces are refused, bad rows are named and counted."""
import gzip
import io

import numpy as np
import pytest
from downloads import EMOTION, PIXELS, TEXTS, csv_text, quiet

from cs231n_fer.data_utils.fer2013 import BadRows
from cs231n_fer.data_utils.ferplus import LARGEST
from cs231n_fer.data_utils.kaggle import read_csv
from cs231n_fer.data_utils.prepared import read_prepared

GOOD = csv_text("fer2013")
FIRST = GOOD.index(b"\n") + 1
HEADER = GOOD[:FIRST]
ROWS = GOOD[FIRST:]
TEXT = TEXTS[1].encode()


def pixel(value):
    return TEXTS[1].replace(" ", f" {value} ", 1).rsplit(" ", 1)[0].encode()


def row(emotion=b"1", pixels=TEXT, usage=b"Training"):
    return b",".join([emotion, pixels, usage])


WHOLE_FILES = {  # name: (content, part of the error)
    "zero bytes": (b"", "the first line of a.csv is ''; expected a header of the columns pixels"),
    "a BOM alone": (b"\xef\xbb\xbf", "the first line of a.csv"),
    "an empty first line": (b"\n" + GOOD, "the first line of a.csv is ''"),
    "no header": (ROWS, "the first line of a.csv is '0,"),
    "a renamed column": (GOOD.replace(b"pixels", b"pixel", 1),
                         "is 'emotion,pixel,Usage'; expected a header"),
    "a missing column of pixels": (b"emotion,Usage\n0,Training\n",
                                   "is 'emotion,Usage'; expected a header"),
    "a column twice": (GOOD.replace(b"Usage", b"Pixels", 1),
                       "is 'emotion,pixels,Pixels'; expected a header"),
    "a column without a name": (GOOD.replace(b"Usage", b"", 1),
                                "is 'emotion,pixels,'; expected a header"),
    "colons": (GOOD.replace(b",", b":"), "is 'emotion:pixels:Usage'"),
    "UTF-16 without a BOM": (GOOD.decode().encode("utf-16-le"), "the first line of a.csv is '"),
    "UTF-32 without a BOM": (GOOD.decode().encode("utf-32-le"), "the first line of a.csv is '"),
    "old line ends, CR alone": (GOOD.replace(b"\n", b"\r"), "the first line of a.csv is 'emotion"),
    "a text packed by gzip": (gzip.compress(b"text\n", mtime=0),
                              "the first line of a.csv is 'text'"),
    "half of a gzip": (gzip.compress(GOOD, mtime=0)[:-9], "a.csv is damaged"),
    "a page that asks to log in": (b"<!DOCTYPE html>\n<html>",
                                   "the first line of a.csv is '<!DOCTYPE html>'"),
    "a megabyte of zeros": (bytes(1 << 20), "the first line of a.csv is '"),
    "a header and nothing else": (HEADER, "a.csv has a header and no rows: download it again"),
    "a header without an end": (HEADER.strip(), "a.csv has a header and no rows"),
    "a header of a megabyte": (b"emotion,pixels,Usage" + b"," * (1 << 20), "expected a header"),
    "only bad rows": (HEADER + b"1,2,3\n" * 3, "no Training rows were read"),
    "only test rows": (HEADER + ROWS.replace(b"Training", b"PublicTest"),
                       "no Training rows were read"),
}


@pytest.mark.parametrize("name", WHOLE_FILES)
def test_a_file_that_is_no_table_of_faces_is_refused_with_what_came_and_what_was_expected(
        tmp_path, name):
    content, reason = WHOLE_FILES[name]
    (tmp_path / "a.csv").write_bytes(content)
    with pytest.raises(ValueError) as caught:
        quiet(tmp_path / "a.csv", tmp_path / "out.h5", skip_bad=True)
    assert str(caught.value).startswith("source: ")
    assert reason in str(caught.value)
    assert len(str(caught.value)) < 500
    assert not (tmp_path / "out.h5").exists()


BAD_ROWS = {  # name: (lines that stand for one row, number of bad rows, part of the reason)
    "label -1": (row(b"-1"), 1, "emotion is '-1', expected 0 to 6"),
    "label of no such name": (row(b"bored"), 1, "emotion is 'bored'"),
    "label of two digits": (row(b"01"), 1, "emotion is '01'"),
    "label of a thousand digits": (row(b"1" * 1000), 1, "emotion is '" + "1" * 40 + "...'"),
    "label NaN": (row(b"nan"), 1, "emotion is 'nan'"),
    "usage of no such name": (row(usage=b"practice"), 1, "usage is 'practice'"),
    "pixel 1e309": (row(pixels=pixel("1e309")), 1,
                    "pixel 2 is '1e309', expected a whole number 0 to 255"),
    "pixel inf": (row(pixels=pixel("inf")), 1, "pixel 2 is 'inf'"),
    "pixel in hexadecimal": (row(pixels=pixel("0x1f")), 1, "pixel 2 is '0x1f'"),
    "pixel -0": (row(pixels=pixel("-0")), 1, "pixel 2 is '-0'"),
    "pixel of 300 digits": (row(pixels=pixel("9" * 300)), 1, "pixel 2 is '" + "9" * 40 + "...'"),
    "pixel in superscript": (row(pixels=pixel("²")), 1, r"pixel 2 is '\xb2'"),
    "pixel in Latin-1": (row(pixels=pixel("1").replace(b" 1 ", b" \xe9 ", 1)), 1, r"is '\\xe9'"),
    "no-break spaces": (row(pixels=TEXTS[1].replace(" ", "\xa0").encode()), 1,
                        "expected a whole number"),
    "commas between pixels": (row(pixels=TEXTS[1].replace(" ", ",").encode()), 1,
                              "has 2306 columns, expected 3"),
    "a newline in quotes": (row(pixels=b'"' + TEXTS[1].replace(" ", "\n", 1).encode() + b'"'), 2,
                            "has 2 columns"),
    "a newline between pixels": (row(pixels=TEXTS[1].replace(" ", "\n", 1).encode()), 2,
                                 "has 2 columns, expected 3"),
    "a quote within": (row(pixels=b'"' + TEXTS[1].replace(" ", ' " ', 1).encode() + b'"'), 1,
                       "pixel 2 is "),
    "a carriage return within": (row(pixels=TEXTS[1].replace(" ", "\r", 1).encode()), 1,
                                 "pixel 1 is "),
    "a BOM in the middle": (row(b"\xef\xbb\xbf1"), 1, "emotion is '"),
    "NUL bytes": (bytes(3000), 1, "has 1 columns, expected 3"),
    "a megabyte of digits": (row(pixels=b"7" * (1 << 20)), 1, "is longer than 65,536 bytes"),
    "a file joined to another": (HEADER.strip(), 1, "repeats the header"),
}


@pytest.mark.parametrize("name", BAD_ROWS)
def test_a_bad_row_is_left_out_and_counted_and_the_others_are_read(tmp_path, name):
    lines, count, reason = BAD_ROWS[name]
    (tmp_path / "a.csv").write_bytes(HEADER + lines + b"\n" + ROWS)
    with pytest.raises(ValueError, match=f"{count} bad rows, so nothing was written .*mend them"):
        quiet(tmp_path / "a.csv", tmp_path / "out.h5")
    summary, said = quiet(tmp_path / "a.csv", tmp_path / "out.h5", skip_bad=True)
    found = read_prepared(tmp_path / "out.h5")
    assert len(summary["left_out"]) == found["rows_left_out"] == count
    assert f"bad rows left out: {count}" in said
    assert reason in summary["left_out"][0][1] and summary["left_out"][0][0] == "a.csv line 2"
    np.testing.assert_array_equal(found["pixels"], PIXELS)
    np.testing.assert_array_equal(found["emotion"], EMOTION)


def test_a_file_that_is_larger_than_any_table_of_votes_is_not_read(tmp_path):
    (tmp_path / "a.csv").write_bytes(GOOD)
    with open(tmp_path / "fer2013new.csv", "wb") as file:
        file.truncate(LARGEST + 1)
    with pytest.raises(ValueError,
                       match="ferplus: fer2013new.csv has 33,554,433 bytes, expected at most "
                             "33,554,432"):
        quiet(tmp_path / "a.csv", tmp_path / "out.h5", ferplus=tmp_path / "fer2013new.csv")


class Endless(io.RawIOBase):
    """A stream of a start and then `size` bytes of filling, which are not kept in memory."""

    def __init__(self, start, filling, size):
        self.start = start
        self.filling = filling
        self.left = size
        self.most = 0

    def readable(self):
        return True

    def readinto(self, buffer):
        self.most = max(self.most, len(buffer))
        block = self.start or (self.filling * (len(buffer) // len(self.filling) + 1))[:self.left]
        block, self.start = block[:len(buffer)], self.start[len(buffer):]
        self.left -= 0 if self.start else len(block)
        buffer[:len(block)] = block
        return len(block)


@pytest.mark.parametrize("start", [b"", HEADER, GOOD], ids=["first", "second", "last"])
def test_a_line_of_a_gigabyte_is_never_in_memory(start):
    stream = Endless(start, b"7 " * (1 << 19), 1 << 30)
    bad = BadRows()
    if not start:
        with pytest.raises(ValueError, match="the first line of a.csv is '7 7"):
            read_csv(stream, "a.csv", bad)
    else:
        assert len(read_csv(stream, "a.csv", bad).pixels) == len(PIXELS) * (start == GOOD)
        reasons = [reason for _, reason in bad.rows]
        assert reasons == ["is longer than 65,536 bytes, expected at most 9,300"]
        assert stream.left == 0
    assert stream.most <= 1 << 20
