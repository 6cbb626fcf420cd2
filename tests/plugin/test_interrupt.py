"""Ctrl-C and SIGTERM wait for the end of a block, and only where nobody else handles them."""

import signal
import threading
from collections.abc import Iterator

import pytest

from harness.plugin.interrupt import heed_sigterm, hold_interrupt


@pytest.fixture(autouse=True)
def restored() -> Iterator[None]:
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


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


def test_sigterm_interrupts_with_its_name_and_then_does_what_it_did() -> None:
    with heed_sigterm(), pytest.raises(KeyboardInterrupt, match=r"^SIGTERM$"):
        signal.raise_signal(signal.SIGTERM)
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL


def test_every_sigterm_waits_as_many_as_come() -> None:
    with heed_sigterm():
        with hold_interrupt() as interrupted:
            for _ in range(3):
                signal.raise_signal(signal.SIGTERM)
            assert interrupted()
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGTERM)


@pytest.mark.parametrize(
    "order", [(signal.SIGINT, signal.SIGTERM), (signal.SIGTERM, signal.SIGINT)]
)
def test_the_sigterm_that_follows_a_cancelled_job_is_no_second_ctrl_c(
    order: tuple[signal.Signals, ...],
) -> None:
    """Runners of CI jobs send SIGINT, and seconds later SIGTERM."""
    with heed_sigterm(), hold_interrupt():
        for number in order:
            signal.raise_signal(number)
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)


def test_somebody_elses_sigterm_stays() -> None:
    heard = []
    signal.signal(signal.SIGTERM, lambda number, frame: heard.append(number))
    with heed_sigterm(), hold_interrupt() as interrupted:
        signal.raise_signal(signal.SIGTERM)
        assert not interrupted()
    assert heard == [signal.SIGTERM]
