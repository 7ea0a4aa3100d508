"""People and the net: figure 8 of the paper, Ekman's table, and the voters of FER+.

    python experiments/paper/humans.py --data fer2013.h5   3 nets of 40 epochs; minutes if trained
    python experiments/paper/humans.py --quick             a smoke test on synthetic faces, no votes

The votes need a file that was prepared with --ferplus (see data/README.md): ten people classified
each face. An answer of a voter or a net is correct if it is FER2013's label. Intervals are over the
faces, Wilson's for a single emotion and bootstraps otherwise; the nets' answers are averaged.
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
SYNTHETIC = "synthetic faces"  # beside them no people are drawn, who saw photographs
NOBODY = "Nobody voted on these faces: FER2013 prepared with --ferplus has the votes."
LEFT_OUT = ("Excluded: {} of {:,} faces, on which most voters saw no face or no voter chose one "
            "of the seven emotions.")


def answers_of(results, data):
    """Return the fraction of the nets that predict each class for each validation face, (N, C)."""
    classes = len(data["class_names"])
    return np.mean([np.eye(classes)[load_trained(result).predict(data["X_val"]).argmax(axis=1)]
                    for result in results], axis=0)


def by_emotion(right, y):
    """Return {label: (accuracy, low, high)} in percent, with Wilson's interval.

    right   (n,) fractions of correct answers
    y       (n,) labels; the result has those that occur
    """
    found = {}
    for label in np.unique(y).tolist():
        rows = y == label
        interval = wilson_interval(right[rows].sum(), rows.sum())
        found[label] = tuple(100 * np.array([right[rows].mean(), *interval]))
    return found


def common_error(rates, label, names):
    """Return the most frequent wrong answer for a class, as in "Sad 24 %", from (C, C) rates."""
    wrong = np.where(np.arange(len(rates)) == label, -1, rates[label])
    return f"{names[wrong.argmax()]} {100 * wrong.max():.0f} %"


def draw(answers, crowd, y, names, dataset):
    """Return the figures: accuracy per emotion of nets and people, and their confusions."""
    nets = counts_of(answers, y)
    if crowd is None:
        return {"figure8": vis_utils.plot_human_comparison(nets, names, dataset=dataset,
                                                           people=dataset != SYNTHETIC)}
    people = by_emotion(crowd.right, crowd.y)
    voters_accuracy = np.array([people.get(label, (np.nan,) * 3) for label in range(len(names))])
    panels = curves.panels(2, (7.7, 6.8))
    for ax, who, shares in ((panels[0], "Net", answers[crowd.rows]),
                            (panels[1], "People", crowd.shares)):
        vis_utils.plot_confusion(counts_of(shares, crowd.y), names, ax)
        right = 100 * shares[np.arange(len(crowd.y)), crowd.y].mean()
        vis_utils.finish_axes(ax, f"{who}: {right:.1f} % of the answers are the label",
                              "Answer (faces, share)", "Label (faces)")
    figure8 = vis_utils.plot_human_comparison(nets, names, dataset=dataset,
                                              voters=voters_accuracy)
    return {"figure8": figure8, "confusions": panels[0]}


def counts_of(shares, y):
    """Return the (C, C) confusion matrix of answers given as shares (n, C), rounded to integers.

    Every face counts once.
    """
    counts = np.bincount(y, minlength=shares.shape[1])[:, None]
    return np.rint(np.nan_to_num(mean_of_each(shares, y)) * counts).astype(np.int64)


def tabulate(answers, crowd, y, names):
    """Return the rows of the table; answers are those of answers_of()."""
    nets = by_emotion(answers[np.arange(len(y)), y], y)
    rates = mean_of_each(answers, y)
    people = {} if crowd is None else by_emotion(crowd.right, crowd.y)
    people_rates = None if crowd is None else mean_of_each(crowd.shares, crowd.y)

    def cell(values, label):
        return "{:.1f} ({:.1f} to {:.1f})".format(*values[label]) if label in values else "-"

    return [[name, int((y == label).sum()), cell(nets, label), cell(people, label), EKMAN[name],
             common_error(rates, label, names) if label in nets else "-",
             common_error(people_rates, label, names) if label in people else "-"]
            for label, name in enumerate(names)]


def main(argv=None):
    args, data = options.begin(options.parser("humans", __doc__, seeds=3), argv)
    results = train_seeds(options.base_run(args, "final"), data, args.runs, args.seeds)
    answers = answers_of(results, data)
    y = data["y_val"]
    names = list(data["class_names"])
    crowd = voters(data["votes_val"], y) if "votes_val" in data else None
    left_out = NOBODY if crowd is None else LEFT_OUT.format(len(y) - len(crowd.y), len(y))
    findings.save(args, data, 9, title="People and the net", notes=[*NOTES, left_out],
                  results=results, rows=tabulate(answers, crowd, y, names),
                  header=["", "faces", "net %", "people %", "Ekman %",
                          "most frequent error of the net", "of people"],
                  findings=judge.conclude(answers, y, crowd),
                  figures=draw(answers, crowd, y, names,
                               SYNTHETIC if data["synthetic"] else "FER2013"))


if __name__ == "__main__":
    main()
