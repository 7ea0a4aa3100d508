"""Write the tables of promises, in RELIABILITY.md and README.md, from reliability/*.json.

    python experiments/checks/reliability.py

Every JSON file in experiments/results/reliability holds "promise", "measured" (the result of the
last run) and "command"; for files that hold only numbers, SUMMARIES states the first two.
README.md shows both up to their first semicolon, RELIABILITY.md shows everything.
"""
import sys
from pathlib import Path

if __package__ is None:  # started as a file, not with -m
    sys.path[0] = str(Path(__file__).resolve().parents[2])

import json

from experiments import flags
from experiments.bench.report import README, RELIABILITY, RESULTS, write_page

FOLDER = RESULTS / "reliability"
# The first rows; others follow in alphabetical order.
ORDER = ("resume", "bits", "bad_data", "fuzz", "safe_files", "gradients", "oracle", "learning",
         "mutation", "cache")


def resume(entry):
    """State the result of torture_resume.py."""
    return ("A training run killed at any moment resumes with identical bits",
            f"{entry['kills'] - len(entry['wrong'])} of {entry['kills']} kills; "
            f"{entry['in_a_save']} of them during a save")


def fuzz(entry):
    """State the result of fuzz_inputs.py."""
    files, failures = (sum(row[key] for row in entry["rows"]) for key in ("files", "failure"))
    return ("A damaged file gives correct data, a counted skip or a clear error",
            f"{files - failures:,} of {files:,} files; mutated, in {len(entry['rows'])} formats")


def cache(entry):
    """State the result of torture_cache.py."""
    passed = [case["passed"] for case in entry["cases"].values()]
    return ("A corrupted or shared cache of compiled kernels gives correct results",
            f"{sum(passed)} of {len(passed)} cases")


SUMMARIES = {"resume": resume, "fuzz": fuzz, "cache": cache}


def rows(folder):
    """Return [promise, measured, command] of every file.

    Raises ValueError if a file lacks one of these texts.
    """
    known = {name: place for place, name in enumerate(ORDER)}
    found = []
    for path in sorted(folder.glob("*.json"),
                       key=lambda path: (known.get(path.stem, len(known)), path.stem)):
        entry = json.loads(path.read_text(encoding="utf-8"))
        if path.stem in SUMMARIES and "promise" not in entry:
            entry["promise"], entry["measured"] = SUMMARIES[path.stem](entry)
        texts = [entry.get(key) for key in ("promise", "measured", "command")]
        if not all(isinstance(text, str) and text for text in texts):
            raise ValueError(f"{path.name}: got {texts}, expected texts in promise, measured and "
                             "command")
        found.append([text.replace("|", "\\|") for text in texts])
    return found


def body(folder):
    """Return the table of RELIABILITY.md."""
    lines = [f"| {promise} | {measured} | `{command}` |"
             for promise, measured, command in rows(folder)]
    return "\n".join(["| promise | result | command |", "| --- | --- | --- |", *lines])


def short_body(folder):
    """Return the table of README.md."""
    lines = [f"| {promise.split(';')[0]} | {measured.split(';')[0]} |"
             for promise, measured, _ in rows(folder)]
    return "\n".join(["| promise | result of the last run |", "| --- | --- |", *lines])


def main():
    flags.Parser(__doc__).parse_args()
    print(write_page(RELIABILITY, "reliability", body(FOLDER)))
    print(write_page(README, "reliability", short_body(FOLDER)))


if __name__ == "__main__":
    try:
        main()
    except (OSError, ValueError) as error:
        sys.exit(f"reliability: {error}")
