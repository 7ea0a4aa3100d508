"""Tests of the fuzzer: reproducible files, failures of every kind, a short run over all formats."""
import io
import json
import os
import sys
import zipfile
from types import SimpleNamespace

import pytest
from jobs import script

from experiments.checks.fuzzing import pool
from experiments.checks.fuzzing.formats import FACES, formats, mutated

FILES = 40  # for each format
NAMES = script("checks.fuzz_inputs").NAMES


@pytest.fixture
def place(tmp_path, monkeypatch):
    monkeypatch.setattr(os, "fsync", lambda handle: None)  # disks are slow
    return formats(tmp_path), pool.workplace(tmp_path)


@pytest.mark.parametrize("name", NAMES)
def test_a_mutated_file_gives_right_data_or_a_counted_skip_or_a_clear_error(place, name):
    kinds, folder = place
    found = [pool.read_one(kinds[name], folder, number, 7) for number in range(FILES)]
    assert {outcome for outcome, _ in found} <= {"loaded", "skipped", "refused"}, [
        (number, why) for number, (outcome, why) in enumerate(found) if outcome == "failure"]
    assert {outcome for outcome, _ in found} & {"skipped", "refused"}


@pytest.mark.parametrize("name", NAMES)
def test_a_good_file_is_loaded_and_a_number_gives_the_same_file_every_time(place, name):
    kinds, folder = place
    kind = kinds[name]
    for content in kind.seeds():
        (folder / kind.name).write_bytes(content)
        assert kind.judge(folder / kind.name, content, None) == "loaded"
    for number in range(6):
        (content, original), again = mutated(kind, number, 1), mutated(kind, number, 1)
        assert (content, original) == again and content != mutated(kind, number, 2)[0]
        assert content != original and (original is None) == bool(kind.repair and number % 2)


def wrong_pixel(content):
    """Return the zip archive with one changed pixel and a valid checksum."""
    packed = io.BytesIO()
    (name,) = [name for name in zipfile.ZipFile(io.BytesIO(content)).namelist() if "csv" in name]
    text = zipfile.ZipFile(io.BytesIO(content)).read(name)
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr(name, text.replace(b"%d " % FACES[0, 0, 0], b"1 ", 1))
    return packed.getvalue()


def test_wrong_data_is_a_failure(place):
    kinds, folder = place
    (original, *_), path = kinds["zip"].seeds(), folder / "a.zip"
    path.write_bytes(wrong_pixel(original))
    with pytest.raises(AssertionError, match="other rows"):
        kinds["zip"].judge(path, path.read_bytes(), original)
    path = folder / "a.csv"
    path.write_bytes(kinds["CSV"].seeds()[0])
    with pytest.raises(AssertionError, match="other pixels"):
        kinds["CSV"].judge(path, path.read_bytes().replace(b"%d " % FACES[0, 0, 0], b"1 ", 1), b"")


@pytest.mark.parametrize("error, outcome", [
    (ValueError("a.csv: is bad"), "refused"), (ValueError("source: is bad"), "refused"),
    (ValueError("bad"), "failure"),
    (UnicodeDecodeError("utf-8", b"a.csv", 0, 1, "a.csv"), "failure"),
    (KeyError("a.csv"), "failure"), (OSError("a.csv"), "failure"),
    (MemoryError(), "failure"), (RecursionError("a.csv"), "failure")])
def test_only_a_clear_error_counts_as_refused(place, monkeypatch, error, outcome):
    kinds, folder = place

    def judge(path, content, original):
        raise error
    kind = type(kinds["CSV"])("a.csv", kinds["CSV"].seeds, kinds["CSV"].mutate, judge)
    assert pool.read_one(kind, folder, 0, 0)[0] == outcome


WORKER = """
import json, os, signal, sys, time
start = json.loads(sys.argv[1])["start"]
for index in range(start, 8):
    if index == 2:
        os.kill(os.getpid(), signal.SIGSEGV)
    if index == 3:
        signal.setitimer(signal.ITIMER_PROF, 0.05)
        while True:
            pass
    if index == 5:
        time.sleep(60)
    if index == 7:
        sys.exit(3)
    print(json.dumps({"index": index, "outcome": "loaded", "why": ""}), flush=True)
"""


def test_a_reader_that_dies_or_hangs_is_a_failure_of_its_file_and_the_next_one_goes_on(monkeypatch):
    monkeypatch.setattr(pool, "WALL_SECONDS", 1)
    found = list(pool.outcomes([sys.executable, "-c", WORKER],
                               {"formats": ["CSV", "zip"], "files": 4, "seed": 0}))
    assert [answer["index"] for answer in found] == list(range(8))
    assert {answer["index"]: answer["why"] for answer in found
            if answer["outcome"] == "failure"} == {
        2: "died of SIGSEGV", 3: "took more than 5 s of CPU time",
        5: "was silent or killed", 7: "ended with 3"}


def test_the_script_writes_the_counts_and_exits_with_1_where_a_file_fails(tmp_path, monkeypatch,
                                                                          capsys):
    module = script("checks.fuzz_inputs")
    arguments = ["--files", "4", "--formats", "HDF5 data", "zip", "--out",
                 str(tmp_path / "new" / "fuzz.json")]
    assert module.main(arguments) == 0
    found = json.loads((tmp_path / "new" / "fuzz.json").read_text())
    assert [row["format"] for row in found["rows"]] == ["HDF5 data", "zip"]
    assert found["failures"] == []
    assert all(sum(row[outcome] for outcome in module.OUTCOMES) == row["files"] == 4
               for row in found["rows"])
    monkeypatch.setattr(module.pool, "outcomes",
                        lambda *_: [{"index": 5, "outcome": "failure", "why": "because"}])
    assert module.main(arguments) == 1
    assert "FAILURE zip --seed 0 --only 1: because" in capsys.readouterr().out
    assert module.main(["--formats", "zip", "--only", "1"]) == 0
    assert capsys.readouterr().out.split(":")[0] in module.OUTCOMES


def test_a_reader_that_takes_much_memory_is_a_failure(tmp_path, monkeypatch, capsys):
    kinds = formats(tmp_path)
    hungry = type(kinds["CSV"])("a.csv", kinds["CSV"].seeds, kinds["CSV"].mutate,
                                lambda *_: "loaded")
    peaks = iter([100, 100 + pool.MEMORY // 1024 + 1])  # KiB, before and after the first file
    monkeypatch.setattr(pool, "formats", lambda folder: {"CSV": hungry})
    monkeypatch.setattr(pool.resource, "setrlimit", lambda *_: None)
    monkeypatch.setattr(pool.resource, "getrusage",
                        lambda _: SimpleNamespace(ru_maxrss=next(peaks)))
    pool.work({"formats": ["CSV"], "files": 3, "seed": 0, "start": 0})
    loaded, failure = map(json.loads, capsys.readouterr().out.splitlines())
    assert loaded["outcome"] == "loaded"
    assert failure["outcome"] == "failure"
    assert "bytes" in failure["why"]
