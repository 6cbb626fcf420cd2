"""Delays Ctrl-C while results are being written."""

import contextlib
import signal
import threading
from collections.abc import Callable, Iterator
from types import FrameType


@contextlib.contextmanager
def hold_interrupt() -> Iterator[Callable[[], bool]]:
    """Delay the first Ctrl-C inside the block; the second one interrupts as usual.

    Outside the main thread, or if SIGINT has another handler, nothing is delayed.

    Yields:
        A function that returns whether a Ctrl-C was delayed.
    """
    came = False

    def handle(number: int, frame: FrameType | None) -> None:
        nonlocal came
        if came:
            signal.default_int_handler(number, frame)
        came = True

    default = signal.getsignal(signal.SIGINT) is signal.default_int_handler
    if not default or threading.current_thread() is not threading.main_thread():
        yield lambda: False
        return
    signal.signal(signal.SIGINT, handle)
    try:
        yield lambda: came
    finally:
        signal.signal(signal.SIGINT, signal.default_int_handler)
