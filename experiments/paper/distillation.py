"""Knowledge distillation: from a net to the same net, and from an ensemble to a single net.

    python experiments/paper/distillation.py           15 epochs, 3 seeds: about an hour on 2 cores
    python experiments/paper/distillation.py --epochs 40 --seeds 3
    python experiments/paper/distillation.py --quick   a smoke test on synthetic faces

The teacher of seed s is the final net trained without a teacher from seed s; the student differs
from it only in its loss. Teachers are evaluated on the student's own batch, with its samples and
flips, so nothing is stored. Gains are paired: the same seed, initial weights, order and flips with
and without a teacher.
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
    """Return (model, data) with a model that learns from teachers; an entry of runs.EXTRAS.

    folder   of runs
    value    {"digests" of the teachers' runs, "alpha", "T"}
    """
    paths = [next(folder.glob(f"*-{digest}/best.h5")) for digest in value["digests"]]
    teachers = [load_model(path)[0] for path in paths]
    return distil(model, teachers, value["alpha"], value["T"]), data


def train_students(base, teachers, data, args):
    """Return {name: results} of all students.

    teachers   results of the nets trained without a teacher, by seed
    """
    results = {}
    for name, (alpha, T, is_ensemble) in STUDENTS.items():
        results[name] = []
        for seed in range(args.seeds):
            chosen = teachers if is_ensemble else [teachers[seed]]
            taught_by = {"digests": [result["digest"] for result in chosen], "alpha": alpha, "T": T}
            run = replace(base, name="student", seed=seed, options={"teachers": taught_by})
            results[name].append(train(run, data, args.runs))
    return results


def of_ensemble(teachers, data):
    """Return the validation accuracy of the mean of all teachers' probabilities."""
    ensemble = teacher_of([load_trained(result) for result in teachers])
    X = data["X_val"]
    probabilities = np.concatenate([ensemble(X[i:i + 256]) for i in range(0, len(X), 256)])
    return float(np.mean(probabilities.argmax(axis=1) == data["y_val"]))


def conclude(results, ensemble, count):
    """Return the findings.

    results    {name: results of runs.train}
    ensemble   accuracy of the ensemble of `count` teachers
    """
    base = results[BASE]
    paper, hinton, taught = [results[name] for name in STUDENTS]
    gains = [gain(student, base) for student in (paper, hinton, taught)]
    recommended = gain(hinton, paper)
    return [
        Finding("4.3: feeding a net's probabilities back into it with alpha 0.8 ekes out extra "
                "accuracy",
                f"{percent(accuracy(base))} without a teacher, {percent(accuracy(paper))} with: "
                f"{points(gains[0])}{noise(paper, base)}",
                verdict_on(gains[0], "more"), "accuracy"),
        Finding("4.3: alpha about 0.1 is for larger teachers; from a net to itself 0.8 is chosen",
                f"alpha 0.1 at temperature 3 adds {points(gains[1])}{noise(hinton, base)}; "
                f"compared with alpha 0.8: {points(recommended)}",
                verdict_on(recommended, "no more"), "accuracy"),
        Finding("4.3: an accurate, larger teacher passes on more than one-hot labels do (Hinton et "
                "al. 2015)",
                f"the ensemble of {count} nets reaches {100 * ensemble:.1f} %, a single net "
                f"trained on its outputs {percent(accuracy(taught))}: "
                f"{points(gains[2])}{noise(taught, base)}",
                verdict_on(gains[2], "more"), "curves")]


def noise(results, base):
    """Return the p-values as text, as in ", p = 0.03 over seeds, 0.2 over faces".

    They are those of the paired t test over seeds, if there are two or more, and of the sign test
    over faces.
    """
    over_faces = f"{sign_test(right(results), right(base)):.2g} over faces"
    if len(results) < 2:
        return f", p = {over_faces}"
    over_seeds = paired_t([result["val_acc"] for result in results],
                          [result["val_acc"] for result in base])
    return f", p = {over_seeds:.2g} over seeds, {over_faces}"


def draw(results):
    """Return the figures: the best accuracy of each net, and its accuracy over epochs."""
    return {"accuracy": curves.plot_intervals(in_percent(results),
                                              title="Distillation: best accuracy on validation"),
            "curves": curves.plot_curves(by_epoch(results),
                                         title="Distillation: accuracy on validation")}


def main(argv=None):
    args, data = options.begin(options.parser("distillation", __doc__, epochs=15, seeds=3), argv)
    runs.EXTRAS["teachers"] = partial(teach, args.runs)
    base = options.base_run(args, "final")
    # An ensemble needs two nets at least
    teachers = train_seeds(base, data, args.runs, max(args.seeds, 2))
    results = {BASE: teachers[:args.seeds], **train_students(base, teachers, data, args)}
    ensemble = of_ensemble(teachers, data)
    findings.save_nets(args, data, 6, title="Knowledge distillation", nets=results,
                       figures=draw(results), findings=conclude(results, ensemble, len(teachers)),
                       notes=["Teachers see exactly the student's batch, in the same order and "
                              "with the same flips."])


if __name__ == "__main__":
    main()
