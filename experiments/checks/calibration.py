"""Calibrate the packaged net on PublicTest, and measure how often it is right when it is unsure.

    python experiments/checks/calibration.py --data fer2013.h5
    python experiments/checks/calibration.py --data synthetic --net runs/net.h5   a quick trial

Finds the temperature for the mean over a face and its mirror image, and writes it into the file of
the net, from where PretrainedNet.predict reads it. Since one number is fitted to all faces of
PublicTest, the error is measured on halves that the temperature of the other half calibrates.
With few faces in a bin no error is 0: it is compared with that of labels drawn by chance.
Results on the packaged net are written to experiments/results/calibration.json.
"""
import sys
from pathlib import Path

if __package__ is None:  # started as a file, not with -m
    sys.path[0] = str(Path(__file__).resolve().parents[2])

import numpy as np

from cs231n_fer.analysis.calibration import (
    accuracy_above,
    expected_calibration_error,
    fit_temperature,
)
from cs231n_fer.classifiers.pretrained import WEIGHTS, load_pretrained, tempered
from cs231n_fer.data_utils import load_data, restore_pixels
from cs231n_fer.files.checkpoint import load_checkpoint, save_checkpoint, write_text
from cs231n_fer.photos.emotions import UNSURE
from experiments import flags
from experiments.bench.report import QUICK_RESULTS, RESULTS, json_text

PAGE = "calibration.json"
BINS = 15
DRAWS = 200
THRESHOLDS = (0.3, 0.35, 0.4, 0.45, 0.5, 0.55, 0.6, 0.65, 0.7)


def calibrated_by_the_other_half(probabilities, y):
    """Return the probabilities, each half tempered with the temperature of the other one."""
    found = np.empty_like(probabilities)
    halves = (np.s_[::2], np.s_[1::2])
    for half, other in zip(halves, halves[::-1], strict=True):
        found[half] = tempered(probabilities[half], fit_temperature(probabilities[other], y[other]))
    return found


def numbers(probabilities, y):
    """Return the calibration error and the log loss, as a dict for JSON."""
    of_labels = probabilities[np.arange(len(y)), y]
    return {"calibration_error": round(expected_calibration_error(probabilities, y, BINS), 4),
            "log_loss": round(float(-np.log(of_labels).mean()), 4)}


def error_by_chance(probabilities, rng):
    """Return the mean calibration error of labels that are drawn from the probabilities."""
    errors = []
    bounds = probabilities.cumsum(axis=1)
    for _ in range(DRAWS):
        y = (rng.random((len(bounds), 1)) * bounds[:, -1:] > bounds).sum(axis=1)
        errors.append(expected_calibration_error(probabilities, y, BINS))
    return round(float(np.mean(errors)), 4)


def measure(net, pixels, y):
    """Return (temperature, result for JSON) of a net on faces (N, 48, 48) with labels (N,)."""
    net.info["temperature"] = 1.0
    mirrored = net.predict(pixels).astype(np.float64)
    temperature = round(fit_temperature(mirrored, y), 3)
    after = tempered(mirrored, temperature)
    rows = []
    for threshold in THRESHOLDS:
        share, above, below = accuracy_above(after, y, threshold)
        rows.append({"threshold": threshold, "share_sure": round(share, 4),
                     "accuracy_sure": round(above, 4), "accuracy_unsure": round(below, 4)})
    return temperature, {
        "faces": len(y), "bins": BINS, "temperature": temperature,
        "one_view": numbers(net.predict(pixels, mirror=False).astype(np.float64), y),
        "mirrored": numbers(mirrored, y), "mirrored_calibrated": numbers(after, y),
        "mirrored_calibrated_by_the_other_half": numbers(
            calibrated_by_the_other_half(mirrored, y), y),
        "calibration_error_of_a_calibrated_net": error_by_chance(after, np.random.default_rng(0)),
        "unsure_below": UNSURE, "thresholds": rows}


def store(path, temperature):
    """Write a temperature into the file of a net."""
    arrays, info = load_checkpoint(path)
    save_checkpoint(path, arrays, {**info, "temperature": temperature})


def main(argv=None):
    parser = flags.Parser(__doc__)
    add = parser.add_argument
    add("--data", help="data set with PublicTest (default: look in the usual places)")
    add("--net", type=flags.existing, default=WEIGHTS,
        help="file of the net (default: the packaged net)")
    args = parser.parse_args(argv)
    data = load_data(args.data)
    pixels = restore_pixels(data["X_val"], data["mean_image"], data["std"])
    temperature, result = measure(load_pretrained(args.net), pixels, data["y_val"])
    name = Path(data["source"]).name
    result = {"command": f"python experiments/checks/calibration.py --data {name}", **result}
    is_packaged = args.net == WEIGHTS and not data["synthetic"]
    write_text((RESULTS if is_packaged else QUICK_RESULTS) / PAGE, json_text(result))
    store(args.net, temperature)
    print(json_text(result))


if __name__ == "__main__":
    main()
