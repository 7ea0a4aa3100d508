"""Tests of the helper process: it compiles what a step calls, and starts only where it helps."""
import os
import signal
import subprocess
import sys
import time
from types import SimpleNamespace

import numba
import pytest
from layouts import compiled

from cs231n_fer.kernels.vectors import helper

STEP = """
import sys
import numpy as np
from cs231n_fer.fast_layers import compile_ahead
from cs231n_fer.classifiers import FinalConvNet
from cs231n_fer.kernels import conv, gradients, losses, product, update
from cs231n_fer.solver import Recipe, Solver
kernels = {"backward": conv.backward, "gather": gradients.gather, "update": update.over_blocks,
           "loss": losses.softmax, "product": product.product, "transpose": product.transpose}
def compiled():
    return {name: len(getattr(kernel, "compiled", kernel).signatures)
            for name, kernel in kernels.items()}
dtype, steps = np.dtype(sys.argv[1]), set()
for part in compile_ahead.PARTS:
    part(dtype)
before = compiled()
ahead = {m: [step.addresses for step in conv.backward_steps(m)] for m in compile_ahead.TILES}
assert set(before.values()) == {1}, before
assert all(dtype in address for addresses in ahead.values() for address in addresses)
X = np.random.default_rng(0).standard_normal((50, 1, 48, 48)).astype(dtype)
data = {"X_train": X, "y_train": np.arange(50) % 7, "X_val": X[:7], "y_val": np.arange(7)}
net = FinalConvNet(seed=0, dtype=dtype, reg=1e-3)
backward_addresses = conv.backward_addresses
conv.backward_addresses = lambda m, dtype: steps.add(m) or backward_addresses(m, dtype)
Solver(net, data, batch_size=50, num_epochs=1, verbose=False, recipe=Recipe(keep="last")).train()
assert compiled() == before, compiled()
assert steps == set(compile_ahead.TILES), steps
"""


