"""Measure how many pictures a second the server of `cs231n-fer web` answers, and what each step
takes.

    python experiments/bench/web.py
    python experiments/bench/web.py --threads 1 --pictures 50

Each picture is a JPEG file of 640 x 480 pixels with one synthetic face, as the page sends those of
a camera, over HTTP on one connection: decoding, detection, prediction, saliency map, JSON. It needs
the extras: pip install "cs231n_fer[web,photos]".
"""
import http.client
import io
import os
import sys
import time
from pathlib import Path

if __package__ is None:  # started as a file, not with -m
    sys.path[0] = str(Path(__file__).resolve().parents[2])

import numpy as np
from PIL import Image

from cs231n_fer.faces.synthetic import make_faces
from experiments import flags
from experiments.checks.web_page import served

SIDE = 320    # pixels of the face


def picture(index: int) -> bytes:
    """Return a JPEG file with the face `index` of seed 0 in the middle."""
    image = Image.new("RGB", (640, 480), (96, 112, 120))
    face = Image.fromarray(make_faces(0, [index]).pixels[0])
    image.paste(face.resize((SIDE, SIDE), Image.Resampling.BICUBIC), (160, 80))
    stream = io.BytesIO()
    image.save(stream, "JPEG", quality=90)
    return stream.getvalue()


def seconds_of(address: str, pictures: list[bytes]) -> np.ndarray:
    """Return how long each picture takes to be answered, with one face found in it."""
    host = address.removeprefix("http://")
    connection = http.client.HTTPConnection(host)
    headers = {"Origin": address, "Content-Type": "application/octet-stream"}
    taken = []
    for content in pictures:
        start = time.perf_counter()
        connection.request("POST", "/photo?live=1", content, headers)
        response = connection.getresponse()
        text = response.read()
        taken.append(time.perf_counter() - start)
        if response.status != 200 or text.count(b'"box"') != 1:
            raise RuntimeError(f"expected an answer with one face, got {text[:200]!r}")
    connection.close()
    return np.array(taken)


def main():
    parser = flags.Parser(__doc__)
    parser.add_argument("--pictures", type=flags.whole(1), default=100, help="(default: 100)")
    parser.add_argument("--threads", type=flags.whole(1),
                        help="of the kernels and of the detector (default: as the command has it)")
    args = parser.parse_args()
    environment = dict(os.environ)
    if args.threads:
        environment |= {"NUMBA_NUM_THREADS": str(args.threads), "OMP_NUM_THREADS":
                        str(args.threads)}
    pictures = [picture(index) for index in range(args.pictures)]
    with served(environment) as address:
        seconds_of(address, pictures[:5])
        taken = seconds_of(address, pictures)
    low, middle, high = 1000 * np.percentile(taken, (5, 50, 95))
    print(f"{len(taken)} pictures: {len(taken) / taken.sum():.1f} a second; median {middle:.0f} "
          f"ms, 90 % from {low:.0f} to {high:.0f} ms; load {os.getloadavg()[0]:.1f} on "
          f"{os.cpu_count()} cores")


if __name__ == "__main__":
    main()
