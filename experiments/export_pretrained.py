"""Convert a checkpoint of train_best.py to the packaged net, and write its model card.

    python experiments/export_pretrained.py runs/best/best.h5
    python experiments/export_pretrained.py runs/best/best.h5 --data fer2013.h5

Writes pretrained.h5 (weights as float16) and pretrained.md (the card; its accuracies are those of
the exported file) to cs231n_fer/classifiers, and copies the log of the training to
experiments/results/best.
"""
import sys
from pathlib import Path

if __package__ is None:  # started as a file, not with -m
    sys.path[0] = str(Path(__file__).resolve().parents[1])

import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from cs231n_fer.analysis.metrics import confusion_matrix, wilson_interval
from cs231n_fer.classifiers.pretrained import WEIGHTS, PretrainedNet, export, load_pretrained
from cs231n_fer.data_utils import load_data, restore_pixels
from cs231n_fer.data_utils.summary import occur_in
from cs231n_fer.files.checkpoint import write_text
from experiments import flags, train_best, train_final
from experiments.bench.report import RESULTS
from experiments.checks import calibration, readme_results

LOG = RESULTS / "best"
PARSERS = {"train_best": train_best.make_parser, "train_final": train_final.make_parser}

CARD = """# Model card: the net that comes with cs231n_fer

`cs231n_fer.load_pretrained().predict(images)` takes faces of any size, gray or in color, and
returns the probabilities of {classes}.
`cs231n_fer.photos.read_emotions(photo)` and `cs231n-fer predict photo.jpg` find the faces first.
Written by `python experiments/export_pretrained.py`; every number comes from the checkpoint or was
measured on the exported file.

## Intended use
Research and teaching: as a baseline, as a feature extractor, or to study what a net learns. Faces
must fill the picture, as in FER2013.

## Not for
Decisions about people. The labels say what annotators saw in a picture, not what a person felt, and
people who label such pictures again agree with 63.4 % of the labels (the paper, section 5.2). The
training pictures come from web searches: groups of people, ages, poses and lighting are not
balanced, and the accuracy by group is unknown. Nothing was measured on pictures of another kind
(other cameras, profiles). {rarest} is rare in the training set ({count} pictures), so
that its accuracy is uncertain.

## Training
| | |
| --- | --- |
| data | {data}, sha256 `{sha}`; {training:,} pictures of Training, not part of the file |
| net | {kind}, {options} |
| size | {parameters:,} parameters, {flops:.1f} MFLOP forward (2 x multiplications) |
| seed | {seed} |
| command | `{command}` |
| epochs | {epochs}; the best one on PublicTest, {best_epoch}, was kept |
| file | {size:,} bytes; weights are stored as float16 and used as float32 |

The log is in [experiments/results/best](../../experiments/results/best).

## Accuracy on PublicTest, {validation:,} pictures, on which the epoch was also chosen
| | accuracy | 95 % interval |
| --- | --- | --- |
{rows}

| emotion | pictures | accuracy, with mirror images | 95 % interval |
| --- | --- | --- | --- |
{per_class}

## Probabilities
The mean over a face and its mirror image is calibrated with the temperature {temperature}, which
was fitted on these pictures (`python experiments/checks/calibration.py`). The order of the emotions
stays the same.

| | expected calibration error, {bins} bins | log loss |
| --- | --- | --- |
| before | {before} | {loss_before} |
| calibrated | {after} | {loss_after} |
| calibrated on the other half of the pictures | {halves} | {loss_halves} |
| labels drawn from the calibrated probabilities | {chance} | |

{sure:.0f} % of the pictures get a probability of at least {unsure}; {right:.0f} % of these
predictions are right, and {wrong:.0f} % of the others, which `read_emotions` calls unsure.

## Photos
{photos}

PrivateTest was not used. By default predict averages over a picture and its mirror image;
`predict(images, mirror=False)` takes half the time and is not calibrated.
"""


PHOTOS = """Pictures of PublicTest were enlarged to 48 to 200 pixels and pasted into
backgrounds, every second one turned by up to 20 degrees
(`{command}`).
Of {faces:,} faces the detector found {found:,}. On {held:,} of these, the net gets {original:.1f} %
of the original pictures right, and {read:.1f} % ({low:.1f} to {high:.1f} %) of what `read_emotions`
cuts out. Faces that are smaller, turned further, covered or in profile were not measured."""


def share(right: int, total: int) -> str:
    """Return two cells of a table: an accuracy and its 95 % interval, in percent."""
    if not total:
        return "- | -"
    low, high = wilson_interval(right, total)
    return f"{100 * right / total:.1f} % | {100 * float(low):.1f} to {100 * float(high):.1f}"


