"""Draw the published figures of trainings again from their stored numbers, without training.

    python experiments/checks/redraw_figures.py
    python experiments/checks/redraw_figures.py --runs runs/final   of another finished run

Writes confusion_matrix.png and per_class_accuracy.png beside metrics.json and config.json of each
run. The other figures need what is stored in a checkpoint only; a training draws them.
"""
import sys
from pathlib import Path

if __package__ is None:  # started as a file, not with -m
    sys.path[0] = str(Path(__file__).resolve().parents[2])

import json

import numpy as np

from cs231n_fer.vis_utils import add_note, plot_confusion, plot_human_comparison, save_figure
from experiments import flags
from experiments.bench.report import RESULTS

RUNS = [RESULTS / "final", RESULTS / "best"]


def redraw(folder):
    """Draw the figures of the run in a folder, and return their paths."""
    metrics = json.loads((folder / "metrics.json").read_text(encoding="utf-8"))
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    names = list(metrics["per_class"])
    confusion = np.array(metrics["confusion"])
    photographs = not config["data"].startswith("synthetic")
    faces = "FER2013" if photographs else "synthetic faces"
    kind = "DeepConvNet" if "blocks" in config else "FinalConvNet"
    note = f"{faces}, {kind}, {metrics['parameters']:,} parameters, seed {config['seed']}"
    axes = {"confusion_matrix": plot_confusion(confusion, names),
            "per_class_accuracy": plot_human_comparison(confusion, names, dataset=faces,
                                                        people=photographs)}
    for ax in axes.values():
        add_note(ax, note)
    return [save_figure(ax, folder / f"{name}.png", close=True) for name, ax in axes.items()]


def main():
    parser = flags.Parser(__doc__)
    parser.add_argument("--runs", type=flags.target_folder, nargs="+", default=RUNS,
                        help="folders of finished runs (default: experiments/results/final and "
                             "best)")
    for folder in parser.parse_args().runs:
        for path in redraw(folder):
            print("wrote", path)


if __name__ == "__main__":
    try:
        main()
    except OSError as error:
        sys.exit(f"redraw_figures: {error}")
