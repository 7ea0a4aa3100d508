"""Measure how far networks change on their way through other programs, and record it.

    pip install -e ".[onnx,sklearn,safetensors]" onnxruntime torch
    python experiments/checks/exchange.py

Exports every named network with random weights, and the packaged one, to ONNX; runs the files in
ONNX Runtime, and imports them again; imports nets that PyTorch exports; saves folders for hubs and
loads them; and runs scikit-learn's checks of estimators. Differences are relative to the largest
number. Writes experiments/results/exchange.json and exits with 1 if a difference exceeds 1e-5 or a
check fails.
"""
import sys
from pathlib import Path

if __package__ is None:  # started as a file, not with -m
    sys.path[0] = str(Path(__file__).resolve().parents[2])

import tempfile
import warnings
from collections import Counter

import numpy as np
import onnxruntime
import sklearn
import torch
from sklearn.utils.estimator_checks import check_estimator
from torch import nn

from cs231n_fer import load_pretrained
from cs231n_fer.classifiers import MODELS
from cs231n_fer.exchange.estimator import ConvNetClassifier
from cs231n_fer.exchange.hub import load_folder, save_folder
from cs231n_fer.exchange.onnx_export import export_onnx
from cs231n_fer.exchange.onnx_import import import_onnx
from experiments import flags
from experiments.bench.report import RESULTS, json_text

LIMIT = 1e-5


def difference(got, expected):
    """Return the largest difference of two arrays, relative to the largest number."""
    return float(np.abs(got - expected).max() / np.abs(expected).max())


def run(path, X):
    """Return what ONNX Runtime computes."""
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    return session.run(None, {session.get_inputs()[0].name: X})[0]


def changed(net, rng):
    """Give a net weights and running averages that are not the initial ones."""
    for array in net.params.values():
        array += (0.1 * rng.standard_normal(array.shape)).astype(array.dtype)
    for array in net.buffers.values():
        array[...] = rng.uniform(0.5, 2, array.shape)
    return net


def own_nets(folder):
    """Return {name: difference} for exported, imported and saved networks of this package."""
    rng = np.random.default_rng(0)
    found = {}
    for name, make in MODELS.items():
        net = changed(make([100, 50], seed=0) if name == "FullyConnectedNet" else make(seed=0), rng)
        X = rng.standard_normal((16, *net.input_shape)).astype(np.float32)
        path = folder / f"{name}.onnx"
        export_onnx(net, path)
        save_folder(net, folder / name)
        scores = net.predict(X)
        found[f"{name}, ONNX Runtime"] = difference(run(path, X), scores)
        found[f"{name}, imported again"] = difference(import_onnx(path).predict(X), scores)
        found[f"{name}, folder"] = difference(load_folder(folder / name).predict(X), scores)
    net = load_pretrained()
    images = rng.integers(0, 256, (16, 48, 48), dtype=np.uint8)
    export_onnx(net, folder / "faces.onnx")
    save_folder(net, folder / "faces")
    expected = net.predict(images)
    found["pretrained, ONNX Runtime"] = difference(run(folder / "faces.onnx", images), expected)
    found["pretrained, folder"] = difference(load_folder(folder / "faces").predict(images),
                                             expected)
    return found


class Block(nn.Module):
    """A residual block (He et al. 2016)."""

    def __init__(self, channels, filters, stride):
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(channels, filters, 3, stride, 1, bias=False), nn.BatchNorm2d(filters),
            nn.ReLU(), nn.Conv2d(filters, filters, 3, 1, 1, bias=False), nn.BatchNorm2d(filters))
        self.shortcut = nn.Identity() if (channels, stride) == (filters, 1) else nn.Sequential(
            nn.Conv2d(channels, filters, 1, stride, bias=False), nn.BatchNorm2d(filters))

    def forward(self, x):
        return torch.relu(self.body(x) + self.shortcut(x))


def pytorch_nets():
    """Return nets in the manner of ResNet, VGG and MobileNet."""
    return {
        "ResNet": nn.Sequential(
            nn.Conv2d(3, 16, 7, 2, 3, bias=False), nn.BatchNorm2d(16), nn.ReLU(),
            nn.MaxPool2d(3, 2, 1), Block(16, 16, 1), Block(16, 32, 2), nn.AdaptiveAvgPool2d(1),
            nn.Flatten(), nn.Linear(32, 10)),
        "VGG": nn.Sequential(
            nn.Conv2d(3, 16, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
            nn.Conv2d(16, 32, 3, padding=1), nn.GroupNorm(4, 32), nn.LeakyReLU(0.1),
            nn.MaxPool2d(2), nn.Flatten(), nn.Dropout(), nn.Linear(2048, 64), nn.ReLU(),
            nn.Linear(64, 10)),
        "MobileNet": nn.Sequential(
            nn.Conv2d(3, 16, 3, 2, 1), nn.ReLU(), nn.Conv2d(16, 16, 3, 1, 1, groups=16),
            nn.BatchNorm2d(16), nn.ReLU(), nn.Conv2d(16, 24, 1), nn.AvgPool2d(2),
            nn.Conv2d(24, 24, 3, 1, 1, groups=4), nn.AdaptiveAvgPool2d(1), nn.Flatten(),
            nn.Linear(24, 5)),
    }


def imported_nets(folder):
    """Return {name: difference} for nets that PyTorch exports."""
    torch.manual_seed(0)
    found = {}
    X = torch.randn(4, 3, 32, 32)
    for name, net in pytorch_nets().items():
        net.train()
        for _ in range(5):
            net(torch.randn(16, 3, 32, 32))
        net.eval()
        path = folder / f"{name}.onnx"
        torch.onnx.export(net, (X,), str(path), dynamo=False, opset_version=17,
                          input_names=["x"], dynamic_axes={"x": {0: "N"}})
        expected = net(X).detach().numpy()
        found[f"{name} of PyTorch"] = difference(import_onnx(path).predict(X.numpy()), expected)
    return found


def main(argv=None):
    """Run all measurements, print them and write the results."""
    parser = flags.Parser(__doc__)
    parser.add_argument("--out", type=flags.target, default=RESULTS / "exchange.json",
                        help="file to write (default: %(default)s)")
    args = parser.parse_args(argv)
    warnings.simplefilter("ignore")  # of deprecations in the libraries
    with tempfile.TemporaryDirectory() as name:
        found = {**own_nets(Path(name)), **imported_nets(Path(name))}
    for what, error in found.items():
        print(f"{what:34}{error:.1e}")
    checks = check_estimator(ConvNetClassifier(), on_fail=None, on_skip=None)
    counts = dict(Counter(check["status"] for check in checks))
    print(f"checks of scikit-learn: {counts}")
    worst = max(found.values())
    args.out.write_text(json_text({
        "promise": "Networks come through ONNX files and hub folders unchanged but for rounding, "
                   "and the estimator passes the checks of scikit-learn",
        "measured": f"differences of at most {worst:.0e} of the largest number in {len(found)} "
                    f"comparisons, the limit is 1e-5; {counts.get('passed', 0)} checks passed, "
                    f"{counts.get('skipped', 0)} skipped, {counts.get('failed', 0)} failed",
        "command": "python experiments/checks/exchange.py",
        "onnxruntime": onnxruntime.__version__, "sklearn": sklearn.__version__,
        "torch": torch.__version__, "differences": found, "estimator_checks": counts}),
        encoding="utf-8")
    return int(not worst <= LIMIT or "failed" in counts)


if __name__ == "__main__":
    sys.exit(main())
