"""CIFAR-10 in grayscale for pre-training, and images of waves that replace it in smoke tests."""
import tarfile
from pathlib import Path

import h5py
import numpy as np

from cs231n_fer.data_utils import normalise
from cs231n_fer.data_utils.prepared import statistics
from cs231n_fer.shapes import check

NAMES = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
WHERE = "https://www.cs.toronto.edu/~kriz/cifar-10-binary.tar.gz"
SIDE = 32
RECORD = 1 + 3 * SIDE * SIDE  # bytes: a label and three color planes
LUMA = (0.299, 0.587, 0.114)  # ITU-R 601, as in Pillow's conversion from color to grayscale


def load_cifar10(path):
    """Return CIFAR-10 in grayscale as a dict like that of load_data.

    X_train is (50000, 1, 32, 32) float32; X_val holds the test split.

    path   the downloaded cifar-10-binary.tar.gz, or HDF5 with pixels (N, 32, 32) uint8, label and
           usage (0 training, 1 test)
    Raises FileNotFoundError with the address of the download if there is no such file, ValueError
    if it is of another kind.
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
    """Return pixels, label and usage, as read_hdf5 does, of the archive of the binary version.

    Its records consist of a label and three color planes.
    """
    parts = {}
    try:
        with tarfile.open(path) as archive:
            for member in archive:
                if member.name.endswith(".bin"):
                    content = archive.extractfile(member).read()
                    parts[Path(member.name).name] = np.frombuffer(content, np.uint8)
    except (tarfile.TarError, EOFError) as error:
        raise ValueError(f"{path}: is neither HDF5 nor a tar archive ({error}); "
                         f"download {WHERE}") from error
    check(parts and all(len(part) % RECORD == 0 for part in parts.values()),
          f"{path}: holds no whole batches of CIFAR-10 (found {sorted(parts)}); download {WHERE}")
    names = sorted(parts)
    records = np.concatenate([parts[name] for name in names]).reshape(-1, RECORD)
    usage = np.repeat([name.startswith("test") for name in names],
                      [len(parts[name]) // RECORD for name in names])
    colors = records[:, 1:].reshape(-1, 3, SIDE, SIDE)
    gray = sum(weight * colors[:, c].astype(np.float32) for c, weight in enumerate(LUMA))
    return np.rint(gray).astype(np.uint8), records[:, 0], usage.astype(np.uint8)


def waves(seed=0, train=1000, test=300):
    """Return images of waves in ten directions, in the form of load_cifar10.

    They allow a smoke test of pre-training without a download.
    """
    rng = np.random.default_rng(seed)
    N = train + test
    label = rng.integers(0, 10, N)
    angle = label * np.pi / 10
    length = rng.uniform(4, 12, N)
    phase = rng.uniform(0, 2 * np.pi, N)
    y, x = np.mgrid[:SIDE, :SIDE]
    along = np.multiply.outer(np.cos(angle), x) + np.multiply.outer(np.sin(angle), y)
    wave = np.sin(2 * np.pi * along / length[:, None, None] + phase[:, None, None])
    pixels = np.clip(128 + 60 * wave + rng.normal(0, 20, wave.shape), 0, 255).astype(np.uint8)
    return as_data(pixels, label, np.arange(N) >= train, tuple(map(str, range(10))), "waves")


def as_data(pixels, label, usage, names, source):
    """Return the dict that runs.train takes."""
    training = usage == 0
    label = label.astype(np.int64)
    mean_image, std = statistics(pixels[training])
    return {"X_train": normalise(pixels[training], mean_image, std), "y_train": label[training],
            "X_val": normalise(pixels[~training], mean_image, std), "y_val": label[~training],
            "mean_image": mean_image, "std": std, "class_names": names, "source": source,
            "source_sha256": "", "synthetic": source == "waves"}
