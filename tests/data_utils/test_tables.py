"""Tests of the tables that people have: what each form of a table means, and that this is said."""
import bz2
import gzip
import io
import json
import lzma
import sys

import numpy as np
import pytest
from downloads import EMOTION, NAMES, PIXELS, ROWS, TEXTS, USAGE, quiet
from PIL import Image

from cs231n_fer.data_utils import Rules, compressed, find_data, npz
from cs231n_fer.data_utils.fer2013 import EMOTIONS
from cs231n_fer.data_utils.pictures import read_picture
from cs231n_fer.data_utils.pixels import center_square, resized
from cs231n_fer.data_utils.prepared import read_prepared
from cs231n_fer.data_utils.splitting import draw_splits

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


def test_a_bad_pixel_of_a_wide_table_is_named_and_the_other_rows_are_read(tmp_path):
    content, _ = FORMS["a column for each pixel"]
    head, *lines = content.splitlines()
    for cell, reason in (("256", "pixel 3 is '256'"), ("-1", "pixel 3 is '-1'"), ("", "has 2,303"),
                         ("9" * 30, "pixel 3 is '9999"), ("1.5", "pixel 3 is '1.5'")):
        fields = lines[0].split(",")
        fields[3] = cell
        (tmp_path / "a.csv").write_text("\n".join([head, ",".join(fields), *lines, ""]))
        summary, _ = quiet(tmp_path / "a.csv", tmp_path / "out.h5", skip_bad=True)
        (place, why), = summary["left_out"]
        assert place == "a.csv line 2" and reason in why
        assert_all_rows(read_prepared(tmp_path / "out.h5"))


@pytest.mark.parametrize("word", ["contempt", "Contempt", "7", "7.0"])
def test_a_class_that_fer2013_lacks_is_refused_or_left_out_and_said(tmp_path, word):
    rows = PLAIN.splitlines(keepends=True)
    extra = f"{word},{TEXTS[0]},Training\n"
    (tmp_path / "a.csv").write_text("".join([*rows, extra, extra]))
    with pytest.raises(ValueError, match="2 bad rows.*"):
        quiet(tmp_path / "a.csv", tmp_path / "out.h5")
    summary, said = quiet(tmp_path / "a.csv", tmp_path / "out.h5", rules=Rules(leave_out=True))
    assert f"further classes: '{word}' = left out (2)" in said and not summary["left_out"]
    assert_all_rows(read_prepared(tmp_path / "out.h5"))


def one_hot(labels):
    return np.eye(7, dtype=np.float32)[labels]


X = PIXELS
ARRAYS = {  # name: (arrays of the file, part of what is said)
    "X and y": ({"X": X, "y": EMOTION, "usage": np.array(NAMES)}, "X uint8"),
    "three splits": ({f"{kind}_{word}": array[USAGE == code] for code, word in WORDS.items()
                      for kind, array in (("x", X), ("y", EMOTION))}, "x_train uint8"),
    "a channel behind": ({"X": X[..., None], "y": EMOTION, "split": np.array(NAMES)}, "48, 48, 1)"),
    "a channel before": ({"X": X[:, None], "y": EMOTION, "split": np.array(NAMES)}, "1, 48, 48)"),
    "rows of pixels": ({"X": X.reshape(ROWS, -1), "y": EMOTION, "split": np.array(NAMES)}, "2304)"),
    "RGB": ({"X": np.repeat(X[..., None], 3, -1), "y": EMOTION, "split": np.array(NAMES)}, "3)"),
    "floats from 0 to 1": ({"X": (X / 255).astype(np.float32), "y": EMOTION,
                            "split": np.array(NAMES)}, "on the scale 0 to 1"),
    "floats from 0 to 255": ({"X": X.astype(np.float64), "y": EMOTION.astype(np.float32),
                              "split": np.array(NAMES)}, "float64"),
    "a single 1 for the class": ({"X": X, "y": one_hot(EMOTION), "split": np.array(NAMES)}, "7)"),
    "classes by name": ({"pixels": X, "labels": np.array(EMOTIONS)[EMOTION],
                         "split": np.array(NAMES).astype("S")}, "'Sad' = Sad"),
}


@pytest.mark.parametrize("name", ARRAYS)
def test_arrays_in_an_npz_file_give_the_same_rows_and_are_said(tmp_path, name):
    arrays, words = ARRAYS[name]
    np.savez_compressed(tmp_path / "a.npz", **arrays)
    _, said = quiet(tmp_path / "a.npz", tmp_path / "out.h5")
    assert_all_rows(read_prepared(tmp_path / "out.h5"))
    assert words in said


