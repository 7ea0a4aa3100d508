"""Accuracy per emotion, the confusion matrix, and the effect of balanced training on Disgust.

    python experiments/paper/emotions.py           20 epochs, 3 seeds: about 45 minutes on 2 cores
    python experiments/paper/emotions.py --epochs 40
    python experiments/paper/emotions.py --quick   a smoke test on synthetic faces

Compared are the paper's net, class weights in the softmax loss (the inverse class frequencies, or
their square roots), and a sampler that draws all emotions equally often. Validation faces that also
occur in training are counted separately, because predicting them correctly needs no generalization.
"""
import sys
from pathlib import Path

if __package__ is None:  # started as a file, not with -m
    sys.path[0] = str(Path(__file__).resolve().parents[2])
    import experiments.paper  # noqa: F401  here, before NumPy

from dataclasses import replace
from functools import partial

import numpy as np

from cs231n_fer.data_utils.summary import occur_in
from cs231n_fer.layers import softmax_loss
from cs231n_fer.solver.samplers import class_weights
from cs231n_fer.vis_utils import curves, plot_confusion
from experiments.paper import findings, options, runs
from experiments.paper.findings import Finding, verdict_on
from experiments.paper.runs import train_seeds
from experiments.paper.statistics import accuracy, among, explain, gain, percent, points, share

PLAIN = "as in the paper"
WEIGHTS = "class weights"
SAMPLER = "balanced sampler"
NETS = {PLAIN: {}, WEIGHTS: {"class_weights": 1.0}, "square-root weights": {"class_weights": 0.5},
        SAMPLER: {"balanced": 1.0}}


def weigh(strength, model, data):
    """Return (model, data) with class weights in the model's loss; an entry of runs.EXTRAS.

    strength   exponent of the inverse class frequencies, as in class_weights
    """
    weights = class_weights(data["y_train"], len(data["class_names"]), strength)
    model.loss_function = partial(softmax_loss, class_weights=weights)
    return model, data


def disgust_predictions(results):
    """Return how often Disgust is predicted, and how often correctly, as text; means over nets."""
    confusion = np.mean([result["confusion"] for result in results], axis=0)
    disgust = list(results[0]["per_class"]).index("Disgust")
    return f"{confusion[:, disgust].sum():.0f} times ({confusion[disgust, disgust]:.0f} correct)"


def verdict(parts):
    """Return the verdict on a statement whose parts are a list of booleans."""
    return "confirmed" if all(parts) else "refined" if any(parts) else "refuted"


def conclude(results, groups, portions, repeated):
    """Return the findings on {net: results}.

    groups      {emotion: (N,) mask of validation faces}, and "all" for all of them
    portions    {emotion: its fraction of the training faces}
    repeated    (N,) mask of the validation faces that also occur in training
    """
    plain = results[PLAIN]
    sizes = sorted(portions, key=portions.get)
    accuracies = {name: share(plain, mask) for name, mask in groups.items()}
    ranks = sorted((name for name in groups if name != "all"), key=lambda name: accuracies[name][0])
    leak = f"none of the {len(repeated):,} faces occurs in training"
    if repeated.any():
        leak = (f"{repeated.sum()} of the {len(repeated):,} faces also occur in training; the "
                f"accuracy is {percent(share(plain, repeated))} on these, "
                f"{percent(share(plain, ~repeated))} on the others and "
                f"{percent(accuracies['all'])} on all")
    equal = results[WEIGHTS] + results[SAMPLER]
    base = plain + plain
    lift = gain(among(equal, groups["Disgust"]), among(base, groups["Disgust"]))
    return [
        Finding("1.1: Disgust is heavily under-represented at roughly 1.5 %, and Happy the most "
                "populated class",
                f"Disgust has {100 * portions['Disgust']:.1f} % of the training faces; {sizes[0]} "
                f"has the fewest, {sizes[-1]} the most",
                verdict([round(portions["Disgust"], 3) == 0.015, sizes[-1] == "Happy"])),
        Finding("1.1: the 3,589 validation faces are separate from the 28,709 training faces", leak,
                "refined" if repeated.any() else "confirmed"),
        Finding("5: Disgust is the class where our network fares the worst, and Happy where it is "
                "most successful",
                "from worst to best: " + ", ".join(f"{name} {percent(accuracies[name])}"
                                                   for name in ranks),
                verdict([ranks[0] == "Disgust", ranks[-1] == "Happy"]), "confusion"),
        Finding("5: this is very likely due, at least in part, to the uneven class distribution",
                "with equally weighted emotions (class weights and sampler together), Disgust "
                f"gains {points(lift)} and all faces {points(gain(equal, base))}; Disgust is "
                f"predicted {disgust_predictions(equal)}, before {disgust_predictions(plain)}",
                verdict_on(lift, "more"), "emotions")]


def remark(name, results, groups, repeated):
    """Return a sentence on a net: its accuracies, and how often it predicts Disgust."""
    mean_accuracy = np.mean([share(results, mask)[0] for emotion, mask in groups.items()
                             if emotion != "all"])
    return (f"{name[0].upper()}{name[1:]}: {percent(accuracy(results))} on all faces, "
            f"{percent(accuracy(among(results, ~repeated)))} on those that do not occur in "
            f"training, {100 * mean_accuracy:.1f} % as the mean over emotions; Disgust is "
            f"predicted {disgust_predictions(results)}.")


def main(argv=None):
    args, data = options.begin(options.parser("emotions", __doc__, epochs=20, seeds=3), argv)
    runs.EXTRAS["class_weights"] = weigh
    base = options.base_run(args, "final")
    names = list(data["class_names"])
    results = {}
    for name, extra in NETS.items():
        run = replace(base, name=f"emotions-{name.replace(' ', '-')}", options=extra)
        results[name] = train_seeds(run, data, args.runs, args.seeds)
    repeated = occur_in(data["X_val"], data["X_train"])
    counts = np.bincount(data["y_train"], minlength=len(names))
    masks = {name: data["y_val"] == label for label, name in enumerate(names)}
    groups = {name: mask for name, mask in masks.items() if mask.any()}
    groups["all"] = np.ones(len(repeated), bool)
    portions = dict(zip(names, counts / counts.sum(), strict=True))
    rows = [[f"{name} ({mask.sum():,})", f"{100 * portions.get(name, 1):.1f} %",
             *(percent(share(net_results, mask)) for net_results in results.values()),
             percent(share(results[PLAIN], mask & ~repeated))] for name, mask in groups.items()]
    dots = {group: {name: tuple(100 * value for value in share(net_results, mask))
                    for name, net_results in results.items()}
            for group, mask in groups.items()}
    findings.save(args, data, 7, title="Accuracy per emotion", rows=rows,
                  results=sum(results.values(), []),
                  header=("emotion (validation faces)", "share of training", *NETS,
                          f"{PLAIN}, without duplicates"),
                  findings=conclude(results, groups, portions, repeated),
                  figures={"confusion": plot_confusion(results[PLAIN][0]["confusion"], names),
                           "emotions": curves.plot_groups(dots, title="Accuracy per emotion",
                                                          xlabel="Accuracy (%)")},
                  notes=["The table shows Wilson intervals over the faces, for means over the "
                         "seeds; the confusion matrix is that of seed 0. Every net is evaluated "
                         "at its best epoch on all faces.",
                         *(remark(name, net_results, groups, repeated)
                           for name, net_results in results.items()),
                         explain(args.seeds)])


if __name__ == "__main__":
    main()
