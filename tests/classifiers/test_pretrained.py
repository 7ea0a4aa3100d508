"""Tests of the packaged net: its file, preprocessing, probabilities and model card."""
import json
from types import SimpleNamespace

import h5py
import numpy as np
import pytest
from jobs import FACES, script
from PIL import Image

import cs231n_fer
from cs231n_fer.classifiers import DeepConvNet, load_model
from cs231n_fer.classifiers.pretrained import (
    WEIGHTS,
    PretrainedNet,
    export,
    load_pretrained,
    tempered,
)
from cs231n_fer.data_utils import normalise, restore_pixels
from cs231n_fer.faces.synthetic import make_faces
from cs231n_fer.files.checkpoint import load_checkpoint, save_checkpoint
from cs231n_fer.vis_utils.report import training_run

OPTIONS = {"blocks": [[3], [4, 5]], "seed": 0}


@pytest.fixture
def checkpoint(tmp_path):
    """Return the path of a checkpoint of a small random net, with preprocessing and training state.
    """
    rng = np.random.default_rng(0)
    model = DeepConvNet(**OPTIONS)
    model.params["scores/w"] = 3 * rng.standard_normal((5, 7)).astype(np.float32)
    model.buffers["block1/bn1/running_var"][0] = 1e5  # too large for float16
    arrays = {f"params/{name}": array for name, array in model.params.items()}
    arrays |= {f"buffers/{name}": array for name, array in model.buffers.items()}
    save_checkpoint(tmp_path / "best.h5", {
        **arrays, "mean_image": rng.uniform(90, 160, (48, 48)).astype(np.float32),
        "loss_history": np.ones(9), "optim/scores/w/m": np.ones((5, 7))}, {
        "model": {"kind": "DeepConvNet", "options": OPTIONS}, "class_names": list("ABCDEFG"),
        "std": 60.0, "best_epoch": 3, "history": [1, 2]})
    return tmp_path / "best.h5"


def images(n):
    return np.random.default_rng(1).integers(0, 256, (n, 48, 48), np.uint8)


def by_hand(model, info, faces):
    """Return the probabilities of faces, computed by the definition."""
    scores = model.loss(((faces.astype(np.float64)
                          - info["mean_image"]) / info["std"])[:, None]).astype(np.float64)
    return np.exp(scores) / np.exp(scores).sum(axis=1, keepdims=True)


def test_predict_gives_the_probabilities_of_a_face_and_of_its_mirror_image_in_the_mean(checkpoint):
    model, info = load_model(checkpoint)
    net = load_pretrained(checkpoint)
    faces = images(5)
    once = by_hand(model, info, faces)
    mirrored = by_hand(model, info, faces[..., ::-1])
    assert np.abs(once - mirrored).max() > 0.01
    found = net.predict(faces, mirror=False, batch_size=2)
    assert found.shape == (5, 7)
    assert found.dtype == np.float32
    assert net.class_names == tuple("ABCDEFG")
    np.testing.assert_allclose(found, once, atol=1e-5)
    np.testing.assert_allclose(net.predict(faces), (once + mirrored) / 2, atol=1e-5)
    np.testing.assert_allclose(net.predict(faces).sum(axis=1), 1, atol=1e-6)


def test_an_exported_net_predicts_the_same_but_for_the_rounding_of_its_weights_and_is_half_as_large(
    checkpoint, tmp_path
):
    size = export(checkpoint, tmp_path / "small.h5")
    arrays, info = load_checkpoint(tmp_path / "small.h5")
    assert size == (tmp_path / "small.h5").stat().st_size < checkpoint.stat().st_size
    assert {name for name, array in arrays.items() if array.dtype == np.float16} == {
        f"params/{name}" for name, array in DeepConvNet(**OPTIONS).params.items() if array.ndim > 1}
    assert not {"loss_history", "optim/scores/w/m"} & set(arrays) and "history" not in info
    found, wanted = (load_pretrained(path).predict(images(9))
                     for path in (tmp_path / "small.h5", checkpoint))
    assert 0 < np.abs(found - wanted).max() < 1e-2
    model = load_pretrained(tmp_path / "small.h5").model
    assert all(array.dtype == np.float32
               for array in [*model.params.values(), *model.buffers.values()])
    export(tmp_path / "small.h5", tmp_path / "again.h5")
    np.testing.assert_array_equal(load_pretrained(tmp_path / "again.h5").predict(images(9)), found)


