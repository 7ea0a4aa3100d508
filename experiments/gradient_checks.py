"""Check the gradients of all layers, rungs and dtypes on many random shapes.

    python experiments/gradient_checks.py                all layers, 20 shapes per row
    python experiments/gradient_checks.py --shapes 200   also writes the page GRADIENTS.md
    python experiments/gradient_checks.py --layer conv   layers whose name contains "conv"

In float64, analytic gradients are compared with numerical ones; in float32, with the analytic ones
in float64. Every row states the largest error and its limit. Networks are checked on a tenth of the
shapes. A run over all layers with 200 or more shapes writes experiments/results/GRADIENTS.md, a
shorter one runs/GRADIENTS.md. Exits with 1 if a row fails, and with 2 if no layer matches --layer.
"""
import sys
from pathlib import Path

if __package__ is None:  # started as a file, not with -m
    sys.path[0] = str(Path(__file__).resolve().parents[1])

import numpy as np

from cs231n_fer.files.checkpoint import write_text
from cs231n_fer.gradient_check.cases import CASES
from cs231n_fer.gradient_check.verdicts import largest_errors
from experiments import flags
from experiments.bench.report import (
    GRADIENTS,
    RESULTS,
    json_text,
    quick_copy,
    table,
    write_page,
)

ENOUGH = 200  # number of shapes; results on fewer shapes are not published
PROMISE = "Every gradient is correct, on every rung, in float32 and float64"


def parse():
    """Parse and check the command line."""
    parser = flags.Parser(__doc__)
    parser.add_argument("--layer", default="",
                        help="check only layers whose name contains this text (default: all)")
    parser.add_argument("--shapes", type=flags.whole(1), default=20,
                        help="number of random shapes per row (default: %(default)s)")
    parser.add_argument("--seed", type=flags.whole(), default=0,
                        help="seed of the shapes and arrays (default: %(default)s)")
    options = parser.parse_args()
    if not any(options.layer in case.layer for case in CASES):
        parser.error(f"--layer: no layer contains {options.layer!r}; there are "
                     f"{sorted({c.layer for c in CASES})}")
    print(f"gradient checks: layer {options.layer or 'all'}, shapes {options.shapes}, seed "
          f"{options.seed}, NumPy {np.__version__}")
    return options


def check(case, options):
    """Check one row, print it, and return it as a dict."""
    shapes = max(1, options.shapes // 10) if case.is_network else options.shapes
    worst, odd = largest_errors(case, shapes, options.seed)
    for dtype, (error, limit, passed) in worst.items():
        print(f"{case.layer:28}  {case.rung:8} {case.kind:9} {dtype:7} {error:13.1e} {limit:8.0e}  "
              f"{'pass' if passed else 'FAIL'}", flush=True)
    return {"layer": case.layer, "rung": case.rung, "kind": case.kind, "network": case.is_network,
            "shapes": shapes, "odd": odd, "passed": all(passed for *_, passed in worst.values()),
            **{dtype: {"error": error, "limit": limit}
               for dtype, (error, limit, _) in worst.items()}}


def result(rows, options):
    """Return the result of a run for the table of promises: promise, summary, command and rows."""
    entries = [(row, row[dtype]) for row in rows for dtype in ("float64", "float32")
               if dtype in row]
    count = sum(not row["network"] for row, _ in entries)
    (network,) = {row["shapes"] for row in rows if row["network"]}
    largest = max(entry["error"] / entry["limit"] for _, entry in entries)
    return {"promise": PROMISE,
            "measured": f"{sum(row['passed'] for row in rows)} of {len(rows)} rows pass; {count} "
                        "combinations of layer, rung and dtype were checked on "
                        f"{options.shapes} shapes each, networks on {network}; the largest error "
                        f"is {largest:.0%} of its limit",
            "command": f"python experiments/gradient_checks.py --shapes {options.shapes}",
            "rows": rows}


def page_table(rows):
    """Return a table that shows, for every layer, the rung nearest to its limit."""
    lines = []
    for layer in dict.fromkeys(row["layer"] for row in rows):
        of_layer = [row for row in rows if row["layer"] == layer]
        cells = []
        for dtype in ("float64", "float32"):
            worst = max((row[dtype] for row in of_layer if dtype in row), default=None,
                        key=lambda entry: entry["error"] / entry["limit"])
            cells += [f"{worst['error']:.1e}", f"{worst['limit']:.0e}"] if worst else [None, None]
        lines.append([layer, ", ".join(row["rung"] for row in of_layer), of_layer[0]["shapes"],
                      *cells])
    return table(["layer", "rungs", "shapes", "float64 error", "limit", "float32 error", "limit"],
                 lines)


def publish(rows, options):
    """Write GRADIENTS.md and the result for the table of promises; see the module docstring."""
    kept = result(rows, options)
    page = GRADIENTS if options.shapes >= ENOUGH else quick_copy(GRADIENTS)
    body = f"Measured with `{kept['command']}`.\n\n{page_table(rows)}"
    print(write_page(page, "gradients", body))
    if options.shapes >= ENOUGH:
        path = RESULTS / "reliability" / "gradients.json"
        write_text(path, json_text(kept))


def main():
    options = parse()
    print(f"{'layer':28}  {'rung':8} {'kind':9} {'dtype':7} {'largest error':>13} {'limit':>8}  "
          "verdict")
    rows = [check(case, options) for case in CASES if options.layer in case.layer]
    failed = sum(not row["passed"] for row in rows)
    print(f"{failed} rows fail" if failed else "every row passes")
    if not options.layer:
        publish(rows, options)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
