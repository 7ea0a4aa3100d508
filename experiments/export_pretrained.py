"""Turn a checkpoint of train_best.py into the net that comes with the package, and write its model card.

    python experiments/export_pretrained.py runs/best/best.h5
    python experiments/export_pretrained.py runs/best/best.h5 --data fer2013.h5

Writes pretrained.h5 (weights as float16) and pretrained.md (the card; its accuracies are measured here, on
the exported file) to cs231n_fer/classifiers, and copies the log of the training to experiments/results/best.
"""
import sys
from pathlib import Path

if __package__ is None:  # started as a file, not with -m
    sys.path[0] = str(Path(__file__).resolve().parents[1])

import argparse

import numpy as np

from cs231n_fer.analysis.metrics import confusion_matrix, wilson_interval
from cs231n_fer.classifiers.pretrained import WEIGHTS, export, load_pretrained
from cs231n_fer.data_utils import load_data, restore_pixels
from cs231n_fer.data_utils.summary import occur_in
from cs231n_fer.files.checkpoint import write_text
from experiments import train_best, train_final
from experiments.checks import readme_results

ROOT = Path(__file__).resolve().parent.parent
LOG = ROOT / "experiments/results/best"
PARSERS = {"train_best": train_best.make_parser, "train_final": train_final.make_parser}

CARD = """# Model card: the net that comes with cs231n_fer

`cs231n_fer.load_pretrained().predict(images)` takes grey faces, uint8 (N, 48, 48), and returns the probabilities of
{classes}. Written by `python experiments/export_pretrained.py`; every number comes from
the checkpoint or was measured on the exported file.

## Intended use
Research and teaching: a baseline, a feature extractor, a net to look into. Faces must fill the picture, as in FER2013.

## Not for
Decisions about people. The labels say what annotators saw in a picture, not what a person felt, and people who label
such pictures again agree with 63.4 % of them (the paper, section 5.2). The training pictures come from web searches:
groups of people, ages, poses and lights are not balanced, and no accuracy by group is known. On pictures of another
kind (other cameras, other crops, profile) nothing was measured. {rarest} is rare in the training set ({count} pictures)
and its accuracy uncertain.

## Training
| | |
| --- | --- |
| data | {data}, sha256 `{sha}`; {training:,} pictures of Training; the pictures themselves are not part of it |
| net | {kind}, {parameters:,} parameters, {flops:.1f} MFLOP forward (2 x multiplications), {options} |
| seed | {seed} |
| command | `{command}` |
| epochs | {epochs}; the best one on PublicTest, {best_epoch}, was kept |
| file | {size:,} bytes, weights float16, computed in float32 |

The log is in [experiments/results/best](../../experiments/results/best).

## Accuracy on PublicTest, {validation:,} pictures, on which the epoch was chosen too
| | accuracy | 95 % interval |
| --- | --- | --- |
{rows}

| emotion | pictures | accuracy, with mirror images | 95 % interval |
| --- | --- | --- | --- |
{per_class}

PrivateTest was not looked at. A picture and its mirror image are both looked at by default; `predict(images,
mirror=False)` takes half the time.
"""


def share(right, total):
    """Two cells of a table: an accuracy and its interval, in percent."""
    low, high = wilson_interval(right, total)
    return f"{100 * right / total:.1f} % | {100 * float(low):.1f} to {100 * float(high):.1f}" if total else "- | -"


def card(net, data, size):
    """Return the text of the model card of a PretrainedNet, measured on the validation faces of data."""
    info, y, names = net.info, data["y_val"], net.class_names
    config, options = info["config"], info["model"]["options"]
    pixels = restore_pixels(data["X_val"], data["mean_image"], data["std"])
    unseen = ~occur_in(data["X_val"], data["X_train"])
    plain, mirrored = (net.predict(pixels, mirror=mirror).argmax(axis=1) for mirror in (False, True))
    counted = confusion_matrix(y, mirrored, len(names))
    rows = [f"| one look at each picture | {share((plain == y).sum(), len(y))} |",
            f"| with mirror images | {share((mirrored == y).sum(), len(y))} |",
            f"| the same, without the {(~unseen).sum()} pictures that are in Training as well | "
            f"{share((mirrored == y)[unseen].sum(), unseen.sum())} |"]
    per_class = [f"| {name} | {row.sum()} | {share(row[i], row.sum())} |"
                 for i, (name, row) in enumerate(zip(names, counted, strict=True))]
    script, counts = info.get("script", "train_best"), np.bincount(data["y_train"], minlength=len(names))
    return CARD.format(
        classes=", ".join(names), rarest=names[counts.argmin()], count=counts.min(), data=config["data"],
        sha=config["data_sha256"], training=config["training_images"], kind=info["model"]["kind"],
        parameters=sum(array.size for array in net.model.params.values()),
        flops=net.model.layer.flops(net.model.input_shape) / 1e6,
        options=", ".join(f"{key} {value}" for key, value in options.items()), seed=config["seed"],
        command=readme_results.command(config, script, PARSERS[script]()), epochs=config["epochs"],
        best_epoch=info["best_epoch"], size=size, validation=len(y), rows="\n".join(rows),
        per_class="\n".join(per_class))


def main(argv=None):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("checkpoint", type=Path, help="best.h5 of train_best.py or train_final.py")
    parser.add_argument("--data", help="the data it was trained on; by default found as in training")
    parser.add_argument("--out", type=Path, default=WEIGHTS, help="the card goes beside it, as .md")
    parser.add_argument("--log", type=Path, default=LOG, help="folder to which the log of the training is copied")
    args = parser.parse_args(argv)
    data = load_data(args.data)
    size = export(args.checkpoint, args.out)
    write_text(args.out.with_suffix(".md"), card(load_pretrained(args.out), data, size))
    readme_results.keep(args.checkpoint.parent, args.log)
    print(f"{args.out}: {size:,} bytes; model card {args.out.with_suffix('.md')}; log {args.log}")


if __name__ == "__main__":
    try:
        main()
    except (OSError, ValueError) as error:
        sys.exit(f"export_pretrained: {error}")
