"""Tests of CIFAR-10 in grayscale, read from its download, and of the waves that replace it."""
import io
import tarfile

import h5py
import numpy as np
import pytest
from PIL import Image

from cs231n_fer.data_utils import restore_pixels
from experiments.paper.cifar import NAMES, load_cifar10, waves


def pictures():
    """Return colors (7, 3, 32, 32) and labels (7,): five images for training, two for testing."""
    rng = np.random.default_rng(0)
    return rng.integers(0, 256, (7, 3, 32, 32), np.uint8), rng.integers(0, 10, 7, np.uint8)


def grey(colours):
    """Return the images in grayscale as converted by Pillow."""
    return np.stack([np.asarray(Image.fromarray(picture.transpose(1, 2, 0)).convert("L"))
                     for picture in colours])


def archive(path, parts):
    with tarfile.open(path, "w:gz") as file:
        for name, content in parts.items():
            member = tarfile.TarInfo(f"cifar-10-batches-bin/{name}")
            member.size = len(content)
            file.addfile(member, io.BytesIO(content))
    return path


def check(data):
    """Assert that the data are those of pictures()."""
    colours, label = pictures()
    found = np.concatenate([restore_pixels(data[f"X_{split}"], data["mean_image"], data["std"])
                            for split in ("train", "val")])
    assert data["X_train"].shape == (5, 1, 32, 32) and data["X_train"].dtype == np.float32
    assert np.abs(found.astype(int) - grey(colours)).max() <= 1  # Pillow sums with fewer bits
    assert [*data["y_train"], *data["y_val"]] == label.tolist() and data["class_names"] == NAMES
    np.testing.assert_allclose(data["X_train"].mean(axis=0), 0, atol=1e-6)


def test_the_binary_version_is_read_and_turned_to_grey(tmp_path):
    colours, label = pictures()
    rows = [bytes([one]) + picture.tobytes() for one, picture in zip(label, colours, strict=True)]
    check(load_cifar10(archive(tmp_path / "c.tar.gz", {
        "batches.meta.txt": b"x", "test_batch.bin": b"".join(rows[5:]), "data_batch_2.bin": rows[4],
        "data_batch_1.bin": b"".join(rows[:4])})))


def test_a_file_of_grey_pictures_is_read(tmp_path):
    colours, label = pictures()
    with h5py.File(tmp_path / "c.h5", "w") as file:
        file["pixels"] = grey(colours)
        file["label"] = label
        file["usage"] = np.array([0] * 5 + [1] * 2, np.uint8)
    check(load_cifar10(tmp_path / "c.h5"))


def test_other_files_are_refused_with_the_address_of_the_download(tmp_path):
    with pytest.raises(FileNotFoundError, match="--cifar: there is no .*; download https"):
        load_cifar10(tmp_path / "c.tar.gz")
    (tmp_path / "text").write_text("no archive")
    with pytest.raises(ValueError, match="is neither HDF5 nor a tar archive"):
        load_cifar10(tmp_path / "text")
    with pytest.raises(ValueError, match="holds no whole batches of CIFAR-10"):
        load_cifar10(archive(tmp_path / "c.tar.gz", {"data_batch_1.bin": b"short"}))
    with h5py.File(tmp_path / "c.h5", "w") as file:
        file["pixels"] = np.zeros(1)
    with pytest.raises(ValueError, match="expected pixels, label and usage"):
        load_cifar10(tmp_path / "c.h5")


def test_waves_have_ten_directions_and_depend_on_the_seed_alone():
    data = waves(3, train=200, test=50)
    assert data["X_train"].shape == (200, 1, 32, 32) and data["X_val"].shape == (50, 1, 32, 32)
    assert set(data["y_train"]) == set(range(10)) and data["synthetic"]
    np.testing.assert_array_equal(waves(3, 200, 50)["X_val"], data["X_val"])
    for direction, (dy, dx) in {0: (1, 0), 5: (0, 1)}.items():  # waves along x are constant along y
        flat = data["X_train"][data["y_train"] == direction]
        along = np.abs(np.diff(flat, axis=2 + (dx > 0))).mean()
        across = np.abs(np.diff(flat, axis=3 - (dx > 0))).mean()
        assert along < 0.8 * across, (direction, dy)
