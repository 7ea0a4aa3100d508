"""Drive a headless Chromium through its DevTools protocol, with the standard library alone.

Messages are JSON that ends with a zero byte, over two pipes, which --remote-debugging-pipe makes of
the file descriptors 3 and 4: nothing listens on a port.
"""
import base64
import fcntl
import json
import os
import select
import shutil
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
from PIL import Image

from cs231n_fer.files.checkpoint import write_bytes

__all__ = ["CHROMIUM", "Browser", "write_camera"]

NAMES = ("chromium", "chromium-browser", "google-chrome")
CHROMIUM = next(filter(None, map(shutil.which, NAMES)), None)
FLAGS = ("--headless=new", "--remote-debugging-pipe", "--no-first-run", "--disable-gpu",
         "--disable-dev-shm-usage", "--disable-extensions", "--disable-background-networking",
         "--hide-scrollbars", "--use-fake-ui-for-media-stream",
         "--use-fake-device-for-media-stream")
# Gives two descriptors the numbers 3 and 4, and becomes Chromium.
START = """
import os, sys
os.dup2(int(sys.argv[1]), 3)
os.dup2(int(sys.argv[2]), 4)
os.execv(sys.argv[3], sys.argv[3:])
"""
PATIENCE = 120    # seconds for anything that is waited for


class Browser:
    """A Chromium with one page; a context manager, which closes it.

    folder    gets its profile
    camera    a file of write_camera that the fake camera plays, or None for a test pattern
    size      width and height of the page
    """

    def __init__(self, folder: Path, camera: Path | None = None, size: tuple[int, int] = (1200, 900)
                 ) -> None:
        played = [f"--use-file-for-fake-video-capture={camera}"] if camera else []
        root = ["--no-sandbox"] if os.geteuid() == 0 else []  # Chromium's sandbox refuses root
        command = [CHROMIUM, *FLAGS, *played, *root, f"--user-data-dir={folder}",
                   f"--window-size={size[0]},{size[1]}", "about:blank"]
        theirs, self.to = map(high, os.pipe())
        self.back, theirs_back = map(high, os.pipe())
        start = [sys.executable, "-c", START, str(theirs), str(theirs_back), *command]
        self.process = subprocess.Popen(start, pass_fds=(theirs, theirs_back),
                                        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        os.close(theirs)
        os.close(theirs_back)
        self.number = 0
        self.received = b""
        self.faults = []    # what the page complained of
        self.session = None
        target = self.send("Target.createTarget", url="about:blank")["targetId"]
        attached = self.send("Target.attachToTarget", targetId=target, flatten=True)
        self.session = attached["sessionId"]
        for domain in ("Runtime", "Page", "Log"):
            self.send(f"{domain}.enable")
        self.send("Emulation.setDeviceMetricsOverride", width=size[0], height=size[1],
                  deviceScaleFactor=1, mobile=False)

    def __enter__(self) -> "Browser":
        return self

    def __exit__(self, *error: object) -> None:
        self.process.terminate()
        self.process.wait()
        os.close(self.to)
        os.close(self.back)

    def send(self, method: str, **params: object) -> dict:
        """Call a method of the protocol and return its result; raises RuntimeError."""
        self.number += 1
        message = {"id": self.number, "method": method, "params": params}
        if self.session:
            message["sessionId"] = self.session
        os.write(self.to, json.dumps(message).encode() + b"\0")
        while True:
            answer = self.next_message()
            if answer.get("id") == self.number:
                if "error" in answer:
                    raise RuntimeError(f"{method}: {answer['error']['message']}")
                return answer["result"]
            self.note(answer)

    def next_message(self) -> dict:
        """Return what Chromium sends next."""
        while b"\0" not in self.received:
            if not select.select([self.back], [], [], PATIENCE)[0]:
                raise RuntimeError(f"Chromium has been silent for {PATIENCE} seconds")
            part = os.read(self.back, 1 << 16)
            if not part:
                raise RuntimeError(f"Chromium ended with status {self.process.wait()}")
            self.received += part
        text, _, self.received = self.received.partition(b"\0")
        return json.loads(text)

    def note(self, event: dict) -> None:
        """Keep an error of the page, such as what its policy forbids."""
        params = event.get("params", {})
        if event["method"] == "Runtime.exceptionThrown":
            self.faults.append(json.dumps(params["exceptionDetails"]))
        elif event["method"] == "Log.entryAdded" and params["entry"]["level"] == "error":
            self.faults.append(params["entry"]["text"])

    def open(self, address: str) -> None:
        """Go to a page and wait until it is loaded."""
        self.send("Page.navigate", url=address)
        self.wait("location.href !== 'about:blank' && document.readyState === 'complete'")

    def run(self, code: str) -> object:
        """Return the value of a JavaScript expression in the page; a promise is awaited."""
        found = self.send("Runtime.evaluate", expression=code, awaitPromise=True,
                          returnByValue=True, userGesture=True)
        if "exceptionDetails" in found:
            raise RuntimeError(json.dumps(found["exceptionDetails"]))
        return found["result"].get("value")

    def wait(self, code: str) -> object:
        """Return the value of an expression as soon as it is true."""
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end:
            value = self.run(code)
            if value:
                return value
            time.sleep(0.1)
        raise RuntimeError(f"after {PATIENCE} seconds this is not true: {code}")

    def press(self, key: str, code: int, text: str = "") -> None:
        """Press a key, such as Tab with the code 9."""
        for kind in ("keyDown", "keyUp"):
            self.send("Input.dispatchKeyEvent", type=kind, key=key, code=key,
                      windowsVirtualKeyCode=code, **({"text": text} if text else {}))

    def screenshot(self, path: Path) -> None:
        """Write the page as a PNG file."""
        data = self.send("Page.captureScreenshot", format="png")["data"]
        write_bytes(path, base64.b64decode(data))


def high(descriptor: int) -> int:
    """Return a file descriptor from 10 up for the same file, so that 3 and 4 are free."""
    moved = fcntl.fcntl(descriptor, fcntl.F_DUPFD_CLOEXEC, 10)
    os.close(descriptor)
    return moved


def write_camera(path: Path, faces: np.ndarray, seconds: int = 1) -> None:
    """Write gray faces (N, h, w), uint8, as a film 640 x 480 that fake cameras play, in a loop.

    path       *.y4m
    seconds    that each face is shown, which fills the height of the film
    """
    frames = []
    for face in faces:
        luma = np.full((480, 640), 128, np.uint8)
        large = Image.fromarray(face).resize((480, 480), Image.Resampling.BICUBIC)
        luma[:, 80:560] = large
        video = np.rint(16 + luma * (219 / 255)).astype(np.uint8)  # the range of levels of films
        frames += [b"FRAME\n" + video.tobytes() + b"\x80" * (640 * 480 // 2)] * (10 * seconds)
    write_bytes(path, b"YUV4MPEG2 W640 H480 F10:1 Ip A1:1 C420jpeg\n" + b"".join(frames))