BAD_ARRAYS = {  # name: (arrays, reason)
    "Python objects": ({"X": X, "y": EMOTION.astype(object)}, "allow_pickle"),
    "no classes": ({"X": X}, "expected X and y"),
    "other names": ({"a": X, "b": EMOTION}, "expected X and y"),
    "X and X_train": ({"X": X, "y": EMOTION, "X_train": X, "y_train": EMOTION}, "expected X and y"),
    "X_test without y_test": ({"X_train": X, "y_train": EMOTION, "X_test": X}, "X_test"),
    "fewer classes": ({"X": X, "y": EMOTION[1:]}, "y is uint8 (11,)"),
    "NaN": ({"X": np.full(X.shape, np.nan), "y": EMOTION}, "X reaches from nan"),
    "normalized": ({"X": X - 129.5, "y": EMOTION}, "undo a normalization"),
    "complex": ({"X": X.astype(complex), "y": EMOTION}, "expected numbers"),
    "two ones for a class": ({"X": X, "y": np.ones((ROWS, 7))}, "a single 1"),
    "another size": ({"X": np.zeros((3, 50, 48)), "y": EMOTION[:3]}, "is 48x50 pixels"),
}


@pytest.mark.parametrize("name", BAD_ARRAYS)
def test_arrays_that_are_no_faces_are_refused_in_one_line(tmp_path, name):
    arrays, reason = BAD_ARRAYS[name]
    np.savez(tmp_path / "a.npz", **arrays)
    with pytest.raises(ValueError) as caught:
        quiet(tmp_path / "a.npz", tmp_path / "out.h5", skip_bad=True)
    assert str(caught.value).startswith("source: a.npz") and reason in str(caught.value)
    assert "\n" not in str(caught.value) and not (tmp_path / "out.h5").exists()


@pytest.mark.parametrize("content", [b"", b"PK\3\4", b"\x93NUMPY" + bytes(99), bytes(1000)])
def test_a_damaged_npz_file_is_named(tmp_path, content):
    (tmp_path / "a.npz").write_bytes(content)
    with pytest.raises(ValueError, match="source: a.npz cannot be read"):
        quiet(tmp_path / "a.npz", tmp_path / "out.h5")


def test_arrays_that_declare_too_many_bytes_are_not_unpacked(tmp_path, monkeypatch):
    monkeypatch.setattr(npz, "LARGEST_CSV", 999)
    np.savez_compressed(tmp_path / "a.npz", X=X, y=EMOTION)
    with pytest.raises(ValueError, match="declares .* bytes, expected at most 999"):
        quiet(tmp_path / "a.npz", tmp_path / "out.h5")


def save_without_splits(folder, side=48):
    """Write 28 pictures, four of each class, and a copy of the first, into folders of classes."""
    rng = np.random.default_rng(3)
    for number in range(28):
        target = folder / EMOTIONS[number % 7].lower()
        target.mkdir(parents=True, exist_ok=True)
        picture = rng.integers(0, 256, (side, side + 2 * (side != 48))).astype(np.uint8)
        if number < 7:
            Image.fromarray(picture).save(target / "copy.png")
        Image.fromarray(picture).save(target / f"{number}.png")


def test_folders_without_splits_are_drawn_into_splits_of_equal_proportions(tmp_path):
    save_without_splits(tmp_path / "faces")
    with pytest.raises(ValueError, match="to draw splits give --split"):
        quiet(tmp_path / "faces", tmp_path / "out.h5")
    found = []
    for seed in (0, 0, 1):
        rules = Rules(split=(0.6, 0.2, 0.2), seed=seed)
        _, said = quiet(tmp_path / "faces", tmp_path / "out.h5", rules=rules)
        found.append(read_prepared(tmp_path / "out.h5"))
        assert f"splits drawn anew (seed {seed}" in said
    np.testing.assert_array_equal(found[0]["usage"], found[1]["usage"])
    assert (found[0]["usage"] != found[2]["usage"]).any()
    for one in found:
        places = {}
        for face, split in zip(one["pixels"], one["usage"], strict=True):
            places.setdefault(face.tobytes(), set()).add(split)
        assert len(places) == 28 and all(len(splits) == 1 for splits in places.values())
        for code in range(7):
            counts = np.bincount(one["usage"][one["emotion"] == code], minlength=3)
            assert counts.sum() == 5 and np.abs(counts - [3, 1, 1]).max() <= 1


