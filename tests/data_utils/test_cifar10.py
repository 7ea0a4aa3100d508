"""Tests of CIFAR-10 as the course reads it, from pickles that are never unpickled."""
import inspect
import io
import tarfile

import numpy as np
import pytest
from cifar_batches import VARIANTS, batch
from hypothesis import given, settings
from hypothesis import strategies as st

from cs231n_fer.data_utils import get_CIFAR10_data, load_CIFAR10, load_CIFAR_batch
from cs231n_fer.data_utils.pickled import read_pickle_values

PER_BATCH = 4
COUNT = 5 * PER_BATCH
RNG = np.random.default_rng(0)
PIXELS = RNG.integers(0, 256, (COUNT + PER_BATCH, 3072), np.uint8)
LABELS = RNG.integers(0, 10, COUNT + PER_BATCH)
IMAGES = PIXELS.reshape(-1, 3, 32, 32)
NAMES = [*(f"data_batch_{number}" for number in range(1, 6)), "test_batch"]


def contents(variant="Python 2"):
    """Return {name: content} of the six files."""
    parts = [slice(PER_BATCH * i, PER_BATCH * (i + 1)) for i in range(6)]
    return {name: batch(PIXELS[part], LABELS[part], variant)
            for name, part in zip(NAMES, parts, strict=True)}


def unpacked(folder, variant="Python 2"):
    folder.mkdir(parents=True)
    for name, content in contents(variant).items():
        (folder / name).write_bytes(content)
    (folder / "batches.meta").write_bytes(b"not read")
    return folder


def packed(path):
    path.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(path, "w:gz") as archive:
        for name, content in contents().items():
            info = tarfile.TarInfo(f"cifar-10-batches-py/{name}")
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return path


@pytest.mark.parametrize("bytes_keys", [False, True])
@pytest.mark.parametrize("variant", VARIANTS)
def test_a_batch_of_any_python_gives_colors_and_labels(tmp_path, variant, bytes_keys):
    (tmp_path / "data_batch_1").write_bytes(batch(PIXELS, LABELS, variant, bytes_keys))
    X, Y = load_CIFAR_batch(str(tmp_path / "data_batch_1"))
    assert X.dtype == np.float64 and X.shape == (len(PIXELS), 32, 32, 3) and Y.dtype == np.int64
    np.testing.assert_array_equal(X, IMAGES.transpose(0, 2, 3, 1))
    np.testing.assert_array_equal(Y, LABELS)


@pytest.mark.parametrize("make", [lambda path: unpacked(path / "cifar-10-batches-py"),
                                  lambda path: packed(path / "cifar-10-python.tar.gz")],
                         ids=["unpacked", "as downloaded"])
def test_all_batches_are_read_in_their_order(tmp_path, make):
    X, y, X_test, y_test = load_CIFAR10(make(tmp_path))
    np.testing.assert_array_equal(X, IMAGES[:COUNT].transpose(0, 2, 3, 1))
    np.testing.assert_array_equal(X_test, IMAGES[COUNT:].transpose(0, 2, 3, 1))
    assert [*y, *y_test] == LABELS.tolist()
    assert X.dtype == X_test.dtype == np.float64


@pytest.mark.parametrize("subtract_mean", [True, False])
def test_the_course_gets_what_its_own_code_returns(place, subtract_mean):
    unpacked(place / "cs231n" / "datasets" / "cifar-10-batches-py")
    found = get_CIFAR10_data(num_training=13, num_validation=5, num_test=3,
                             subtract_mean=subtract_mean)
    X = IMAGES.astype(np.float64)
    mean_image = np.mean(X[:13], axis=0) if subtract_mean else 0
    rows = {"train": slice(0, 13), "val": slice(13, 18), "test": slice(COUNT, COUNT + 3)}
    assert sorted(found) == ["X_test", "X_train", "X_val", "y_test", "y_train", "y_val"]
    for split, part in rows.items():
        np.testing.assert_array_equal(found[f"X_{split}"], X[part] - mean_image)
        np.testing.assert_array_equal(found[f"y_{split}"], LABELS[part])
        assert found[f"X_{split}"].flags.c_contiguous and found[f"X_{split}"].dtype == np.float64


