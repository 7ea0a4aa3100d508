"""Tests of a run's folder: damaged checkpoints, full disks, read-only folders, Ctrl-C, kill -9."""
import json
import os
import resource
import signal
import subprocess
import sys
import tempfile
import threading
import warnings
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from jobs import EXPERIMENTS
from layouts import compiled
from test_resume import outcome, start
from toys import Scripted, numbers

from cs231n_fer.data_utils.prepared import read_prepared, write_prepared
from cs231n_fer.files.checkpoint import load_checkpoint, save_checkpoint
from cs231n_fer.solver import Solver
from cs231n_fer.solver.interrupts import interrupts_noted
from cs231n_fer.solver.run_folder import BEFORE, BEST, HISTORY, LAST, duplicate

RUN = "adam, batchnorm, dropout, flips"


def whole(tmp_path, epochs=4):
    solver = start(RUN, tmp_path / "whole", epochs)
    solver.train()
    return solver


DAMAGE = {"empty": lambda content: b"", "cut off": lambda content: content[:len(content) // 2],
          "its beginning lost": lambda content: bytes(512) + content[512:], "text":
              lambda content: b"text"}


@pytest.mark.parametrize("damage", DAMAGE)
def test_a_damaged_last_checkpoint_costs_an_epoch_and_no_bit(tmp_path, damage):
    folder = tmp_path / "run"
    start(RUN, folder, 3).train()
    (folder / LAST).write_bytes(DAMAGE[damage]((folder / LAST).read_bytes()))
    with pytest.warns(UserWarning, match=r"last\.h5 .*; going on from before\.h5, of epoch 2"):
        resumed = start(RUN, folder, 4, resume=True)
    assert resumed.epoch == 2
    # Both files are valid, in case the next save is killed.
    assert load_checkpoint(folder / LAST)[1]["epoch"] == 2
    resumed.train()
    assert outcome(resumed) == outcome(whole(tmp_path))


def test_two_damaged_checkpoints_get_an_error_that_names_both(tmp_path):
    start("sgd", tmp_path, 2).train()
    for name in (LAST, BEFORE):
        (tmp_path / name).write_bytes(b"text")
    with pytest.raises(ValueError, match=r"last\.h5 is not .*; nor is there a whole before\.h5"):
        start("sgd", tmp_path, 4, resume=True)


@pytest.mark.parametrize("spoil",
                         [lambda path: path.unlink(), lambda path: path.write_bytes(b"text")],
                         ids=["missing", "damaged"])
def test_best_weights_outlive_a_lost_best_checkpoint(tmp_path, spoil):
    folder = tmp_path / "run"
    start(RUN, folder, 3).train()
    spoil(folder / BEST)
    resumed = start(RUN, folder, 4, resume=True)
    resumed.train()
    expected = whole(tmp_path)
    assert outcome(resumed) == outcome(expected)
    arrays = load_checkpoint(folder / BEST)[0]
    assert all((arrays[f"params/{name}"] == array).all()
               for name, array in expected.best_params.items())


def test_checkpoints_from_before_last_held_the_best_weights_are_gone_on_with(tmp_path):
    folder = tmp_path / "run"
    start(RUN, folder, 2).train()
    arrays, info = load_checkpoint(folder / LAST)
    del info["step"]
    save_checkpoint(folder / LAST,
                    {name: a for name, a in arrays.items() if not name.startswith("best/")}, info)
    resumed = start(RUN, folder, 4, resume=True)
    resumed.train()
    assert outcome(resumed) == outcome(whole(tmp_path))


def test_what_a_killed_process_had_begun_to_write_is_swept_up(tmp_path):
    start("sgd", tmp_path, 1).train()
    (tmp_path / f".{LAST}.12345.tmp").write_bytes(b"half")
    (tmp_path / ".mine.tmp").write_bytes(b"mine")
    start("sgd", tmp_path, 2, resume=True)
    assert sorted(os.listdir(tmp_path)) == [".mine.tmp", BEST, HISTORY, LAST]


def test_a_disk_without_second_names_gets_copies(tmp_path, monkeypatch):
    def no_link(*paths):
        raise OSError("not supported")
    (tmp_path / "a").write_text("a")
    (tmp_path / "b").write_text("b")
    monkeypatch.setattr(os, "link", no_link)
    duplicate(tmp_path / "a", tmp_path / "b")
    assert (tmp_path / "b").read_text() == "a" == (tmp_path / "a").read_text()


@contextmanager
def no_large_files(folder):
    """Let the kernel refuse to write files beyond 4 KiB, as it does on a full disk."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, before[1]))
    try:
        yield "File too large"
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


@contextmanager
def full_disk(folder):
    """Fill the small file system that holds the folder."""
    filling = folder / "filling"
    with open(filling, "wb", buffering=0) as file:
        try:
            while True:
                file.write(bytes(1024))
        except OSError:
            pass
    try:
        yield "No space left on device"
    finally:
        filling.unlink()


@contextmanager
def read_only(folder):
    """Make the folder read-only; if this process is root, it becomes an ordinary user."""
    os.chmod(folder, 0o555)
    if os.geteuid() == 0:
        os.chown(folder, 65534, -1)
        os.seteuid(65534)
    try:
        yield "Permission denied"
    finally:
        if os.getuid() == 0:
            os.seteuid(0)
        os.chmod(folder, 0o755)


@contextmanager
def small_disk():
    """Yield a folder with a file system of 1 MiB, or skip where this process can't mount one."""
    with tempfile.TemporaryDirectory() as folder:
        made = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", folder],
                              capture_output=True)
        if made.returncode:
            pytest.skip("may not mount a small file system")
        try:
            yield folder
        finally:
            subprocess.run(["umount", folder], check=True)


