"""Write the results section of README.md from a finished run of train_final.py.

    python experiments/checks/readme_results.py                    # from experiments/results/final
    python experiments/checks/readme_results.py --run runs/final   # copies that run there first, without its faces

Every number comes from the run's config.json, metrics.json and history.csv; nobody types one.
"""
import sys
from pathlib import Path

if __package__ is None:  # started as a file, not with -m
    sys.path[0] = str(Path(__file__).resolve().parents[2])

import argparse
import csv
import json
import shutil

from cs231n_fer.analysis.metrics import wilson_interval
from cs231n_fer.files.checkpoint import write_text
from experiments.train_final import make_parser

ROOT = Path(__file__).resolve().parents[2]
RESULTS = Path("experiments/results/final")
START, END = "<!-- results -->\n", "<!-- /results -->\n"
# Not examples.png and saliency.png: faces of FER2013 must not be published.
KEPT = ("config.json", "metrics.json", "history.csv", "class_distribution.png", "accuracy.png", "loss.png",
        "confusion_matrix.png", "per_class_accuracy.png")


def command(config, script="train_final", parser=None):
    """The command that makes a run again: every option that is not at its default in the script's parser."""
    words = [f"python experiments/{script}.py"]
    for name, default in vars((parser or make_parser()).parse_args([])).items():
        value, flag = config.get(name, default), f"--{name.replace('_', '-')}"
        if value != default and not (name == "epochs" and value == 40):
            words.append(f"--no-{flag[2:]}" if value is False else flag if value is True else
                         f"{flag} {' '.join(map(str, value)) if isinstance(value, list) else value}")
    return " ".join(words)


def section(folder):
    """The text between the marks, from the files of a run."""
    config, metrics = (json.loads((folder / f"{name}.json").read_text(encoding="utf-8"))
                       for name in ("config", "metrics"))
    with open(folder / "history.csv", newline="", encoding="utf-8") as file:
        last = list(csv.DictReader(file))[-1]
    total = config["validation_images"]
    low, high = (100 * float(bound) for bound in wilson_interval(round(metrics["val_acc"] * total), total))
    rows = [("the paper", "60.7 %"), ("people (the paper's authors, 100 faces each)", "63.4 %"),
            ("this net, best epoch", f"**{100 * metrics['val_acc']:.1f} %** (95 % interval {low:.1f} to {high:.1f})"),
            ("this net, last epoch", f"{100 * float(last['val_acc']):.1f} %")]
    per_class = [f"{name} {100 * share:.1f}" for name, share in metrics["per_class"].items() if share is not None]
    return "\n".join([
        "| | accuracy |", "| --- | --- |", *(f"| {name} | {value} |" for name, value in rows), "",
        f"The paper's net{' with batchnorm' if config['batchnorm'] else ''}, {metrics['parameters']:,} parameters, "
        f"{metrics['epochs']} epochs of {config['training_images']:,} faces, measured on {total:,}; best epoch "
        f"{metrics['best_epoch']}, seed {config['seed']}. Trained in {metrics['seconds'] / 60:.0f} minutes "
        f"({metrics['images_per_second']:,.0f} images/s) on {config['environment']['cores']} cores by", "",
        f"    {command(config)}", "", f"Per emotion, in percent: {', '.join(per_class)}.", "",
        f"![Accuracy over epochs]({RESULTS.as_posix()}/accuracy.png)",
        f"![Confusion matrix]({RESULTS.as_posix()}/confusion_matrix.png)", ""])


def fill(readme, text):
    """Return the README with the text between its marks replaced."""
    before, _, rest = readme.partition(START)
    old, mark, after = rest.partition(END)
    if not mark:
        raise ValueError(f"README.md: expected the lines {START.strip()} and {END.strip()}")
    return before + START + text + END + after


def keep(run, folder):
    """Copy what is published of a finished run, no faces among it, to a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in KEPT:
        shutil.copyfile(run / name, folder / name)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--run", type=Path, help=f"folder of a finished run, to be copied to {RESULTS}")
    args = parser.parse_args()
    if args.run:
        keep(args.run, ROOT / RESULTS)
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    write_text(ROOT / "README.md", fill(readme, section(ROOT / RESULTS)))
    print(f"README.md: results of {ROOT / RESULTS}")


if __name__ == "__main__":
    try:
        main()
    except (OSError, ValueError) as error:
        sys.exit(f"readme_results: {error}")
