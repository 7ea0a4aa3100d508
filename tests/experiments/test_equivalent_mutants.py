"""The table of equivalent mutants follows the source: its lines exist."""
from pathlib import Path

import pytest

from experiments.checks.equivalent_mutants import EQUIVALENT

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize("row", EQUIVALENT, ids=lambda row: f"{row.file}: {row.line}")
def test_every_line_of_the_table_of_equivalent_mutants_occurs_once_in_its_file(row):
    source = (ROOT / row.file).read_text(encoding="utf-8")
    lines = [line.partition("  #")[0].strip() for line in source.splitlines()]
    assert lines.count(row.line) == 1
    assert row.mutant != row.line
