"""Tests of invalid HDF5 files.

A change of any byte is refused before libhdf5 reads the file, and the declarations of a sealed file
are checked.
"""
import json
import math

import h5py
import numpy as np
import pytest

from cs231n_fer.data_utils import find_data
from cs231n_fer.data_utils.prepared import read_prepared, write_prepared
from cs231n_fer.files import sealed as module
from cs231n_fer.files.checkpoint import load_checkpoint, save_checkpoint
from experiments.checks.fuzzing.mutations import sealed, table_of

PIXELS = np.random.default_rng(0).integers(0, 256, (3, 48, 48)).astype(np.uint8)
EMOTION = np.array([0, 6, 255], np.uint8)
USAGE = np.array([0, 1, 2], np.uint8)
KINDS = {"data": (read_prepared,
                  r"data: .*a\.h5 is not a whole prepared file: .*; prepare it again"),
         "checkpoint": (load_checkpoint, r"a\.h5 is not a readable checkpoint: ")}


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """Return the bytes of a valid file of every kind."""
    folder = tmp_path_factory.mktemp("whole")
    write_prepared(folder / "data", PIXELS, EMOTION, USAGE)
    save_checkpoint(folder / "checkpoint",
                    {"params/w": np.arange(6.0).reshape(2, 3), "n": np.array(3)}, {"epoch": 2})
    return {name: (folder / name).read_bytes() for name in KINDS}


def refused(path, kind, reason=""):
    read, message = KINDS[kind]
    with pytest.raises(ValueError, match=message) as caught:
        read(path)
    assert reason in str(caught.value), str(caught.value)


@pytest.mark.parametrize("kind", KINDS)
def test_a_file_cut_anywhere_is_refused(tmp_path, whole, kind):
    content = whole[kind]
    for size in [*range(0, len(content), 4096 if kind == "data" else 512),
                 *range(len(content) - 200, len(content))]:
        (tmp_path / "a.h5").write_bytes(content[:size])
        refused(tmp_path / "a.h5", kind)


