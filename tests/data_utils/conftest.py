"""A place of their own for the tests of finding data."""
import pytest

from cs231n_fer.data_utils import find


@pytest.fixture
def place(tmp_path, monkeypatch):
    """A working directory of our own with an empty data/, and no data anywhere else."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("CS231N_FER_DATA", raising=False)
    monkeypatch.setattr(find, "__file__", str(tmp_path / "other" / "x" / "data_utils" / "find.py"))
    (tmp_path / "data").mkdir()
    return tmp_path
