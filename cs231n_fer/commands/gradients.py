"""`cs231n-fer check-gradients`: analytic against numerical gradients."""
from __future__ import annotations

import argparse

from .parsing import Subparsers, command, whole

__all__ = ["add"]


def add(commands: Subparsers, name: str) -> None:
    """Add the subparser."""
    parser = command(commands, name, run, "check the gradients of layers, losses and networks",
                     "cs231n-fer check-gradients --layer batchnorm --shapes 20")
    add = parser.add_argument
    add("--layer", default="", help="check only layers whose name contains this text")
    add("--shapes", type=whole(1), default=3,
        help="number of random shapes per row; networks get a tenth of it (default: %(default)s)")
    add("--seed", type=whole(0), default=0, help="seed of the random shapes (default: %(default)s)")


def run(options: argparse.Namespace) -> int:
    """Print a row for every layer, rung and dtype; raises ValueError if one fails."""
    from ..gradient_check.cases import CASES
    from ..gradient_check.verdicts import largest_errors
    chosen = [case for case in CASES if options.layer in case.layer]
    if not chosen:
        layers = ", ".join(sorted({case.layer for case in CASES}))
        raise ValueError(f"--layer: no layer has {options.layer!r} in its name; the layers are "
                         f"{layers}")
    print(f"{'layer':28}  {'rung':8} {'dtype':7} {'largest error':>13} {'limit':>8}  verdict")
    failed = 0
    for case in chosen:
        shapes = max(1, options.shapes // 10) if case.is_network else options.shapes
        errors, _ = largest_errors(case, shapes, options.seed)
        for dtype, (error, limit, passed) in errors.items():
            failed += not passed
            print(f"{case.layer:28}  {case.rung:8} {dtype:7} {error:13.1e} {limit:8.0e}  "
                  f"{'pass' if passed else 'FAIL'}", flush=True)
    if failed:
        raise ValueError(f"{failed} rows fail: their errors exceed the limits")
    print("every row passes")
    return 0
