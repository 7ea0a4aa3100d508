"""Run every experiment of the paper, and compare the paper's statements with the results.

    python experiments/reproduce_paper.py              all experiments; continues where it stopped
    python experiments/reproduce_paper.py --quick      a smoke test on synthetic faces (10 minutes)
    python experiments/reproduce_paper.py --only 2 4   these experiments, whether done or not
    python experiments/reproduce_paper.py --report     only write the report, from stored results

An experiment is done when the folder of runs holds its results; a training that has finished is
never repeated. Without --only, experiments that are done are skipped. Other options, such as
--data, --seeds and --epochs, are passed on to every script. Writes experiments/results/REPORT.md,
or with --quick runs/paper-quick/REPORT.md.
"""
import sys
from pathlib import Path

if __package__ is None:  # started as a file, not with -m
    sys.path[0] = str(Path(__file__).resolve().parents[1])

import argparse
import importlib
import traceback
from collections.abc import Sequence

from cs231n_fer.files.checkpoint import write_text
from experiments import flags
from experiments.paper import options
from experiments.paper.findings import load_results, report

EXPERIMENTS = [  # number, name of the script in paper/, sections of the paper and subject
    (1, "depth", "3.2, 3.4: a three-layer baseline, and four blocks of convolution and pooling"),
    (2, "update_rules", "3.4: Adam performs best of the update rules, slightly above RMSProp"),
    (3, "search", "4.1: a random search of the parameters in log space"),
    (4, "regularisation", "4.2: batchnorm gains some points, dropout nothing significant"),
    (5, "augmentation", "3.3: images are mirrored at random"),
    (6, "distillation", "4.3: the probabilities of a net train the same net again, alpha 0.8"),
    (7, "emotions", "5: Disgust is worst and Happy best because of the class distribution"),
    (8, "saliency", "5.1: anger is detected on the upper part of the face, happiness on the lower"),
    (9, "humans", "5.2: people reach 63.4 %"),
    (11, "empath", "2: Gabor filters, PCA and a small net (EMPATH)"),
    (12, "tang", "2: a convolutional net with the loss of an SVM won the competition"),
    (13, "transfer", "2, 6: features pre-trained on CIFAR-10"),
    (14, "clips", "2: from still images to clips"),
    (15, "deep", "6: more layers and more filters would further improve the network"),
    (16, "everything", "5: the net reaches 60.7 %; the same net with all later methods"),
]
HERE = Path(__file__).resolve().parent / "paper"


def run_one(name: str, argv: Sequence[str]) -> str | None:
    """Run one script if it exists; return None, or a sentence that says how it failed."""
    if not (HERE / f"{name}.py").exists():
        print(f"there is no script paper/{name}.py yet")
        return None
    try:
        importlib.import_module(f"experiments.paper.{name}").main(argv)
    except (Exception, SystemExit) as error:  # a failure must not stop the other experiments
        traceback.print_exc()
        return f"failed with {type(error).__name__}: {error}"
    return None


def is_done(args: argparse.Namespace, number: int, name: str) -> bool:
    """Return whether the folder of runs holds an experiment with the seeds and epochs asked for."""
    stored = load_results(args.runs, number, name)
    if stored is None:
        return False
    settings = stored["settings"]
    return args.seeds in (None, settings["seeds"]) and args.epochs in (None, settings["epochs"])


def main(argv: Sequence[str] | None = None) -> int:
    """Run the experiments and write the report; return 1 if an experiment failed, else 0."""
    parser = flags.Parser(__doc__)
    parser.add_argument("--only", type=int, nargs="+", metavar="N",
                        choices=[number for number, *_ in EXPERIMENTS],
                        help="numbers of the experiments to run: %(choices)s (default: those "
                             "that are not done)")
    parser.add_argument("--report", action="store_true", help="train nothing, write the report")
    args, passed_on = parser.parse_known_args(argv)
    common = options.parser("reproduce_paper", "").parse_args(passed_on)
    common_args = options.folders(common)
    failures = {}
    for number, name, title in EXPERIMENTS:
        if args.only:
            skip = number not in args.only
        else:
            skip = is_done(common_args, number, name)
        if args.report or skip:
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
