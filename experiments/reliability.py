"""Write README's table "What you can rely on" from experiments/results/reliability/*.json.

    python experiments/reliability.py

Each file says in "promise", "measured" and "command" what is promised, what the last run found, and how to run it
again; the scripts that are named there write them.
"""
import json
import sys

from benchmarking.report import RESULTS, write_readme

FOLDER = RESULTS / "reliability"
ORDER = ("resume", "bits", "fuzz", "gradients", "oracle", "mutation")  # others follow in alphabetical order


def rows(folder):
    """Return (promise, measured, command) of each file; raises ValueError for one that lacks a text."""
    known = {name: place for place, name in enumerate(ORDER)}
    found = []
    for path in sorted(folder.glob("*.json"), key=lambda path: (known.get(path.stem, len(known)), path.stem)):
        entry = json.loads(path.read_text(encoding="utf-8"))
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
