"""The figures of a training run, written to one folder."""

from pathlib import Path

from . import vis_utils


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
        "class_distribution": vis_utils.plot_class_distribution(counts_by_split, class_names),
        "examples": vis_utils.plot_examples(example_images, example_labels, class_names),
        "accuracy": vis_utils.plot_accuracy(train_acc_history, val_acc_history, first_epoch=first_epoch),
        "loss": vis_utils.plot_loss(loss_history, iterations_per_epoch=iterations_per_epoch),
        "confusion_matrix": vis_utils.plot_confusion(confusion, class_names),
        "saliency": vis_utils.plot_saliency(saliency_images, saliency_maps, saliency_predicted, class_names,
                                            labels=saliency_labels),
        "per_class_accuracy": vis_utils.plot_human_comparison(confusion, class_names, dataset=dataset),
    }
    return [vis_utils.save_figure(ax, folder / f"{name}.png") for name, ax in axes.items()]
