"""Write README's table "What you can rely on" from experiments/results/reliability/*.json.

    python experiments/checks/reliability.py

A file says in "promise", "measured" and "command" what is promised, what the last run found, and how to run it again;
SUMMARIES put the first two into words where a file has numbers only.
"""
import sys
from pathlib import Path

if __package__ is None:  # started as a file, not with -m
    sys.path[0] = str(Path(__file__).resolve().parents[2])

import json

from experiments.bench.report import RESULTS, write_readme

FOLDER = RESULTS / "reliability"
ORDER = ("resume", "bits", "bad_data", "fuzz", "safe_files", "gradients", "oracle", "learning", "mutation", "cache")
# Others follow, in alphabetical order.


def resume(entry):
    """kill -9 during training."""
    return ("a training that is killed at any moment goes on as if it had not been, bit for bit",
            f"{entry['kills'] - len(entry['wrong'])} of {entry['kills']} kills, {entry['in_a_save']} of them in a save")


def fuzz(entry):
    """Damaged files."""
    files, failures = (sum(row[key] for row in entry["rows"]) for key in ("files", "failure"))
    return ("a damaged file gives right data, a counted skip or a clear error",
            f"{files - failures:,} of {files:,} mutated files of {len(entry['rows'])} formats")


def cache(entry):
    """Spoilt caches of compiled kernels."""
    passed = [case["passed"] for case in entry["cases"].values()]
    return "a spoilt or shared cache of compiled kernels gives right results", f"{sum(passed)} of {len(passed)} cases"


SUMMARIES = {"resume": resume, "fuzz": fuzz, "cache": cache}


def rows(folder):
    """Return (promise, measured, command) of each file; raises ValueError for one that lacks a text."""
    known = {name: place for place, name in enumerate(ORDER)}
    found = []
    for path in sorted(folder.glob("*.json"), key=lambda path: (known.get(path.stem, len(known)), path.stem)):
        entry = json.loads(path.read_text(encoding="utf-8"))
        if path.stem in SUMMARIES and "promise" not in entry:
            entry["promise"], entry["measured"] = SUMMARIES[path.stem](entry)
        texts = [entry.get(key) for key in ("promise", "measured", "command")]
        if not all(isinstance(text, str) and text for text in texts):
            raise ValueError(f"{path.name}: got {texts}, expected texts in promise, measured and command")
        found.append([text.replace("|", "\\|") for text in texts])
    return found


def body(folder):
    """The table, as lines that need no columns of one width."""
    lines = [f"| {promise} | {measured} | `{command}` |" for promise, measured, command in rows(folder)]
    return "\n".join(["| what | measured | by |", "| --- | --- | --- |", *lines])


def main():
    print(write_readme("reliability", body(FOLDER)))


if __name__ == "__main__":
    try:
        main()
    except (OSError, ValueError) as error:
        sys.exit(f"reliability: {error}")
