"""Keyboard interrupts that wait until a step is whole, so that what is saved can be gone on with."""
import signal
import threading
from contextlib import contextmanager


@contextmanager
def interrupts_noted():
    """Yield a list that the first Ctrl-C makes non-empty; the second one raises KeyboardInterrupt as usual.

    Changes nothing outside the main thread, where Python delivers no signals, or where SIGINT has another handler.
    """
    noted = []
    if (threading.current_thread() is not threading.main_thread()
            or signal.getsignal(signal.SIGINT) is not signal.default_int_handler):
        yield noted
        return

    def note(number, frame):
        signal.signal(signal.SIGINT, signal.default_int_handler)
        noted.append(number)

    signal.signal(signal.SIGINT, note)
    try:
        yield noted
    finally:
        signal.signal(signal.SIGINT, signal.default_int_handler)
