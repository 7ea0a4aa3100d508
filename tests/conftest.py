"""Fixtures that several files of tests use."""
import os
import sys

import pytest
from jobs import TINY, run

os.environ["CS231N_FER_DATA"] = "synthetic"  # even if there are files in data/


@pytest.fixture(scope="session")
def finished(tmp_path_factory):
    """Return the folder of a run of three epochs."""
    folder = tmp_path_factory.mktemp("runs") / "finished"
    run("train_final", *TINY, "--out", folder, "--epochs", 3, "--seed", 3, draw=True)
    return folder


@pytest.fixture(autouse=True)
def closed_figures():
    """Close the figures of a test, which pyplot would keep."""
    yield
    if "matplotlib.pyplot" in sys.modules:
        sys.modules["matplotlib.pyplot"].close("all")
