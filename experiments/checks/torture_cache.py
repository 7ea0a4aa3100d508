"""Damage the cache of compiled kernels in realistic ways, and check that results stay correct.

    python experiments/checks/torture_cache.py          about 20 seconds

A copy of the package gets a kernel of one line, so that a compilation takes half a second; the
cache and everything else are the package's own. Exits with 1 if a process fails, gives a wrong
result, or compiles when it should not.
"""
import sys
from pathlib import Path

if __package__ is None:  # started as a file, not with -m
    sys.path[0] = str(Path(__file__).resolve().parents[2])

import ctypes
import json
import os
import shutil
import subprocess
import tempfile
import time

import cs231n_fer
from cs231n_fer.files.checkpoint import write_text
from experiments import flags

RESULTS = Path(__file__).resolve().parents[1] / "results" / "reliability" / "cache.json"
KERNEL = "from .vectors.jit import jit\n\n\n@jit\ndef times_two(x):\n    return x * 2\n"
RUN = "from cs231n_fer.kernels.probe import times_two; print(times_two(21))"


def bound_by_permissions():
    """Drop CAP_DAC_OVERRIDE, so that read-only folders are read-only for root as well."""
    ctypes.CDLL(None).prctl(24, 1, 0, 0, 0)


class Trial:
    """A copy of the package with the small kernel, and an empty cache."""

    def __init__(self, folder):
        self.package = folder / "package"
        self.cache = folder / "cache"
        self.home = folder / "home"
        shutil.copytree(Path(cs231n_fer.__file__).parent, self.package / "cs231n_fer",
                        ignore=shutil.ignore_patterns("__pycache__", "*.h5"))
        self.kernel = self.package / "cs231n_fer" / "kernels" / "probe.py"
        self.kernel.write_text(KERNEL)
        self.home.mkdir()

    def start(self, cache=True):
        """Start a process that runs the kernel.

        cache    whether it uses the cache of this trial, or looks for one in its home
        """
        env = {**os.environ, "PYTHONPATH": str(self.package), "HOME": str(self.home),
               "PYTHONDONTWRITEBYTECODE": "1"}
        env.pop("NUMBA_CACHE_DIR", None)
        if cache:
            env["NUMBA_CACHE_DIR"] = str(self.cache)
        else:
            env["XDG_CACHE_HOME"] = str(self.home / "cache")
        return subprocess.Popen([sys.executable, "-c", RUN], env=env, text=True, cwd=self.package,
                                stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                preexec_fn=bound_by_permissions if os.geteuid() == 0 else None)

    def result(self, process):
        """Wait for a process and return its result and whether it compiled, or its error."""
        out, errors = process.communicate()
        if process.returncode:
            if errors.strip():
                return errors.strip().splitlines()[-1]
            return f"exit status {process.returncode}"
        return f"{out.strip()}, {'compiled' if 'compiling' in errors else 'loaded'}"

    def run(self, **options):
        return self.result(self.start(**options))

    def spoil(self, pattern, change):
        """Change the content of all files of the cache that match a pattern.

        Returns a list with an error if there are none.
        """
        files = list(self.cache.rglob(pattern))
        for file in files:
            file.write_bytes(change(file.read_bytes()))
        return [] if files else [f"no file {pattern} in the cache"]


def twice(trial):
    return [trial.run(), trial.run()]


def at_once(trial):
    both = [trial.start(), trial.start()]
    return [*map(trial.result, both), trial.run()]


def read_only_home(trial):
    folders = [trial.home, *(path for path in trial.package.rglob("*") if path.is_dir())]
    for folder in folders:
        folder.chmod(0o555)
    try:
        return [trial.run(cache=False)]
    finally:
        for folder in folders:
            folder.chmod(0o755)


def spoilt(pattern, change):
    return lambda trial: [trial.run(), *trial.spoil(pattern, change), trial.run(), trial.run()]


def changed_kernel(trial):
    before = trial.run()
    trial.kernel.write_text(KERNEL.replace("x * 2", "x * 3"))
    after = [trial.run(), trial.run()]
    for other in ("tile.py", "vectors/calls.py"):
        path = trial.kernel.parent / other
        path.write_text(path.read_text() + "\n# another line\n")
        after.append(trial.run())
    return [before, *after]


def old_code(trial):
    """Restore the state after a process was killed when only Numba's new index was written."""
    before = trial.run()
    (file,) = trial.cache.rglob("*times_two*.nbc")
    content = file.read_bytes()
    trial.kernel.write_text(KERNEL.replace("x * 2", "x * 3"))
    after = trial.run()
    file.write_bytes(content)
    return [before, after, trial.run(), trial.run()]


RIGHT = "42"  # either of the other two
COMPILED = "42, compiled"
LOADED = "42, loaded"
CASES = {  # name: (function, the start of every result)
    "a second process": (twice, [COMPILED, LOADED]),
    "two processes at once, no cache yet": (at_once, [RIGHT, RIGHT, LOADED]),
    "a read-only home and package": (read_only_home, [RIGHT]),
    "an index cut off": (spoilt("*.nbi", lambda content: content[:len(content) // 2]),
                         [COMPILED, COMPILED, LOADED]),
    "an empty index": (spoilt("*.nbi", lambda content: b""), [COMPILED, COMPILED, LOADED]),
    "code cut off": (spoilt("*.nbc", lambda content: content[:len(content) // 2]),
                     [COMPILED, COMPILED, LOADED]),
    "a changed kernel, then others": (
        changed_kernel, [COMPILED, "63, compiled", "63, loaded", "63, compiled", "63, compiled"]),
    "an index of new code with the old": (
        old_code, [COMPILED, "63, compiled", "63, compiled", "63, loaded"]),
}


def main():
    parser = flags.Parser(__doc__)
    parser.add_argument("--out", type=flags.target, default=RESULTS,
                        help="file of the result (default: "
                             "experiments/results/reliability/cache.json)")
    args = parser.parse_args()
    print("torture_cache: no randomness", flush=True)
    rows = {}
    begin = time.perf_counter()
    for name, (case, expected) in CASES.items():
        with tempfile.TemporaryDirectory() as folder:
            Path(folder).chmod(0o755)
            found = case(Trial(Path(folder)))
        passed = len(found) == len(expected) and all(map(str.startswith, found, expected))
        rows[name] = {"found": found, "passed": passed}
        verdict = "pass" if passed else f"FAIL, expected {expected}"
        print(f"{name:36} {verdict}: {'; '.join(found)}", flush=True)
    print(f"{time.perf_counter() - begin:.0f} s")
    kept = {"command": "python experiments/checks/torture_cache.py", "cases": rows}
    write_text(args.out, json.dumps(kept, indent=1) + "\n")
    return 0 if all(row["passed"] for row in rows.values()) else 1


if __name__ == "__main__":
    sys.exit(main())