@pytest.mark.parametrize("trouble", [no_large_files, full_disk, read_only],
                         ids=lambda trouble: trouble.__name__)
def test_a_disk_that_takes_no_more_gives_one_clear_error_and_the_last_checkpoint_stays(
        tmp_path, trouble):
    # Other users may not read tmp_path.
    with small_disk() if trouble is full_disk else tempfile.TemporaryDirectory() as place:
        os.chmod(place, 0o755)
        folder = Path(place)
        start(RUN, folder, 2).train()
        names = sorted(os.listdir(folder))
        going_on = start(RUN, folder, 4, resume=True)
        with trouble(folder) as reason, pytest.raises(
            OSError, match=rf"could not write \S+/\S+ \({reason}\)"
        ):
            going_on.train()
        assert sorted(os.listdir(folder)) in (names, sorted({*names, BEFORE}))
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            resumed = start(RUN, folder, 4, resume=True)
        assert 2 <= resumed.epoch < 4  # a full disk may still have room for one file
        resumed.train()
        assert outcome(resumed) == outcome(whole(tmp_path))


def test_faces_for_which_the_disk_has_no_room_leave_the_prepared_file_as_it_was(tmp_path):
    labels = np.arange(3, dtype=np.uint8)
    faces = (np.zeros((3, 48, 48), np.uint8), labels, labels)
    write_prepared(tmp_path / "a.h5", *faces)
    with (no_large_files(tmp_path) as reason,
          pytest.raises(OSError, match=rf"could not write \S+a\.h5 \({reason}\)")):
        write_prepared(tmp_path / "a.h5", faces[0] + 1, *faces[1:])
    assert not read_prepared(tmp_path / "a.h5")["pixels"].any() and os.listdir(tmp_path) == ["a.h5"]


@pytest.fixture
def interruptible():
    """SIGINT as Python handles it in the foreground; a shell lets background processes ignore
    it."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.parametrize("step", [0, 3, 5, 12],
                         ids=["before the first", "in epoch 1", "at its end", "in epoch 3"])
def test_ctrl_c_ends_the_step_saves_and_says_how_to_go_on_bit_for_bit(
        tmp_path, step, interruptible):
    folder = tmp_path / "run"
    solver = start(RUN, folder, 4)
    loss = solver.model.loss
    accuracy = solver._accuracy

    def interrupting(X, y=None):
        if y is not None and len(solver.loss_history) == step - 1:
            signal.raise_signal(signal.SIGINT)
        return loss(X, y)
    solver.model.loss = interrupting
    if step == 0:
        solver._accuracy = lambda *rest: signal.raise_signal(signal.SIGINT) or accuracy(*rest)
        # The second of the two measurements of accuracy stops at once.
        ends = pytest.raises(KeyboardInterrupt)
    else:
        ends = pytest.raises(KeyboardInterrupt,
                             match=rf"interrupted in epoch .* saved in {folder}: .*resume")
    with ends:
        solver.train()
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    resumed = start(RUN, folder, 4, resume=True)
    assert len(resumed.loss_history) == step
    assert (resumed.epoch, resumed.state.step) == divmod(step, 5)
    resumed.train()
    assert outcome(resumed) == outcome(whole(tmp_path))


def test_ctrl_c_in_the_last_evaluation_is_not_lost_and_without_a_folder_nothing_is_saved(
    interruptible,
):
    model = Scripted([0.1, 0.2])
    solver = Solver(model, numbers(4), num_epochs=1, verbose=False)
    evaluate = solver._evaluate
    solver._evaluate = lambda: model.steps and signal.raise_signal(signal.SIGINT) or evaluate()
    with pytest.raises(KeyboardInterrupt,
                       match="after 0 of its steps; nothing is saved, as there is no"):
        solver.train()


def test_other_threads_and_other_handlers_keep_their_signals(interruptible):
    seen = []

    def note():
        with interrupts_noted() as noted:
            seen.append((noted, signal.getsignal(signal.SIGINT)))
    thread = threading.Thread(target=note)
    thread.start()
    thread.join()
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    note()
    assert seen == [([], signal.default_int_handler), ([], signal.SIG_IGN)]
    assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN


@compiled
@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_run_that_is_killed_again_and_again_ends_with_the_bits_of_a_whole_one(tmp_path):
    script = EXPERIMENTS / "checks" / "torture_resume.py"
    out = tmp_path / "resume.json"
    done = subprocess.run([sys.executable, script, "--kills", "12", "--epochs", "5", "--out", out],
                          capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    found = json.loads((tmp_path / "resume.json").read_text())
    assert found["kills"] == 12
    assert found["in_a_save"] > 0
    assert not found["wrong"]
    assert found["runs"] >= 1