def test_the_other_pictures_of_a_batch_change_a_probability_by_rounding_alone():
    net = load_pretrained()
    faces = make_faces(0, range(40)).pixels
    together = net.predict(faces)
    for size in (1, 2, 3, 17):
        apart = np.concatenate([net.predict(faces[start:start + size])
                                for start in range(0, len(faces), size)])
        np.testing.assert_allclose(apart, together, atol=5e-6)


def seen_by_saliency_maps(checkpoint, faces, folder, monkeypatch):
    """Return (classes, inputs of the net) of saliency_maps.py for picture files of the faces."""
    paths = [str(folder / f"{n}.png") for n in range(len(faces))]
    for face, path in zip(faces, paths, strict=True):
        Image.fromarray(face).save(path)
    module = script("saliency_maps")
    seen = []
    monkeypatch.setattr(module, "saliency_map", lambda model, X, y: seen.append((y, X)))
    monkeypatch.setattr(module, "plot_saliency", lambda *rest, **more: None)
    monkeypatch.setattr(module, "add_note", lambda figure, text: None)
    monkeypatch.setattr(module, "save_figure", lambda figure, path, close: path)
    monkeypatch.setattr("sys.argv", ["saliency_maps", str(checkpoint), *paths])
    module.main()
    return seen[0]


def solver_of(model):
    """Return what a report needs of a finished Solver."""
    return SimpleNamespace(model=model, seed=0, train_acc_history=[1.0], val_acc_history=[1.0],
                           loss_history=[1.0], epoch=1, best_epoch=1,
                           history=[{"seconds": 1.0, "images_per_second": 1.0}])


def test_every_door_gives_the_same_class_for_the_same_picture(tmp_path, monkeypatch):
    net = load_pretrained()
    faces = make_faces(0, range(60)).pixels
    twice = net.predict(faces).argmax(axis=1)
    assert (twice != net.predict(faces, mirror=False).argmax(axis=1)).any()
    predicted, X = seen_by_saliency_maps(WEIGHTS, faces, tmp_path, monkeypatch)
    np.testing.assert_array_equal(predicted, twice)
    np.testing.assert_array_equal(X, net.preprocess(faces))
    np.testing.assert_array_equal(X, normalise(faces, net.info["mean_image"], net.info["std"]))

    y = np.arange(60) % 7
    data = {**net.info, "X_train": X, "y_train": y, "X_val": X, "y_val": y, "synthetic": True,
            "source": "noise"}
    report = training_run(solver_of(net.model), data, net.model.predict(X))
    rows = [np.flatnonzero((faces == face).all(axis=(1, 2))).item()
            for face in report.explained.images]
    np.testing.assert_array_equal(report.explained.predicted, twice[rows])

    best = script("train_best")
    monkeypatch.setattr(best, "draw_run", lambda *rest: None)
    solver = solver_of(net.model)
    solver.train = lambda: None
    monkeypatch.setattr(best, "build", lambda args, data: solver)
    best.train(SimpleNamespace(out=tmp_path), data)
    metrics = json.loads((tmp_path / "metrics.json").read_text(encoding="utf-8"))
    assert metrics["val_acc_with_mirror"] == np.mean(twice == y)


FACES_OF_ANY_KIND = {
    "one": (images(3)[0], 1), "channel": (images(3)[:, None], 3), "list": (list(images(3)), 3),
    "nested lists": (images(3)[:1].tolist(), 1), "float32": (images(3).astype(np.float32), 3),
    "float64": (images(3).astype(np.float64), 3), "0 to 1": (images(3) / 255, 3),
    "int64": (images(3).astype(np.int64), 3), "uint16": (images(3).astype(np.uint16), 3),
    "16 bits": (images(3).astype(np.uint16) * 257, 3),
    "color": (images(3)[..., None].repeat(3, axis=-1), 3),
    "one in color": (images(3)[0, ..., None].repeat(3, axis=-1), 1),
    "read-only": (np.broadcast_to(images(3)[0], (2, 48, 48)), 2),
}


