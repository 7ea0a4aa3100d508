"""A second process that compiles as well, since Numba compiles in one thread of a process.

A training step calls its kernels in order. When the first of them isn't on disk, the helper starts
with the last ones and goes backward; what it has compiled this process finds on disk, so the two
meet in the middle without any agreement. What the helper prints, errors above all, is in the file
helper.log beside the compiled kernels.
"""
import atexit
import os
import subprocess
import sys
from pathlib import Path
from typing import IO

import numba

from .machine import MOST_THREADS

try:
    import fcntl
except ImportError:  # Windows: every process has a helper of its own
    fcntl = None

ALONE = "CS231N_FER_COMPILE_ALONE"  # in the environment: no helper
LOG = "helper.log"  # in the folder of compiled kernels: output of its last helper
# Not "-m", which would import from the working directory: the helper finds the same modules as this
# process.
BEGIN = "import sys; sys.path[:] = {!r}; from {}.fast_layers.compile_ahead import main; main({!r})"


def start(real: str, folder: str | os.PathLike[str]) -> None:
    """Start the helper of a folder, unless it already has one or a helper is of no use.

    real     name of the dtype of float arrays
    folder   where compiled kernels are kept

    The helper ends when this process does.
    """
    useful = MOST_THREADS > 1 and os.access(folder, os.W_OK) and ALONE not in os.environ
    # A frozen program's sys.executable is the program itself, not Python.
    if not useful or not sys.executable or getattr(sys, "frozen", False):
        return
    try:
        with open(Path(folder) / "helper.lock", "ab") as lock:
            if fcntl:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            with open(Path(folder) / LOG, "wb") as log:  # only after locking: it is emptied
                process = begin(real, [lock.fileno()] if fcntl else [], log)
    except OSError:  # another process has the lock, or no process can be started: compile alone
        return
    atexit.register(stop, process)


def begin(real: str, inherited: list[int], log: IO[bytes]) -> subprocess.Popen[bytes]:
    """Start a process that inherits some files of this one, so that a lock on them ends with it.

    Its output goes to the file `log`.
    """
    path = [entry for entry in sys.path if isinstance(entry, str)]
    code = BEGIN.format(path, __package__.partition(".")[0], real)
    return subprocess.Popen([sys.executable, "-c", code], pass_fds=inherited, stdin=subprocess.PIPE,
                            stdout=log, stderr=log,
                            env={**os.environ, "NUMBA_CACHE_DIR": numba.config.CACHE_DIR,
                                 ALONE: "1"})


def stop(process: subprocess.Popen[bytes]) -> None:
    """End the helper; a file that it was writing is complete or counts as missing."""
    with process:
        process.kill()
