"""A second process that compiles too, as Numba uses one thread of a process.

A training step meets its kernels in order. When the first of them isn't on disk, the helper begins to compile the last
ones and goes backwards; what it has compiled this process finds on disk, so that the two meet and need no agreement.
"""
import atexit
import os
import subprocess
import sys
from pathlib import Path

from .machine import MOST_THREADS

PACKAGE = Path(__file__).resolve().parents[1]
ALONE = "CS231N_FER_COMPILE_ALONE"  # in the environment: no helper


def start(real, folder):
    """Start the helper, unless it would be of no use; it ends when this process exits, or is done soon after a kill.

    real     name of the dtype of float arrays;  folder: where compiled kernels are kept
    """
    useful = MOST_THREADS > 1 and os.access(folder, os.W_OK) and ALONE not in os.environ
    if not useful or not sys.executable or getattr(sys, "frozen", False):  # sys.executable may be no Python
        return
    path = os.pathsep.join(filter(None, [str(PACKAGE.parent), os.environ.get("PYTHONPATH")]))
    try:
        process = subprocess.Popen([sys.executable, "-m", f"{PACKAGE.name}.compile_ahead", real],
                                   env={**os.environ, "PYTHONPATH": path, ALONE: "1"}, stdin=subprocess.DEVNULL,
                                   stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    except OSError:  # the system has no process left: this one compiles alone
        return
    atexit.register(stop, process)


def stop(process):
    """End the helper; what it was writing is complete on disk or not there at all."""
    process.kill()
    process.wait()