def test_signature_and_defaults_are_the_courses():
    assert str(inspect.signature(get_CIFAR10_data)).split(" ->")[0] == (
        "(num_training: int = 49000, num_validation: int = 1000, num_test: int = 1000, "
        "subtract_mean: bool = True)")
    assert list(inspect.signature(load_CIFAR10).parameters) == ["ROOT"]
    assert list(inspect.signature(load_CIFAR_batch).parameters) == ["filename"]


@pytest.mark.parametrize("where", ["cs231n/datasets", "datasets", "data"])
@pytest.mark.parametrize("form", ["unpacked", "as downloaded"])
def test_the_batches_are_found_where_the_course_and_this_project_put_them(place, where, form):
    if form == "unpacked":
        unpacked(place / where / "cifar-10-batches-py")
    else:
        packed(place / where / "cifar-10-python.tar.gz")
    assert get_CIFAR10_data(COUNT, 0, 1)["X_train"].shape == (COUNT, 3, 32, 32)


def test_missing_files_say_where_to_get_them_and_where_to_put_them(place):
    for call in (get_CIFAR10_data, lambda: load_CIFAR10("nowhere"),
                 lambda: load_CIFAR_batch("nowhere")):
        with pytest.raises(FileNotFoundError, match="cifar-10-python.tar.gz and put it") as caught:
            call()
        assert "cs231n/datasets" in str(caught.value) and "data/" in str(caught.value)
    (unpacked(place / "data" / "cifar-10-batches-py") / "data_batch_3").unlink()
    with pytest.raises(FileNotFoundError, match="does not contain data_batch_3\n"):
        get_CIFAR10_data(1, 1, 1)


@pytest.mark.parametrize("numbers, reason", [
    ((COUNT + 1, 0, 0), "num_training is 21, expected 0 to 20"),
    ((COUNT, 1, 0), "num_validation is 1, expected 0 to 0"),
    ((5, 5, PER_BATCH + 1), "num_test is 5, expected 0 to 4"),
    ((-1, 5, 1), "num_training is -1"), ((0, 5, 1), "num_training is 0, so there is no mean")])
def test_more_samples_than_there_are_is_an_error(place, numbers, reason):
    unpacked(place / "data" / "cifar-10-batches-py")
    with pytest.raises(ValueError, match=reason):
        get_CIFAR10_data(*numbers)


