"""Tests of prepared files whose sources changed: they are named, and made again or refused."""
import os

import numpy as np
import pytest
from downloads import EMOTION, PIXELS, ROWS, USAGE, csv_text, quiet
from found_data import found_rows, put, silent, write_pictures, zipped

from cs231n_fer.data_utils import find_data
from cs231n_fer.data_utils.prepared import read_prepared, write_prepared

CSV = csv_text("fer2013")
FIRST_FOUR = CSV[:CSV.index(b"\n4,") + 1]


def test_the_prepared_file_that_is_used_is_named_with_what_it_was_made_of(place):
    put(place / "data" / "fer2013.csv", CSV)
    find_data(say=silent)
    put(place / "data" / "new" / "archive.zip", zipped(CSV))
    said = []
    find_data(say=said.append)
    assert said == [f"data: using {place}/data/fer2013.h5, prepared from fer2013.csv; "
                    "not used: new/archive.zip"]


@pytest.mark.parametrize("path", ["fer2013.csv", "sub/fer2013.csv", "train.csv", "archive.zip"])
def test_a_source_that_was_replaced_is_prepared_again(place, path):
    put(place / "data" / path, zipped(FIRST_FOUR) if "zip" in path else FIRST_FOUR)
    assert len(found_rows(silent)) < ROWS
    put(place / "data" / path, zipped(CSV) if "zip" in path else CSV)
    said = []
    np.testing.assert_array_equal(found_rows(said.append), PIXELS)
    assert "has changed since" in said[0] and "preparing it again" in said[0]
    said.clear()
    find_data(say=said.append)
    assert "using" in said[0]


def test_pictures_that_were_added_or_replaced_are_prepared_again(place):
    write_pictures(place / "data", ("train",))
    assert len(found_rows(silent)) == 3
    write_pictures(place / "data", ("train", "test"))
    assert len(found_rows(silent)) == 6
    write_pictures(place / "data", ("train", "test"), shift=3)
    np.testing.assert_array_equal(found_rows(silent), PIXELS[[6, 7, 8, 3, 4, 5]])


def test_a_test_csv_that_was_added_or_replaced_is_noticed(place):
    put(place / "data" / "train.csv", csv_text("train"))
    put(place / "data" / "test.csv", csv_text("test"))
    find_data(say=silent)
    lines = csv_text("test").splitlines(keepends=True)
    put(place / "data" / "test.csv", b"".join(lines[:-1]))
    assert len(found_rows(silent)) == ROWS - 1


def test_a_source_of_the_same_size_is_told_by_its_time_and_then_by_its_content(place):
    path = put(place / "data" / "fer2013.csv", CSV)
    find_data(say=silent)
    os.utime(path, ns=(1, 1))
    said = []
    find_data(say=said.append)
    assert "using" in said[0]  # touched, but the same
    last_pixel = CSV.rindex(b",")
    other = CSV[:last_pixel - 1] + (b"1" if CSV[last_pixel - 1:last_pixel] != b"1" else b"2")
    put(path, other + CSV[last_pixel:])
    find_data(say=said.append)
    assert "has changed" in said[1]


@pytest.mark.parametrize("options", ["votes", "bad rows"])
def test_a_file_made_with_options_is_not_made_again_without_them(place, options):
    path = put(place / "data" / "fer2013.csv", CSV + b"8,1,Training\n" * (options == "bad rows"))
    prepared = place / "data" / "fer2013.h5"
    quiet(path, prepared, skip_bad=True)
    if options == "votes":
        found = read_prepared(prepared)
        write_prepared(prepared, PIXELS, EMOTION, USAGE, np.ones((ROWS, 10), np.uint8),
                       {name: found[name] for name in found if name.startswith("source")})
    put(path, FIRST_FOUR)
    before = prepared.read_bytes()
    with pytest.raises(ValueError, match="has changed since .*with --ferplus or --skip-bad"):
        find_data()
    assert prepared.read_bytes() == before


def test_a_file_of_an_earlier_version_is_compared_by_its_digest(place):
    path = put(place / "data" / "fer2013.csv", CSV)
    quiet(path, place / "data" / "fer2013.h5")
    digest = read_prepared(place / "data" / "fer2013.h5")["source_sha256"]
    write_prepared(place / "data" / "fer2013.h5", PIXELS[:4], EMOTION[:4], USAGE[:4], None,
                   {"source": "fer2013.csv", "source_sha256": digest})
    assert len(found_rows(silent)) == 4
    put(path, CSV + b"")
    assert len(found_rows(silent)) == 4
    put(path, FIRST_FOUR)
    assert len(found_rows(silent)) == FIRST_FOUR.count(b"\n") - 1


def test_a_prepared_file_goes_on_serving_when_its_source_is_gone(place):
    path = put(place / "data" / "fer2013.csv", CSV)
    find_data(say=silent)
    path.unlink()
    np.testing.assert_array_equal(found_rows(silent), PIXELS)


def test_other_files_in_data_that_cannot_be_chosen_or_read_do_no_harm(place):
    put(place / "data" / "fer2013.csv", CSV)
    find_data(say=silent)
    (place / "data" / "fer2013.csv").unlink()
    put(place / "data" / "a.zip", zipped(FIRST_FOUR))
    put(place / "data" / "b.zip", b"PK damaged")
    put(place / "data" / "c.csv", b"\x1f\x8b damaged")
    put(place / "data" / "d.csv", b"\x1f\x8b damaged")
    np.testing.assert_array_equal(found_rows(silent), PIXELS)
