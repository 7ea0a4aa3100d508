"""Augmentation: none, the paper's flips, and one transform more at a time.

    python experiments/paper/augmentation.py           40 epochs, 1 seed: about 40 min on 2 cores
    python experiments/paper/augmentation.py --epochs 25 --seeds 3
    python experiments/paper/augmentation.py --quick   a smoke test on synthetic faces

Everything else is as in the paper, with batchnorm. The parameters of each transform are the
defaults of cs231n_fer/data_utils/augment.py.
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
    """Return the transform that a step adds, as in "flip" or "+ similarity"."""
    *before, last = step.split("+")
    return f"+ {last}" if before else last


def conclude(results):
    """Return the findings on {augmentation: results}, in the order of STEPS."""
    names = list(results)
    none = results["none"]
    flip = results["flip"]
    flips = gain(flip, none)
    steps = [f"{title(now)} {points(gain(results[now], results[before]))}"
             for before, now in zip(names[1:], names[2:], strict=False)]
    best = max(names[2:], key=lambda name: accuracy(results[name])[0])
    richer = gain(results[best], flip)
    return [
        Finding("3.3: flips compensate for the small size of the data set",
                f"flips add {points(flips)}; in the last epoch, training accuracy is "
                f"{last_gap(flip):.1f} points above validation accuracy ({last_gap(none):.1f} "
                "without flips)", verdict_on(flips, "more"), "accuracy"),
        Finding("3.3: flips alone are a sensible augmentation",
                f"a richer augmentation, {best}, reaches {percent(accuracy(results[best]))}, "
                f"{points(richer)} compared with flips; individual steps: {', '.join(steps)}",
                "refined" if richer[1] > 0 else "confirmed", "curves")]


def last_gap(results):
    """Return training minus validation accuracy after the last epoch, in percentage points."""
    return 100 * (mean_history(results, "train_acc") - mean_history(results, "val_acc"))[-1]


def draw(results):
    """Return the figures: accuracy over epochs (training dashed), best accuracy of each step."""
    steps = {title(step): step_results for step, step_results in results.items()}
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
                       nets={title(step): step_results for step, step_results in results.items()})


if __name__ == "__main__":
    main()
