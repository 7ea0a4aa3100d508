"""Tables in Markdown, written between the markers of a page, and results in JSON."""
import json
import math
import re
import shutil
from pathlib import Path

from cs231n_fer.files.checkpoint import write_text

from .statistics import summary

ROOT = Path(__file__).resolve().parents[2]
README = ROOT / "README.md"
RESULTS = ROOT / "experiments" / "results"
SPEED = RESULTS / "SPEED.md"
GRADIENTS = RESULTS / "GRADIENTS.md"
RELIABILITY = RESULTS / "RELIABILITY.md"
QUICK_RESULTS = ROOT / "runs"  # not tracked: a smoke test must not replace a measurement


def number(value, digits=3):
    """Return a number as text, with at least `digits` significant digits and no exponent.

    None gives a dash, and a text is returned unchanged.
    """
    if value is None:
        return "-"
    if isinstance(value, str):
        return value
    if isinstance(value, int) or value == 0:
        return f"{value:,.0f}"
    places = max(0, digits - 1 - math.floor(math.log10(abs(value))))
    return f"{value:,.{places}f}"


def table(header, rows):
    """Return a Markdown table with aligned columns, the first one to the left.

    header    texts
    rows      lists of numbers, texts or None; see number
    """
    cells = [list(map(str, header))] + [[number(value) for value in row] for row in rows]
    widths = [max(len(row[i]) for row in cells) for i in range(len(header))]
    lines = ["| " + " | ".join(text.ljust(width) if i == 0 else text.rjust(width)
                               for i, (text, width) in enumerate(zip(row, widths, strict=True)))
             + " |"
             for row in cells]
    rule = "|" + "|".join("-" * (width + 2) if i == 0 else "-" * (width + 1) + ":"
                          for i, width in enumerate(widths)) + "|"
    return "\n".join([lines[0], rule, *lines[1:]])


def replace_between(text, name, body):
    """Return the text with `body` between `<!-- name -->` and `<!-- /name -->`.

    Raises ValueError unless both markers occur once, in this order.
    """
    start = f"<!-- {name} -->"
    end = f"<!-- /{name} -->"
    counts = text.count(start), text.count(end)
    if counts != (1, 1) or text.index(start) > text.index(end):
        raise ValueError(f"markers {start} and {end}: found {counts[0]} and {counts[1]}, expected "
                         "one of each, in this order")
    before, rest = text.split(start)
    return f"{before}{start}\n{body.strip()}\n{end}{rest.split(end)[1]}"


def quick_copy(page):
    """Copy a page to the folder of smoke tests and return the copy's path."""
    QUICK_RESULTS.mkdir(parents=True, exist_ok=True)
    return Path(shutil.copyfile(page, QUICK_RESULTS / page.name))


def write_page(path, name, body):
    """Write `body` between the markers of a page, and return a sentence about the outcome."""
    if not path.exists():
        return f"{path.name} doesn't exist: table {name} was not written"
    try:
        text = replace_between(path.read_text(encoding="utf-8"), name, body)
    except ValueError as error:
        return f"{path.name} was not changed: {error}"
    write_text(path, text)
    return f"{path}: table {name} written"


def write_results(name, results, quick=False):
    """Write results as JSON, and return the path relative to the repository.

    Of "rounds", only the summary is kept; see condensed.
    """
    folder = QUICK_RESULTS if quick else RESULTS
    path = folder / f"{name}.json"
    write_text(path, json_text(results))
    return path.relative_to(ROOT)


def json_text(results):
    """Return results as JSON text, condensed, with every list of numbers on one line."""
    text = json.dumps(condensed(results), indent=1)
    return re.sub(r"\[[-\d\s.,e+]*\]", lambda match: " ".join(match[0].split()), text) + "\n"


def condensed(value):
    """Return a value with floats rounded to 5 digits, and "rounds" replaced by their summary."""
    if isinstance(value, float):
        return float(f"{value:.5g}")
    if isinstance(value, dict):
        short = {key: condensed(item) for key, item in value.items()}
        rounds = value.get("rounds")
        if isinstance(rounds, list):
            del short["rounds"]
            short |= condensed(summary(rounds)) if rounds else {}
            short["round_medians_ms"] = condensed([summary([block])["median_ms"]
                                                   for block in rounds])
        return short
    return [condensed(item) for item in value] if isinstance(value, (list, tuple)) else value
