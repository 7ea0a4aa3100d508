"""Train the best net of at most 1 M parameters and 100 MFLOP on FER2013.

    python experiments/train_best.py             # FER2013 if it is found, else built-in faces
    python experiments/train_best.py --resume    # continue an interrupted run, bit for bit
    python experiments/train_best.py --teacher runs/best*/best.h5 --out runs/student

The last command distills trained nets into a new one. The model card of the packaged net gives the
command that trained it. The recipe: random mirroring, similarity transforms, changes of brightness
and erasing in the training loop; Nesterov momentum with a cosine schedule and warm-up; label
smoothing, or teachers that see the same augmented batch; dropout before the scores; a running
average of the weights. Writes config.json, metrics.json, history.csv, best.h5, last.h5 and figures
to --out.
"""
# ruff: noqa: E402
import sys
from pathlib import Path

if __package__ is None:  # started as a file, not with -m
    sys.path[0] = str(Path(__file__).resolve().parents[1])

import argparse
import json
import os
from collections.abc import Mapping
from functools import partial
from typing import Any

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # see train_final.py
import numpy as np

from cs231n_fer.classifiers import MODELS, load_model
from cs231n_fer.classifiers.pretrained import PretrainedNet
from cs231n_fer.data_utils import load_data, restore_pixels
from cs231n_fer.data_utils.augment import (
    BrightnessContrast,
    Compose,
    HorizontalFlip,
    RandomErasing,
    RandomSimilarity,
)
from cs231n_fer.files.checkpoint import write_text
from cs231n_fer.layers import smoothed_softmax_loss
from cs231n_fer.nets.ladder import RUNGS
from cs231n_fer.nets.network import Network
from cs231n_fer.optim import UPDATE_RULES
from cs231n_fer.optim.schedules import CosineWarmup
from cs231n_fer.shapes import check
from cs231n_fer.solver import Recipe, RunFolder, Solver
from cs231n_fer.solver.distillation import distil
from cs231n_fer.vis_utils.report import draw_run, measure
from experiments import flags, resuming
from experiments.train_final import begin, describe


def make_parser() -> argparse.ArgumentParser:
    """Return the command line; the defaults are the recipe of the best net."""
    parser = flags.Parser(__doc__)
    add = parser.add_argument
    add("--data", help="prepared .h5 file, Kaggle's CSV file or archive, folder of images, or "
                       "'synthetic'; default: look for FER2013 in the usual places")
    add("--out", type=flags.target_folder, default=Path("runs/best"),
        help="folder of the results (default: %(default)s)")
    add("--epochs", type=flags.whole(1), default=150,
        help="number of epochs (default: %(default)s)")
    add("--seed", type=flags.whole(), default=0,
        help="seed of initialization, order, augmentation and dropout (default: %(default)s)")
    add("--blocks", type=block, nargs="+", default=["32", "64", "96,96", "128,128,192"],
        help="for each block the filters of its convolutions, separated by commas; a 2x2 max-pool "
             "follows each block (default: 32 64 96,96 128,128,192)")
    add("--hidden-dim", type=flags.whole(), default=0,
        help="units of a hidden affine layer; 0: global average pooling instead (default: 0)")
    add("--dropout-keep", type=flags.real(above=0, most=1), default=0.6,
        help="probability of keeping a feature before the scores (default: %(default)s)")
    add("--batch-size", type=flags.whole(1), default=64,
        help="images per step (default: %(default)s)")
    add("--update-rule", choices=sorted(UPDATE_RULES), default="nesterov",
        help="function of cs231n_fer.optim (default: %(default)s)")
    add("--learning-rate", type=flags.real(above=0), default=0.05,
        help="largest learning rate of the schedule (default: %(default)s)")
    add("--warmup-epochs", type=flags.real(least=0), default=2,
        help="epochs in which the learning rate rises to its maximum (default: %(default)s)")
    add("--reg", type=flags.real(least=0), default=5e-4,
        help="L2 regularization strength (default: %(default)s)")
    add("--smoothing", type=flags.real(least=0, most=1), default=0.1,
        help="label smoothing, without --teacher (default: %(default)s)")
    add("--teacher", type=flags.existing, nargs="+",
        help="checkpoints of teachers; their mean probabilities replace label smoothing (default: "
             "none)")
    add("--alpha", type=flags.real(least=0, most=1), default=0.3,
        help="weight of the labels in the loss with --teacher (default: %(default)s)")
    add("--temperature", type=flags.real(above=0), default=2.0,
        help="temperature of the teachers' probabilities (default: %(default)s)")
    add("--average-decay", type=flags.real(least=0, below=1), default=0.999,
        help="decay per step of the running average of the weights (default: %(default)s)")
    add("--rung", choices=("auto", *RUNGS), default="auto",
        help="implementation of the layers; auto is the fastest (default: %(default)s)")
    add("--init", type=flags.existing,
        help="checkpoint to start from; layers of equal name and shape take its weights (default: "
             "none)")
    resuming.add_options(parser)
    return parser


