"""Train the best net of at most 1 M parameters and 100 MFLOP on FER2013; the defaults are what it was trained with.

    python experiments/train_best.py   # FER2013 if it is found, else the built-in faces
    python experiments/train_best.py --resume   # go on with an interrupted run, to the same bits
    python experiments/train_best.py --teacher runs/best*/best.h5 --out runs/student   # learn from trained nets too

Recipe: random mirror, similarity, brightness and erasing in the loop; Nesterov momentum under a cosine with warm-up;
label smoothing, or teachers that see the same augmented batch; dropout before the scores; a running average of the
weights. Writes config.json, metrics.json, history.csv, best.h5, last.h5 and figures to --out.
"""
# ruff: noqa: E402
import sys
from pathlib import Path

if __package__ is None:  # started as a file, not with -m
    sys.path[0] = str(Path(__file__).resolve().parents[1])

import argparse
import json
import os
from functools import partial

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # see train_final.py
import numpy as np

from cs231n_fer.classifiers import MODELS, load_model
from cs231n_fer.data_utils import load_data
from cs231n_fer.data_utils.augment import (
    BrightnessContrast,
    Compose,
    HorizontalFlip,
    RandomErasing,
    RandomSimilarity,
)
from cs231n_fer.files.checkpoint import write_text
from cs231n_fer.layers import smoothed_softmax_loss
from cs231n_fer.optim.schedules import CosineWarmup
from cs231n_fer.shapes import check
from cs231n_fer.solver import Recipe, RunFolder, Solver
from cs231n_fer.solver.distillation import distil
from cs231n_fer.vis_utils.report import draw_run, measure
from experiments.train_final import begin, describe


def make_parser():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", help="prepared .h5, Kaggle's CSV or archive, an image folder, or 'synthetic'")
    parser.add_argument("--out", type=Path, default=Path("runs/best"), help="folder of the results")
    parser.add_argument("--epochs", type=int, default=150)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--blocks", nargs="+", default=["32", "64", "96,96", "128,128,192"],
                        help="filters of the convolutions before each pool, separated by commas")
    parser.add_argument("--hidden-dim", type=int, default=0, help="0: global average pooling")
    parser.add_argument("--dropout-keep", type=float, default=0.6, help="probability to keep a feature")
    parser.add_argument("--batch-size", type=int, default=64)
    parser.add_argument("--update-rule", default="nesterov")
    parser.add_argument("--learning-rate", type=float, default=0.05, help="at its highest")
    parser.add_argument("--warmup-epochs", type=float, default=2)
    parser.add_argument("--reg", type=float, default=5e-4, help="strength of the L2 regularisation")
    parser.add_argument("--smoothing", type=float, default=0.1, help="of the labels")
    parser.add_argument("--teacher", type=Path, nargs="+", help="checkpoints to learn from, in place of smoothing")
    parser.add_argument("--alpha", type=float, default=0.3, help="weight of the labels beside the teachers")
    parser.add_argument("--temperature", type=float, default=2.0, help="of the teachers")
    parser.add_argument("--average-decay", type=float, default=0.999, help="of the running average of the weights")
    parser.add_argument("--rung", default="auto", help="naive, im2col or auto")
    parser.add_argument("--init", type=Path, help="a checkpoint to start from: layers that agree in name and shape")
    parser.add_argument("--resume", action="store_true", help="go on from OUT/last.h5")
    return parser


AUGMENTATION = Compose((HorizontalFlip(), RandomSimilarity(4, 12, 0.15, "edge"), BrightnessContrast(0.3, 0.3),
                        RandomErasing(0.5, 0.02, 0.2)))


def load_teacher(path, data):
    """Return the net of a checkpoint, if its preprocessing is that of the data."""
    model, info = load_model(path)
    check(info["std"] == data["std"] and np.array_equal(info["mean_image"], data["mean_image"]),
          f"{path}: was trained on other data, expected mean image and deviation of {Path(data['source']).name}")
    return model


def build(args, data):
    """Return the Solver of the run, after printing and saving its settings."""
    options = {"blocks": [[int(F) for F in block.split(",")] for block in args.blocks], "hidden_dim": args.hidden_dim,
               "dropout_keep_ratio": args.dropout_keep, "reg": args.reg, "seed": args.seed, "rung": args.rung}
    model = MODELS["DeepConvNet"](**options, loss=partial(smoothed_softmax_loss, smoothing=args.smoothing))
    config = describe(args, data, () if args.teacher else ("alpha", "temperature"))
    config |= {"augmentation": repr(AUGMENTATION),
               "teacher": args.teacher and [f"{path.parent.name}/{path.name}" for path in args.teacher]}
    begin(args, config, model)
    if args.teacher:
        distil(model, [load_teacher(path, data) for path in args.teacher], args.alpha, args.temperature)
    recipe = Recipe(augmentation=AUGMENTATION, schedule=CosineWarmup(args.warmup_epochs),
                    average_decay=args.average_decay)
    info = {"model": {"kind": "DeepConvNet", "options": options}, "config": config,
            "script": "train_best", "class_names": list(data["class_names"]), "std": data["std"]}
    folder = RunFolder(args.out, resume=args.resume, info=info,
                       info_arrays={"mean_image": data["mean_image"]})
    solver = Solver(model, data, update_rule=args.update_rule,
                    optim_config={"learning_rate": args.learning_rate}, batch_size=args.batch_size,
                    num_epochs=args.epochs, seed=args.seed, recipe=recipe, folder=folder)
    write_text(args.out / "config.json", json.dumps(config, indent=2) + "\n")
    return solver


def train(args, data):
    """Train on data of load_data and write all results to args.out."""
    solver = build(args, data)
    solver.train()
    metrics, scores = measure(solver, data)
    mirrored = scores + solver.model.predict(data["X_val"][..., ::-1])
    metrics["val_acc_with_mirror"] = float(np.mean(mirrored.argmax(axis=1) == data["y_val"]))
    write_text(args.out / "metrics.json", json.dumps(metrics, indent=2) + "\n")
    draw_run(args.out, solver, data, scores)
    print(f"validation accuracy {metrics['val_acc']:.4f}, with mirror images {metrics['val_acc_with_mirror']:.4f} "
          f"(epoch {metrics['best_epoch']}), {metrics['seconds']:.0f} s; results in {args.out}")


def main():
    args = make_parser().parse_args()
    train(args, load_data(args.data))


if __name__ == "__main__":
    try:
        main()
    except (OSError, ValueError, FloatingPointError) as error:
        sys.exit(f"train_best: {error}")
    except KeyboardInterrupt as stopped:
        sys.exit(f"train_best: {stopped or 'interrupted'}; --resume")
