"""The report of a finished training: its numbers, and the figures that the paper shows of a net."""
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple, cast

import numpy as np
from numpy.typing import NDArray

from ..analysis.metrics import confusion_matrix, per_class_accuracy
from ..analysis.saliency import choose_examples, saliency_map
from ..classifiers.pretrained import PretrainedNet
from ..data_utils import restore_pixels
from ..nets.network import Network
from ..solver import Solver
from ..types import Array, Labels, Pixels
from . import curves, figures, style, tiles

__all__ = ["Examples", "Explained", "History", "TrainingRun", "draw_run", "measure",
           "training_run", "write_training_figures"]

SHOWN = 2000  # training faces among which the examples of each class are looked for


class Examples(NamedTuple):
    """Faces with their classes; the figure shows the first four of each class."""

    images: Pixels    # (N, H, W)
    labels: Labels    # (N,)


class History(NamedTuple):
    """How a training went."""

    train_acc: Sequence[float]    # (E,) fractions from 0 to 1, one per epoch
    val_acc: Sequence[float]      # (E,)
    loss: Sequence[float]         # training loss of each step
    steps_per_epoch: float | None = None    # None: the axis of the loss counts steps
    first_epoch: int = 0          # epoch of the first accuracy


class Explained(NamedTuple):
    """Faces with saliency maps of their predicted classes."""

    images: Pixels       # (K, H, W)
    maps: Array          # (K, H, W)
    labels: Labels       # (K,) true classes
    predicted: Labels    # (K,)


class TrainingRun(NamedTuple):
    """What the paper's figures show of one training."""

    class_names: Sequence[str]
    counts_by_split: Mapping[str, NDArray[Any]]    # {name of a split: (C,) faces per class}
    examples: Examples
    history: History
    confusion: NDArray[Any]    # (C, C) counts on validation, rows true, columns predicted
    explained: Explained
    dataset: str = "FER2013"   # name of the faces
    net: str = ""              # what the net is and how it began, such as "FinalConvNet, seed 0"
    photographs: bool = True   # False: people, who saw photographs, are left out of the figures


def measure(solver: Solver, data: Mapping[str, Any]) -> tuple[dict[str, Any], Array]:
    """Return (numbers, scores) of the best epoch on validation.

    solver     a Solver after train(), whose model holds the best parameters
    data       dict of load_data
    numbers    dict for a JSON file: val_acc, best_epoch, per_class {name: accuracy, None for a
               class without faces}, confusion (rows true, columns predicted), parameters, epochs,
               seconds of training, images_per_second (median over epochs)
    scores     (N, C) scores of the validation faces
    """
    names = data["class_names"]
    network = cast(Network, solver.model)  # a model of the course has no predict
    scores = network.predict(data["X_val"])
    confusion = confusion_matrix(data["y_val"], scores.argmax(axis=1), len(names))
    accuracies = [None if np.isnan(accuracy) else round(accuracy, 4)
                  for accuracy in per_class_accuracy(confusion).tolist()]
    seconds = sum(row["seconds"] for row in solver.history)
    speeds = [row["images_per_second"] for row in solver.history] or [0]
    numbers = {
        "val_acc": float(np.trace(confusion) / confusion.sum()),
        "best_epoch": solver.best_epoch,
        "per_class": dict(zip(names, accuracies, strict=True)),
        "confusion": confusion.tolist(),
        "parameters": sum(array.size for array in network.params.values()),
        "epochs": solver.epoch,
        "seconds": round(seconds, 1),
        "images_per_second": round(float(np.median(speeds)), 1),
    }
    return numbers, scores


def draw_run(folder: str | Path, solver: Solver, data: Mapping[str, Any], scores: Array
             ) -> list[Path]:
    """Write the paper's figures of a training to a folder; arguments and scores as of measure."""
    return write_training_figures(folder, training_run(solver, data, scores))


def training_run(solver: Solver, data: Mapping[str, Any], scores: Array) -> TrainingRun:
    """Return what the figures show of a training; arguments and scores as of measure."""
    def pixels(X: Array) -> Pixels:
        images: Pixels = restore_pixels(X, data["mean_image"], data["std"])
        return images

    names = data["class_names"]
    network = cast(Network, solver.model)
    y = data["y_val"]
    # A face has the prediction that predict gives for it everywhere, not that of a single view.
    probabilities = PretrainedNet(network, dict(data)).predict(pixels(data["X_val"]))
    predicted = probabilities.argmax(axis=1)
    chosen = np.concatenate(choose_examples(probabilities, y))
    X = data["X_val"][chosen]
    size = sum(array.size for array in network.params.values())
    return TrainingRun(
        class_names=names,
        counts_by_split={"Training": np.bincount(data["y_train"], minlength=len(names)),
                         "Validation": np.bincount(y, minlength=len(names))},
        examples=Examples(pixels(data["X_train"][:SHOWN]), data["y_train"][:SHOWN]),
        history=History(solver.train_acc_history, solver.val_acc_history, solver.loss_history,
                        steps_per_epoch=len(solver.loss_history) / solver.epoch),
        confusion=confusion_matrix(y, scores.argmax(axis=1), len(names)),
        explained=Explained(pixels(X), saliency_map(network, X, predicted[chosen]),
                            labels=y[chosen], predicted=predicted[chosen]),
        dataset="synthetic faces" if data["synthetic"] else "FER2013",
        net=f"{type(network).__name__}, {size:,} parameters, seed {solver.seed}",
        photographs=not data["synthetic"],
    )


def write_training_figures(folder: str | Path, run: TrainingRun) -> list[Path]:
    """Write the seven figures that the paper shows of a training, and return their Paths.

    folder    created if missing; figures of the same names are replaced
    examples.png and saliency.png show faces: those of FER2013 must not be published.
    """
    names = run.class_names
    history = run.history
    explained = run.explained
    axes = {
        "class_distribution": figures.plot_class_distribution(run.counts_by_split, names),
        "examples": tiles.plot_examples(run.examples.images, run.examples.labels, names),
        "accuracy": curves.plot_accuracy(history.train_acc, history.val_acc,
                                         first_epoch=history.first_epoch),
        "loss": curves.plot_loss(history.loss, iterations_per_epoch=history.steps_per_epoch),
        "confusion_matrix": figures.plot_confusion(run.confusion, names),
        "saliency": tiles.plot_saliency(explained.images, explained.maps, explained.predicted,
                                        names, labels=explained.labels),
        "per_class_accuracy": figures.plot_human_comparison(run.confusion, names,
                                                            dataset=run.dataset,
                                                            people=run.photographs),
    }
    folder = Path(folder)
    for ax in axes.values():
        style.add_note(ax, ", ".join(filter(None, (run.dataset, run.net))))
    return [style.save_figure(ax, folder / f"{name}.png", close=True) for name, ax in axes.items()]
