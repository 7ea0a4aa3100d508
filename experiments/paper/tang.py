"""The winner of the Kaggle challenge (Tang 2013): a convolutional net with the loss of an L2-SVM.

    python experiments/paper/tang.py           20 epochs, 3 seeds: about 40 minutes on 2 cores
    python experiments/paper/tang.py --epochs 40 --seeds 3
    python experiments/paper/tang.py --quick   a smoke test on synthetic faces

It is compared with the softmax loss. As in Tang's work, training uses momentum, random mirroring
and similarity transforms; every face is standardized, then every pixel; several nets are averaged.
The net, batch size, L2 strength and decay are the paper's; both losses get the same small search
for the learning rate (seed 0).
"""
import sys
from pathlib import Path

if __package__ is None:  # started as a file, not with -m
    sys.path[0] = str(Path(__file__).resolve().parents[2])
    import experiments.paper  # noqa: F401  here, before NumPy

from dataclasses import replace

import numpy as np

from cs231n_fer.layers.losses import log_softmax
from cs231n_fer.vis_utils import curves
from experiments import flags
from experiments.paper import findings, options
from experiments.paper.findings import Finding, verdict_on
from experiments.paper.runs import PREPROCESSING, load_trained, train, train_seeds
from experiments.paper.statistics import accuracy, by_epoch, gain, in_percent, percent, points
from experiments.paper.update_rules import learning_rates, reached

# Central learning rate of the search. The squared hinge is steeper: at scores of 0 it is 7, the
# softmax loss ln 7
CENTRES = {"softmax": 0.01, "l2_svm": 0.003}
SOFTMAX = "softmax"
SVM = "L2-SVM"
PLAIN = "L2-SVM, only the mean image subtracted"


def parse(argv):
    parser = options.parser("tang", __doc__, epochs=20, seeds=3)
    parser.add_argument("--trials", type=flags.whole(1),
                        help="number of learning rates tried for each loss (default 4; 2 with "
                             "--quick)")
    parser.add_argument("--trial-epochs", type=flags.whole(1),
                        help="number of epochs of a trial (default 3; 1 with --quick)")
    args, data = options.begin(parser, argv)
    args.trials = args.trials or (2 if args.quick else 4)
    args.trial_epochs = args.trial_epochs or (1 if args.quick else 3)
    return args, data


def tang_run(args, name, loss, num_epochs=None):
    """Return a run of Tang's recipe, with the default learning rate."""
    return replace(options.base_run(args, name, num_epochs), update_rule="sgd_momentum", loss=loss,
                   augmentation="flip+similarity", preprocessing="per_image")


def search(args, data, loss):
    """Return {learning rate: result} of short trainings with a loss."""
    run = tang_run(args, f"trial-{loss}", loss, args.trial_epochs)
    return {rate: train(replace(run, optim_config={"learning_rate": rate}), data, args.runs)
            for rate in learning_rates(CENTRES[loss], args.trials)}


def together(results, data):
    """Return the outcome of an ensemble, "val_acc" and "right" as in a result of runs.train.

    It averages probabilities for the softmax loss, scores for the loss of the SVM.
    """
    total = 0
    for result in results:
        X = PREPROCESSING[result["run"]["preprocessing"]](data)["X_val"]
        scores = load_trained(result).predict(X)
        total = total + (np.exp(log_softmax(scores)) if result["run"]["loss"] == "softmax"
                         else scores)
    right = (total.argmax(axis=1) == data["y_val"]).astype(int)
    return {"val_acc": float(right.mean()), "right": "".join(map(str, right))}


def conclude(results, averaged):
    """Return the findings.

    results    {name: results of runs.train}
    averaged   {name: outcome of the ensemble of its nets}
    """
    over_softmax = gain(results[SVM], results[SOFTMAX])
    standardized = gain(results[SVM], results[PLAIN])
    count = len(results[SVM])
    best = max(averaged, key=lambda name: averaged[name]["val_acc"])
    nets = results[best]
    ensembles = ", ".join(f"{name} {percent(accuracy([ensemble]))}"
                          for name, ensemble in averaged.items())
    over_one = gain([averaged[best]] * count, nets)
    return [
        Finding("2: the winner classifies with an SVM (Tang 2013: better than softmax)",
                f"the same net: softmax {percent(accuracy(results[SOFTMAX]))}, L2-SVM "
                f"{percent(accuracy(results[SVM]))}: {points(over_softmax)}",
                verdict_on(over_softmax, "more"), "accuracy"),
        Finding("Tang 2013: first every face is standardized, then every pixel",
                "compared with subtracting only the mean image, with the L2-SVM: "
                f"{points(standardized)}", verdict_on(standardized, "more"), "curves"),
        Finding("Tang 2013: the predictions of several nets are averaged",
                f"{count} nets averaged: {ensembles}; {best} compared with a single net: "
                f"{points(over_one)}",
                verdict_on(over_one, "more") if count > 1 else "not measured", "accuracy")]


def draw(results, averaged):
    """Return the figures: the best accuracies, and accuracy over epochs."""
    count = len(results[SVM])
    values = {**results, **{f"{name}, {count} together": [outcome]
                            for name, outcome in averaged.items()}}
    return {"accuracy": curves.plot_intervals(in_percent(values),
                                              title="Tang 2013: best accuracy on validation"),
            "curves": curves.plot_curves(by_epoch(results),
                                         title="Tang 2013: accuracy on validation")}


def main(argv=None):
    args, data = parse(argv)
    tried = []
    chosen = {}
    notes = []
    for loss in CENTRES:
        trials = search(args, data, loss)
        tried += trials.values()
        best = max(trials, key=lambda rate: reached(trials[rate]))
        chosen[loss] = replace(tang_run(args, f"tang-{loss}", loss),
                               optim_config={"learning_rate": best})
        rates = ", ".join(f"{rate:g}: {100 * reached(result):.1f} %"
                          for rate, result in trials.items())
        notes.append(f"{loss}, accuracy after {args.trial_epochs} epochs by learning rate: "
                     f"{rates}.")
    wanted = {SOFTMAX: chosen["softmax"], SVM: chosen["l2_svm"],
              PLAIN: replace(chosen["l2_svm"], name="tang-plain", preprocessing="mean_image")}
    results = {name: train_seeds(run, data, args.runs, args.seeds) for name, run in wanted.items()}
    averaged = {name: together(results[name], data) for name in (SOFTMAX, SVM)}
    nets = {f"{name}, learning rate {wanted[name].optim_config['learning_rate']:g}": found
            for name, found in results.items()}
    findings.save_nets(args, data, 12, title="An SVM on top of the net (Tang 2013)", nets=nets,
                       others=tried, findings=conclude(results, averaged),
                       figures=draw(results, averaged), notes=notes)


if __name__ == "__main__":
    main()
