"""Keyboard interrupts that wait for the end of a step, so that a run can be saved and resumed."""
from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

__all__ = ["interrupts_noted"]


@contextmanager
def interrupts_noted() -> Iterator[list[int]]:
    """Yield a list to which the first Ctrl-C appends; the second one raises KeyboardInterrupt.

    Does nothing outside of the main thread, where Python delivers no signals, or if SIGINT has
    another handler than Python's.
    """
    noted: list[int] = []
    if (threading.current_thread() is not threading.main_thread()
            or signal.getsignal(signal.SIGINT) is not signal.default_int_handler):
        yield noted
        return

    def note(number: int, frame: FrameType | None) -> None:
        signal.signal(signal.SIGINT, signal.default_int_handler)
        noted.append(number)

    signal.signal(signal.SIGINT, note)
    try:
        yield noted
    finally:
        signal.signal(signal.SIGINT, signal.default_int_handler)
