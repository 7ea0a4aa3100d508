"""Take the picture of the page of `cs231n-fer web` in README.md, with synthetic faces alone.

    python experiments/checks/web_page.py
    python experiments/checks/web_page.py --camera --out runs/camera.png   a fake camera plays one

It needs Chromium, and the extra: pip install "cs231n_fer[web]".
"""
import subprocess
import sys
import tempfile
from contextlib import contextmanager
from pathlib import Path

if __package__ is None:  # started as a file, not with -m
    sys.path[0] = str(Path(__file__).resolve().parents[2])

import numpy as np
from PIL import Image

from cs231n_fer.faces.synthetic import make_faces
from experiments import flags
from experiments.bench.report import RESULTS
from experiments.checks.chromium import CHROMIUM, Browser, write_camera

PICTURE = RESULTS / "web_page.png"
HAPPY = 397    # a face of seed 0
SIZE = (1200, 1180)
COLORS = 256   # of the picture's palette, which a third of the bytes suffices for


@contextmanager
def served(environment: dict[str, str] | None = None):
    """Yield the address of `cs231n-fer web`, which runs as long as the block does.

    environment    of the process; None is that of this one
    """
    command = [sys.executable, "-m", "cs231n_fer", "web", "--no-browser", "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=RESULTS.parents[1],
                          env=environment) as process:
        try:
            line = process.stdout.readline()
            if "http://" not in line:
                raise RuntimeError("cs231n-fer web did not start; see the lines above")
            yield next(word for word in line.split() if word.startswith("http://"))
        finally:
            process.terminate()


def show_camera(browser: Browser) -> None:
    """Start the camera, whose picture a face fills, and wait until its rate is known."""
    browser.run("document.getElementById('whole').click()")
    browser.run("document.getElementById('camera').click()")
    browser.wait("document.getElementById('rate').textContent")


def small_png(path: Path) -> None:
    """Write a PNG file again with a palette."""
    with Image.open(path) as image:
        few = image.convert("RGB").quantize(COLORS)
    few.save(path, optimize=True)


def main():
    parser = flags.Parser(__doc__)
    parser.add_argument("--camera", action="store_true", help="show the picture of a fake camera")
    parser.add_argument("--out", type=flags.target, default=PICTURE,
                        help="picture to write (default: experiments/results/web_page.png)")
    args = parser.parse_args()
    if CHROMIUM is None:
        parser.error("found no Chromium; install it first")
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as name, served() as address:
        film = Path(name) / "film.y4m"
        write_camera(film, make_faces(0, np.array([HAPPY])).pixels)
        with Browser(Path(name) / "profile", film, SIZE) as browser:
            browser.open(address)
            browser.wait("document.body.dataset.ready")
            if args.camera:
                show_camera(browser)
            browser.run("new Promise((done) => { setTimeout(done, 500); })")  # bars move
            browser.screenshot(args.out)
            answer = browser.run("document.getElementById('answer').textContent")
    small_png(args.out)
    print(f"the page says {answer}; wrote {args.out}, {args.out.stat().st_size:,} bytes")


if __name__ == "__main__":
    main()