AUGMENTATION = Compose((HorizontalFlip(), RandomSimilarity(4, 12, 0.15, "edge"),
                        BrightnessContrast(0.3, 0.3), RandomErasing(0.5, 0.02, 0.2)))


def block(text: str) -> str:
    """Return the text of a block of --blocks, numbers of filters separated by commas."""
    for number in text.split(","):
        flags.whole(1)(number)
    return text


def load_teacher(path: Path, data: Mapping[str, Any]) -> Network:
    """Return the net of a checkpoint; raises ValueError if it was trained on other data."""
    model, info = load_model(path)
    same = info["std"] == data["std"] and np.array_equal(info["mean_image"], data["mean_image"])
    check(same, f"{path}: was trained on other data, expected mean image and deviation of "
                f"{Path(data['source']).name}")
    return model


def build(args: argparse.Namespace, data: Mapping[str, Any]) -> Solver:
    """Return the Solver of the run, after printing and saving its settings."""
    blocks = [[int(F) for F in block.split(",")] for block in args.blocks]
    options = {"blocks": blocks, "hidden_dim": args.hidden_dim,
               "dropout_keep_ratio": args.dropout_keep, "reg": args.reg, "seed": args.seed,
               "rung": args.rung}
    loss = partial(smoothed_softmax_loss, smoothing=args.smoothing)
    model = MODELS["DeepConvNet"](**options, loss=loss)
    config = describe(args, data, () if args.teacher else ("alpha", "temperature"))
    config["augmentation"] = repr(AUGMENTATION)
    config["teacher"] = args.teacher and [f"{path.parent.name}/{path.name}"
                                          for path in args.teacher]
    begin(args, config, model)
    if args.teacher:
        teachers = [load_teacher(path, data) for path in args.teacher]
        distil(model, teachers, args.alpha, args.temperature)
    recipe = Recipe(augmentation=AUGMENTATION, schedule=CosineWarmup(args.warmup_epochs),
                    average_decay=args.average_decay)
    info = {"model": {"kind": "DeepConvNet", "options": options}, "config": config,
            "script": "train_best", "class_names": list(data["class_names"]), "std": data["std"]}
    folder = RunFolder(args.out, args.resume, args.overwrite, info=info,
                       info_arrays={"mean_image": data["mean_image"]})
    solver = Solver(model, data, update_rule=args.update_rule,
                    optim_config={"learning_rate": args.learning_rate}, batch_size=args.batch_size,
                    num_epochs=args.epochs, seed=args.seed, recipe=recipe, folder=folder)
    resuming.begin_folder(args.out, config, args.overwrite)
    return solver


def train(args: argparse.Namespace, data: Mapping[str, Any]) -> None:
    """Train on data of load_data and write all results to args.out."""
    with resuming.before_the_run():
        solver = build(args, data)
    solver.train()
    metrics, scores = measure(solver, data)
    pixels = restore_pixels(data["X_val"], data["mean_image"], data["std"])
    predicted = PretrainedNet(solver.model, data).predict(pixels).argmax(axis=1)
    metrics["val_acc_with_mirror"] = float(np.mean(predicted == data["y_val"]))
    write_text(args.out / "metrics.json", json.dumps(metrics, indent=2) + "\n")
    draw_run(args.out, solver, data, scores)
    print(f"validation accuracy {metrics['val_acc']:.4f}, with mirror images "
          f"{metrics['val_acc_with_mirror']:.4f} (epoch {metrics['best_epoch']}), "
          f"{metrics['seconds']:.0f} s; results in {args.out}")


def main() -> None:
    """Parse the command line and train."""
    parser = make_parser()
    args = resuming.parsed(parser)
    if args.warmup_epochs >= args.epochs:
        parser.error(f"argument --warmup-epochs: got {args.warmup_epochs}, expected less than "
                     f"--epochs {args.epochs}")
    with resuming.before_the_run():
        data = load_data(args.data)
    train(args, data)


if __name__ == "__main__":
    try:
        main()
    except (OSError, ValueError, FloatingPointError, MemoryError) as error:
        sys.exit(f"train_best: {error}")
    except KeyboardInterrupt as stopped:
        out = make_parser().parse_args().out
        sys.exit(f"train_best: {resuming.how_to_continue(stopped, out)}")
