"""Compare every layer, loss and update rule with PyTorch, and record the largest difference.

    pip install -e ".[oracle]"
    python experiments/checks/oracle.py

Runs tests/test_oracle.py, which describes the comparisons and how conventions are mapped. Exits
with 1 if a test fails.
"""
import sys
from pathlib import Path

if __package__ is None:  # started as a file, not with -m
    sys.path[0] = str(Path(__file__).resolve().parents[2])

import numpy as np
import pytest

from cs231n_fer.files.checkpoint import write_text
from experiments import flags
from experiments.bench.report import RESULTS, ROOT, json_text


def main():
    flags.Parser(__doc__).parse_args()
    import torch
    print(f"oracle: PyTorch {torch.__version__}, NumPy {np.__version__}")
    failed = pytest.main(["-q", "-p", "no:cacheprovider", str(ROOT / "tests" / "test_oracle.py")])
    errors = sys.modules["test_oracle"].ERRORS
    worst = float(np.max(errors))
    print(f"{len(errors):,} comparisons, the largest difference {worst:.1e} of the largest number")
    if failed:
        return 1
    path = RESULTS / "reliability" / "oracle.json"
    write_text(path, json_text({
        "promise": "In float64, layers, losses, gradients and update rules agree with PyTorch",
        "measured": f"within {worst:.0e}; largest relative difference in {len(errors):,} "
                    "comparisons, the limit is 1e-10",
        "command": "python experiments/checks/oracle.py", "torch": torch.__version__,
        "largest": worst, "comparisons": len(errors)}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
