"""The first Ctrl-C waits for the end of a block, and only where Ctrl-C is Python's own business."""

import signal
import threading
from collections.abc import Iterator

import pytest

from harness.plugin.interrupt import hold_interrupt


@pytest.fixture(autouse=True)
def restored() -> Iterator[None]:
    before = signal.getsignal(signal.SIGINT)
    yield
    signal.signal(signal.SIGINT, before)


def test_the_first_interruption_waits_and_the_second_does_not() -> None:
    with hold_interrupt() as interrupted:
        assert not interrupted()
        signal.raise_signal(signal.SIGINT)
        assert interrupted()
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)


def test_after_the_block_an_interruption_is_what_it_was() -> None:
    for _ in range(2):
        with hold_interrupt():
            signal.raise_signal(signal.SIGINT)
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)


def test_somebody_elses_handler_stays() -> None:
    heard = []
    signal.signal(signal.SIGINT, lambda number, frame: heard.append(number))
    with hold_interrupt() as interrupted:
        signal.raise_signal(signal.SIGINT)
        assert not interrupted()
    assert heard == [signal.SIGINT]


def test_no_other_thread_holds_one() -> None:
    came = []

    def hold() -> None:
        with hold_interrupt() as interrupted:
            came.append(interrupted())

    thread = threading.Thread(target=hold)
    thread.start()
    thread.join()
    assert came == [False]
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