@pytest.mark.parametrize("split", [(0.8, 0.1), (0.8, 0.1, 0.2), (1.1, -0.1, 0), (0, 0.5, 0.5),
                                   (np.nan, 0, 0)])
def test_fractions_that_are_no_splits_are_refused(split):
    with pytest.raises(ValueError, match="split: got"):
        draw_splits(PIXELS, EMOTION, split, np.random.default_rng(0))


@pytest.mark.parametrize("fractions", [(0.8, 0.1, 0.1), (0.7, 0.3, 0), (1, 0, 0)])
def test_drawn_splits_have_their_fractions_of_every_class(fractions):
    rng = np.random.default_rng(1)
    emotion = np.repeat(np.arange(7), 100).astype(np.uint8)
    pixels = rng.integers(0, 256, (700, 4, 4)).astype(np.uint8)
    usage = draw_splits(pixels, emotion, fractions, rng)
    for code in range(7):
        counts = np.bincount(usage[emotion == code], minlength=3)
        np.testing.assert_array_equal(counts, np.rint(np.array(fractions) * 100))


def test_pictures_of_other_sizes_are_resized_where_that_is_asked_for_and_counted(tmp_path):
    save_without_splits(tmp_path / "faces" / "train", 30)
    with pytest.raises(ValueError, match="is 32x30 pixels, expected 48x48"):
        quiet(tmp_path / "faces", tmp_path / "out.h5")
    _, said = quiet(tmp_path / "faces", tmp_path / "out.h5", rules=Rules(resize=True))
    assert "35 pictures of other sizes were resized to 48x48" in said
    found = read_prepared(tmp_path / "out.h5")
    path = tmp_path / "faces" / "train" / "anger" / "0.png"
    square = center_square(read_picture(path))
    np.testing.assert_array_equal(found["pixels"][0], resized(square, 48, 48))


def test_a_file_made_with_rules_is_not_made_again_without_them(place):
    (place / "data" / "fer2013.csv").write_text(PLAIN)
    quiet(place / "data" / "fer2013.csv", place / "data" / "fer2013.h5",
          rules=Rules(split=(0.5, 0.25, 0.25)))
    (place / "data" / "fer2013.csv").write_text(PLAIN.replace("Training", "train"))
    with pytest.raises(ValueError, match="prepare it again with .* the same options"):
        find_data()


@pytest.fixture
def parquet():
    pytest.importorskip("pyarrow")
    import pyarrow.parquet
    return pyarrow


def picture_file(face):
    file = io.BytesIO()
    Image.fromarray(face).save(file, "PNG")
    return file.getvalue()


PARQUETS = {  # name: (columns, part of what is said)
    "texts": ({"emotion": EMOTION.tolist(), "pixels": TEXTS, "Usage": NAMES}, "pixels in 'pixels'"),
    "lists": ({"emotion": [float(code) for code in EMOTION], "Usage": NAMES,
               "pixels": PIXELS.reshape(ROWS, -1).tolist()}, "'3.0' = Happy"),
    "lists of rows": ({"emotion": EMOTION.tolist(), "Usage": NAMES, "pixels": PIXELS.tolist()}, ""),
    "a column for each pixel": (
        {"label": EMOTION.tolist(), "split": NAMES}
        | {f"pixel{i}": PIXELS.reshape(ROWS, -1)[:, i].tolist() for i in range(2304)},
        "and 2,303 more columns"),
    "pictures": ({"image": list(map(picture_file, PIXELS)), "label": EMOTION.tolist(),
                  "split": NAMES}, "pixels in 'image'"),
    "records of pictures": (
        {"image": [{"bytes": picture_file(face), "path": "a.png"} for face in PIXELS],
         "label": EMOTION.tolist(), "split": NAMES, "age": [3] * ROWS}, "not used: 'age'"),
}


@pytest.mark.parametrize("name", PARQUETS)
def test_a_parquet_file_gives_the_same_rows_and_says_how_it_was_read(tmp_path, parquet, name):
    columns, words = PARQUETS[name]
    parquet.parquet.write_table(parquet.table(columns), tmp_path / "a.parquet")
    _, said = quiet(tmp_path / "a.parquet", tmp_path / "out.h5")
    assert_all_rows(read_prepared(tmp_path / "out.h5"))
    assert words in said