def card(net: PretrainedNet, data: Mapping[str, Any], size: int, result: Mapping[str, Any]) -> str:
    """Return the text of the model card of a net, measured on the validation faces of data.

    size      of the exported file, in bytes
    result    of calibration.measure
    """
    info = net.info
    config = info["config"]
    options = info["model"]["options"]
    y = data["y_val"]
    names = net.class_names
    pixels = restore_pixels(data["X_val"], data["mean_image"], data["std"])
    unseen = ~occur_in(data["X_val"], data["X_train"])
    plain = net.predict(pixels, mirror=False).argmax(axis=1)
    mirrored = net.predict(pixels, mirror=True).argmax(axis=1)
    right = mirrored == y
    confusion = confusion_matrix(y, mirrored, len(names))
    rows = [f"| one look at each picture | {share((plain == y).sum(), len(y))} |",
            f"| with mirror images | {share(right.sum(), len(y))} |",
            f"| the same, without the {(~unseen).sum()} pictures that are in Training as well | "
            f"{share(right[unseen].sum(), unseen.sum())} |"]
    per_class = [f"| {name} | {row.sum()} | {share(row[i], row.sum())} |"
                 for i, (name, row) in enumerate(zip(names, confusion, strict=True))]
    script = info.get("script", "train_best")
    counts = np.bincount(data["y_train"], minlength=len(names))
    return CARD.format(
        classes=", ".join(names), rarest=names[counts.argmin()], count=counts.min(),
        data=config["data"], sha=config["data_sha256"], training=config["training_images"],
        kind=info["model"]["kind"],
        parameters=sum(array.size for array in net.model.params.values()),
        flops=net.model.layer.flops(net.model.input_shape) / 1e6,
        options=", ".join(f"{key} {value}" for key, value in options.items()), seed=config["seed"],
        command=readme_results.command(config, script, PARSERS[script]()),
        epochs=config["epochs"], best_epoch=info["best_epoch"], size=size, validation=len(y),
        rows="\n".join(rows), per_class="\n".join(per_class), **probabilities_of(result),
        photos=photos_of(RESULTS / "photos.json"))


def probabilities_of(result: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields of the card on probabilities, of a result of calibration.measure."""
    (row,) = [row for row in result["thresholds"] if row["threshold"] == result["unsure_below"]]
    fields = {"temperature": result["temperature"], "bins": result["bins"],
              "chance": result["calibration_error_of_a_calibrated_net"],
              "unsure": result["unsure_below"], "sure": 100 * row["share_sure"],
              "right": 100 * row["accuracy_sure"], "wrong": 100 * row["accuracy_unsure"]}
    for name, key in (("before", "mirrored"), ("after", "mirrored_calibrated"),
                      ("halves", "mirrored_calibrated_by_the_other_half")):
        fields[name] = result[key]["calibration_error"]
        fields[f"loss_{name}"] = result[key]["log_loss"]
    return fields


def photos_of(path: Path) -> str:
    """Return the card's text on photos, of a result of crops.py."""
    result = json.loads(path.read_text(encoding="utf-8"))
    faces = result["faces"]
    held_out = faces["held_out_all"]
    low, high = held_out["read_emotions"]["interval"]
    return PHOTOS.format(command=result["command"], faces=faces["faces"], found=faces["found"],
                         held=held_out["faces"], original=100 * held_out["original"]["accuracy"],
                         read=100 * held_out["read_emotions"]["accuracy"], low=100 * low,
                         high=100 * high)


def main(argv: Sequence[str] | None = None) -> None:
    """Export a checkpoint, measure the exported net and write its card and log."""
    parser = flags.Parser(__doc__)
    add = parser.add_argument
    add("checkpoint", type=flags.existing, help="best.h5 of train_best.py or train_final.py")
    add("--data", help="data set that it was trained on (default: look in the usual places)")
    add("--out", type=flags.target, default=WEIGHTS,
        help="file to write; the card is written beside it as .md (default: the packaged net)")
    add("--log", type=flags.target_folder, default=LOG,
        help="folder for the log of the training (default: experiments/results/best)")
    args = parser.parse_args(argv)
    data = load_data(args.data)
    export(args.checkpoint, args.out)
    pixels = restore_pixels(data["X_val"], data["mean_image"], data["std"])
    temperature, result = calibration.measure(load_pretrained(args.out), pixels, data["y_val"])
    calibration.store(args.out, temperature)
    size = args.out.stat().st_size
    write_text(args.out.with_suffix(".md"), card(load_pretrained(args.out), data, size, result))
    readme_results.keep(args.checkpoint.parent, args.log)
    print(f"{args.out}: {size:,} bytes; model card {args.out.with_suffix('.md')}; log {args.log}")


if __name__ == "__main__":
    try:
        main()
    except (OSError, ValueError) as error:
        sys.exit(f"export_pretrained: {error}")
