"""People and the net: figure 8 of the paper, Ekman's table, and the voters of FER+ on the same
faces.

    python experiments/paper/humans.py --data fer2013.h5   3 nets of 40 epochs; minutes where they
    are trained already
    python experiments/paper/humans.py --quick             a smoke test on synthetic faces, on which
    nobody voted

The voters need a file prepared with --ferplus (see data/README.md): ten people named each face.
They and the net are right where they say FER2013's label. Intervals are by the chance of the faces:
Wilson's for an emotion, else bootstraps; the nets' answers are averaged.
"""
import sys
from pathlib import Path

if __package__ is None:  # started as a file, not with -m
    sys.path[0] = str(Path(__file__).resolve().parents[2])
    import experiments.paper  # noqa: F401  here, before NumPy

import numpy as np

from cs231n_fer import vis_utils
from cs231n_fer.analysis.metrics import wilson_interval
from cs231n_fer.vis_utils import EKMAN, curves
from experiments.paper import findings, options
from experiments.paper import people_findings as judge
from experiments.paper.people import mean_of_each, voters
from experiments.paper.runs import load_trained, train_seeds

NOTES = ["Of Ekman's participants the paper reports only their accuracy (table 1) and that they "
         "detect anger in the upper and happiness in the lower half of the face (experiment 8), "
         "not which emotions they confuse.",
         "People: a single voter of FER+, counting answers that are one of the seven emotions."]
NOBODY = "Nobody voted on these faces: FER2013 prepared with --ferplus has the votes."
LEFT_OUT = ("Excluded: {} of {:,} faces, on which most voters saw no face or no voter chose one "
            "of the seven emotions.")


def answers(results, data):
    """Return (N, C): how often the nets say each class of each validation face."""
    classes = len(data["class_names"])
    return np.mean([np.eye(classes)[load_trained(result).predict(data["X_val"]).argmax(axis=1)]
                    for result in results],
                   axis=0)


def by_emotion(right, y):
    """Return {label: (value, low, high)} of right (n,), in percent, Wilson's interval; of the
    labels that occur."""
    return {label: tuple(100 * np.array([right[y == label].mean(), *wilson_interval(
        right[y == label].sum(), (y == label).sum())])) for label in np.unique(y).tolist()}


def common_error(rates, label, names):
    """Return the most frequent wrong answer to a class as "Sad 24 %", rates (C, C)."""
    wrong = np.where(np.arange(len(rates)) == label, -1, rates[label])
    return f"{names[wrong.argmax()]} {100 * wrong.max():.0f} %"


def draw(said, crowd, y, names, dataset):
    """Return the figures: accuracy per emotion beside people, and the confusions of both."""
    nets = counts_of(said, y)
    if crowd is None:
        return {"figure8": vis_utils.plot_human_comparison(nets, names, dataset=dataset)}
    seen = by_emotion(crowd.right, crowd.y)
    asked = np.array([seen.get(label, (np.nan,) * 3) for label in range(len(names))])
    panels = curves.panels(2, (7.7, 6.8))
    for ax, who, shares in ((panels[0], "Net", said[crowd.rows]),
                            (panels[1], "People", crowd.shares)):
        vis_utils.plot_confusion(counts_of(shares, crowd.y), names, ax)
        right = 100 * shares[np.arange(len(crowd.y)), crowd.y].mean()
        vis_utils.finish_axes(ax, f"{who}: {right:.1f} % of the answers are the label",
                              "Answer (faces, share)", "Label (faces)")
    return {"figure8": vis_utils.plot_human_comparison(nets, names, dataset=dataset, voters=asked),
            "confusions": panels[0]}


def counts_of(shares, y):
    """Return the (C, C) integer counts of answers that are shares (n, C): each face counts once."""
    return np.rint(np.nan_to_num(mean_of_each(shares, y))
                   * np.bincount(y, minlength=shares.shape[1])[:, None]).astype(
        np.int64)


def tabulate(said, crowd, y, names):
    """Return the rows of the table."""
    right, rates = by_emotion(said[np.arange(len(y)), y], y), mean_of_each(said, y)
    seen, people = ({}, None) if crowd is None else (by_emotion(crowd.right, crowd.y), mean_of_each(
        crowd.shares, crowd.y))

    def cell(values, label):
        return "{:.1f} ({:.1f} to {:.1f})".format(*values[label]) if label in values else "-"

    return [[name, int((y == label).sum()), cell(right, label), cell(seen, label), EKMAN[name],
             common_error(rates, label, names) if label in right else "-",
             common_error(people, label, names) if label in seen else "-"] for label,
            name in enumerate(names)]


def main(argv=None):
    args, data = options.begin(options.parser("humans", __doc__, seeds=3), argv)
    results = train_seeds(options.base_run(args, "final"), data, args.runs, args.seeds)
    said, y, names = answers(results, data), data["y_val"], list(data["class_names"])
    crowd = voters(data["votes_val"], y) if "votes_val" in data else None
    left_out = NOBODY if crowd is None else LEFT_OUT.format(len(y) - len(crowd.y), len(y))
    findings.save(args, data, 9, title="People and the net", notes=[*NOTES, left_out],
                  results=results, header=["", "faces", "net %", "people %", "Ekman %",
                          "most frequent error of the net", "of people"],
                  rows=tabulate(said, crowd, y, names), findings=judge.conclude(said, y, crowd),
                  figures=draw(said, crowd, y, names,
                               "synthetic faces" if data["synthetic"] else "FER2013"))


if __name__ == "__main__":
    main()
