"""Processes that read mutated files; one that dies, hangs or takes too much memory is replaced.

The limit is on CPU time, so that files don't fail on a machine that is busy or asleep.
"""
import json
import os
import resource
import select
import signal
import subprocess
import tempfile
from pathlib import Path

from .formats import PICTURE, formats, mutated, pictures

CPU_SECONDS = 5  # for one file
WALL_SECONDS = 300  # for one file; a process that is silent for longer waits for something
# prepare flushes its files to disk, which takes long.
IN_MEMORY = "/dev/shm" if os.path.isdir("/dev/shm") else None
MEMORY = 1 << 28  # bytes more than before the first file


def read_one(kind, folder, number, seed):
    """Return (outcome, reason) of a file; the outcome is loaded, skipped, refused or failure."""
    content, original = mutated(kind, number, seed)
    path = folder / kind.name
    path.write_bytes(content)
    try:
        return kind.judge(path, content, original), ""
    except ValueError as error:
        clear = type(error) is ValueError and (path.name in str(error)
                                               or str(error).startswith(("source: ", "data: ")))
        return ("refused" if clear else "failure"), f"{type(error).__name__}: {error}"[:300]
    except Exception as error:  # these are the failures that fuzzing looks for
        return "failure", f"{type(error).__name__}: {error}"[:300]
    finally:
        path.unlink()


def workplace(folder):
    """Make the folders that the formats need, with the valid picture, and return the folder."""
    (folder / "faces" / "train" / "happy").mkdir(parents=True)
    (folder / "faces" / "train" / "happy" / "a.png").write_bytes(pictures("PNG", ("L", {}))[0])
    assert PICTURE.shape == (48, 48)
    return folder


def work(specification):
    """Read files, format by format, and print a line of JSON for every file.

    specification    {"formats", "files", "seed", "start"}, where start is the first index
    """
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    limited = False
    with tempfile.TemporaryDirectory(dir=IN_MEMORY) as name:
        kinds = formats(Path(name))
        folder = workplace(Path(name))
        for index in range(specification["start"],
                           len(specification["formats"]) * specification["files"]):
            kind = kinds[specification["formats"][index // specification["files"]]]
            kind.seeds()
            if not limited:
                limited = True
                before = _limit_memory()
            # Its signal ends the process even inside a C library.
            signal.setitimer(signal.ITIMER_PROF, CPU_SECONDS)
            outcome, why = read_one(kind, folder, index % specification["files"],
                                    specification["seed"])
            signal.setitimer(signal.ITIMER_PROF, 0)
            print(json.dumps({"index": index, "outcome": outcome, "why": why}), flush=True)
            peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
            if peak > before + MEMORY:
                print(json.dumps({"index": index, "outcome": "failure",
                                  "why": f"{peak - before:,} bytes"}), flush=True)
                return


def _limit_memory():
    """Make allocations beyond four times MEMORY fail, and return the peak of resident bytes."""
    size = 1 << 34
    if Path("/proc/self/statm").exists():
        pages = int(Path("/proc/self/statm").read_text().split()[0])
        size = pages * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (size + 4 * MEMORY, size + 4 * MEMORY))
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def outcomes(command, specification):
    """Yield {"index", "outcome", "why"} of every file.

    command          starts a worker; the specification, as JSON, is its last argument
    specification    {"formats", "files", "seed"}

    If a worker ends early, the file without an answer counts as a failure, and the next worker
    begins after that file.
    """
    start = 0
    count = len(specification["formats"]) * specification["files"]
    while start < count:
        with subprocess.Popen([*command, json.dumps({**specification, "start": start})],
                              stdout=subprocess.PIPE, bufsize=0) as worker:
            for line in _lines(worker):
                answer = json.loads(line)
                yield answer
                start = answer["index"] + 1
        if start < count and worker.returncode != 0:
            yield {"index": start, "outcome": "failure", "why": _death(worker.returncode)}
            start += 1


def _lines(worker):
    """Yield the lines of a worker until it ends, and kill it after WALL_SECONDS of silence."""
    waiting = b""
    while select.select([worker.stdout], [], [], WALL_SECONDS)[0]:
        if not (block := worker.stdout.read(1 << 16)):
            return
        *lines, waiting = (waiting + block).split(b"\n")
        yield from lines
    worker.kill()


def _death(code):
    names = {-signal.SIGPROF: f"took more than {CPU_SECONDS} s of CPU time",
             -signal.SIGKILL: "was silent or killed"}
    other = f"died of {signal.Signals(-code).name}" if code < 0 else f"ended with {code}"
    return names.get(code, other)
