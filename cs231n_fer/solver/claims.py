"""Claims: files by which processes that share a folder agree on who runs a trial.

A process touches its claim for as long as it works. A claim that has not been touched for `stale`
seconds, by the clock of the file system, belongs to a dead process: the process that then creates
0007.claim-1 takes the trial over. The same holds for a claim that lies further than that in the
future, made before a clock was set back: a living process would have touched it. Claims are created
exclusively and never removed or renamed, so that at no moment can two processes both succeed. A
process that was not dead but suspended finds the younger claim when it has finished, and leaves the
result to its successor. An interrupted process makes its claim old, so that no other one waits.
"""
from __future__ import annotations

import os
import socket
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ..files.sealed import FilePath

__all__ = ["STALE", "age", "claim", "claim_path", "result_path", "working"]

STALE = 120.0  # seconds; network file systems may show modification times that are a minute old
BEATS = 10  # touches in that time


def claim_path(folder: FilePath, number: int, generation: int) -> Path:
    """Return the path of a claim of a trial; generations are counted from 0."""
    return Path(folder) / f"{number:04}.claim-{generation}"


def result_path(folder: FilePath, number: int) -> Path:
    """Return the path of the result of a trial."""
    return Path(folder) / f"{number:04}.json"


def claim(folder: FilePath, number: int, stale: float = STALE) -> Path | None:
    """Claim a trial for this process; return the path of the claim, None if the trial is taken.

    folder   of the trials
    number   of the trial
    stale    seconds after which an untouched claim is considered abandoned
    """
    folder = Path(folder)
    generation = 0
    folder.mkdir(parents=True, exist_ok=True)
    while claim_path(folder, number, generation).exists():
        generation += 1
    # A claim from the future, made before a clock was set back, would never become old.
    if generation and abs(age(claim_path(folder, number, generation - 1))) < stale:
        return None
    path = claim_path(folder, number, generation)
    try:
        with open(path, "x", encoding="utf-8") as file:  # O_CREAT | O_EXCL: fails if it exists
            file.write(f"{socket.gethostname()} {os.getpid()}\n")
    except FileExistsError:
        return None
    # Checked after the claim is made: otherwise the result could appear between the two.
    return None if result_path(folder, number).exists() else path


def age(path: Path) -> float:
    """Return the seconds since a file was touched, by the clock of its file system.

    All machines share this clock. A negative age means that the file is from the future.
    """
    with tempfile.TemporaryFile(dir=path.parent) as now:
        return os.fstat(now.fileno()).st_mtime - path.stat().st_mtime


@contextmanager
def working(path: Path, stale: float = STALE) -> Iterator[None]:
    """Touch a claim regularly while the context lasts; make it old if that is interrupted."""
    done = threading.Event()

    def touch() -> None:
        while not done.wait(stale / BEATS):
            os.utime(path)

    thread = threading.Thread(target=touch, daemon=True)
    thread.start()
    interrupted = True
    try:
        yield
        interrupted = False
    finally:
        done.set()
        thread.join()
        if interrupted:
            os.utime(path, (0, 0))
