"""Train the paper's final net on FER2013; the defaults are the paper's parameters (section 4.1).

    python experiments/train_final.py            # FER2013 if it is found, else built-in faces
    python experiments/train_final.py --data fer2013.csv --out runs/final --seed 1
    python experiments/train_final.py --resume   # continue an interrupted run, bit for bit

Writes config.json, metrics.json, history.csv, best.h5, last.h5 and the paper's figures to --out.
"""
# ruff: noqa: E402
import sys
from pathlib import Path

if __package__ is None:  # started as a file, not with -m
    sys.path[0] = str(Path(__file__).resolve().parents[1])

import argparse
import json
import os
import platform
from collections.abc import Mapping, Sequence
from typing import Any

# Before NumPy: a step takes 169 ms with one thread of OpenBLAS. With two threads it takes 225 ms,
# and 4,400 ms on a busy machine.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
import numpy as np

import cs231n_fer
from cs231n_fer.classifiers import FinalConvNet, warm_start
from cs231n_fer.data_utils import load_data
from cs231n_fer.data_utils.augment import HorizontalFlip
from cs231n_fer.files.checkpoint import write_text
from cs231n_fer.nets.ladder import RUNGS
from cs231n_fer.nets.network import Network
from cs231n_fer.optim import UPDATE_RULES
from cs231n_fer.solver import Recipe, RunFolder, Solver
from cs231n_fer.vis_utils.report import draw_run, measure
from experiments import flags, resuming


def make_parser() -> argparse.ArgumentParser:
    """Return the command line; the defaults are the paper's parameters."""
    parser = flags.Parser(__doc__)
    add = parser.add_argument
    flag = argparse.BooleanOptionalAction
    add("--data", help="prepared .h5 file, Kaggle's CSV file or archive, folder of images, or "
                       "'synthetic'; default: look for FER2013 in the usual places")
    add("--out", type=flags.target_folder, default=Path("runs/final"),
        help="folder of the results (default: %(default)s)")
    add("--epochs", type=flags.whole(1),
        help="number of epochs (default: 40 as in the paper, 5 on synthetic faces)")
    add("--seed", type=flags.whole(), default=0,
        help="seed of initialization, order, augmentation and dropout (default: %(default)s)")
    add("--batch-size", type=flags.whole(1), default=50,
        help="images per step (default: %(default)s)")
    add("--update-rule", choices=sorted(UPDATE_RULES), default="adam",
        help="function of cs231n_fer.optim (default: %(default)s)")
    add("--learning-rate", type=flags.real(above=0), default=0.00127,
        help="learning rate of the first epoch (default: %(default)s)")
    add("--lr-decay", type=flags.real(above=0, most=1), default=0.95,
        help="factor on the learning rate after each epoch (default: %(default)s)")
    add("--reg", type=flags.real(least=0), default=0.00172,
        help="L2 regularization strength (default: %(default)s)")
    add("--filters", type=flags.whole(1), nargs="+", default=[32, 64, 96, 128],
        help="number of filters of each block (default: 32 64 96 128)")
    add("--hidden-dim", type=flags.whole(1), default=200,
        help="units of the hidden affine layer (default: %(default)s)")
    add("--dropout-keep", type=flags.real(above=0, most=1), default=1,
        help="probability of keeping a hidden unit (default: 1, no dropout)")
    add("--batchnorm", action=flag, default=True, help="batch normalization (default: on)")
    add("--flip", action=flag, default=True,
        help="mirror half of the training images at random (default: on)")
    add("--rung", choices=("auto", *RUNGS), default="auto",
        help="implementation of the layers; auto is the fastest (default: %(default)s)")
    add("--init", type=flags.existing,
        help="checkpoint to start from; layers of equal name and shape take its weights (default: "
             "none)")
    resuming.add_options(parser)
    return parser


def describe(args: argparse.Namespace, data: Mapping[str, Any], left_out: Sequence[str] = ()
             ) -> dict[str, Any]:
    """Return the options of a run, its data and its machine as a dict for JSON, without folders.

    left_out    names of options that do not apply to this run
    """
    settings = {key: value.name if isinstance(value, Path) else value
                for key, value in vars(args).items() if key not in (*resuming.OWN, *left_out)}
    environment = {"cs231n_fer": cs231n_fer.__version__, "numpy": np.__version__,
                   "python": platform.python_version(), "cores": os.cpu_count()}
    return {**settings, "data": Path(data["source"]).name, "data_sha256": data["source_sha256"],
            "training_images": len(data["X_train"]), "validation_images": len(data["X_val"]),
            "environment": environment}


def begin(args: argparse.Namespace, config: Mapping[str, Any], model: Network) -> None:
    """Print the settings of a run and its net, and load the weights of --init into a new net.

    Raises ValueError if the run to resume had other settings.
    """
    print(json.dumps(config, indent=2), model.summary(), sep="\n", flush=True)
    if args.resume:
        resuming.check_same_run(config, args.out / resuming.CONFIG)
    elif args.init:
        print(warm_start(model, args.init))


def build(args: argparse.Namespace, data: Mapping[str, Any]) -> Solver:
    """Return the Solver of the run, after printing and saving its settings."""
    options = {"num_filters": args.filters, "hidden_dim": args.hidden_dim,
               "batchnorm": args.batchnorm, "dropout_keep_ratio": args.dropout_keep,
               "reg": args.reg, "seed": args.seed, "rung": args.rung}
    model = FinalConvNet(**options)
    config = describe(args, data)
    begin(args, config, model)
    info = {"model": {"kind": "FinalConvNet", "options": options}, "config": config,
            "script": "train_final", "class_names": list(data["class_names"]), "std": data["std"]}
    solver = Solver(model, data, update_rule=args.update_rule,
                    optim_config={"learning_rate": args.learning_rate}, lr_decay=args.lr_decay,
                    batch_size=args.batch_size, num_epochs=args.epochs, seed=args.seed,
                    recipe=Recipe(augmentation=HorizontalFlip() if args.flip else None),
                    folder=RunFolder(args.out, args.resume, args.overwrite, info=info,
                                     info_arrays={"mean_image": data["mean_image"]}))
    resuming.begin_folder(args.out, config, args.overwrite)
    return solver


def main() -> None:
    """Train, and write all results to --out."""
    args = resuming.parsed(make_parser())
    with resuming.before_the_run():
        data = load_data(args.data)
        args.epochs = args.epochs or (5 if data["synthetic"] else 40)
        solver = build(args, data)
    solver.train()
    metrics, scores = measure(solver, data)
    write_text(args.out / "metrics.json", json.dumps(metrics, indent=2) + "\n")
    draw_run(args.out, solver, data, scores)
    print(f"validation accuracy {metrics['val_acc']:.4f} (epoch {metrics['best_epoch']}), "
          f"{metrics['seconds']:.0f} s, {metrics['images_per_second']:.0f} images/s; "
          f"results in {args.out}")


if __name__ == "__main__":
    try:
        main()
    except (OSError, ValueError, FloatingPointError, MemoryError) as error:
        sys.exit(f"train_final: {error}")
    except KeyboardInterrupt as stopped:
        out = make_parser().parse_args().out
        sys.exit(f"train_final: {resuming.how_to_continue(stopped, out)}")