GOOD = batch(PIXELS[:2], [3, 7])
EVIL = {  # name: (content, part of the error)
    "a call of the system": (b"\x80\2cposix\nsystem\nU\4echo\x85R.", "names 'posix system'"),
    "a builtin": (b"\x80\2c__builtin__\neval\nU\0011\x85R.", "names '__builtin__ eval'"),
    "a name by the stack": (b"\x80\4\x8c\2os\x8c\6system\x93.", "names 'os system'"),
    "a name in parts": (b"\x80\4\x8c\5numpy\x8c\x0ecore.os.system\x93.",
                        "names 'numpy core.os.system'"),
    "an instance": (b"(S'x'\nios\nsystem\n.", "asks for INST"),
    "an object": (b"(cos\nsystem\nS'x'\no.", "names 'os system'"),
    "a new object": (b"\x80\2cnumpy\nndarray\n)\x81.", "asks for NEWOBJ"),
    "an extension": (b"\x80\2\x82\1.", "asks for EXT1"),
    "an identity": (b"Px\n.", "asks for PERSID"),
    "a call of an allowed name with other arguments": (
        b"\x80\2c_codecs\nencode\nU\1aU\3rot\x86R.", "encodes a string other than"),
    "an array of objects": (GOOD.replace(b"U\2u1", b"U\2O8"), "has the dtype 'O8'"),
    "a huge array": (GOOD.replace(b"K\2J\0\x0c\0\0\x86", b"J\xff\xff\xff\x7fJ\xff\xff\xff\x7f\x86"),
                     "has an array of 6,144 bytes, expected"),
    "a negative shape": (GOOD.replace(b"K\2J\0\x0c\0\0\x86", b"J\xff\xff\xff\xffK\1\x86"),
                         "describes an array wrongly"),
    "an array without values": (b"\x80\2cnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\n"
                                b"K\0\x85U\1b\x87R.", "has an array without values"),
    "a function as the value": (b"\x80\2cnumpy\ndtype\n.", "contains something other than a value"),
    "nothing": (b"", "not a pickle"),
    "a text": (b"hello\n", "not a pickle"),
    "half": (GOOD[:len(GOOD) // 2], "not a pickle"),
    "no stop": (GOOD[:-1], "not a pickle"),
    "a stack that is empty": (b"\x80\2\x86.", "pops from an empty stack"),
    "a text with a damaged escape": (b"\x80\2S'\\c'\n.", "not a pickle"),
    "a mark of none": (b"\x80\2u.", "goes back to a mark that was not set"),
    "a memory of none": (b"\x80\2h\7.", "not a pickle"),
    "a key that is a list": (b"\x80\2}]K\1s.", "not a pickle"),
    "an odd number of items": (b"\x80\2}(K\1u.", "not a pickle"),
}


@pytest.mark.parametrize("name", EVIL)
def test_whatever_a_pickle_asks_for_beyond_plain_values_is_refused(tmp_path, name):
    content, reason = EVIL[name]
    with pytest.raises(ValueError, match="^not a pickle of plain values and arrays") as caught:
        read_pickle_values(content)
    assert reason in str(caught.value)
    (tmp_path / "data_batch_1").write_bytes(content)
    with pytest.raises(ValueError, match="data_batch_1 is not a batch of the Python version"):
        load_CIFAR_batch(tmp_path / "data_batch_1")


def laughs(depth):
    """Return a dict of the same dict twice, of the same dict twice, and so on."""
    content = b"}q\0"
    for n in range(depth):
        content = b"}(K\1" + content + b"K\2h%cuq%c" % (n, n + 1)
    return b"\x80\2" + content + b"."


@pytest.mark.parametrize("content", [
    b"\x80\2}q\0K\1h\0s.", b"\x80\2" + b"}K\1" * 9999 + b"}" + b"s" * 9999 + b".", laughs(200)],
    ids=["in itself", "9,999 deep", "2^200 in all"])
def test_dicts_in_dicts_are_not_followed(tmp_path, content):
    (tmp_path / "data_batch_1").write_bytes(content)
    with pytest.raises(ValueError, match="is not a batch of the Python version .has no uint8 data"):
        load_CIFAR_batch(tmp_path / "data_batch_1")


@pytest.mark.parametrize("content, reason", [
    (b"\x80\2]." , "is not a dict"), (b"\x80\2}.", "has no uint8 data"),
    (batch(PIXELS[:2, :-1], [3, 7]), "has no uint8 data"),
    (batch(PIXELS[:2], [3]), "has no labels"), (batch(PIXELS[:2], [3, 10]), "has no labels")])
def test_a_pickle_of_other_values_is_no_batch(tmp_path, content, reason):
    (tmp_path / "data_batch_1").write_bytes(content)
    with pytest.raises(ValueError, match=f"is not a batch of the Python version .{reason}"):
        load_CIFAR_batch(tmp_path / "data_batch_1")


@settings(max_examples=1000, deadline=None)
@given(st.integers(0, len(GOOD) - 1), st.binary(min_size=1, max_size=6), st.booleans())
def test_a_damaged_pickle_is_read_or_refused(at, noise, shorter):
    content = GOOD[:at] + noise + GOOD[at + (2 * len(noise) if shorter else len(noise)):]
    try:
        read_pickle_values(content)
    except ValueError as error:
        assert type(error) is ValueError


@settings(max_examples=1000)
@given(st.binary(max_size=60))
def test_noise_is_read_or_refused(noise):
    try:
        read_pickle_values(b"\x80\2" + noise + b".")
    except ValueError as error:
        assert type(error) is ValueError
