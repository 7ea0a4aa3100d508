"""Measure how the time of Solver.train() divides among the training step and everything else.

    python experiments/bench/solver.py --page   two epochs of FER2013, if it is found, on all cores
    python experiments/bench/solver.py --quick   3,000 faces, a smoke test
    CS231N_FER_DATA=data/fer2013.h5 python experiments/bench/solver.py --epochs 40 --batchnorm

The step is forward pass, backward pass and update. Everything else is gathering and mirroring
batches, measuring the accuracy on 1,000 training faces and all validation faces after every epoch,
keeping the best parameters, and checkpoints. A first step, which compiles, is not counted.
"""
import sys
from pathlib import Path

if __package__ is None:  # started as a file, not with -m
    sys.path[0] = str(Path(__file__).resolve().parents[2])

import tempfile
import time
from collections import Counter
from contextlib import contextmanager

from cs231n_fer.classifiers import FinalConvNet
from cs231n_fer.data_utils import load_data
from cs231n_fer.data_utils.augment import HorizontalFlip
from cs231n_fer.nets.ladder import RUNGS
from cs231n_fer.solver import Recipe, RunFolder, Solver
from experiments import flags
from experiments.bench import machine, options
from experiments.bench.nets import LEARNING_RATE, REG
from experiments.bench.report import table


def parse():
    parser = flags.Parser(__doc__)
    add = parser.add_argument
    add("--epochs", type=flags.whole(1), default=2, help="number of epochs (default: %(default)s)")
    add("--batch-size", type=flags.whole(1), default=50,
        help="images per step (default: %(default)s)")
    add("--images", type=flags.whole(1),
        help="number of training faces to use (default: all)")
    add("--batchnorm", action="store_true", help="time the net with batch normalization")
    add("--rung", choices=("auto", *RUNGS), default="auto",
        help="implementation of the layers (default: %(default)s)")
    add("--quick", action="store_true",
        help="a smoke test of one epoch; results and page go to runs/")
    add("--page", action="store_true",
        help="also write the table to experiments/results/SPEED.md")
    return parser


@contextmanager
def clock(seconds, name):
    """Add the duration of a `with` block to seconds[name]."""
    start = time.perf_counter()
    yield
    seconds[name] += time.perf_counter() - start


def watch(solver, seconds):
    """Make a solver add the times of its model's loss and of its updates to `seconds`."""
    loss = solver.model.loss
    update = solver.state.update.apply

    def timed_loss(X, y=None):
        with clock(seconds, "evaluation" if y is None else "forward and backward"):
            return loss(X, y)

    def timed_update(*arguments):
        with clock(seconds, "parameter update"):
            return update(*arguments)

    solver.model.loss = timed_loss
    solver.state.update.apply = timed_update


def main():
    args = parse().parse_args()
    facts = machine.describe()
    print("bench_solver:", ", ".join(f"{key} {value}" for key, value in vars(args).items()),
          "threads", facts["cores"])
    print(machine.sentence(facts), machine.warning(facts) or "", sep="\n")
    data = load_data()
    kept = (3000 if args.quick else args.images) or len(data["X_train"])
    data |= {name: data[name][:kept] for name in ("X_train", "y_train")}
    if args.quick:
        args.epochs = 1
        data |= {name: data[name][:500] for name in ("X_val", "y_val")}
    model = FinalConvNet(batchnorm=args.batchnorm, reg=REG, seed=0, rung=args.rung)
    seconds = Counter()
    model.loss(data["X_train"][:args.batch_size], data["y_train"][:args.batch_size])
    with tempfile.TemporaryDirectory() as folder:
        solver = Solver(model, data, update_rule="adam",
                        optim_config={"learning_rate": LEARNING_RATE}, lr_decay=0.95,
                        batch_size=args.batch_size, num_epochs=args.epochs,
                        recipe=Recipe(augmentation=HorizontalFlip()), folder=RunFolder(folder))
        watch(solver, seconds)
        with clock(seconds, "total"):
            solver.train()
    total = seconds.pop("total")
    step = seconds["forward and backward"] + seconds["parameter update"]
    seconds["batches, augmentation, checkpoints and other work"] = total - sum(seconds.values())
    images = args.epochs * len(data["X_train"])
    rows = [[name, spent, f"{spent / total:.1%}"]
            for name, spent in [*seconds.items(), ("total", total)]]
    faces = "the built-in faces" if "synthetic" in data["source"] else "FER2013"
    body = (f"{args.epochs} epochs of {len(data['X_train']):,} images of {faces}, batch "
            f"{args.batch_size}: {images / total:,.0f} images/s, "
            f"**{(total - step) / total:.1%} of the time is spent outside the training step**.\n\n"
            f"{table(['part', 's', 'share'], rows)}")
    results = {"seconds": dict(seconds), "total": total, "images": images,
               "outside_step": (total - step) / total}
    options.finish("bench_solver", args, facts, results, body)


if __name__ == "__main__":
    sys.exit(main())
