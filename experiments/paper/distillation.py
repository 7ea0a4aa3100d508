"""Knowledge distillation: a net's probabilities fed back into the same net, and an ensemble's into
one net.

    python experiments/paper/distillation.py           15 epochs, 3 seeds: about an hour on 2 cores
    python experiments/paper/distillation.py --epochs 40 --seeds 3
    python experiments/paper/distillation.py --quick   a smoke test on synthetic faces

The teacher of seed s is the final net trained without a teacher, seed s; so is the student, but for
its loss. Teachers look at the student's own batch: their probabilities follow its samples and its
flips, and nothing is stored. A gain is paired: the same seed, weights, order and flips with and
without a teacher.
"""
import sys
from pathlib import Path

if __package__ is None:  # started as a file, not with -m
    sys.path[0] = str(Path(__file__).resolve().parents[2])
    import experiments.paper  # noqa: F401  here, before NumPy

from dataclasses import replace
from functools import partial

import numpy as np

from cs231n_fer.classifiers import load_model
from cs231n_fer.solver.distillation import distil, teacher_of
from cs231n_fer.vis_utils import curves
from experiments.paper import findings, options, runs
from experiments.paper.findings import Finding, verdict_on
from experiments.paper.runs import load_trained, train, train_seeds
from experiments.paper.statistics import (
    accuracy,
    by_epoch,
    gain,
    in_percent,
    paired_t,
    percent,
    points,
    right,
    sign_test,
)

BASE = "no teacher"
STUDENTS = {  # name: (alpha, temperature, whether the teacher is the ensemble)
    "itself, alpha 0.8 (the paper)": (0.8, 1.0, False),
    "itself, alpha 0.1, T = 3 (Hinton)": (0.1, 3.0, False),
    "ensemble, alpha 0.1, T = 3": (0.1, 3.0, True)}


def teach(folder, value, model, data):
    """An entry of runs.EXTRAS: let the trainings in folder with these digests teach a model."""
    paths = [next(folder.glob(f"*-{each}/best.h5")) for each in value["digests"]]
    return distil(model, [load_model(path)[0] for path in paths], value["alpha"], value["T"]), data


def train_students(base, teachers, data, args):
    """Return {name: results} of all students; teachers are the results of the nets without one, by
    seed."""
    results = {}
    for name, (alpha, T, together) in STUDENTS.items():
        results[name] = []
        for seed in range(args.seeds):
            chosen = teachers if together else [teachers[seed]]
            taught_by = {"digests": [each["digest"] for each in chosen], "alpha": alpha, "T": T}
            run = replace(base, name="student", seed=seed, options={"teachers": taught_by})
            results[name].append(train(run, data, args.runs))
    return results


def of_ensemble(teachers, data):
    """Return the accuracy of the mean of the probabilities of all teachers on validation."""
    together, X = teacher_of([load_trained(each) for each in teachers]), data["X_val"]
    probabilities = np.concatenate([together(X[i:i + 256]) for i in range(0, len(X), 256)])
    return float(np.mean(probabilities.argmax(axis=1) == data["y_val"]))


def conclude(results, ensemble, count):
    """Return the findings on {name: results} and the accuracy of the ensemble of so many
    teachers."""
    base, (paper, hinton, together) = results[BASE], [results[name] for name in STUDENTS]
    gains = [gain(each, base) for each in (paper, hinton, together)]
    recommended = gain(hinton, paper)
    return [
        Finding("4.3: feeding a net's probabilities back into it with alpha 0.8 ekes out extra "
                "accuracy",
                f"{percent(accuracy(base))} without a teacher, {percent(accuracy(paper))} with: "
                f"{points(gains[0])}"
                f"{noise(paper, base)}", verdict_on(gains[0], "more"), "accuracy"),
        Finding("4.3: alpha about 0.1 is for larger teachers; from a net to itself 0.8 is chosen",
                f"alpha 0.1 at temperature 3 adds {points(gains[1])}{noise(hinton, base)}; "
                f"compared with alpha 0.8: {points(recommended)}",
                verdict_on(recommended, "no more"), "accuracy"),
        Finding("4.3: an accurate, larger teacher passes on more than one-hot labels do (Hinton et "
                "al. 2015)",
                f"the ensemble of {count} nets reaches {100 * ensemble:.1f} %, a single net "
                f"trained on its outputs {percent(accuracy(together))}: "
                f"{points(gains[2])}{noise(together, base)}",
                verdict_on(gains[2], "more"), "curves")]


def noise(results, base):
    """Return ", p = 0.03 over seeds, 0.2 over faces": paired t test, and sign test over faces;
    seeds need two."""
    over_faces = f"{sign_test(right(results), right(base)):.2g} over faces"
    if len(results) < 2:
        return f", p = {over_faces}"
    over_seeds = paired_t([each["val_acc"] for each in results], [each["val_acc"] for each in base])
    return f", p = {over_seeds:.2g} over seeds, {over_faces}"


def draw(results):
    """Return the figures: the accuracy of each, and its way there."""
    return {"accuracy": curves.plot_intervals(in_percent(results),
                                              title="Distillation: best accuracy on validation"),
            "curves": curves.plot_curves(by_epoch(results),
                                         title="Distillation: accuracy on validation")}


def main(argv=None):
    args, data = options.begin(options.parser("distillation", __doc__, epochs=15, seeds=3), argv)
    runs.EXTRAS["teachers"] = partial(teach, args.runs)
    base = options.base_run(args, "final")
    teachers = train_seeds(base, data, args.runs, max(args.seeds, 2))  # one net is no ensemble
    results = {BASE: teachers[:args.seeds], **train_students(base, teachers, data, args)}
    ensemble = of_ensemble(teachers, data)
    findings.save_nets(args, data, 6, title="Knowledge distillation", nets=results,
                       figures=draw(results), findings=conclude(results, ensemble, len(teachers)),
                       notes=["Teachers see exactly the student's batch, in the same order and "
                              "with the same flips."])


if __name__ == "__main__":
    main()
