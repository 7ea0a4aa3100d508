"""Train the paper's final net on FER2013; the defaults are the paper's parameters (section 4.1).

    python experiments/train_final.py                      # FER2013 if it is found, else the built-in faces
    python experiments/train_final.py --data fer2013.csv --out runs/final --seed 1
    python experiments/train_final.py --resume             # go on with an interrupted run

Writes config.json, metrics.json, history.csv, best.h5, last.h5 and the paper's figures to --out.
"""
import argparse
import json
from pathlib import Path

import numpy as np

from cs231n_fer.augment import HorizontalFlip
from cs231n_fer.checkpoint import write_text
from cs231n_fer.classifiers import FinalConvNet
from cs231n_fer.data_utils import load_data, restore_pixels
from cs231n_fer.metrics import confusion_matrix, per_class_accuracy
from cs231n_fer.report import write_training_figures
from cs231n_fer.saliency import choose_examples, saliency_map
from cs231n_fer.solver import Solver


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    flag = argparse.BooleanOptionalAction
    parser.add_argument("--data", help="prepared .h5, Kaggle's CSV or archive, or an image folder")
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
    parser.add_argument("--resume", action="store_true", help="go on from OUT/last.h5")
    return parser.parse_args()


def build(args, data):
    """Return the Solver of the run and the settings that it prints and saves."""
    options = {"num_filters": args.filters, "hidden_dim": args.hidden_dim, "batchnorm": args.batchnorm,
               "dropout_keep_ratio": args.dropout_keep, "reg": args.reg, "seed": args.seed, "rung": args.rung}
    model = FinalConvNet(**options)
    config = {**vars(args), "out": str(args.out), "data": Path(data["source"]).name,
              "training_images": len(data["X_train"]), "validation_images": len(data["X_val"])}
    print(json.dumps(config, indent=2), model.summary(), sep="\n", flush=True)
    info = {"model": {"kind": "FinalConvNet", "options": options}, "config": config,
            "class_names": list(data["class_names"]), "std": data["std"]}
    solver = Solver(model, data, update_rule=args.update_rule, optim_config={"learning_rate": args.learning_rate},
                    lr_decay=args.lr_decay, batch_size=args.batch_size, num_epochs=args.epochs, seed=args.seed,
                    augmentation=HorizontalFlip() if args.flip else None, checkpoint_dir=args.out,
                    resume=args.resume, info=info, info_arrays={"mean_image": data["mean_image"]})
    write_text(args.out / "config.json", json.dumps(config, indent=2) + "\n")
    return solver, config


def measure(solver, data, config):
    """Return the numbers of metrics.json and the validation scores of the best epoch."""
    scores, y = solver.model.predict(data["X_val"]), data["y_val"]
    confusion = confusion_matrix(y, scores.argmax(axis=1), scores.shape[1])
    seconds = sum(row["seconds"] for row in solver.history)
    return {"val_acc": float(np.mean(scores.argmax(axis=1) == y)), "best_epoch": solver.best_epoch,
            "per_class": dict(zip(data["class_names"], per_class_accuracy(confusion).round(4).tolist(), strict=True)),
            "confusion": confusion.tolist(), "parameters": sum(w.size for w in solver.model.params.values()),
            "seconds": round(seconds, 1), "images_per_second": round(np.median(
                [row["images_per_second"] for row in solver.history]), 1), "data": config["data"],
            "epochs": solver.epoch, "seed": config["seed"]}, scores


def draw(solver, data, metrics, scores, folder):
    """Write the paper's figures."""
    y, names = data["y_val"], data["class_names"]
    chosen = np.concatenate(choose_examples(scores, y))
    guess = scores[chosen].argmax(axis=1)
    splits = {"Training": data["y_train"], "Validation": y}
    shown = slice(0, 2000)
    write_training_figures(
        folder, class_names=names, dataset="FER2013" if "synthetic" not in data["source"] else "built-in faces",
        counts_by_split={split: np.bincount(labels, minlength=len(names)) for split, labels in splits.items()},
        example_images=restore_pixels(data["X_train"][shown], data["mean_image"], data["std"]),
        example_labels=data["y_train"][shown], train_acc_history=solver.train_acc_history,
        val_acc_history=solver.val_acc_history, loss_history=solver.loss_history, first_epoch=0,
        iterations_per_epoch=len(solver.loss_history) / max(solver.epoch, 1), confusion=np.array(metrics["confusion"]),
        saliency_images=restore_pixels(data["X_val"][chosen], data["mean_image"], data["std"]),
        saliency_maps=saliency_map(solver.model, data["X_val"][chosen], guess), saliency_labels=y[chosen],
        saliency_predicted=guess)


def main():
    args = arguments()
    data = load_data(args.data)
    args.epochs = args.epochs or (5 if "synthetic" in data["source"] else 40)
    solver, config = build(args, data)
    solver.train()
    metrics, scores = measure(solver, data, config)
    write_text(args.out / "metrics.json", json.dumps(metrics, indent=2) + "\n")
    draw(solver, data, metrics, scores, args.out)
    print(f"validation accuracy {metrics['val_acc']:.4f} (epoch {metrics['best_epoch']}), "
          f"{metrics['seconds']:.0f} s, {metrics['images_per_second']:.0f} images/s; results in {args.out}")


if __name__ == "__main__":
    main()
