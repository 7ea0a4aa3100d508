"""`cs231n-fer web`: a page in the browser that shows the net at work."""
from __future__ import annotations

import argparse
import os

from .parsing import Subparsers, command, whole

__all__ = ["add"]


def add(commands: Subparsers, name: str) -> None:
    """Add the subparser."""
    parser = command(commands, name, run,
                     "open a page with your camera, your photos and synthetic faces",
                     "cs231n-fer web --port 8000")
    add = parser.add_argument
    add("--port", type=whole(0), default=8000, help="0 takes any free one (default: %(default)s)")
    add("--no-browser", action="store_true", help="only print the address of the page")
    add("--net", metavar="CHECKPOINT", help="checkpoint of a net (default: the packaged net)")


def run(options: argparse.Namespace) -> int:
    """Serve the page until Ctrl-C, which is no failure."""
    if options.port > 65535:
        raise ValueError(f"--port: got {options.port}, expected 0 to 65535")
    # Before libraries start their threads. One answers 15 pictures a second, two 13: a picture is
    # little work, and the browser needs the other core.
    for name in ("OMP_NUM_THREADS", "NUMBA_NUM_THREADS"):
        os.environ.setdefault(name, "1")
    from ..classifiers.pretrained import load_pretrained
    from ..web.serve import serve
    net = load_pretrained(options.net)
    try:
        serve(net, options.port, open_browser=not options.no_browser,
              say=lambda line: print(line, flush=True))
    except KeyboardInterrupt:
        pass
    return 0
