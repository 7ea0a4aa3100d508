"""`cs231n-fer train`: the paper's net, with the paper's parameters (section 4.1)."""
from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

from .parsing import Subparsers, command, real, target_folder, whole

__all__ = ["add"]

PAPER_EPOCHS = 40
SYNTHETIC_EPOCHS = 5


def add(commands: Subparsers, name: str) -> None:
    """Add the subparser."""
    parser = command(commands, name, run, "train the paper's net on FER2013 or on synthetic faces",
                     "cs231n-fer train --data fer2013.h5 --out runs/mine\n"
                     "  cs231n-fer train --data synthetic --epochs 5")
    add = parser.add_argument
    add("--data", help="prepared .h5 file, Kaggle's CSV file or archive, folder of images, or "
                       "'synthetic'; default: $CS231N_FER_DATA, then data/, then synthetic faces")
    add("--out", type=target_folder, default=Path("runs/final"),
        help="folder for the results (default: %(default)s)")
    add("--epochs", type=whole(1),
        help=f"default: {PAPER_EPOCHS} as in the paper, {SYNTHETIC_EPOCHS} on synthetic faces")
    add("--batch-size", type=whole(1), default=50, help="images per step (default: %(default)s)")
    add("--learning-rate", type=real(above=0), default=0.00127,
        help="learning rate of the first epoch (default: %(default)s)")
    add("--seed", type=whole(0), default=0,
        help="seed of initialization, order and augmentation (default: %(default)s)")
    add("--filters", type=whole(1), nargs="+", default=[32, 64, 96, 128],
        help="number of filters of each block (default: 32 64 96 128)")
    add("--hidden-dim", type=whole(1), default=200,
        help="units of the hidden affine layer (default: %(default)s)")
    earlier = parser.add_mutually_exclusive_group()
    earlier.add_argument("--resume", action="store_true",
                         help="continue the run in --out, with the same options")
    earlier.add_argument("--overwrite", action="store_true", help="replace the run in --out")


def run(options: argparse.Namespace) -> int:
    """Train, and write checkpoints, metrics and figures to --out."""
    from ..data_utils import load_data
    from ..files.checkpoint import write_text
    from ..vis_utils.report import draw_run, measure
    data = load_data(options.data)
    options.epochs = options.epochs or (SYNTHETIC_EPOCHS if data["synthetic"] else PAPER_EPOCHS)
    solver = solver_of(options, data)
    print(solver.model.summary(), flush=True)
    solver.train()
    metrics, scores = measure(solver, data)
    write_text(options.out / "metrics.json", json.dumps(metrics, indent=2) + "\n")
    draw_run(options.out, solver, data, scores)
    print(f"validation accuracy {metrics['val_acc']:.4f} (epoch {metrics['best_epoch']}), "
          f"{metrics['seconds']:.0f} s; results in {options.out}; to use the net: "
          f"cs231n-fer predict PHOTO --net {options.out / 'best.h5'}")
    return 0


def solver_of(options: argparse.Namespace, data: dict[str, Any]) -> Any:
    """Return the Solver of a run."""
    from ..classifiers import FinalConvNet
    from ..data_utils.augment import HorizontalFlip
    from ..solver import Recipe, RunFolder, Solver
    net = {"num_filters": options.filters, "hidden_dim": options.hidden_dim, "batchnorm": True,
           "reg": 0.00172, "seed": options.seed}
    info = {"model": {"kind": "FinalConvNet", "options": net}, "script": "cs231n-fer train",
            "class_names": list(data["class_names"]), "std": data["std"]}
    run_folder = RunFolder(options.out, options.resume, options.overwrite, info=info,
                           info_arrays={"mean_image": data["mean_image"]})
    return Solver(FinalConvNet(**net), data, update_rule="adam",
                  optim_config={"learning_rate": options.learning_rate}, lr_decay=0.95,
                  batch_size=options.batch_size, num_epochs=options.epochs, seed=options.seed,
                  recipe=Recipe(augmentation=HorizontalFlip()), folder=run_folder)
