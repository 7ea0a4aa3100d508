"""Regularization: all combinations of L2, dropout and batchnorm, and the generalization gap.

    python experiments/paper/regularisation.py           40 epochs, 1 seed: about an hour on 2 cores
    python experiments/paper/regularisation.py --epochs 15 --seeds 3
    python experiments/paper/regularisation.py --quick   a smoke test on synthetic faces

L2 has the paper's strength; dropout keeps half of the hidden units. The effect of one of the three
is the mean over the four pairs of nets that differ in nothing else, and over the seeds.
"""
import sys
from pathlib import Path

if __package__ is None:  # started as a file, not with -m
    sys.path[0] = str(Path(__file__).resolve().parents[2])
    import experiments.paper  # noqa: F401  here, before NumPy

import itertools
from dataclasses import replace

from cs231n_fer.vis_utils import curves
from experiments.paper import findings, options
from experiments.paper.findings import Finding, verdict_on
from experiments.paper.runs import train_seeds
from experiments.paper.statistics import (
    accuracy,
    by_epoch,
    gain,
    in_percent,
    mean_history,
    percent,
    points,
)

PARTS = ("L2", "dropout", "batchnorm")
RETAINED = ("L2", "batchnorm")
CONSTANT_FROM = 15 / 40  # of the epochs; the paper: "almost constant after about 15 epochs"


def nets(base):
    """Return {tuple of parts: run} of all combinations, the smaller ones first."""
    found = {}
    for size in range(len(PARTS) + 1):
        for parts in itertools.combinations(PARTS, size):
            dropout = {"dropout_keep_ratio": 0.5} if "dropout" in parts else {}
            run = base.with_model(batchnorm="batchnorm" in parts, **dropout)
            found[parts] = replace(run, reg=base.reg if "L2" in parts else 0.0,
                                   name=f"regularised-{label(parts)}")
    return found


def label(parts):
    """Return the name of a combination, as in "L2+dropout"; "none" for the empty one."""
    return "+".join(parts) or "none"


def effect(results, part):
    """Return (mean, low, high) of the gain from a part.

    Every net with it is compared with the net that differs in nothing else.
    """
    pairs = [(parts, tuple(other for other in parts if other != part)) for parts in results
             if part in parts]
    return gain([result for parts, _ in pairs for result in results[parts]],
                [result for _, without in pairs for result in results[without]])


def gaps(results):
    """Return {label: (epochs,) training minus validation accuracy, in percentage points}."""
    return {label(parts): 100 * (mean_history(net_results, "train_acc")
                                 - mean_history(net_results, "val_acc"))
            for parts, net_results in results.items()}


def late(results, key):
    """Return by how many points an accuracy rises from about epoch 15 of 40 to the end.

    Start and end are means over up to three epochs.
    """
    history = 100 * mean_history(results, key)
    start = round(CONSTANT_FROM * len(history))
    return history[-3:].mean() - history[max(start - 2, 0):start + 1].mean()


def conclude(results):
    """Return the findings on {tuple of parts: results}."""
    effects = {part: effect(results, part) for part in PARTS}
    gap = gaps(results)["none"]
    retained = results[RETAINED]
    rival = max((parts for parts in results if parts != RETAINED),
                key=lambda parts: accuracy(results[parts])[0])
    above = gain(results[rival], retained)
    on_validation = late(retained, "val_acc")
    on_training = late(retained, "train_acc")
    return [
        Finding("4.2: without regularization the gap between training and validation grows",
                f"the gap of the plain net grows from {gap[0]:.1f} points after the first epoch "
                f"to {gap[-1]:.1f} after epoch {len(gap)}",
                "confirmed" if gap[-1] > gap[0] + 1 else "refuted", "gap"),
        Finding("4.2: batchnorm improves the accuracy by a few percentage points",
                points(effects["batchnorm"]), verdict_on(effects["batchnorm"], "more"), "accuracy"),
        Finding("4.2: dropout gives no significant improvement", points(effects["dropout"]),
                verdict_on(effects["dropout"], "no more"), "accuracy"),
        Finding("6: of the three, L2 and batchnorm are retained",
                f"L2 adds {points(effects['L2'])}; {label(RETAINED)} reaches "
                f"{percent(accuracy(retained))}; the best of the other combinations, "
                f"{label(rival)}, differs by {points(above)}",
                "refuted" if above[1] > 0 else "confirmed", "accuracy"),
        Finding("5: after about 15 of 40 epochs validation accuracy is almost constant, while "
                "training accuracy rises",
                f"{label(RETAINED)}, from that epoch to the last: validation {on_validation:+.1f} "
                f"points, training {on_training:+.1f} points",
                "confirmed" if abs(on_validation) < 1.5 < on_training else "refined", "gap")]


def draw(results):
    """Return the figures: gap and accuracy over epochs, best accuracy of each combination."""
    left, right = curves.panels(2)
    curves.plot_curves(gaps(results), left, title="Training minus validation accuracy",
                       ylabel="Gap (points)")
    labeled = {label(parts): net_results for parts, net_results in results.items()}
    curves.plot_curves(by_epoch(labeled), right, title="Accuracy on validation")
    accuracies = curves.plot_intervals(in_percent(labeled),
                                       title="Regularization: best accuracy on validation")
    return {"gap": left, "accuracy": accuracies}


def main(argv=None):
    args, data = options.begin(options.parser("regularisation", __doc__), argv)
    results = {parts: train_seeds(run, data, args.runs, args.seeds)
               for parts, run in nets(options.base_run(args, "regularised")).items()}
    findings.save_nets(args, data, 4, title="Regularization", findings=conclude(results),
                       figures=draw(results),
                       nets={label(parts): net_results for parts, net_results in results.items()})


if __name__ == "__main__":
    main()
