"""The folder of compiled kernels: whatever happened to it, a run gives right results."""
import json
import os
import subprocess
import sys

import pytest
from jobs import EXPERIMENTS
from layouts import compiled


@compiled
@pytest.mark.skipif(os.name != "posix", reason="takes away the right to write as POSIX does")
def test_no_state_of_the_cache_breaks_a_run_and_none_is_read_that_is_out_of_date(tmp_path):
    done = subprocess.run([sys.executable, EXPERIMENTS / "torture_cache.py", "--out", tmp_path / "cache.json"],
                          capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    assert len(json.loads((tmp_path / "cache.json").read_text())["cases"]) >= 7
