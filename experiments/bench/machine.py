"""Facts about the machine and its load."""
import datetime
import importlib.metadata
import os
import platform
import re
from pathlib import Path

PACKAGES = ("numpy", "numba", "torch", "onnxruntime", "openvino")
QUIET = 0.3  # load average up to which times are reliable


def cores():
    """Return the number of cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()


def processor():
    """Return the name of the processor."""
    info = Path("/proc/cpuinfo")
    found = re.search(r"model name\s*:\s*(.+)", info.read_text()) if info.exists() else None
    return found[1].strip() if found else platform.processor() or platform.machine()


def versions():
    """Return the versions of Python and of all engines, without importing them.

    An engine that is missing is "not installed".
    """
    found = {"python": platform.python_version()}
    for package in PACKAGES:
        try:
            found[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            found[package] = "not installed"
    return found


def describe():
    """Return the facts about the machine that are printed above a table."""
    return {"date": datetime.date.today().isoformat(), "processor": processor(), "cores": cores(),
            "system": platform.system(), "versions": versions(),
            "load": round(os.getloadavg()[0], 2)}


def sentence(facts):
    """Return the facts of describe() as one sentence."""
    packages = ", ".join(f"{name} {version}" for name, version in facts["versions"].items())
    return (f"{facts['date']}, {facts['processor']}, {facts['cores']} cores, {facts['system']}; "
            f"{packages}; load average {facts['load']} at the start")


def warning(facts):
    """Return a warning if other programs are running, else None."""
    if facts["load"] > QUIET:
        return (f"WARNING: the load average is {facts['load']}, above {QUIET}: other programs are "
                "running, so these times are unreliable")
    return None
