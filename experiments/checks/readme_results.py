"""Write README.md's tables of accuracy and speed, and RESULTS.md, from recorded runs.

    python experiments/checks/readme_results.py
    python experiments/checks/readme_results.py --run runs/final   publish this run first

Publishing copies a finished run of train_final.py, without its pictures of faces, to
experiments/results/final. All numbers come from files that a training run, export_pretrained.py
or bench/step.py wrote.
"""
import sys
from pathlib import Path

if __package__ is None:  # started as a file, not with -m
    sys.path[0] = str(Path(__file__).resolve().parents[2])

import csv
import json
import re
import shutil
import textwrap
from typing import NamedTuple

from cs231n_fer.analysis.metrics import wilson_interval
from cs231n_fer.files.checkpoint import write_text
from experiments import flags, train_best, train_final
from experiments.bench.report import README, RESULTS, ROOT, replace_between, table

FINAL = RESULTS / "final"
BEST = RESULTS / "best"
PAGE = RESULTS / "RESULTS.md"
STEP = RESULTS / "bench_step.json"
CARD = ROOT / "cs231n_fer" / "classifiers" / "pretrained.md"
# Not examples.png and saliency.png: faces of FER2013 must not be published.
KEPT = ("config.json", "metrics.json", "history.csv", "class_distribution.png", "accuracy.png",
        "loss.png", "confusion_matrix.png", "per_class_accuracy.png")
SPEED_ROWS = (  # network, batch size, threads
    ("final", 50, 2), ("final", 256, 2), ("final + bn", 50, 2), ("final + bn", 256, 2),
    ("baseline", 50, 2), ("conv-conv-pool", 50, 2), ("final", 50, 1), ("final + bn", 50, 1))


class Run(NamedTuple):
    """The records of a training run."""

    config: dict
    metrics: dict
    last_accuracy: float


def read_run(folder):
    """Return the Run in a folder."""
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    metrics = json.loads((folder / "metrics.json").read_text(encoding="utf-8"))
    with open(folder / "history.csv", newline="", encoding="utf-8") as file:
        last = list(csv.DictReader(file))[-1]
    return Run(config, metrics, float(last["val_acc"]))


def command(config, script="train_final", parser=None):
    """Return the command that repeats a run: all options that differ from the parser's defaults."""
    words = [f"python experiments/{script}.py"]
    parser = parser or train_final.make_parser()
    for name, default in vars(parser.parse_args([])).items():
        value = config.get(name, default)
        option = name.replace("_", "-")
        if value == default or name == "epochs" and value == 40:
            continue
        if value is False:
            words.append(f"--no-{option}")
        elif value is True:
            words.append(f"--{option}")
        else:
            values = value if isinstance(value, list) else [value]
            words.append(f"--{option} {' '.join(map(str, values))}")
    return " ".join(words)


def percent(accuracy):
    """Return an accuracy between 0 and 1 as text, in percent."""
    return f"{100 * accuracy:.1f} %"


def interval(accuracy, total):
    """Return the 95 % confidence interval of an accuracy on `total` faces as text, in percent."""
    low, high = wilson_interval(round(accuracy * total), total)
    return f"{100 * float(low):.1f} to {100 * float(high):.1f}"


def card_row(card, name):
    """Return (accuracy, 95 % interval) of a row of the packaged net's model card.

    name    regular expression for the row's first cell
    """
    found = re.search(rf"^\| {name} \| ([\d.]+ %) \| ([\d.]+ to [\d.]+) \|$", card, re.M)
    if not found:
        raise ValueError(f"{CARD.name}: found no row {name!r}, expected one as written by "
                         "experiments/export_pretrained.py")
    return found[1], found[2]


def accuracy_table(run, card):
    """Return the table of accuracies in README.md.

    card    text of the packaged net's model card
    """
    total = run.config["validation_images"]
    best = run.metrics["val_acc"]
    last = run.last_accuracy
    without_duplicates = card_row(
        card, r"the same, without the \d+ pictures that are in Training as well")
    rows = [
        ("as published in the paper", "PublicTest", "1", "60.7 %", "-"),
        ("people (the paper's authors)", "100 faces each", "-", "63.4 %", "-"),
        ("the paper's net, best epoch", "PublicTest", "1", f"**{percent(best)}**",
         interval(best, total)),
        ("the paper's net, last epoch", "PublicTest", "1", percent(last), interval(last, total)),
        ("the best net", "PublicTest", "1", *card_row(card, "one look at each picture")),
        ("the best net", "PublicTest", "2", *card_row(card, "with mirror images")),
        ("the best net", "without duplicates", "2", *without_duplicates),
    ]
    return table(["", "split", "views", "accuracy", "95 % CI"], rows)


