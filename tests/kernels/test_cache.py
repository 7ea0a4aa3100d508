"""Whatever happened to the cache of compiled kernels, a run gives correct results."""
import io
import json
import os
import subprocess
import sys
from threading import Lock

import pytest
from jobs import EXPERIMENTS
from layouts import compiled

from cs231n_fer.kernels.vectors import jit


@compiled
@pytest.mark.skipif(os.name != "posix", reason="takes away the right to write as POSIX does")
def test_no_state_of_the_cache_breaks_a_run_and_none_is_read_that_is_out_of_date(tmp_path):
    script = EXPERIMENTS / "checks" / "torture_cache.py"
    out = tmp_path / "cache.json"
    done = subprocess.run([sys.executable, script, "--out", out], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    assert len(json.loads((tmp_path / "cache.json").read_text())["cases"]) >= 8


def test_a_closed_standard_error_ends_no_run(tmp_path, monkeypatch):
    closed = io.StringIO()
    started = []
    closed.close()
    monkeypatch.setattr(sys, "stderr", closed)
    monkeypatch.setattr(jit, "_begun", Lock())
    monkeypatch.setattr(jit.helper, "start", lambda *arguments: started.append(arguments))
    jit.begin_compiling("(array(float64, 1d, C),)", tmp_path)
    assert started == [("float64", tmp_path)]


LINE = "cs231n_fer: compiling kernels for this processor; about 30 s, "


@pytest.mark.parametrize("begin, line", [
    (lambda folder: jit.begin_compiling("(float32,)", folder),
     "once; time second calls, not first ones"),
    (lambda folder: jit._NoCache(None).load_overload("(float32,)", None),
     "in every process; set NUMBA_CACHE_DIR to a writable folder to keep them"),
], ids=["kept", "no folder"])
def test_compiling_says_so_in_one_line_per_process(begin, line, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(jit, "_begun", Lock())
    monkeypatch.setattr(jit.helper, "start", lambda *arguments: None)
    begin(tmp_path)
    begin(tmp_path)
    assert capsys.readouterr().err == LINE + line + "\n"


QUIET = """import numpy as np
from cs231n_fer.fast_layers.affine import matrix_product
matrix_product(np.ones((1, 1)), np.ones((1, 1)))
"""


@compiled
def test_what_is_on_disk_is_loaded_without_a_word(tmp_path):
    environment = {**os.environ, "NUMBA_CACHE_DIR": str(tmp_path), jit.helper.ALONE: "1"}
    first, second = (subprocess.run([sys.executable, "-c", QUIET], capture_output=True, text=True,
                                    env=environment, cwd=EXPERIMENTS.parent) for _ in range(2))
    assert first.stderr == LINE + "once; time second calls, not first ones\n"
    assert (second.returncode, second.stderr) == (0, "")


def test_a_save_that_is_cut_short_does_not_give_a_key_the_code_of_another(tmp_path, monkeypatch):
    """As when a process is killed between Numba's two writes, where older files of changed sources
    lie."""
    before, after = (jit.KeyedFile(str(tmp_path), "kernel", stamp)
                     for stamp in ("sources as they were", "and are"))
    before.save("key", "old code")
    assert before.load("key") == "old code"
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(after, "_save_data", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
        after.save("new key", "new code")
    assert after.load("new key") is None
    after.save("new key", "new code")
    assert after.load("new key") == "new code"
