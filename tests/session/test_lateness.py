"""A run that takes far longer than expected says so, once, with the likely reason."""

from dataclasses import replace

import pytest

from harness.machine import provenance
from harness.session.lateness import Lateness, late_line
from harness.training.progress import Progress

BASIS = "from earlier records"
LOAD = "other programs keep 1.0 of 2 cores busy"


def at(
    seconds: float, fraction: float, others: float | None = None, begun: float = 0.0
) -> Progress:
    """Return the progress of a run that did its first of 1000 steps at the age `begun`."""
    step = round(1000 * fraction)
    now = Progress(seconds, epochs=5, step=step, steps=1000, others=others)
    return replace(now, first_step=1, first_seconds=begun) if step else now


def test_the_line_has_the_times_and_the_reason() -> None:
    assert late_line("cola/a", 420.0, at(600, 0.4), LOAD, BASIS) == (
        "cola/a: takes far longer than expected: 10 min so far, about 25 min in all at this pace, "
        "expected about 7 min; likely because other programs keep 1.0 of 2 cores busy"
    )
    assert str(late_line("cola/a", 60.0, at(860, 0), None, BASIS)).endswith(
        f"expected about 60 s; the expectation was {BASIS}"  # nobody has looked yet
    )
    assert late_line("cola/a", 60.0, at(860, 0, 0.1), None, "from a FLOP count and a probe") == (
        "cola/a: takes far longer than expected: 14 min so far, expected about 60 s; no other "
        "program uses the cores now, and the expectation was from a FLOP count and a probe"
    )


@pytest.mark.parametrize(
    ("expected", "now", "late"),
    [
        (100.0, at(110, 0.5), True),  # 220 s in all
        (100.0, at(90, 0.5), False),  # 180 s
        (100.0, at(250, 0.0), True),  # whatever its pace, the time is gone
        (100.0, at(30, 0.04), False),  # its start tells no pace
        (100.0, at(30, 0.06), True),
        (4.0, at(20, 0.9), False),  # many times as long, and nobody minds
        (4.0, at(40, 0.9), True),
        (14.0, at(5, 0.058), False),  # a run of 13 s: no pace before 10 s of steps
        (14.0, at(10.5, 0.058, begun=0.4), True),
        (14.0, at(11, 0.06, begun=4.5), False),
        (100.0, at(60, 0.1, begun=50), False),  # 10 s for a tenth: 150 s in all
        (100.0, at(60, 0.1, begun=30), True),
        (100.0, at(99, 0.001, begun=1), False),  # only the first step is done
    ],
)
def test_a_run_is_late_by_its_pace_or_by_its_age(
    expected: float, now: Progress, late: bool
) -> None:
    assert (late_line("a", expected, now, LOAD, BASIS) is not None) == late


def test_each_run_is_told_once_and_only_where_seconds_were_expected() -> None:
    cores = provenance.available_cores()
    lateness = Lateness()
    lateness.note("a", 100.0, at(50, 0.1), basis=None)
    assert lateness.lines == {}
    lateness.note("a", 100.0, at(10, 0.1), BASIS)
    assert lateness.lines == {}
    lateness.note("a", 100.0, at(50, 0.1, others=1.0), BASIS)
    lateness.note("b", 100.0, at(50, 0.1, others=0.1), BASIS)
    told = dict(lateness.lines)
    lateness.note("a", 100.0, at(90, 0.1, others=0.0), BASIS)
    assert lateness.lines == told
    assert told["a"].endswith(f"likely because other programs keep 1.0 of {cores} cores busy")
    assert "no other program uses the cores now" in told["b"]