@compiled
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_it_compiles_what_a_step_of_the_final_net_calls_for_the_same_types(dtype):
    done = subprocess.run([sys.executable, "-c", STEP, dtype], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


FOREVER = """
import os
from cs231n_fer.kernels.vectors import helper
helper.BEGIN = "import sys; sys.path[:] = {{!r}}; " \
    "import {{}}.fast_layers.compile_ahead as ahead; real = {{!r}}; " \
    "ahead.PARTS = [lambda _: __import__('time').sleep(1000)]; ahead.main(real)"
begin = helper.begin
def noted(*arguments):
    process = begin(*arguments)
    print(process.pid, flush=True)
    return process
helper.begin = noted
helper.start("float32", {folder!r})
{end}
"""


@compiled
@pytest.mark.parametrize("end, status",
                         [("", 0), ("os._exit(0)", 0), ("os.kill(os.getpid(), 9)", -9)])
def test_the_helper_ends_with_its_process_however_that_ends(tmp_path, end, status):
    env = {name: value for name, value in os.environ.items() if name != helper.ALONE}
    done = subprocess.run([sys.executable, "-c", FOREVER.format(folder=str(tmp_path), end=end)],
                          capture_output=True,
                          text=True,
                          env={**env, "NUMBA_NUM_THREADS": "2", "NUMBA_CACHE_DIR": str(tmp_path)})
    assert done.returncode == status, done.stderr
    # An exit waits for the helper; otherwise the helper must notice that its parent has ended.
    helper_ends(int(done.stdout), seconds=60 if end else 0)


def helper_ends(process, seconds):
    for _ in range(10 * seconds + 1):
        try:
            os.kill(process, 0)
        except ProcessLookupError:
            return
        time.sleep(0.1)
    os.kill(process, signal.SIGKILL)
    raise AssertionError("the helper went on")


@pytest.fixture
def begun(monkeypatch):
    """Return the commands of the processes that helper.py would start; none of them runs."""
    commands = []
    monkeypatch.setattr(helper, "MOST_THREADS", 2)
    monkeypatch.delenv(helper.ALONE, raising=False)
    monkeypatch.setattr(helper, "subprocess", SimpleNamespace(
        PIPE=None, DEVNULL=None, Popen=lambda command, **_: commands.append(command)))
    # "" stands for the working directory.
    monkeypatch.setattr(sys, "path", [entry for entry in sys.path if entry])
    monkeypatch.setattr(helper.atexit, "register", lambda *_: None)
    return commands


def test_it_starts_where_a_second_processor_is(begun, tmp_path):
    helper.start("float64", tmp_path)
    ((python, option, code),) = begun
    assert python == sys.executable
    assert option == "-c"
    assert code.endswith("from cs231n_fer.fast_layers.compile_ahead import main; main('float64')")


def test_it_imports_what_its_process_would_and_nothing_of_the_working_directory(begun, tmp_path):
    (tmp_path / "numba.py").write_text("raise SystemExit('numba of the working directory')")
    helper.start("float32", tmp_path)
    ((*python, code),) = begun
    code = code.replace("main('float32')", "import numba; print(numba.__file__, main.__module__)")
    found = subprocess.run([*python, code], cwd=tmp_path, capture_output=True, text=True,
                           check=True).stdout
    assert found.split() == [numba.__file__, "cs231n_fer.fast_layers.compile_ahead"]


def test_a_folder_has_one_helper(begun, tmp_path):
    fcntl = pytest.importorskip(
        "fcntl", reason="without locks on files each process has a helper of its own"
    )
    with open(tmp_path / "helper.lock", "ab") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        helper.start("float32", tmp_path)
        assert begun == []
    helper.start("float32", tmp_path)
    assert len(begun) == 1


@compiled
def test_the_lock_lasts_as_long_as_the_helper(tmp_path, monkeypatch):
    pytest.importorskip("fcntl",
                        reason="without locks on files each process has a helper of its own")
    monkeypatch.setattr(helper, "MOST_THREADS", 2)
    monkeypatch.delenv(helper.ALONE, raising=False)
    monkeypatch.setattr(helper, "BEGIN", "import time; time.sleep(1000) # {!r} {} {!r}")
    processes = []
    monkeypatch.setattr(helper.atexit, "register", lambda _, process: processes.append(process))
    helper.start("float32", tmp_path)
    helper.start("float32", tmp_path)
    assert len(processes) == 1
    helper.stop(processes[0])
    helper.start("float32", tmp_path)
    assert len(processes) == 2
    helper.stop(processes[1])


def test_an_error_of_the_helper_is_found_in_the_folder_of_compiled_kernels(tmp_path, monkeypatch):
    monkeypatch.setattr(helper, "MOST_THREADS", 2)
    monkeypatch.delenv(helper.ALONE, raising=False)
    monkeypatch.setattr(helper, "BEGIN", "raise ValueError('no kernel') # {!r} {} {!r}")
    processes = []
    monkeypatch.setattr(helper.atexit, "register", lambda _, process: processes.append(process))
    (tmp_path / helper.LOG).write_text("the errors of an earlier helper")
    helper.start("float32", tmp_path)
    (process,) = processes
    process.wait()
    helper.stop(process)
    log = (tmp_path / helper.LOG).read_text()
    assert log.startswith("Traceback") and log.endswith("ValueError: no kernel\n")


@pytest.mark.parametrize("what", ["one thread", "alone", "no folder", "no interpreter", "frozen"])
def test_it_does_not_start_where_it_is_of_no_use(what, begun, tmp_path, monkeypatch):
    if what == "one thread":
        monkeypatch.setattr(helper, "MOST_THREADS", 1)
    elif what == "alone":
        monkeypatch.setenv(helper.ALONE, "1")
    elif what == "no interpreter":
        monkeypatch.setattr(sys, "executable", "")
    elif what == "frozen":
        monkeypatch.setattr(sys, "frozen", True, raising=False)
    helper.start("float32", tmp_path / "none" if what == "no folder" else tmp_path)
    assert begun == []


def test_a_system_without_another_process_is_no_error(begun, tmp_path, monkeypatch):
    def none_left(*_, **__):
        raise BlockingIOError("Resource temporarily unavailable")
    monkeypatch.setattr(helper.subprocess, "Popen", none_left)
    helper.start("float32", tmp_path)
