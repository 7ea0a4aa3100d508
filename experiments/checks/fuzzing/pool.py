"""A process that reads mutated files, one after another, and is replaced when it dies, hangs or
takes too much memory.

Its limits are of CPU time, so that a machine that is busy or asleep is no hang.
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
WALL_SECONDS = 300  # for one file, which then waits for something
# A disk takes its time to flush what prepare writes
IN_MEMORY = "/dev/shm" if os.path.isdir("/dev/shm") else None
MEMORY = 1 << 28  # bytes more than before the first file


def read_one(kind, folder, number, seed):
    """Return (outcome, why) of a file: loaded, skipped, refused or failure."""
    content, original = mutated(kind, number, seed)
    path = folder / kind.name
    path.write_bytes(content)
    try:
        return kind.judge(path, content, original), ""
    except ValueError as error:
        clear = type(error) is ValueError and (path.name in str(error)
                                               or str(error).startswith(("source: ", "data: ")))
        return ("refused" if clear else "failure"), f"{type(error).__name__}: {error}"[:300]
    except Exception as error:  # whatever else comes is what this looks for
        return "failure", f"{type(error).__name__}: {error}"[:300]
    finally:
        path.unlink()


def workplace(folder):
    """Make the folders that the formats need, and the good picture beside the mutated one."""
    (folder / "faces" / "train" / "happy").mkdir(parents=True)
    (folder / "faces" / "train" / "happy" / "a.png").write_bytes(pictures("PNG", ("L", {}))[0])
    assert PICTURE.shape == (48, 48)
    return folder


def work(specification):
    """Read the files from an index on, format by format, and print a line of JSON for each."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    limited = False
    with tempfile.TemporaryDirectory(dir=IN_MEMORY) as name:
        kinds, folder = formats(Path(name)), workplace(Path(name))
        for index in range(specification["start"],
                           len(specification["formats"]) * specification["files"]):
            kind = kinds[specification["formats"][index // specification["files"]]]
            kind.seeds()
            if not limited:
                limited, before = True, _limit_memory()
            # Its signal ends the process, also inside a C library
            signal.setitimer(signal.ITIMER_PROF, CPU_SECONDS)
            outcome, why = read_one(kind, folder, index % specification["files"],
                                    specification["seed"])
            signal.setitimer(signal.ITIMER_PROF, 0)
            print(json.dumps({"index": index, "outcome": outcome, "why": why}), flush=True)
            if (peak := resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
                * 1024) > before + MEMORY:
                print(json.dumps({"index": index, "outcome": "failure",
                                  "why": f"{peak - before:,} bytes"}), flush=True)
                return


def _limit_memory():
    """Let allocations beyond four times MEMORY fail; returns the peak of resident bytes so far."""
    size = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize() if Path(
        "/proc/self/statm").exists() else 1 << 34
    resource.setrlimit(resource.RLIMIT_AS, (size + 4 * MEMORY, size + 4 * MEMORY))
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def outcomes(command, specification):
    """Yield {"index", "outcome", "why"} of every file; command starts a worker that takes the JSON
    as its argument.

    A worker that ends early has failed at the file that it had not answered for; the next one
    begins behind that.
    """
    start, count = 0, len(specification["formats"]) * specification["files"]
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
    """Yield the lines of a worker until it ends; one that is silent for long is killed."""
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
    return names.get(code) or (f"died of {signal.Signals(-code).name}" if code < 0
                               else f"ended with {code}")
