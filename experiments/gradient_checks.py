"""Check every gradient of the engine: layer x rung x dtype, the largest error over many random shapes, a verdict.

    python experiments/gradient_checks.py                 everything
    python experiments/gradient_checks.py --layer conv    rows whose layer contains "conv"

float64: the analytic gradient against numerical ones. float32: against the analytic gradient in float64. Exits with 1
if any row fails, and with 2 if --layer names none.
"""
import argparse
import sys

import numpy as np

from cs231n_fer.gradient_cases import CASES, largest_errors


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--layer", default="", help="check only rows whose layer contains this text")
    parser.add_argument("--shapes", type=int, default=20, help="random shapes for each row")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    print(f"gradient checks: layer {options.layer or 'all'}, shapes {options.shapes}, seed {options.seed}, "
          f"NumPy {np.__version__}")
    if options.shapes < 1:
        parser.error(f"--shapes: got {options.shapes}, expected at least 1")
    cases = [case for case in CASES if options.layer in case.layer]
    if not cases:
        parser.error(f"--layer: no layer contains {options.layer!r}; there are {sorted({c.layer for c in CASES})}")

    width = max(len(case.layer) for case in cases)
    print(f"{'layer':{width}}  {'rung':8} {'kind':9} {'dtype':7} {'largest error':>13} {'limit':>8}  verdict")
    failed = 0
    for case in cases:
        for dtype, (error, limit, passed) in largest_errors(case, options.shapes, options.seed).items():
            failed += not passed
            print(f"{case.layer:{width}}  {case.rung:8} {case.kind:9} {dtype:7} {error:13.1e} {limit:8.0e}  "
                  f"{'pass' if passed else 'FAIL'}", flush=True)
    print(f"{failed} rows fail" if failed else "every row passes")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