def test_numbers_of_classes_mean_what_hugging_face_names_them(tmp_path, parquet):
    names = ["neutral", "happy", "surprise", "sad", "angry", "disgust", "fear"]
    codes = [names.index(["angry", "disgust", "fear", "happy", "sad", "surprise", "neutral"][code])
             for code in EMOTION]
    features = {"label": {"names": names, "_type": "ClassLabel"}}
    table = parquet.table({"pixels": TEXTS, "label": codes, "split": NAMES})
    table = table.replace_schema_metadata(
        {"huggingface": json.dumps({"info": {"features": features}})})
    parquet.parquet.write_table(table, tmp_path / "a.parquet")
    _, said = quiet(tmp_path / "a.parquet", tmp_path / "out.h5")
    assert_all_rows(read_prepared(tmp_path / "out.h5"))
    assert "'angry' = Anger (2)" in said


BAD_CELLS = {  # name: (pixels of a row, reason)
    "nothing": (None, "has no pixels"), "a damaged picture": (b"\x89PNG", "not a readable"),
    "a small picture": (picture_file(PIXELS[0, :20]), "is 48x20 pixels, expected 48x48"),
}


@pytest.mark.parametrize("name", BAD_CELLS)
def test_a_bad_row_of_a_parquet_file_is_named(tmp_path, parquet, name):
    cell, reason = BAD_CELLS[name]
    columns = {"image": [cell, *map(picture_file, PIXELS)], "label": [0, *EMOTION.tolist()],
               "split": ["train", *NAMES]}
    parquet.parquet.write_table(parquet.table(columns), tmp_path / "a.parquet")
    with pytest.raises(ValueError, match="1 bad rows"):
        quiet(tmp_path / "a.parquet", tmp_path / "out.h5")
    summary, _ = quiet(tmp_path / "a.parquet", tmp_path / "out.h5", skip_bad=True)
    (where, why), = summary["left_out"]
    assert where == "a.parquet row 1" and reason in why
    assert_all_rows(read_prepared(tmp_path / "out.h5"))


def test_a_damaged_parquet_file_is_named_at_any_byte(tmp_path, parquet):
    columns = {"emotion": EMOTION.tolist(), "pixels": TEXTS, "Usage": NAMES}
    parquet.parquet.write_table(parquet.table(columns), tmp_path / "a.parquet")
    content = (tmp_path / "a.parquet").read_bytes()
    for cut in (0, 3, 500, len(content) // 2, len(content) - 1):
        (tmp_path / "a.parquet").write_bytes(content[:cut])
        with pytest.raises(ValueError, match="source: a.parquet is damaged") as caught:
            quiet(tmp_path / "a.parquet", tmp_path / "out.h5")
        assert "\n" not in str(caught.value)


def test_a_parquet_file_of_too_many_rows_is_not_read(tmp_path, parquet, monkeypatch):
    parquet.parquet.write_table(parquet.table({"pixels": TEXTS}), tmp_path / "a.parquet")
    monkeypatch.setattr("cs231n_fer.data_utils.parquet.MOST_ROWS", 3)
    with pytest.raises(ValueError, match="declares 12 rows"):
        quiet(tmp_path / "a.parquet", tmp_path / "out.h5")


@pytest.mark.parametrize("column", ["pixels", "emotion"])
def test_a_text_that_is_stored_once_for_many_rows_fills_no_memory(
        tmp_path, parquet, monkeypatch, column):
    text = "7 " * (5 << 20)
    repeated = parquet.DictionaryArray.from_arrays(parquet.array([0] * 60, parquet.int32()),
                                                   parquet.array([text]))
    columns = {"emotion": [1] * 60, "pixels": TEXTS[:1] * 60} | {column: repeated}
    parquet.parquet.write_table(parquet.table(columns), tmp_path / "a.parquet", store_schema=False)
    monkeypatch.setattr("cs231n_fer.data_utils.parquet.LARGEST_BATCH", 3 * len(text))
    with pytest.raises(ValueError, match="(?s)60 bad rows.*has 10,485,760 bytes") as error:
        quiet(tmp_path / "a.parquet", tmp_path / "out.h5")
    assert len(str(error.value)) < 5000
    # All rows together would take 60 times its size.
    assert parquet.default_memory_pool().max_memory() < 30 * len(text)


def test_without_pyarrow_a_parquet_file_says_what_to_install(tmp_path, monkeypatch):
    (tmp_path / "a.parquet").write_bytes(b"PAR1")
    monkeypatch.setitem(sys.modules, "pyarrow.parquet", None)
    with pytest.raises(ValueError, match=r'pip install "cs231n_fer\[parquet\]"'):
        quiet(tmp_path / "a.parquet", tmp_path / "out.h5")
