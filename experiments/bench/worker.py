"""The process that holds one engine: builds it, warms it up, checks it, then times blocks of runs
on demand.

    python -m experiments.bench.worker '{"peer": "ours", ...}'

It answers with lines of JSON: first what it is ("ready") or why it cannot be ("error"), then a
block for each number of runs that it reads. In between it is blocked on the pipe.
"""
import importlib
import json
import os
import re
import resource
import sys
import time
import traceback
from pathlib import Path

WARM_SECONDS, WARM_RUNS = 1.0, 3
PEERS = ("torch", "onnx", "onnxruntime", "openvino")
STATUS, CLEAR = Path("/proc/self/status"), Path("/proc/self/clear_refs")


def memory():
    """Return {"now", "peak"} of this process in MiB; now is None where the system has no /proc.

    /proc first, because getrusage's maximum starts at the parent's: it survives fork and exec.
    """
    if STATUS.exists():
        size = {key: int(kib) / 1024 for key,
                kib in re.findall(r"(VmHWM|VmRSS):\s+(\d+)", STATUS.read_text())}
        return {"now": size["VmRSS"], "peak": size["VmHWM"]}
    unit = 2 ** 20 if sys.platform == "darwin" else 2 ** 10
    return {"now": None, "peak": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit}


def forget_peak():
    """Let the peak start again from what is in use now, where the system can."""
    try:
        CLEAR.write_text("5")
    except OSError:
        pass


def seconds_of(run):
    """Run once; returns the seconds."""
    start = time.perf_counter()
    run()
    return time.perf_counter() - start


def warm_up(task):
    """Run until compilers and caches have settled; returns what that tells: seconds and memory."""
    before = memory()["now"]
    first = seconds_of(task.run)
    peak = memory()["peak"]
    forget_peak()  # the rise is that of the steps, not of what compiled them
    end, runs, last = time.perf_counter() + WARM_SECONDS, 0, first
    while time.perf_counter() < end or runs < WARM_RUNS and first < WARM_SECONDS:
        last, runs = seconds_of(task.run), runs + 1
    steady = memory()["peak"]
    return {"first_seconds": first, "seconds": last, "peak_mib": max(peak, steady),
            "rise_mib": None if before is None else steady - before}


def serve(task, requests, say):
    """Time a block of runs for each line, and say how much CPU was used while waiting for it."""
    cpu, wall = time.process_time(), time.perf_counter()
    for line in requests:
        idle_cpu, idle_wall = time.process_time() - cpu, time.perf_counter() - wall
        runs = int(line)
        # The caches belong to the worker before; a block of one run is a long one
        for _ in range(min(2, runs - 1)):
            task.run()
        faults = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
        seconds = [seconds_of(task.run) for _ in range(runs)]
        faults = resource.getrusage(resource.RUSAGE_SELF).ru_minflt - faults
        cpu, wall = time.process_time(), time.perf_counter()
        say(seconds=seconds, idle_cpu=idle_cpu, idle_wall=idle_wall, page_faults=faults / runs)


def main():
    spec = json.loads(sys.argv[1])
    channel = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # whatever a library prints must not get between the answers

    def say(**message):
        print(json.dumps(message), file=channel, flush=True)

    try:
        task = importlib.import_module(f"experiments.bench.peers.{spec['peer']}").build(spec)
        state = warm_up(task)
        say(ready={**state, "check": task.check(), "info": task.info})
        serve(task, sys.stdin, say)
    except Exception as error:
        if isinstance(error, ModuleNotFoundError) and (error.name or "").split(".")[0] in PEERS:
            return say(error=f"{error.name.split('.')[0]} is not installed")
        traceback.print_exc()
        say(error=f"{type(error).__name__}: "
                  f"{str(error).strip().splitlines()[0] if str(error).strip() else ''}")


if __name__ == "__main__":
    main()
