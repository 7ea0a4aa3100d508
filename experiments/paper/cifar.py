"""CIFAR-10 in grey, to pre-train on; and pictures of waves that stand in for it where nothing is
downloaded."""
import tarfile
from pathlib import Path

import h5py
import numpy as np

from cs231n_fer.data_utils import normalise
from cs231n_fer.data_utils.prepared import statistics
from cs231n_fer.shapes import check

NAMES = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
WHERE = "https://www.cs.toronto.edu/~kriz/cifar-10-binary.tar.gz"
SIDE, RECORD = 32, 1 + 3 * 32 * 32
LUMA = (0.299, 0.587, 0.114)  # ITU-R 601, as Pillow turns colours to grey


def load_cifar10(path):
    """Return CIFAR-10 in grey as load_data returns faces: X_train (50000, 1, 32, 32) float32,
    y_train, X_val, y_val...

    path   the downloaded cifar-10-binary.tar.gz, or HDF5 with pixels uint8 (N, 32, 32), label and
           usage (0 train, 1 test); its test split is what X_val holds
    Raises FileNotFoundError with the address of the download, ValueError for another file.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"--cifar: there is no {path}; download {WHERE}")
    pixels, label, usage = read_hdf5(path) if h5py.is_hdf5(path) else read_binary(path)
    return as_data(pixels, label, usage, NAMES, path.name)


def read_hdf5(path):
    """Return pixels (N, 32, 32) uint8, label (N,) and usage (N,) of an HDF5 file."""
    with h5py.File(path, "r") as file:
        check({"pixels", "label", "usage"} <= set(file),
              f"{path}: holds {sorted(file)}, expected pixels, label and usage")
        return file["pixels"][()], file["label"][()], file["usage"][()]


def read_binary(path):
    """Return the same of the archive of the binary version: records of one label and three planes
    of colour."""
    parts = {}
    try:
        with tarfile.open(path) as archive:
            for member in archive:
                if member.name.endswith(".bin"):
                    parts[Path(member.name).name] = np.frombuffer(
                        archive.extractfile(member).read(), np.uint8
                    )
    except (tarfile.TarError, EOFError) as error:
        raise ValueError(
            f"{path}: is neither HDF5 nor a tar archive ({error}); download {WHERE}"
        ) from error
    check(parts and all(len(part) % RECORD == 0 for part in parts.values()),
          f"{path}: holds no whole batches of CIFAR-10 (found {sorted(parts)}); download {WHERE}")
    names = sorted(parts)
    records = np.concatenate([parts[name] for name in names]).reshape(-1, RECORD)
    usage = np.repeat([name.startswith("test") for name in names],
                      [len(parts[name]) // RECORD for name in names])
    colours = records[:, 1:].reshape(-1, 3, SIDE, SIDE)
    grey = sum(share * colours[:, c].astype(np.float32) for c, share in enumerate(LUMA))
    return np.rint(grey).astype(np.uint8), records[:, 0], usage.astype(np.uint8)


def waves(seed=0, train=1000, test=300):
    """Return pictures of waves in ten directions, in the same form: a smoke test of pre-training
    without a download."""
    rng, N = np.random.default_rng(seed), train + test
    label = rng.integers(0, 10, N)
    angle, length, phase = label * np.pi / 10, rng.uniform(4, 12, N), rng.uniform(0, 2 * np.pi, N)
    y, x = np.mgrid[:SIDE, :SIDE]
    along = np.multiply.outer(np.cos(angle), x) + np.multiply.outer(np.sin(angle), y)
    wave = np.sin(2 * np.pi * along / length[:, None, None] + phase[:, None, None])
    pixels = np.clip(128 + 60 * wave + rng.normal(0, 20, wave.shape), 0, 255).astype(np.uint8)
    return as_data(pixels, label, np.arange(N) >= train, tuple(map(str, range(10))), "waves")


def as_data(pixels, label, usage, names, source):
    """Return the dict that runs.train takes."""
    training, label = usage == 0, label.astype(np.int64)
    mean_image, std = statistics(pixels[training])
    return {"X_train": normalise(pixels[training], mean_image, std), "y_train": label[training],
            "X_val": normalise(pixels[~training], mean_image, std), "y_val": label[~training],
            "mean_image": mean_image, "std": std, "class_names": names, "source": source,
            "source_sha256": "", "synthetic": source == "waves"}
