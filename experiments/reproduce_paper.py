"""Every experiment of the paper, one after the other, and the report that lays its statements beside what we find.

    python experiments/reproduce_paper.py              everything; goes on where it stopped
    python experiments/reproduce_paper.py --quick      a smoke test on synthetic faces, at most 10 minutes
    python experiments/reproduce_paper.py --only 2 4   these experiments, done again or not
    python experiments/reproduce_paper.py --report     the report alone, from the results that are there

An experiment is done when the folder of runs holds its results; a training that finished is never done again. Without
--only, the ones that are done are left out. Other options (--data, --seeds, --epochs...) go to every script. Writes
experiments/results/REPORT.md, with --quick runs/paper-quick/REPORT.md.
"""
import sys
from pathlib import Path

if __package__ is None:  # started as a file, not with -m
    sys.path[0] = str(Path(__file__).resolve().parents[1])

import argparse
import importlib
import traceback

from cs231n_fer.files.checkpoint import write_text
from experiments.paper import options
from experiments.paper.findings import load_results, report

EXPERIMENTS = [  # number, the script paper/NAME.py, what it is about
    (1, "depth", "3.2 and 3.4: a three-layer baseline, then four blocks of convolution and pooling"),
    (2, "update_rules", "3.4: Adam performs best among the update rules, slightly better than RMSProp"),
    (3, "search", "4.1: parameters sampled at random in log space"),
    (4, "regularisation", "4.2: batchnorm gives a few points, dropout nothing significant"),
    (5, "augmentation", "3.3: images are flipped horizontally"),
    (6, "distillation", "4.3: a net's probabilities fed back into the same net, alpha 0.8"),
    (7, "emotions", "5: Disgust fares worst and Happy best, which is due to the class distribution"),
    (8, "saliency", "5.1: anger is read from the upper part of the face, happiness from the lower"),
    (9, "humans", "5.2: people reach 63.4 %"),
    (11, "empath", "2: Gabor filters, PCA and a small net (EMPATH)"),
    (12, "tang", "2: a convolutional net under the loss of an SVM won the competition"),
    (13, "transfer", "2 and 6: features pre-trained on CIFAR-10"),
    (14, "clips", "2: from still images to clips"),
    (15, "deep", "6: more layers and more filters would further improve the network"),
    (16, "everything", "5: the net reaches 60.7 %; with all that is known today"),
]
HERE = Path(__file__).resolve().parent / "paper"


def run_one(name, argv):
    """Run one script, if it exists; returns None, or how it failed."""
    if not (HERE / f"{name}.py").exists():
        print(f"no script paper/{name}.py yet")
        return None
    try:
        importlib.import_module(f"experiments.paper.{name}").main(argv)
    except (Exception, SystemExit) as error:  # one that fails must not keep the others from running
        traceback.print_exc()
        return f"failed with {type(error).__name__}: {error}"
    return None


def is_done(args, number, name):
    """Whether this machine has done an experiment, with the seeds and epochs that are asked for, if any are."""
    stored = load_results(args.runs, number, name)
    return stored is not None and all(getattr(args, key) in (None, stored["settings"][key])
                                      for key in ("seeds", "epochs"))


def main(argv=None):
    common = options.parser("reproduce_paper", "")
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", type=int, nargs="+", metavar="N", choices=[number for number, *_ in EXPERIMENTS])
    parser.add_argument("--report", action="store_true", help="train nothing, write the report")
    args, passed_on = parser.parse_known_args(argv)
    common_args = options.folders(common.parse_args(passed_on))
    failures = {}
    for number, name, title in EXPERIMENTS:
        if args.report or (number not in args.only if args.only else is_done(common_args, number, name)):
            continue
        print(f"\n== {number}. {title}", flush=True)
        failure = run_one(name, passed_on)
        if failure:
            failures[number] = failure
            print(f"{number}: {failure}", flush=True)
    path = common_args.results.parent / "REPORT.md"
    write_text(path, report(common_args.results, EXPERIMENTS, failures))
    print(f"\nreport: {path}")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
