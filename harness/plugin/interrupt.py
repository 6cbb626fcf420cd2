"""Ctrl-C at a moment at which what was finished is being written."""

import contextlib
import signal
import threading
from collections.abc import Callable, Iterator
from types import FrameType


@contextlib.contextmanager
def hold_interrupt() -> Iterator[Callable[[], bool]]:
    """Let the first Ctrl-C wait, and the second one interrupt as ever.

    Yields:
        A function that returns whether one came. None is held in another thread than the main one,
        and where somebody else handles it.
    """
    came = False

    def handle(number: int, frame: FrameType | None) -> None:
        nonlocal came
        if came:
            signal.default_int_handler(number, frame)
        came = True

    pythons = signal.getsignal(signal.SIGINT) is signal.default_int_handler
    if not pythons or threading.current_thread() is not threading.main_thread():
        yield lambda: False
        return
    signal.signal(signal.SIGINT, handle)
    try:
        yield lambda: came
    finally:
        signal.signal(signal.SIGINT, signal.default_int_handler)