@pytest.mark.parametrize("kind", KINDS)
def test_a_flipped_bit_anywhere_is_refused(tmp_path, whole, kind):
    content = whole[kind]
    bits = 8 * len(content)
    for at in [*np.random.default_rng(1).integers(bits, size=150).tolist(), bits - 1]:
        changed = bytearray(content)
        changed[at // 8] ^= 1 << at % 8
        (tmp_path / "a.h5").write_bytes(changed)
        refused(tmp_path / "a.h5", kind)


def with_external_link(file):
    file["pixels"] = h5py.ExternalLink("/etc/passwd", "/")


def with_external_storage(file):
    file.create_dataset("pixels", (3, 48, 48), "u1",
                        external=[("/etc/passwd", 0, h5py.h5f.UNLIMITED)])


def with_virtual_data(file):
    layout = h5py.VirtualLayout((3, 48, 48), "u1")
    layout[:] = h5py.VirtualSource("/etc/passwd", "x", (3, 48, 48))
    file.create_virtual_dataset("pixels", layout)


def with_soft_link_to_itself(file):
    file["pixels"] = h5py.SoftLink("/pixels")


def with_huge_shape(file):
    file.create_dataset("pixels", (1 << 40, 48, 48), "u1", chunks=(1, 48, 48))


def with_huge_chunk(file):
    file.create_dataset("pixels", (60_000, 48, 48), "u1", chunks=(60_000, 48, 48),
                        compression="gzip")


def with_objects(file):
    file.create_dataset("pixels", data=["x"] * 3)


def with_references(file):
    file["pixels"] = np.array([file.ref] * 3, h5py.ref_dtype)


OTHER = [with_external_link, with_external_storage, with_virtual_data, with_soft_link_to_itself,
         with_huge_shape, with_huge_chunk, with_objects, with_references]


@pytest.mark.parametrize("fill", OTHER, ids=lambda fill: fill.__name__)
@pytest.mark.parametrize("kind", KINDS)
def test_a_file_of_another_program_is_refused_and_nothing_in_it_is_followed(
        tmp_path, whole, kind, fill):
    with h5py.File(tmp_path / "a.h5", "w") as file:
        fill(file)
    refused(tmp_path / "a.h5", kind, "does not end with a seal")
    (tmp_path / "a.h5").write_bytes(whole[kind])
    with h5py.File(tmp_path / "a.h5", "r+") as file:
        if "pixels" in file:
            del file["pixels"]
        fill(file)
    refused(tmp_path / "a.h5", kind)


def change(**entries):
    """A change of the table of contents: entries of arrays, by name."""
    return lambda table: table["arrays"].update(entries)


def pixels_of(shape, start=0, dtype="|u1"):
    return change(pixels=[dtype, shape, start])


TABLES = {  # name: (kind, change of the table or a whole table, part of the error)
    "a huge shape": ("data", pixels_of([1 << 60, 48, 48]),
                     "pixels has shape [1152921504606846976, 48, 48]"),
    "a shape larger than the file": ("data", pixels_of([9000, 48, 48]),
                                     "pixels declares 20,736,000 bytes"),
    "a shape that overflows": ("data", pixels_of([9000] * 20), "pixels declares "),
    "33 axes": ("data", pixels_of([1] * 33), "pixels has shape [1, 1"),
    "a negative axis": ("data", pixels_of([-1, 48, 48]), "pixels has shape [-1, 48, 48]"),
    "an axis of 1.5": ("data", pixels_of([1.5, 48, 48]), "pixels has shape [1.5, 48, 48]"),
    "an axis that is true": ("data", pixels_of([True, 48, 48]), "pixels has shape [True, 48, 48]"),
    "a shape that is a number": ("data", pixels_of(3), "table of contents that cannot be used"),
    "a place behind the end": ("data", pixels_of([3, 48, 48], 1 << 40), "at byte 1099511627776"),
    "a place before the start": ("data", pixels_of([3, 48, 48], -1), "at byte -1"),
    "a place too near the end": ("data", change(usage=["|u1", [3], -2]), "at byte -2"),
    "many arrays in one place": ("data", change(**{f"x{i}": ["|u1", [5000], 0] for i in range(99)}),
                                 "declares 5,000"),
    "objects": ("data", pixels_of([3], dtype="|O"),
                "pixels has dtype '|O', expected integers or floats"),
    "records": ("data", pixels_of([3], dtype="u1,u1"), "pixels has dtype 'u1,u1'"),
    "a dtype that is a list": ("data", pixels_of([3], dtype=[["a", "O"]]), "cannot be used"),
    "an entry too short": ("data", change(pixels=["|u1", [3, 48, 48]]), "cannot be used"),
    "an entry that is no list": ("data", change(pixels=None), "cannot be used"),
    "no arrays": ("data", b'{"info": {}}', "holds no arrays and info"),
    "no info": ("data", b'{"arrays": {}}', "holds no arrays and info"),
    "a list": ("data", b"[1, 2]", "holds no arrays and info"),
    "no JSON": ("checkpoint", b"{", "cannot be used"),
    "an empty table": ("checkpoint", b"", "cannot be used"),
    "JSON of a thousand thousand lists": ("checkpoint", b"[" * 1_000_000, "cannot be used"),
    "JSON that is not UTF-8": ("checkpoint", b'{"info": "\xff\xfe"}', "cannot be used"),
    "a number of 10,000 digits": ("checkpoint", b'{"arrays": {}, "info": ' + b"9" * 10_000 + b"}",
                                  "cannot be used"),
    "another format": ("checkpoint", lambda table: table["info"].update(format="x"),
                       "format is 'x', expected 'cs"),
    "info that is a text": ("checkpoint", lambda table: table.update(info="x"), "format is 'x'"),
    "a run that is no dict": ("checkpoint", lambda table: table["info"].update(info=[1]),
                              "holds no info"),
    "no run": ("checkpoint", lambda table: table["info"].pop("info"), "holds no info"),
}


def forged(content, how):
    """Return the file with another table of contents and a valid seal."""
    data, table = table_of(content)
    if isinstance(how, bytes):
        return sealed(data, how)
    table = json.loads(table)
    how(table)
    return sealed(data, json.dumps(table).encode())


@pytest.mark.parametrize("name", TABLES)
def test_no_number_of_a_sealed_table_of_contents_is_believed(tmp_path, whole, name):
    kind, how, reason = TABLES[name]
    (tmp_path / "a.h5").write_bytes(forged(whole[kind], how))
    refused(tmp_path / "a.h5", kind, reason)


def test_a_length_of_the_table_beyond_the_file_is_refused(tmp_path, whole):
    for length in (b"ffffffffffffffff", b"-000000000000001", b"zzzzzzzzzzzzzzzz",
                   b"0000000000000000"):
        data, table = table_of(whole["data"])
        body = sealed(data, table)[:-module.TAIL - module.LENGTH] + length
        digest = module.hashlib.sha256(body).hexdigest().encode()
        (tmp_path / "a.h5").write_bytes(body + digest + module.MAGIC)
        refused(tmp_path / "a.h5", "data", "cannot be used")


def attribute(**values):
    return lambda table: table["info"].update(values)


def typed(name, dtype, shape):
    """Another dtype and shape for an array, which stays where it is."""
    return lambda table: table["arrays"].update({name: [dtype, shape, table["arrays"][name][2]]})


def pixels_as_mean(table):
    table["arrays"]["mean_image"] = ["<f4", [48, 48], table["arrays"]["pixels"][2]]


NOT_FACES = {  # name: (change of the table, part of the error)
    "another version": (attribute(version=2), "version 2; expected format fer-faces, version 1"),
    "no format": (lambda table: table["info"].pop("format"), "has format None, version 1"),
    "attributes that are a list": (lambda table: table.update(info=[]),
                                   "has format None, version None"),
    "no pixels": (lambda table: table["arrays"].pop("pixels"),
                  "has nothing as pixels, expected uint8"),
    "no usage": (lambda table: table["arrays"].pop("usage"), "has nothing as usage"),
    "no mean_image": (lambda table: table["arrays"].pop("mean_image"),
                      "has a mean_image (float64 (0,))"),
    "pixels that are signed": (typed("pixels", "|i1", [3, 48, 48]), "int8 (3, 48, 48) as pixels"),
    "pixels of another shape": (typed("pixels", "|u1", [3, 2304]),
                                "uint8 (3, 2304) as pixels, expected uint8 (3, 4"),
    "pixels of floats": (typed("pixels", "<f4", [3, 4, 48]), "float32 (3, 4, 48) as pixels"),
    "a pixel alone": (typed("pixels", "|u1", []), "uint8 () as pixels, expected uint8 (0, 48, 48)"),
    "one label too few": (typed("emotion", "|u1", [2]),
                          "uint8 (2,) as emotion, expected uint8 (3,)"),
    "labels of another kind": (typed("emotion", "|i1", [3]), "int8 (3,) as emotion"),
    "a label out of range": (lambda table: table["arrays"].update(emotion=["|u1", [3], 0]),
                             "emotion or a usage out"),
    "a split out of range": (lambda table: table["arrays"].update(usage=["|u1", [3], 1]),
                             "emotion or a usage out of"),
    "votes for other rows": (change(ferplus_votes=["|u1", [2, 10], 0]),
                             "(2, 10) as ferplus_votes, expected uint8 (3"),
    "std 0": (attribute(std=0.0), "std (0.0) that cannot be used"),
    "std below 0": (attribute(std=-1.0), "std (-1.0)"),
    "std NaN": (attribute(std=math.nan), "std (nan)"),
    "std inf": (attribute(std=math.inf), "std (inf)"),
    "std in words": (attribute(std="63"), "std ('63')"),
    "no std": (lambda table: table["info"].pop("std"), "std (None)"),
    "a mean_image that is no number": (pixels_as_mean, "has a mean_image (float32 (48, 48))"),
    "a mean_image of float64": (typed("mean_image", "<f8", [24, 48]),
                                "has a mean_image (float64 (24, 48))"),
}


@pytest.mark.parametrize("name", NOT_FACES)
def test_a_sealed_file_that_is_no_prepared_data_is_refused(tmp_path, name):
    how, reason = NOT_FACES[name]
    pixels = np.frombuffer(np.full(3 * 576, np.nan, np.float32).tobytes(),
                           np.uint8).reshape(3, 48, 48)
    write_prepared(tmp_path / "a.h5", pixels, EMOTION, USAGE)
    (tmp_path / "a.h5").write_bytes(forged((tmp_path / "a.h5").read_bytes(), how))
    with pytest.raises(ValueError, match=r"data: .*a\.h5 has ") as caught:
        read_prepared(tmp_path / "a.h5")
    assert reason in str(caught.value), str(caught.value)


def test_a_file_called_h5_is_never_taken_for_a_csv(tmp_path):
    (tmp_path / "a.h5").write_bytes(b"emotion,pixels\n")
    assert find_data(tmp_path / "a.h5") == tmp_path / "a.h5"
    refused(tmp_path / "a.h5", "data", "it is cut off")


def test_a_sparse_file_of_terabytes_is_not_read(tmp_path):
    with open(tmp_path / "a.h5", "wb") as file:
        file.truncate(1 << 40)
    for kind in KINDS:
        refused(tmp_path / "a.h5", kind,
                "has 1,099,511,627,776 bytes, expected at most 4,294,967,296")


@pytest.mark.parametrize("array", [np.array(["a"], "S1"), np.ones(2, bool), np.ones(2, complex)],
                         ids=["text", "bool", "complex"])
def test_what_could_not_be_read_again_is_not_written(tmp_path, array):
    with pytest.raises(ValueError, match="expected integers or floats"):
        save_checkpoint(tmp_path / "a.h5", {"x": array}, {})
    assert not list(tmp_path.iterdir())


def test_arrays_of_a_sealed_file_can_be_written_on_and_lie_as_numpy_likes_it(tmp_path):
    save_checkpoint(tmp_path / "a.h5",
                    {f"x{i}": np.arange(i, dtype="u1") for i in range(9)} | {"y": np.ones(3)}, {})
    arrays, _ = load_checkpoint(tmp_path / "a.h5")
    assert all(array.flags.writeable and array.flags.aligned and array.flags.c_contiguous
               for array in arrays.values())
    np.testing.assert_array_equal(arrays["y"], np.ones(3))
