"""Augmentation: nothing, the paper's flips, and one step more at a time up to brightness and
contrast.

    python experiments/paper/augmentation.py           40 epochs, one seed: about 40 minutes on 2
    cores python experiments/paper/augmentation.py --epochs 25 --seeds 3
    python experiments/paper/augmentation.py --quick   a smoke test on synthetic faces

All else is the paper's, with batchnorm. The numbers of each transform are the defaults of
cs231n_fer/data_utils/augment.py.
"""
import sys
from pathlib import Path

if __package__ is None:  # started as a file, not with -m
    sys.path[0] = str(Path(__file__).resolve().parents[2])
    import experiments.paper  # noqa: F401  here, before NumPy

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

STEPS = ("none", "flip", "flip+similarity", "flip+similarity+erasing",
         "flip+similarity+erasing+brightness")


def title(step):
    """Return "flip", "+ similarity": what a step adds."""
    *before, last = step.split("+")
    return f"+ {last}" if before else last


def conclude(results):
    """Return the findings on {augmentation: results}, in the order of STEPS."""
    names, none, flip = list(results), results["none"], results["flip"]
    flips = gain(flip, none)
    steps = [f"{title(now)} {points(gain(results[now], results[before]))}"
             for before, now in zip(names[1:], names[2:], strict=False)]
    best = max(names[2:], key=lambda name: accuracy(results[name])[0])
    richer = gain(results[best], flip)
    return [
        Finding("3.3: flips compensate for the small size of the data set",
                f"flips add {points(flips)}; in the last epoch, training accuracy is "
                f"{last_gap(flip):.1f} points above validation accuracy ({last_gap(none):.1f} "
                "without flips)", verdict_on(flips, "more"),
                "accuracy"),
        Finding("3.3: flips alone are a sensible augmentation",
                f"a richer augmentation, {best}, reaches {percent(accuracy(results[best]))}, "
                f"{points(richer)} compared with flips; individual steps: {', '.join(steps)}",
                "refined" if richer[1] > 0 else "confirmed", "curves")]


def last_gap(results):
    """Return the accuracy on training less that on validation after the last epoch, in points."""
    return 100 * (mean_history(results, "train_acc") - mean_history(results, "val_acc"))[-1]


def draw(results):
    """Return the figures: accuracies over epochs, training dashed, and the best accuracy of each
    step."""
    steps = {title(step): each for step, each in results.items()}
    return {"curves": curves.plot_curves(by_epoch(steps), dashed=by_epoch(steps, "train_acc"),
                                         title="Augmentation: accuracy on validation (training "
                                               "dashed)"),
            "accuracy": curves.plot_intervals(in_percent(steps),
                                              title="Augmentation: best accuracy on validation")}


def main(argv=None):
    args, data = options.begin(options.parser("augmentation", __doc__), argv)
    base = options.base_run(args, "augmented")
    results = {step: train_seeds(replace(base, name=f"augmented-{step}", augmentation=step), data,
                                 args.runs, args.seeds) for step in STEPS}
    findings.save_nets(args, data, 5, title="Augmentation", findings=conclude(results),
                       figures=draw(results),
                       nets={title(step): each for step, each in results.items()})


if __name__ == "__main__":
    main()