def describe_run(run, script, parser):
    """Return a paragraph about a run, and its command."""
    config = run.config
    metrics = run.metrics
    norm = " with batch normalization" if config.get("batchnorm", True) else ""
    text = (f"{metrics['parameters']:,} parameters{norm}, trained on {config['training_images']:,} "
            f"faces for {metrics['epochs']} epochs and evaluated on "
            f"{config['validation_images']:,}; best epoch {metrics['best_epoch']}, seed "
            f"{config['seed']}. Training took {metrics['seconds'] / 60:.0f} minutes "
            f"({metrics['images_per_second']:,.0f} images/s) on "
            f"{config['environment']['cores']} cores:")
    return f"{textwrap.fill(text, 100)}\n\n    {command(config, script, parser)}"


def per_emotion(runs):
    """Return a table of the accuracy of every emotion, with a column for every run.

    runs    {name: Run}
    """
    columns = [run.metrics["per_class"] for run in runs.values()]
    rows = [[name, *("-" if column[name] is None else percent(column[name]) for column in columns)]
            for name in columns[0]]
    return table(["emotion", *runs], rows)


def page(final, best):
    """Return the text of RESULTS.md between its markers, from the Runs of both nets."""
    return "\n\n".join([
        "## The paper's net", describe_run(final, "train_final", train_final.make_parser()),
        "![Accuracy over epochs](final/accuracy.png)",
        "![Confusion matrix](final/confusion_matrix.png)",
        "## The best net", describe_run(best, "train_best", train_best.make_parser()),
        "![Accuracy over epochs](best/accuracy.png)",
        "![Confusion matrix](best/confusion_matrix.png)",
        "## Accuracy per emotion",
        per_emotion({"the paper's net": final, "the best net": best})])


def speed_table(stored):
    """Return the table of speed in README.md, from the results of bench/step.py."""
    cases = {(case["net"], case["batch"], case["threads"]): case for case in stored["results"]}
    rows = []
    for key in SPEED_ROWS:
        case = cases[key]
        groups = {}
        for engine in case["engines"]:
            if engine.get("median_ms"):
                name = engine["group"].split()[0]
                groups[name] = min(engine["median_ms"], groups.get(name, engine["median_ms"]))
        ours = groups["ours"]
        torch = groups["PyTorch"]
        batch = case["batch"]
        rows.append([case["net"], str(batch), str(case["threads"]), 1e3 * batch / ours,
                     1e3 * batch / torch, f"**{torch / ours:.2f}**"])
    header = ["network", "batch", "threads", "images/s", "PyTorch, images/s", "speed-up"]
    facts = stored["machine"]
    text = (f"Measured on {facts['processor']}, {facts['cores']} cores, {facts['date']}, with "
            f"PyTorch {facts['versions']['torch']} and the command")
    return f"{table(header, rows)}\n\n{textwrap.fill(text, 100)}\n\n    {stored['command']}"


def keep(run, folder):
    """Copy the files of a finished run that may be published; none of them shows a face."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in KEPT:
        shutil.copyfile(run / name, folder / name)


def fill(path, name, body):
    """Write `body` between the markers of a file; raise ValueError if they are missing."""
    try:
        text = replace_between(path.read_text(encoding="utf-8"), name, body)
    except ValueError as error:
        raise ValueError(f"{path.name}: {error}") from error
    write_text(path, text)
    print(f"{path}: {name} written")


def main():
    parser = flags.Parser(__doc__)
    parser.add_argument("--run", type=flags.target_folder,
                        help="folder of a finished run to publish (default: none)")
    args = parser.parse_args()
    if args.run:
        keep(args.run, FINAL)
    final = read_run(FINAL)
    fill(README, "results", accuracy_table(final, CARD.read_text(encoding="utf-8")))
    fill(README, "speed", speed_table(json.loads(STEP.read_text(encoding="utf-8"))))
    fill(PAGE, "results", page(final, read_run(BEST)))


if __name__ == "__main__":
    try:
        main()
    except (OSError, ValueError) as error:
        sys.exit(f"readme_results: {error}")