@pytest.mark.parametrize("kind", FACES_OF_ANY_KIND)
def test_faces_of_any_type_scale_and_shape_get_the_same_probabilities(checkpoint, kind):
    faces, count = FACES_OF_ANY_KIND[kind]
    net = load_pretrained(checkpoint)
    expected = net.predict(images(3))
    expected = expected[[0, 0]] if kind == "read-only" else expected[:count]
    np.testing.assert_array_equal(net.predict(faces), expected)


def test_faces_of_another_size_are_resized_about_their_middle(checkpoint):
    net = load_pretrained(checkpoint)
    face = make_faces(0, [3]).pixels[0]
    large = np.asarray(Image.fromarray(face).resize((480, 480), Image.Resampling.BICUBIC))
    expected = net.predict(face)
    wide = np.pad(large, ((0, 0), (100, 100)))
    for again in (large, wide, wide.T[None, None].swapaxes(-1, -2)):
        np.testing.assert_allclose(net.predict(again), expected, atol=0.05)
    mixed = net.predict([face, large, wide])
    np.testing.assert_array_equal(mixed[0], expected[0])
    np.testing.assert_array_equal(mixed[1], mixed[2])
    assert net.predict(large[::10, ::10][:31, :7]).shape == (1, 7)


@pytest.mark.parametrize("wrong, message", [
    (images(2)[:0], r"images: got uint8 \(0, 48, 48\), expected pictures of faces \(N, 48, 48\)"),
    (images(2)[0, 0], r"images: got uint8 \(48,\), expected pictures of faces"),
    (images(8).reshape(2, 2, 2, 48, 48), r"images: got uint8 \(2, 2, 2, 48, 48\)"),
    (images(4).reshape(2, 2, 48, 48), r"images: got uint8 \(2, 2, 48, 48\)"),
    ([], r"images: got float64 \(0,\)"),
    ([images(1)[0], [1, 2, 3]], r"images: got uint8 \(3,\)"),
    (images(2) - 128.0, "images: numbers reach from -128 .*undo a normalization"),
    (np.where(images(2) > 9, np.nan, 1.0), "images: numbers reach from nan to nan"),
    (images(2) * 2.0, "images: numbers reach from 0 to 5.."),
    (images(2).astype(np.int64) * 1000, "images: numbers reach from 0 to"),
    (images(2) > 9, r"images: got bool \(2, 48, 48\), expected real numbers"),
    (images(2).astype(complex), "images: got complex128"),
    ("me.jpg", r"images: got <U6 \(\), expected real numbers"),
    (np.ma.masked_array(images(2), images(2) > 9), "images: got a masked array"),
])
def test_pictures_of_another_kind_get_an_error_that_says_what_came(checkpoint, wrong, message):
    with pytest.raises(ValueError, match=message):
        load_pretrained(checkpoint).predict(wrong)


def test_the_probabilities_of_two_views_are_calibrated_by_the_temperature_in_the_file(
    checkpoint, tmp_path
):
    arrays, info = load_checkpoint(checkpoint)
    save_checkpoint(tmp_path / "warm.h5", arrays, {**info, "temperature": 2.0})
    export(tmp_path / "warm.h5", tmp_path / "small.h5")
    assert load_checkpoint(tmp_path / "small.h5")[1]["temperature"] == 2
    warm = load_pretrained(tmp_path / "warm.h5")
    plain = load_pretrained(checkpoint)
    roots = np.sqrt(plain.predict(images(4)).astype(np.float64))
    np.testing.assert_allclose(warm.predict(images(4)), roots / roots.sum(axis=1, keepdims=True),
                               atol=1e-6)
    np.testing.assert_array_equal(warm.predict(images(4), mirror=False),
                                  plain.predict(images(4), mirror=False))
    for bad in (0, -1, "hot", np.inf):
        with pytest.raises(ValueError, match="temperature: got"):
            tempered(plain.predict(images(4)), bad)


