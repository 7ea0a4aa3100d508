"""A second process that compiles too, as Numba uses one thread of a process.

A training step meets its kernels in order. When the first of them isn't on disk, the helper begins
to compile the last ones and goes backwards; what it has compiled this process finds on disk, so
that the two meet and need no agreement.
"""
import atexit
import os
import subprocess
import sys
from pathlib import Path

import numba

from .machine import MOST_THREADS

try:
    import fcntl
except ImportError:  # Windows: each process has a helper of its own
    fcntl = None

ALONE = "CS231N_FER_COMPILE_ALONE"  # in the environment: no helper
# Not "-m", which would import what lies in the working directory: modules are those that this
# process would find.
BEGIN = "import sys; sys.path[:] = {!r}; from {}.fast_layers.compile_ahead import main; main({!r})"


def start(real, folder):
    """Start the helper of a folder, unless it has one or that would be of no use; it ends when this
    process does.

    real     name of the dtype of float arrays;  folder: where compiled kernels are kept
    """
    useful = MOST_THREADS > 1 and os.access(folder, os.W_OK) and ALONE not in os.environ
    # Sys.executable may be no Python
    if not useful or not sys.executable or getattr(sys, "frozen", False):
        return
    try:
        with open(Path(folder) / "helper.lock", "ab") as lock:
            if fcntl:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            process = begin(real, [lock.fileno()] if fcntl else [])
    except OSError:  # another process has the lock, or the system has no process left: this one compiles alone
        return
    atexit.register(stop, process)


def begin(real, inherited):
    """Begin a process that keeps some files of this one open, so that a lock on them ends when it
    does."""
    path = [each for each in sys.path if isinstance(each, str)]
    code = BEGIN.format(path, __package__.partition(".")[0], real)
    return subprocess.Popen([sys.executable, "-c", code], pass_fds=inherited, stdin=subprocess.PIPE,
                            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                            env={**os.environ, "NUMBA_CACHE_DIR": numba.config.CACHE_DIR,
                                 ALONE: "1"})


def stop(process):
    """End the helper; code that it was writing is complete on disk or taken for none."""
    with process:
        process.kill()
