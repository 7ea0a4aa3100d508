"""The process of one engine: build it, warm it up, check it, and time blocks of runs on request.

    python -m experiments.bench.worker '{"peer": "ours", ...}'

The worker reads numbers of runs from stdin and writes lines of JSON: first "ready", or "error" if
the engine can't be timed, then a block of times for every number. While it waits, it is blocked on
the pipe.
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

WARM_SECONDS = 1.0
WARM_RUNS = 3
PEERS = ("torch", "onnx", "onnxruntime", "openvino")
STATUS = Path("/proc/self/status")
CLEAR = Path("/proc/self/clear_refs")


def memory():
    """Return {"now", "peak"}, the memory of this process in MiB; now is None without /proc.

    /proc is preferred because the maximum of getrusage starts with that of the parent: it survives
    fork and exec.
    """
    if STATUS.exists():
        found = re.findall(r"(VmHWM|VmRSS):\s+(\d+)", STATUS.read_text())
        size = {key: int(kib) / 1024 for key, kib in found}
        return {"now": size["VmRSS"], "peak": size["VmHWM"]}
    unit = 2 ** 20 if sys.platform == "darwin" else 2 ** 10
    return {"now": None, "peak": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit}


def forget_peak():
    """Reset the peak to the memory in use, where the system supports it."""
    try:
        CLEAR.write_text("5")
    except OSError:
        pass


def seconds_of(run):
    """Call a function and return its duration in seconds."""
    start = time.perf_counter()
    run()
    return time.perf_counter() - start


def warm_up(task):
    """Run until compilers and caches have settled, and return times and memory as a dict."""
    before = memory()["now"]
    first = seconds_of(task.run)
    peak = memory()["peak"]
    forget_peak()  # the growth must not include the memory of compilers
    end = time.perf_counter() + WARM_SECONDS
    runs = 0
    last = first
    while time.perf_counter() < end or runs < WARM_RUNS and first < WARM_SECONDS:
        last = seconds_of(task.run)
        runs += 1
    steady = memory()["peak"]
    return {"first_seconds": first, "seconds": last, "peak_mib": max(peak, steady),
            "rise_mib": None if before is None else steady - before}


def serve(task, requests, say):
    """Time a block of runs for every request, and report the CPU time used while waiting for it."""
    cpu = time.process_time()
    wall = time.perf_counter()
    for line in requests:
        idle_cpu = time.process_time() - cpu
        idle_wall = time.perf_counter() - wall
        runs = int(line)
        # The caches hold the data of another worker. A block of one run is long enough without.
        for _ in range(min(2, runs - 1)):
            task.run()
        faults = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
        seconds = [seconds_of(task.run) for _ in range(runs)]
        faults = resource.getrusage(resource.RUSAGE_SELF).ru_minflt - faults
        cpu = time.process_time()
        wall = time.perf_counter()
        say(seconds=seconds, idle_cpu=idle_cpu, idle_wall=idle_wall, page_faults=faults / runs)


def main():
    spec = json.loads(sys.argv[1])
    channel = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # output of libraries must not mix with the answers

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
        text = str(error).strip()
        say(error=f"{type(error).__name__}: {text.splitlines()[0] if text else ''}")


if __name__ == "__main__":
    main()