def test_a_net_says_in_one_line_what_it_is(checkpoint):
    net = load_pretrained(checkpoint)
    size = sum(array.size for array in net.model.params.values())
    assert repr(net) == (f"<PretrainedNet: DeepConvNet with {size:,} parameters; faces of 48 x 48 "
                         "gray pixels -> A, B, C, D, E, F, G>")
    assert repr(net.model) == f"<DeepConvNet: 1 x 48 x 48 -> 7, {size:,} parameters, float32>"


def test_a_checkpoint_without_its_preprocessing_is_refused(checkpoint, tmp_path):
    arrays, info = load_checkpoint(checkpoint)
    del info["std"], arrays["mean_image"]
    save_checkpoint(tmp_path / "bare.h5", arrays, info)
    with pytest.raises(ValueError,
                       match="bare.h5: holds no mean_image, std; use one of train_best.py"):
        export(tmp_path / "bare.h5", tmp_path / "small.h5")
    with pytest.raises(ValueError, match="info: holds no mean_image, std"):
        load_pretrained(tmp_path / "bare.h5")
    assert not (tmp_path / "small.h5").exists()


def test_a_package_without_the_file_says_how_to_get_one(monkeypatch, tmp_path):
    monkeypatch.setattr("cs231n_fer.classifiers.pretrained.WEIGHTS", tmp_path / "pretrained.h5")
    with pytest.raises(FileNotFoundError,
                       match="this installation has no pretrained.h5; train a net with"):
        cs231n_fer.load_pretrained()


def test_the_script_writes_a_card_with_what_it_measured_and_copies_the_log_without_faces(
    finished, tmp_path, monkeypatch
):
    module = script("export_pretrained")
    data = FACES("synthetic")
    monkeypatch.setattr(module, "load_data", FACES)
    module.main([str(finished / "best.h5"), "--out", str(tmp_path / "net.h5"), "--log",
                 str(tmp_path / "log"), "--data", "synthetic"])
    card = (tmp_path / "net.md").read_text()
    config = json.loads((finished / "config.json").read_text())
    faces = restore_pixels(data["X_val"], data["mean_image"], data["std"])
    predicted = cs231n_fer.load_pretrained(tmp_path / "net.h5").predict(faces).argmax(axis=1)
    happy = data["y_val"] == 3
    for part in (f"| with mirror images | {100 * np.mean(predicted == data['y_val']):.1f} % |",
                 f"| Happy | {happy.sum()} | {100 * np.mean(predicted[happy] == 3):.1f} % |",
                 "--seed 3 --batch-size 16", f"| seed | {config['seed']} |", "FinalConvNet",
                 "Not for", f"| file | {(tmp_path / 'net.h5').stat().st_size:,} bytes",
                 f"the temperature {load_pretrained(tmp_path / 'net.h5').info['temperature']}",
                 "| before | 0.", "which `read_emotions` calls unsure", "the detector found 1,186"):
        assert part in card, part
    assert "history.csv" in {file.name for file in (tmp_path / "log").iterdir()}
    assert not {"examples.png",
                "saliency.png"} & {file.name for file in (tmp_path / "log").iterdir()}


@pytest.mark.skipif(not WEIGHTS.exists(),
                    reason="the package holds no pretrained net yet: export_pretrained.py")
def test_the_packaged_net_keeps_to_its_limits():
    assert WEIGHTS.stat().st_size < 2.5e6 and WEIGHTS.with_suffix(".md").exists()
    with h5py.File(WEIGHTS) as file:
        assert file.attrs["format"]
    net = cs231n_fer.load_pretrained()
    assert isinstance(net, PretrainedNet) and net.model.layer.flops((1, 48, 48)) <= 100e6
    assert sum(array.size for array in net.model.params.values()) <= 1e6
    probabilities = net.predict(images(3))
    assert probabilities.shape == (3, 7) and np.isfinite(probabilities).all()
    assert net.class_names == ("Anger", "Disgust", "Fear", "Happy", "Sad", "Surprise", "Neutral")
