"""The clock of a budget: nothing begins after its end, and everything stops a tenth later."""

import threading
import time

import pytest

from harness.session.budget.deadline import Deadline, Limit


def test_the_end_comes_first_and_the_limit_a_tenth_of_the_budget_later() -> None:
    began, calls = time.monotonic(), dict[str, float]()
    over = threading.Event()

    def note(name: str) -> None:
        calls[name] = time.monotonic() - began

    def stop() -> None:
        note("limit")
        over.set()

    deadline = Deadline(Limit(2, began), lambda: note("end"), stop)
    assert over.wait(60)
    deadline.close()
    assert list(calls) == ["end", "limit"]
    assert calls["end"] >= 2
    assert calls["limit"] >= 2.2


def test_time_that_is_over_before_the_training_counts() -> None:
    over = threading.Event()
    deadline = Deadline(Limit(3600, time.monotonic() - 4000), lambda: None, over.set)
    assert over.wait(60)
    deadline.close()


def test_a_closed_clock_calls_nothing() -> None:
    calls: list[str] = []
    limit = Limit(1, time.monotonic())
    Deadline(limit, lambda: calls.append("end"), lambda: calls.append("limit")).close()
    time.sleep(max(0.0, limit.left_with_grace()) + 0.2)
    assert calls == []


def test_what_is_left() -> None:
    limit = Limit(1800, time.monotonic() - 600)
    assert limit.left() == pytest.approx(1200, abs=30)
    assert limit.left_with_grace() - limit.left() == pytest.approx(180, abs=30)
