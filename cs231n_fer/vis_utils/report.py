"""What a finished training run has to show: its numbers, and the figures of the paper."""
from pathlib import Path

import numpy as np

from ..analysis.metrics import confusion_matrix, per_class_accuracy
from ..analysis.saliency import choose_examples, saliency_map
from ..data_utils import restore_pixels
from . import curves, figures


def measure(solver, data):
    """Return (numbers, scores) of the best epoch on validation.

    solver     a Solver after train(), so that its model holds the best parameters
    data       as load_data gives it
    numbers    dict that JSON can hold: val_acc, best_epoch, per_class (None for a class without faces), confusion
               (rows true, columns predicted), parameters, epochs, seconds (of training), images_per_second (median)
    scores     (N, C) scores of the validation faces
    """
    scores, names = solver.model.predict(data["X_val"]), data["class_names"]
    confusion = confusion_matrix(data["y_val"], scores.argmax(axis=1), len(names))
    shares = [None if np.isnan(share) else round(share, 4) for share in per_class_accuracy(confusion).tolist()]
    return {"val_acc": float(np.trace(confusion) / confusion.sum()), "best_epoch": solver.best_epoch,
            "per_class": dict(zip(names, shares, strict=True)), "confusion": confusion.tolist(),
            "parameters": sum(array.size for array in solver.model.params.values()), "epochs": solver.epoch,
            "seconds": round(sum(row["seconds"] for row in solver.history), 1),
            "images_per_second": round(float(np.median([row["images_per_second"] for row in solver.history] or [0])), 1)
            }, scores


def draw_run(folder, solver, data, scores):
    """Write the paper's figures of a run to a folder; arguments as measure takes and gives them."""
    def pixels(X):
        return restore_pixels(X, data["mean_image"], data["std"])

    y, names = data["y_val"], data["class_names"]
    guess = scores.argmax(axis=1)
    chosen, shown = np.concatenate(choose_examples(scores, y)), slice(0, 2000)
    counts = {name: np.bincount(labels, minlength=len(names))
              for name, labels in (("Training", data["y_train"]), ("Validation", y))}
    return write_training_figures(
        folder, class_names=names, dataset="built-in faces" if data["synthetic"] else "FER2013", counts_by_split=counts,
        example_images=pixels(data["X_train"][shown]), example_labels=data["y_train"][shown],
        train_acc_history=solver.train_acc_history, val_acc_history=solver.val_acc_history,
        loss_history=solver.loss_history, iterations_per_epoch=len(solver.loss_history) / solver.epoch,
        confusion=confusion_matrix(y, guess, len(names)), saliency_images=pixels(data["X_val"][chosen]),
        saliency_maps=saliency_map(solver.model, data["X_val"][chosen], guess[chosen]), saliency_labels=y[chosen],
        saliency_predicted=guess[chosen])


def write_training_figures(folder, *, class_names, counts_by_split, example_images, example_labels,
                           train_acc_history, val_acc_history, loss_history, confusion,
                           saliency_images, saliency_maps, saliency_labels, saliency_predicted,
                           iterations_per_epoch=None, first_epoch=0, dataset="FER2013"):
    """Write the seven figures that the paper shows, one PNG each; returns their Paths.

    folder                   made if missing; figures of the same name are replaced
    class_names              C names
    counts_by_split          dict split name -> (C,) labelled faces per class
    example_images           (N, H, W) uint8 faces with example_labels (N,); shows the first four per class
    train_acc_history        fractions 0..1 per epoch, as val_acc_history; the first entry is first_epoch
    loss_history             training loss of each step; iterations_per_epoch turns its axis into epochs
    confusion                (C, C) counts on the validation split, rows true, columns predicted
    saliency_images          (K, H, W) uint8 faces with saliency_maps (K, H, W) of the predicted class,
                             saliency_labels (K,) and saliency_predicted (K,)
    dataset                  name of the faces in the comparison with people
    examples.png and saliency.png show faces: of FER2013 they must not be published.
    """
    folder = Path(folder)
    axes = {
        "class_distribution": figures.plot_class_distribution(counts_by_split, class_names),
        "examples": figures.plot_examples(example_images, example_labels, class_names),
        "accuracy": curves.plot_accuracy(train_acc_history, val_acc_history, first_epoch=first_epoch),
        "loss": curves.plot_loss(loss_history, iterations_per_epoch=iterations_per_epoch),
        "confusion_matrix": figures.plot_confusion(confusion, class_names),
        "saliency": figures.plot_saliency(saliency_images, saliency_maps, saliency_predicted, class_names,
                                            labels=saliency_labels),
        "per_class_accuracy": figures.plot_human_comparison(confusion, class_names, dataset=dataset),
    }
    return [figures.save_figure(ax, folder / f"{name}.png") for name, ax in axes.items()]
