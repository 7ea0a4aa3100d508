"""Train the paper's final net on FER2013; the defaults are the paper's parameters (section 4.1).

    python experiments/train_final.py            # FER2013 if it is found, else the built-in faces
    python experiments/train_final.py --data fer2013.csv --out runs/final --seed 1
    python experiments/train_final.py --resume   # go on with an interrupted run

Writes config.json, metrics.json, history.csv, best.h5, last.h5 and the paper's figures to --out.
"""
# ruff: noqa: E402
import argparse
import json
import os
import platform
import sys
from pathlib import Path

# Before NumPy: with 2 threads, OpenBLAS takes 225 ms for a step and 4,400 on a busy machine, with 1 thread 169.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
import numpy as np

import cs231n_fer
from cs231n_fer.classifiers import FinalConvNet, warm_start
from cs231n_fer.data_utils import load_data
from cs231n_fer.data_utils.augment import HorizontalFlip
from cs231n_fer.files.checkpoint import write_text
from cs231n_fer.shapes import check
from cs231n_fer.solver import Recipe, RunFolder, Solver
from cs231n_fer.vis_utils.report import draw_run, measure


def make_parser():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    flag = argparse.BooleanOptionalAction
    parser.add_argument("--data", help="prepared .h5, Kaggle's CSV or archive, an image folder, or 'synthetic'")
    parser.add_argument("--out", type=Path, default=Path("runs/final"), help="folder of the results")
    parser.add_argument("--epochs", type=int, help="default 40, the paper's; 5 on the built-in faces")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--batch-size", type=int, default=50)
    parser.add_argument("--update-rule", default="adam")
    parser.add_argument("--learning-rate", type=float, default=0.00127)
    parser.add_argument("--lr-decay", type=float, default=0.95, help="factor on the learning rate after each epoch")
    parser.add_argument("--reg", type=float, default=0.00172, help="strength of the L2 regularisation")
    parser.add_argument("--filters", type=int, nargs="+", default=[32, 64, 96, 128])
    parser.add_argument("--hidden-dim", type=int, default=200)
    parser.add_argument("--dropout-keep", type=float, default=1, help="probability to keep a hidden unit")
    parser.add_argument("--batchnorm", action=flag, default=True)
    parser.add_argument("--flip", action=flag, default=True, help="mirror half of the training images")
    parser.add_argument("--rung", default="auto", help="naive, im2col or auto")
    parser.add_argument("--init", type=Path, help="a checkpoint to start from: layers that agree in name and shape")
    parser.add_argument("--resume", action="store_true", help="go on from OUT/last.h5")
    return parser


def check_same_run(config, path):
    """Raise ValueError if the run to resume had other settings; only the number of epochs may change."""
    before = json.loads(path.read_text(encoding="utf-8"))
    for key in config.keys() - {"epochs", "environment"}:
        check(config[key] == before.get(key),
              f"--resume: {key} is {config[key]!r}, but {path.parent} was trained with {before.get(key)!r}")


def describe(args, data, left_out=()):
    """Return the options of a run, its data and its machine, as JSON can hold them, without folders."""
    settings = {key: value.name if isinstance(value, Path) else value for key, value in vars(args).items()
                if key not in ("out", "resume", *left_out)}
    return {**settings, "data": Path(data["source"]).name, "data_sha256": data["source_sha256"],
            "training_images": len(data["X_train"]), "validation_images": len(data["X_val"]),
            "environment": {"cs231n_fer": cs231n_fer.__version__, "numpy": np.__version__,
                            "python": platform.python_version(), "cores": os.cpu_count()}}


def begin(args, config, model):
    """Print a run's settings and its net, check them against a run to resume, and start from --init."""
    print(json.dumps(config, indent=2), model.summary(), sep="\n", flush=True)
    if args.resume and (args.out / "config.json").exists():
        check_same_run(config, args.out / "config.json")
    if args.init:
        print(warm_start(model, args.init))


def build(args, data):
    """Return the Solver of the run, after printing and saving its settings."""
    options = {"num_filters": args.filters, "hidden_dim": args.hidden_dim, "batchnorm": args.batchnorm,
               "dropout_keep_ratio": args.dropout_keep, "reg": args.reg, "seed": args.seed, "rung": args.rung}
    model = FinalConvNet(**options)
    config = describe(args, data)
    begin(args, config, model)
    info = {"model": {"kind": "FinalConvNet", "options": options}, "config": config, "script": "train_final",
            "class_names": list(data["class_names"]), "std": data["std"]}
    solver = Solver(model, data, update_rule=args.update_rule,
                    optim_config={"learning_rate": args.learning_rate}, lr_decay=args.lr_decay,
                    batch_size=args.batch_size, num_epochs=args.epochs, seed=args.seed,
                    recipe=Recipe(augmentation=HorizontalFlip() if args.flip else None),
                    folder=RunFolder(args.out, resume=args.resume, info=info,
                                     info_arrays={"mean_image": data["mean_image"]}))
    write_text(args.out / "config.json", json.dumps(config, indent=2) + "\n")
    return solver


def main():
    parser = make_parser()
    args = parser.parse_args()
    if args.epochs is not None and args.epochs < 1:
        parser.error(f"--epochs: got {args.epochs}, expected at least 1")
    data = load_data(args.data)
    args.epochs = args.epochs or (5 if data["synthetic"] else 40)
    solver = build(args, data)
    solver.train()
    metrics, scores = measure(solver, data)
    write_text(args.out / "metrics.json", json.dumps(metrics, indent=2) + "\n")
    draw_run(args.out, solver, data, scores)
    print(f"validation accuracy {metrics['val_acc']:.4f} (epoch {metrics['best_epoch']}), "
          f"{metrics['seconds']:.0f} s, {metrics['images_per_second']:.0f} images/s; results in {args.out}")


if __name__ == "__main__":
    try:
        main()
    except (OSError, ValueError, FloatingPointError) as error:
        sys.exit(f"train_final: {error}")
    except KeyboardInterrupt as stopped:
        sys.exit(f"train_final: {stopped or 'interrupted'}; --resume")
